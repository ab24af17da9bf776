#include "report/terminal_report.h"

#include <algorithm>
#include <cmath>

#include "report/number_text.h"
#include "report/summary.h"
#include "report/summary_text.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

constexpr size_t kLeastColumns = 40, kMostColumns = 140;
constexpr size_t kMaxNameColumns = 18;
constexpr size_t kLeastBar = 6, kMostBar = 48;
constexpr size_t kMaxFailures = 20;
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kAccent = "\x1b[1;36m";
constexpr const char* kRed = "\x1b[31m";

std::string TrimRight(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1); }

// A column of numbers; those on the right are left out first where the terminal is narrow.
struct Column {
  const char* name;
  size_t width;
};

class Report {
 public:
  Report(const Results& results, size_t columns, bool colour, bool unicode)
      : results_(results),
        summary_(Summarize(results)),
        columns_(std::clamp(columns, kLeastColumns, kMostColumns)),
        colour_(colour),
        unicode_(unicode) {
    for (const CodecEntry& codec : results.codecs) {
      name_columns_ =
          std::max(name_columns_, std::min(kMaxNameColumns, TextColumns(VisibleText(codec.name))));
    }
  }

  std::string Make() {
    Head();
    if (!summary_.total.codecs.empty()) {
      Codecs();
      Types();
      Slices();
    }
    Engines();
    Failures();
    Method();
    return std::move(out_);
  }

 private:
  std::string Coloured(const char* colour, const std::string& text) const {
    return colour_ ? colour + text + "\x1b[0m" : text;
  }

  void Write(const std::string& line, const char* colour = nullptr) {
    out_ += colour == nullptr ? line : Coloured(colour, line);
    out_ += "\n";
  }

  // At spaces; words longer than a line are broken.
  void Wrap(const std::string& text, const char* colour = nullptr) {
    std::string line;
    size_t at = 0;
    while (at < text.size()) {
      const size_t space = std::min(text.find(' ', at), text.size());
      std::string word = text.substr(at, space - at);
      at = space + 1;
      if (word.empty()) continue;
      if (!line.empty() && TextColumns(line) + 1 + TextColumns(word) > columns_) {
        Write(line, colour);
        line.clear();
      }
      for (std::string part = Front(word); part.size() < word.size(); part = Front(word)) {
        Write(part, colour);
        word.erase(0, part.size());
      }
      line += (line.empty() ? "" : " ") + word;
    }
    if (!line.empty()) Write(line, colour);
  }

  // What of `word` fits into a line; at least one character, so that Wrap ends.
  std::string Front(const std::string& word) const {
    if (TextColumns(word) <= columns_) return word;
    std::string cut = CutText(word, columns_, true);
    cut.resize(cut.size() - 3);  // the ellipsis
    return cut;
  }

  void Heading(const std::string& text) {
    out_ += "\n";
    Write(TrimRight(CutText(text, columns_, !unicode_)), kBold);
  }

  std::string Name(size_t codec) const {
    const CodecEntry& entry = results_.codecs[codec];
    const std::string name =
        PadRight(CutText(VisibleText(entry.name), name_columns_, !unicode_), name_columns_);
    return entry.is_pith ? Coloured(kAccent, name) : name;
  }

  // Right-aligned. Numbers beyond all measurement do not fit, and a part of one would be another.
  std::string Fit(const std::string& number, size_t width) const {
    return PadLeft(TextColumns(number) <= width ? number : unicode_ ? "…" : "...", width);
  }

  // In eighths of a column.
  std::string Bar(double value, double most, size_t width) const {
    const double part = most > 0 ? std::clamp(value / most, 0.0, 1.0) : 0;
    if (!unicode_) {
      return PadRight(
          std::string(
              std::max<size_t>(1, static_cast<size_t>(std::lround(part * static_cast<double>(width)))), '#'),
          width);
    }
    static const char* const kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const size_t eighths =
        std::max<size_t>(1, static_cast<size_t>(std::lround(part * static_cast<double>(8 * width))));
    std::string bar;
    for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
    return PadRight(bar + kEighths[eighths % 8], width);
  }

  // Name, share, bar, and as many of the columns as there is room for. `cells(totals)` gives the texts of the
  // columns.
  template <typename Cells>
  void Table(const Group& group, const std::vector<Column>& columns, Cells cells) {
    size_t used = name_columns_ + 2 + 7;
    size_t n = 0;
    for (; n < columns.size() && used + 1 + columns[n].width <= columns_; ++n) used += 1 + columns[n].width;
    size_t bar = columns_ - used >= kLeastBar + 2 ? std::min(kMostBar, columns_ - used - 2) : 0;
    if (n > 0) {
      std::string head = std::string(name_columns_ + 2, ' ') + PadLeft("archive", 7) +
                         std::string(bar > 0 ? bar + 2 : 0, ' ');
      for (size_t i = 0; i < n; ++i) head += " " + PadLeft(columns[i].name, columns[i].width);
      Write(TrimRight(head));
    }
    double most = 0;
    for (const Totals& totals : group.codecs) most = std::max(most, totals.share);
    for (const Totals& totals : group.codecs) {
      std::string line = Name(totals.codec) + "  " + Fit(ShareText(totals.share), 7);
      if (bar > 0) line += "  " + Bar(totals.share, most, bar);
      const std::vector<std::string> texts = cells(totals);
      for (size_t i = 0; i < n; ++i) line += " " + Fit(texts[i], columns[i].width);
      Write(TrimRight(line));
    }
  }

