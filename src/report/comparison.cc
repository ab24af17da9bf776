#include "report/comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "formats/json.h"

namespace pith::bench {
namespace {

constexpr size_t kMaxListed = 40;  // lines of one list in the text

// Paths and names come from a file: nothing in them may command a terminal.
std::string Shown(const std::string& text) { return IsPrintableUtf8(text) ? text : Quoted(text); }

std::string Plural(size_t n, const std::string& noun) { return std::to_string(n) + " " + noun + (n == 1 ? "" : "s"); }

std::string FileName(const FileEntry& file) {
  if (!file.slice_bytes) return Shown(file.path);
  const std::string bytes = std::to_string(*file.slice_bytes) + " bytes";
  return Shown(file.path) + (file.slice_begin == 0
                                 ? ", first " + bytes
                                 : ", " + bytes + " from " + std::to_string(file.slice_begin) + " on");
}

// ---- Pairs ----------------------------------------------------------------------------------------------------------

// Path, begin and size of the slice, and which of those with these: nothing forbids to measure a file twice.
using FileKey = std::tuple<std::string, uint64_t, uint64_t, size_t>;

std::vector<FileKey> KeysOf(const std::vector<FileEntry>& files) {
  std::map<std::tuple<std::string, uint64_t, uint64_t>, size_t> seen;
  std::vector<FileKey> keys;
  for (const FileEntry& file : files) {
    const uint64_t begin = file.slice_bytes ? file.slice_begin : 0;
    const uint64_t bytes = file.slice_bytes.value_or(UINT64_MAX);
    const size_t n = seen[{file.path, begin, bytes}]++;
    keys.emplace_back(file.path, begin, bytes, n);
  }
  return keys;
}

bool IsOtherContent(const FileEntry& a, const FileEntry& b) {
  if (!a.sha256.empty() && !b.sha256.empty()) return a.sha256 != b.sha256;
  return a.bytes != b.bytes;
}

// One side, by name instead of by index.
struct Side {
  explicit Side(const Results& r) : results(r), file_keys(KeysOf(r.files)) {
    for (size_t i = 0; i < r.codecs.size(); ++i) codecs.emplace(r.codecs[i].name, i);
    for (size_t i = 0; i < r.files.size(); ++i) files.emplace(file_keys[i], i);
    for (const Row& row : r.rows) rows.emplace(std::pair(r.codecs[row.codec].name, file_keys[row.file]), &row);
  }
  std::string RowName(const Row& row) const {
    return Shown(results.codecs[row.codec].name) + " on " + FileName(results.files[row.file]);
  }

  const Results& results;
  std::vector<FileKey> file_keys;
  std::map<std::string, size_t> codecs;
  std::map<FileKey, size_t> files;
  std::map<std::pair<std::string, FileKey>, const Row*> rows;
};

// ---- Differences ----------------------------------------------------------------------------------------------------

bool Differs(double before, double after, double tolerance, double least) {
  const double difference = std::fabs(after - before);
  return difference > tolerance * before && difference > least;
}

class Comparer {
 public:
  Comparer(const Results& before, const Results& after) : a_(before), b_(after) {}

  Comparison Run() {
    CompareMachines();
    CompareCodecs();
    CompareFiles();
    CompareRows();
    CompareEngines();
    const auto effect = [](const Change& c) {
      return c.before > 0 && c.after > 0 ? std::fabs(std::log(c.after / c.before)) : 0;
    };
    const auto more_important = [&](const Change& x, const Change& y) {
      if (x.kind != y.kind) return x.kind < y.kind;
      return effect(x) != effect(y) ? effect(x) > effect(y) : x.what < y.what;
    };
    std::stable_sort(out_.changes.begin(), out_.changes.end(), more_important);
    std::stable_sort(out_.uncertain.begin(), out_.uncertain.end(), more_important);
    return std::move(out_);
  }

 private:
  void Say(const std::string& what, const std::string& before, const std::string& after) {
    if (before == after) return;
    const auto word = [](const std::string& s) { return s.empty() ? std::string("none") : Shown(s); };
    out_.machine.push_back(what + ": " + word(before) + " before, " + word(after) + " after");
  }

  void CompareMachines() {
    const Results& a = a_.results;
    const Results& b = b_.results;
    Say("processor", a.machine.processor, b.machine.processor);
    Say("number of processors", std::to_string(a.machine.n_processors), std::to_string(b.machine.n_processors));
    Say("instruction set", a.machine.instruction_set, b.machine.instruction_set);
    Say("memory in bytes", std::to_string(a.machine.memory_bytes), std::to_string(b.machine.memory_bytes));
    Say("system", a.machine.system, b.machine.system);
    out_.same_machine = out_.machine.empty();
    Say("program", a.program, b.program);
    Say("threads", std::to_string(a.threads), std::to_string(b.threads));
    Say("repeats", std::to_string(a.repeats), std::to_string(b.repeats));
    Say("warm-up runs", std::to_string(a.warmups), std::to_string(b.warmups));
    if (!a.complete) out_.machine.push_back("the earlier measurement was interrupted");
    if (!b.complete) out_.machine.push_back("the later measurement was interrupted");
  }

