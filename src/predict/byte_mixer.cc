#include "predict/byte_mixer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "predict/bit_histories.h"
#include "predict/byte_kinds.h"
#include "predict/mixer_lanes.h"
#include "predict/number_tracker.h"
#include "predict/record_tracker.h"

namespace pith {
namespace {

using namespace bit_histories;

inline void Prefetch(const void* p) { __builtin_prefetch(p, 1); }

// ---- The strengths ---------------------------------------------------------------------------------------------------

// The numbers were found by trying, on prose, logs, tables, markup and code of 4 KB to 1 MB.
struct Fast {
  static constexpr bool kStrong = false;
  static constexpr bool kThorough = false;
  static constexpr bool kNumeric = false;
  static constexpr size_t kContexts = 6;
  static constexpr size_t kTableContexts = kContexts;
  static constexpr size_t kMatches = 1;
  static constexpr uint32_t kMatchLengths[] = {6};
  static constexpr size_t kDirect = 1;
  static constexpr size_t kSets = 2;
  static constexpr size_t kFinals = 0;
  static constexpr uint32_t kRows[] = {256, 128};
  static constexpr size_t kCorrections = 2;
  static constexpr int kMaxLineBits = 19;  // 32 MiB
  static constexpr int kFirstWeight = 127;  // of 1024
  static constexpr int kFirstMatchWeight = 1 << 28;
  static constexpr int kFirstRate = 79;
  static constexpr int kLastRate = 3;
  static constexpr int kRateShift = 9;
  static constexpr int kMapLimit = 560;
  static constexpr int kCorrectionShift = 4;
};

struct Strong {
  static constexpr bool kStrong = true;
  static constexpr bool kThorough = false;
  static constexpr bool kNumeric = false;
  static constexpr size_t kContexts = 24;
  static constexpr size_t kTableContexts = kContexts;
  static constexpr size_t kMatches = 2;
  static constexpr uint32_t kMatchLengths[] = {5, 12};
  static constexpr size_t kDirect = 3;
  static constexpr size_t kSets = 6;
  static constexpr size_t kFinals = 1;
  static constexpr uint32_t kRows[] = {256, 256, 256, 2048, 256, 768};
  static constexpr size_t kCorrections = 3;
  static constexpr int kMaxLineBits = 19;
  static constexpr int kFirstWeight = 54;
  static constexpr int kFirstMatchWeight = 1 << 28;
  static constexpr int kFirstRate = 50;
  static constexpr int kLastRate = 5;
  static constexpr int kRateShift = 10;
  static constexpr int kMapLimit = 400;
  static constexpr int kCorrectionShift = 5;
  static constexpr int kFinalShift = 4;
};

// For records: logs, tables, JSON, XML. What it adds to the strong one it has from RecordTracker. 0.6.0 and 0.7.0 wrote it.
struct Thorough {
  static constexpr bool kStrong = true;
  static constexpr bool kThorough = true;
  static constexpr bool kNumeric = false;
  static constexpr size_t kContexts = 52;
  static constexpr size_t kTableContexts = kContexts;  // of numeric, too: 64 would double the table of small blocks
  static constexpr size_t kMatches = 3;
  static constexpr uint32_t kMatchLengths[] = {5, 12, 24};
  static constexpr size_t kDirect = 9;
  static constexpr size_t kSets = 12;
  static constexpr size_t kFinals = 4;
  static constexpr uint32_t kRows[] = {256, 256, 256, 2048, 768, 256, 256, 256, 128, 128, 256, 256};
  static constexpr size_t kCorrections = 3;
  static constexpr int kMaxLineBits = 20;
  static constexpr int kFirstWeight = 20;
  static constexpr int kFirstMatchWeight = 1 << 27;
  static constexpr int kFirstRate = 20;
  static constexpr int kLastRate = 2;
  static constexpr int kRateShift = 10;
  static constexpr int kMapLimit = 1023;
  static constexpr int kCorrectionShift = 5;
  static constexpr int kFinalShift = 4;
};

// What it adds it has from NumberTracker, and, where no number is at hand, from more of the same.
struct Numeric : Thorough {
  static constexpr bool kNumeric = true;
  static constexpr size_t kContexts = 64;
  static constexpr size_t kSets = 13;
  static constexpr uint32_t kRows[] = {256, 256, 256, 2048, 768, 256, 256, 256, 136, 128, 256, 256, 8 * NumberTracker::kStates};
  static constexpr size_t kCorrections = 4;
  static constexpr int kFirstRate = 16;
  static constexpr int kRateShift = 13;
  static constexpr int kFinalShift = 3;
};

constexpr size_t kKnots = 33;       // of a correction
constexpr size_t kTrustClasses = 48;  // of a match
constexpr uint32_t kFirstKnotCount = 12;  // of those that are cells
constexpr uint32_t kKnotLimit = 255;
constexpr uint32_t kFinalRows[] = {256, 144, 256, 384};

template <typename Shape>
class ContextMixer final : public ByteMixer {
  static constexpr size_t kN = Shape::kContexts;
  static constexpr size_t kM = Shape::kMatches;
  static constexpr size_t kMatchInputs = 2 * kN;
  static constexpr size_t kDirectInputs = kMatchInputs + 2 * kM;
  static constexpr size_t kInputs = kDirectInputs + Shape::kDirect + 1;  // the last one is the bias
  static_assert(kInputs % mixer_lanes::kLanes == 0);
  static constexpr size_t kFinalStride = RoundUp(Shape::kSets, 8);

