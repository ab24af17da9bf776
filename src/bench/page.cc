#include "bench/page.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/number_text.h"
#include "bench/page_charts.h"
#include "bench/page_data.h"
#include "bench/page_parts.h"
#include "bench/summary.h"
#include "bench/summary_text.h"
#include "bench/visible_text.h"

namespace pith::bench {
namespace {

constexpr size_t kMaxFailuresListed = 50;
constexpr size_t kMaxLineColumns = 2000;  // of a command and the like
constexpr const char* kNone = "\xe2\x80\x93";

// Text of others, for a place in the page.
std::string Safe(const std::string& text, size_t columns = kMaxLineColumns) {
  return EscapeHtml(CutText(VisibleText(text), columns));
}

std::string CodecName(const Results& results, size_t codec) {
  return Safe(results.codecs[codec].name, kMaxCodecNameColumns);
}

// A name or number with its unit stays on one line: "zstd -19", "3.40 MB".
std::string Unbroken(std::string text) {
  for (const char* second : {" %", " bytes", " KB", " MB", " GB", " TB", " -"}) {
    for (size_t at = text.find(second); at != std::string::npos; at = text.find(second, at + 1)) {
      text.replace(at, 1, "\xc2\xa0");
    }
  }
  return text;
}

// "2026-11-26T05:30:00Z" as people write it; what has another form stays as it is.
std::string DateText(const std::string& created) {
  const bool known = created.size() == 20 && created[10] == 'T' && created[19] == 'Z';
  return Safe(known ? created.substr(0, 10) + " " + created.substr(11, 5) + " UTC" : created, 40);
}

// For the page's own policy: only this script runs, whatever else the page may hold.
std::string ScriptHash() {
  const std::string_view script = PageScript();
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(script.data()), script.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> base64;
  const int n = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return "'sha256-" + std::string(base64.begin(), base64.begin() + n) + "'";
}

std::string Cell(const std::string& html, bool strong = false) {
  return "<td class=\"n\">" + (strong ? "<b>" + html + "</b>" : html) + "</td>";
}

std::string SpeedOrNone(const std::optional<double>& speed) { return speed ? SpeedText(*speed) : kNone; }

std::string MemoryOrNone(uint64_t bytes) { return bytes > 0 ? BytesText(static_cast<double>(bytes)) : kNone; }

std::string TokensText(double per_second) {
  return per_second < 1000 ? ThreeDigits(per_second)
                           : WholeText(static_cast<uint64_t>(std::llround(std::min(per_second, 1e15))));
}

std::string BreakEvenCell(const Summary& summary, size_t codec, size_t other) {
  for (const BreakEven& entry : summary.break_even) {
    if (entry.codec != codec || entry.other != other) continue;
    if (!entry.bytes) return "never";
    return *entry.bytes == 0 ? "first byte" : BytesText(static_cast<double>(*entry.bytes));
  }
  return kNone;
}

// Tables scroll in their own container, which the keyboard must reach to scroll it.
std::string OpenTable(const std::string& caption) {
  return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + caption +
         "\"><table>\n<caption>" + caption + "</caption>\n";
}
constexpr const char* kCloseTable = "</tbody></table></div>\n";

std::string Heads(const std::vector<std::string>& names) {
  std::string out = "<thead><tr>";
  for (size_t i = 0; i < names.size(); ++i) {
    out += std::string("<th scope=\"col\"") + (i > 0 ? " class=\"n\"" : "") + ">" + names[i] + "</th>";
  }
  return out + "</tr></thead>\n<tbody>\n";
}

class Page {
 public:
  explicit Page(const Results& results)
      : results_(results), summary_(Summarize(results)), who_(ChooseProtagonists(results, summary_)) {}

  std::string Make() {
    Head();
    Overview();
    if (!summary_.total.codecs.empty()) {
      Codecs();
      Types();
      Speeds();
      Memory();
      Sizes();
    }
    Engines();
    Files();
    Method();
    out_ += "</main>\n<footer><p>Made by " + Safe(results_.program.empty() ? "pith" : results_.program) +
            ". This page is one file and loads nothing from anywhere.</p></footer>\n"
            "<div id=\"tip\" aria-hidden=\"true\" hidden></div>\n<script>";
    out_ += PageScript();
    out_ += "</script>\n</body>\n</html>\n";
    return std::move(out_);
  }

