#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/number_text.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

constexpr double kFont = 12;      // page.css: svg text
constexpr double kTickFont = 11;  // page.css: .tick
constexpr size_t kLabelColumns = 18;
constexpr double kPointRadius = 5.5;

std::string Px(double value) {
  std::string text = FixedText(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string Attributes(std::initializer_list<std::pair<const char*, double>> values) {
  std::string out;
  for (const auto& [name, value] : values) out += std::string(" ") + name + "=\"" + Px(value) + "\"";
  return out;
}

std::string Text(double x, double y, const char* css_class, const std::string& text) {
  return "<text" + Attributes({{"x", x}, {"y", y}}) + " class=\"" + css_class + "\">" + EscapeHtml(text) +
         "</text>";
}

std::string LineTo(double x1, double y1, double x2, double y2, const char* css_class) {
  return "<line" + Attributes({{"x1", x1}, {"y1", y1}, {"x2", x2}, {"y2", y2}}) + " class=\"" + css_class +
         "\"/>";
}

std::string Rect(double x, double y, double width, double height, const char* css_class) {
  return "<rect" + Attributes({{"x", x}, {"y", y}, {"width", width}, {"height", height}}) + " class=\"" +
         css_class + "\"/>";
}

std::string Diamond(double x, double y, double r, const char* css_class) {
  return "<path d=\"M" + Px(x) + " " + Px(y - r) + "l" + Px(r) + " " + Px(r) + "l" + Px(-r) + " " + Px(r) +
         "l" + Px(-r) + " " + Px(-r) + "z\" class=\"" + css_class + "\"/>";
}

// To the right: what it stands for lies further out.
std::string Arrow(double x, double y, double r, const char* css_class) {
  return "<path d=\"M" + Px(x - r) + " " + Px(y - r) + "l" + Px(2 * r) + " " + Px(r) + "l" + Px(-2 * r) + " " + Px(r) +
         "z\" class=\"" + css_class + "\"/>";
}

std::string Circle(double x, double y, double r, const char* css_class) {
  return "<circle" + Attributes({{"cx", x}, {"cy", y}, {"r", r}}) + " class=\"" + css_class + "\"/>";
}

// Opens a chart and counts its marks.
class Svg {
 public:
  Svg(const std::string& name, double width, double height) {
    text = "<svg viewBox=\"0 0 " + Px(width) + " " + Px(height) + "\"" +
           Attributes({{"width", width}, {"height", height}}) + " role=\"group\" aria-label=\"" +
           EscapeHtml(name) + "\">\n";
  }
  void OpenMark(const std::string& tip, const char* css_class) {
    text += std::string("<g class=\"mark ") + css_class + "\" role=\"img\" tabindex=\"" +
            (n_marks_++ == 0 ? "0" : "-1") + "\" aria-label=\"" + EscapeHtml(tip) + "\">";
  }
  void CloseMark() { text += "</g>\n"; }
  std::string Finish() { return std::move(text) + "</svg>\n"; }

  std::string text;

 private:
  size_t n_marks_ = 0;
};

// Markers of lines tell them apart without colour.
std::string LineMarker(size_t shape, double x, double y) {
  switch (shape % 4) {
    case 0:
      return Circle(x, y, 4, "dot");
    case 1:
      return Rect(x - 3.5, y - 3.5, 7, 7, "dot");
    case 2:
      return Diamond(x, y, 5, "dot");
    default:
      return "<path d=\"M" + Px(x) + " " + Px(y - 4.5) + "l4.5 8h-9z\" class=\"dot\"/>";
  }
}

constexpr size_t kNSeriesColours = 6;  // page.css: .s0 to .s5
constexpr size_t kNDashes = 3;         // page.css: .d0 to .d2

}  // namespace

double TextWidth(const std::string& text, double pixels) {
  double ems = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    if (static_cast<unsigned char>(c) >= 0x80) {
      ems += 1;  // CJK is that wide
    } else if (std::string_view(" .,:;'|!ijlIft()[]-/").find(c) != std::string_view::npos) {
      ems += 0.36;
    } else if (std::string_view("mwMW%@").find(c) != std::string_view::npos) {
      ems += 0.92;
    } else {
      ems += c >= 'A' && c <= 'Z' ? 0.7 : 0.59;
    }
  }
  return ems * pixels;
}

double Box::Distance(double x, double y) const {
  return std::hypot(x - std::clamp(x, left, right), y - std::clamp(y, top, bottom));
}

double Box::Overlap(const Box& other) const {
  const double width = std::min(right, other.right) - std::max(left, other.left);
  const double height = std::min(bottom, other.bottom) - std::max(top, other.top);
  return width > 0 && height > 0 ? width * height : 0;
}