  static constexpr size_t kTrustLevels = Shape::kThorough ? 8 : 1;
  static constexpr int kFollowers3Bits = 18;
  static constexpr uint32_t kKnownClasses = Shape::kNumeric ? 17 : Shape::kThorough ? 14 : 16;

  using Knot = std::conditional_t<Shape::kNumeric, uint32_t, uint16_t>;  // numeric: a cell; else a probability in 16 bits

  // The states of the 15 nodes of half a byte in one context.
  struct alignas(16) Slot {
    uint8_t check;
    uint8_t states[15];
  };
  struct Line {
    Slot slots[4];
  };
  static_assert(sizeof(Line) == kCacheLine);

  struct Match {
    uint32_t position = 0;  // of the expected byte; 0: none
    uint32_t length = 0;
    uint32_t misses = 0;
    uint32_t expected = 0;     // byte + 256; 0: none
    uint32_t trust_class = 0;
    uint32_t long_class = 0;    // `long` of section 7, should it be live
    uint32_t* trust = nullptr;  // for this bit; not live: one that nobody reads
    uint32_t no_trust = 0;
    uint32_t* head = nullptr;   // of the last bytes; null: there are too few
    std::vector<uint32_t> heads;
  };

 public:
  explicit ContextMixer(uint32_t content_size)
      : t_(TheTables()),
        size_bits_(SizeBits(content_size)),
        lines_(size_t{1} << LineBits(content_size)),
        history_(content_size),
        maps_(kN * 256),
        direct_(DirectSize(size_bits_)),
        trust_(kM * kTrustClasses * kTrustLevels),
        records_(history_.data()),
        numbers_(history_.data()) {
    lines_.PreferLargePages();
    for (size_t i = 0; i < maps_.size(); ++i) maps_[i] = t_.initial[i % 256];
    std::fill(direct_.span().begin(), direct_.span().end(), Entry(1, 2, 0));
    for (size_t i = 0; i < trust_.size(); ++i) {
      const uint32_t n = 2 * static_cast<uint32_t>(i / kTrustLevels % kTrustClasses) + 2;
      trust_[i] = Entry(n, n + 2, 8);
    }
    for (size_t k = 0; k < Shape::kSets; ++k) {
      weights_[k] = AlignedBuffer<int32_t>(Shape::kRows[k] * kInputs);
      for (size_t at = 0; at < weights_[k].size(); at += kInputs) {
        for (size_t i = 0; i < kN; ++i) weights_[k][at + 2 * i] = Shape::kFirstWeight << 19;
        for (size_t m = 0; m < kM; ++m) weights_[k][at + kMatchInputs + 2 * m] = Shape::kFirstMatchWeight;
      }
    }
    for (size_t f = 0; f < Shape::kFinals; ++f) {
      finals_[f].assign(kFinalRows[f] * kFinalStride, (1 << 29) / static_cast<int>(Shape::kSets));
    }
    for (Match& match : matches_) match.heads.resize(size_t{1} << size_bits_);
    for (size_t j = 0; j < Shape::kCorrections; ++j) {
      corrections_[j].resize((j == 0 ? 768 : size_t{1} << CorrectionBits(size_bits_)) * kKnots);
      for (size_t i = 0; i < corrections_[j].size(); ++i) {
        const auto first = static_cast<uint32_t>(t_.Squash((static_cast<int>(i % kKnots) - 16) * 128));
        corrections_[j][i] = static_cast<Knot>(Shape::kNumeric ? first << 16 | kFirstKnotCount : first);
      }
    }
    if constexpr (Shape::kStrong) {
      followers1_.resize(256);
      followers2_.resize(1 << 16);
      if constexpr (Shape::kThorough) followers3_.resize(size_t{1} << kFollowers3Bits);
    }
    StartByte();
    Predict();
  }

  static uint64_t MemoryBytes(uint32_t content_size) {
    const int size_bits = SizeBits(content_size);
    uint64_t rows = 0;
    for (const uint32_t n : Shape::kRows) rows += n;
    uint64_t corrections = 768 + ((Shape::kCorrections - 1) << CorrectionBits(size_bits));
    return (sizeof(Line) << LineBits(content_size)) + content_size + 4 * DirectSize(size_bits) +
           4 * rows * kInputs + (kM << (2 + size_bits)) + sizeof(Knot) * kKnots * corrections +
           (Shape::kStrong ? 4 * (256 + (1 << 16)) : 0) + (Shape::kThorough ? RecordTracker::MemoryBytes() + (4 << kFollowers3Bits) : 0);
  }

