#include "codec/codec.h"

#include <gtest/gtest.h>

#include <tuple>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <set>
#include <string>

#include "archive/archive_writer.h"
#include "archive/fix_checks.h"
#include "base/random_bytes.h"
#include "codec/block_cutter.h"
#include "codec/codec_limits.h"
#include "codec/model_block.h"
#include "codec/toy_model.h"
#include "codec/zstd_block.h"

namespace pith {
namespace {

const CodecProgressCallback kNoProgress;

Bytes Concatenate(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

struct Encoded {
  Bytes archive;
  EncodeResult result;
};

Encoded Encode(TokenModel* model, ByteSpan content, const EncodeOptions& options = {}) {
  MemorySource source(content);
  MemorySink sink;
  const Result<EncodeResult> result = EncodeArchive(model, source, sink, options, kNoProgress);
  EXPECT_TRUE(result.ok()) << result.status().message();
  if (!result.ok()) return {};
  EXPECT_EQ(result->original_bytes, content.size());
  EXPECT_EQ(result->archive_bytes, sink.bytes.size());
  return {sink.bytes, *result};
}

TokenModelProvider Provide(TokenModel* model) {
  return [model](const ModelIdentity&) -> Result<TokenModel*> { return model; };
}

TokenModelProvider NoModel() {
  return
      [](const ModelIdentity& wanted) -> Result<TokenModel*> { return NotFound("no model " + wanted.name); };
}

struct Decoded {
  Status status;
  Bytes content;
  DecodeResult result;
};

Decoded Decode(const TokenModelProvider& models, ByteSpan archive, const DecodeOptions& options = {}) {
  MemorySource source(archive);
  MemorySink sink;
  Decoded d;
  Result<DecodeResult> result = DecodeArchives(models, source, sink, options, kNoProgress);
  d.status = result.status();
  d.content = std::move(sink.bytes);
  if (result.ok()) d.result = *result;
  return d;
}

void ExpectRoundTrip(const Bytes& content, const EncodeOptions& options = {}) {
  ToyModel model;
  const Encoded e = Encode(&model, content, options);
  EXPECT_LE(e.archive.size(), content.size() + kMaxArchiveOverhead + kMaxBlockOverhead * e.result.blocks);
  ToyModel fresh;
  const Decoded d = Decode(Provide(&fresh), e.archive);
  ASSERT_TRUE(d.status.ok()) << d.status.message();
  EXPECT_EQ(d.content, content);
  EXPECT_EQ(d.result.original_bytes, content.size());
  EXPECT_EQ(d.result.archive_bytes, e.archive.size());
  EXPECT_EQ(d.result.archives, 1u);
}

ArchiveSummary Describe(ByteSpan archive) {
  MemorySource source(archive);
  const auto all = DescribeArchives(source);
  EXPECT_TRUE(all.ok()) << all.status().message();
  return all.ok() && !all->empty() ? all->front() : ArchiveSummary();
}

// Text, zeros, noise: one block of each kind.
Bytes AllKinds(const ToyModel& model) {
  return Concatenate(
      {ToyText(model, 3 * kGranuleBytes, 1), Bytes(kGranuleBytes, 0), RandomBytes(kGranuleBytes, 2)});
}

// ---- Round trips
// ----------------------------------------------------------------------------------------------------

TEST(Codec, EmptyAndTinyInputsRoundTrip) {
  ExpectRoundTrip({});
  for (size_t n = 1; n < 40; ++n) {
    ExpectRoundTrip(RandomBytes(n, n));
    ExpectRoundTrip(ToyText(ToyModel(), n, n));
    ExpectRoundTrip(Bytes(n, 'a'));
  }
}

TEST(Codec, SizesAroundEveryBoundaryRoundTrip) {
  const Bytes text = ToyText(ToyModel(), 300000, 4);
  for (const size_t n : {size_t{255}, size_t{256}, size_t{257}, size_t{3499}, size_t{3500}, size_t{7001},
                         kGranuleBytes - 1, kGranuleBytes, kGranuleBytes + 1,
                         kGranuleBytes + kMinGranuleBytes, 2 * kGranuleBytes + 1, text.size()}) {
    ExpectRoundTrip(Bytes(text.begin(), text.begin() + static_cast<ptrdiff_t>(n)));
    ExpectRoundTrip(RandomBytes(n, n));
    EncodeOptions small;
    small.block_bytes = kMinBlockBytes;
    if (n < 10000) ExpectRoundTrip(Bytes(text.begin(), text.begin() + static_cast<ptrdiff_t>(n)), small);
  }
}

TEST(Codec, EveryKindOfBlockIsUsedWhereItIsSmallest) {
  ToyModel model;
  const Bytes content = AllKinds(model);
  const Encoded e = Encode(&model, content);
  const ArchiveSummary s = Describe(e.archive);
  std::set<BlockKind> kinds;
  for (const BlockSummary& b : s.blocks) kinds.insert(b.kind);
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_TRUE(s.model.has_value());
  EXPECT_GE(e.result.model_blocks, 1u);
  ExpectRoundTrip(content);
}

TEST(Codec, ModelBlocksAreMuchSmallerOnWhatTheModelKnows) {
  ToyModel model;
  const Bytes text = ToyText(model, 200000, 1);
  EXPECT_LT(Encode(&model, text).archive.size() * 4, Encode(nullptr, text).archive.size() * 3);
}

TEST(Codec, WithoutAModelEverythingStillRoundTrips) {
  const Bytes content = AllKinds(ToyModel());
  const Encoded e = Encode(nullptr, content);
  EXPECT_FALSE(Describe(e.archive).model.has_value());
  const Decoded d = Decode(NoModel(), e.archive);
  ASSERT_TRUE(d.status.ok()) << d.status.message();
  EXPECT_EQ(d.content, content);
}

TEST(Codec, NameAndTimeComeBack) {
  EncodeOptions options;
  options.file_name = "report.txt";
  options.mtime_ns = -12345;
  const Encoded e = Encode(nullptr, Bytes(1000, 'x'), options);
  const Decoded d = Decode(NoModel(), e.archive);
  EXPECT_EQ(d.result.file_name, "report.txt");
  EXPECT_EQ(d.result.mtime_ns, -12345);
  options.file_name = "with\nline";
  EXPECT_EQ(Decode(NoModel(), Encode(nullptr, Bytes(1000, 'x'), options).archive).result.file_name, "");
}

TEST(Codec, ConcatenatedArchivesDecodeToConcatenatedContents) {
  ToyModel model;
  ToyModel::Options two;
  two.seed = 2;
  ToyModel other(two);
  const Bytes a = ToyText(model, 20000, 1), b = ToyText(other, 30000, 2), c = RandomBytes(100, 3);
  EncodeOptions named;
  named.file_name = "first";
  const Bytes archives =
      Concatenate({Encode(&model, a, named).archive, Encode(nullptr, {}).archive, Encode(&other, b).archive,
                   Encode(nullptr, c).archive, Encode(&model, a).archive});
  std::vector<std::string> asked;
  const TokenModelProvider provider = [&](const ModelIdentity& wanted) -> Result<TokenModel*> {
    asked.push_back(wanted.name);
    return wanted.name == "toy-1" ? &model : &other;
  };
  const Decoded d = Decode(provider, archives);
  ASSERT_TRUE(d.status.ok()) << d.status.message();
  EXPECT_EQ(d.content, Concatenate({a, b, c, a}));
  EXPECT_EQ(d.result.archives, 5u);
  EXPECT_EQ(d.result.file_name, "first");
  EXPECT_EQ(asked, (std::vector<std::string>{"toy-1", "toy-2", "toy-1"}));
}

// ---- Growth, time, memory
// ---------------------------------------------------------------------------------------------

TEST(Codec, NothingGrowsBeyondTheBoundAndNoiseCostsNoModelTime) {
  const Bytes random = RandomBytes(1 << 20, 1);
  const Result<Bytes> packed = ZstdCompress(ToyText(ToyModel(), 300000, 1), 3);
  ASSERT_TRUE(packed.ok());
  std::string png = "\x89PNG\r\n\x1a\n";
  png.append(reinterpret_cast<const char*>(random.data()), 50000);
  for (const Bytes& content :
       {random, *packed, Bytes(png.begin(), png.end()), Bytes(random.begin(), random.begin() + 700)}) {
    ToyModel model;
    EncodeOptions options;
    options.file_name = std::string(255, 'n');
    options.mtime_ns = 1;
    for (const uint32_t block_bytes : {0u, kMinBlockBytes}) {
      options.block_bytes = block_bytes;
      const Encoded e = Encode(&model, content, options);
      EXPECT_LE(e.archive.size(), content.size() + 64 + 16 * e.result.blocks);
      EXPECT_EQ(e.result.model_blocks, 0u);
      EXPECT_EQ(model.tokens_fed(), 0u);
      const Decoded d = Decode(NoModel(), e.archive);
      ASSERT_TRUE(d.status.ok());
      EXPECT_EQ(d.content, content);
    }
  }
}

TEST(Codec, AModelThatDoesNotPayIsLeftEarly) {
  // Letters that the toy model does not expect, but zstd does: long repeats.
  const Bytes once = RandomBytes(3000, 1);
  std::string text;
  for (size_t i = 0; text.size() < 1000000; ++i) text += static_cast<char>('A' + once[i % once.size()] % 26);
  ToyModel model;
  const Encoded e = Encode(&model, AsBytes(text));
  EXPECT_EQ(e.result.model_blocks, 0u);
  EXPECT_LT(model.tokens_fed(), 20000u);
  EXPECT_GT(model.tokens_fed(), 0u);
}

TEST(Codec, RandomLettersCostNoModelTime) {
  std::string text;
  for (const uint8_t b : RandomBytes(100000, 1))
    text += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[b % 64];
  ToyModel model;
  const Encoded e = Encode(&model, AsBytes(text));
  EXPECT_EQ(model.tokens_fed(), 0u);
  EXPECT_LT(e.archive.size(), 76000u);
}

TEST(Codec, StreamsFollowSizeWishAndMemory) {
  const auto streams_of = [](uint64_t n_tokens, uint32_t wanted, uint64_t memory,
                             const ToyModel& model = ToyModel()) {
    const Result<uint32_t> n = ChooseStreams(model, n_tokens, wanted, memory, 500);
    return n.ok() ? *n : 0;
  };
  EXPECT_EQ(streams_of(1, 0, 0), 1u);
  EXPECT_EQ(streams_of(2 * kTokensPerStream - 1, 0, 0), 1u);
  EXPECT_EQ(streams_of(2 * kTokensPerStream, 0, 0), 2u);
  EXPECT_EQ(streams_of(1u << 24, 0, 0), kDefaultMaxStreams);
  EXPECT_EQ(streams_of(1u << 24, 100, 0), 100u);
  EXPECT_EQ(streams_of(1u << 24, 100000, 0), kMaxStreams);
  EXPECT_EQ(streams_of(5, 100, 0), 5u);
  // The toy takes 1000 bytes and 100 a stream; 500 are the codec's.
  EXPECT_EQ(streams_of(1u << 24, 0, 1500 + 799), 7u);
  EXPECT_EQ(streams_of(1u << 24, 0, 1500 + 99), 0u);
  EXPECT_EQ(streams_of(1u << 24, 0, 1), 0u);
  ToyModel::Options wide;
  wide.window = kMaxCachedTokens / 3;
  EXPECT_EQ(streams_of(1u << 24, 0, 0, ToyModel(wide)), 3u);
}

// Takes as much memory as a large model.
ToyModel BigToyModel() {
  ToyModel::Options big;
  big.fixed_bytes = 100u << 20;
  big.bytes_per_stream = 10u << 20;
  return ToyModel(big);
}

TEST(Codec, TheMemoryBoundHoldsOnBothSides) {
  ToyModel model = BigToyModel();
  const Bytes text = ToyText(model, 200000, 1);
  EncodeOptions options;
  options.memory_bytes = 155u << 20;
  const Encoded e = Encode(&model, text, options);
  EXPECT_EQ(Describe(e.archive).blocks.at(0).n_streams, 5u);
  DecodeOptions narrow;
  narrow.memory_bytes = 145u << 20;
  const Decoded refused = Decode(Provide(&model), e.archive, narrow);
  EXPECT_EQ(refused.status.code(), StatusCode::kUnsupported);
  EXPECT_NE(refused.status.message().find("needs 15"), std::string::npos) << refused.status.message();
  narrow.memory_bytes = 155u << 20;
  EXPECT_TRUE(Decode(Provide(&model), e.archive, narrow).status.ok());
  options.memory_bytes = 105u << 20;
  MemorySource source(text);
  MemorySink sink;
  const Status status = EncodeArchive(&model, source, sink, options, kNoProgress).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("needs at least 111."), std::string::npos) << status.message();
}

TEST(Codec, WhatAdaptsYieldsToStreamsWhereMemoryIsShort) {
  ToyModel model = BigToyModel();
  const Bytes text = ToyText(model, 200000, 1);
  EncodeOptions options;
  options.streams = 5;
  for (const auto& [mebibytes, adaptive, n_streams] : {std::tuple{0u, true, 5u}, {155u, false, 5u}, {200u, true, 5u}}) {
    options.memory_bytes = uint64_t{mebibytes} << 20;
    const Encoded e = Encode(&model, text, options);
    const ArchiveSummary summary = Describe(e.archive);
    EXPECT_EQ(summary.blocks.at(0).adaptive, adaptive) << mebibytes;
    EXPECT_EQ(summary.blocks.at(0).n_streams, n_streams) << mebibytes;
    DecodeOptions decode;
    decode.memory_bytes = options.memory_bytes;
    EXPECT_TRUE(Decode(Provide(&model), e.archive, decode).status.ok()) << mebibytes;
  }
}

TEST(Codec, OptionsOutOfRangeAreRefused) {
  const auto status_of = [](const EncodeOptions& options, TokenModel* model = nullptr) {
    MemorySource source(AsBytes("text"));
    MemorySink sink;
    return EncodeArchive(model, source, sink, options, kNoProgress).status().code();
  };
  EncodeOptions options;
  options.block_bytes = kMinBlockBytes - 1;
  EXPECT_EQ(status_of(options), StatusCode::kInvalidArgument);
  options.block_bytes = kMaxBlockContent + 1;
  EXPECT_EQ(status_of(options), StatusCode::kInvalidArgument);
  options.block_bytes = kMaxBlockContent;
  EXPECT_EQ(status_of(options), StatusCode::kOk);
  options.streams = kMaxStreams + 1;
  EXPECT_EQ(status_of(options), StatusCode::kInvalidArgument);
  ToyModel::Options wide;
  wide.window = kMaxCachedTokens + 1;
  ToyModel model(wide);
  EXPECT_EQ(status_of({}, &model), StatusCode::kInvalidArgument);
}

// ---- Short archives by zstd

// Letters that nothing predicts, two bits each: zstd's Huffman codes are the best there is.
Bytes FourLetters(size_t n) {
  std::mt19937_64 random(n);
  Bytes b(n);
  for (uint8_t& v : b) v = "acgt"[random() % 4];
  return b;
}

Bytes ShortArchive(ByteSpan content, TokenModel* model = nullptr, uint32_t streams = 0) {
  EncodeOptions options;
  options.allow_short = true;
  options.streams = streams;
  return Encode(model, content, options).archive;
}

TEST(ShortZstd, LeavesOutWhatIsKnownAtEverySizeOfTheHeader) {
  for (const size_t n : {40, 255, 256, 65791, 65792, 100000, 400000}) {
    for (const Bytes& content : {Bytes(n, 'a'), FourLetters(n)}) {
      const Bytes archive = ShortArchive(content);
      const Result<Bytes> frame = ZstdCompress(content, kZstdBestLevel);
      ASSERT_TRUE(frame.ok());
      const size_t zstd = frame->empty() ? n : frame->size() + 4;  // with a checksum, as its program writes it
      EXPECT_LE(archive.size(), zstd) << n;
      const Decoded d = Decode(NoModel(), archive);
      ASSERT_TRUE(d.status.ok()) << n << ": " << d.status.message();
      EXPECT_EQ(d.content, content) << n;
      const ArchiveSummary summary = Describe(archive);
      EXPECT_TRUE(summary.is_short);
      EXPECT_EQ(summary.blocks.at(0).kind, BlockKind::kZstd);
      EXPECT_EQ(summary.archive_bytes, archive.size());
      const Decoded twice = Decode(NoModel(), Concatenate({archive, archive}));
      EXPECT_EQ(twice.content.size(), 2 * n) << "the last block ends an archive: " << twice.status.message();
    }
  }
}

TEST(ShortZstd, EveryDamageIsFound) {
  Bytes archive = ShortArchive(FourLetters(2000));
  ASSERT_EQ(Describe(archive).blocks.at(0).kind, BlockKind::kZstd);
  for (size_t n = 0; n < archive.size(); ++n) {
    EXPECT_FALSE(Decode(NoModel(), ByteSpan(archive).first(n)).status.ok()) << n;
  }
  for (size_t i = 0; i < archive.size(); ++i) {
    for (const uint8_t change : {uint8_t{0x01}, uint8_t{0x80}}) {
      archive[i] ^= change;
      EXPECT_FALSE(Decode(NoModel(), archive).status.ok()) << i;
      archive[i] ^= change;
    }
  }
}

TEST(ShortZstd, ChangesUnderARightChecksumNeverCrash) {
  const Bytes archive = ShortArchive(FourLetters(2000));
  std::mt19937_64 random(3);
  size_t n_read = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes changed = archive;
    changed[3 + random() % 20] = static_cast<uint8_t>(random());
    if (round % 3 == 0) changed[random() % changed.size()] ^= 1;
    FixChecks(changed);
    const Decoded d = Decode(NoModel(), changed);
    n_read += d.status.ok();
    EXPECT_LE(d.content.size(), kMaxBlockContent);
  }
  EXPECT_LT(n_read, 3000u);
}

// ---- Short archives of one stream, whose tokens are not counted

TEST(LeanArchive, RoundTripsUpToTheSizeThatMayBeLean) {
  ToyModel model;
  for (const size_t n : {20, 21, 300, 4096, 65536, 65537}) {
    Bytes content = ToyText(model, n, n);
    content.resize(n);
    const Bytes archive = ShortArchive(content, &model, 1);
    const ArchiveSummary summary = Describe(archive);
    ASSERT_EQ(summary.blocks.at(0).kind, BlockKind::kModel) << n;
    EXPECT_EQ(summary.model->fingerprint_bytes, n <= kMaxLeanContent ? kLeanFingerprintBytes : kShortFingerprintBytes) << n;
    EXPECT_EQ(summary.blocks[0].n_tokens == 0, n <= kMaxLeanContent);
    const Decoded d = Decode(Provide(&model), archive);
    ASSERT_TRUE(d.status.ok()) << n << ": " << d.status.message();
    EXPECT_EQ(d.content, content);
    const Decoded twice = Decode(Provide(&model), Concatenate({archive, archive}));
    EXPECT_EQ(twice.content.size(), 2 * n) << twice.status.message();
  }
}

TEST(LeanArchive, WhatIsMadeWithinABoundIsReadWithinIt) {
  ToyModel model;
  const Bytes content = ToyText(model, 20000, 1);
  size_t n_lean = 0;
  for (uint64_t mebibytes = 2; mebibytes < 60; ++mebibytes) {
    EncodeOptions options;
    options.allow_short = true;
    options.streams = 1;
    options.memory_bytes = mebibytes << 20;
    MemorySource source(content);
    MemorySink sink;
    if (!EncodeArchive(&model, source, sink, options, kNoProgress).ok()) continue;
    n_lean += (sink.bytes[3] & 7) == kShortLean;
    const Decoded d = Decode(Provide(&model), sink.bytes, {.memory_bytes = options.memory_bytes});
    EXPECT_TRUE(d.status.ok()) << mebibytes << " MiB: " << d.status.message();
  }
  EXPECT_GT(n_lean, 10u);
  EXPECT_LT(n_lean, 57u);
}

TEST(LeanArchive, EveryDamageIsFound) {
  ToyModel model;
  Bytes archive = ShortArchive(ToyText(model, 3000, 1), &model);
  ASSERT_EQ(archive[3] & 7, kShortLean);
  for (size_t n = 0; n < archive.size(); ++n) {
    EXPECT_FALSE(Decode(Provide(&model), ByteSpan(archive).first(n)).status.ok()) << n;
  }
  for (size_t i = 0; i < archive.size(); ++i) {
    archive[i] ^= 0x40;
    EXPECT_FALSE(Decode(Provide(&model), archive).status.ok()) << i;
    archive[i] ^= 0x40;
  }
}

TEST(LeanArchive, ChangesUnderARightChecksumAreRefused) {
  ToyModel model;
  const Bytes archive = ShortArchive(ToyText(model, 1000, 1), &model);
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    Bytes changed = archive;
    const size_t at = 3 + random() % (changed.size() - 5);
    changed[at] ^= static_cast<uint8_t>(1 + random() % 255);
    FixChecks(changed);
    EXPECT_FALSE(Decode(Provide(&model), changed).status.ok()) << round << ", byte " << at;
  }
}

