#include "slow_decoder/slow_mixer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "predict/mixing_priors.h"  // the tables, which are part of the document

namespace slow_decoder {
namespace {

// ---- numeric_contract.md sections 1 and 2, in floats one at a time

float Exp(float x) {
  if (x < -87.0f) return 0.0f;
  x = std::min(x, 88.0f);
  const float n = std::nearbyint(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = p * r;
    p = p + c;
  }
  float y = ((p * (r * r)) + r) + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &y, 4);
  bits += static_cast<uint32_t>(static_cast<int32_t>(n)) << 23;
  std::memcpy(&y, &bits, 4);
  return y;
}

float Sigmoid(float x) { return 1.0f / (1.0f + Exp(0.0f - x)); }

float LaneSum(const std::vector<float>& x) {
  float a[16] = {};
  for (size_t i = 0; i < x.size(); ++i) a[i % 16] = a[i % 16] + x[i];
  for (const int h : {8, 4, 2, 1}) {
    for (int l = 0; l < h; ++l) a[l] = a[l] + a[l + h];
  }
  return a[0];
}

float Clamp(float x, float l) { return x >= l ? l : x <= -l ? -l : x; }

// ---- Section 1

uint64_t MixHash(uint64_t h) {
  h = h * 0x9E3779B97F4A7C15u;
  h = h ^ (h >> 29);
  h = h * 0xD6E8FEB86659FD93u;
  return h ^ (h >> 32);
}

double Ln(double x) {
  int e = 0;
  double m = 2 * std::frexp(x, &e);  // 1 to 2
  e = e - 1;
  if (m > 1.4142135623730951) {
    m = m / 2;
    e = e + 1;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double p = 1.0 / 13;
  for (const int k : {11, 9, 7, 5, 3, 1}) {
    p = p * z;
    p = p + 1.0 / k;
  }
  return e * 0.69314718055994531 + 2 * s * p;
}

float Stretch(uint64_t p) {
  return static_cast<float>(Ln(static_cast<double>(p)) - Ln(4294967296.0 - static_cast<double>(p)));
}

float Table(uint64_t i) {
  static const std::vector<float> table = [] {
    std::vector<float> t;
    for (uint64_t j = 0; j < 4096; ++j) t.push_back(Stretch((2 * j + 1) << 19));
    return t;
  }();
  return table[i];
}
float TableOf(float p) { return Table(std::min<uint64_t>(4095, static_cast<uint64_t>(p * 4096.0f))); }

struct Map {
  Map() {
    static const std::vector<float> begin = [] {
      std::vector<float> k;
      for (int j = 0; j < 33; ++j) k.push_back(Sigmoid((static_cast<float>(j) - 16.0f) * 0.5f));
      return k;
    }();
    knot = begin;
  }
  struct Place {
    size_t j;
    float u;
  };
  static Place At(float x) {
    float a = (x + 8.0f) * 2.0f;
    a = a < 0.0f ? 0.0f : a > 31.9921875f ? 31.9921875f : a;
    const size_t j = static_cast<size_t>(a);
    return {j, a - static_cast<float>(j)};
  }
  float Value(Place p) const { return knot[p.j] * (1.0f - p.u) + knot[p.j + 1] * p.u; }
  void Move(Place p, float t, float r) {
    knot[p.j] = knot[p.j] + (t - knot[p.j]) * (r * (1.0f - p.u));
    knot[p.j + 1] = knot[p.j + 1] + (t - knot[p.j + 1]) * (r * p.u);
  }
  std::vector<float> knot;
  int times[33] = {};
};

// ---- Section 2

struct Stream {
  std::vector<uint32_t> tokens;
  std::string bytes;
  uint64_t word = 0, before = 0, before2 = 0, head = 0, field = 0, line_tokens = 0;
  uint32_t classes = 0;
  size_t line = 0, line_before = 0;

  uint64_t T(size_t d) const { return tokens.size() < d ? 0 : uint64_t{tokens[tokens.size() - d]} + 1; }
  uint64_t Above(size_t k) const {
    const size_t at = line_before + (bytes.size() - line) + k;
    return at < line ? static_cast<uint8_t>(bytes[at]) : 0;
  }
  void AddByte(uint8_t c) {
    bytes += static_cast<char>(c);
    const bool capital = c >= 'A' && c <= 'Z', letter = capital || (c >= 'a' && c <= 'z') || c >= 128;
    if (letter) {
      word = (word + (capital ? c + 32u : c)) * 0x2F0B4C47u;
      word = word ^ (word >> 23);
    } else if (word != 0) {
      before2 = std::exchange(before, std::exchange(word, 0));
    }
    const uint32_t cls = letter ? 1 : c >= '0' && c <= '9' ? 2 : c == ' ' ? 3 : c == 10 ? 4 : c < 32 ? 5 : 6 + c % 8;
    classes = classes << 4 | cls;
    if (c == 10) {
      line_before = line;
      line = bytes.size();
      field = line_tokens = head = 0;
    } else {
      if (std::string(",\t|;:\"< ").find(static_cast<char>(c)) != std::string::npos) ++field;
      if (bytes.size() - line <= 4) head = head * 271 + c + 1;
    }
  }
};

struct Finder {
  uint64_t min_length;
  std::map<uint64_t, uint64_t> heads;
  struct At {
    bool has = false;
    uint64_t position = 0, length = 0, misses = 0;
  };
  std::vector<At> at;  // of each stream
};

}  // namespace

struct SlowMixer::State {
  int depth;
  uint64_t n, n_streams;
  std::vector<uint32_t> dictionary;
  std::vector<Stream> streams;
  std::vector<Finder> finders;
  std::map<uint64_t, uint64_t> followers;
  struct Bucket {
    uint32_t check = 0;
    uint32_t counter[7] = {32768, 32768, 32768, 32768, 32768, 32768, 32768};
  };
  std::vector<Bucket> table;
  std::map<std::pair<uint64_t, uint64_t>, Map> context_maps;
  std::map<uint64_t, Map> corrections[3];
  std::map<uint64_t, std::vector<float>> weights[4];
  std::map<uint64_t, uint64_t> learned[4];  // how often each set has
  std::map<uint64_t, std::vector<float>> final_weights;
  std::map<uint64_t, float> trust[2];
  uint64_t decisions = 0;
  size_t hidden_width;
  uint64_t tokens_begun = 0;
  std::vector<float> square;  // [hidden_width]
  struct NodeWeights {
    std::vector<float> u;
    uint64_t learned = 0;
  };
  std::map<uint64_t, NodeWeights> nodes;

