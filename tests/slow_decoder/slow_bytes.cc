#include "slow_decoder/slow_bytes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace slow_decoder {
namespace {

// ---- Section 1

uint64_t Mix(uint64_t h) {
  h = h * 0x9E3779B97F4A7C15;
  return h ^ (h >> 29);
}

uint64_t Hash(const std::vector<uint64_t>& values) {
  uint64_t h = 0;
  for (const uint64_t v : values) h = Mix(h + v + 1);
  return h;
}

int64_t Clamp(int64_t x, int64_t l) { return x < -l ? -l : x > l ? l : x; }

uint64_t BitsOf(uint64_t n) {
  uint64_t k = 0;
  for (; n != 0; n /= 2) ++k;
  return k;
}

int64_t Squash(int64_t x) {
  static const int64_t kKnots[49] = {
      1,     1,     1,     2,     3,     5,     8,     13,    22,    36,    60,    98,    162,   267,   439,   720,   1179,
      1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816,
      65097, 65269, 65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65535};
  x = Clamp(x, 3071) + 3072;
  const int64_t j = x / 128, u = x % 128;
  return (kKnots[j] * (128 - u) + kKnots[j + 1] * u) / 128;
}

int64_t Stretch(int64_t p) {
  static const std::vector<int64_t> all = [] {
    std::vector<int64_t> t;
    for (int64_t q = 0; q < 4096; ++q) {
      int64_t x = -2047;
      while (x < 2047 && Squash(x) < 16 * q + 8) ++x;
      t.push_back(x);
    }
    return t;
  }();
  return all.at(static_cast<size_t>(p));
}

struct Cell {
  int64_t p;
  int64_t n;
  int64_t P12() const { return p >> 10; }
  void Learn(int64_t bit, int64_t limit) {
    p = p + (((4194303 * bit - p) * (131072 / (2 * n + 3))) >> 16);
    n = std::min(n + 1, limit);
  }
};
Cell NewCell(int64_t a, int64_t b, int64_t n) { return {a * 4194304 / b, n}; }

struct History {
  int64_t zeros, ones, last;
  bool operator==(const History&) const = default;
};

bool Allowed(int64_t a, int64_t b) {
  static const int64_t kLarger[6] = {41, 24, 12, 8, 6, 5};
  const int64_t smaller = std::min(a, b);
  return smaller <= 5 && std::max(a, b) <= kLarger[smaller];
}

const std::vector<History>& Histories() {
  static const std::vector<History> all = [] {
    std::vector<History> h = {{0, 0, 0}};
    for (int64_t total = 1; total <= 41; ++total) {
      for (int64_t zeros = 0; zeros <= total; ++zeros) {
        if (!Allowed(zeros, total - zeros)) continue;
        if (zeros > 0) h.push_back({zeros, total - zeros, 0});
        if (total - zeros > 0) h.push_back({zeros, total - zeros, 1});
      }
    }
    return h;
  }();
  return all;
}

uint16_t Append(uint16_t number, int bit) {
  const History h = Histories().at(number);
  int64_t mine = bit == 1 ? h.ones : h.zeros, other = bit == 1 ? h.zeros : h.ones;
  if (other > 2) other = static_cast<int64_t>(BitsOf(static_cast<uint64_t>(other)));
  if (Allowed(mine + 1, other)) ++mine;
  while (!Allowed(mine, other)) --mine;
  const History next = bit == 1 ? History{other, mine, 1} : History{mine, other, 0};
  const auto found = std::find(Histories().begin(), Histories().end(), next);
  return static_cast<uint16_t>(found - Histories().begin());
}

int32_t Wrap(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(x))); }

struct Slot {
  uint16_t check = 0;
  std::array<uint16_t, 15> histories{};
};

struct Match {
  uint64_t minimal;
  std::vector<uint64_t> heads;
  uint64_t position = 0, length = 0, misses = 0;
  std::vector<Cell> cells;  // 48, or 48 for each level after one another
};

bool IsOneOf(uint8_t c, const std::string& bytes) { return bytes.find(static_cast<char>(c)) != std::string::npos; }
bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }
bool IsLetter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 128; }

// ---- Section 3a

__extension__ using U128 = unsigned __int128;

int64_t Power10(int64_t n) {
  int64_t power = 1;
  for (; n > 0; --n) power *= 10;
  return power;
}

struct Number {
  int64_t value = 0, digits = 0, places = 0;
  bool point = false, negative = false;

  void Append(uint8_t digit) {
    value = 10 * value + (digit - '0');
    ++digits;
    if (point) ++places;
  }
};

struct Numbers {
  std::optional<Number> at_hand;
  std::vector<Number> list;
  // Of the one at hand.
  bool is_long = false;
  int64_t n = 0;                           // its significant digits
  std::array<std::optional<Number>, 3> R;  // of each role
  bool no_float32 = false;                 // possible(24) has been 0
  // Also if none is at hand.
  uint64_t float32 = 0, float64 = 0;