std::vector<Box> PlaceLabels(const std::vector<LabelRequest>& requests, const Box& room,
                             const std::vector<Box>& avoid) {
  static constexpr double kDistances[] = {8, 16, 26, 38, 52, 68};
  static constexpr double kDirections[][2] = {{1, 0},  {0, -1},  {-1, 0}, {0, 1},
                                              {1, -1}, {-1, -1}, {1, 1},  {-1, 1}};
  constexpr double kDistanceCost = 1.5;  // square pixels of overlap that a pixel of distance is worth
  constexpr double kClearance = 3, kWrongPointCost = 45;
  std::vector<Box> placed;
  for (const LabelRequest& request : requests) {
    Box best{};
    double least = -1;
    for (const double distance : kDistances) {
      for (const auto& direction : kDirections) {
        const double x = request.x + direction[0] * (distance + request.width / 2);
        const double y = request.y + direction[1] * (distance + request.height / 2 - 2);
        Box box{x - request.width / 2, y - request.height / 2, x + request.width / 2, y + request.height / 2};
        // Labels that do not fit in their direction slide back along the edge.
        const double right = std::max(0.0, box.right - room.right),
                     left = std::max(0.0, room.left - box.left);
        box.left += left - right;
        box.right += left - right;
        if (box.top < room.top || box.bottom > room.bottom) continue;
        double cost = kDistanceCost * (distance - kDistances[0]);
        for (const Box& other : placed) cost += 4 * box.Overlap(other);
        for (const Box& other : avoid) cost += box.Overlap(other);
        // A label that is nearer to another point names the wrong one.
        const double own = box.Distance(request.x, request.y);
        for (const LabelRequest& other : requests) {
          if (&other != &request && box.Distance(other.x, other.y) < own + kClearance)
            cost += kWrongPointCost;
        }
        if (least >= 0 && cost >= least) continue;
        least = cost;
        best = box;
      }
    }
    if (least < 0) best = {request.x, request.y, request.x + request.width, request.y + request.height};
    placed.push_back(best);
  }
  return placed;
}

std::string DrawBars(const BarChart& chart, double width) {
  constexpr double kRow = 25, kBar = 15, kThinRow = 36, kThinBar = 13;
  constexpr double kMostMark = 1.5;  // times the longest bar: marks further out would leave the bars no room
  double label_width = 0, text_width = 0, most = 0, most_mark = 0, height = 4;
  for (const BarRow& row : chart.rows) {
    label_width = std::max(label_width, TextWidth(CutText(row.label, kLabelColumns), kFont));
    height += row.parts.size() > 1 ? kThinRow : kRow;
    for (const BarPart& part : row.parts) {
      text_width = std::max(text_width, TextWidth(part.text, kFont));
      most = std::max(most, part.value);
      most_mark = std::max(most_mark, part.mark.value_or(0));
    }
  }
  most = std::max(most, most > 0 ? std::min(most_mark, kMostMark * most) : most_mark);
  const double left = label_width + 8;
  const double scale = most > 0 ? (width - left - text_width - 8) / most : 0;
  Svg svg(chart.name, width, height);
  double y = 2;
  for (const BarRow& row : chart.rows) {
    const bool thin = row.parts.size() > 1;
    const double row_height = thin ? kThinRow : kRow, bar = thin ? kThinBar : kBar;
    svg.text += Text(left - 8, y + row_height / 2 + 4, row.accent ? "name end strong" : "name end",
                     CutText(row.label, kLabelColumns));
    double top = y + (row_height - bar * static_cast<double>(row.parts.size())) / 2;
    for (size_t i = 0; i < row.parts.size(); ++i, top += bar) {
      const BarPart& part = row.parts[i];
      svg.OpenMark(part.tip, row.accent ? "accent" : "plain");
      const double hit_height = row_height / static_cast<double>(row.parts.size());
      svg.text += Rect(left, y + hit_height * static_cast<double>(i), width - left, hit_height, "hit");
      const double length = std::max(1.0, part.value * scale);
      svg.text += Rect(left, top + 1, length, bar - 2, i == 0 ? "bar" : "bar hatched");
      double text_at = length;
      if (part.mark) {
        const double mark_at = std::min(*part.mark, most) * scale;
        svg.text += *part.mark <= most ? Diamond(left + mark_at, top + bar / 2, 4, "mean")
                                       : Arrow(left + mark_at, top + bar / 2, 4, "mean");
        text_at = std::max(length, mark_at + 4);
      }
      svg.text +=
          Text(left + text_at + 5, top + bar / 2 + 4, row.accent ? "value strong" : "value", part.text);
      svg.CloseMark();
    }
    y += row_height;
  }
  svg.text += LineTo(left - 0.5, 0, left - 0.5, height, "axis");
  return svg.Finish();
}