 private:
  void Head() {
    const std::string corpus = Safe(results_.corpus, 200);
    out_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; script-src " +
        ScriptHash() +
        "\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n"
        "<title>" +
        (corpus.empty() ? "Compression" : corpus) + ": pith bench</title>\n<style>\n";
    out_ += PageStyle();
    out_ +=
        "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#summary\">Skip to the summary</a>\n"
        // Patterns that all charts share; out of sight, but drawn, or they would not be found.
        "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
        "<pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\">"
        "<rect class=\"stripe\" width=\"2.2\" height=\"5\"/></pattern>"
        "<pattern id=\"hatch-accent\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect class=\"stripe accent\" width=\"2.2\" "
        "height=\"5\"/></pattern></defs></svg>\n"
        "<header>\n<div class=\"top\"><p class=\"brand\">pith bench</p>"
        "<button type=\"button\" id=\"theme\" hidden>Dark theme</button></div>\n"
        "<h1>How small, how fast, at what cost</h1>\n<p class=\"facts\">";
    if (!corpus.empty()) out_ += "<bdi>" + corpus + "</bdi> \xc2\xb7 ";
    out_ += CountText(summary_.n_files, "file") + " \xc2\xb7 " + CountText(results_.codecs.size(), "codec");
    if (!results_.created.empty()) out_ += " \xc2\xb7 " + DateText(results_.created);
    out_ += "</p>\n<nav aria-label=\"Sections\"><ul>";
    const auto link = [&](const char* id, const char* name) {
      out_ += std::string("<li><a href=\"#") + id + "\">" + name + "</a></li>";
    };
    if (!summary_.total.codecs.empty()) {
      link("codecs", "Codecs");
      link("types", "Types");
      link("speed", "Speed");
      link("memory", "Memory");
    }
    if (!summary_.slices.empty()) link("sizes", "Size of files");
    if (!results_.engines.empty()) link("engine", "Engine");
    link("files", "Files");
    link("method", "Method");
    out_ += "</ul></nav>\n</header>\n<main>\n";
  }

  void Overview() {
    out_ +=
        "<section id=\"summary\" aria-labelledby=\"summary-title\">\n<h2 id=\"summary-title\" "
        "class=\"quiet\">Summary</h2>\n"
        "<div class=\"lead\">\n";
    for (const std::string& sentence : SummarySentences(results_, summary_))
      out_ += "<p>" + Unbroken(EscapeHtml(sentence)) + "</p>\n";
    out_ += "</div>\n";
    if (who_.subject != nullptr) Tiles();
    const std::vector<std::string> notes = SummaryNotes(results_, summary_);
    if (!notes.empty()) {
      out_ += "<div class=\"notes\" role=\"note\"><ul>\n";
      for (const std::string& note : notes) out_ += "<li>" + EscapeHtml(note) + "</li>\n";
      out_ += "</ul></div>\n";
    }
    out_ += "</section>\n";
  }

  void Tiles() {
    const Totals& ours = *who_.subject;
    const Totals* theirs = who_.references.empty() ? nullptr : who_.references[0];
    const std::string name = CodecName(results_, ours.codec);
    out_ += "<dl class=\"tiles\">\n";
    const auto tile = [&](const std::string& title, const std::string& value, const std::string& other) {
      out_ += "<div><dt>" + title + "</dt><dd>" + value + "</dd>";
      if (!other.empty())
        out_ += "<dd class=\"other\">" + CodecName(results_, theirs->codec) + ": " + other + "</dd>";
      out_ += "</div>\n";
    };
    const auto of = [&](const auto& text, const auto& member) {
      return theirs == nullptr ? std::string() : std::string(text((*theirs).*member));
    };
    tile(name + ", archive", ShareText(ours.share), of(ShareText, &Totals::share));
    tile("compresses", SpeedOrNone(ours.compress_speed), of(SpeedOrNone, &Totals::compress_speed));
    tile("decompresses", SpeedOrNone(ours.decompress_speed), of(SpeedOrNone, &Totals::decompress_speed));
    tile("peak memory", MemoryOrNone(ours.compress_peak_bytes),
         of(MemoryOrNone, &Totals::compress_peak_bytes));
    if (theirs != nullptr && results_.codecs[ours.codec].model_bytes > 0) {
      const std::string pays = BreakEvenCell(summary_, ours.codec, theirs->codec);
      out_ += "<div><dt>pays, model counted</dt><dd>" +
              std::string(pays == "never" ? "never" : "from " + pays) + "</dd><dd class=\"other\">against " +
              CodecName(results_, theirs->codec) + "</dd></div>\n";
    }
    out_ += "</dl>\n";
  }

