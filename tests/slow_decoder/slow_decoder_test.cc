// The codec against the second decoder, and docs/format.md against both.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>

#include "archive/archive_reader.h"
#include "archive/archive_writer.h"
#include "archive/fix_checks.h"
#include "base/random_bytes.h"
#include "charset/character_encoding.h"
#include "codec/block_cutter.h"
#include "codec/codec.h"
#include "codec/model_block.h"
#include "codec/toy_model.h"
#include "slow_decoder/slow_bytes.h"
#include "slow_decoder/slow_decoder.h"

namespace pith {
namespace {

// Any TokenModel for the slow decoder.
slow_decoder::Model Wrap(TokenModel& model) {
  return {.vocab = model.vocab(),
          .start_token = model.start_token(),
          .begin = [&model](size_t n_streams) { EXPECT_TRUE(model.Start(n_streams).ok()); },
          .hidden_width = model.hidden_width(),
          .feed =
              [&model](size_t stream, uint32_t token) {
                const StreamToken input{stream, token};
                model.RunLanes(1, [&](size_t lane) {
                  if (lane != 0) return;
                  EXPECT_TRUE(model.Step(lane, {&input, 1}).ok());
                });
                const std::span<const uint32_t> f = model.Frequencies(0, 0);
                const std::span<const float> hidden = model.Hidden(0, 0);
                return slow_decoder::Model::Said{{f.begin(), f.end()}, {hidden.begin(), hidden.end()}};
              },
          .token_bytes = [&model](uint32_t token) { return std::string(AsText(model.TokenBytes(token))); }};
}

slow_decoder::Outcome SlowDecode(TokenModel& model, const Bytes& file, const TextDictionary* dictionary = nullptr) {
  const slow_decoder::Model wrapped = Wrap(model);
  slow_decoder::Dictionary known;
  if (dictionary != nullptr) {
    known.id = dictionary->id();
    EXPECT_TRUE(model.Tokenize(dictionary->content(), known.tokens).ok());
  }
  return slow_decoder::Decode(
      file, [&](const std::string&, const Bytes& fingerprint, uint32_t window, uint32_t sinks) {
        const ModelIdentity& m = model.identity();
        const bool fits = std::equal(fingerprint.begin(), fingerprint.end(), m.fingerprint.bytes.begin()) &&
                          window == m.window && sinks == m.n_sinks;
        return fits ? &wrapped : nullptr;
      },
      known);
}

Result<Bytes> FastDecode(TokenModel& model, const Bytes& file, const TextDictionary* dictionary = nullptr) {
  MemorySource source(file);
  MemorySink sink;
  const auto provide = [&](const ModelIdentity&) -> Result<TokenModel*> { return &model; };
  const Result<DecodeResult> result = DecodeArchives(provide, source, sink, {.dictionary = dictionary}, {});
  if (!result.ok()) return result.status();
  return sink.bytes;
}

Bytes Encode(TokenModel* model, const Bytes& content, const EncodeOptions& options = {}) {
  MemorySource source(content);
  MemorySink sink;
  EXPECT_TRUE(EncodeArchive(model, source, sink, options, {}).ok());
  return sink.bytes;
}

Bytes Mixed(const ToyModel& model, size_t text, size_t zeros, size_t noise) {
  Bytes content = ToyText(model, text, text);
  content.insert(content.end(), zeros, 0);
  const Bytes random = RandomBytes(noise, noise);
  content.insert(content.end(), random.begin(), random.end());
  return content;
}

TEST(SlowDecoder, DecodesWhatTheCodecWrites) {
  ToyModel model;
  for (const Bytes& content : {Bytes(), Bytes{1}, ToyText(model, 100, 1), ToyText(model, 12000, 2),
                               RandomBytes(1000, 3), Bytes(5000, 'x'), Mixed(model, 30000, 25000, 25000)}) {
    for (const uint32_t streams : {0u, 1u, 7u, 256u}) {
      EncodeOptions options;
      options.streams = streams;
      options.file_name = "some name";
      options.mtime_ns = 123;
      const slow_decoder::Outcome slow = SlowDecode(model, Encode(&model, content, options));
      ASSERT_TRUE(slow.ok) << slow.error;
      ASSERT_EQ(slow.archives.size(), 1u);
      EXPECT_EQ(slow.archives[0].content, content);
      EXPECT_EQ(slow.archives[0].mtime_ns, 123);
      options.allow_short = true;
      const Bytes archive = Encode(&model, content, options);
      const slow_decoder::Outcome again = SlowDecode(model, archive);
      ASSERT_TRUE(again.ok) << again.error;
      EXPECT_EQ(again.archives[0].content, content);
      EXPECT_EQ(again.archives[0].has_mtime, archive[3] == 'h');
    }
  }
}

TEST(SlowDecoder, DecodesSeveralArchivesInOneFile) {
  ToyModel model;
  Bytes file;
  EncodeOptions options;
  for (const Bytes& content : {ToyText(model, 3000, 1), Bytes(), RandomBytes(10, 1)}) {
    options.allow_short = !options.allow_short;
    const Bytes archive = Encode(&model, content, options);
    file.insert(file.end(), archive.begin(), archive.end());
  }
  const slow_decoder::Outcome slow = SlowDecode(model, file);
  ASSERT_TRUE(slow.ok) << slow.error;
  ASSERT_EQ(slow.archives.size(), 3u);
  EXPECT_EQ(slow.archives[0].content, ToyText(model, 3000, 1));
  EXPECT_EQ(slow.archives[2].content, RandomBytes(10, 1));
}

TEST(SlowDecoder, DecodesWithDictionaries) {
  ToyModel model;
  const TextDictionary small(ToyText(model, 50, 7));
  const TextDictionary large(ToyText(model, 3000, 8));
  for (const TextDictionary* dictionary : {&small, &large}) {
    for (const bool allow_short : {false, true}) {
      for (const size_t n : {100, 5000}) {
        EncodeOptions options;
        options.streams = n == 100 ? 1 : 3;
        options.allow_short = allow_short;
        options.dictionary = dictionary;
        const Bytes content = ToyText(model, n, 9);
        const Bytes archive = Encode(&model, content, options);
        const slow_decoder::Outcome slow = SlowDecode(model, archive, dictionary);
        ASSERT_TRUE(slow.ok) << slow.error;
        EXPECT_EQ(slow.archives[0].content, content);
        EXPECT_TRUE(SlowDecode(model, archive).wrong_model);
        EXPECT_TRUE(SlowDecode(model, archive, dictionary == &small ? &large : &small).wrong_model);
      }
    }
  }
}

// Text, lines with fields, words that come again, and bytes of all values: everything that a context looks at.
Bytes VariedBytes(size_t n, uint64_t seed) {
  Bytes out;
  std::mt19937_64 random(seed);
  const char* const pieces[] = {"The quick", " brown Fox, ", "12,34;\"x\": 7\n", "name|value\t", "<p>",
                                "the quick brown ", "\xc3\xa9\xe4\xb8\xad", "\n\n", "GET /index.html 200 1043\n"};
  while (out.size() < n) {
    const std::string piece = pieces[random() % std::size(pieces)];
    out.insert(out.end(), piece.begin(), piece.end());
    if (random() % 40 == 0) {
      for (int i = 0; i < 30; ++i) out.push_back(static_cast<uint8_t>(random()));
    }
  }
  out.resize(n);
  return out;
}

// Tables, JSON, XML and logs, whose lines come again changed and unchanged: what records have that contexts look at.
Bytes RecordBytes(size_t n, uint64_t seed) {
  std::string out;
  std::mt19937_64 random(seed);
  const auto number = [&](uint64_t below) { return std::to_string(random() % below); };
  for (std::string line; out.size() < n; out += line) {
    const std::string a = number(50), b = number(2000) + "." + number(100), name = "name" + number(4);
    switch (random() % 9) {
      case 0:
        line = a + "," + name + "," + b + ",,\"" + name + ", jr\"\n";
        break;
      case 1:
        line = "{\"id\": " + a + ", \"" + name + "\": [" + b + ", {\"at\":\"" + name + "\"}]}\n";
        break;
      case 2:
        line = "<row id=\"" + a + "\"><" + name + ">" + b + "</" + name + "><br/><hr />\n<!-- " + a + " --></row>\n";
        break;
      case 3:
        line = "<?xml version=\"1.0\"?>\n<" + name + "\n  at='" + b + "'>< /></></" + name + "\n>\n";
        break;
      case 4:
        line = "10.0.0." + a + " - [" + b + "] GET /" + name + ".html?key=" + a + " 200\t" + b + "|" + a + ";\n";
        break;
      case 5:
        line = "key=" + a + "; : =" + name + "\n";
        break;
      case 6:  // deep elements, long numbers, long lines
        line = std::string(random() % 300, "[]7"[random() % 3]) + "\n";
        break;
      case 7:  // what has been before, of any length
        line = out.substr(out.empty() ? 0 : random() % out.size(), random() % 200);
        break;
      default:  // the line again
        break;
    }
  }
  out.resize(n);
  return Bytes(out.begin(), out.end());
}

// Numbers of all lengths and signs, near those before them and far away, in columns and pairs, floats written out, and digits
// and points that are no numbers.
Bytes NumberBytes(size_t n, uint64_t seed) {
  std::string out;
  std::mt19937_64 random(seed);
  const auto digits = [&](size_t how_many) {
    std::string s;
    for (size_t i = 0; i < how_many; ++i) s += static_cast<char>('0' + random() % 10);
    return s;
  };
  const auto written = [](double value, const char* format) {
    std::array<char, 60> text;
    std::snprintf(text.data(), text.size(), format, value);
    return std::string(text.data());
  };
  int64_t slow = 4350000;
  while (out.size() < n) {
    slow += static_cast<int64_t>(random() % 4001) - 2000;
    const double single = static_cast<double>(random() >> 40) * std::ldexp(1.0, -static_cast<int>(random() % 34));
    const double full = static_cast<double>(random() >> 11) * std::ldexp(1.0, -static_cast<int>(20 + random() % 50));
    switch (random() % 8) {
      case 0:
        out += std::to_string(slow / 100000) + "." + std::to_string(slow % 100000) + "," + written(single, "%.17g") + "\n";
        break;
      case 1:
        out += "[" + written(full, "%.17g") + "," + written(-full, "%.15f") + "],";
        break;
      case 2:
        out += written(static_cast<double>(random() % 100000) / 1000 + 1e-15, "%.17g") + " -" + written(single, "%.9g") + "\n";
        break;
      case 3:
        out += std::string(random() % 26, '0') + "." + std::string(random() % 24, '0') + digits(random() % 24) + ";";
        break;
      case 4:
        out += digits(random() % 40) + ".-"[random() % 2] + digits(random() % 9) + "." + digits(random() % 9) + "e5 x7\n";
        break;
      case 5:
        out += out.substr(out.size() - std::min<size_t>(out.size(), random() % 60));
        break;
      default:
        out += std::to_string(slow) + "," + std::to_string(slow % 1000) + ".5," + written(single, "%.17g") + "\n";
        break;
    }
  }
  out.resize(n);
  return Bytes(out.begin(), out.end());
}

TEST(SlowBytes, PredictsWhatTheFastOneDoes) {
  // What is coded, and the size that the mixers are told: the first bytes of a large block use its sizes of tables.
  std::vector<std::pair<Bytes, size_t>> cases;
  for (const size_t n : {1u, 5u, 100u, 700u, 1500u, 15000u}) cases.emplace_back(VariedBytes(n, n), n);
  for (const size_t n : {500u, 12000u}) cases.emplace_back(RecordBytes(n, n), n);
  cases.emplace_back(RecordBytes(3000, 1), 1 << 20);
  for (const size_t n : {500u, 8000u}) cases.emplace_back(NumberBytes(n, n), n);
  for (const int strength : {1, 2, 3, 4}) {
    for (const auto& [content, n] : cases) {
      const auto fast = ByteMixer::Make(static_cast<ContextStrength>(strength), static_cast<uint32_t>(n));
      slow_decoder::SlowBytes slow(strength, n);
      for (size_t i = 0; i < 8 * content.size(); ++i) {
        ASSERT_EQ(slow.Probability(), fast->Probability()) << "strength " << strength << ", " << n << " bytes, bit " << i;
        const int bit = content[i / 8] >> (7 - i % 8) & 1;
        fast->Learn(bit);
        slow.Learn(bit);
      }
    }
  }
}

TEST(SlowDecoder, ReadsContextsBlocks) {
  ToyModel model;
  for (const ContextStrength strength : {ContextStrength::kFast, ContextStrength::kStrong, ContextStrength::kThorough,
                                         ContextStrength::kNumeric}) {
    for (const size_t n : {300u, 20000u}) {
      const Bytes content = VariedBytes(n, 3);
      EncodeOptions options;
      options.block_bytes = kMinBlockBytes;
      options.contexts = strength;
      const Bytes file = Encode(nullptr, content, options);
      MemorySource source(file);
      const auto list = DescribeArchives(source);
      ASSERT_TRUE(list.ok());
      ASSERT_EQ(list->at(0).blocks.at(0).kind, BlockKind::kContexts);
      const slow_decoder::Outcome slow = SlowDecode(model, file);
      ASSERT_TRUE(slow.ok) << slow.error;
      EXPECT_EQ(slow.archives.at(0).content, content);
    }
  }
}

TEST(SlowDecoder, RefusesEveryPrefixAndEveryFlippedByte) {
  ToyModel model;
  Bytes file = Encode(&model, ToyText(model, 400, 1));
  for (size_t n = 0; n < file.size(); ++n)
    EXPECT_FALSE(SlowDecode(model, Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(n))).ok);
  for (size_t i = 0; i < file.size(); ++i) {
    file[i] ^= 0x10;
    EXPECT_FALSE(SlowDecode(model, file).ok) << i;
    file[i] ^= 0x10;
  }
}

// Both read the same document, so they must agree on what is an archive, also where only the checks are
// right.
TEST(SlowDecoder, AgreesWithTheCodecOnDamageUnderRightChecks) {
  ToyModel model;
  std::vector<Bytes> files;
  EncodeOptions options;
  options.file_name = "name";
  options.mtime_ns = 1;
  options.streams = 3;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.adaptive = false;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  files.push_back(Encode(nullptr, Bytes(300, 'x'), options));
  files.push_back(Encode(nullptr, RandomBytes(40, 1), options));
  files.push_back(Encode(nullptr, {}, options));
  options.allow_short = true;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.adaptive = true;
  const TextDictionary dictionary(ToyText(model, 200, 2));
  options.dictionary = &dictionary;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.allow_short = false;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.allow_short = true;
  options.dictionary = nullptr;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  files.push_back(Encode(nullptr, Bytes(300, 'x'), options));
  files.push_back(Encode(nullptr, RandomBytes(40, 1), options));
  files.push_back(Encode(nullptr, Bytes(400, 'x'), options));
  options.streams = 1;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.dictionary = &dictionary;
  files.push_back(Encode(&model, ToyText(model, 300, 1), options));
  options.dictionary = nullptr;
  options.contexts = ContextStrength::kStrong;
  files.push_back(Encode(nullptr, VariedBytes(150, 1), options));
  options.allow_short = false;
  files.push_back(Encode(nullptr, VariedBytes(150, 1), options));
  std::mt19937_64 random(5);
  size_t n_ok = 0, n_wrong_model = 0, n_rounds = 0;
  for (const Bytes& file : files) {
    // The slow one takes milliseconds to begin a contexts block.
    const int rounds = &file == &files.back() ? 150 : 900;
    for (int round = 0; round < rounds; ++round, ++n_rounds) {
      Bytes changed = file;
      const int n_changes = 1 + static_cast<int>(random() % 2);
      for (int k = 0; k < n_changes; ++k) {
        const size_t at = random() % changed.size();
        switch (random() % 4) {
          case 0:
            changed[at] = static_cast<uint8_t>(random());
            break;
          case 1:
            changed[at] ^= static_cast<uint8_t>(1 << random() % 8);
            break;
          case 2:
            changed.erase(changed.begin() + static_cast<ptrdiff_t>(at));
            break;
          default:
            changed.insert(changed.begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>(random()));
            break;
        }
        if (changed.empty()) break;
      }
      if (!changed.empty()) FixChecks(changed);
      const slow_decoder::Outcome slow = SlowDecode(model, changed, &dictionary);
      const Result<Bytes> fast = FastDecode(model, changed, &dictionary);
      ASSERT_EQ(slow.ok, fast.ok()) << "slow: " << slow.error << "; fast: " << fast.status().message();
      if (fast.ok()) {
        ++n_ok;
        Bytes content;
        for (const auto& a : slow.archives) content.insert(content.end(), a.content.begin(), a.content.end());
        EXPECT_EQ(content, *fast);
      } else if (fast.status().code() == StatusCode::kWrongModel) {
        ++n_wrong_model;
        EXPECT_TRUE(slow.wrong_model) << fast.status().message();
      }
    }
  }
  EXPECT_GT(n_ok, 0u);             // names and times may be anything
  EXPECT_GT(n_wrong_model, 500u);  // so payloads were reached
  EXPECT_LT(n_ok, n_rounds / 2);
}

TEST(SlowDecoder, DecodesUtf16ByContexts) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "Zeile " + std::to_string(i * i) + ": gr\u00fc\u00dfe \U0001f600\n";
  for (const CharacterEncoding encoding : {CharacterEncoding::kUtf16Le, CharacterEncoding::kUtf16Be}) {
    const std::optional<Bytes> content = FromUtf8(encoding, text, 1 << 20);
    ASSERT_TRUE(content.has_value());
    for (const ContextStrength strength : {ContextStrength::kFast, ContextStrength::kStrong, ContextStrength::kThorough,
                                         ContextStrength::kNumeric}) {
      for (const bool allow_short : {false, true}) {
        EncodeOptions options;
        options.contexts = strength;
        options.allow_short = allow_short;
        const Bytes archive = Encode(nullptr, *content, options);
        MemorySource source(archive);
        const Result<std::vector<ArchiveSummary>> summary = DescribeArchives(source);
        ASSERT_TRUE(summary.ok());
        EXPECT_EQ((*summary)[0].blocks[0].encoding, static_cast<uint8_t>(encoding));
        ToyModel model;
        const Result<Bytes> fast = FastDecode(model, archive);
        ASSERT_TRUE(fast.ok()) << fast.status().message();
        EXPECT_EQ(*fast, *content);
        const slow_decoder::Outcome slow = SlowDecode(model, archive);
        ASSERT_TRUE(slow.ok) << slow.error;
        EXPECT_EQ(slow.archives[0].content, *content);
      }
    }
  }
}