  void CompareCodecs() {
    for (const CodecEntry& codec : a_.results.codecs) {
      const auto found = b_.codecs.find(codec.name);
      if (found == b_.codecs.end()) {
        out_.only_before.push_back("codec " + Shown(codec.name));
        continue;
      }
      const CodecEntry& other = b_.results.codecs[found->second];
      Say(Shown(codec.name) + ", version", codec.version, other.version);
      Say(Shown(codec.name) + ", model", codec.model, other.model);
      Say(Shown(codec.name) + ", to compress", codec.compress_command, other.compress_command);
      Say(Shown(codec.name) + ", to decompress", codec.decompress_command, other.decompress_command);
    }
    for (const CodecEntry& codec : b_.results.codecs) {
      if (a_.codecs.count(codec.name) == 0) out_.only_after.push_back("codec " + Shown(codec.name));
    }
  }

  void CompareFiles() {
    for (size_t i = 0; i < a_.results.files.size(); ++i) {
      const FileEntry& file = a_.results.files[i];
      const auto found = b_.files.find(a_.file_keys[i]);
      if (found == b_.files.end()) {
        out_.only_before.push_back("file " + FileName(file));
      } else if (IsOtherContent(file, b_.results.files[found->second])) {
        const FileEntry& other = b_.results.files[found->second];
        out_.other_content.push_back(FileName(file) + ": " + std::to_string(file.bytes) + " bytes before, " +
                                     std::to_string(other.bytes) + " after" +
                                     (file.bytes == other.bytes ? ", but others" : ""));
        other_content_.insert(a_.file_keys[i]);
      }
    }
    for (size_t i = 0; i < b_.results.files.size(); ++i) {
      if (a_.files.count(b_.file_keys[i]) == 0) out_.only_after.push_back("file " + FileName(b_.results.files[i]));
    }
  }

  void CompareRows() {
    std::map<std::string, CodecTotal> totals;
    for (const Row& row : a_.results.rows) {
      const std::string& codec = a_.results.codecs[row.codec].name;
      const FileKey& file = a_.file_keys[row.file];
      const auto found = b_.rows.find({codec, file});
      if (other_content_.count(file) != 0) continue;
      if (found == b_.rows.end()) {
        // Where codec or file is missing altogether, that has been said once.
        if (b_.codecs.count(codec) != 0 && b_.files.count(file) != 0) out_.only_before.push_back(a_.RowName(row));
        continue;
      }
      const size_t n_before = out_.changes.size();
      ComparePair(a_.RowName(row), row, *found->second);
      ++out_.n_rows;
      out_.n_changed += out_.changes.size() > n_before;
      if (!row.error.empty() || !found->second->error.empty()) continue;
      CodecTotal& total = totals[codec];
      ++total.rows;
      total.bytes_before += row.compressed_bytes;
      total.bytes_after += found->second->compressed_bytes;
    }
    for (const Row& row : b_.results.rows) {
      const std::string& codec = b_.results.codecs[row.codec].name;
      const FileKey& file = b_.file_keys[row.file];
      if (a_.codecs.count(codec) != 0 && a_.files.count(file) != 0 && a_.rows.count({codec, file}) == 0 &&
          other_content_.count(file) == 0) {
        out_.only_after.push_back(b_.RowName(row));
      }
    }
    for (const CodecEntry& codec : a_.results.codecs) {
      CodecTotal& total = totals[codec.name];
      total.codec = codec.name;
      if (total.bytes_before != total.bytes_after) out_.totals.push_back(total);
    }
  }

  void ComparePair(const std::string& what, const Row& a, const Row& b) {
    if (!a.error.empty() && !b.error.empty()) {
      out_.failing_rows.push_back(what + ": " + Shown(b.error));
      return;
    }
    if (!a.error.empty() || !b.error.empty()) {
      out_.changes.push_back({.kind = b.error.empty() ? ChangeKind::kRepaired : ChangeKind::kBroken,
                              .what = what,
                              .error = b.error.empty() ? a.error : b.error});
      return;
    }
    if (a.compressed_bytes != b.compressed_bytes) {
      out_.changes.push_back({.kind = ChangeKind::kSize,
                              .what = what,
                              .before = static_cast<double>(a.compressed_bytes),
                              .after = static_cast<double>(b.compressed_bytes)});
    } else if (!a.compressed_sha256.empty() && !b.compressed_sha256.empty() &&
               a.compressed_sha256 != b.compressed_sha256) {
      ++out_.n_other_bytes;
    }
    const bool noise_known = a.repeats > 1 && b.repeats > 1;
    CompareDirection(what, a.compress, b.compress, noise_known, ChangeKind::kCompressTime, ChangeKind::kCompressMemory);
    CompareDirection(what, a.decompress, b.decompress, noise_known, ChangeKind::kDecompressTime,
                     ChangeKind::kDecompressMemory);
  }

