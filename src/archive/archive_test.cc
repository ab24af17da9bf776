#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "archive/archive_reader.h"
#include "archive/archive_writer.h"
#include "archive/frame_codec.h"
#include "base/random_bytes.h"

namespace pith {
namespace {

struct TestBlock {
  BlockHeader header;
  Bytes payload;
  Bytes content;
};

TestBlock Raw(const Bytes& content) {
  TestBlock b;
  b.header.kind = BlockKind::kRaw;
  b.header.content_size = b.header.payload_size = static_cast<uint32_t>(content.size());
  b.payload = b.content = content;
  return b;
}

// The archive layer does not look into payloads: any bytes will do.
TestBlock Coded(BlockKind kind, size_t content_size, size_t payload_size, uint32_t n_tokens = 0,
                uint32_t n_streams = 0) {
  TestBlock b;
  b.content = RandomBytes(content_size, content_size);
  b.payload = RandomBytes(payload_size, payload_size + 1);
  b.header = {
      kind, static_cast<uint32_t>(content_size), static_cast<uint32_t>(payload_size), n_tokens, n_streams, 0,
      0};
  if (kind == BlockKind::kContexts) b.header.strength = 2;
  if (kind == BlockKind::kModel) {
    b.header.probe = 0x01020304;
    b.header.content_check = Hash32(b.content);
  }
  return b;
}

TestBlock Encoded(BlockKind kind, uint8_t encoding) {
  const bool by_model = kind == BlockKind::kModel;
  TestBlock b = Coded(kind, 300, 40, by_model ? 1000 : 0, by_model ? 256 : 0);
  b.header.encoding = encoding;
  if (!by_model) b.header.text_size = 299;
  return b;
}

ModelIdentity SomeModel() {
  ModelIdentity m;
  m.name = "toy";
  for (size_t i = 0; i < 16; ++i) m.fingerprint.bytes[i] = static_cast<uint8_t>(i * 17);
  m.window = 512;
  m.n_sinks = 4;
  return m;
}

Bytes WriteArchive(const std::vector<TestBlock>& blocks, const std::string& name = "",
                   std::optional<int64_t> mtime = {}, const ModelIdentity& model = SomeModel()) {
  MemorySink sink;
  ArchiveWriter writer(sink);
  bool named = false;
  for (const TestBlock& b : blocks) {
    if (b.header.kind == BlockKind::kModel && !named) {
      EXPECT_TRUE(writer.WriteModelInfo(model).ok());
      named = true;
    }
    EXPECT_TRUE(writer.WriteBlock(b.header, b.payload, b.content).ok());
  }
  EXPECT_TRUE(writer.Finish(name, mtime).ok());
  EXPECT_EQ(writer.archive_bytes(), sink.bytes.size());
  return sink.bytes;
}

// A source that gives as few bytes a call as it may.
class DripSource : public Source {
 public:
  DripSource(ByteSpan data, size_t most) : inner_(data), most_(most) {}
  Result<size_t> Read(std::span<uint8_t> out) override {
    return inner_.Read(out.first(std::min(out.size(), most_)));
  }