std::string DrawScatter(const ScatterChart& chart, double width) {
  const double height = std::min(430.0, width * 0.95);
  constexpr double kTop = 24, kBottom = 46;
  std::vector<double> speeds, shares;
  for (const ScatterPoint& point : chart.points) {
    speeds.push_back(point.speed);
    shares.push_back(point.share);
  }
  const LogAxis y_axis(shares, kTop, height - kBottom);  // small shares at the top
  const std::vector<double> y_ticks = y_axis.Ticks(8);
  double left = 0;
  for (const double tick : y_ticks) left = std::max(left, TextWidth(ShareTick(tick), kTickFont) + 12);
  const double right = width - 10, bottom = height - kBottom;
  const LogAxis x_axis(speeds, left, right);

  Svg svg(chart.name, width, height);
  svg.text += Text(0, 11, "tick", "archive, % of the original – smaller is higher");
  for (const double tick : y_ticks) {
    svg.text += LineTo(left, y_axis.Map(tick), right, y_axis.Map(tick), "grid");
    svg.text += Text(left - 7, y_axis.Map(tick) + 4, "tick end", ShareTick(tick));
  }
  for (const double tick : x_axis.Ticks(static_cast<size_t>((right - left) / 62))) {
    const double x = x_axis.Map(tick);
    svg.text += LineTo(x, kTop, x, bottom, "grid");
    // Kept within the chart at both ends.
    const double half = TextWidth(SpeedTick(tick), kTickFont) / 2;
    svg.text += Text(std::clamp(x, half, width - half), bottom + 17, "tick middle", SpeedTick(tick));
  }
  svg.text += Text((left + right) / 2, height - 6, "tick middle", chart.x_title);

  // The front as a staircase: what lies below and left of it is beaten in both.
  std::vector<const ScatterPoint*> front;
  for (const ScatterPoint& point : chart.points) {
    if (point.on_front) front.push_back(&point);
  }
  std::sort(front.begin(), front.end(),
            [](const ScatterPoint* a, const ScatterPoint* b) { return a->speed < b->speed; });
  std::vector<Box> avoid;
  if (!front.empty()) {
    std::string path = "M" + Px(left) + " " + Px(y_axis.Map(front.front()->share));
    double last_x = left;
    for (const ScatterPoint* point : front) {
      const double x = x_axis.Map(point->speed), y = y_axis.Map(point->share);
      path += "V" + Px(y) + "H" + Px(x);
      avoid.push_back({last_x, y - 1, x, y + 1});
      last_x = x;
    }
    for (size_t i = 0; i < front.size(); ++i) {
      const double x = x_axis.Map(front[i]->speed);
      const double y = i + 1 < front.size() ? y_axis.Map(front[i + 1]->share) : bottom;
      avoid.push_back({x - 1, y_axis.Map(front[i]->share), x + 1, y});
    }
    path += "V" + Px(bottom);
    svg.text += "<path d=\"" + path + "H" + Px(left) + "z\" class=\"beaten\"/><path d=\"" + path +
                "\" class=\"front\"/>\n";
  }

  std::vector<LabelRequest> requests;
  for (const ScatterPoint& point : chart.points) {
    const double x = x_axis.Map(point.speed), y = y_axis.Map(point.share);
    avoid.push_back({x - 7, y - 7, x + 7, y + 7});
    requests.push_back({x, y, TextWidth(CutText(point.label, kLabelColumns), kFont), 14});
  }
  const std::vector<Box> labels = PlaceLabels(requests, {left + 2, kTop, right, bottom}, avoid);
  for (size_t i = 0; i < labels.size(); ++i) {
    // A label away from its point gets a line to it.
    if (labels[i].Distance(requests[i].x, requests[i].y) <= 12) continue;
    svg.text +=
        LineTo(requests[i].x, requests[i].y, std::clamp(requests[i].x, labels[i].left, labels[i].right),
               std::clamp(requests[i].y, labels[i].top, labels[i].bottom), "leader");
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    const ScatterPoint& point = chart.points[i];
    svg.OpenMark(point.tip, point.accent ? "accent" : "plain");
    svg.text += Circle(requests[i].x, requests[i].y, 14, "hit");
    const char* css_class = point.on_front ? "point full" : "point";
    svg.text += point.accent ? Diamond(requests[i].x, requests[i].y, kPointRadius + 1.5, css_class)
                             : Circle(requests[i].x, requests[i].y, kPointRadius, css_class);
    svg.text += Text((labels[i].left + labels[i].right) / 2, labels[i].bottom - 3.5,
                     point.accent ? "name halo middle strong" : "name halo middle",
                     CutText(point.label, kLabelColumns));
    svg.CloseMark();
  }
  return svg.Finish();
}

