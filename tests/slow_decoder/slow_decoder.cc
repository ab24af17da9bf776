#include "slow_decoder/slow_decoder.h"

#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "slow_decoder/slow_bytes.h"
#include "slow_decoder/slow_mixer.h"

namespace slow_decoder {
namespace {

struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ModelDiffers : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Require(bool holds, const char* what) {
  if (!holds) throw Damaged(what);
}

uint64_t H(const Bytes& b) { return XXH3_64bits(b.data(), b.size()); }
uint32_t H32(const Bytes& b) { return static_cast<uint32_t>(H(b)); }

// ---- Section 1: a place in the file
// ---------------------------------------------------------------------------------

class Cursor {
 public:
  Cursor(const Bytes& file, size_t at) : file_(file), at_(at) {}
  size_t at() const { return at_; }
  bool AtEnd() const { return at_ == file_.size(); }

  Bytes Take(uint64_t n) {
    Require(n <= file_.size() - at_, "the file ends early");
    const Bytes b(file_.begin() + static_cast<ptrdiff_t>(at_),
                  file_.begin() + static_cast<ptrdiff_t>(at_ + n));
    at_ += n;
    return b;
  }
  uint64_t Little(int n_bytes) {
    const Bytes b = Take(static_cast<uint64_t>(n_bytes));
    uint64_t v = 0;
    for (size_t i = b.size(); i-- > 0;) v = v * 256 + b[i];
    return v;
  }
  uint64_t Varint() {
    uint64_t v = 0;
    for (int i = 0; i < 10; ++i) {
      const uint64_t b = Little(1);
      Require(i < 9 || b <= 1, "a varint of more than 64 bits");
      v |= (b & 127) << (7 * i);
      if (b < 128) {
        Require(i == 0 || b != 0, "a varint that is not the shortest");
        return v;
      }
    }
    throw Damaged("a varint of more than 10 bytes");
  }
  Bytes Since(size_t begin) const {
    return Bytes(file_.begin() + static_cast<ptrdiff_t>(begin), file_.begin() + static_cast<ptrdiff_t>(at_));
  }

 private:
  const Bytes& file_;
  size_t at_;
};

bool IsName(const Bytes& b) {
  for (const uint8_t c : b) {
    if (c < 0x20 || c == 0x7f) return false;
  }
  return b.size() <= 255;
}

// ---- Section 8: the code
// --------------------------------------------------------------------------------------------

class Code {
 public:
  explicit Code(const Bytes& bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) value_ = value_ * 256 + Next();
  }
  int Decide(uint64_t p) {
    uint64_t bound = range_ * p / 4294967296u;
    if (bound < 1) bound = 1;
    int bit = 1;
    if (value_ < bound) {
      range_ = bound;
    } else {
      bit = 0;
      value_ -= bound;
      range_ -= bound;
    }
    while (range_ < 16777216) {
      value_ = (value_ * 256 + Next()) % 4294967296u;
      range_ *= 256;
    }
    return bit;
  }
  bool Overrun() const { return n_read_ > bytes_.size() + 8; }
  bool AllRead() const { return n_read_ >= bytes_.size(); }

 private:
  uint64_t Next() { return n_read_++ < bytes_.size() ? bytes_[n_read_ - 1] : 0; }

