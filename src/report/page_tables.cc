#include "report/page_tables.h"

#include <algorithm>
#include <cmath>

#include "report/number_text.h"
#include "report/page_html.h"

namespace pith::bench {
namespace {

bool Contains(const std::vector<size_t>& codecs, size_t codec) {
  return std::find(codecs.begin(), codecs.end(), codec) != codecs.end();
}

// A second or joule a byte, as one a MB.
std::string PerMegabyte(const std::optional<double>& per_byte, const char* unit) {
  return per_byte ? ThreeDigits(1e6 * *per_byte) + " " + unit + "/MB" : kNone;
}

std::string TokensText(double per_second) {
  return per_second < 1000 ? ThreeDigits(per_second)
                           : WholeText(static_cast<uint64_t>(std::llround(std::min(per_second, 1e15))));
}

}  // namespace

std::string BreakEvenText(const Summary& summary, size_t codec, size_t other) {
  for (const BreakEven& entry : summary.break_even) {
    if (entry.codec != codec || entry.other != other) continue;
    if (!entry.bytes) return "never";
    return *entry.bytes == 0 ? "first byte" : BytesText(static_cast<double>(*entry.bytes));
  }
  return kNone;
}

std::string CodecTable(const Results& results, const Summary& summary, const Protagonists& who) {
  std::vector<std::string> heads = {"Codec",    "Archive",    "Mean of files",      "Bits per byte",
                                    "Compress", "Decompress", "Memory to compress", "Memory to decompress",
                                    "Model"};
  const bool any_model = !summary.break_even.empty();
  if (any_model) {
    for (const Totals* reference : who.references) {
      heads.push_back("Pays against " + Unbroken(CodecName(results, reference->codec)));
    }
  }
  std::string out = OpenTable("Codecs on " + FilesText(summary), heads);
  for (const Totals& totals : summary.total.codecs) {
    const CodecEntry& codec = results.codecs[totals.codec];
    const std::string share = ShareText(totals.share);
    out += RowHead(results, totals.codec) + Cell(codec.is_pith ? "<b>" + share + "</b>" : share) +
           Cell(ShareText(totals.mean_share)) + Cell(FixedText(8 * totals.share, 3)) +
           Cell(SpeedOrNone(totals.compress_speed)) + Cell(SpeedOrNone(totals.decompress_speed)) +
           Cell(MemoryOrNone(totals.compress_peak_bytes)) + Cell(MemoryOrNone(totals.decompress_peak_bytes)) +
           Cell(codec.model_bytes > 0 ? BytesText(static_cast<double>(codec.model_bytes)) : "none");
    if (any_model) {
      for (const Totals* reference : who.references) {
        out += Cell(BreakEvenText(summary, totals.codec, reference->codec));
      }
    }
    out += "</tr>\n";
  }
  return out + CloseTable();
}

std::string BreakEvenTable(const Results& results, const Summary& summary) {
  std::vector<std::string> heads = {"Against"};
  std::vector<size_t> models;
  for (const Totals& totals : summary.total.codecs) {
    if (results.codecs[totals.codec].model_bytes == 0) continue;
    models.push_back(totals.codec);
    heads.push_back(CodecName(results, totals.codec));
  }
  std::string out = OpenTable("Pays from this much data on", heads);
  for (const Totals& other : summary.total.codecs) {
    out += RowHead(results, other.codec);
    for (const size_t model : models) out += Cell(BreakEvenText(summary, model, other.codec));
    out += "</tr>\n";
  }
  return out + CloseTable();
}

std::string TypeTable(const Results& results, const Summary& summary) {
  std::vector<std::string> heads = {"Codec"};
  for (const TypeGroup& of_type : summary.types) {
    const std::string type = FileTypeLabel(of_type.type);
    heads.push_back(type);
    heads.push_back(type + ", mean of files");
  }
  std::string out = OpenTable("Archives in % of the original, by type of file", heads);
  for (const Totals& totals : summary.total.codecs) {
    out += RowHead(results, totals.codec);
    for (const auto& [type, group] : summary.types) {
      const Totals& of_type = *group.Find(totals.codec);
      out += Cell(ShareText(of_type.share)) + Cell(ShareText(of_type.mean_share));
    }
    out += "</tr>\n";
  }
  return out + CloseTable();
}

std::string SpeedTable(const Results& results, const Summary& summary) {
  const std::vector<Totals>& all = summary.total.codecs;
  const bool any_energy = std::any_of(all.begin(), all.end(), [](const Totals& totals) {
    return totals.compress_joules || totals.decompress_joules;
  });
  std::vector<std::string> heads = {"Codec",      "Compress", "inside",         "processor time",
                                    "Decompress", "inside",   "processor time", "On the front"};
  if (any_energy) heads.insert(heads.end(), {"Energy to compress", "Energy to decompress"});
  std::string out = OpenTable(
      "Speed of the whole process, start included; inside it, from opening to closing the file; "
      "processor time of all threads",
      heads);
  for (const Totals& totals : all) {
    const bool compress = Contains(summary.compress_front, totals.codec);
    const bool decompress = Contains(summary.decompress_front, totals.codec);
    out += RowHead(results, totals.codec) + Cell(SpeedOrNone(totals.compress_speed)) +
           Cell(SpeedOrNone(totals.compress_work_speed)) + Cell(PerMegabyte(totals.compress_cpu, "s")) +
           Cell(SpeedOrNone(totals.decompress_speed)) + Cell(SpeedOrNone(totals.decompress_work_speed)) +
           Cell(PerMegabyte(totals.decompress_cpu, "s")) +
           Cell(compress && decompress ? "both"
                : compress             ? "compress"
                : decompress           ? "decompress"
                                       : kNone);
    if (any_energy)
      out +=
          Cell(PerMegabyte(totals.compress_joules, "J")) + Cell(PerMegabyte(totals.decompress_joules, "J"));
    out += "</tr>\n";
  }
  return out + CloseTable();
}

std::string SizeTable(const Results& results, const Summary& summary) {
  std::string out = OpenTable("Archives, speeds and streams by size of the input",
                              {"Codec", "Size", "Archive", "Compress", "Decompress", "Streams"});
  for (const Totals& totals : summary.total.codecs) {
    for (const SliceGroup& slice : summary.slices) {
      const Totals& of_size = *slice.group.Find(totals.codec);
      out += RowHead(results, totals.codec) + Cell(SliceText(slice.slice_bytes)) +
             Cell(ShareText(of_size.share)) + Cell(SpeedOrNone(of_size.compress_speed)) +
             Cell(SpeedOrNone(of_size.decompress_speed)) +
             Cell(of_size.streams > 0 ? std::to_string(of_size.streams) : kNone) + "</tr>\n";
    }
  }
  return out + CloseTable();
}

std::string EngineTable(const EngineResults& engine) {
  std::string out = OpenTable("Speeds of " + Safe(engine.engine, 200),
                              {"What", "Threads", "Streams", "Tokens/s", "Of int8 peak", "Of bandwidth"});
  for (const EngineSpeed& speed : engine.speeds) {
    const auto share = [](const std::optional<double>& value) { return value ? ShareText(*value) : kNone; };
    out += "<tr><th scope=\"row\">" + Safe(speed.name, 200) + "</th>" + Cell(std::to_string(speed.threads)) +
           Cell(std::to_string(speed.streams)) + Cell(TokensText(speed.tokens_per_second)) +
           Cell(share(speed.int8_share)) + Cell(share(speed.bandwidth_share)) + "</tr>\n";
  }
  return out + CloseTable();
}

std::string CommandTable(const Results& results) {
  std::string out = OpenTable("Codecs, versions, and lines that repeat them",
                              {"Codec", "Version", "Model", "To compress", "To decompress"});
  for (size_t i = 0; i < results.codecs.size(); ++i) {
    const CodecEntry& codec = results.codecs[i];
    out += RowHead(results, i) + "<td>" + Safe(codec.version) + "</td><td>" + Safe(codec.model) +
           "</td><td><code>" + Safe(codec.compress_command) + "</code></td><td><code>" +
           Safe(codec.decompress_command) + "</code></td></tr>\n";
  }
  return out + CloseTable();
}

}  // namespace pith::bench
