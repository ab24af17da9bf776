#include "report/chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "report/axis.h"

namespace pith::bench {
namespace {

TEST(LogAxis, MapsItsEndsWithRoomAround) {
  const LogAxis axis({1, 100}, 0, 200);
  EXPECT_GT(axis.Map(1), 0);
  EXPECT_LT(axis.Map(100), 200);
  EXPECT_NEAR(axis.Map(10), 100, 1e-9);
  const LogAxis down({1, 100}, 200, 0);
  EXPECT_NEAR(down.Map(10), 100, 1e-9);
  EXPECT_GT(down.Map(1), down.Map(100));
}

TEST(LogAxis, OneValueAndNoneGetAnAxis) {
  const LogAxis one({5}, 0, 100);
  EXPECT_NEAR(one.Map(5), 50, 1e-9);
  EXPECT_GE(one.Ticks(6).size(), 2u);
  const LogAxis none({}, 0, 100);
  EXPECT_GE(none.Ticks(6).size(), 2u);
  const LogAxis odd({0, -1, INFINITY, NAN}, 0, 100);
  EXPECT_TRUE(std::isfinite(odd.Map(1)));
}

TEST(LogAxis, TicksAreInRangeRisingAndFewEnough) {
  for (const double ratio : {1.01, 1.3, 2.0, 5.0, 30.0, 1e3, 1e6, 1e12}) {
    for (const size_t most : {3, 4, 6, 8}) {
      const LogAxis axis({0.07, 0.07 * ratio}, 0, 300);
      const std::vector<double> ticks = axis.Ticks(most);
      EXPECT_GE(ticks.size(), 2u) << ratio;
      EXPECT_LE(ticks.size(), most) << ratio;
      for (size_t i = 0; i < ticks.size(); ++i) {
        EXPECT_GE(ticks[i], axis.low() * (1 - 1e-9));
        EXPECT_LE(ticks[i], axis.high() * (1 + 1e-9));
        if (i > 0) {
          EXPECT_GT(ticks[i], ticks[i - 1]);
        }
      }
    }
  }
}

TEST(LogAxis, TickTextsHaveNoDigitsThatSayNothing) {
  EXPECT_EQ(ShareTick(0.08), "8 %");
  EXPECT_EQ(ShareTick(0.005), "0.5 %");
  EXPECT_EQ(SpeedTick(100'000), "100 KB/s");
  EXPECT_EQ(SpeedTick(1e6), "1 MB/s");
  EXPECT_EQ(SpeedTick(std::pow(10, 9) * 0.9999999999), "1 GB/s");
}

double SumOfOverlaps(const std::vector<Box>& boxes) {
  double sum = 0;
  for (size_t i = 0; i < boxes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) sum += boxes[i].Overlap(boxes[j]);
  }
  return sum;
}

TEST(PlaceLabels, TwelveLabelsDoNotOverlapAndStayInside) {
  const Box room{0, 0, 460, 360};
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<LabelRequest> requests;
    std::vector<Box> avoid;
    for (int i = 0; i < 12; ++i) {
      const double x = 20 + static_cast<double>(random() % 420), y = 20 + static_cast<double>(random() % 320);
      requests.push_back({x, y, 60, 14});
      avoid.push_back({x - 7, y - 7, x + 7, y + 7});
    }
    const std::vector<Box> boxes = PlaceLabels(requests, room, avoid);
    EXPECT_EQ(SumOfOverlaps(boxes), 0) << "round " << round;
    for (const Box& box : boxes) {
      EXPECT_GE(box.left, room.left);
      EXPECT_LE(box.right, room.right);
      EXPECT_GE(box.top, room.top);
      EXPECT_LE(box.bottom, room.bottom);
    }
  }
}

TEST(PlaceLabels, ALabelIsNearestToItsOwnPoint) {
  const std::vector<LabelRequest> requests = {{100, 100, 50, 14}, {125, 102, 50, 14}, {130, 118, 50, 14}};
  const std::vector<Box> boxes = PlaceLabels(requests, {0, 0, 300, 300}, {});
  for (size_t i = 0; i < boxes.size(); ++i) {
    const double own = boxes[i].Distance(requests[i].x, requests[i].y);
    for (size_t j = 0; j < boxes.size(); ++j)
      EXPECT_GE(boxes[i].Distance(requests[j].x, requests[j].y), own) << i << " " << j;
  }
}

TEST(PlaceLabels, ALabelLargerThanTheRoomStillGetsAPlace) {
  EXPECT_EQ(PlaceLabels({{5, 5, 100, 100}}, {0, 0, 10, 10}, {}).size(), 1u);
}

size_t Count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

TEST(Charts, OneMarkIsInTheTabOrder) {
  BarChart bars{.name = "bars <&>"};
  bars.rows = {{"a", true, {{0.5, "50 %", "a\n50 %", 0.6}}}, {"b", false, {{1, "100 %", "b\n100 %", {}}}}};
  const std::string drawn = DrawBars(bars, 336);
  EXPECT_EQ(Count(drawn, "class=\"mark "), 2u);
  EXPECT_EQ(Count(drawn, "tabindex=\"0\""), 1u);
  EXPECT_EQ(Count(drawn, "tabindex=\"-1\""), 1u);
  EXPECT_NE(drawn.find("aria-label=\"bars &lt;&amp;&gt;\""), std::string::npos);
}

// The bar of half the value has half the length; the longest leaves room for its text.
TEST(Charts, BarsBeginAtZeroAndAreInProportion) {
  BarChart bars{.name = "bars"};
  bars.rows = {{"a", false, {{1, "1", "a", {}}}}, {"b", false, {{2, "2", "b", {}}}}};
  const std::string drawn = DrawBars(bars, 300);
  std::vector<double> lengths;
  for (size_t at = drawn.find("class=\"bar\""); at != std::string::npos;
       at = drawn.find("class=\"bar\"", at + 1)) {
    const size_t width = drawn.rfind(" width=\"", at);
    lengths.push_back(std::atof(drawn.c_str() + width + 8));
  }
  ASSERT_EQ(lengths.size(), 2u);
  EXPECT_NEAR(lengths[1], 2 * lengths[0], 0.11);
  EXPECT_LT(lengths[1], 300);
}

TEST(Charts, AMarkFarOutIsAnArrowAndLeavesTheBarsTheirLength) {
  BarChart bars{.name = "bars"};
  bars.rows = {{"a", false, {{1, "1", "a", 1.2}}}, {"b", false, {{2, "2", "b", 2.5}}}};
  const auto longest = [](const std::string& drawn) {
    const size_t at = drawn.rfind("class=\"bar\"");
    return std::atof(drawn.c_str() + drawn.rfind(" width=\"", at) + 8);
  };
  const std::string near = DrawBars(bars, 300);
  EXPECT_EQ(Count(near, "class=\"mean\""), 2u);
  const std::string arrow = "l8 4l-8 4z";
  EXPECT_EQ(Count(near, arrow), 0u);
  bars.rows[1].parts[0].mark = 200;
  const std::string far = DrawBars(bars, 300);
  EXPECT_EQ(Count(far, "class=\"mean\""), 2u);
  EXPECT_EQ(Count(far, arrow), 1u) << far;
  EXPECT_GT(longest(far), 100);
}

TEST(Charts, NothingAndZerosDraw) {
  EXPECT_NE(DrawBars({.name = "none"}, 300).find("</svg>"), std::string::npos);
  BarChart zeros{.name = "zeros"};
  zeros.rows = {{"a", false, {{0, "0", "a", {}}}}};
  EXPECT_EQ(DrawBars(zeros, 300).find("nan"), std::string::npos);
  EXPECT_NE(DrawScatter({.name = "none"}, 300).find("</svg>"), std::string::npos);
  EXPECT_NE(DrawLines({.name = "none", .x_tick = SpeedTick, .y_tick = SpeedTick}, 300).find("</svg>"),
            std::string::npos);
}

TEST(Charts, TheFrontIsAStaircaseThroughItsPoints) {
  ScatterChart chart{.name = "scatter", .x_title = "speed"};
  chart.points = {{"slow", 1e5, 0.1, true, true, "slow"},
                  {"fast", 1e7, 0.3, false, true, "fast"},
                  {"beaten", 1e5, 0.3, false, false, "beaten"}};
  const std::string drawn = DrawScatter(chart, 520);
  EXPECT_EQ(Count(drawn, "point full"), 2u);
  EXPECT_EQ(Count(drawn, "class=\"front\""), 1u);
  const size_t path = drawn.rfind("<path d=\"", drawn.find("class=\"front\""));
  const std::string steps = drawn.substr(path, drawn.find("class=\"front\"") - path);
  EXPECT_EQ(Count(steps, "V"), 3u);
  EXPECT_EQ(Count(steps, "H"), 2u);
}

}  // namespace
}  // namespace pith::bench
