#include "predict/record_tracker.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace pith {
namespace {

// Feeds a tracker as ByteMixer does, by the definitions of docs/byte_mixing.md section 3.
class Follower {
 public:
  explicit Follower(size_t capacity) : history_(capacity, '\0'), tracker_(Bytes()) {}

  void Append(std::string_view text) {
    for (const char letter : text) {
      const uint32_t c = static_cast<uint8_t>(letter);
      const uint32_t above = Above();
      const uint32_t before = position_ != 0 ? Bytes()[position_ - 1] : 0;
      const uint64_t inside = inside_;
      history_[position_++] = letter;
      if (c == '\n') {
        above_begin_ = line_begin_;
        line_begin_ = position_;
        field_ = 0;
        inside_ = 0;
      } else if (IsSeparator(c)) {
        ++field_;
        inside_ = 0;
      } else {
        inside_ = bit_histories::Mix(inside_ + c + 1);
      }
      tracker_.Append(c, before, above, inside, field_, position_);
    }
  }

  const RecordTracker& tracker() const { return tracker_; }

 private:
  const uint8_t* Bytes() const { return reinterpret_cast<const uint8_t*>(history_.data()); }
  uint32_t Above() const {
    const uint32_t at = above_begin_ + (position_ - line_begin_);
    return at < line_begin_ ? Bytes()[at] : 0;
  }

  std::string history_;
  RecordTracker tracker_;
  uint32_t position_ = 0, line_begin_ = 0, above_begin_ = 0, field_ = 0;
  uint64_t inside_ = 0;
};

uint64_t HashOf(std::string_view field) {
  uint64_t h = 0;
  for (const char c : field) h = bit_histories::Mix(h + static_cast<uint8_t>(c) + 1);
  return h;
}

TEST(RecordTracker, KnowsTheSameFieldOfAnEarlierLineWhateverItsColumn) {
  Follower f(100);
  f.Append("7,north,12\n12345,s");
  EXPECT_EQ(f.tracker().InRole(0), uint32_t{'o'});     // after the n of north
  EXPECT_EQ(f.tracker().InRole(0, 1), uint32_t{'r'});
  f.Append("outh,");
  EXPECT_EQ(f.tracker().InRole(0), uint32_t{'1'});
  EXPECT_EQ(f.tracker().in_field(), 0u);
  EXPECT_EQ(f.tracker().last_field(), HashOf("south"));
}

TEST(RecordTracker, KnowsWhatFollowedTheSameFieldAndTheSameKey) {
  Follower f(200);
  f.Append("Rome Italy\nOslo Norway\nRome ");
  EXPECT_EQ(f.tracker().InRole(1), uint32_t{'I'});
  Follower g(200);
  g.Append("{\"id\": 31, \"ok\": true}\n{\"id\": 4");
  EXPECT_EQ(g.tracker().key(), HashOf("id"));
  EXPECT_EQ(g.tracker().InRole(2), uint32_t{'1'});
  g.Append(", \"ok\": ");
  EXPECT_EQ(g.tracker().key(), HashOf("ok"));
  EXPECT_EQ(g.tracker().InRole(2), uint32_t{'t'});
}

TEST(RecordTracker, LooksBackFieldByField) {
  Follower f(100);
  f.Append("10.5,20.25,10.7,2");
  EXPECT_EQ(f.tracker().FieldBack(2), uint32_t{'0'});  // of 20.25
  EXPECT_EQ(f.tracker().FieldBack(2, 1), uint32_t{'.'});
  EXPECT_EQ(f.tracker().FieldBack(1), uint32_t{'0'});  // of 10.7
  f.Append("0.255");
  EXPECT_EQ(f.tracker().FieldBack(1), 0u);             // 10.7 and its comma are over
  EXPECT_EQ(f.tracker().digits(), 6u);
}

TEST(RecordTracker, NothingIsKnownInTheBeginning) {
  Follower f(10);
  f.Append("abc");
  for (uint32_t k = 0; k < RecordTracker::kRoles; ++k) EXPECT_EQ(f.tracker().InRole(k), 0u);
  EXPECT_EQ(f.tracker().FieldBack(1), 0u);
  EXPECT_EQ(f.tracker().FieldBack(2), 0u);
  EXPECT_EQ(f.tracker().in_field(), 3u);
  EXPECT_EQ(f.tracker().element(), 0u);
  EXPECT_EQ(f.tracker().agree(), 0u);
}

TEST(RecordTracker, CountsBytesThatAgreeWithThoseAbove) {
  Follower f(100);
  f.Append("0000000000000000000012\n000");
  EXPECT_EQ(f.tracker().agree(), 3u);
  f.Append("1");
  EXPECT_EQ(f.tracker().agree(), 0u);
  f.Append("0000000000000000");
  EXPECT_EQ(f.tracker().agree(), 15u);  // no more
}

TEST(RecordTracker, FollowsElementsAndBrackets) {
  Follower f(400);
  f.Append("<a><b x='1'>t");
  EXPECT_EQ(f.tracker().element(), HashOf("b"));
  EXPECT_EQ(f.tracker().last_element(), HashOf("b"));
  f.Append("</b>");
  EXPECT_EQ(f.tracker().element(), HashOf("a"));
  f.Append("<c/><d e='2' /><!-- f --><?g h?>");
  EXPECT_EQ(f.tracker().element(), HashOf("a"));
  f.Append("</a></a></a>");
  EXPECT_EQ(f.tracker().element(), 0u);
  f.Append("\"k\":[");
  EXPECT_EQ(f.tracker().element(), bit_histories::Mix(HashOf("k") + '['));
  f.Append("1]");
  EXPECT_EQ(f.tracker().element(), 0u);
}

TEST(RecordTracker, MoreIsOpenThanItKeeps) {
  Follower f(1000);
  f.Append(std::string(200, '['));
  EXPECT_NE(f.tracker().element(), 0u);
  f.Append(std::string(64, ']'));
  EXPECT_EQ(f.tracker().element(), 0u);
  f.Append(std::string(300, ']'));
  EXPECT_EQ(f.tracker().element(), 0u);
}

}  // namespace
}  // namespace pith