  void CompareDirection(const std::string& what, const std::optional<Direction>& a, const std::optional<Direction>& b,
                        bool noise_known, ChangeKind time, ChangeKind memory) {
    if (!a || !b) return;
    if (Differs(a->seconds.median, b->seconds.median, kTimeTolerance, kMinTimeDifference)) {
      const Change change{
          .kind = time, .what = what, .before = a->seconds.median, .after = b->seconds.median, .error = {}};
      const bool disjoint = a->seconds.max < b->seconds.min || b->seconds.max < a->seconds.min;
      if (!noise_known) {
        out_.uncertain.push_back(change);
      } else if (disjoint) {
        out_.changes.push_back(change);
      }
    }
    const auto peak_before = static_cast<double>(a->peak_bytes);
    const auto peak_after = static_cast<double>(b->peak_bytes);
    if (peak_before > 0 && peak_after > 0 && Differs(peak_before, peak_after, kMemoryTolerance, kMinMemoryDifference)) {
      out_.changes.push_back({.kind = memory, .what = what, .before = peak_before, .after = peak_after, .error = {}});
    }
  }

  // By the engine's name without its version, so that two versions can be compared.
  void CompareEngines() {
    using Key = std::tuple<std::string, std::string, std::string, uint32_t>;
    const auto speeds = [](const Results& results) {
      std::map<Key, double> map;
      for (const EngineResults& engine : results.engines) {
        for (const EngineSpeed& speed : engine.speeds) {
          map.emplace(Key(engine.engine.substr(0, engine.engine.find(' ')), engine.model, speed.name, speed.threads),
                      speed.tokens_per_second);
        }
      }
      return map;
    };
    const std::map<Key, double> before = speeds(a_.results);
    for (const auto& [key, after] : speeds(b_.results)) {
      const auto found = before.find(key);
      if (found == before.end() || !Differs(found->second, after, kEngineTolerance, 0)) continue;
      const auto& [engine, model, name, threads] = key;
      out_.uncertain.push_back(
          {.kind = ChangeKind::kEngine,
           .what = Shown(engine) + ", " + Shown(model) + ": " + Shown(name) + ", " + Plural(threads, "thread"),
           .before = found->second,
           .after = after,
           .error = {}});
    }
  }

  Side a_, b_;
  std::set<FileKey> other_content_;
  Comparison out_;
};

// ---- Text -----------------------------------------------------------------------------------------------------------

// "+12.3 %", with as many digits as a small change needs.
std::string Percent(double before, double after) {
  if (before <= 0) return "from 0";
  const double percent = (after / before - 1) * 100;
  char text[32];
  std::snprintf(text, sizeof text, std::fabs(percent) < 0.1 ? "%+.2g %%" : "%+.1f %%", percent);
  return text;
}

std::string Amount(ChangeKind kind, double value) {
  char text[48];
  switch (kind) {
    case ChangeKind::kCompressTime:
    case ChangeKind::kDecompressTime:
      std::snprintf(text, sizeof text, value < 1 ? "%.4f s" : "%.2f s", value);
      break;
    case ChangeKind::kCompressMemory:
    case ChangeKind::kDecompressMemory:
      std::snprintf(text, sizeof text, "%.1f MB", value / 1e6);
      break;
    case ChangeKind::kEngine:
      std::snprintf(text, sizeof text, "%.1f tokens/s", value);
      break;
    default:
      std::snprintf(text, sizeof text, "%.0f bytes", value);
  }
  return text;
}

// What a change of this kind is called, and what it means when the number rises or falls.
struct Words {
  const char* noun;  // takes an s
  const char* more;
  const char* less;
};
Words WordsOf(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kBroken:
      return {"broken round trip", "", ""};
    case ChangeKind::kRepaired:
      return {"repaired round trip", "", ""};
    case ChangeKind::kSize:
      return {"size", "larger", "smaller"};
    case ChangeKind::kCompressTime:
      return {"compression time", "slower", "faster"};
    case ChangeKind::kDecompressTime:
      return {"decompression time", "slower", "faster"};
    case ChangeKind::kCompressMemory:
      return {"compression peak", "more memory", "less memory"};
    case ChangeKind::kDecompressMemory:
      return {"decompression peak", "more memory", "less memory"};
    case ChangeKind::kEngine:
      return {"engine speed", "faster", "slower"};
  }
  return {"", "", ""};
}

std::string ChangeLine(const Change& change) {
  const Words words = WordsOf(change.kind);
  if (change.kind == ChangeKind::kBroken) return change.what + ": now fails: " + Shown(change.error);
  if (change.kind == ChangeKind::kRepaired) return change.what + ": is right now; before: " + Shown(change.error);
  return change.what + ": " + words.noun + " " + Amount(change.kind, change.before) + " -> " +
         Amount(change.kind, change.after) + " (" + Percent(change.before, change.after) + ", " +
         (change.after > change.before ? words.more : words.less) + ")";
}

void AppendList(std::string& text, const std::string& title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  text += "\n" + title + ":\n";
  for (size_t i = 0; i < std::min(lines.size(), kMaxListed); ++i) text += "  " + lines[i] + "\n";
  if (lines.size() > kMaxListed) text += "  and " + std::to_string(lines.size() - kMaxListed) + " more\n";
}

std::vector<std::string> Lines(const std::vector<Change>& changes) {
  std::vector<std::string> lines;
  for (const Change& change : changes) lines.push_back(ChangeLine(change));
  return lines;
}

}  // namespace