  // N[k]
  std::optional<Number> N(size_t k) const {
    if (list.size() < k) return std::nullopt;
    return list[list.size() - k];
  }

  // After the last byte of the block; q: the places of the roles.
  void EndByte(const std::vector<uint8_t>& block, const std::vector<uint64_t>& q) {
    const uint8_t c = block.back(), B2 = block.size() >= 2 ? block[block.size() - 2] : 0;
    if (!at_hand && IsDigit(c) && !IsLetter(B2) && B2 != '.') {
      at_hand = Number{.negative = B2 == '-'};
      is_long = false;
      n = 0;
      no_float32 = false;
      for (size_t r = 0; r < 3; ++r) R[r] = Read(block, q[r]);
    }
    if (at_hand) {
      if (IsDigit(c)) {
        if (n < 18 && at_hand->digits < 24) {
          at_hand->Append(c);
          if (at_hand->value != 0) ++n;
        } else {
          is_long = true;
        }
      } else if (c == '.' && !at_hand->point) {
        at_hand->point = true;
      } else {
        list.push_back(*at_hand);
        at_hand = std::nullopt;
      }
    }
    FindFloats();
  }

  // R[r]
  static std::optional<Number> Read(const std::vector<uint8_t>& block, uint64_t q) {
    const uint64_t P = block.size();
    if (q == 0 || q == 1) return std::nullopt;
    uint64_t a = q - 1;
    if (!IsDigit(block.at(a))) ++a;
    if (a == P || !IsDigit(block.at(a))) return std::nullopt;
    for (int times = 0; times < 24 && a > 0 && (IsDigit(block[a - 1]) || block[a - 1] == '.'); ++times) --a;
    if (!IsDigit(block[a])) ++a;
    Number number{.negative = a > 0 && block[a - 1] == '-'};
    for (; a < P && number.digits < 18; ++a) {
      if (IsDigit(block[a])) {
        number.Append(block[a]);
      } else if (block[a] == '.' && !number.point) {
        number.point = true;
      } else {
        break;
      }
    }
    if (number.digits == 0) return std::nullopt;
    return number;
  }

  uint64_t Near(const std::optional<Number>& Q) const {
    if (!at_hand || !Q || Q->negative != at_hand->negative || is_long) return 0;
    const int64_t left = at_hand->point ? Q->places - at_hand->places : Q->digits - at_hand->digits;
    const int64_t h = at_hand->point ? 1 : 0;
    if (left < 0 || left > 18) return static_cast<uint64_t>(1 + h);
    const int64_t u = Power10(left), t = Q->value / u, z = Q->value % u;
    const int64_t next = left == 0 ? 10 : z / Power10(left - 1);
    const int64_t next2 = left < 2 ? 10 : z / Power10(left - 2) % 10;
    const int64_t ahead = Clamp(at_hand->value - t, 3);
    int64_t w = 0;
    if (ahead >= -2 && ahead <= 2) w = 16 * next;
    if (ahead == 0) w = 16 * next + next2;
    const int64_t o = !at_hand->point && Q->point && left == Q->places ? 1 : 0;
    return static_cast<uint64_t>(4 + 65536 * std::min<int64_t>(at_hand->places, 15) + 4096 * (ahead + 3) + 16 * w +
                                 8 * o + 4 * h);
  }

  uint64_t Line(const std::optional<Number>& Q, const std::optional<Number>& T) const {
    if (!Q || !T || Q->negative != T->negative) return 0;
    const int64_t p = std::max(Q->places, T->places);
    const int64_t digits = Q->digits + p - Q->places;
    if (digits > 18 || T->digits + p - T->places > 18) return 0;
    const int64_t q = Q->value * Power10(p - Q->places), t = T->value * Power10(p - T->places);
    if (2 * q < t) return 0;
    return Near(Number{.value = 2 * q - t, .digits = digits, .places = p, .point = Q->point, .negative = Q->negative});
  }

  uint64_t Fraction() const {
    if (!at_hand || is_long) return 0;
    const int64_t value = at_hand->value, k = at_hand->places;
    return static_cast<uint64_t>(k >= 18 ? value : value % Power10(k));
  }
  uint64_t Places() const { return at_hand ? static_cast<uint64_t>(at_hand->places) : 0; }

  void FindFloats() {
    float32 = float64 = 0;
    if (!at_hand || is_long || !at_hand->point) return;
    const uint64_t n_part = static_cast<uint64_t>(n) * 1024;
    if (n >= 15) float64 = n_part + (n > 16 ? 0 : Possible(53));
    if (n < 8 || n > 16 || no_float32) return;
    const uint64_t possible = Possible(24);
    float32 = n_part + possible;
    if (possible == 0) no_float32 = true;
  }

