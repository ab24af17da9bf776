// pith list
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

using Json = nlohmann::ordered_json;

// A short archive does not say it, but it may be a model that is built in. Empty: it is not known.
std::string ModelNameOf(const ArchiveInfo& archive) {
  if (!archive.model_name.empty()) return archive.model_name;
  for (const std::string& builtin : BuiltinModelNames()) {
    if (BuiltinFingerprint(builtin).starts_with(archive.model_fingerprint)) return builtin;
  }
  return "";
}

struct Listed {
  std::string file;
  std::vector<ArchiveInfo> archives;  // one after another in the file

  uint64_t original_bytes() const {
    uint64_t sum = 0;
    for (const ArchiveInfo& a : archives) sum += a.original_bytes;
    return sum;
  }
  uint64_t archive_bytes() const {
    uint64_t sum = 0;
    for (const ArchiveInfo& a : archives) sum += a.archive_bytes;
    return sum;
  }
  size_t blocks() const {
    size_t sum = 0;
    for (const ArchiveInfo& a : archives) sum += a.blocks.size();
    return sum;
  }
  // "starter", "-" when no block needs a model, "several" when archives differ.
  std::string model() const {
    std::string name = "-";
    for (const ArchiveInfo& a : archives) {
      if (a.model_fingerprint.empty()) continue;
      std::string own = ModelNameOf(a);
      if (own.empty()) own = a.model_fingerprint.substr(0, 8);
      if (name != "-" && name != own) return "several";
      name = own;
    }
    return name;
  }
  std::string checksum() const {
    if (archives.size() != 1) return Plural(archives.size(), "archive");
    const ArchiveInfo& a = archives[0];
    return a.content_checksum_bits == 0 ? "-" : Hex(a.content_checksum, a.content_checksum_bits / 4).substr(2);
  }
};

// What blocks of one kind come to.
struct KindTotals {
  uint64_t blocks = 0;
  uint64_t original_bytes = 0;
  uint64_t stored_bytes = 0;
  uint64_t tokens = 0;
  uint32_t streams = 0;  // the most
  bool adaptive = false;  // one of them at least
  uint32_t strength = 0;  // the most; 0 where it is not by contexts
  std::set<std::string> encodings;  // other than none
};

std::map<std::string, KindTotals> TotalsByKind(const ArchiveInfo& archive) {
  std::map<std::string, KindTotals> kinds;
  for (const ArchiveBlock& block : archive.blocks) {
    KindTotals& totals = kinds[block.kind];
    ++totals.blocks;
    totals.original_bytes += block.original_bytes;
    totals.stored_bytes += block.stored_bytes;
    totals.tokens += block.tokens;
    totals.streams = std::max(totals.streams, block.streams);
    totals.adaptive |= block.adaptive;
    totals.strength = std::max(totals.strength, block.strength);
    if (!block.encoding.empty()) totals.encodings.insert(block.encoding);
  }
  return kinds;
}

std::string Row(const std::string& original, const std::string& archive, const std::string& ratio,
                const std::string& blocks, const std::string& model, const std::string& checksum,
                const std::string& name) {
  char text[160];
  std::snprintf(text, sizeof text, "%13s %12s %8s %7s  %-14.14s  %-16s  ", original.c_str(), archive.c_str(),
                ratio.c_str(), blocks.c_str(), model.c_str(), checksum.c_str());
  return text + name;
}

std::string TableRow(const Listed& listed) {
  return Row(std::to_string(listed.original_bytes()), std::to_string(listed.archive_bytes()),
             FormatRatio(listed.archive_bytes(), listed.original_bytes()), std::to_string(listed.blocks()),
             Printable(listed.model()), listed.checksum(), Printable(listed.file)) +
         "\n";
}

std::string Field(const std::string& name, const std::string& value) {
  char text[32];
  std::snprintf(text, sizeof text, "  %-14s", name.c_str());
  return text + value + "\n";
}

std::string DetailText(const ArchiveInfo& archive) {
  char bits[48] = "";
  if (archive.original_bytes > 0) {
    std::snprintf(
        bits, sizeof bits, ", %.3f bits a byte",
        8.0 * static_cast<double>(archive.archive_bytes) / static_cast<double>(archive.original_bytes));
  }
  std::string text = Field("original", std::to_string(archive.original_bytes) + " bytes");
  text += Field("archive", std::to_string(archive.archive_bytes) + " bytes (" +
                               FormatRatio(archive.archive_bytes, archive.original_bytes) + bits + ")");
  if (archive.content_checksum_bits != 0) {
    text += Field("checksum", Hex(archive.content_checksum, archive.content_checksum_bits / 4) +
                                  (archive.is_short
                                       ? " (low " + std::to_string(archive.content_checksum_bits) + " bits of XXH3-64 of the content)"
                                       : " (XXH3-64 of the content)"));
  }
  for (const auto& [kind, totals] : TotalsByKind(archive)) {
    std::string line = Plural(totals.blocks, "block") + ", " + std::to_string(totals.original_bytes) +
                       " => " + std::to_string(totals.stored_bytes) + " bytes";
    if (totals.tokens != 0) line += ", " + Plural(totals.tokens, "token");
    if (totals.streams != 0) {
      line += ", " + Plural(totals.streams, "stream");
      if (totals.adaptive) line += ", adaptive";
    }
    constexpr const char* kStrengths[] = {"", ", fast", ", strong", ", thorough", ", numeric"};
    if (totals.strength < std::size(kStrengths)) line += kStrengths[totals.strength];
    for (const std::string& encoding : totals.encodings) line += ", " + encoding;
    text += Field("by " + kind, line);
  }
  if (!archive.model_fingerprint.empty()) {
    const std::string name = ModelNameOf(archive);
    text += Field("model", (name.empty() ? "" : Printable(name) + ", ") + "fingerprint " +
                               archive.model_fingerprint + (archive.is_short ? ".." : ""));
    text += Field("window", Plural(archive.window, "token") + ", and the first " +
                                std::to_string(archive.sinks) + " of each stream");
  }
  if (!archive.dictionary.empty()) {
    text += Field("dictionary", archive.is_short ? "id .." + archive.dictionary : "id " + archive.dictionary);
  }
  text += Field("format", std::to_string(archive.format_version) + (archive.is_short ? " (short)" : "") +
                              ", arithmetic " + std::to_string(archive.contract_version));
  if (!archive.file_name.empty()) text += Field("stored name", Printable(archive.file_name));
  if (archive.mtime_ns) text += Field("stored time", FormatTime(*archive.mtime_ns));
  return text;
}