Comparison CompareResults(const Results& before, const Results& after) { return Comparer(before, after).Run(); }

std::string ComparisonSummary(const Comparison& comparison) {
  if (comparison.n_rows == 0) return "Nothing to compare: no codec and file that both have.";
  std::string text = comparison.n_changed == 0 ? "None" : std::to_string(comparison.n_changed);
  text += " of " + Plural(comparison.n_rows, "row") + " changed";
  const char* separator = ": ";
  for (size_t i = 0; i < comparison.changes.size();) {
    const ChangeKind kind = comparison.changes[i].kind;
    size_t more = 0, less = 0;
    for (; i < comparison.changes.size() && comparison.changes[i].kind == kind; ++i) {
      const Change& change = comparison.changes[i];
      (change.after > change.before ? more : less) += 1;
    }
    const Words words = WordsOf(kind);
    text += separator + Plural(more + less, words.noun);
    separator = ", ";
    if (*words.more == '\0') continue;
    text += " (";
    if (more != 0) text += std::to_string(more) + " " + words.more;
    if (more != 0 && less != 0) text += ", ";
    if (less != 0) text += std::to_string(less) + " " + words.less;
    text += ")";
  }
  text += ".";
  if (!comparison.uncertain.empty()) {
    text += " " + Plural(comparison.uncertain.size(), "more difference") + " may be noise.";
  }
  return text;
}

std::string ComparisonText(const Comparison& comparison, const std::string& before, const std::string& after) {
  std::string text = "Before: " + Shown(before) + "\nAfter:  " + Shown(after) + "\n";
  AppendList(text, "Not the same on both sides", comparison.machine);
  if (!comparison.same_machine) {
    text += "Two machines: the times below say more about them than about the programs.\n";
  }
  text += "\n" + ComparisonSummary(comparison) + "\n";
  AppendList(text, "Changes, the most important first", Lines(comparison.changes));
  std::vector<std::string> totals;
  for (const CodecTotal& total : comparison.totals) {
    totals.push_back(Shown(total.codec) + ": " + std::to_string(total.bytes_before) + " -> " +
                     std::to_string(total.bytes_after) + " bytes (" +
                     Percent(static_cast<double>(total.bytes_before), static_cast<double>(total.bytes_after)) +
                     ") in " + Plural(total.rows, "row"));
  }
  AppendList(text, "Sums", totals);
  AppendList(text, "Perhaps noise, which one measurement cannot tell (more repeats can)", Lines(comparison.uncertain));
  if (comparison.n_other_bytes != 0) {
    text += "\n" + Plural(comparison.n_other_bytes, "archive") + " of the same size, but with other bytes.\n";
  }
  AppendList(text, "Not compared, because the content differs", comparison.other_content);
  AppendList(text, "Failing on both sides", comparison.failing_rows);
  AppendList(text, "Only before", comparison.only_before);
  AppendList(text, "Only after", comparison.only_after);
  char rule[200];
  std::snprintf(rule, sizeof rule,
                "\nA time counts as changed where the repeats' ranges have nothing in common and the medians differ by "
                "more than %.0f %% and %.0f ms.\n",
                kTimeTolerance * 100, kMinTimeDifference * 1000);
  return text + rule;
}

}  // namespace pith::bench