  // possible(b)
  uint64_t Possible(int64_t b) const {
    const U128 v = static_cast<U128>(at_hand->value);
    const int64_t k = at_hand->places, m = 17 - n, K = k + m;
    if (K > 22) return 0;
    U128 power_k = 1, power_K = 1;  // 10^k, 10^K
    for (int64_t i = 0; i < k; ++i) power_k *= 10;
    for (int64_t i = 0; i < K; ++i) power_K *= 10;
    int64_t E = 0;
    while (power_k << (E + 1) <= v) ++E;      // if 2 <= v / 10^k
    while (E <= 0 && v << -E < power_k) --E;  // if v / 10^k < 1
    const int64_t s = b - 1 - E;
    if (s < 1 || s > 69) return 0;
    const U128 power_m = static_cast<U128>(Power10(m - 1));
    const auto first = [&](uint64_t d) {
      const U128 D = (10 * v + d) * power_m, a = (2 * D - 1) << s, by = 2 * power_K;
      return a / by + (a % by != 0 || D % 2 != 0 ? 1 : 0);
    };
    uint64_t bits = 0;
    for (uint64_t d = 0; d <= 9; ++d) {
      if (first(d + 1) > first(d)) bits += uint64_t{1} << d;
    }
    return bits;
  }

  static int64_t BitsSet(uint64_t x) {
    int64_t number = 0;
    for (; x != 0; x /= 2) number += static_cast<int64_t>(x % 2);
    return number;
  }
  uint64_t State() const { return static_cast<uint64_t>(SignedState()); }
  int64_t SignedState() const {
    if (!at_hand) return 0;
    if (!at_hand->point) return 1 + std::min<int64_t>(at_hand->digits, 4);
    if (n >= 9 && float32 % 1024 != 0) return 16 + std::min<int64_t>(n - 9, 3);
    if (n >= 17) return 26;
    if (n == 16) return 21 + std::min<int64_t>(BitsSet(float64 % 1024), 4);
    if (n == 15) return 20;
    return 6 + std::min<int64_t>(at_hand->places, 9);
  }
};

}  // namespace

struct SlowBytes::State {
  bool strong, thorough, numeric;  // strong: also where thorough; thorough: also where numeric
  uint64_t S, L, C;
  // Constants of the table in section 8, and how many contexts there are.
  int64_t first, first_rate, last_rate, rs, limit, cs;
  uint64_t n_contexts;

  std::vector<uint8_t> block;
  uint64_t word = 0, word1 = 0, word2 = 0;
  std::vector<uint32_t> followers1, followers2, followers3;
  uint32_t kinds = 0, head = 0;
  uint64_t line = 0, line_above = 0, field = 0, inside = 0, first_word = 0;
  uint64_t line_above2 = 0, digits = 0, agree = 0, key = 0, field1 = 0;
  std::vector<uint64_t> elements;
  bool name_open = false;
  uint64_t name = 0, last_element = 0;
  std::vector<uint64_t> fields = {0};  // where each begins
  std::vector<std::vector<uint32_t>> role_tables;
  std::vector<uint64_t> places = {0, 0, 0};
  Numbers numbers;
  uint64_t partial = 1, level = 0;
  std::vector<Match> matches;

  std::vector<Slot> slots;  // four of a line after one another
  std::vector<uint64_t> h;
  std::vector<uint64_t> slot_of;
  std::vector<std::vector<Cell>> map;
  std::vector<Cell> order0, order1, by_word;
  std::vector<std::vector<Cell>> by_value;
  uint64_t half = 1;
  std::vector<std::vector<int32_t>> weights;   // of each mixer, set after set
  std::vector<std::vector<int32_t>> finals;    // likewise
  std::vector<std::vector<Cell>> corrections;  // knots; a knot that is no cell (all but numeric) is kept as p

  // Of the bit at hand.
  uint64_t node = 0;
  std::vector<int64_t> x, dot;
  std::vector<uint64_t> sets, final_sets;
  std::vector<Cell*> cells, last_cells;
  std::vector<bool> live;
  int64_t f = 0;
  std::vector<int64_t> fs;  // of each set of finals
  std::vector<uint64_t> arrays;