std::string DrawLines(const LineChart& chart, double width) {
  constexpr double kTop = 24, kBottom = 30, kLabelRow = 14;
  const double height = std::max(280.0, kTop + kBottom + kLabelRow * static_cast<double>(chart.lines.size()));
  const double bottom = height - kBottom;
  std::vector<double> xs, ys;
  double label_width = 0;
  for (const Line& line : chart.lines) {
    label_width = std::max(label_width, TextWidth(CutText(line.label, kLabelColumns), kFont));
    for (const LinePoint& point : line.points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
  }
  std::sort(xs.begin(), xs.end());
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  const LogAxis y_axis(ys, bottom, kTop);
  const std::vector<double> y_ticks = y_axis.Ticks(7);
  double left = 0;
  for (const double tick : y_ticks) left = std::max(left, TextWidth(chart.y_tick(tick), kTickFont) + 12);
  const double right = width - label_width - 22;
  const LogAxis x_axis(xs, left, right);

  Svg svg(chart.name, width, height);
  svg.text += Text(0, 11, "tick", chart.y_title);
  for (const double tick : y_ticks) {
    svg.text += LineTo(left, y_axis.Map(tick), right, y_axis.Map(tick), "grid");
    svg.text += Text(left - 7, y_axis.Map(tick) + 4, "tick end", chart.y_tick(tick));
  }
  double free_from = 0;  // labels of sizes that would touch are left out
  for (const double x : xs) {
    svg.text += LineTo(x_axis.Map(x), bottom, x_axis.Map(x), bottom + 4, "axis");
    const double half = TextWidth(chart.x_tick(x), kTickFont) / 2;
    if (x_axis.Map(x) - half < free_from) continue;
    svg.text += Text(x_axis.Map(x), bottom + 18, "tick middle", chart.x_tick(x));
    free_from = x_axis.Map(x) + half + 4;
  }
  svg.text += LineTo(left, bottom, right, bottom, "axis");

  // Labels at the ends, in the order of the ends, pushed apart downwards and then back up into the chart.
  std::vector<std::pair<double, size_t>> ends;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    if (!chart.lines[i].points.empty()) ends.push_back({y_axis.Map(chart.lines[i].points.back().y), i});
  }
  std::sort(ends.begin(), ends.end());
  std::vector<double> label_y(chart.lines.size());
  double free_y = kTop;
  for (const auto& [y, i] : ends) free_y = (label_y[i] = std::max(y, free_y)) + kLabelRow;
  double limit = bottom;
  for (size_t k = ends.size(); k-- > 0;) {
    double& y = label_y[ends[k].second];
    y = std::min(y, limit);
    limit = y - kLabelRow;
  }

  size_t n_plain = 0, n_accent = 0;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const Line& line = chart.lines[i];
    if (line.points.empty()) continue;
    const size_t number = line.accent ? n_accent++ : n_plain++;
    const std::string colour = line.accent ? "accent" : "s" + std::to_string(number % kNSeriesColours);
    const size_t dash = line.accent ? number % kNDashes : (number / kNSeriesColours + number) % kNDashes;
    std::string points;
    for (const LinePoint& point : line.points) {
      points += points.empty() ? "" : " ";
      points += Px(x_axis.Map(point.x));
      points += ",";
      points += Px(y_axis.Map(point.y));
    }
    svg.text +=
        "<polyline points=\"" + points + "\" class=\"line " + colour + " d" + std::to_string(dash) + "\"/>\n";
    const double end_y = y_axis.Map(line.points.back().y), end_x = x_axis.Map(line.points.back().x);
    svg.text += LineTo(end_x + 6, end_y, right + 8, label_y[i], "leader");
    svg.text += Text(right + 12, label_y[i] + 4, line.accent ? "name strong" : "name",
                     CutText(line.label, kLabelColumns));
    for (const LinePoint& point : line.points) {
      svg.OpenMark(point.tip, colour.c_str());
      svg.text += Circle(x_axis.Map(point.x), y_axis.Map(point.y), 12, "hit");
      svg.text += LineMarker(number, x_axis.Map(point.x), y_axis.Map(point.y));
      svg.CloseMark();
    }
  }
  return svg.Finish();
}

}  // namespace pith::bench