  // Of a token.
  uint64_t stream;
  std::vector<float> direction;  // [hidden_width]
  int group = -1;
  uint64_t context[16];
  uint32_t* group_counters[16];
  // Of a decision.
  std::vector<float> x;
  bool known[16];
  std::pair<uint64_t, uint64_t> map_key[16];
  Map::Place map_place[16], place;
  uint32_t* counter[16];
  std::vector<float>* w[4];
  uint64_t* w_learned[4];
  NodeWeights* node_weights;  // or none
  std::vector<float>* v;
  float dot[4], f;
  Map* correction[3];
  bool live[2];
  int expected_bit[2];
  float* trusted[2];

  uint64_t Begin(uint64_t i) const { return dictionary.size() + i * n / n_streams; }
  bool Known(uint64_t position) const {
    if (position < dictionary.size()) return true;
    for (uint64_t i = 0; i < n_streams; ++i) {
      if (position >= Begin(i) && position < Begin(i) + streams[i].tokens.size()) return true;
    }
    return false;
  }
  uint32_t Token(uint64_t position) const {
    if (position < dictionary.size()) return dictionary[position];
    for (uint64_t i = 0;; ++i) {
      if (position < Begin(i + 1)) return streams[i].tokens[position - Begin(i)];
    }
  }
  static uint64_t LengthClass(const Finder::At& a) {
    const uint64_t c = a.length < 16 ? a.length : std::min<uint64_t>(31, 16 + (a.length - 16) / 8);
    return a.misses != 0 ? std::min<uint64_t>(c, 4) : c;
  }

  // Section 4
  void BeginHidden(const std::vector<float>& hidden) {
    ++tokens_begun;
    std::vector<float> products;
    for (size_t i = 0; i < hidden_width; ++i) {
      square[i] = square[i] + (hidden[i] * hidden[i] - square[i]) / static_cast<float>(tokens_begun);
      direction[i] = hidden[i] / std::sqrt(square[i] + 0.001f);
      products.push_back(direction[i] * direction[i]);
    }
    const float scale = 1.0f / std::sqrt(LaneSum(products) + 1e-9f);
    for (float& number : direction) number = number * scale;
  }