  uint64_t B(uint64_t back) const { return back <= block.size() ? block[block.size() - back] : 0; }
  uint64_t Last(uint64_t n) const {
    uint64_t v = 0;
    for (uint64_t i = n; i >= 1; --i) v = v * 256 + B(i);
    return v;
  }
  uint64_t Column() const { return block.size() - line; }
  uint64_t Above(uint64_t k) const {
    const uint64_t at = line_above + Column() + k;
    return at < line ? block[at] : 0;
  }
  uint64_t Above2(uint64_t k) const {
    const uint64_t at = line_above2 + Column() + k;
    return at < line_above ? block[at] : 0;
  }
  uint64_t InField() const { return block.size() - fields.back(); }
  uint64_t Role(size_t r, uint64_t d) const {
    const uint64_t at = places[r] + d;
    return places[r] != 0 && at < block.size() ? block[at] : 0;
  }
  uint64_t Back(size_t k, uint64_t d) const {
    if (fields.size() <= k) return 0;
    const size_t i = fields.size() - 1 - k;
    const uint64_t at = fields[i] + InField() + d;
    return at < fields[i + 1] ? block[at] : 0;
  }
  // 256 + the expected byte, or 0.
  uint64_t Expected(const Match& m) const { return m.position != 0 ? 256u + block[m.position] : 0; }
  uint64_t E() const {
    uint64_t e = 0;
    for (const Match& m : matches) {
      if (m.position != 0) e = Expected(m);
    }
    return e;
  }
  uint64_t Class(const Match& m) const {
    const uint64_t k = m.length < 16 ? m.length : std::min<uint64_t>(31, 16 + (m.length - 16) / 8);
    return m.misses != 0 ? 32 + std::min<uint64_t>(k, 15) : k;
  }
  Cell& CellOf(Match& m) const { return m.cells.at((thorough ? level * 48 : 0) + Class(m)); }

  State(int strength, uint64_t n) : strong(strength >= 2), thorough(strength >= 3), numeric(strength == 4) {
    n_contexts = numeric ? 64 : thorough ? 52 : strong ? 24 : 6;
    // Section 2
    S = std::clamp<uint64_t>(BitsOf(n), 10, 20);
    L = std::clamp<uint64_t>(BitsOf(n * (numeric ? 52 : n_contexts) / 4), 10, thorough ? 20 : 19);
    C = std::min<uint64_t>(S, 16);
    if (numeric) {
      first = 20, first_rate = 16, last_rate = 2, rs = 13, limit = 1023, cs = 0;
    } else if (thorough) {
      first = 20, first_rate = 20, last_rate = 2, rs = 10, limit = 1023, cs = 5;
    } else if (strong) {
      first = 54, first_rate = 50, last_rate = 5, rs = 10, limit = 400, cs = 5;
    } else {
      first = 127, first_rate = 79, last_rate = 3, rs = 9, limit = 560, cs = 4;
    }
    followers1.resize(256);
    followers2.resize(65536);
    followers3.resize(1 << 18);
    role_tables.assign(3, std::vector<uint32_t>(65536));
    std::vector<uint64_t> minimal_lengths = {6};
    if (strong) minimal_lengths = {5, 12};
    if (thorough) minimal_lengths = {5, 12, 24};
    for (const uint64_t minimal : minimal_lengths) {
      Match m{.minimal = minimal, .heads = std::vector<uint64_t>(uint64_t{1} << S), .cells = {}};
      for (int64_t i = 0; i < (thorough ? 8 : 1); ++i) {
        for (int64_t k = 0; k < 48; ++k) m.cells.push_back(NewCell(2 * k + 2, 2 * k + 4, 8));
      }
      matches.push_back(m);
    }
    slots.resize(4 * (uint64_t{1} << L));
    std::vector<Cell> cells_of_histories;
    for (const History& s : Histories()) {
      cells_of_histories.push_back(NewCell(4 * s.ones + 1, 4 * (s.zeros + s.ones) + 2, 6));
    }
    map.assign(n_contexts, cells_of_histories);
    order0.assign(256, NewCell(1, 2, 0));
    order1.assign(65536, NewCell(1, 2, 0));
    by_word.assign(uint64_t{1} << S, NewCell(1, 2, 0));
    by_value.assign(7, by_word);
    std::vector<int32_t> set;
    for (uint64_t i = 0; i < n_contexts; ++i) {
      set.push_back(static_cast<int32_t>(first * 524288));
      set.push_back(0);
    }
    for (size_t m = 0; m < matches.size(); ++m) {
      set.push_back(thorough ? 134217728 : 268435456);
      set.push_back(0);
    }
    set.resize(numeric ? 144 : thorough ? 120 : strong ? 56 : 16);
    std::vector<int> sets_of_mixers = {256, 256};
    if (strong) sets_of_mixers = {256, 256, 256, 2048, 256, 768};
    if (thorough) sets_of_mixers = {256, 210, 256, 2048, 768, 256, 256, 256, 112, 128, 256, 256};
    if (numeric) sets_of_mixers = {256, 255, 256, 2048, 768, 256, 256, 256, 136, 128, 256, 256, 216};
    for (const int n_sets : sets_of_mixers) {
      std::vector<int32_t> all;
      for (int i = 0; i < n_sets; ++i) all.insert(all.end(), set.begin(), set.end());
      weights.push_back(all);
    }
    if (thorough) {
      const int n_mixers = numeric ? 13 : 12;
      for (const int n_sets : {256, 120, 256, 384}) finals.emplace_back(n_sets * n_mixers, 536870912 / n_mixers);
    } else if (strong) {
      finals.emplace_back(256 * 6, 536870912 / 6);
    }
    std::vector<uint64_t> numbers_of_arrays = {768, uint64_t{1} << C};
    if (strong) numbers_of_arrays.push_back(uint64_t{1} << C);
    if (numeric) numbers_of_arrays.push_back(uint64_t{1} << C);
    for (const uint64_t n_arrays : numbers_of_arrays) {
      std::vector<Cell> all;
      for (uint64_t i = 0; i < n_arrays * 33; ++i) {
        const int64_t p = Squash((static_cast<int64_t>(i % 33) - 16) * 128);
        all.push_back(numeric ? Cell{p * 64, 12} : Cell{p, 0});
      }
      corrections.push_back(all);
    }
    Contexts();
    FindSlots();
  }