  void Learn(int bit) override {
    LearnBit(bit);
    partial_ = 2 * partial_ + static_cast<uint32_t>(bit);
    if (partial_ >= 256) {
      EndByte(static_cast<uint8_t>(partial_));
      StartByte();
    } else if (partial_ >= 16 && partial_ < 32) {
      FindSlots();
    } else if (partial_ >= 8 && partial_ < 16) {
      // The next half's lines, whichever the bit that is still to come: memory takes as long as a bit.
      for (size_t i = 0; i < kN; ++i) {
        for (uint32_t b = 0; b < 2; ++b) Prefetch(&lines_[LineOf(Mix(contexts_[i] + 2 * partial_ + b))]);
      }
    } else if (partial_ >= 128 && !Shape::kStrong) {
      for (uint32_t b = 0; b < 2; ++b) PrefetchNextByte((2 * partial_ + b) & 0xff);
    }
    Predict();
  }

 private:
  // Sizes, section 2.
  static int SizeBits(uint32_t content_size) { return std::clamp(static_cast<int>(std::bit_width(content_size)), 10, 20); }
  static int LineBits(uint32_t content_size) {
    const uint64_t wanted = uint64_t{content_size} * Shape::kTableContexts / 4;  // room for half of what could be different
    return std::clamp(static_cast<int>(std::bit_width(wanted)), 10, Shape::kMaxLineBits);
  }
  static int CorrectionBits(int size_bits) { return std::min(size_bits, 16); }
  // The last inputs' cells: 256 for the bits of the byte at hand, 65,536 for these and the last byte, then those of the hashed
  // values, each with as many as the size asks for.
  static constexpr size_t kHashedDirect = Shape::kStrong ? Shape::kDirect - 2 : 0;
  static size_t DirectSize(int size_bits) {
    return Shape::kStrong ? 256 + 65536 + (kHashedDirect << size_bits) : 65536;
  }

  uint64_t LineOf(uint64_t hash) const { return hash >> 32 & (lines_.size() - 1); }

  uint32_t Byte(int back) const { return static_cast<uint32_t>(last_ >> (8 * (back - 1)) & 0xff); }
  int Level() const { return static_cast<int>(std::bit_width(partial_)) - 1; }

  uint64_t WordWith(uint32_t letter) const {
    return Mix(word_ + (letter >= 'A' && letter <= 'Z' ? letter + 32 : letter) + 1);
  }

  // Section 3: what is known of the stream.
  void EndByte(uint8_t byte) {
    const uint32_t c = byte;
    if constexpr (Shape::kStrong) {
      uint32_t& followers1 = followers1_[last_ & 0xff];
      followers1 = followers1 << 8 | c;
      uint32_t& followers2 = followers2_[last_ & 0xffff];
      followers2 = followers2 << 8 | c;
      if constexpr (Shape::kThorough) {
        uint32_t& followers3 = followers3_[Mix(LastOf(last_, 3)) >> (64 - kFollowers3Bits)];
        followers3 = followers3 << 8 | c;
      }
    }
    const uint32_t above = Shape::kThorough ? Above(0) : 0;
    const uint64_t inside = field_hash_;
    const uint32_t before = Byte(1);
    history_[position_++] = byte;
    last_ = last_ << 8 | c;
    partial_ = 1;
    const bool letter = IsLetter(c);
    if (letter) {
      word_ = WordWith(c);
    } else if (word_ != 0) {
      word2_ = word1_;
      word1_ = word_;
      word_ = 0;
    }
    if constexpr (Shape::kStrong) EndByteOfLine(c, letter);
    if constexpr (Shape::kThorough) records_.Append(c, before, above, inside, field_, position_);
    if constexpr (Shape::kNumeric) numbers_.Append(c, before, position_, records_.places());
    for (size_t m = 0; m < kM; ++m) FindHead(matches_[m], Shape::kMatchLengths[m]);
  }

  void EndByteOfLine(uint32_t c, bool letter) {
    const uint32_t kind = letter                  ? (c >= 128 ? 7 : c >= 'a' ? 1 : 6)
                          : IsDigit(c)           ? 2
                          : c == ' '             ? 3
                          : c == '\n'            ? 4
                          : c < 32               ? 5
                                                 : 8 + c % 8;
    kinds_ = kinds_ << 4 | kind;
    if (c == '\n') {
      above2_begin_ = above_begin_;
      above_begin_ = line_begin_;
      line_begin_ = position_;
      field_ = head_ = 0;
      field_hash_ = first_word_ = 0;
      return;
    }
    if (IsSeparator(c)) {
      ++field_;
      field_hash_ = 0;
    } else {
      field_hash_ = Mix(field_hash_ + c + 1);
    }
    if (first_word_ == 0 && !letter) first_word_ = word1_;
    if (position_ - line_begin_ <= 4) head_ = head_ * 271 + c + 1;
  }