 private:
  MemorySource inner_;
  size_t most_;
};

struct ReadBack {
  std::vector<TestBlock> blocks;
  std::optional<ModelIdentity> model;
  ArchiveEnd end;
  uint64_t archive_bytes = 0;
};

// Reads everything; contents come from `contents` (in the order of the blocks) where it is not null.
Result<std::vector<ReadBack>> ReadAll(Source& source, const std::vector<TestBlock>* contents) {
  ArchiveReader reader(source);
  std::vector<ReadBack> all;
  size_t at = 0;
  while (true) {
    PITH_ASSIGN_OR_RETURN(const bool more, reader.NextArchive());
    if (!more) return all;
    ReadBack& archive = all.emplace_back();
    while (true) {
      TestBlock b;
      PITH_ASSIGN_OR_RETURN(const bool block, reader.NextBlock(b.header, b.payload));
      if (!block) break;
      if (contents != nullptr && at < contents->size()) reader.AddContent((*contents)[at++].content);
      archive.blocks.push_back(b);
    }
    if (contents != nullptr) PITH_RETURN_IF_ERROR(reader.CheckContent());
    archive.model = reader.model();
    archive.end = reader.end();
    archive.archive_bytes = reader.archive_bytes();
  }
}

Result<std::vector<ReadBack>> ReadAll(ByteSpan data, const std::vector<TestBlock>* contents = nullptr) {
  MemorySource source(data);
  return ReadAll(source, contents);
}

Status ReadStatus(ByteSpan data, const std::vector<TestBlock>* contents = nullptr) {
  return ReadAll(data, contents).status();
}

std::vector<TestBlock> OneOfEach() {
  return {Raw(RandomBytes(100, 1)), Coded(BlockKind::kModel, 300, 40, 77, 3),
          Coded(BlockKind::kZstd, 200, 150), Coded(BlockKind::kModel, 1, 0, 1, 1), Raw({7}),
          Coded(BlockKind::kContexts, 500, 20), Encoded(BlockKind::kModel, 9), Encoded(BlockKind::kContexts, kMaxEncoding)};
}

void ExpectReadsBack(const std::vector<TestBlock>& blocks, const Bytes& archive) {
  const auto all = ReadAll(archive, &blocks);
  ASSERT_TRUE(all.ok()) << all.status().message();
  ASSERT_EQ(all->size(), 1u);
  const ReadBack& a = (*all)[0];
  ASSERT_EQ(a.blocks.size(), blocks.size());
  uint64_t content = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(a.blocks[i].header, blocks[i].header) << i;
    EXPECT_EQ(a.blocks[i].payload, blocks[i].payload) << i;
    content += blocks[i].content.size();
  }
  EXPECT_EQ(a.end.content_size, content);
  EXPECT_EQ(a.archive_bytes, archive.size());
}

TEST(Archive, EmptyReadsBack) {
  const Bytes archive = WriteArchive({});
  ExpectReadsBack({}, archive);
  EXPECT_LE(archive.size(), kMaxArchiveOverhead);
}

TEST(Archive, BlocksOfEveryKindReadBackInAnyPieces) {
  const std::vector<TestBlock> blocks = OneOfEach();
  const Bytes archive = WriteArchive(blocks, "name", 1234567890123456789);
  ExpectReadsBack(blocks, archive);
  for (const size_t most : {1, 2, 3, 7, 64, 4096}) {
    DripSource source(archive, most);
    const auto all = ReadAll(source, &blocks);
    ASSERT_TRUE(all.ok()) << all.status().message();
    EXPECT_EQ((*all)[0].model, SomeModel());
    EXPECT_EQ((*all)[0].end.file_name, "name");
    EXPECT_EQ((*all)[0].end.mtime_ns, 1234567890123456789);
  }
}

TEST(Archive, SizesAtEveryBoundaryReadBack) {
  for (const size_t n :
       {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{127}, size_t{128}, size_t{2047}, size_t{2048},
        size_t{65535}, size_t{65536}, size_t{65537}, (size_t{1} << 20) + 1, size_t{kMaxBlockContent}}) {
    const std::vector<TestBlock> blocks = {Raw(RandomBytes(n, n))};
    const Bytes archive = WriteArchive(blocks);
    ExpectReadsBack(blocks, archive);
    EXPECT_LE(archive.size(), n + kMaxArchiveOverhead + kMaxBlockOverhead);
  }
}

TEST(Archive, RawBlocksNeverCostMoreThanTheBound) {
  for (const size_t n : {size_t{1}, size_t{1000}, size_t{1} << 20, size_t{kMaxBlockContent}}) {
    BlockHeader h;
    h.content_size = h.payload_size = static_cast<uint32_t>(n);
    EXPECT_LE(ArchiveWriter::BlockCost(h), n + kMaxBlockOverhead);
  }
  // Many blocks, so that the counts in the end frame grow; the time and a long name still fit or are left
  // out.
  std::vector<TestBlock> blocks;
  for (size_t i = 0; i < 70000; ++i) blocks.push_back(Raw({static_cast<uint8_t>(i)}));
  const Bytes archive = WriteArchive(blocks, std::string(255, 'n'), -1);
  EXPECT_LE(archive.size(), blocks.size() * (1 + kMaxBlockOverhead) + kMaxArchiveOverhead);
  ExpectReadsBack(blocks, archive);
}

TEST(Archive, NameIsLeftOutWhereItWouldBreakTheBoundOrIsNotAllowed) {
  const std::vector<TestBlock> raw = {Raw(RandomBytes(1000, 1))};
  const std::vector<TestBlock> small = {Coded(BlockKind::kZstd, 1000, 100)};
  const auto name_of = [](const std::vector<TestBlock>& blocks, const std::string& name) {
    const auto all = ReadAll(WriteArchive(blocks, name, 5));
    EXPECT_TRUE(all.ok());
    return (*all)[0].end.file_name;
  };
  EXPECT_EQ(name_of(raw, "short.txt"), "short.txt");
  EXPECT_EQ(name_of(raw, std::string(100, 'n')), "");
  EXPECT_EQ(name_of(small, std::string(255, 'n')), std::string(255, 'n'));
  EXPECT_EQ(name_of(small, "K\xc3\xa4se.txt"), "K\xc3\xa4se.txt");
  for (const std::string& bad :
       {std::string(256, 'n'), std::string("a/b"), std::string("/"), std::string("."), std::string(".."),
        std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"), std::string("\x1b[31m")}) {
    EXPECT_EQ(name_of(small, bad), "") << bad;
  }
}

TEST(Archive, SeveralOneAfterAnotherReadAsSeveral) {
  const std::vector<TestBlock> first = OneOfEach();
  const std::vector<TestBlock> second = {Raw({1, 2, 3})};
  Bytes both = WriteArchive(first, "first");
  const size_t first_size = both.size();
  const Bytes empty = WriteArchive({});
  both.insert(both.end(), empty.begin(), empty.end());
  const Bytes last = WriteArchive(second, "last");
  both.insert(both.end(), last.begin(), last.end());
  std::vector<TestBlock> contents = first;
  contents.insert(contents.end(), second.begin(), second.end());
  const auto all = ReadAll(both, &contents);
  ASSERT_TRUE(all.ok()) << all.status().message();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].archive_bytes, first_size);
  EXPECT_TRUE((*all)[0].model.has_value());
  EXPECT_EQ((*all)[1].blocks.size(), 0u);
  EXPECT_FALSE((*all)[2].model.has_value());
  EXPECT_EQ((*all)[2].end.file_name, "last");
}

TEST(Archive, EveryPrefixIsAnError) {
  const Bytes archive = WriteArchive(OneOfEach(), "name", 5);
  for (size_t n = 0; n < archive.size(); ++n) {
    const Status status = ReadStatus(ByteSpan(archive).first(n));
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << n << ": " << status.message();
  }
  // Also when it is the second one; only the whole first one may stand alone.
  Bytes both = archive;
  both.insert(both.end(), archive.begin(), archive.end());
  for (size_t n = archive.size(); n < both.size(); ++n) {
    EXPECT_EQ(ReadStatus(ByteSpan(both).first(n)).ok(), n == archive.size()) << n;
  }
}

TEST(Archive, EveryFlippedBitIsAnErrorEvenWithoutDecoding) {
  Bytes archive = WriteArchive(OneOfEach(), "name", 5);
  for (size_t i = 0; i < archive.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      archive[i] ^= static_cast<uint8_t>(1 << bit);
      const Status status = ReadStatus(archive);
      EXPECT_FALSE(status.ok()) << "byte " << i << " bit " << bit;
      EXPECT_TRUE(status.code() == StatusCode::kCorrupt || status.code() == StatusCode::kUnsupported)
          << status.message();
      archive[i] ^= static_cast<uint8_t>(1 << bit);
    }
  }
  EXPECT_TRUE(ReadStatus(archive).ok());
}