  // Section 5
  void Contexts() {
    std::vector<uint64_t> v;
    if (!strong) {
      v = {Last(1), Last(2), Last(3), Last(4), Last(6), Hash({word, B(1)})};
    } else {
      const uint64_t e = E();
      v = {0,
           Last(1),
           Last(2),
           Last(3),
           Last(4),
           Last(6),
           Last(8),
           Hash({word, B(1)}),
           Hash({word, word1}),
           Hash({word, word1, word2}),
           Hash({word, word2, B(1)}),
           Hash({B(2), B(3)}),
           Hash({B(1), B(3)}),
           Hash({B(3), B(4)}),
           Hash({Above(0), std::min<uint64_t>(Column(), 255)}),
           Hash({field, inside, head}),
           Hash({followers1[B(1)] % (1u << 24), B(1)}),
           Hash({followers2[Last(2)] % (1u << 16), Last(2)}),
           Hash({kinds, B(1)}),
           Hash({Above(0), Above(1), B(1)}),
           Hash({field, inside, Above(0)}),
           Hash({kinds % (1u << 16), word}),
           Hash({e, Last(2)}),
           Hash({first_word, word})};
    }
    if (thorough) {
      const uint64_t e = E(), in_field3 = std::min<uint64_t>(InField(), 3);
      const uint64_t column255 = std::min<uint64_t>(Column(), 255);
      const std::vector<uint64_t> more = {
          Hash({inside, field1}),
          Hash({inside, field1, field}),
          Hash({Back(2, 0), Back(2, 1), std::min<uint64_t>(InField(), 15), B(1)}),
          Hash({Back(1, 0), Back(2, 0), B(1)}),
          Hash({Role(0, 0), Role(0, 1), B(1), in_field3}),
          Hash({Role(1, 0), Role(1, 1), B(1), in_field3}),
          Hash({Role(2, 0), Role(2, 1), B(1), in_field3}),
          Hash({Role(1, 0), Role(2, 0), B(1)}),
          Hash({Above(0), Above(1), agree, std::min<uint64_t>(InField(), 7)}),
          Hash({Above(0), Above2(0), B(1)}),
          Hash({Above(0), Above2(0), column255}),
          Hash({elements.empty() ? 0 : elements.back(), inside}),
          Hash({last_element, inside}),
          Hash({key, inside}),
          Hash({digits, B(1), B(2)}),
          Hash({digits, field}),
          Hash({digits, Above(0), B(1)}),
          Hash({followers3.at(Mix(Last(3)) >> 46) % (1u << 16), Last(3)}),
          Hash({B(1), B(2), B(4)}),
          Hash({B(2), B(3), B(4)}),
          Hash({B(1), B(3), B(4), B(5)}),
          Hash({B(4), B(5), B(6)}),
          Hash({field, B(1), B(2)}),
          Hash({head, inside}),
          Hash({first_word, inside}),
          Hash({kinds % (1u << 12), Above(0), B(1)}),
          Hash({e, B(1), column255}),
          Hash({Expected(matches[0]), Expected(matches[1]), Expected(matches[2]),
                std::min<uint64_t>(matches[1].length, 15)})};
      v.insert(v.end(), more.begin(), more.end());
    }
    if (numeric) {
      const std::vector<uint64_t> more = numbers.at_hand ? ContextsOfNumber() : ContextsOfNoNumber();
      v.insert(v.end(), more.begin(), more.end());
    }
    h.clear();
    for (uint64_t i = 0; i < v.size(); ++i) h.push_back(Mix(v[i] + i * 0xD6E8FEB86659FD93));
  }

