#include "report/summary_text.h"

#include <algorithm>
#include <cmath>

#include "report/number_text.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

constexpr const char* kDefaultNames[] = {"pith -6", "pith"};
constexpr const char* kReferenceNames[] = {"zstd -19", "xz -9e"};
constexpr size_t kMaxNameColumns = 40;
constexpr size_t kMaxFailuresNamed = 3;
constexpr size_t kMaxLossesNamed = 3;

std::string Name(const Results& results, size_t codec) {
  return CutText(VisibleText(results.codecs[codec].name), kMaxNameColumns);
}

// "41.0 % smaller than"; `relative` is ours over theirs. Differences below what three digits show are none.
struct Comparison {
  int sign = 0;  // -1: smaller
  std::string words;
};
Comparison Compare(double ours, double theirs) {
  const double relative = ours / theirs - 1;
  if (std::fabs(relative) < 0.00005) return {0, "as large as"};
  return {relative < 0 ? -1 : 1,
          ShareText(std::fabs(relative)) + (relative < 0 ? " smaller than" : " larger than")};
}

// "On these 13 files (9.31 MB)".
std::string Place(const Summary& summary) {
  const size_t n = summary.total.n_files;
  const std::string size = " (" + BytesText(static_cast<double>(summary.total.bytes)) + ")";
  if (summary.n_left_out == 0)
    return n == 1 ? "On this file" + size : "On these " + CountText(n, "file") + size;
  return "On the " + (n == 1 ? "one file" : CountText(n, "file")) + size +
         (summary.uncompared.empty() ? " that every codec completed"
                                     : " that every compared codec completed");
}

std::string SizeSentence(const Results& results, const Summary& summary, const Protagonists& who) {
  const std::string subject = Name(results, who.subject->codec);
  const bool one = summary.total.n_files == 1;
  const std::string share = ShareText(who.subject->share) + " of the original size";
  if (who.best_pith == nullptr) {
    const std::vector<Totals>& all = summary.total.codecs;
    if (all.size() == 1) {
      return Place(summary) + ", " + subject + (one ? " makes an archive of " : " makes archives of ") +
             share + ".";
    }
    return Place(summary) + ", " + subject +
           (one ? " makes the smallest archive, " : " makes the smallest archives, ") + share + "; " +
           Name(results, all[1].codec) + " follows with " + ShareText(all[1].share) + ".";
  }
  std::string text = Place(summary) + ", " + subject + (one ? " makes an archive" : " makes archives");
  if (who.references.empty()) {
    text += " of " + share;
  } else {
    int sign = 0;
    for (size_t i = 0; i < who.references.size(); ++i) {
      const Comparison to = Compare(who.subject->share, who.references[i]->share);
      if (i > 0) text += to.sign == sign ? " and" : " but";
      text += " " + to.words + (one ? " that of " : " those of ") + Name(results, who.references[i]->codec);
      sign = to.sign;
    }
  }
  if (who.best_pith != who.subject) {
    const Comparison to = Compare(who.best_pith->share, who.subject->share);
    if (to.sign < 0) {
      const std::string best = Name(results, who.best_pith->codec);
      text += "; with " + best + (one ? " it is another " : " they are another ") + to.words;
      text += one ? " that" : " those";
    }
  }
  return text + ".";
}

std::string Memory(const Totals& totals) { return BytesText(static_cast<double>(totals.PeakBytes())); }

std::string Speed(const std::optional<double>& speed) { return SpeedText(speed.value_or(0)); }

const Totals* Fastest(const Group& total, std::optional<double> Totals::* speed) {
  const Totals* fastest = nullptr;
  for (const Totals& totals : total.codecs) {
    if (!(totals.*speed)) continue;
    if (fastest == nullptr || (totals.*speed).value_or(0) > (fastest->*speed).value_or(0)) fastest = &totals;
  }
  return fastest;
}