TEST(Archive, EveryByteValueInEveryPlaceIsAnErrorOrTheSame) {
  const std::vector<TestBlock> blocks = {Coded(BlockKind::kModel, 30, 4, 7, 3)};
  const Bytes archive = WriteArchive(blocks, "n");
  for (size_t i = 0; i < archive.size(); ++i) {
    for (int v = 0; v < 256; ++v) {
      Bytes changed = archive;
      changed[i] = static_cast<uint8_t>(v);
      EXPECT_EQ(ReadStatus(changed).ok(), changed == archive) << "byte " << i << " value " << v;
    }
  }
}

TEST(Archive, ContentThatDiffersIsFoundAtTheEnd) {
  std::vector<TestBlock> blocks = OneOfEach();
  const Bytes archive = WriteArchive(blocks);
  blocks[2].content[5] ^= 1;
  const Status status = ReadStatus(archive, &blocks);
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("checksum of the content"), std::string::npos) << status.message();
}

TEST(Archive, DataThatIsNoArchiveIsNamedAsSuch) {
  EXPECT_NE(ReadStatus({}).message().find("empty"), std::string::npos);
  EXPECT_NE(ReadStatus(AsBytes("hello, world")).message().find("not a pith archive"), std::string::npos);
  EXPECT_NE(ReadStatus(AsBytes("x")).message().find("not a pith archive"), std::string::npos);
  Bytes garbage_after = WriteArchive({});
  garbage_after.push_back(0);
  EXPECT_NE(ReadStatus(garbage_after).message().find("after the end of archive 1"), std::string::npos);
  EXPECT_FALSE(HasArchiveMagic(AsBytes("\x89pt")));
  EXPECT_TRUE(HasArchiveMagic(WriteArchive({})));
}