  void OpenSection(const char* id, const char* title, const std::string& text) {
    out_ += std::string("<section id=\"") + id + "\" aria-labelledby=\"" + id + "-title\">\n<h2 id=\"" + id +
            "-title\">" + title + "</h2>\n";
    if (!text.empty()) out_ += "<p>" + text + "</p>\n";
  }

  // The head of a row: pith's own codecs stand out.
  std::string RowHead(size_t codec) {
    const std::string name = CodecName(results_, codec);
    return "<tr><th scope=\"row\">" +
           (results_.codecs[codec].is_pith ? "<span class=\"ours\">" + name + "</span>" : name) + "</th>";
  }

  void Codecs() {
    OpenSection("codecs", "Codecs",
                "All files together, smallest archives first. \xe2\x80\x9c"
                "Archive\xe2\x80\x9d is by sums, so large files weigh "
                "more; in the mean of files each file weighs the same.");
    std::vector<std::string> heads = {"Codec",    "Archive",    "Mean of files",      "Bits per byte",
                                      "Compress", "Decompress", "Memory to compress", "Memory to decompress",
                                      "Model"};
    const bool any_model = !summary_.break_even.empty();
    if (any_model) {
      for (const Totals* reference : who_.references)
        heads.push_back("Pays against " + Unbroken(CodecName(results_, reference->codec)));
    }
    out_ += OpenTable("Codecs on " + FilesText(summary_)) + Heads(heads);
    for (const Totals& totals : summary_.total.codecs) {
      const CodecEntry& codec = results_.codecs[totals.codec];
      out_ += RowHead(totals.codec) + Cell(ShareText(totals.share), codec.is_pith) +
              Cell(ShareText(totals.mean_share)) + Cell(FixedText(8 * totals.share, 3)) +
              Cell(SpeedOrNone(totals.compress_speed)) + Cell(SpeedOrNone(totals.decompress_speed)) +
              Cell(MemoryOrNone(totals.compress_peak_bytes)) +
              Cell(MemoryOrNone(totals.decompress_peak_bytes)) +
              Cell(codec.model_bytes > 0 ? BytesText(static_cast<double>(codec.model_bytes)) : "none");
      if (any_model) {
        for (const Totals* reference : who_.references) {
          out_ += Cell(BreakEvenCell(summary_, totals.codec, reference->codec));
        }
      }
      out_ += "</tr>\n";
    }
    out_ += kCloseTable;
    if (any_model) {
      out_ +=
          "<p class=\"small\">\xe2\x80\x9cPays against\xe2\x80\x9d: from how much data of this kind on "
          "archives and model "
          "together are smaller than the other\xe2\x80\x99s.</p>\n";
      BreakEvens();
    }
    out_ += "</section>\n";
  }

  // Every codec with a model against every other.
  void BreakEvens() {
    std::vector<std::string> heads = {"Against"};
    std::vector<size_t> models;
    for (const Totals& totals : summary_.total.codecs) {
      if (results_.codecs[totals.codec].model_bytes == 0) continue;
      models.push_back(totals.codec);
      heads.push_back(CodecName(results_, totals.codec));
    }
    out_ += "<details><summary>When each model pays, against each codec</summary>\n" +
            OpenTable("Pays from this much data on") + Heads(heads);
    for (const Totals& other : summary_.total.codecs) {
      out_ += RowHead(other.codec);
      for (const size_t model : models) out_ += Cell(BreakEvenCell(summary_, model, other.codec));
      out_ += "</tr>\n";
    }
    out_ += std::string(kCloseTable) + "</details>\n";
  }

