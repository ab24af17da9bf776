// Charts as SVG elements for a page: no script needed, colours by classes of the page's style sheet.
//
// Every mark is a group of class "mark" that can be focused and is named (aria-label); the first line of its
// name is what it is, the others are its numbers. One mark of a chart is in the tab order, the page's script
// moves on to others. All texts are visible text (visible_text.h); the charts escape them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pith::bench {

// Horizontal bars from zero, one row for each label, each with one or two bars. A second number beyond one and a half times the
// longest bar is an arrow at the edge.
struct BarPart {
  double value = 0;
  std::string text;            // beside the bar
  std::string tip;             // name of the mark, lines
  std::optional<double> mark;  // a second number on the same scale, as a diamond
};
struct BarRow {
  std::string label;
  bool accent = false;
  std::vector<BarPart> parts;  // the second is hatched
};
struct BarChart {
  std::string name;
  std::vector<BarRow> rows;
};
std::string DrawBars(const BarChart& chart, double width);

// Shares over speeds, both axes logarithmic; small and fast is at the top right. Points on the front are
// filled and joined.
struct ScatterPoint {
  std::string label;
  double speed = 0, share = 0;
  bool accent = false;
  bool on_front = false;
  std::string tip;
};
struct ScatterChart {
  std::string name;
  std::string x_title;
  std::vector<ScatterPoint> points;
};
std::string DrawScatter(const ScatterChart& chart, double width);

// Lines over sizes of files; each has its own marker and dashes, and its label at its end.
struct LinePoint {
  double x = 0, y = 0;
  std::string tip;
};
struct Line {
  std::string label;
  bool accent = false;
  std::vector<LinePoint> points;  // rising x
};
struct LineChart {
  std::string name;
  std::string y_title;
  std::string (*x_tick)(double) = nullptr;
  std::string (*y_tick)(double) = nullptr;
  std::vector<Line> lines;
};
std::string DrawLines(const LineChart& chart, double width);

// Places for labels beside points so that they cover neither each other nor a point, and are nearest to their
// own, where that can be had.
struct Box {
  double left, top, right, bottom;
  double Overlap(const Box& other) const;     // area
  double Distance(double x, double y) const;  // of a point; 0 inside
};
struct LabelRequest {
  double x, y;           // of the point
  double width, height;  // of the label
};
// `room` is what labels may not leave, `avoid` what they should not cover.
std::vector<Box> PlaceLabels(const std::vector<LabelRequest>& requests, const Box& room,
                             const std::vector<Box>& avoid);

// Estimated width of text at a font size of `pixels`; a little more rather than less.
double TextWidth(const std::string& text, double pixels);

}  // namespace pith::bench