TEST(Archive, NewerVersionsAreUnsupportedAndNamed) {
  for (const size_t field : {4, 5}) {
    Bytes archive = WriteArchive({});
    archive[field] = 9;
    EXPECT_EQ(ReadStatus(archive).code(), StatusCode::kCorrupt);  // the check still says what it was
    const uint16_t check = HeaderCheck(ByteSpan(archive).first(6));
    archive[6] = static_cast<uint8_t>(check);
    archive[7] = static_cast<uint8_t>(check >> 8);
    const Status status = ReadStatus(archive);
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_NE(status.message().find(field == 4 ? "format 9" : "contract 9"), std::string::npos)
        << status.message();
  }
}

// ---- Hostile archives: fields that lie under checksums that are right
// ---------------------------------------------

// Builds frames with any fields.
class Forger {
 public:
  explicit Forger(uint8_t format_version = kArchiveFormatVersion) {
    bytes_ = WriteArchive({});
    bytes_.resize(kArchiveHeaderBytes - 2);
    bytes_[kArchiveMagic.size()] = format_version;
    ByteWriter(bytes_).U16(HeaderCheck(bytes_));
  }
  Forger& Frame(uint64_t tag, const Bytes& rest, bool check = true) {
    Bytes frame;
    ByteWriter w(frame);
    w.Varint(tag);
    w.Raw(rest);
    if (check) w.U32(Hash32(frame));
    bytes_.insert(bytes_.end(), frame.begin(), frame.end());
    return *this;
  }
  Forger& Model(uint64_t window = 512, const std::string& name = "m", uint64_t n_sinks = 0) {
    Bytes p(16, 1);
    ByteWriter(p).Varint(window);
    ByteWriter(p).Varint(n_sinks);
    ByteWriter(p).Raw(AsBytes(name));
    return Frame(FrameTag(FrameKind::kModelInfo, p.size()), p);
  }
  Forger& Block(BlockKind kind, uint64_t content, uint64_t payload, uint64_t tokens = 1,
                uint64_t streams = 1) {
    Bytes p;
    ByteWriter w(p);
    if (kind != BlockKind::kRaw) w.Varint(payload);
    if (kind == BlockKind::kContexts) w.U8(static_cast<uint8_t>(tokens));
    if (kind == BlockKind::kContexts && tokens >> kContextStrengthBits != 0) w.Varint(streams);
    if (kind == BlockKind::kModel) {
      w.Varint(tokens);
      w.Varint(streams);
      w.U64(0);
    }
    p.resize(p.size() + std::min<uint64_t>(payload, 1000), 0xaa);
    return Frame(FrameTag(static_cast<FrameKind>(kind), content), p);
  }
  Forger& End(const Bytes& payload) {
    Bytes frame;
    ByteWriter(frame).Varint(FrameTag(FrameKind::kEnd, payload.size()));
    ByteWriter(frame).Raw(payload);
    const uint32_t size = static_cast<uint32_t>(frame.size() + kFrameCheckBytes);
    Frame(FrameTag(FrameKind::kEnd, payload.size()), payload);
    ByteWriter w(bytes_);
    w.U32(size);
    w.Raw(kArchiveEndMagic);
    return *this;
  }
  Status Read() const { return ReadStatus(bytes_); }

