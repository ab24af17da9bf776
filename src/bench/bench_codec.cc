#include "bench/bench_codec.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "api/levels.h"
#include "formats/json.h"
#include "pith/hub.h"
#include "pith/pith.h"

namespace pith::bench {
namespace {

constexpr std::string_view kInput = "{input}";
constexpr std::string_view kOutput = "{output}";
constexpr std::string_view kModelOption = "model=";

std::optional<int> ParseNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "6" or "-6".
std::optional<int> ParsePithLevel(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::optional<int> level = ParseNumber(text);
  if (!level || *level < 1 || *level > static_cast<int>(kMaxLevel)) return std::nullopt;
  return level;
}

bool IsPithOption(std::string_view text) {
  return text == "plain" || text == "best-of" || text.starts_with(kModelOption) || ParsePithLevel(text);
}

// ---- Libraries ----------------------------------------------------------------------------------------------------

// The commands read and write streams: then no name and no time of a file is stored, and the bytes are the same on
// every machine.
void SetLibraryCommands(const LibraryCodec& codec, CodecEntry& entry) {
  const std::string level = std::to_string(codec.level);
  switch (codec.library) {
    case Library::kZstd: {
      const std::string window = codec.extra ? " --long=" + std::to_string(kZstdLongWindowLog) : "";
      entry.compress_command = std::string("zstd") + (codec.level > 19 ? " --ultra" : "") + " -" + level + window +
                               " --single-thread -q -c {input} > {output}";
      entry.decompress_command = "zstd -d" + window + " -q -c {input} > {output}";
      return;
    }
    case Library::kGzip:
      entry.compress_command = "gzip -" + level + " -n -c {input} > {output}";
      entry.decompress_command = "gzip -d -c < {input} > {output}";
      return;
    case Library::kBzip2:
      entry.compress_command = "bzip2 -" + level + " -c {input} > {output}";
      entry.decompress_command = "bzip2 -d -c < {input} > {output}";
      return;
    case Library::kXz:
      entry.compress_command = "xz -" + level + (codec.extra ? "e" : "") + " -T1 -c {input} > {output}";
      entry.decompress_command = "xz -d -T1 -c < {input} > {output}";
      return;
    case Library::kBrotli:
      entry.compress_command =
          "brotli -q " + level + " -w " + std::to_string(kBrotliWindowLog) + " -c {input} > {output}";
      entry.decompress_command = "brotli -d -c < {input} > {output}";
      return;
  }
}

Result<BenchCodec> ParseLibraryCodec(Library library, std::string_view level_text) {
  const std::string name = LibraryName(library);
  const LevelRange range = LevelsOf(library);
  LibraryCodec codec{.library = library, .level = range.usual};
  std::string_view digits = level_text;
  const std::string_view suffix = library == Library::kZstd ? "long" : library == Library::kXz ? "e" : "";
  if (!suffix.empty() && digits.ends_with(suffix)) {
    codec.extra = true;
    digits.remove_suffix(suffix.size());
  }
  if (!level_text.empty()) {
    const std::optional<int> level = ParseNumber(digits);
    if (!level || *level < range.lowest || *level > range.highest) {
      return InvalidArgument("codec " + name + ":" + std::string(level_text) + ": expected a level from " +
                             std::to_string(range.lowest) + " to " + std::to_string(range.highest) +
                             (suffix.empty() ? "" : ", perhaps with " + std::string(suffix) + " behind it"));
    }
    codec.level = *level;
  }
  BenchCodec result{.how = codec};
  result.entry.name =
      name + " -" + std::to_string(codec.level) + (codec.extra ? library == Library::kXz ? "e" : " long" : "");
  result.entry.version = LibraryVersion(library);
  SetLibraryCommands(codec, result.entry);
  return result;
}

// ---- pith ---------------------------------------------------------------------------------------------------------

Status SetModel(const std::string& what, PithCodec& codec, CodecEntry& entry) {
  PITH_ASSIGN_OR_RETURN(const FoundModel found, FindModel(what));
  if (found.kind == ModelKind::kCheckpoint) {
    return Unsupported(what + ": is a checkpoint, expected a model file; make one of it with pith convert " + what);
  }
  codec.model_path = found.path;
  if (found.kind == ModelKind::kBuiltin) {
    PITH_ASSIGN_OR_RETURN(const ModelInfo info, BuiltinModelInfo(what));
    entry.model = info.name + " " + info.fingerprint;
    entry.model_bytes = info.file_bytes;
    return OkStatus();
  }
  struct stat info;
  if (stat(found.path.c_str(), &info) != 0) return IoError(found.path + ": cannot stat");
  // Some files do not say it, and loading one here would take its time and its memory.
  PITH_ASSIGN_OR_RETURN(const std::string fingerprint, ReadModelFingerprint(found.path));
  entry.model = found.name + (fingerprint.empty() ? "" : " " + fingerprint);
  entry.model_bytes = static_cast<uint64_t>(info.st_size);
  return OkStatus();
}

Result<BenchCodec> ParsePithCodec(std::string_view options, size_t threads) {
  PithCodec codec;
  uint32_t level = 0;
  bool best_of = false;
  std::string model;
  const std::string whole(options);
  while (!options.empty()) {
    const size_t comma = std::min(options.find(','), options.size());
    const std::string_view option = options.substr(0, comma);
    options.remove_prefix(std::min(comma + 1, options.size()));
    if (option == "plain") {
      codec.plain = true;
    } else if (option == "best-of") {
      best_of = true;
    } else if (option.starts_with(kModelOption) && option.size() > kModelOption.size() && model.empty()) {
      model = option.substr(kModelOption.size());
    } else if (const std::optional<int> given = ParsePithLevel(option); given && level == 0) {
      level = static_cast<uint32_t>(*given);
    } else {
      return InvalidArgument("codec pith:" + whole + ": " + std::string(option) +
                             ": expected one level from 1 to 9, plain, best-of or one model=FILE_OR_NAME");
    }
  }
  if (level == 0) level = kDefaultLevel;
  const LevelMeaning meaning = MeaningOf(level);
  codec.contexts = meaning.contexts;
  codec.best_of = best_of || meaning.best_of;
  if (codec.contexts != 0 && (codec.plain || best_of || !model.empty())) {
    return InvalidArgument("codec pith:" + whole + ": level " + std::to_string(level) + " uses no model");
  }

  BenchCodec result;
  CodecEntry& entry = result.entry;
  entry.is_pith = true;
  entry.version = "pith " + VersionString();
  const std::string flags = std::string(codec.plain ? " --plain" : "") + (best_of ? " --best-of" : "");
  entry.name = "pith -" + std::to_string(level) + (codec.plain ? " plain" : "") + (best_of ? " best-of" : "");
  std::string model_option;
  if (codec.contexts == 0) {
    const std::string wanted = !model.empty() ? model : ModelOfLevel(level);
    PITH_RETURN_IF_ERROR(SetModel(wanted, codec, entry));
    if (!model.empty()) {
      entry.name += " " + model.substr(model.rfind('/') + 1);
    }
    if (!IsBuiltinModel(wanted)) model_option = " --model " + ShellQuoted(wanted);
  }
  const std::string thread_option = threads != 0 ? " -T" + std::to_string(threads) : "";
  entry.compress_command =
      "pith -" + std::to_string(level) + flags + model_option + thread_option + " -c < {input} > {output}";
  entry.decompress_command = "pith -d" + model_option + thread_option + " -c < {input} > {output}";
  result.how = std::move(codec);
  return result;
}

}  // namespace

Result<BenchCodec> ParseCodec(std::string_view text, size_t threads) {
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  const std::string_view rest = text.substr(std::min(colon + 1, text.size()));
  if (colon + 1 == text.size()) return InvalidArgument("codec " + std::string(text) + ": nothing follows the colon");
  if (name == "pith") return ParsePithCodec(rest, threads);
  for (size_t i = 0; i < kNLibraries; ++i) {
    if (name == LibraryName(static_cast<Library>(i))) return ParseLibraryCodec(static_cast<Library>(i), rest);
  }
  return InvalidArgument(
      "codec " + std::string(text) +
      ": expected pith, zstd, gzip, bzip2, xz or brotli, perhaps with :LEVEL; other programs join by "
      "--codec 'NAME=COMPRESS|DECOMPRESS'");
}

Result<BenchCodec> ParseCommandCodec(std::string_view text) {
  const size_t equals = text.find('=');
  // The first bar: a compress command with a pipe of its own can be a script.
  const size_t bar = text.find('|', std::min(equals, text.size()));
  const auto trimmed = [](std::string_view part) {
    const size_t begin = std::min(part.find_first_not_of(' '), part.size());
    return std::string(part.substr(begin, part.find_last_not_of(' ') + 1 - begin));
  };
  if (text.size() > kMaxCodecText || equals == std::string_view::npos || bar == std::string_view::npos) {
    return InvalidArgument("--codec: expected NAME=COMPRESS COMMAND|DECOMPRESS COMMAND");
  }
  const std::string name = trimmed(text.substr(0, equals));
  CommandCodec codec{trimmed(text.substr(equals + 1, bar - equals - 1)), trimmed(text.substr(bar + 1))};
  if (name.empty() || codec.compress.empty() || codec.decompress.empty()) {
    return InvalidArgument("--codec: a part of NAME=COMPRESS COMMAND|DECOMPRESS COMMAND is empty");
  }
  if (name.size() > kMaxCodecName || !IsPrintableUtf8(name)) {
    return InvalidArgument("--codec: the name: expected at most " + std::to_string(kMaxCodecName) +
                           " bytes of printable UTF-8");
  }
  BenchCodec result;
  result.entry.name = name;
  const auto by_hand = [](const std::string& line) {
    return line + (line.find(kInput) == std::string::npos ? " < {input}" : "") +
           (line.find(kOutput) == std::string::npos ? " > {output}" : "");
  };
  result.entry.compress_command = by_hand(codec.compress);
  result.entry.decompress_command = by_hand(codec.decompress);
  result.how = std::move(codec);
  return result;
}

std::vector<std::string> SplitCodecs(std::string_view list) {
  std::vector<std::string> codecs;
  for (;;) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string item(list.substr(0, comma));
    if (!codecs.empty() && codecs.back().starts_with("pith:") && IsPithOption(item)) {
      codecs.back() += "," + item;
    } else {
      codecs.push_back(item);
    }
    if (comma == list.size()) return codecs;
    list.remove_prefix(comma + 1);
  }
}