  void BeginContexts(const Stream& s) {
    group = -1;
    const uint64_t above2 = s.Above(0) + 256 * s.Above(1), above4 = above2 + 65536 * s.Above(2) + 16777216 * s.Above(3);
    const uint64_t b1 = s.bytes.empty() ? 0 : static_cast<uint8_t>(s.bytes.back());
    const uint64_t follow = followers[MixHash(s.T(1) * 70001 + s.T(2)) >> 48];
    const std::vector<std::vector<uint64_t>> values = {
        {}, {s.T(1)}, {s.T(1), s.T(2)}, {s.T(1), s.T(2), s.T(3)}, {s.T(1), s.T(2), s.T(3), s.T(4)},
        {s.T(1), s.T(2), s.T(3), s.T(4), (s.T(5) << 32) + s.T(6)}, {s.T(2)}, {s.word, s.before},
        {s.word, s.before, s.before2}, {s.word, s.T(1)}, {std::min<uint64_t>(s.bytes.size() - s.line, 255), above2},
        {s.T(1), above4}, {s.field, s.T(1)}, {s.field, s.head, s.line_tokens}, {follow, s.T(1)}, {s.classes, b1}};
    for (uint64_t c = 0; c < 16; ++c) {
      std::vector<uint64_t> five = values[c];
      five.resize(5, 0);
      uint64_t h = MixHash(c + 1);
      for (const uint64_t value : five) h = MixHash(h + value);
      context[c] = h;
    }
  }

  uint32_t* FindCounters(uint64_t h) {
    Bucket* line = &table[(h >> 20) % table.size() / 4 * 4];
    Bucket* lowest = nullptr;
    for (uint64_t j = 0; j < 4; ++j) {
      Bucket& b = line[((h >> 16) + j) % 4];
      if (b.check == h % 65536) return b.counter;
      if (lowest == nullptr || b.counter[0] % 16 < lowest->counter[0] % 16) lowest = &b;
    }
    *lowest = Bucket();
    lowest->check = static_cast<uint32_t>(h % 65536);
    return lowest->counter;
  }