  void Types() {
    OpenSection("types", "Archive size by type of file",
                "Archives in % of the original; shorter is better, and each panel has its own scale. The bar "
                "is by sums, the "
                "diamond the mean of files.");
    out_ += "<div class=\"panels\">\n" + TypePanels(results_, summary_) + "</div>\n";
    std::vector<std::string> heads = {"Codec"};
    for (const Group& group : summary_.types) {
      heads.push_back(FileTypeLabel(*group.type));
      heads.push_back("mean of files");
    }
    out_ += "<details><summary>The same as a table</summary>\n" +
            OpenTable("Archives in % of the original, by type of file") + Heads(heads);
    for (const Totals& totals : summary_.total.codecs) {
      out_ += RowHead(totals.codec);
      for (const Group& group : summary_.types) {
        const Totals& of_type = *group.Find(totals.codec);
        out_ += Cell(ShareText(of_type.share)) + Cell(ShareText(of_type.mean_share));
      }
      out_ += "</tr>\n";
    }
    out_ += std::string(kCloseTable) + "</details>\n</section>\n";
  }

  void Speeds() {
    OpenSection("speed", "Speed against size",
                "Both axes are logarithmic; up and to the right is better. Filled marks are on the Pareto "
                "front: no other codec "
                "here is both smaller and faster. Diamonds are pith.");
    out_ += "<div class=\"pair\">\n" + SpeedFigures(results_, summary_) + "</div>\n";
    out_ +=
        "<details><summary>The same as a table, with speeds inside the process</summary>\n" +
        OpenTable(
            "Speeds of the whole process, start included, and inside it from opening to closing the file") +
        Heads({"Codec", "Compress", "inside", "Decompress", "inside", "On the front"});
    const auto on = [](const std::vector<size_t>& front, size_t codec) {
      return std::find(front.begin(), front.end(), codec) != front.end();
    };
    for (const Totals& totals : summary_.total.codecs) {
      const bool compress = on(summary_.compress_front, totals.codec),
                 decompress = on(summary_.decompress_front, totals.codec);
      out_ += RowHead(totals.codec) + Cell(SpeedOrNone(totals.compress_speed)) +
              Cell(SpeedOrNone(totals.compress_work_speed)) + Cell(SpeedOrNone(totals.decompress_speed)) +
              Cell(SpeedOrNone(totals.decompress_work_speed)) +
              Cell(compress && decompress ? "both"
                   : compress             ? "compress"
                   : decompress           ? "decompress"
                                          : kNone) +
              "</tr>\n";
    }
    out_ += std::string(kCloseTable) + "</details>\n</section>\n";
  }

  void Memory() {
    OpenSection("memory", "Peak memory",
                "Resident memory of the process, the largest of any file. Solid: to compress; hatched: to "
                "decompress.");
    out_ += MemoryFigure(results_, summary_) + "</section>\n";
  }

  void Sizes() {
    if (summary_.slices.empty()) return;
    OpenSection("sizes", "How much the size of a file matters",
                "The first bytes of " + CountText(summary_.slices[0].group.n_files, "file") +
                    ", each size compressed by itself; by sums. Axes are logarithmic.");
    out_ += "<div class=\"panels\">\n" + SizeFigures(results_, summary_) + "</div>\n";
    out_ += "<details><summary>The same as a table, with pith\xe2\x80\x99s streams</summary>\n" +
            OpenTable("Archives, speeds and streams by size of the input") +
            Heads({"Codec", "Size", "Archive", "Compress", "Decompress", "Streams"});
    for (const Totals& totals : summary_.total.codecs) {
      for (const SliceGroup& slice : summary_.slices) {
        const Totals& of_size = *slice.group.Find(totals.codec);
        out_ += RowHead(totals.codec) + Cell(SliceText(slice.slice_bytes)) + Cell(ShareText(of_size.share)) +
                Cell(SpeedOrNone(of_size.compress_speed)) + Cell(SpeedOrNone(of_size.decompress_speed)) +
                Cell(of_size.streams > 0 ? std::to_string(of_size.streams) : kNone) + "</tr>\n";
      }
    }
    out_ += std::string(kCloseTable) + "</details>\n</section>\n";
  }