  std::vector<uint64_t> ContextsOfNumber() const {
    const Numbers& m = numbers;
    return {Hash({m.float64}),
            Hash({m.float64, B(1), B(2)}),
            Hash({m.float32}),
            Hash({m.Near(m.N(1))}),
            Hash({m.Near(m.N(2))}),
            Hash({m.Line(m.N(1), m.N(2))}),
            Hash({m.Line(m.N(2), m.N(4))}),
            Hash({m.Near(m.N(2)), m.Line(m.N(2), m.N(4))}),
            Hash({m.Fraction(), m.Places()}),
            Hash({m.Near(m.R[0])}),
            Hash({m.Near(m.R[1])}),
            Hash({m.Near(m.R[0]), m.Near(m.R[2]), m.Near(m.N(1))})};
  }
  std::vector<uint64_t> ContextsOfNoNumber() const {
    const uint64_t last_of_elements = elements.empty() ? 0 : elements.back();
    return {Last(5),
            Last(7),
            Hash({inside, field1, key}),
            Hash({inside, key, field}),
            Hash({inside, E()}),
            Hash({inside, Role(0, 0), field}),
            Hash({inside, last_of_elements, key}),
            Hash({word, last_of_elements, B(1)}),
            Hash({word1, word2, B(1)}),
            Hash({Above(0), agree, field, B(1)}),
            Hash({std::min<uint64_t>(Column(), 255), B(1)}),
            Hash({followers1[B(1)] % (1u << 16), Last(2)})};
  }

  void FindSlots() {
    slot_of.clear();
    for (uint64_t i = 0; i < n_contexts; ++i) {
      const uint64_t hash = level == 0 ? h[i] : Mix(h[i] + partial);
      const uint64_t begin = (hash >> 32) % (uint64_t{1} << L) * 4;
      const uint64_t check = (hash >> 24) % 256;
      uint64_t found = begin;
      while (found < begin + 4 && slots[found].check != check) ++found;
      if (found == begin + 4) {
        found = begin;
        for (uint64_t j = begin; j < begin + 4; ++j) {
          if (slots[j].histories[0] < slots[found].histories[0]) found = j;
        }
        slots[found] = Slot{.check = static_cast<uint16_t>(check)};
      }
      slot_of.push_back(found);
    }
  }

  // Sections 6 and 7
  uint64_t Predict() {
    const auto lin = [](int64_t p) { return (p - 2048) / 2; };
    const uint64_t t = level % 4;
    node = (uint64_t{1} << t) - 1 + partial % (uint64_t{1} << t);
    x.clear();
    cells.clear();
    int64_t known = 0, sided = 0;
    for (uint64_t i = 0; i < n_contexts; ++i) {
      const uint16_t number = slots[slot_of[i]].histories[node];
      const History s = Histories()[number];
      cells.push_back(&map[i][number]);
      const int64_t p = cells.back()->P12();
      x.push_back(number == 0 ? 0 : Stretch(p));
      const bool is_sided = number != 0 && (s.zeros == 0 || s.ones == 0);
      x.push_back(is_sided ? lin(p) : 0);
      if (number != 0) ++known;
      if (is_sided) ++sided;
    }
    uint64_t expects = 0, length = 0;
    live.clear();
    for (Match& m : matches) {
      const uint64_t expected = Expected(m);
      live.push_back(m.position != 0 && expected >> (8 - level) == partial);
      if (!live.back()) {
        x.push_back(0);
        x.push_back(0);
        continue;
      }
      const uint64_t b = expected >> (7 - level) & 1, k = Class(m);
      const int64_t p = CellOf(m).P12();
      x.push_back(b == 1 ? Stretch(p) : -Stretch(p));
      x.push_back(b == 1 ? lin(p) : -lin(p));
      expects = 1 + b;
      length = k >= 32 ? 1 : k >= 16 ? 11 + (k - 16) / 4 : 2 + k / 2;
    }
    last_cells.clear();
    if (strong) last_cells.push_back(&order0[partial]);
    last_cells.push_back(&order1[B(1) * 256 + partial]);
    if (strong && !thorough) last_cells.push_back(&by_word[Hash({word, partial}) >> (64 - S)]);
    if (thorough) {
      if (level == 0) half = 1;
      if (level == 4) half = partial;
      const std::vector<uint64_t> values = {
          word, Last(2), Last(3), Last(4), Hash({inside, field}), Hash({inside, field1}), Hash({E(), Last(2)})};
      for (size_t i = 0; i < 7; ++i) {
        last_cells.push_back(&by_value[i].at((Hash({values[i], half}) >> (68 - S)) * 16 + node));
      }
    }
    for (const Cell* c : last_cells) x.push_back(Stretch(c->P12()));
    x.push_back(256);

    const uint64_t n_known = static_cast<uint64_t>(known), n_sided = static_cast<uint64_t>(sided);
    if (thorough) {
      sets = {partial,
              length * (numeric ? 17 : 14) + n_known / 4,
              B(1),
              kinds % 256 * 8 + level,
              std::min<uint64_t>(Column(), 255) + 256 * expects,
              B(2),
              std::min<uint64_t>(field, 31) * 8 + std::min<uint64_t>(InField(), 7),
              Above(0),
              n_sided / 4 * 8 + level,
              std::min<uint64_t>(digits, 15) * 8 + level,
              Back(2, 0),
              kinds / 256 % 256};
      if (numeric) sets.push_back(numbers.State() * 8 + level);
      final_sets = {partial, length * 8 + level, B(1), kinds % 16 * 24 + level * 3 + expects};
    } else if (strong) {
      sets = {partial,
              length * 16 + n_known / 2,
              B(1),
              kinds % 256 * 8 + level,
              n_known * 8 + level,
              std::min<uint64_t>(Column(), 255) + 256 * expects};
      final_sets = {partial};
    } else {
      sets = {partial, length * 8 + n_known};
    }
    dot.clear();
    for (size_t k = 0; k < sets.size(); ++k) {
      int64_t sum = 0;
      for (size_t i = 0; i < x.size(); ++i) sum += x[i] * (weights[k][sets[k] * x.size() + i] >> 16);
      dot.push_back(Clamp(Wrap(sum) >> 13, 3071));
    }
    fs.clear();
    for (size_t m = 0; m < finals.size(); ++m) {
      int64_t sum = 0;
      for (size_t k = 0; k < dot.size(); ++k) sum += dot[k] * (finals[m].at(final_sets[m] * dot.size() + k) >> 14);
      fs.push_back(Clamp(sum >> 15, 3071));
    }
    if (thorough) {
      f = (fs[0] + fs[1] + fs[2] + fs[3]) >> 2;
    } else if (strong) {
      f = fs[0];
    } else {
      f = (dot[0] + dot[1]) >> 1;
    }
    arrays = {partial + 256 * expects, Hash({B(1), partial}) >> (64 - C)};
    if (strong) arrays.push_back(Hash({Last(3), partial}) >> (64 - C));
    if (numeric) arrays.push_back(Hash({numbers.Near(numbers.N(2)), numbers.State(), partial}) >> (64 - C));
    const int64_t a = Clamp(f, 2047) + 2048, j = a / 128, u = a % 128;
    int64_t q = numeric ? 0 : strong ? Squash(f) : 2 * Squash(f);
    for (size_t k = 0; k < arrays.size(); ++k) {
      const Cell* cell = &corrections[k][arrays[k] * 33];
      const auto knot = [&](int64_t i) { return numeric ? cell[i].p / 64 : cell[i].p; };
      q += (knot(j) * (128 - u) + knot(j + 1) * u) >> 7;
    }
    q = std::clamp<int64_t>(q >> 2, 1, 65535);
    return static_cast<uint64_t>(q) * 65536;
  }