  std::vector<float>& Weights(int k, uint64_t set) {
    std::vector<float>& weight = weights[k][set];
    if (weight.empty()) {
      for (const int16_t prior : pith::kMixingPriors.weights[k]) weight.push_back(static_cast<float>(prior) / 1024.0f);
    }
    return weight;
  }
};

SlowMixer::SlowMixer(int depth, size_t hidden_width, uint64_t n_tokens, uint64_t n_streams, uint64_t table_tokens)
    : s_(new State) {
  s_->depth = depth;
  s_->hidden_width = hidden_width;
  s_->square.resize(hidden_width);
  s_->direction.resize(hidden_width);
  s_->n = n_tokens;
  s_->n_streams = n_streams;
  s_->streams.resize(n_streams);
  for (const uint64_t length : {12, 4}) s_->finders.push_back({length, {}, std::vector<Finder::At>(n_streams)});
  const uint64_t groups = static_cast<uint64_t>(depth + 2) / 3;
  uint64_t size = 16384;
  while (size < 2097152 && size < table_tokens * groups * 8) size *= 2;
  s_->table.resize(size);
}
SlowMixer::~SlowMixer() = default;

void SlowMixer::Continue(uint64_t n_tokens, uint64_t n_streams) {
  State& s = *s_;
  s.dictionary = s.streams[0].tokens;
  s.n = n_tokens;
  s.n_streams = n_streams;
  s.streams.assign(n_streams, Stream());
  for (Finder& finder : s.finders) finder.at.assign(n_streams, Finder::At());
}

void SlowMixer::BeginToken(uint64_t stream, const std::vector<float>& hidden) {
  s_->stream = stream;
  s_->BeginHidden(hidden);
  s_->BeginContexts(s_->streams[stream]);
}

uint64_t SlowMixer::Probability(int level, uint64_t node, uint64_t p) {
  State& s = *s_;
  const uint64_t stream = s.stream;
  const Stream& history = s.streams[stream];
  const auto l = static_cast<uint64_t>(level), depth = static_cast<uint64_t>(s.depth);
  if (s.group != level / 3) {
    s.group = level / 3;
    for (int c = 0; c < 16; ++c) {
      s.group_counters[c] = s.FindCounters(MixHash(s.context[c] + (node >> l % 3) * 0x9E3779B97F4A7C15u));
    }
  }
  s.x.assign(48, 0.0f);
  uint64_t n_known = 0;
  for (uint64_t c = 0; c < 16; ++c) {
    const uint64_t half = uint64_t{1} << l % 3;
    s.counter[c] = s.group_counters[c] + half - 1 + node % half;
    const uint32_t count = *s.counter[c] % 16, twelve = *s.counter[c] / 16;
    s.known[c] = count != 0;
    if (count == 0) continue;
    ++n_known;
    s.map_key[c] = {c, count};
    s.map_place[c] = Map::At(Table(twelve));
    if (!s.context_maps.contains(s.map_key[c])) {
      Map& map = s.context_maps[s.map_key[c]];
      for (size_t j = 0; j < 33; ++j) {
        map.knot[j] = static_cast<float>(pith::kMixingPriors.maps[count][j]) / 65536.0f;
        map.times[j] = 30;
      }
    }
    s.x[c] = TableOf(s.context_maps[s.map_key[c]].Value(s.map_place[c]));
    s.x[16 + c] = (static_cast<float>(twelve) - 2048.0f) / 1024.0f;
  }
  s.x[32] = 0.4f;
  s.x[33] = Clamp(Stretch(p), 16.0f);
  s.x[34] = (static_cast<float>(p) / 4294967296.0f - 0.5f) * 2.0f;
  float logit = Stretch(p);
  s.node_weights = nullptr;
  if (s.hidden_width != 0 && node < 8192) {
    s.node_weights = &s.nodes[node];
    s.node_weights->u.resize(s.hidden_width);
    std::vector<float> products;
    for (size_t i = 0; i < s.hidden_width; ++i) products.push_back(s.node_weights->u[i] * s.direction[i]);
    logit = logit + LaneSum(products);
  }
  s.x[39] = Clamp(logit, 16.0f);
  for (size_t m = 0; m < 2; ++m) {
    const Finder::At& at = s.finders[m].at[stream];
    s.live[m] = false;
    if (!at.has) continue;
    const uint64_t leaf = (uint64_t{1} << s.depth) + s.Token(at.position);
    if (leaf >> (s.depth - level) != node) continue;
    s.live[m] = true;
    s.expected_bit[m] = static_cast<int>(leaf >> (s.depth - level - 1) & 1);
    const uint64_t length = State::LengthClass(at);
    s.trusted[m] = &s.trust[m]
                        .try_emplace(length * 64 + l, 1.0f - 0.3f / ((static_cast<float>(length) + 1.5f) *
                                                                     (1.0f + static_cast<float>(level) * 0.3f)))
                        .first->second;
    const float sign = s.expected_bit[m] == 1 ? 1.0f : -1.0f;
    s.x[35 + m] = sign * TableOf(*s.trusted[m]);
    s.x[37 + m] = sign * ((*s.trusted[m] - 0.5f) * 2.0f);
  }
  const uint64_t node_or_0 = node < 8192 ? node : 0;
  const uint64_t expects = s.live[0] ? 1 + static_cast<uint64_t>(s.expected_bit[0]) : 0;
  const uint64_t t1 = history.T(1);
  const uint64_t sets[4] = {node_or_0, t1 % 4096, n_known * depth + l, history.classes % 256 * 3 + expects};
  s.v = &s.final_weights[l * 3 + (s.live[0] ? 1 : 0) + (s.live[1] ? 1 : 0)];
  if (s.v->empty()) s.v->assign(4, 0.25f);
  s.f = 0.0f;
  for (int k = 0; k < 4; ++k) {
    s.w[k] = &s.Weights(k, sets[k]);
    s.w_learned[k] = &s.learned[k][sets[k]];
    std::vector<float> products;
    for (size_t i = 0; i < 48; ++i) products.push_back((*s.w[k])[i] * s.x[i]);
    s.dot[k] = Clamp(LaneSum(products), 14.0f);
    s.f = s.f + (*s.v)[static_cast<size_t>(k)] * s.dot[k];
  }
  s.f = Clamp(s.f, 16.0f);
  uint64_t match = 0;
  if (const Finder::At& first = s.finders[0].at[stream]; first.has) {
    match = std::min<uint64_t>(15, 1 + (first.length < 16 ? first.length / 2 : 8 + first.length / 16));
  } else if (const Finder::At& second = s.finders[1].at[stream]; second.has) {
    match = std::min<uint64_t>(3, second.length);
  }
  s.correction[0] = &s.corrections[0][node_or_0];
  s.correction[1] = &s.corrections[1][MixHash((t1 << 32) + node) >> 50];
  s.correction[2] = &s.corrections[2][(match * depth + l) * 3 + expects];
  s.place = Map::At(s.f);
  float corrected = 0.0f;
  for (const Map* map : s.correction) corrected = corrected + map->Value(s.place);
  float mixed = Sigmoid(s.f) * (1.0f - 3.0f * 0.17f) + corrected * 0.17f;
  mixed = std::min(1.0f - std::ldexp(1.0f, -20), std::max(std::ldexp(1.0f, -20), mixed));
  return static_cast<uint64_t>(mixed * 4294967296.0f);
}

void SlowMixer::Learn(int bit) {
  State& s = *s_;
  ++s.decisions;
  const auto t = static_cast<float>(bit);
  for (Map* map : s.correction) map->Move(s.place, t, 0.02f);
  const float a = (t - Sigmoid(s.f)) * 0.0015f;
  for (size_t k = 0; k < 4; ++k) (*s.v)[k] = (*s.v)[k] + a * s.dot[k];
  for (size_t k = 0; k < 4; ++k) {
    const float rate = std::max(0.0015f, 0.05f / (1.0f + 0.005f * static_cast<float>(*s.w_learned[k])));
    *s.w_learned[k] += 1;
    const float step = (t - Sigmoid(s.dot[k])) * rate;
    for (size_t i = 0; i < 48; ++i) (*s.w[k])[i] = (*s.w[k])[i] + step * s.x[i];
  }
  if (s.node_weights != nullptr) {
    const float rate = std::max(0.3f, 2.0f / (1.0f + 0.005f * static_cast<float>(s.node_weights->learned)));
    s.node_weights->learned += 1;
    const float step = (t - Sigmoid(s.x[39])) * rate;
    for (size_t i = 0; i < s.hidden_width; ++i) s.node_weights->u[i] = s.node_weights->u[i] + step * s.direction[i];
  }
  static const int32_t kRate[16] = {40960, 25206, 18204, 14247, 11703, 9929, 8623, 7620,
                                    6826,  6182,  5649,  5201,  4818,  4488, 4201, 1092};
  for (size_t c = 0; c < 16; ++c) {
    if (s.known[c]) {
      Map& map = s.context_maps[s.map_key[c]];
      int& times = map.times[s.map_place[c].j];
      map.Move(s.map_place[c], t, times < 127 ? 0.5f / (static_cast<float>(times) + 1.5f) : 1.0f / 255.0f);
      if (times < 127) ++times;
    }
    int32_t p = static_cast<int32_t>(*s.counter[c] / 16);
    uint32_t count = *s.counter[c] % 16;
    p = p + (4095 * bit - p) * kRate[count] / 65536;
    p = p < 1 ? 1 : p > 4094 ? 4094 : p;
    if (count < 12 || (count < 15 && (s.decisions * 2654435761u % 4294967296u >> 20) % 4 == 0)) ++count;
    *s.counter[c] = static_cast<uint32_t>(p) * 16 + count;
  }
  for (size_t m = 0; m < 2; ++m) {
    if (!s.live[m]) continue;
    const float right = s.expected_bit[m] == bit ? 1.0f : 0.0f;
    *s.trusted[m] = *s.trusted[m] + (right - *s.trusted[m]) * 0.01f;
  }
}

void SlowMixer::EndToken(uint32_t token, const std::string& bytes) {
  State& s = *s_;
  const uint64_t stream = s.stream;
  Stream& history = s.streams[stream];
  if (history.T(2) != 0) {
    uint64_t& entry = s.followers[MixHash(history.T(1) * 70001 + history.T(2)) >> 48];
    entry = (entry << 32) + token;
  }
  for (const char c : bytes) history.AddByte(static_cast<uint8_t>(c));
  ++history.line_tokens;
  history.tokens.push_back(token);
  const uint64_t next = s.Begin(stream) + history.tokens.size();
  for (Finder& finder : s.finders) {
    Finder::At& at = finder.at[stream];
    if (at.has) {
      if (s.Token(at.position) == token) {
        ++at.length;
      } else {
        at.length = 0;
        ++at.misses;
      }
      if (at.misses < 8 && s.Known(at.position + 1)) {
        ++at.position;
        if (at.length > 15) at.misses = 0;
      } else {
        at = Finder::At();
      }
    }
    if (history.tokens.size() < finder.min_length) continue;
    uint64_t h = 0;
    for (uint64_t k = 1; k <= finder.min_length; ++k) h = MixHash(h + s.Token(next - k) + 1);
    const auto head = finder.heads.find(h >> 46);
    if ((!at.has || at.misses != 0) && head != finder.heads.end() && s.Known(head->second)) {
      uint64_t n = 0;
      while (n < 64 && n < history.tokens.size() && n < head->second && s.Known(head->second - 1 - n) &&
             s.Token(head->second - 1 - n) == s.Token(next - 1 - n)) {
        ++n;
      }
      if (n >= finder.min_length) at = {true, head->second, n, 0};
    }
    finder.heads[h >> 46] = next;
  }
}

}  // namespace slow_decoder