 private:
  Bytes bytes_;
};

// An end frame's payload.
Bytes EndFields(uint64_t n_frames, const Bytes& index, uint64_t size, uint8_t flags, const Bytes& rest = {}) {
  Bytes p;
  ByteWriter w(p);
  w.Varint(n_frames);
  w.Raw(index);
  w.Varint(size);
  w.U64(Hash64({}));
  w.U8(flags);
  w.Raw(rest);
  return p;
}

void ExpectError(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(HostileArchive, ForgerMakesGoodOnesToo) {
  EXPECT_TRUE(Forger().End(EndFields(0, {}, 0, 0)).Read().ok());
  const Bytes index = {1 << 2 | 1, 6};
  EXPECT_TRUE(Forger().Block(BlockKind::kRaw, 1, 1).End(EndFields(1, index, 1, 0)).Read().ok());
}

TEST(HostileArchive, SizesBeyondLimitsAreRefusedBeforeMemoryIsTaken) {
  const uint64_t huge = uint64_t{1} << 60;
  ExpectError(Forger().Frame(FrameTag(FrameKind::kRaw, kMaxBlockContent + 1), {}).Read(),
              StatusCode::kCorrupt, "expected 1 to");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kRaw, huge), {}).Read(), StatusCode::kCorrupt,
              "expected 1 to");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kRaw, 0), {}).Read(), StatusCode::kCorrupt, "expected 1 to");
  ExpectError(Forger().Block(BlockKind::kZstd, 100, 100).Read(), StatusCode::kCorrupt, "expected less");
  ExpectError(Forger().Block(BlockKind::kModel, 100, huge).Read(), StatusCode::kCorrupt, "expected less");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kModelInfo, huge), {}).Read(), StatusCode::kCorrupt,
              "expected at most");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kEnd, huge), {}).Read(), StatusCode::kCorrupt,
              "expected at most");
}

TEST(HostileArchive, TokensAndStreamsThatCannotBeAreRefused) {
  const auto model_block = [](uint64_t tokens, uint64_t streams, uint64_t window = 512) {
    return Forger().Model(window).Block(BlockKind::kModel, 1000, 10, tokens, streams).Read();
  };
  ExpectError(model_block(0, 1), StatusCode::kCorrupt, "0 tokens");
  ExpectError(model_block(1001, 1), StatusCode::kCorrupt, "1001 tokens");
  ExpectError(model_block(uint64_t{1} << 63, 1), StatusCode::kCorrupt, "tokens");
  ExpectError(model_block(10, 0), StatusCode::kCorrupt, "0 streams");
  ExpectError(model_block(10, 11), StatusCode::kCorrupt, "11 streams");
  ExpectError(model_block(10, kMaxStreams + 11), StatusCode::kCorrupt, "11 streams");  // encoding 1
  ExpectError(model_block(4001, kMaxStreams + 1), StatusCode::kCorrupt, "4001 tokens");
  ExpectError(model_block(4000, kMaxStreams + 1), StatusCode::kCorrupt, "truncated");  // fine as far as it goes
  ExpectError(model_block(10, kMaxStreams * kMaxEncoding + 10), StatusCode::kCorrupt, "truncated");
  ExpectError(model_block(10, kMaxStreams * (kMaxEncoding + 1) + 1), StatusCode::kUnsupported, "character encoding 27");
  ExpectError(model_block(10, ~uint64_t{0}), StatusCode::kUnsupported, "character encoding");
  ExpectError(model_block(1000, 256, 513), StatusCode::kCorrupt, "expected a product");
  ExpectError(model_block(1000, 2, kMaxCachedTokens), StatusCode::kCorrupt, "expected a product");
  ExpectError(model_block(1000, 256, 512), StatusCode::kCorrupt, "truncated");  // fine as far as it goes
}