  // Section 4. The head is looked up first and used later, when memory has answered.
  void FindHead(Match& match, uint32_t min_length) {
    match.head = nullptr;
    if (position_ < min_length) return;
    uint64_t h = 0;
    for (uint32_t i = 1; i <= min_length; ++i) h = (h + history_[position_ - i] + 1) * 0x2F0B4C47;
    match.head = &match.heads[h * 0x9E3779B97F4A7C15 >> (64 - size_bits_)];
    Prefetch(match.head);
  }

  void UpdateMatch(Match& match, uint32_t min_length) {
    const uint8_t c = history_[position_ - 1];
    if (match.position != 0) {
      if (history_[match.position] == c) {
        ++match.length;
        if (match.length > 15) match.misses = 0;
      } else {
        match.length = 0;
        ++match.misses;
      }
      ++match.position;
      if (match.misses == 8) match.position = match.length = match.misses = 0;
    }
    if (match.head != nullptr) {
      uint32_t& head = *match.head;
      if (head != 0 && (match.position == 0 || match.misses != 0)) {
        uint32_t n = 0;
        while (n < 32 && n < head && history_[head - 1 - n] == history_[position_ - 1 - n]) ++n;
        if (n >= min_length) {
          match.position = head;
          match.length = n;
          match.misses = 0;
        }
      }
      head = position_;
    }
    match.expected = match.position != 0 ? history_[match.position] + 256u : 0;
    const uint32_t length_class = match.length < 16 ? match.length : std::min(31u, 16 + (match.length - 16) / 8);
    match.trust_class = match.misses != 0 ? 32 + std::min(length_class, 15u) : length_class;
    const uint32_t k = match.trust_class;
    match.long_class = k >= 32 ? 1 : k >= 16 ? 11 + (k - 16) / 4 : 2 + k / 2;
  }

  // What UpdateMatch will compare.
  void PrefetchHeads() const {
    for (const Match& match : matches_) {
      if (match.head != nullptr && *match.head != 0) Prefetch(&history_[*match.head - 1]);
    }
  }

  void UpdateMatches() {
    if (position_ == 0) return;
    for (size_t m = 0; m < kM; ++m) UpdateMatch(matches_[m], Shape::kMatchLengths[m]);
  }

  uint32_t Above(uint32_t k) const {
    const uint32_t at = above_begin_ + (position_ - line_begin_) + k;
    return at < line_begin_ ? history_[at] : 0;
  }

  // Of the line before that one.
  uint32_t Above2(uint32_t k) const {
    const uint32_t at = above2_begin_ + (position_ - line_begin_) + k;
    return at < above_begin_ ? history_[at] : 0;
  }

  uint32_t Column() const { return std::min(position_ - line_begin_, 255u); }

  // Context i of a byte from its value, section 5.
  static uint64_t ContextHash(size_t i, uint64_t value) { return Mix(value + i * 0xD6E8FEB86659FD93); }

  static constexpr int kFastOrders[] = {1, 2, 3, 4, 6};
  static uint64_t LastOf(uint64_t bytes, int n) { return n == 8 ? bytes : bytes & ((uint64_t{1} << (8 * n)) - 1); }

  // The lines of the contexts of the byte after c, should that come.
  void PrefetchNextByte(uint32_t c) const {
    const uint64_t last = last_ << 8 | c;
    size_t i = 0;
    for (const int order : kFastOrders) Prefetch(&lines_[LineOf(ContextHash(i++, LastOf(last, order)))]);
    Prefetch(&lines_[LineOf(ContextHash(i, Hash(IsLetter(c) ? WordWith(c) : 0, c)))]);
  }

