#include "report/page_charts.h"

#include <algorithm>

#include "report/axis.h"
#include "report/chart.h"
#include "report/number_text.h"
#include "report/page_html.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

// Drawn at the width at which it is seen, so that text keeps its size: on a phone, and on a desk, where the
// page has two or three columns. The style sheet shows one of the two.
constexpr double kPanel = 336, kWide = 520, kFull = 720;

std::string Name(const Results& results, size_t codec) {
  return CutText(VisibleText(results.codecs[codec].name), kMaxCodecNameColumns);
}

std::string Figure(const std::string& caption, const std::string& detail, const std::string& chart) {
  return "<figure>\n<figcaption><b>" + EscapeHtml(caption) + "</b>" +
         (detail.empty() ? "" : " <span>" + EscapeHtml(detail) + "</span>") + "</figcaption>\n" + chart +
         "</figure>\n";
}

std::string BothWidths(const std::string& wide, const std::string& narrow) {
  return "<div class=\"wide\">" + wide + "</div><div class=\"narrow\">" + narrow + "</div>\n";
}

std::string Panel(const Results& results, const Group& group, const std::string& title) {
  BarChart chart{.name = "Archives in % of the original: " + title};
  for (const Totals& totals : group.codecs) {
    const std::string name = Name(results, totals.codec);
    BarPart part{.value = totals.share, .text = ShareText(totals.share)};
    part.tip = name + ", " + title + "\n" + ShareText(totals.share) + " of the original by sums\n" +
               ShareText(totals.mean_share) + " as the mean of files\n" + WholeText(totals.compressed_bytes) +
               " of " + WholeText(group.bytes) + " bytes";
    if (group.n_files > 1) part.mark = totals.mean_share;
    chart.rows.push_back({name, results.codecs[totals.codec].is_pith, {std::move(part)}});
  }
  return Figure(title, CountText(group.n_files, "file") + ", " + BytesText(static_cast<double>(group.bytes)),
                DrawBars(chart, kPanel));
}

std::string SpeedFigure(const Results& results, const Summary& summary, const std::string& direction,
                        std::optional<double> Totals::* speed, const std::vector<size_t>& front) {
  ScatterChart chart{.name = "Archive size against the speed to " + direction,
                     .x_title = "speed to " + direction};
  for (const Totals& totals : summary.total.codecs) {
    const double value = (totals.*speed).value_or(0);
    if (value <= 0 || totals.compressed_bytes == 0) continue;
    const bool on_front = std::find(front.begin(), front.end(), totals.codec) != front.end();
    const std::string name = Name(results, totals.codec);
    chart.points.push_back({name, value, totals.share, results.codecs[totals.codec].is_pith, on_front,
                            name + "\n" + SpeedText(value) + " to " + direction + "\n" +
                                ShareText(totals.share) + " of the original\n" +
                                (on_front ? "on the front" : "another is smaller and faster")});
  }
  if (chart.points.empty()) return "";
  return Figure("To " + direction, "archive size against speed",
                BothWidths(DrawScatter(chart, kWide), DrawScatter(chart, kPanel)));
}

std::string SizeFigure(const Results& results, const Summary& summary, LineChart chart,
                       const std::string& caption, double (*value)(const Totals&),
                       std::string (*text)(double)) {
  chart.x_tick = [](double bytes) { return SliceText(static_cast<uint64_t>(std::min(bytes, 0x1p63))); };
  for (const Totals& order : summary.total.codecs) {
    const std::string name = Name(results, order.codec);
    Line line{.label = name, .accent = results.codecs[order.codec].is_pith};
    for (const SliceGroup& slice : summary.slices) {
      const Totals* totals = slice.group.Find(order.codec);
      if (totals == nullptr || !(value(*totals) > 0)) continue;
      line.points.push_back({static_cast<double>(slice.slice_bytes), value(*totals),
                             name + ", pieces of " + SliceText(slice.slice_bytes) + "\n" + text(value(*totals))});
    }
    if (!line.points.empty()) chart.lines.push_back(std::move(line));
  }
  return chart.lines.empty() ? "" : Figure(caption, "", DrawLines(chart, kPanel));
}

}  // namespace

std::string TypePanels(const Results& results, const Summary& summary) {
  // With one type, all files would be the same again.
  if (summary.types.size() == 1)
    return Panel(results, summary.types[0].group, FileTypeLabel(summary.types[0].type));
  std::string out = Panel(results, summary.total, "all files");
  for (const auto& [type, group] : summary.types) out += Panel(results, group, FileTypeLabel(type));
  return out;
}

std::string SpeedFigures(const Results& results, const Summary& summary) {
  std::string out =
      SpeedFigure(results, summary, "compress", &Totals::compress_speed, summary.compress_front);
  return out +
         SpeedFigure(results, summary, "decompress", &Totals::decompress_speed, summary.decompress_front);
}

std::string MemoryFigure(const Results& results, const Summary& summary) {
  BarChart chart{.name = "Peak memory to compress and to decompress"};
  std::vector<const Totals*> order;
  order.reserve(summary.total.codecs.size());
  for (const Totals& totals : summary.total.codecs) order.push_back(&totals);
  const auto peak = [](const Totals* totals) { return std::pair(totals->PeakBytes(), totals->codec); };
  std::sort(order.begin(), order.end(), [&](const Totals* a, const Totals* b) { return peak(a) < peak(b); });
  for (const Totals* totals : order) {
    const std::string name = Name(results, totals->codec);
    BarRow row{name, results.codecs[totals->codec].is_pith, {}};
    const auto add = [&](const char* direction, uint64_t bytes) {
      const auto value = static_cast<double>(bytes);
      row.parts.push_back(
          {value, BytesText(value), name + ", to " + direction + "\n" + BytesText(value) + " at most", {}});
    };
    add("compress", totals->compress_peak_bytes);
    add("decompress", totals->decompress_peak_bytes);
    chart.rows.push_back(std::move(row));
  }
  return "<figure>\n" + BothWidths(DrawBars(chart, kFull), DrawBars(chart, kPanel)) + "</figure>\n";
}

std::string SizeFigures(const Results& results, const Summary& summary) {
  std::string out = SizeFigure(
      results, summary,
      {.name = "Archive size by size of the file",
       .y_title = "archive, % of the original",
       .y_tick = ShareTick},
      "Archive size", [](const Totals& totals) { return totals.share; }, ShareText);
  out += SizeFigure(
      results, summary,
      {.name = "Speed to compress by size of the file", .y_title = "speed", .y_tick = SpeedTick},
      "Speed to compress", [](const Totals& totals) { return totals.compress_speed.value_or(0); }, SpeedText);
  out += SizeFigure(
      results, summary,
      {.name = "Speed to decompress by size of the file", .y_title = "speed", .y_tick = SpeedTick},
      "Speed to decompress", [](const Totals& totals) { return totals.decompress_speed.value_or(0); },
      SpeedText);
  return out;
}

}  // namespace pith::bench