std::vector<std::string> DefaultCodecs() {
  std::vector<std::string> codecs;
  const bool has_model = BuiltinModelInfo().ok();
  std::set<std::tuple<uint32_t, bool, std::string>> seen;  // of levels that are the same, the first is named
  for (uint32_t level = 1; level <= kMaxLevel; ++level) {
    const LevelMeaning meaning = MeaningOf(level);
    if (meaning.contexts == 0 && !has_model) continue;
    const std::string model = meaning.contexts == 0 ? ModelOfLevel(level) : "";
    if (seen.emplace(meaning.contexts, meaning.best_of, model).second) codecs.push_back("pith:" + std::to_string(level));
  }
  for (const char* other : {"zstd:3", "zstd:19", "zstd:22long", "gzip:9", "bzip2:9", "xz:9e", "brotli:11"}) {
    codecs.emplace_back(other);
  }
  return codecs;
}

Status CheckCodecs(const std::vector<BenchCodec>& codecs) {
  if (codecs.empty()) return InvalidArgument("no codec to measure");
  if (codecs.size() > kMaxCodecs) {
    return InvalidArgument(std::to_string(codecs.size()) + " codecs, expected at most " + std::to_string(kMaxCodecs));
  }
  std::set<std::string_view> names;
  for (const BenchCodec& codec : codecs) {
    if (!names.insert(codec.entry.name).second) return InvalidArgument("codec " + codec.entry.name + " is named twice");
  }
  return OkStatus();
}

std::string ShellQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string FilledIn(std::string_view line, const std::string& input, const std::string& output) {
  std::string out;
  while (!line.empty()) {
    if (line.starts_with(kInput)) {
      out += ShellQuoted(input);
      line.remove_prefix(kInput.size());
    } else if (line.starts_with(kOutput)) {
      out += ShellQuoted(output);
      line.remove_prefix(kOutput.size());
    } else {
      out += line.front();
      line.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace pith::bench