  // Section 5: the contexts of a byte, and what follows from the bytes alone.
  void StartByte() {
    size_t n = 0;
    const auto add = [&](uint64_t hash) {
      contexts_[n] = ContextHash(n, hash);
      Prefetch(&lines_[LineOf(contexts_[n])]);
      ++n;
    };
    const auto last = [&](int n_bytes) { return LastOf(last_, n_bytes); };
    const uint32_t c1 = Byte(1);
    if constexpr (!Shape::kStrong) {
      for (const int order : kFastOrders) add(last(order));
      add(Hash(word_, c1));
    } else {
      const uint32_t c2 = Byte(2), c3 = Byte(3), above = Above(0);
      add(0);
      for (const int order : {1, 2, 3, 4, 6, 8}) add(last(order));
      add(Hash(word_, c1));
      add(Hash(word_, word1_));
      add(Hash(word_, word1_, word2_));
      add(Hash(word_, word2_, c1));
      add(Hash(c2, c3));
      add(Hash(c1, c3));
      add(Hash(c3, Byte(4)));
      add(Hash(above, Column()));
      add(Hash(field_, field_hash_, head_));
      add(Hash(followers1_[last(1)] & 0xffffff, last(1)));
      add(Hash(followers2_[last(2)] & 0xffff, last(2)));
      add(Hash(kinds_, c1));
      add(Hash(above, Above(1), c1));
      add(Hash(field_, field_hash_, above));
      add(Hash(kinds_ & 0xffff, word_));
      UpdateMatches();
      expected_ = 0;
      for (const Match& match : matches_) expected_ = match.expected != 0 ? match.expected : expected_;
      add(Hash(expected_, last(2)));
      add(Hash(first_word_, word_));
      if constexpr (Shape::kThorough) AddRecordContexts(add);
      if constexpr (Shape::kNumeric) numbers_.at_hand() ? AddNumberContexts(add) : AddMoreContexts(add);
    }
    PITH_CHECK(n == kN);
    const int64_t first = (int64_t{Shape::kFirstRate} << (8 + Shape::kRateShift)) / ((int64_t{1} << Shape::kRateShift) + position_);
    rate_ = static_cast<int>(first + Shape::kLastRate * 256);
    if constexpr (!Shape::kStrong) PrefetchHeads();
    FindSlots();
    if constexpr (!Shape::kStrong) UpdateMatches();  // no context depends on them, and they wait for memory
  }

  template <typename Add>
  void AddRecordContexts(const Add& add) {
    const RecordTracker& r = records_;
    const uint32_t c1 = Byte(1), c2 = Byte(2), c3 = Byte(3), c4 = Byte(4), above = Above(0), in_field = r.in_field();
    add(Hash(field_hash_, r.last_field()));
    add(Hash(field_hash_, r.last_field(), field_));
    add(Hash(r.FieldBack(2), r.FieldBack(2, 1), std::min(in_field, 15u), c1));
    add(Hash(r.FieldBack(1), r.FieldBack(2), c1));
    add(Hash(r.InRole(0), r.InRole(0, 1), c1, std::min(in_field, 3u)));
    add(Hash(r.InRole(1), r.InRole(1, 1), c1, std::min(in_field, 3u)));
    add(Hash(r.InRole(2), r.InRole(2, 1), c1, std::min(in_field, 3u)));
    add(Hash(r.InRole(1), r.InRole(2), c1));
    add(Hash(above, Above(1), r.agree(), std::min(in_field, 7u)));
    add(Hash(above, Above2(0), c1));
    add(Hash(above, Above2(0), Column()));
    add(Hash(r.element(), field_hash_));
    add(Hash(r.last_element(), field_hash_));
    add(Hash(r.key(), field_hash_));
    add(Hash(r.digits(), c1, c2));
    add(Hash(r.digits(), field_));
    add(Hash(r.digits(), above, c1));
    add(Hash(followers3_[Mix(LastOf(last_, 3)) >> (64 - kFollowers3Bits)] & 0xffff, LastOf(last_, 3)));
    add(Hash(c1, c2, c4));
    add(Hash(c2, c3, c4));
    add(Hash(c1, c3, c4, Byte(5)));
    add(Hash(c4, Byte(5), Byte(6)));
    add(Hash(field_, c1, c2));
    add(Hash(head_, field_hash_));
    add(Hash(first_word_, field_hash_));
    add(Hash(kinds_ & 0xfff, above, c1));
    add(Hash(expected_, c1, Column()));
    add(Hash(matches_[0].expected, matches_[1].expected, matches_[2].expected, std::min(matches_[1].length, 15u)));
  }

  template <typename Add>
  void AddNumberContexts(const Add& add) {
    const NumberTracker& n = numbers_;
    add(Hash(n.float64()));
    add(Hash(n.float64(), Byte(1), Byte(2)));
    add(Hash(n.float32()));
    add(Hash(n.near_last()));
    add(Hash(n.near_last_but_one()));
    add(Hash(n.on_line()));
    add(Hash(n.on_line_of_pairs()));
    add(Hash(n.near_last_but_one(), n.on_line_of_pairs()));
    add(Hash(n.fraction(), n.places()));
    add(Hash(n.near_role(0)));
    add(Hash(n.near_role(1)));
    add(Hash(n.near_role(0), n.near_role(2), n.near_last()));
  }

  // Of the same places in the table where no number is at hand.
  template <typename Add>
  void AddMoreContexts(const Add& add) {
    const RecordTracker& r = records_;
    const uint32_t c1 = Byte(1), above = Above(0);
    add(LastOf(last_, 5));
    add(LastOf(last_, 7));
    add(Hash(field_hash_, r.last_field(), r.key()));
    add(Hash(field_hash_, r.key(), field_));
    add(Hash(field_hash_, expected_));
    add(Hash(field_hash_, r.InRole(0), field_));
    add(Hash(field_hash_, r.element(), r.key()));
    add(Hash(word_, r.element(), c1));
    add(Hash(word1_, word2_, c1));
    add(Hash(above, r.agree(), field_, c1));
    add(Hash(Column(), c1));
    add(Hash(followers1_[c1] & 0xffff, LastOf(last_, 2)));
  }