TEST(HostileArchive, ModelDescriptionsOutOfOrderOrFormAreRefused) {
  ExpectError(Forger().Block(BlockKind::kModel, 10, 1).Read(), StatusCode::kCorrupt,
              "before the archive has named");
  ExpectError(Forger().Model().Block(BlockKind::kRaw, 1, 1).Read(), StatusCode::kCorrupt, "not used");
  ExpectError(Forger().Model().Model().Read(), StatusCode::kCorrupt, "second model");
  ExpectError(Forger().Model().Block(BlockKind::kModel, 10, 1).Model().Read(), StatusCode::kCorrupt,
              "second model");
  ExpectError(Forger().Model(0).Read(), StatusCode::kCorrupt, "window of 0");
  ExpectError(Forger().Model(kMaxCachedTokens + 1).Read(), StatusCode::kCorrupt, "window of");
  ExpectError(Forger().Model(512, "m", 17).Read(), StatusCode::kCorrupt, "17 sinks");
  ExpectError(Forger().Model(4, "m", 4).Read(), StatusCode::kCorrupt, "4 sinks");
  ExpectError(Forger().Model(512, "a\x1b[2J").Read(), StatusCode::kCorrupt, "control characters");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kModelInfo, 15), Bytes(15, 1)).Read(), StatusCode::kCorrupt,
              "ends early");
  ExpectError(Forger().Model().End(EndFields(1, {26 << 2}, 0, 0)).Read(), StatusCode::kCorrupt, "not used");
}

TEST(HostileArchive, EndsThatLieAreRefused) {
  const Bytes index = {1 << 2 | 1, 6};
  const auto end = [&](const Bytes& payload) {
    return Forger().Block(BlockKind::kRaw, 1, 1).End(payload).Read();
  };
  ExpectError(end(EndFields(0, {}, 1, 0)), StatusCode::kCorrupt, "do");
  ExpectError(end(EndFields(2, index, 1, 0)), StatusCode::kCorrupt, "index");
  ExpectError(end(EndFields(1, {1 << 2 | 1, 7}, 1, 0)), StatusCode::kCorrupt, "index");
  ExpectError(end(EndFields(1, index, 2, 0)), StatusCode::kCorrupt, "the blocks hold 1");
  ExpectError(end(EndFields(1, index, 1, 4)), StatusCode::kUnsupported, "flags");
  ExpectError(end(EndFields(1, index, 1, 0x80)), StatusCode::kUnsupported, "flags");
  ExpectError(end(EndFields(1, index, 1, 0, {0})), StatusCode::kCorrupt, "do not fill");
  ExpectError(end(EndFields(1, index, 1, kEndHasMtime, {1, 2, 3})), StatusCode::kCorrupt, "do not fill");
  ExpectError(end(EndFields(1, index, 1, kEndHasName, {5, 'a'})), StatusCode::kCorrupt, "do not fill");
  for (const std::string name : {"", ".", "..", "a/b", "/etc/passwd", "a\nb"}) {
    Bytes rest = {static_cast<uint8_t>(name.size())};
    rest.insert(rest.end(), name.begin(), name.end());
    ExpectError(end(EndFields(1, index, 1, kEndHasName, rest)), StatusCode::kCorrupt, "file name");
  }
}

