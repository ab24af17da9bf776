#include "report/page.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

#include "report/number_text.h"
#include "report/page_charts.h"
#include "report/page_data.h"
#include "report/page_html.h"
#include "report/page_parts.h"
#include "report/page_tables.h"
#include "report/summary.h"
#include "report/summary_text.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

constexpr size_t kMaxFailuresListed = 50;

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
        "'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src " +
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
    if (!corpus.empty()) out_ += "<bdi>" + corpus + "</bdi> · ";
    out_ += CountText(summary_.n_files, "file") + " · " + CountText(results_.codecs.size(), "codec");
    if (!results_.created.empty()) out_ += " · " + DateText(results_.created);
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
    const auto tile = [&](const std::string& title, auto value) {
      out_ += "<div><dt>" + title + "</dt><dd>" + value(ours) + "</dd>";
      if (theirs != nullptr) {
        out_ += "<dd class=\"other\">" + CodecName(results_, theirs->codec) + ": " + value(*theirs) + "</dd>";
      }
      out_ += "</div>\n";
    };
    tile(name + ", archive", [](const Totals& totals) { return ShareText(totals.share); });
    tile("compresses", [](const Totals& totals) { return SpeedOrNone(totals.compress_speed); });
    tile("decompresses", [](const Totals& totals) { return SpeedOrNone(totals.decompress_speed); });
    tile("peak memory", [](const Totals& totals) { return MemoryOrNone(totals.PeakBytes()); });
    if (theirs != nullptr && results_.codecs[ours.codec].model_bytes > 0) {
      const std::string pays = BreakEvenText(summary_, ours.codec, theirs->codec);
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

  void Codecs() {
    OpenSection("codecs", "Codecs",
                "All files together, smallest archives first. “Archive” is by sums, so large files weigh "
                "more; in the mean of files each file weighs the same.");
    out_ += CodecTable(results_, summary_, who_);
    if (!summary_.break_even.empty()) {
      out_ +=
          "<p class=\"small\">“Pays against”: from how much data of this kind on archives and model together "
          "are smaller than the other’s.</p>\n<details><summary>When each model pays, against each "
          "codec</summary>\n" +
          BreakEvenTable(results_, summary_) + "</details>\n";
    }
    out_ += "</section>\n";
  }

  void Types() {
    OpenSection("types", "Archive size by type of file",
                "Archives in % of the original; shorter is better, and each panel has its own scale. The bar "
                "is by sums, the diamond the mean of files (an arrow: it lies beyond the edge).");
    out_ += "<div class=\"panels\">\n" + TypePanels(results_, summary_) + "</div>\n";
    out_ += "<details><summary>The same as a table</summary>\n" + TypeTable(results_, summary_) +
            "</details>\n</section>\n";
  }

  void Speeds() {
    OpenSection("speed", "Speed against size",
                "Both axes are logarithmic; up and to the right is better. Filled marks are on the Pareto "
                "front: no other codec here is both smaller and faster. Diamonds are pith.");
    out_ += "<div class=\"pair\">\n" + SpeedFigures(results_, summary_) + "</div>\n";
    out_ +=
        "<details><summary>The same as a table, with speeds inside the process and processor "
        "time</summary>\n" +
        SpeedTable(results_, summary_) + "</details>\n</section>\n";
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
                "Pieces out of the middle of " + CountText(summary_.slices[0].group.n_files, "file") +
                    ", each compressed by itself; by sums. Axes are logarithmic.");
    out_ += "<div class=\"panels\">\n" + SizeFigures(results_, summary_) + "</div>\n";
    out_ += "<details><summary>The same as a table, with pith’s streams</summary>\n" +
            SizeTable(results_, summary_) + "</details>\n</section>\n";
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
      out_ += ".</p>\n" + EngineTable(engine);
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
              (file.slice_bytes ? ", a piece of " + SliceText(*file.slice_bytes) : "") + ": " +
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
        "<caption>Every file with every codec; ± is half the range of the repeats in % of the "
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
          "(±) is half the difference of slowest and fastest repeat, in % of the median.");
    entry("Round trip",
          "Every archive was decompressed and compared with its source, byte for byte. A difference is a "
          "failure.");
    entry("Shares",
          "Archive bytes over original bytes. By sums: all archives over all originals. Mean of files: the "
          "mean of the files’ own shares, empty files not counted.");
    entry("Totals", "Only over files that every compared codec completed: " +
                        CountText(summary_.total.n_files, "file") + " of " + WholeText(summary_.n_files) +
                        ". Speeds are bytes of all files over the sum of their median seconds.");
    entry("Break-even",
          "Bytes of model over the difference of the shares: how much data of the same kind it takes until "
          "model and archives together are smaller.");
    entry("Energy", machine.energy ? "Joules of the whole processor package, other programs’ included." : "");
    entry("Units", "1 KB is 1000 bytes, 1 MB is 1,000,000; slices are in KiB of 1024 bytes.");
    out_ += "</dl>\n" + CommandTable(results_) + "</section>\n";
  }

  const Results& results_;
  const Summary summary_;
  const Protagonists who_;
  std::string out_;
};

}  // namespace

std::string HtmlPage(const Results& results) { return Page(results).Make(); }

}  // namespace pith::bench