// ---- Sources, sinks, progress
// ---------------------------------------------------------------------------------------

class DripSource : public Source {
 public:
  explicit DripSource(ByteSpan data) : inner_(data) {}
  Result<size_t> Read(std::span<uint8_t> out) override {
    return inner_.Read(out.first(std::min<size_t>(out.size(), 1 + calls_++ % 977)));
  }

 private:
  MemorySource inner_;
  size_t calls_ = 0;
};

class BrokenSink : public Sink {
 public:
  explicit BrokenSink(size_t room) : room_(room) {}
  Status Write(ByteSpan data) override {
    if (data.size() > room_) return IoError("disk full");
    room_ -= data.size();
    return OkStatus();
  }

 private:
  size_t room_;
};

TEST(Codec, ArchivesDoNotDependOnHowTheSourceReads) {
  ToyModel model;
  const Bytes content = AllKinds(model);
  const Bytes expected = Encode(&model, content).archive;
  DripSource source(content);
  MemorySink sink;
  ASSERT_TRUE(EncodeArchive(&model, source, sink, {}, kNoProgress).ok());
  EXPECT_EQ(sink.bytes, expected);
  DripSource archive(expected);
  MemorySink back;
  ASSERT_TRUE(DecodeArchives(Provide(&model), archive, back, {}, kNoProgress).ok());
  EXPECT_EQ(back.bytes, content);
}