  void Engines() {
    if (results_.engines.empty()) return;
    OpenSection("engine", "Engine",
                "How fast the model itself runs, beside what the machine can do at most.");
    for (const EngineResults& engine : results_.engines) {
      const std::string name = Safe(engine.engine, 200);
      out_ += "<h3>" + name + "</h3>\n<p class=\"small\">" + Safe(engine.model, 300);
      if (engine.weight_bytes > 0) out_ += ", weights " + BytesText(static_cast<double>(engine.weight_bytes));
      if (engine.int8_operations_per_second) {
        out_ += "; the machine does at most " + ThreeDigits(*engine.int8_operations_per_second / 1e12) +
                " trillion int8 operations a second";
      }
      if (engine.read_bytes_per_second) {
        out_ += "; it reads at most " + SpeedText(*engine.read_bytes_per_second) + " from memory";
      }
      out_ += ".</p>\n" + OpenTable("Speeds of " + name) +
              Heads({"What", "Threads", "Streams", "Tokens/s", "Of int8 peak", "Of bandwidth"});
      for (const EngineSpeed& speed : engine.speeds) {
        const auto share = [](const std::optional<double>& value) {
          return value ? ShareText(*value) : kNone;
        };
        out_ += "<tr><th scope=\"row\">" + Safe(speed.name, 200) + "</th>" +
                Cell(std::to_string(speed.threads)) + Cell(std::to_string(speed.streams)) +
                Cell(TokensText(speed.tokens_per_second)) + Cell(share(speed.int8_share)) +
                Cell(share(speed.bandwidth_share)) + "</tr>\n";
      }
      out_ += kCloseTable;
    }
    out_ += "</section>\n";
  }

  void Failures() {
    if (summary_.failures.empty()) return;
    out_ += "<h3>Failures</h3>\n<ul class=\"failures\">\n";
    for (size_t i = 0; i < summary_.failures.size() && i < kMaxFailuresListed; ++i) {
      const Failure& failure = summary_.failures[i];
      const FileEntry& file = results_.files[failure.file];
      out_ += "<li><b>" + (failure.codec ? CodecName(results_, *failure.codec) : "not measured") +
              "</b>, <bdi>" + EscapeHtml(CutMiddle(VisibleText(file.path), kMaxPathColumns)) + "</bdi>" +
              (file.slice_bytes ? ", first " + SliceText(*file.slice_bytes) : "") + ": " +
              Safe(failure.error, kMaxMessageColumns) + "</li>\n";
    }
    out_ += "</ul>\n";
    if (summary_.failures.size() > kMaxFailuresListed) {
      out_ += "<p class=\"small\">And " + WholeText(summary_.failures.size() - kMaxFailuresListed) +
              " more, in the table below and in results.json.</p>\n";
    }
  }

  void Files() {
    const PageData data = MakePageData(results_);
    OpenSection("files", "Every file", "");
    Failures();
    if (data.n_left_out > 0) {
      out_ += "<p>The table has room for " + WholeText(data.n_rows) + " rows, failures first; " +
              WholeText(data.n_left_out) + " more are in results.json.</p>\n";
    }
    out_ +=
        "<noscript><p>This table of " + WholeText(data.n_rows) +
        " rows needs JavaScript, which is off. The same numbers are in results.json.</p></noscript>\n"
        "<div id=\"browser\" hidden>\n<form id=\"filters\" role=\"search\" aria-label=\"Filter the table\">\n"
        "<label>Text <input type=\"search\" id=\"filter-text\" placeholder=\"part of a name or message\" "
        "autocomplete=\"off\"></label>\n"
        "<label>Type <select id=\"filter-type\"><option value=\"\">all</option></select></label>\n"
        "<label>Codec <select id=\"filter-codec\"><option value=\"\">all</option></select></label>\n"
        "<label class=\"check\"><input type=\"checkbox\" id=\"filter-failed\"> only "
        "failures</label>\n</form>\n"
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Every file and codec\"><table "
        "id=\"table\">\n"
        "<caption>Every file with every codec; \xc2\xb1 is half the range of the repeats in % of the "
        "median</caption>\n"
        "<thead><tr>";
    struct Column {
      const char* key;
      const char* name;
    };
    for (const Column& column : {Column{"path", "File"},
                                 {"type", "Type"},
                                 {"bytes", "Bytes"},
                                 {"codec", "Codec"},
                                 {"size", "Archive"},
                                 {"share", "% of it"},
                                 {"compress", "Compress"},
                                 {"decompress", "Decompress"},
                                 {"memory", "Memory"}}) {
      const bool text = std::string_view("path type codec").find(column.key) != std::string_view::npos;
      out_ += std::string("<th scope=\"col\" aria-sort=\"none\"") + (text ? "" : " class=\"n\"") +
              "><button type=\"button\" data-key=\"" + column.key + "\">" + column.name + "</button></th>";
    }
    out_ +=
        "</tr></thead>\n<tbody id=\"rows\"></tbody></table></div>\n"
        "<div class=\"pager\"><output id=\"count\" role=\"status\"></output> "
        "<button type=\"button\" id=\"previous\">Previous</button> <button type=\"button\" "
        "id=\"next\">Next</button></div>\n"
        "</div>\n<script type=\"application/json\" id=\"data\">" +
        data.json + "</script>\n</section>\n";
  }