  // The lines of the last inputs' cells for the half byte that begins.
  void FindDirectLines() {
    size_t d = 0;
    const auto add = [&](uint64_t value) {
      const uint64_t line = Hash(value, partial_) >> (64 - (size_bits_ - 4));
      direct_lines_[d] = &direct_[256 + 65536 + (d << size_bits_) + 16 * line];
      Prefetch(direct_lines_[d]);
      ++d;
    };
    add(word_);
    for (const int n : {2, 3, 4}) add(LastOf(last_, n));
    add(Hash(field_hash_, field_));
    add(Hash(field_hash_, records_.last_field()));
    add(Hash(expected_, LastOf(last_, 2)));
  }

  // The slots of the half byte that begins.
  void FindSlots() {
    if constexpr (Shape::kThorough) FindDirectLines();
    for (size_t i = 0; i < kN; ++i) {
      const uint64_t hash = partial_ == 1 ? contexts_[i] : Mix(contexts_[i] + partial_);
      Slot* const slots = lines_[LineOf(hash)].slots;
      const uint8_t check = static_cast<uint8_t>(hash >> 24);
      unsigned hits = 0;
      for (int j = 0; j < 4; ++j) hits |= static_cast<unsigned>(slots[j].check == check) << j;
      Slot* found = &slots[hits != 0 ? std::countr_zero(hits) : 0];
      if (hits == 0) {
        // Without branches, which would go wrong half the time: the lower two bits say which slot it is.
        uint32_t least = ~0u;
        for (uint32_t j = 0; j < 4; ++j) least = std::min(least, uint32_t{slots[j].states[0]} << 2 | j);
        found = &slots[least & 3];
        *found = {check, {}};
      }
      slots_[i] = found->states;
    }
  }