// A block whose text is in an encoding, in a long archive and in a short one, with and without counted tokens.
TEST(SlowDecoder, DecodesTextsInEveryEncoding) {
  ToyModel model;
  const AfterTokens go_on = [](uint64_t, uint64_t) -> Result<bool> { return true; };
  size_t compared = 0;
  for (int e = 1; e <= kLastCharacterEncoding; ++e) {
    const auto encoding = static_cast<CharacterEncoding>(e);
    // Characters of the encoding, bytes that are none of it, and a pair of UTF-16, often enough for the mixer to learn them.
    Bytes part = RandomBytes(80, static_cast<uint64_t>(e));
    const Bytes pair = e == 1 ? Bytes{0x3d, 0xd8, 0x00, 0xde} : Bytes{0xd8, 0x3d, 0xde, 0x00};
    if (e <= 2) part.insert(part.end(), pair.begin(), pair.end());
    Bytes content;
    for (int i = 0; i < 10; ++i) content.insert(content.end(), part.begin(), part.end());
    const std::string text = ToUtf8(encoding, content);
    for (const bool lean : {false, true}) {
      std::vector<TokenId> tokens;
      ASSERT_TRUE(model.Tokenize(AsBytes(text), tokens).ok());
      BlockHeader header;
      header.kind = BlockKind::kModel;
      header.content_size = static_cast<uint32_t>(content.size());
      header.adaptive = true;
      header.encoding = static_cast<uint8_t>(e);
      header.lean = lean;
      header.text_size = lean ? static_cast<uint32_t>(text.size()) : 0;
      const Result<std::optional<CodedTokens>> coded = EncodeTokens(
          model, tokens, lean ? 1 : 3, true, lean ? header.TokensForTables() : tokens.size(), nullptr, go_on);
      ASSERT_TRUE(coded.ok() && *coded);
      const CodedTokens& c = **coded;
      if (c.code.size() >= content.size()) continue;
      ++compared;
      header.payload_size = static_cast<uint32_t>(c.code.size());
      header.n_tokens = c.n_tokens;
      header.n_streams = c.n_streams;
      header.probe = c.probe;
      header.content_check = header.CheckOf(Hash32(content));
      for (const bool is_short : {false, true}) {
        if (lean && !is_short) continue;
        MemorySink sink;
        ArchiveWriter writer(sink);
        if (is_short) {
          ASSERT_TRUE(writer.WriteShort(header, &model.identity(), nullptr, c.code).ok());
        } else {
          ASSERT_TRUE(writer.WriteModelInfo(model.identity()).ok());
          ASSERT_TRUE(writer.WriteBlock(header, c.code, content).ok());
          ASSERT_TRUE(writer.Finish("", std::nullopt).ok());
        }
        const Result<Bytes> fast = FastDecode(model, sink.bytes);
        ASSERT_TRUE(fast.ok()) << e << ": " << fast.status().message();
        EXPECT_EQ(*fast, content) << e;
        const slow_decoder::Outcome slow = SlowDecode(model, sink.bytes);
        ASSERT_TRUE(slow.ok) << e << ": " << slow.error;
        EXPECT_EQ(slow.archives[0].content, content) << e;
      }
    }
  }
  EXPECT_GT(compared, 20u);
}