  void Method() {
    OpenSection("method", "How it was measured", "");
    out_ += "<dl class=\"method\">\n";
    const auto entry = [&](const char* name, const std::string& html) {
      if (!html.empty()) out_ += std::string("<dt>") + name + "</dt><dd>" + html + "</dd>\n";
    };
    const Machine& machine = results_.machine;
    std::string processor = Safe(machine.processor);
    if (machine.n_processors > 0)
      processor += ", " + CountText(machine.n_processors, "processor") + " for this run";
    if (machine.memory_bytes > 0)
      processor += ", " + BytesText(static_cast<double>(machine.memory_bytes)) + " of memory";
    entry("Machine", processor);
    entry("System", Safe(machine.system));
    entry("Instruction set", machine.instruction_set.empty()
                                 ? ""
                                 : "pith uses its kernels for " + Safe(machine.instruction_set));
    entry("Date", DateText(results_.created));
    entry("Program", Safe(results_.program));
    entry("Command", results_.command.empty() ? "" : "<code>" + Safe(results_.command) + "</code>");
    entry("Runs",
          CountText(results_.repeats, "repeat") + " after " + CountText(results_.warmups, "warm-up run") +
              ", " + CountText(results_.threads, "thread") +
              ", every codec and file in a process of its own" +
              (results_.timeout_seconds > 0 ? ", at most " + ThreeDigits(results_.timeout_seconds) + " s each"
                                            : "") +
              ".");
    entry("Times",
          "Wall time of the whole process, start and end included; the median of the repeats. The spread "
          "(\xc2\xb1) is "
          "half the difference of slowest and fastest repeat, in % of the median.");
    entry("Round trip",
          "Every archive was decompressed and compared with its source, byte for byte. A difference is a "
          "failure.");
    entry("Shares",
          "Archive bytes over original bytes. By sums: all archives over all originals. Mean of files: the "
          "mean of "
          "the files\xe2\x80\x99 own shares, empty files not counted.");
    entry("Totals", "Only over files that every compared codec completed: " +
                        CountText(summary_.total.n_files, "file") + " of " + WholeText(summary_.n_files) +
                        ". Speeds are bytes of all files over the sum of their median seconds.");
    entry("Break-even",
          "Bytes of model over the difference of the shares: how much data of the same kind it takes until "
          "model "
          "and archives together are smaller.");
    entry("Energy", machine.energy ? "Read from the processor package; in results.json." : "");
    entry("Units", "1 KB is 1000 bytes, 1 MB is 1,000,000; slices are in KiB of 1024 bytes.");
    out_ +=
        "</dl>\n" + OpenTable("Codecs, versions, and lines that repeat them") +
        "<thead><tr><th scope=\"col\">Codec</th><th scope=\"col\">Version</th><th scope=\"col\">Model</th>"
        "<th scope=\"col\">To compress</th><th scope=\"col\">To decompress</th></tr></thead>\n<tbody>\n";
    for (size_t i = 0; i < results_.codecs.size(); ++i) {
      const CodecEntry& codec = results_.codecs[i];
      out_ += RowHead(i) + "<td>" + Safe(codec.version) + "</td><td>" + Safe(codec.model) +
              "</td><td><code>" + Safe(codec.compress_command) + "</code></td><td><code>" +
              Safe(codec.decompress_command) + "</code></td></tr>\n";
    }
    out_ += std::string(kCloseTable) + "</section>\n";
  }

  const Results& results_;
  const Summary summary_;
  const Protagonists who_;
  std::string out_;
};

}  // namespace

std::string HtmlPage(const Results& results) { return Page(results).Make(); }

}  // namespace pith::bench