  const Bytes& bytes_;
  size_t n_read_ = 0;
  uint64_t range_ = 4294967295u;
  uint64_t value_ = 0;
};

// ---- Section 6: model blocks
// ----------------------------------------------------------------------------------------

struct ModelBlock {
  uint64_t content_size, n, s;
  uint64_t encoding = 0;
  uint64_t text_size = 0;  // of lean blocks with an encoding
  uint32_t probe, content_check;
  Bytes payload;
  bool adaptive;
  bool lean = false;  // section 10: n is only the most
  bool has_probe;
  uint64_t window;
};

// Splits the field of streams.
void CheckTokens(ModelBlock& b, uint64_t window) {
  Require(b.s >= 1, "number of streams");
  b.encoding = (b.s - 1) / 256;
  b.s -= 256 * b.encoding;
  Require(b.encoding <= 26, "an encoding that is not known");
  Require(b.n >= 1 && b.n <= (b.encoding == 0 ? 1 : 4) * b.content_size, "number of tokens");
  Require(b.s <= b.n && b.s * window <= 131072, "number of streams");
}

// Section 6: characters of an encoding that has a table, by code points.
std::map<uint64_t, Bytes> Characters(uint64_t encoding) {
  std::ifstream in(PITH_SOURCE_DIR "/src/charset/character_tables.zst", std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  Bytes tables(246804);
  Require(ZSTD_decompress(tables.data(), tables.size(), file.data(), file.size()) == tables.size(), "the tables of characters");
  const uint64_t singles = 128, pairs = 126 * 191;
  uint64_t at = encoding < 22 ? (encoding - 3) * singles : 19 * singles + (encoding - 22) * (singles + pairs);
  const auto next = [&] {
    const uint64_t c = tables[2 * at] + 256u * tables[2 * at + 1];
    ++at;
    return c;
  };
  std::map<uint64_t, Bytes> characters;
  for (int first = 0x80; first <= 0xff; ++first) {
    if (const uint64_t c = next(); c != 0) characters[c] = {static_cast<uint8_t>(first)};
  }
  for (int first = 0x81; encoding >= 22 && first <= 0xfe; ++first) {
    for (int second = 0x40; second <= 0xfe; ++second) {
      if (const uint64_t c = next(); c != 0) characters[c] = {static_cast<uint8_t>(first), static_cast<uint8_t>(second)};
    }
  }
  return characters;
}

// The content whose text this is; false where the text has characters that the encoding lacks.
bool Encode(uint64_t encoding, const Bytes& text, Bytes& content) {
  const bool wide = encoding <= 2;
  const std::map<uint64_t, Bytes> characters = wide ? std::map<uint64_t, Bytes>() : Characters(encoding);
  const auto put_unit = [&](uint64_t unit) {
    content.push_back(static_cast<uint8_t>(encoding == 1 ? unit % 256 : unit / 256));
    content.push_back(static_cast<uint8_t>(encoding == 1 ? unit / 256 : unit % 256));
  };
  for (size_t at = 0; at < text.size();) {
    const uint8_t lead = text[at];
    const size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (text.size() - at < n) return false;
    uint64_t c = n == 1 ? lead : lead % (1u << (7 - n));
    for (size_t k = 1; k < n; ++k) c = c * 64 + text[at + k] % 64;
    at += n;
    if (c >= 0x10ff00) {
      content.push_back(static_cast<uint8_t>(c % 256));
    } else if (wide && c < 0x10000) {
      put_unit(c);
    } else if (wide) {
      put_unit(0xd800 + (c - 0x10000) / 1024);
      put_unit(0xdc00 + (c - 0x10000) % 1024);
    } else if (c < 0x80) {
      content.push_back(lead);
    } else if (const auto found = characters.find(c); found != characters.end()) {
      content.insert(content.end(), found->second.begin(), found->second.end());
    } else {
      return false;
    }
  }
  return true;
}

// The ids below a node, and whether a decision about them is certain.
struct Decision {
  bool certain;
  int bit;     // if certain
  uint64_t p;  // if not
};

Decision Decide(const std::vector<uint32_t>& f, uint64_t begin, uint64_t middle, uint64_t end) {
  const auto total = [&](uint64_t from, uint64_t to) {
    uint64_t sum = 0;
    for (uint64_t id = from; id < to && id < f.size(); ++id) sum += f[id];
    return sum;
  };
  const uint64_t zero = total(begin, middle), one = total(middle, end);
  if (zero == 0 || one == 0) return {true, one != 0, 0};
  const uint64_t p = one * 4294967296u / (zero + one);
  return {false, 0, p < 1 ? 1 : p > 4294967295u ? 4294967295u : p};
}

// mixing.md section 8
void LearnDictionary(const std::vector<uint32_t>& tokens, int depth, const Model& model, SlowMixer& mixer) {
  model.begin(1);
  uint32_t input = model.start_token;
  for (const uint32_t token : tokens) {
    const auto [f, hidden] = model.feed(0, input);
    mixer.BeginToken(0, hidden);
    uint64_t begin = 0, end = uint64_t{1} << depth, node = 1;
    for (int level = 0; level < depth; ++level) {
      const uint64_t middle = (begin + end) / 2;
      const int bit = token >= middle;
      const Decision d = Decide(f, begin, middle, end);
      if (!d.certain) {
        mixer.Probability(level, node, d.p);
        mixer.Learn(bit);
      }
      (bit == 1 ? begin : end) = middle;
      node = 2 * node + static_cast<uint64_t>(bit);
    }
    mixer.EndToken(token, model.token_bytes(token));
    input = token;
  }
}

// dictionary: empty, or what the block was made with.
Bytes DecodeModelBlock(const ModelBlock& b, const Model& model, const std::vector<uint32_t>& dictionary) {
  const auto differs = [](bool fits, const char* what) {
    if (!fits) throw ModelDiffers(what);
  };
  int depth = 0;
  while ((uint64_t{1} << depth) < model.vocab) ++depth;
  std::vector<std::vector<uint32_t>> stream(b.s);  // tokens so far
  uint64_t n_done = 0, n_bytes = 0;
  Bytes probe;
  bool probe_compared = false;
  Code code(b.payload);
  const uint64_t d = dictionary.size();
  const uint64_t n_table = b.lean ? (b.content_size + 1) / 2 : b.n;
  SlowMixer mixer(depth, model.hidden_width, d == 0 ? b.n : d, d == 0 ? b.s : 1, d == 0 ? n_table : d + std::max(n_table, d));
  if (d != 0) {
    LearnDictionary(dictionary, depth, model, mixer);
    mixer.Continue(b.n, b.s);
  }
  model.begin(b.s);
  const uint64_t most_bytes = b.encoding == 0 ? b.content_size : b.lean ? b.text_size : 4 * b.content_size;
  uint32_t first_input = model.start_token;
  for (uint64_t k = d - std::min(d, b.window / 2); k < d; ++k) {
    for (uint64_t i = 0; i < b.s; ++i) model.feed(i, first_input);
    first_input = dictionary[k];
  }
  for (uint64_t step = 0; n_done < b.n && !(b.lean && n_bytes >= most_bytes); ++step) {
    // Every stream is fed before any is decoded, as a batch would be.
    std::vector<Model::Said> said(b.s);
    for (uint64_t i = 0; i < b.s; ++i) {
      if (step < (i + 1) * b.n / b.s - i * b.n / b.s)
        said[i] = model.feed(i, step == 0 ? first_input : stream[i].back());
    }
    for (uint64_t i = 0; i < b.s; ++i) {
      if (said[i].frequencies.empty()) continue;
      if (b.adaptive) mixer.BeginToken(i, said[i].hidden);
      uint64_t begin = 0, end = uint64_t{1} << depth;  // the ids below the node
      uint64_t node = 1;
      int level = 0;
      while (end - begin > 1) {
        const uint64_t middle = begin + (end - begin) / 2;
        const Decision decision = Decide(said[i].frequencies, begin, middle, end);
        int bit = decision.bit;
        if (!decision.certain) {
          const uint64_t p = decision.p;
          if (step < 16) {
            for (int k = 0; k < 4; ++k) probe.push_back(static_cast<uint8_t>(p >> (8 * k)));
          }
          bit = code.Decide(b.adaptive ? mixer.Probability(level, node, p) : p);
          if (b.adaptive) mixer.Learn(bit);
        }
        (bit == 1 ? begin : end) = middle;
        node = 2 * node + static_cast<uint64_t>(bit);
        ++level;
      }
      stream[i].push_back(static_cast<uint32_t>(begin));
      const std::string bytes = model.token_bytes(stream[i].back());
      if (b.adaptive) mixer.EndToken(stream[i].back(), bytes);
      n_bytes += bytes.size();
      ++n_done;
    }
    differs(!code.Overrun(), "the code is at its end");
    differs(n_bytes <= most_bytes, "the tokens have too many bytes");
    if (b.has_probe && (step == 15 || (n_done == b.n && !probe_compared))) {
      differs(H32(probe) == b.probe, "the probe");
      probe_compared = true;
    }
  }
  differs(code.AllRead(), "the code is longer than its tokens");
  Bytes text, content;
  for (const std::vector<uint32_t>& tokens : stream) {
    for (const uint32_t token : tokens) {
      const std::string bytes = model.token_bytes(token);
      text.insert(text.end(), bytes.begin(), bytes.end());
    }
  }
  if (b.encoding == 0) {
    content = text;
  } else {
    differs(Encode(b.encoding, text, content), "the text has characters that its encoding lacks");
  }
  differs(content.size() == b.content_size, "the tokens have too few bytes");
  differs((b.lean ? H32(content) % 65536 : H32(content)) == b.content_check, "the content's check");
  return content;
}

// ---- Contexts blocks

// What precedes the payload, or the check in a short archive.
struct Contexts {
  uint64_t strength, encoding, text_size;
};
Contexts ReadContexts(Cursor& in, uint64_t content_size) {
  const uint64_t byte = in.Little(1);
  Contexts c = {byte % 8, byte / 8, content_size};
  if (c.encoding != 0) c.text_size = in.Varint();
  return c;
}
void CheckContexts(const Contexts& c, uint64_t content_size) {
  Require(c.strength >= 1 && c.strength <= 4, "strength of a contexts block");
  Require(c.encoding <= 26, "an encoding that is not known");
  Require(c.text_size >= 1 && c.text_size <= content_size, "size of a text");
}

Bytes DecodeText(const Bytes& payload, int strength, uint64_t content_size) {
  Bytes content;
  Code code(payload);
  SlowBytes mixer(strength, content_size);
  while (content.size() < content_size) {
    int byte = 0;
    for (int i = 0; i < 8; ++i) {
      const int bit = code.Decide(mixer.Probability());
      mixer.Learn(bit);
      byte = 2 * byte + bit;
    }
    content.push_back(static_cast<uint8_t>(byte));
    Require(!code.Overrun(), "the code of a contexts block is at its end");
  }
  Require(code.AllRead(), "the code of a contexts block is longer than its content");
  return content;
}

Bytes DecodeContexts(const Bytes& payload, const Contexts& c, uint64_t content_size) {
  const Bytes text = DecodeText(payload, static_cast<int>(c.strength), c.text_size);
  if (c.encoding == 0) return text;
  Bytes content;
  Require(Encode(c.encoding, text, content) && content.size() == content_size, "a text that does not fit its encoding");
  return content;
}

// ---- The archive
// ----------------------------------------------------------------------------------------------------

Bytes DecodeZstd(const Bytes& payload, uint64_t content_size) {
  Require(ZSTD_getFrameContentSize(payload.data(), payload.size()) == content_size,
          "zstd: size of the content");
  Require(ZSTD_findFrameCompressedSize(payload.data(), payload.size()) == payload.size(),
          "zstd: size of the frame");
  Bytes content(content_size);
  Require(ZSTD_decompress(content.data(), content.size(), payload.data(), payload.size()) == content_size,
          "zstd: data");
  return content;
}

// Section 10: the header of the frame that its blocks belong to, and these.
Bytes ReadBareZstd(Cursor& in, uint64_t size) {
  Bytes frame = {0x28, 0xb5, 0x2f, 0xfd};
  const auto put = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) frame.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  if (size < 256) {
    put(0x20, 1);
    put(size, 1);
  } else if (size < 65792) {
    put(0x60, 1);
    put(size - 256, 2);
  } else {
    put(0xa0, 1);
    put(size, 4);
  }
  for (bool last = false; !last;) {
    const uint64_t block = in.Little(3);
    put(block, 3);
    last = block % 2 == 1;
    const Bytes data = in.Take(block / 2 % 4 == 1 ? 1 : block / 8);
    frame.insert(frame.end(), data.begin(), data.end());
  }
  return frame;
}

// Section 10
void DecodeShort(Cursor& in, size_t begin, uint64_t form, const FindModel& find_model, const Dictionary& dictionary,
                 Archive& archive) {
  const uint64_t kind = form % 8;
  const bool lean = kind == 4;
  const bool by_model = kind == 3 || kind == 6 || lean;
  Require(form < 128 && (form / 64 == (by_model && !lean ? 1 : 0) || kind == 2), "a form that is not known, or a block of format 3");
  const bool contexts = kind == 7;
  Require(by_model || contexts || kind == 1 || kind == 2, "a kind that is not known");
  const bool window_follows = form / 8 % 2 == 1, with_dictionary = form / 16 % 2 == 1, one_stream = form / 32 % 2 == 1;
  Require(by_model || !one_stream, "a stream without a model");
  Require(kind == 6 || lean || !with_dictionary, "a dictionary for nothing");
  Require(by_model || !window_follows, "a window without a model");
  Bytes fingerprint;
  uint64_t window = 512, sinks = 4;
  if (by_model) fingerprint = in.Take(lean ? 2 : 4);
  const uint64_t dictionary_id = with_dictionary ? in.Little(4) : 0;
  if (window_follows) {
    window = in.Varint();
    sinks = in.Varint();
  }
  const uint64_t size = in.Varint();
  Require(size >= 1 && size <= (lean ? 65536 : 16777216), "size of the content");
  uint64_t payload_size = size;
  Bytes bare;
  if (kind == 2 && form / 64 == 1) {
    payload_size = 0;
    bare = ReadBareZstd(in, size);
    Require(bare.size() < size, "size of a payload");
  } else if (kind != 1) {
    payload_size = in.Varint();
    Require(payload_size < size, "size of a payload");
  }
  ModelBlock b{};
  if (by_model) {
    b.adaptive = kind != 3;
    b.content_size = size;
    b.lean = lean;
    b.n = lean ? size : in.Varint();
    b.s = one_stream || lean ? 1 : in.Varint();
    if (lean && one_stream) {
      b.s += 256 * in.Little(1);
      b.n = b.text_size = in.Varint();
    }
  }
  const Contexts by = contexts ? ReadContexts(in, size) : Contexts{};
  if (by_model || contexts) b.content_check = static_cast<uint32_t>(in.Little(lean ? 2 : 4));
  const Bytes payload = bare.empty() ? in.Take(payload_size) : bare;
  const uint32_t check = H32(in.Since(begin));
  if (by_model || contexts) {
    Require(in.Little(2) == check % 65536, "check of a short archive");
  } else {
    Require(in.Little(4) == check, "check of a short archive");
  }
  if (by_model) {
    Require(window >= 1 && window <= 131072 && sinks <= 16 && sinks < window, "window or sinks");
    CheckTokens(b, window);
    const Model* model = find_model("", fingerprint, static_cast<uint32_t>(window), static_cast<uint32_t>(sinks));
    if (model == nullptr) throw ModelDiffers("no such model");
    b.payload = payload;
    b.window = window;
    if (with_dictionary && (dictionary.tokens.empty() || dictionary.id % 4294967296u != dictionary_id)) {
      throw ModelDiffers("no such dictionary");
    }
    archive.content = DecodeModelBlock(b, *model, with_dictionary ? dictionary.tokens : std::vector<uint32_t>());
  } else if (contexts) {
    CheckContexts(by, size);
    archive.content = DecodeContexts(payload, by, size);
    Require(H32(archive.content) == b.content_check, "the content's check");
  } else {
    archive.content = kind == 1 ? payload : DecodeZstd(payload, size);
  }
  archive.n_blocks = 1;
}

void DecodeArchive(Cursor& in, const FindModel& find_model, const Dictionary& dictionary, Archive& archive) {
  // Section 2
  const size_t header = in.at();
  const Bytes magic = in.Take(4);
  if (magic[0] == 0x89 && magic[1] == 0x70 && magic[2] == 0x74 && magic[3] >= 128) {
    return DecodeShort(in, header, magic[3] - 128u, find_model, dictionary, archive);
  }
  Require(magic == (Bytes{0x89, 0x70, 0x74, 0x68}), "magic");
  const uint64_t format = in.Little(1), contract = in.Little(1);
  const uint32_t header_check = H32(in.Since(header)) & 0xffff;
  Require(in.Little(2) == header_check, "check of the header");
  Require(format >= 1 && format <= 4 && contract == 1, "a version that is not known");

  struct Entry {
    uint64_t kind, content_size, frame_size;
  };
  std::vector<Entry> index;
  bool described = false, description_used = true;
  bool with_dictionary = false, dictionary_used = true, adaptive_seen = false;
  uint64_t dictionary_id = 0;
  std::string model_name;
  Bytes fingerprint;
  uint64_t window = 0, sinks = 0;
  while (true) {
    // Section 3
    const size_t begin = in.at();
    const uint64_t tag = in.Varint();
    const uint64_t kind = tag % 8, size = tag / 8;
    const auto compare_check = [&] {
      const uint32_t expected = H32(in.Since(begin));
      Require(in.Little(4) == expected, "check of a frame");
    };
    const bool by_model = format == 4 && (kind == 3 || kind == 6);
    const bool adaptive = kind == 6;
    const bool contexts = format >= 3 && kind == 7;
    if (kind == 1 || kind == 2 || by_model || contexts) {
      Require(size >= 1 && size <= 16777216, "size of a block's content");
      Require(archive.n_blocks < 4194304, "number of blocks");
      Bytes content;
      if (kind == 1) {
        content = in.Take(size);
        compare_check();
      } else if (kind == 2) {
        const uint64_t payload_size = in.Varint();
        Require(payload_size < size, "size of a payload");
        const Bytes payload = in.Take(payload_size);
        compare_check();
        content = DecodeZstd(payload, size);
      } else if (contexts) {
        const uint64_t payload_size = in.Varint();
        Require(payload_size < size, "size of a payload");
        const Contexts by = ReadContexts(in, size);
        const Bytes payload = in.Take(payload_size);
        compare_check();
        CheckContexts(by, size);
        Require(description_used, "a model description that no model block follows");
        content = DecodeContexts(payload, by, size);
      } else {
        ModelBlock b;
        b.adaptive = adaptive;
        b.has_probe = true;
        b.content_size = size;
        const uint64_t payload_size = in.Varint();
        Require(payload_size < size, "size of a payload");
        b.n = in.Varint();
        b.s = in.Varint();
        b.probe = static_cast<uint32_t>(in.Little(4));
        b.content_check = static_cast<uint32_t>(in.Little(4));
        b.payload = in.Take(payload_size);
        compare_check();
        Require(described, "a model block without a model description");
        CheckTokens(b, window);
        const Model* model =
            find_model(model_name, fingerprint, static_cast<uint32_t>(window), static_cast<uint32_t>(sinks));
        if (model == nullptr) throw ModelDiffers("no such model");
        b.window = window;
        const bool uses_dictionary = adaptive && with_dictionary;
        if (uses_dictionary && (dictionary.tokens.empty() || dictionary.id != dictionary_id)) {
          throw ModelDiffers("no such dictionary");
        }
        content = DecodeModelBlock(b, *model, uses_dictionary ? dictionary.tokens : std::vector<uint32_t>());
        adaptive_seen = adaptive_seen || adaptive;
        dictionary_used = dictionary_used || adaptive;
        description_used = true;
      }
      Require(description_used, "a model description that no model block follows");
      ++archive.n_blocks;
      archive.content.insert(archive.content.end(), content.begin(), content.end());
      index.push_back({adaptive || contexts ? 3 : kind, size, in.at() - begin});
    } else if (kind == 4) {
      Require(size <= 16 + 10 + 10 + 255, "size of a model description");
      const size_t payload = in.at();
      fingerprint = in.Take(16);
      window = in.Varint();
      sinks = in.Varint();
      Require(in.at() - payload <= size, "size of a model description");
      const Bytes name = in.Take(size - (in.at() - payload));
      compare_check();
      Require(!described, "a second model description");
      Require(window >= 1 && window <= 131072 && sinks <= 16 && sinks < window, "window or sinks");
      Require(IsName(name), "name of the model");
      model_name.assign(name.begin(), name.end());
      described = true;
      description_used = false;
      index.push_back({0, 0, in.at() - begin});
    } else if (kind == 0 && format >= 3) {
      Require(size == 8, "size of a dictionary's description");
      dictionary_id = in.Little(8);
      compare_check();
      Require(!with_dictionary && !adaptive_seen, "a dictionary too many, or too late");
      with_dictionary = true;
      dictionary_used = false;
      index.push_back({0, 0, in.at() - begin});
    } else if (kind == 5) {
      // Section 7
      const size_t payload = in.at();
      Require(in.Varint() == index.size(), "number of entries");
      for (const Entry& e : index) {
        if (e.kind == 0) {
          Require(in.Varint() == e.frame_size * 4, "entry of a model description");
        } else {
          Require(in.Varint() == e.content_size * 4 + e.kind, "entry of a block");
          Require(in.Varint() == e.frame_size, "entry of a block");
        }
      }
      Require(in.Varint() == archive.content.size(), "size of the content");
      Require(in.Little(8) == H(archive.content), "hash of the content");
      const uint64_t flags = in.Little(1);
      Require(flags < 4, "flags");
      if (flags % 2 == 1) {
        const Bytes name = in.Take(in.Varint());
        archive.file_name.assign(name.begin(), name.end());
        Require(!name.empty() && IsName(name) && archive.file_name.find('/') == std::string::npos &&
                    archive.file_name != "." && archive.file_name != "..",
                "name of the file");
      }
      if (flags / 2 == 1) {
        archive.has_mtime = true;
        archive.mtime_ns = static_cast<int64_t>(in.Little(8));
      }
      Require(in.at() - payload == size, "size of the end frame");
      compare_check();
      Require(description_used, "a model description that no model block follows");
      Require(dictionary_used, "a dictionary that no adaptive block uses");
      const uint64_t frame_size = in.at() - begin;
      Require(in.Little(4) == frame_size && in.Take(4) == (Bytes{0x68, 0x74, 0x70, 0x98}), "footer");
      return;
    } else {
      throw Damaged("a frame of a reserved kind");
    }
  }
}

}  // namespace

Outcome Decode(const Bytes& file, const FindModel& find_model, const Dictionary& dictionary) {
  Outcome outcome;
  try {
    Require(!file.empty(), "an empty file");
    Cursor in(file, 0);
    while (!in.AtEnd()) {
      Archive archive;
      DecodeArchive(in, find_model, dictionary, archive);
      outcome.archives.push_back(archive);
    }
    outcome.ok = true;
  } catch (const Damaged& e) {
    outcome.error = e.what();
  } catch (const ModelDiffers& e) {
    outcome.error = e.what();
    outcome.wrong_model = true;
  }
  return outcome;
}

}  // namespace slow_decoder