  // Section 8
  void Learn(int bit) {
    const int64_t t = 65535 * bit;
    for (size_t m = 0; m < finals.size(); ++m) {
      const int64_t e = t - Squash(fs[m]);
      for (size_t k = 0; k < dot.size(); ++k) {
        int32_t& v = finals[m][final_sets[m] * dot.size() + k];
        v = Wrap(v + (e * dot[k] >> (numeric ? 3 : 4)));
      }
    }
    const int64_t rs_power = int64_t{1} << rs;
    const int64_t r =
        256 * last_rate + first_rate * 256 * rs_power / (rs_power + static_cast<int64_t>(block.size()));
    for (size_t k = 0; k < sets.size(); ++k) {
      const int64_t e = ((t - Squash(dot[k])) * r + 32768) >> 16;
      for (size_t i = 0; i < x.size(); ++i) {
        int32_t& w = weights[k][sets[k] * x.size() + i];
        w = Wrap(w + x[i] * e * 4);
      }
    }
    for (uint64_t i = 0; i < n_contexts; ++i) {
      cells[i]->Learn(bit, limit);
      uint16_t& number = slots[slot_of[i]].histories[node];
      number = Append(number, bit);
    }
    for (size_t m = 0; m < matches.size(); ++m) {
      if (!live[m]) continue;
      const int b = block[matches[m].position] >> (7 - level) & 1;
      CellOf(matches[m]).Learn(b == bit ? 1 : 0, 1023);
    }
    for (Cell* c : last_cells) c->Learn(bit, 255);
    const int64_t a = Clamp(f, 2047) + 2048, j = a / 128, u = a % 128;
    for (size_t k = 0; k < arrays.size(); ++k) {
      Cell& knot = corrections[k][arrays[k] * 33 + static_cast<uint64_t>(u >= 64 ? j + 1 : j)];
      if (numeric) {
        knot.Learn(bit, 255);
      } else {
        knot.p = knot.p + ((t - knot.p) >> cs);
      }
    }
    partial = 2 * partial + static_cast<uint64_t>(bit);
    ++level;
    if (level == 4) FindSlots();
    if (level < 8) return;
    EndByte(static_cast<uint8_t>(partial));
    partial = 1;
    level = 0;
    Contexts();
    FindSlots();
  }