std::string DetailText(const Listed& listed, const Console& console) {
  std::string text = console.Bold(Printable(listed.file)) + "\n";
  for (size_t i = 0; i < listed.archives.size(); ++i) {
    if (listed.archives.size() > 1) {
      text += "  archive " + std::to_string(i + 1) + " of " + std::to_string(listed.archives.size()) + "\n";
    }
    text += DetailText(listed.archives[i]);
  }
  return text;
}

Json ToJson(const ArchiveInfo& archive) {
  Json blocks = Json::array();
  for (const ArchiveBlock& block : archive.blocks) {
    Json entry = {
        {"kind", block.kind}, {"original_bytes", block.original_bytes}, {"stored_bytes", block.stored_bytes}};
    if (block.tokens != 0) entry["tokens"] = block.tokens;
    if (block.streams != 0) {
      entry["streams"] = block.streams;
      entry["adaptive"] = block.adaptive;
    }
    if (block.strength != 0) entry["strength"] = block.strength;
    if (!block.encoding.empty()) entry["encoding"] = block.encoding;
    blocks.push_back(std::move(entry));
  }
  Json json = {{"format_version", archive.format_version},
               {"contract_version", archive.contract_version},
               {"original_bytes", archive.original_bytes},
               {"archive_bytes", archive.archive_bytes}};
  if (archive.is_short) json["short"] = true;
  if (archive.content_checksum_bits != 0) {
    json[archive.is_short ? "checksum_xxh3_64_low" : "checksum_xxh3_64"] =
        Hex(archive.content_checksum, archive.content_checksum_bits / 4);
  }
  if (!archive.model_fingerprint.empty()) {
    json["model"] = {{"name", ModelNameOf(archive)}, {"fingerprint", archive.model_fingerprint}};
    json["window"] = archive.window;
    json["sinks"] = archive.sinks;
  }
  if (!archive.dictionary.empty()) json["dictionary"] = archive.dictionary;
  if (!archive.file_name.empty()) json["file_name"] = archive.file_name;
  if (archive.mtime_ns) json["mtime_ns"] = *archive.mtime_ns;
  json["blocks"] = std::move(blocks);
  return json;
}

Json ToJson(const Listed& listed) {
  Json archives = Json::array();
  for (const ArchiveInfo& archive : listed.archives) archives.push_back(ToJson(archive));
  return {{"file", listed.file},
          {"original_bytes", listed.original_bytes()},
          {"archive_bytes", listed.archive_bytes()},
          {"archives", std::move(archives)}};
}

Result<Listed> ListOne(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> input, Input::Open(path, {.has_recursive = true}));
  if (input->is_terminal()) return InvalidArgument("standard input is a terminal, which holds no archive");
  Listed listed{.file = input->name(), .archives = {}};
  PITH_ASSIGN_OR_RETURN(listed.archives, ListArchive(*input));
  return listed;
}

}  // namespace

int RunList(const Arguments& arguments, Console& console) {
  Outcome outcome;
  size_t n_failed = 0;
  const std::vector<InputName> inputs =
      ExpandInputs(arguments.operands, arguments.recursive, console, n_failed);
  outcome.Add(n_failed);

  const bool table = !arguments.json && !console.verbose() && inputs.size() > 1;
  Json json = Json::array();
  Listed total;
  size_t n_listed = 0;
  for (const InputName& input : inputs) {
    if (input.from_folder && !HasSuffix(input.path)) continue;
    const Result<Listed> listed = ListOne(input.path);
    if (!listed.ok()) {
      console.Error(
          ErrorLine(listed.status(), input.path == "-" ? std::string(kStandardInput) : input.path, ""));
      outcome.Failed();
      continue;
    }
    std::string text;
    if (arguments.json) {
      json.push_back(ToJson(*listed));
    } else if (table) {
      if (n_listed == 0) {
        text =
            console.Bold(Row("Original", "Archive", "Ratio", "Blocks", "Model", "Checksum", "File")) + "\n";
      }
      text += TableRow(*listed);
    } else {
      text = DetailText(*listed, console);
    }
    if (!PrintOut(console, text)) return kExitFailed;
    ++n_listed;
    total.archives.insert(total.archives.end(), listed->archives.begin(), listed->archives.end());
  }
  std::string end;
  if (arguments.json) {
    end = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  } else if (table && n_listed > 1) {
    total.file = Plural(n_listed, "file");
    end = Row(std::to_string(total.original_bytes()), std::to_string(total.archive_bytes()),
              FormatRatio(total.archive_bytes(), total.original_bytes()), std::to_string(total.blocks()), "",
              "", total.file) +
          "\n";
  }
  if (!PrintOut(console, end)) return kExitFailed;
  return outcome.ExitCode();
}

}  // namespace pith::cli