// "pith -6 compresses at 96.0 KB/s and decompresses at 140 KB/s in up to 112 MB of memory, zstd -19 at 2.69
// MB/s and 100 MB/s in 71.9 MB."
std::string CostSentence(const Results& results, const Summary& summary, const Protagonists& who) {
  const auto timed = [](const Totals& totals) { return totals.compress_speed && totals.decompress_speed; };
  const Totals& subject = *who.subject;
  std::string text = Name(results, subject.codec);
  if (!timed(subject))
    return text + " uses up to " + Memory(subject) + " of memory; it was too fast for the clock.";
  text += " compresses at " + Speed(subject.compress_speed) + " and decompresses at " +
          Speed(subject.decompress_speed) + " in up to " + Memory(subject) + " of memory";
  if (who.best_pith == nullptr) {
    const Totals* compress = Fastest(summary.total, &Totals::compress_speed);
    const Totals* decompress = Fastest(summary.total, &Totals::decompress_speed);
    if (compress == &subject && decompress == &subject) {
      if (summary.total.codecs.size() > 1) text += "; no other here is faster";
    } else {
      text += "; the fastest to compress is " + Name(results, compress->codec) + " at " +
              Speed(compress->compress_speed) + ", the fastest to decompress " +
              Name(results, decompress->codec) + " at " + Speed(decompress->decompress_speed);
    }
    return text + ".";
  }
  for (const Totals* reference : who.references) {
    if (!timed(*reference)) continue;
    text += ", " + Name(results, reference->codec) + " at " + Speed(reference->compress_speed) + " and " +
            Speed(reference->decompress_speed) + " in " + Memory(*reference);
  }
  return text + ".";
}

const BreakEven* FindBreakEven(const Summary& summary, size_t codec, size_t other) {
  for (const BreakEven& entry : summary.break_even) {
    if (entry.codec == codec && entry.other == other) return &entry;
  }
  return nullptr;
}

// "from 59.5 MB of such data on against zstd -19"
std::string BreakEvenClause(const Results& results, const Summary& summary, const Protagonists& who) {
  std::vector<std::string> pays;
  std::string never;
  for (const Totals* reference : who.references) {
    const BreakEven* entry = FindBreakEven(summary, who.subject->codec, reference->codec);
    if (entry == nullptr) continue;
    const std::string name = Name(results, reference->codec), other = "against " + name;
    if (!entry->bytes) {
      never += never.empty() ? other : " or " + name;
    } else if (*entry->bytes == 0) {
      pays.push_back("from the first byte on " + other);
    } else {
      pays.push_back("from " + BytesText(static_cast<double>(*entry->bytes)) +
                     (pays.empty() ? " of such data on " : " ") + other);
    }
  }
  if (pays.empty()) return "never pays " + never;
  if (never.empty()) return "pays " + ListText(pays);
  return "pays " + ListText(pays) + ", and never " + never;
}

// Where another codec, none of pith's, makes smaller archives.
std::string LossClause(const Results& results, const Summary& summary, const Protagonists& who) {
  struct Loss {
    std::string words;
    double by;
  };
  std::vector<Loss> losses;
  bool anybody = false;
  for (const auto& [type, group] : summary.types) {
    const Totals* ours = group.Find(who.subject->codec);
    // The smallest of the others is enough.
    const auto other = std::find_if(group.codecs.begin(), group.codecs.end(), [&](const Totals& totals) {
      return !results.codecs[totals.codec].is_pith;
    });
    if (other == group.codecs.end()) continue;
    anybody = true;
    if (Compare(other->share, ours->share).sign >= 0) continue;
    const double by = 1 - other->share / ours->share;
    losses.push_back({std::string(FileTypeLabel(type)) + " (" + Name(results, other->codec) + " is " +
                          ShareText(by) + " smaller)",
                      by});
  }
  if (!anybody) return "";
  if (losses.empty()) {
    return summary.types.size() == 1 ? "no other compressor here is smaller"
                                     : "no other compressor here is smaller on any type of file";
  }
  if (losses.size() <= kMaxLossesNamed) {
    std::vector<std::string> words;
    words.reserve(losses.size());
    for (const Loss& loss : losses) words.push_back(loss.words);
    return "it loses on " + ListText(words);
  }
  const Loss& most = *std::max_element(losses.begin(), losses.end(),
                                       [](const Loss& a, const Loss& b) { return a.by < b.by; });
  const std::string types = losses.size() == summary.types.size()
                                ? "all " + WholeText(losses.size())
                                : WholeText(losses.size()) + " of " + WholeText(summary.types.size());
  return "it loses on " + types + " types of file, most on " + most.words;
}