TEST(Codec, ArchivesDoNotDependOnHowMuchTheModelTakesAtOnce) {
  const Bytes content = ToyText(ToyModel(), 100000, 1);
  ToyModel usual;
  const Bytes expected = Encode(&usual, content).archive;
  for (const size_t preferred : {1, 33, 1000, 1000000}) {
    ToyModel::Options options;
    options.preferred_tokens = preferred;
    ToyModel model(options);
    EXPECT_EQ(Encode(&model, content).archive, expected) << preferred;
  }
}

TEST(Codec, FailingSinksAndSourcesEndTheWork) {
  ToyModel model;
  const Bytes content = AllKinds(model);
  const Bytes archive = Encode(&model, content).archive;
  for (const size_t room : {size_t{0}, size_t{7}, size_t{8}, archive.size() / 2, archive.size() - 1}) {
    MemorySource source(content);
    BrokenSink sink(room);
    EXPECT_EQ(EncodeArchive(&model, source, sink, {}, kNoProgress).status().code(), StatusCode::kIo);
  }
  MemorySource source(archive);
  BrokenSink sink(content.size() - 1);
  EXPECT_EQ(DecodeArchives(Provide(&model), source, sink, {}, kNoProgress).status().code(), StatusCode::kIo);
}

TEST(Codec, ProgressGrowsAndCancels) {
  ToyModel::Options slow;
  slow.preferred_tokens = 8;
  ToyModel model(slow);
  const Bytes content = ToyText(model, 400000, 1);
  CodecProgress last;
  size_t calls = 0;
  const CodecProgressCallback watch = [&](const CodecProgress& p) {
    EXPECT_GE(p.original_bytes, last.original_bytes);
    EXPECT_GE(p.bytes_in, last.bytes_in);
    EXPECT_GE(p.bytes_out, last.bytes_out);
    last = p;
    ++calls;
    return true;
  };
  MemorySource source(content);
  MemorySink sink;
  ASSERT_TRUE(EncodeArchive(&model, source, sink, {}, watch).ok());
  EXPECT_GE(calls, 1u);
  EXPECT_EQ(last.original_bytes, content.size());
  EXPECT_EQ(last.bytes_out, sink.bytes.size());
  last = {};
  MemorySource archive(sink.bytes);
  MemorySink back;
  ASSERT_TRUE(DecodeArchives(Provide(&model), archive, back, {}, watch).ok());
  EXPECT_EQ(last.original_bytes, content.size());
  EXPECT_EQ(last.bytes_in, sink.bytes.size());

  const CodecProgressCallback cancel = [](const CodecProgress&) { return false; };
  MemorySource again(content);
  EXPECT_EQ(EncodeArchive(&model, again, sink, {}, cancel).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(EvaluateCodeLength(model, content, {}, cancel).status().code(), StatusCode::kCancelled);
}

// ---- Wrong models
// ---------------------------------------------------------------------------------------------------

TEST(Codec, TheModelIsAskedForOnlyWhereABlockNeedsIt) {
  ToyModel model;
  const Bytes noise = RandomBytes(5000, 1);
  EXPECT_TRUE(Decode(NoModel(), Encode(&model, noise).archive).status.ok());
  const Decoded d = Decode(NoModel(), Encode(&model, ToyText(model, 5000, 1)).archive);
  EXPECT_EQ(d.status.code(), StatusCode::kNotFound);
  EXPECT_NE(d.status.message().find("toy-1"), std::string::npos);
}

TEST(Codec, AnotherModelIsRefusedByFingerprintWindowOrProbe) {
  ToyModel model;
  const Bytes archive = Encode(&model, ToyText(model, 5000, 1)).archive;
  ToyModel::Options options;
  options.seed = 2;
  ToyModel other(options);
  Decoded d = Decode(Provide(&other), archive);
  EXPECT_EQ(d.status.code(), StatusCode::kWrongModel);
  EXPECT_NE(d.status.message().find("toy-2"), std::string::npos) << d.status.message();
  options = {};
  options.window = 65;
  ToyModel wider(options);
  d = Decode(Provide(&wider), archive);
  EXPECT_EQ(d.status.code(), StatusCode::kWrongModel);
  EXPECT_NE(d.status.message().find("window"), std::string::npos) << d.status.message();
  options = {};
  options.wrong_after = ToyModel::kStart;
  ToyModel broken(options);
  d = Decode(Provide(&broken), archive);
  EXPECT_EQ(d.status.code(), StatusCode::kWrongModel);
  EXPECT_NE(d.status.message().find("undamaged"), std::string::npos) << d.status.message();
  EXPECT_TRUE(d.content.empty());
}

// ---- Damage
// ---------------------------------------------------------------------------------------------------------

TEST(Codec, EveryPrefixIsAnErrorAndWritesOnlyWholeBlocks) {
  ToyModel model;
  EncodeOptions options;
  options.block_bytes = kMinBlockBytes;
  options.file_name = "n";
  const Bytes content = Concatenate({ToyText(model, 5000, 1), RandomBytes(600, 1)});
  const Bytes archive = Encode(&model, content, options).archive;
  for (size_t n = 0; n < archive.size(); ++n) {
    const Decoded d = Decode(Provide(&model), ByteSpan(archive).first(n));
    ASSERT_EQ(d.status.code(), StatusCode::kCorrupt) << n << ": " << d.status.message();
    ASSERT_TRUE(std::equal(d.content.begin(), d.content.end(), content.begin())) << n;
  }
}

TEST(Codec, ContextsStandBesideTheModelWhereAsked) {
  ToyModel model;
  std::string table;
  for (int i = 0; i < 800; ++i) table += std::to_string(i * i % 977) + ";" + std::to_string(i % 13) + ";ok\n";
  const auto kind_of = [&](ContextsBesideModel beside, const Bytes& content) {
    EncodeOptions options;
    options.beside = beside;
    const Encoded e = Encode(&model, content, options);
    const Decoded d = Decode(Provide(&model), e.archive);
    EXPECT_TRUE(d.status.ok()) << d.status.message();
    EXPECT_EQ(d.content, content);
    return Describe(e.archive).blocks.at(0).kind;
  };
  const Bytes data(table.begin(), table.end());
  EXPECT_NE(kind_of(ContextsBesideModel::kNever, data), BlockKind::kContexts);
  EXPECT_EQ(kind_of(ContextsBesideModel::kForData, data), BlockKind::kContexts);
  EXPECT_EQ(kind_of(ContextsBesideModel::kAlways, data), BlockKind::kContexts);
  EXPECT_EQ(kind_of(ContextsBesideModel::kAlways, ToyText(model, 3000, 1)), BlockKind::kModel);
}

TEST(Codec, EveryFlippedByteIsFoundBeforeDecoding) {
  ToyModel model;
  const Bytes content = Concatenate({ToyText(model, 1500, 1)});
  Bytes archive = Encode(&model, content).archive;
  ASSERT_EQ(Describe(archive).blocks.at(0).kind, BlockKind::kModel);
  for (size_t i = 0; i < archive.size(); ++i) {
    for (const uint8_t mask : {uint8_t{0x01}, uint8_t{0x80}, uint8_t{0xff}}) {
      archive[i] ^= mask;
      const Decoded d = Decode(Provide(&model), archive);
      ASSERT_FALSE(d.status.ok()) << i;
      // Damage is never blamed on the model.
      ASSERT_NE(d.status.code(), StatusCode::kWrongModel) << i << ": " << d.status.message();
      archive[i] ^= mask;
    }
  }
}

// An archive of one model block with any header over a payload that is what the checks say.
Bytes Forge(const BlockHeader& header, const Bytes& code, const Bytes& content,
            const ModelIdentity& identity) {
  MemorySink sink;
  ArchiveWriter writer(sink);
  EXPECT_TRUE(writer.WriteModelInfo(identity).ok());
  EXPECT_TRUE(writer.WriteBlock(header, code, content).ok());
  EXPECT_TRUE(writer.Finish("", {}).ok());
  return sink.bytes;
}

TEST(HostileArchive, ModelBlocksThatLieEndInAnErrorSoon) {
  std::mt19937_64 random(4);
  ToyModel model;
  for (int round = 0; round < 2000; ++round) {
    const uint64_t fed_before = model.tokens_fed();
    BlockHeader h;
    h.kind = BlockKind::kModel;
    h.content_size = 2 + static_cast<uint32_t>(random() % 5000);
    h.n_tokens = 1 + static_cast<uint32_t>(random() % h.content_size);
    h.n_streams = 1 + static_cast<uint32_t>(random() % std::min(h.n_tokens, kMaxStreams));
    h.probe = static_cast<uint32_t>(random());
    const Bytes code = RandomBytes(random() % std::min<uint32_t>(h.content_size, 300), random());
    h.payload_size = static_cast<uint32_t>(code.size());
    const Decoded d = Decode(Provide(&model), Forge(h, code, Bytes(h.content_size, 'x'), model.identity()));
    ASSERT_EQ(d.status.code(), StatusCode::kWrongModel) << d.status.message();
    ASSERT_TRUE(d.content.empty());
    ASSERT_LE(model.tokens_fed() - fed_before, kProbeSteps * uint64_t{h.n_streams});
  }
}

TEST(HostileArchive, AnEmptyCodeForManyTokensStopsAtTheProbeOrTheEndOfTheCode) {
  ToyModel model;
  BlockHeader h;
  h.kind = BlockKind::kModel;
  h.content_size = h.n_tokens = kMaxBlockContent;
  h.n_streams = 1;
  const Decoded d = Decode(Provide(&model), Forge(h, {}, Bytes(h.content_size, 'x'), model.identity()));
  EXPECT_EQ(d.status.code(), StatusCode::kWrongModel);
  EXPECT_LE(model.tokens_fed(), 1000u);
}

TEST(HostileArchive, ZstdBlocksThatLieAreCorrupt) {
  const Bytes content(1000, 'x');
  const Result<Bytes> frame = ZstdCompress(content, 3);
  ASSERT_TRUE(frame.ok());
  for (const int delta : {-1, 1}) {
    MemorySink sink;
    ArchiveWriter writer(sink);
    BlockHeader h;
    h.kind = BlockKind::kZstd;
    h.content_size = static_cast<uint32_t>(1000 + delta);
    h.payload_size = static_cast<uint32_t>(frame->size());
    EXPECT_TRUE(writer.WriteBlock(h, *frame, Bytes(h.content_size, 'x')).ok());
    EXPECT_TRUE(writer.Finish("", {}).ok());
    const Decoded d = Decode(NoModel(), sink.bytes);
    EXPECT_EQ(d.status.code(), StatusCode::kCorrupt);
    EXPECT_NE(d.status.message().find("block 1: zstd data"), std::string::npos) << d.status.message();
  }
}

// ---- Evaluation
// -----------------------------------------------------------------------------------------------------

TEST(EvaluateCodeLength, IsWhatTheArchiveTakes) {
  ToyModel model;
  const Bytes text = ToyText(model, 300000, 1);
  const Result<CodeLength> length = EvaluateCodeLength(model, text, {}, kNoProgress);
  ASSERT_TRUE(length.ok());
  EncodeOptions options;
  options.adaptive = false;
  const Encoded e = Encode(&model, text, options);
  EXPECT_EQ(length->bytes, text.size());
  EXPECT_EQ(length->blocks, e.result.blocks);
  const ArchiveSummary s = Describe(e.archive);
  EXPECT_EQ(length->streams, s.blocks.at(0).n_streams);
  uint64_t tokens = 0;
  for (const BlockSummary& b : s.blocks) tokens += b.n_tokens;
  EXPECT_EQ(length->tokens, tokens);
  EXPECT_NEAR(length->integer_bits, length->ideal_bits, length->ideal_bits * 2e-4);
  const double archive_bits = 8.0 * static_cast<double>(e.archive.size());
  EXPECT_GE(archive_bits, length->ideal_bits);
  EXPECT_LE(archive_bits, length->ideal_bits * 1.0005 + 8 * 128);
}

TEST(EvaluateCodeLength, NothingHasNoLength) {
  ToyModel model;
  const Result<CodeLength> length = EvaluateCodeLength(model, {}, {}, kNoProgress);
  ASSERT_TRUE(length.ok());
  EXPECT_EQ(length->tokens, 0u);
  EXPECT_EQ(length->ideal_bits, 0);
}

}  // namespace
}  // namespace pith