TEST(HostileArchive, ContextsBlocksKeepTheirLimits) {
  const auto read = [](uint64_t content, uint64_t payload, uint64_t strength) {
    return Forger().Block(BlockKind::kContexts, content, payload, strength).Read();
  };
  for (const uint64_t strength : {0u, 5u, 7u}) {
    ExpectError(read(100, 10, strength), StatusCode::kUnsupported, "strength");
  }
  // With an encoding, the size of the text follows.
  const auto encoded = [](uint64_t strength, uint64_t encoding, uint64_t text) {
    return Forger().Block(BlockKind::kContexts, 100, 10, strength + 8 * encoding, text).Read();
  };
  ExpectError(encoded(1, 1, 0), StatusCode::kCorrupt, "text of 0 bytes");
  ExpectError(encoded(1, 26, 101), StatusCode::kCorrupt, "text of 101 bytes");
  ExpectError(encoded(1, 26, ~uint64_t{0}), StatusCode::kCorrupt, "text of 4294967295 bytes");
  ExpectError(encoded(1, 27, 50), StatusCode::kUnsupported, "character encoding 27");
  ExpectError(encoded(5, 1, 50), StatusCode::kUnsupported, "strength 5");
  ExpectError(encoded(2, 1, 50), StatusCode::kCorrupt, "truncated");  // fine as far as it goes
  ExpectError(read(100, 100, 1), StatusCode::kCorrupt, "expected less");
  ExpectError(read(0, 0, 1), StatusCode::kCorrupt, "expected 1 to");
  ExpectError(Forger().Model().Block(BlockKind::kContexts, 10, 1, 1).Read(), StatusCode::kCorrupt, "not used");
}

TEST(HostileArchive, UnknownFrameKindsAndNumbersNotInShortestFormAreRefused) {
  ExpectError(Forger(2).Frame(8 << kFrameKindBits, Bytes(8, 1)).Read(), StatusCode::kUnsupported, "kind");
  for (const uint8_t version : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
    const std::string named = "format " + std::to_string(version);
    ExpectError(Forger(version).Model().Frame(FrameTag(FrameKind::kModel, 5), {}).Read(), StatusCode::kUnsupported, named);
    if (version == 1) continue;
    ExpectError(Forger(version).Model().Frame(FrameTag(FrameKind::kAdaptiveModel, 5), {}).Read(), StatusCode::kUnsupported, named);
  }
  ExpectError(Forger(1).Frame(FrameTag(FrameKind::kAdaptiveModel, 5), {}).Read(), StatusCode::kUnsupported, "kind");
  for (const uint8_t version : {uint8_t{1}, uint8_t{2}}) {
    ExpectError(Forger(version).Frame(FrameTag(FrameKind::kContexts, 5), {}).Read(), StatusCode::kUnsupported, "kind");
  }
  ExpectError(Forger().Frame(FrameTag(FrameKind::kZstd, 100), {0x85, 0x00}).Read(), StatusCode::kCorrupt,
              "shortest");
  ExpectError(Forger().Frame(FrameTag(FrameKind::kZstd, 100), Bytes(11, 0xff)).Read(), StatusCode::kCorrupt,
              "64 bits");
}

TEST(HostileArchive, DictionariesAreNamedOnceAndUsed) {
  const uint64_t tag = 8 << kFrameKindBits;
  ExpectError(Forger().Frame(5 << kFrameKindBits, Bytes(5, 1)).Read(), StatusCode::kCorrupt, "expected 8");
  ExpectError(Forger().Frame(tag, Bytes(8, 1)).Frame(tag, Bytes(8, 1)).Read(), StatusCode::kCorrupt, "second");
  const Bytes entry = {static_cast<uint8_t>(13 << 2)};
  ExpectError(Forger().Frame(tag, Bytes(8, 1)).End(EndFields(1, entry, 0, 0)).Read(), StatusCode::kCorrupt, "not used");
}

TEST(HostileArchive, RandomChangesUnderRightChecksumsNeverCrash) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 20000; ++round) {
    Forger forger;
    const int frames = static_cast<int>(random() % 4);
    for (int i = 0; i < frames; ++i) {
      switch (random() % 4) {
        case 0:
          forger.Model(random() % 1000, "x");
          break;
        case 1:
          forger.Block(BlockKind::kRaw, 1 + random() % 9, 1 + random() % 9);
          break;
        case 2:
          forger.Block(BlockKind::kModel, random() % 99, random() % 50, random() % 99, random() % 20);
          break;
        default:
          forger.Frame(random() >> (random() % 64), RandomBytes(random() % 40, random()));
          break;
      }
    }
    forger.End(RandomBytes(random() % 30, random()));
    (void)forger.Read();
  }
}