std::string WorthSentence(const Results& results, const Summary& summary, const Protagonists& who) {
  if (who.best_pith == nullptr) {
    return "pith is not among the codecs, so these numbers do not say what a language model gains on such "
           "files.";
  }
  const CodecEntry& codec = results.codecs[who.subject->codec];
  const std::string name = Name(results, who.subject->codec);
  std::string text;
  if (codec.model_bytes == 0) {
    text = name + " needs no model, so its archives are all that counts";
  } else {
    const std::string model = "its model of " + BytesText(static_cast<double>(codec.model_bytes));
    text = who.references.empty() ? name + " needs " + model + " to decompress"
                                  : "Where " + model + " must be stored or sent, too, " + name + " " +
                                        BreakEvenClause(results, summary, who);
  }
  const std::string losses = LossClause(results, summary, who);
  return text + (losses.empty() ? "" : "; " + losses) + ".";
}

}  // namespace

Protagonists ChooseProtagonists(const Results& results, const Summary& summary) {
  Protagonists who;
  const std::vector<Totals>& all = summary.total.codecs;
  const auto find = [&](std::string_view name) -> const Totals* {
    for (const Totals& totals : all) {
      if (results.codecs[totals.codec].name == name) return &totals;
    }
    return nullptr;
  };
  for (const Totals& totals : all) {
    if (results.codecs[totals.codec].is_pith && who.best_pith == nullptr) who.best_pith = &totals;
  }
  for (const char* name : kDefaultNames) {
    const Totals* totals = find(name);
    if (who.subject == nullptr && totals != nullptr && results.codecs[totals->codec].is_pith)
      who.subject = totals;
  }
  if (who.subject == nullptr) who.subject = who.best_pith;
  if (who.subject == nullptr && !all.empty()) who.subject = all.data();
  if (who.best_pith == nullptr) return who;
  for (const char* name : kReferenceNames) {
    if (const Totals* totals = find(name)) who.references.push_back(totals);
  }
  for (const Totals& totals : all) {
    if (!who.references.empty()) break;
    if (!results.codecs[totals.codec].is_pith) who.references.push_back(&totals);
  }
  return who;
}

std::array<std::string, 3> SummarySentences(const Results& results, const Summary& summary) {
  const Protagonists who = ChooseProtagonists(results, summary);
  if (who.subject == nullptr) {
    const std::string first =
        results.rows.empty() ? "Nothing was measured."
        : summary.compared.empty()
            ? "No codec completed a file, so there is nothing to compare."
            : "No file that holds anything was completed by every codec, so there is nothing to compare.";
    return {first,
            summary.failures.empty()
                ? "Nothing failed."
                : "There " + std::string(summary.failures.size() == 1 ? "was " : "were ") +
                      CountText(summary.failures.size(), "failure") + ".",
            "What is known of each file stands in the table of files."};
  }
  return {SizeSentence(results, summary, who), CostSentence(results, summary, who),
          WorthSentence(results, summary, who)};
}

std::vector<std::string> SummaryNotes(const Results& results, const Summary& summary) {
  std::vector<std::string> notes;
  if (!results.complete)
    notes.push_back("The run was interrupted: these are the measurements made until then.");
  if (!summary.failures.empty()) {
    std::vector<std::string> named;
    for (const Failure& failure : summary.failures) {
      if (named.size() == kMaxFailuresNamed) break;
      const std::string path = CutMiddle(VisibleText(results.files[failure.file].path), kMaxNameColumns);
      named.push_back(failure.codec ? Name(results, *failure.codec) + " on " + path : path);
    }
    const size_t others = summary.failures.size() - named.size();
    if (others > 0) named.push_back(CountText(others, "other"));
    notes.push_back(CountText(summary.failures.size(), "failure") + ": " + ListText(named) + ".");
  }
  for (const Uncompared& entry : summary.uncompared) {
    notes.push_back(Name(results, entry.codec) + " completed " +
                    (entry.n_completed == 0 ? "no file" : CountText(entry.n_completed, "file")) + " of " +
                    WholeText(summary.n_files) + " and is not compared.");
  }
  if (summary.n_left_out > 0 && !summary.compared.empty()) {
    notes.push_back(CountText(summary.n_left_out, "file") + " of " + WholeText(summary.n_files) +
                    (summary.n_left_out == 1 ? " is" : " are") +
                    " left out of totals and charts, because not every compared codec completed " +
                    (summary.n_left_out == 1 ? "it." : "them."));
  }
  return notes;
}

std::string FilesText(const Summary& summary) {
  return CountText(summary.total.n_files, "file") + ", " +
         BytesText(static_cast<double>(summary.total.bytes));
}

}  // namespace pith::bench