  // Section 3
  void EndByte(uint8_t c) {
    uint32_t& f1 = followers1[B(1)];
    f1 = f1 * 256 + c;
    uint32_t& f2 = followers2[Last(2)];
    f2 = f2 * 256 + c;
    uint32_t& f3 = followers3.at(Mix(Last(3)) >> 46);
    f3 = f3 * 256 + c;
    const uint64_t inside_before = inside, above_before = Above(0);
    block.push_back(c);
    const bool small = c >= 'a' && c <= 'z', capital = c >= 'A' && c <= 'Z', high = c >= 128;
    const bool letter = IsLetter(c);
    if (letter) {
      word = Mix(word + (capital ? c + 32u : c) + 1);
    } else if (word != 0) {
      word2 = word1;
      word1 = word;
      word = 0;
    }
    uint32_t kind = 8 + c % 8u;
    if (small) kind = 1;
    if (capital) kind = 6;
    if (high) kind = 7;
    if (IsDigit(c)) kind = 2;
    if (c == ' ') kind = 3;
    if (c < 0x20) kind = 5;
    if (c == 0x0a) kind = 4;
    kinds = kinds * 16 + kind;
    if (c == 0x0a) {
      line_above2 = line_above;
      line_above = line;
      line = block.size();
      field = inside = first_word = 0;
      head = 0;
    } else {
      if (IsOneOf(c, ",\t|;:\"< ")) {
        ++field;
        inside = 0;
      } else {
        inside = Mix(inside + c + 1);
      }
      if (first_word == 0 && !letter) first_word = word1;
      if (Column() <= 4) head = head * 271 + c + 1;
    }
    for (Match& m : matches) UpdateMatch(m, c);
    if (thorough) EndByteOfThorough(c, inside_before, above_before);
    if (numeric) numbers.EndByte(block, places);
  }

  // Section 3, what thorough does after that
  void EndByteOfThorough(uint8_t c, uint64_t inside_before, uint64_t above_before) {
    digits = IsOneOf(c, "0123456789.") ? digits + 1 : 0;
    agree = c == above_before ? std::min<uint64_t>(agree + 1, 15) : 0;
    if (IsOneOf(c, ":=")) key = inside_before != 0 ? inside_before : field1;

    if (name_open) {
      if (c == '/' && name == 0) {
        CloseElement();
        name_open = false;
      } else if (c == '>' || c == '/' || c <= 0x20) {
        if (name != 0) {
          last_element = name;
          OpenElement(name);
        }
        name_open = false;
      } else {
        name = Mix(name + c + 1);
      }
    }
    if (c == '<') {
      name_open = true;
      name = 0;
    } else if (c == '{' || c == '[') {
      OpenElement(Mix(key + c));
    } else if (c == '}' || c == ']' || (c == '>' && IsOneOf(static_cast<uint8_t>(B(2)), "/-?"))) {
      CloseElement();
    }

    if (!IsOneOf(c, ",\t|;:\"< \n")) {
      for (uint64_t& q : places) q += q != 0 ? 1 : 0;
      return;
    }
    if (inside_before != 0) field1 = inside_before;
    fields.push_back(block.size());
    const std::vector<uint64_t> hashes = {Hash({field}), Hash({field1, c}), Hash({key, c, B(2)})};
    for (size_t r = 0; r < 3; ++r) {
      uint32_t& entry = role_tables[r].at(hashes[r] >> 48);
      places[r] = entry;
      entry = static_cast<uint32_t>(block.size());
    }
  }
  void OpenElement(uint64_t thing) {
    if (elements.size() < 64) elements.push_back(thing);
  }
  void CloseElement() {
    if (!elements.empty()) elements.pop_back();
  }

  // Section 4
  void UpdateMatch(Match& m, uint8_t c) const {
    if (m.position != 0) {
      if (block[m.position] == c) {
        ++m.length;
        if (m.length > 15) m.misses = 0;
      } else {
        m.length = 0;
        ++m.misses;
      }
      ++m.position;
      if (m.misses == 8) m.position = m.length = m.misses = 0;
    }
    const uint64_t P = block.size();
    if (P < m.minimal) return;
    uint64_t hash = 0;
    for (uint64_t i = 1; i <= m.minimal; ++i) hash = (hash + B(i) + 1) * 0x2F0B4C47;
    uint64_t& found = m.heads[(hash * 0x9E3779B97F4A7C15) >> (64 - S)];
    if (found != 0 && (m.position == 0 || m.misses != 0)) {
      uint64_t n = 0;
      while (n < 32 && n < found && block[found - 1 - n] == block[P - 1 - n]) ++n;
      if (n >= m.minimal) {
        m.position = found;
        m.length = n;
        m.misses = 0;
      }
    }
    found = P;
  }
};

SlowBytes::SlowBytes(int strength, uint64_t n_bytes) : s_(std::make_unique<State>(strength, n_bytes)) {}
SlowBytes::~SlowBytes() = default;
uint64_t SlowBytes::Probability() { return s_->Predict(); }
void SlowBytes::Learn(int bit) { s_->Learn(bit); }

}  // namespace slow_decoder