  // Sections 6 and 7: inputs, mixers, corrections.
  void Predict() {
    const int level = Level();
    const int shift = 64 - CorrectionBits(size_bits_);
    const uint64_t correction1 = Hash(last_ & 0xff, partial_) >> shift;
    const uint64_t correction2 = Shape::kStrong ? Hash(last_ & 0xffffff, partial_) >> shift : 0;
    uint64_t correction3 = 0;
    if constexpr (Shape::kNumeric) correction3 = Hash(numbers_.near_last_but_one(), numbers_.state(), partial_) >> shift;
    Prefetch(&corrections_[1][correction1 * kKnots + kKnots / 2]);
    if constexpr (Shape::kStrong) Prefetch(&corrections_[2][correction2 * kKnots + kKnots / 2]);
    if constexpr (Shape::kNumeric) Prefetch(&corrections_[3][correction3 * kKnots + kKnots / 2]);
    const uint32_t node = level < 4 ? partial_ - 1 : (1u << (level - 4)) - 1 + (partial_ & ((1u << (level - 4)) - 1));
    uint32_t pairs[kInputs / 2];
    uint32_t known = 0, sided = 0;
    for (size_t i = 0; i < kN; ++i) {
      states_[i] = slots_[i] + node;
      const uint8_t state = *states_[i];
      entries_[i] = &maps_[i * 256 + state];
      known += state != 0 ? 1 : 0;
      if constexpr (Shape::kThorough) sided += t_.input_mask[state] > 0xffff ? 1 : 0;
      pairs[i] = t_.input_pair[Probability12(*entries_[i])] & t_.input_mask[state];
    }
    uint32_t expects = 0, length = 0;
    for (size_t m = 0; m < kM; ++m) {
      Match& match = matches_[m];
      const bool live = match.expected >> (8 - level) == partial_;
      const uint32_t expected_bit = match.expected >> (7 - level) & 1;
      match.trust = live ? &trust_[(m * kTrustClasses + match.trust_class) * kTrustLevels +
                                         static_cast<size_t>(level) % kTrustLevels] : &match.no_trust;
      const uint32_t p = Probability12(*match.trust);
      const int sign = static_cast<int>(2 * expected_bit) - 1;
      const uint32_t pair = InputPair(sign * t_.stretch[p], sign * ((static_cast<int>(p) - 2048) / 2));
      pairs[kMatchInputs / 2 + m] = live ? pair : 0;
      expects = live ? 1 + expected_bit : expects;
      length = live ? match.long_class : length;
    }
    const uint32_t c1 = Byte(1);
    if constexpr (Shape::kStrong) {
      direct_entries_[0] = &direct_[partial_];
      direct_entries_[1] = &direct_[256 + (c1 << 8 | partial_)];
      if constexpr (Shape::kThorough) {
        for (size_t d = 0; d < kHashedDirect; ++d) direct_entries_[2 + d] = direct_lines_[d] + node;
      } else {
        direct_entries_[2] = &direct_[256 + 65536 + (Hash(word_, partial_) >> (64 - size_bits_))];
      }
    } else {
      direct_entries_[0] = &direct_[c1 << 8 | partial_];
    }
    int direct[Shape::kDirect + 1];
    for (size_t d = 0; d < Shape::kDirect; ++d) direct[d] = t_.stretch[Probability12(*direct_entries_[d])];
    direct[Shape::kDirect] = 256;  // the bias
    for (size_t d = 0; d <= Shape::kDirect; d += 2) pairs[(kDirectInputs + d) / 2] = InputPair(direct[d], direct[d + 1]);
    mixer_lanes::StorePairs(pairs, kInputs / 2, inputs_);

    uint32_t rows[Shape::kSets];
    rows[0] = partial_;
    if constexpr (Shape::kThorough) {
      const uint32_t in_field = records_.in_field(), l = static_cast<uint32_t>(level);
      rows[1] = length * kKnownClasses + known / 4;
      rows[2] = c1;
      rows[3] = (kinds_ & 0xff) << 3 | l;
      rows[4] = Column() + 256 * expects;
      rows[5] = Byte(2);
      rows[6] = std::min(field_, 31u) << 3 | std::min(in_field, 7u);
      rows[7] = Above(0);
      rows[8] = sided / 4 << 3 | l;
      rows[9] = std::min(records_.digits(), 15u) << 3 | l;
      rows[10] = records_.FieldBack(2);
      rows[11] = kinds_ >> 8 & 0xff;
      if constexpr (Shape::kNumeric) rows[12] = numbers_.state() << 3 | l;
    } else if constexpr (Shape::kStrong) {
      rows[1] = length * kKnownClasses + known / 2;
      rows[2] = c1;
      rows[3] = (kinds_ & 0xff) << 3 | static_cast<uint32_t>(level);
      rows[4] = known << 3 | static_cast<uint32_t>(level);
      rows[5] = Column() + 256 * expects;
    } else {
      rows[1] = length * 8 + known;
    }
    for (size_t k = 0; k < Shape::kSets; ++k) {
      rows_[k] = &weights_[k][rows[k] * kInputs];
      dots_[k] = std::clamp(mixer_lanes::Dot(inputs_, rows_[k], kInputs) >> 13, -kSumEnd, kSumEnd);
    }
    if constexpr (Shape::kStrong) {
      const uint32_t final_rows[] = {partial_, length * 8 + static_cast<uint32_t>(level), c1,
                                     (kinds_ & 15) * 24 + static_cast<uint32_t>(level) * 3 + expects};
      int sums = 0;
      for (size_t f = 0; f < Shape::kFinals; ++f) {
        final_rows_[f] = &finals_[f][final_rows[f] * kFinalStride];
        int64_t sum = 0;
        for (size_t k = 0; k < Shape::kSets; ++k) sum += int64_t{dots_[k]} * (final_rows_[f][k] >> 14);
        final_sums_[f] = static_cast<int>(std::clamp<int64_t>(sum >> 15, -kSumEnd, kSumEnd));
        sums += final_sums_[f];
      }
      sum_ = sums >> std::countr_zero(Shape::kFinals);
    } else {
      sum_ = (dots_[0] + dots_[1]) >> 1;
    }
    Correct({partial_ + 256 * expects, correction1, correction2, correction3});
  }

  static int Probability16(Knot knot) { return static_cast<int>(Shape::kNumeric ? knot >> 16 : knot); }

  void Correct(const std::array<uint64_t, 4>& maps) {
    const int place = std::clamp(sum_, -kInputEnd, kInputEnd) + 2048;
    const int upper = place & 127;
    int corrected = 0;
    for (size_t j = 0; j < Shape::kCorrections; ++j) {
      Knot* const knots = &corrections_[j][maps[j] * kKnots + static_cast<size_t>(place >> 7)];
      corrected += (Probability16(knots[0]) * (128 - upper) + Probability16(knots[1]) * upper) >> 7;
      knots_[j] = knots + (upper >> 6);
    }
    const int p = t_.SquashOfSum(sum_);
    const int mixed = Shape::kNumeric ? corrected >> 2 : Shape::kStrong ? (p + corrected) >> 2 : (2 * p + corrected) >> 2;
    probability_ = static_cast<uint32_t>(std::clamp(mixed, 1, 65535)) << 16;
  }