  std::string Speed(const std::optional<double>& speed, const std::vector<size_t>& front,
                    size_t codec) const {
    if (!speed) return "- ";
    return SpeedText(*speed) + (std::find(front.begin(), front.end(), codec) != front.end() ? "*" : " ");
  }

  void Head() {
    const std::string separator = unicode_ ? " · " : ", ";
    std::string title = "pith bench";
    if (!results_.corpus.empty()) title += ": " + CutText(VisibleText(results_.corpus), 80, !unicode_);
    Write(CutText(title, columns_, !unicode_), kBold);
    Wrap(CountText(summary_.n_files, "file") + separator + CountText(results_.codecs.size(), "codec") +
         (results_.created.empty() ? "" : separator + VisibleText(results_.created)));
    out_ += "\n";
    for (const std::string& sentence : SummarySentences(results_, summary_)) Wrap(sentence);
    const std::vector<std::string> notes = SummaryNotes(results_, summary_);
    if (!notes.empty()) out_ += "\n";
    for (const std::string& note : notes) Wrap("! " + note, kRed);
  }

  void Codecs() {
    Heading("Codecs on " + FilesText(summary_));
    const auto memory = [](const Totals& totals) {
      return BytesText(static_cast<double>(totals.PeakBytes()));
    };
    Table(summary_.total, {{"compress ", 11}, {"decompress ", 11}, {"memory", 8}, {"mean", 7}, {"model", 8}},
          [&](const Totals& totals) {
            const uint64_t model = results_.codecs[totals.codec].model_bytes;
            return std::vector<std::string>{
                Speed(totals.compress_speed, summary_.compress_front, totals.codec),
                Speed(totals.decompress_speed, summary_.decompress_front, totals.codec), memory(totals),
                ShareText(totals.mean_share), model > 0 ? BytesText(static_cast<double>(model)) : "none"};
          });
    Wrap(
        "archive: % of the original, by sums; mean: of the files' own. *: on the Pareto front of size and "
        "speed.");
  }

  void Types() {
    if (summary_.types.size() < 2) return;
    for (const auto& [type, group] : summary_.types) {
      Heading(std::string(FileTypeLabel(type)) + ": " + CountText(group.n_files, "file") + ", " +
              BytesText(static_cast<double>(group.bytes)));
      Table(group, {}, [](const Totals&) { return std::vector<std::string>(); });
    }
  }

  void Slices() {
    for (const SliceGroup& slice : summary_.slices) {
      Heading("Pieces of " + SliceText(slice.slice_bytes) + " of " + CountText(slice.group.n_files, "file"));
      Table(slice.group, {{"compress ", 11}, {"decompress ", 11}, {"streams", 7}}, [&](const Totals& totals) {
        return std::vector<std::string>{Speed(totals.compress_speed, {}, totals.codec),
                                        Speed(totals.decompress_speed, {}, totals.codec),
                                        totals.streams > 0 ? std::to_string(totals.streams) : "-"};
      });
    }
  }

  void Engines() {
    for (const EngineResults& engine : results_.engines) {
      Heading("Engine: " + VisibleText(engine.engine));
      Wrap(VisibleText(engine.model));
      double most = 0;
      for (const EngineSpeed& speed : engine.speeds) most = std::max(most, speed.tokens_per_second);
      for (const EngineSpeed& speed : engine.speeds) {
        const auto share = [](const std::optional<double>& value, const char* of) {
          return value ? ", " + ShareText(*value) + of : std::string();
        };
        Wrap("  " + VisibleText(speed.name) + ", " + CountText(speed.threads, "thread") + ", " +
             CountText(speed.streams, "stream") + ": " + ThreeDigits(speed.tokens_per_second) + " tokens/s" +
             share(speed.int8_share, " of the int8 peak") +
             share(speed.bandwidth_share, " of the bandwidth"));
      }
    }
  }

  void Failures() {
    if (summary_.failures.empty()) return;
    Heading("Failures");
    for (size_t i = 0; i < summary_.failures.size() && i < kMaxFailures; ++i) {
      const Failure& failure = summary_.failures[i];
      const std::string codec = failure.codec ? VisibleText(results_.codecs[*failure.codec].name) + ", " : "";
      Wrap(codec + VisibleText(results_.files[failure.file].path) + ": " + VisibleText(failure.error), kRed);
    }
    if (summary_.failures.size() > kMaxFailures) {
      Write("and " + WholeText(summary_.failures.size() - kMaxFailures) + " more: results.json has all",
            kRed);
    }
  }

  void Method() {
    Heading("How it was measured");
    const Machine& machine = results_.machine;
    if (!machine.processor.empty()) {
      Wrap(VisibleText(machine.processor) + ", " + CountText(machine.n_processors, "processor") + "; " +
           VisibleText(machine.system));
    }
    Wrap("Median of " + CountText(results_.repeats, "repeat") + ", " + CountText(results_.threads, "thread") +
         ", wall time of the whole process. Every archive was decompressed and compared byte for byte. 1 MB "
         "is 1,000,000 "
         "bytes.");
  }

  const Results& results_;
  const Summary summary_;
  const size_t columns_;
  const bool colour_, unicode_;
  size_t name_columns_ = 0;
  std::string out_;
};

}  // namespace

std::string TerminalReport(const Results& results, size_t columns, bool colour, bool unicode) {
  return Report(results, columns, colour, unicode).Make();
}

}  // namespace pith::bench