// ---- The example of docs/format.md
// ----------------------------------------------------------------------------------

// Section 10: two letters, 3 to 1, whatever came before.
class LetterModel : public TokenModel {
 public:
  LetterModel() {
    identity_.name = "letters";
    identity_.window = 8;
    identity_.fingerprint.bytes.fill(0x11);
  }
  const ModelIdentity& identity() const override { return identity_; }
  uint32_t vocab() const override { return 3; }
  TokenId start_token() const override { return 0; }
  uint64_t FixedBytes() const override { return 1; }
  uint64_t BytesPerStream() const override { return 1; }
  size_t PreferredTokens() const override { return 100; }
  Status Tokenize(ByteSpan text, std::vector<TokenId>& tokens) override {
    for (const uint8_t b : text) tokens.push_back(b == 'a' ? 1 : 2);
    return OkStatus();
  }
  ByteSpan TokenBytes(TokenId id) const override { return AsBytes(id == 1 ? "a" : "b"); }
  Status Start(size_t) override { return OkStatus(); }
  Status Paths(std::span<const PathRequest> requests, const std::function<void()>& beside) override {
    if (beside) beside();
    const DecisionTree tree(3);
    for (const PathRequest& r : requests) {
      for (size_t i = 0; i < r.targets.size(); ++i)
        tree.Path(kFrequencies, r.targets[i], r.paths.subspan(2 * i, 2));
    }
    return OkStatus();
  }
  Status Step(size_t, std::span<const StreamToken>) override { return OkStatus(); }
  std::span<const uint32_t> Frequencies(size_t, size_t) const override { return kFrequencies; }