  // Section 8.
  void LearnBit(int bit) {
    const Tables& t = t_;  // what is written below might be t_, for all that the compiler knows
    const int target = bit != 0 ? 65535 : 0;
    if constexpr (Shape::kStrong) {
      for (size_t f = 0; f < Shape::kFinals; ++f) {
        const int error = target - t.SquashOfSum(final_sums_[f]);
        for (size_t k = 0; k < Shape::kSets; ++k) {
          const uint32_t step = static_cast<uint32_t>(error * dots_[k] >> Shape::kFinalShift);
          final_rows_[f][k] = static_cast<int32_t>(static_cast<uint32_t>(final_rows_[f][k]) + step);
        }
      }
    }
    for (size_t k = 0; k < Shape::kSets; ++k) {
      const int64_t error = target - t.SquashOfSum(dots_[k]);
      const auto step = static_cast<int16_t>((error * rate_ + 32768) >> 16);
      if (step != 0) mixer_lanes::Train(inputs_, rows_[k], kInputs, step);  // often: what is sure needs no learning
    }
    for (size_t i = 0; i < kN; ++i) {
      LearnEntry(t, *entries_[i], bit, Shape::kMapLimit);
      *states_[i] = t.next[*states_[i]][static_cast<size_t>(bit)];
    }
    for (Match& match : matches_) {
      const int expected = match.expected >> (7 - Level()) & 1;
      LearnEntry(t, *match.trust, expected == bit, kMaxMapCount);
    }
    for (size_t d = 0; d < Shape::kDirect; ++d) LearnEntry(t, *direct_entries_[d], bit, 255);
    for (size_t j = 0; j < Shape::kCorrections; ++j) {
      if constexpr (Shape::kNumeric) {
        LearnEntry(t, *knots_[j], bit, kKnotLimit);
      } else {
        const int knot = *knots_[j];
        *knots_[j] = static_cast<uint16_t>(knot + ((target - knot) >> Shape::kCorrectionShift));
      }
    }
  }

  const Tables& t_;
  const int size_bits_;
  AlignedBuffer<Line> lines_;
  std::vector<uint8_t> history_;
  std::vector<uint32_t> maps_;    // [contexts, states]
  AlignedBuffer<uint32_t> direct_;  // order 0, order 1, word; fast: order 1
  std::vector<uint32_t> trust_;   // [matches, classes, levels]
  AlignedBuffer<int32_t> weights_[Shape::kSets];                         // [rows, inputs]
  std::array<std::vector<int32_t>, Shape::kFinals> finals_;             // [rows, sets padded]
  std::array<std::vector<Knot>, Shape::kCorrections> corrections_;  // [contexts, knots]
  std::vector<uint32_t> followers1_, followers2_, followers3_;           // the last four bytes after one, two, three
  Match matches_[kM];

  // Of the stream.
  uint32_t position_ = 0;
  uint64_t last_ = 0;      // eight bytes, the last one lowest
  uint32_t partial_ = 1;   // the bits of the byte at hand after a one
  uint64_t word_ = 0, word1_ = 0, word2_ = 0;
  uint32_t kinds_ = 0;
  uint32_t line_begin_ = 0, above_begin_ = 0, above2_begin_ = 0, field_ = 0, head_ = 0;
  uint64_t field_hash_ = 0, first_word_ = 0;
  RecordTracker records_;
  NumberTracker numbers_;
  uint32_t expected_ = 0;  // the matches' byte + 256; 0: none
  int rate_ = 0;
  uint64_t contexts_[kN] = {};
  uint8_t* slots_[kN] = {};

  // Of the bit at hand.
  alignas(64) int16_t inputs_[kInputs] = {};
  uint8_t* states_[kN] = {};
  uint32_t* entries_[kN] = {};
  std::array<uint32_t*, kHashedDirect> direct_lines_{};  // thorough
  uint32_t* direct_entries_[Shape::kDirect] = {};
  int32_t* rows_[Shape::kSets] = {};
  int dots_[Shape::kSets] = {};
  std::array<int32_t*, Shape::kFinals> final_rows_{};
  std::array<int, Shape::kFinals> final_sums_{};
  int sum_ = 0;
  Knot* knots_[Shape::kCorrections] = {};
};

}  // namespace

std::unique_ptr<ByteMixer> ByteMixer::Make(ContextStrength strength, uint32_t content_size) {
  PITH_CHECK(content_size != 0);
  switch (strength) {
    case ContextStrength::kFast: return std::make_unique<ContextMixer<Fast>>(content_size);
    case ContextStrength::kStrong: return std::make_unique<ContextMixer<Strong>>(content_size);
    case ContextStrength::kThorough: return std::make_unique<ContextMixer<Thorough>>(content_size);
    case ContextStrength::kNumeric: return std::make_unique<ContextMixer<Numeric>>(content_size);
  }
  PITH_CHECK(false);
}

uint64_t ByteMixer::MemoryBytes(ContextStrength strength, uint32_t content_size) {
  switch (strength) {
    case ContextStrength::kFast: return ContextMixer<Fast>::MemoryBytes(content_size);
    case ContextStrength::kStrong: return ContextMixer<Strong>::MemoryBytes(content_size);
    case ContextStrength::kThorough: return ContextMixer<Thorough>::MemoryBytes(content_size);
    case ContextStrength::kNumeric: return ContextMixer<Numeric>::MemoryBytes(content_size);
  }
  PITH_CHECK(false);
}

}  // namespace pith