// ---- Listing and seeking
// ------------------------------------------------------------------------------------------

TEST(DescribeArchives, SaysWhatIsInside) {
  const std::vector<TestBlock> blocks = OneOfEach();
  Bytes data = WriteArchive(blocks, "name", 42);
  const Bytes second = WriteArchive({});
  data.insert(data.end(), second.begin(), second.end());
  MemorySource source(data);
  const auto archives = DescribeArchives(source);
  ASSERT_TRUE(archives.ok()) << archives.status().message();
  ASSERT_EQ(archives->size(), 2u);
  const ArchiveSummary& a = (*archives)[0];
  EXPECT_EQ(a.format_version, kArchiveFormatVersion);
  EXPECT_EQ(a.contract_version, 1);
  EXPECT_EQ(a.archive_bytes, data.size() - second.size());
  EXPECT_EQ(a.model, SomeModel());
  EXPECT_EQ(a.end.file_name, "name");
  EXPECT_EQ(a.end.mtime_ns, 42);
  EXPECT_EQ(a.end.content_size, 1702u);
  ASSERT_EQ(a.blocks.size(), blocks.size());
  EXPECT_EQ(a.blocks[1].kind, BlockKind::kModel);
  EXPECT_EQ(a.blocks[1].n_tokens, 77u);
  EXPECT_EQ(a.blocks[1].n_streams, 3u);
  EXPECT_EQ(a.blocks[1].stored_size, 2u + 1 + 1 + 1 + 8 + 40 + 4);
  EXPECT_EQ(a.blocks[5].kind, BlockKind::kContexts);
  EXPECT_EQ(a.blocks[5].strength, 2u);
  EXPECT_EQ(a.blocks[5].stored_size, 2u + 1 + 1 + 20 + 4);
  EXPECT_EQ(a.blocks[6].n_streams, 256u);
  EXPECT_EQ(a.blocks[6].encoding, 9u);
  EXPECT_EQ(a.blocks[6].stored_size, 2u + 1 + 2 + 2 + 8 + 40 + 4);
  EXPECT_EQ(a.blocks[7].encoding, kMaxEncoding);
  EXPECT_EQ(a.blocks[7].stored_size, 2u + 1 + 1 + 2 + 40 + 4);
}

TEST(ArchiveIndex, LeadsFromTheEndToEveryBlock) {
  // What a program with a seekable file would do, by docs/format.md section 7 alone.
  const std::vector<TestBlock> blocks = OneOfEach();
  const Bytes file = WriteArchive(blocks, "name", 42);
  ByteReader footer(ByteSpan(file).last(kArchiveFooterBytes));
  const uint32_t end_size = footer.U32();
  const size_t end_begin = file.size() - kArchiveFooterBytes - end_size;
  ByteReader end(ByteSpan(file).subspan(end_begin, end_size));
  EXPECT_EQ(end.Varint() & 7, static_cast<uint64_t>(FrameKind::kEnd));
  const uint64_t n_frames = end.Varint();
  EXPECT_EQ(n_frames, blocks.size() + 1);
  size_t at = kArchiveHeaderBytes;
  size_t block = 0;
  for (uint64_t i = 0; i < n_frames; ++i) {
    const uint64_t entry = end.Varint();
    if ((entry & 3) == 0) {
      at += entry >> 2;
      continue;
    }
    const uint64_t frame_size = end.Varint();
    EXPECT_EQ(entry >> 2, blocks[block].content.size());
    ByteReader frame(ByteSpan(file).subspan(at, frame_size));
    EXPECT_EQ(frame.Varint(),
              FrameTag(static_cast<FrameKind>(blocks[block].header.kind), blocks[block].content.size()));
    at += frame_size;
    ++block;
  }
  EXPECT_EQ(at, end_begin);
}

}  // namespace
}  // namespace pith