 private:
  static constexpr uint32_t kFrequencies[3] = {0, 3u << 28, 1u << 28};
  ModelIdentity identity_;
};

const std::string kExampleText = "pith\n";
const std::string kExampleLetters = "aabaaaabaaaaaaabaabaaaab";

Bytes ExampleArchive() {
  LetterModel model;
  MemorySink sink;
  ArchiveWriter writer(sink);
  BlockHeader raw;
  raw.content_size = raw.payload_size = static_cast<uint32_t>(kExampleText.size());
  EXPECT_TRUE(writer.WriteBlock(raw, AsBytes(kExampleText), AsBytes(kExampleText)).ok());
  std::vector<TokenId> tokens;
  EXPECT_TRUE(model.Tokenize(AsBytes(kExampleLetters), tokens).ok());
  Result<std::optional<CodedTokens>> coded =
      EncodeTokens(model, tokens, 2, false, tokens.size(), nullptr, [](uint64_t, uint64_t) -> Result<bool> { return true; });
  EXPECT_TRUE(coded.ok());
  const CodedTokens& c = **coded;
  const BlockHeader by_model = {BlockKind::kModel, 24,      static_cast<uint32_t>(c.code.size()), c.n_tokens,
                                c.n_streams,       c.probe, Hash32(AsBytes(kExampleLetters))};
  EXPECT_TRUE(writer.WriteModelInfo(model.identity()).ok());
  EXPECT_TRUE(writer.WriteBlock(by_model, c.code, AsBytes(kExampleLetters)).ok());
  EXPECT_TRUE(writer.Finish("ab.txt", int64_t{1700000000} * 1000000000).ok());
  return sink.bytes;
}

// The bytes in the document's dump: lines of an offset, two spaces, bytes, two spaces and more, what they
// are.
Bytes DumpedBytes() {
  std::ifstream in(PITH_SOURCE_DIR "/docs/format.md");
  EXPECT_TRUE(in.good());
  Bytes bytes;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("## 10", 0) == 0) inside = true;
    if (!inside || line.rfind("    00", 0) != 0) continue;
    const size_t begin = line.find("  ", 4) + 2;
    std::istringstream hex(line.substr(begin, line.find("  ", begin) - begin));
    EXPECT_EQ(std::stoul(line.substr(4, begin - 6), nullptr, 16), bytes.size()) << line;
    for (std::string b; hex >> b;) bytes.push_back(static_cast<uint8_t>(std::stoul(b, nullptr, 16)));
  }
  return bytes;
}

std::string HexText(const Bytes& bytes) {
  std::string s;
  for (const uint8_t b : bytes) s += Hex(b, 2).substr(2) + " ";
  return s;
}

TEST(FormatExample, IsWhatTheWriterWrites) { EXPECT_EQ(HexText(DumpedBytes()), HexText(ExampleArchive())); }

TEST(FormatExample, DecodesWithBothDecoders) {
  LetterModel model;
  const Bytes file = DumpedBytes();
  const std::string expected = kExampleText + kExampleLetters;
  const Result<Bytes> fast = FastDecode(model, file);
  ASSERT_TRUE(fast.ok()) << fast.status().message();
  EXPECT_EQ(AsText(*fast), expected);
  const slow_decoder::Outcome slow = SlowDecode(model, file);
  ASSERT_TRUE(slow.ok) << slow.error;
  EXPECT_EQ(AsText(slow.archives[0].content), expected);
  EXPECT_EQ(slow.archives[0].file_name, "ab.txt");
}

}  // namespace
}  // namespace pith
