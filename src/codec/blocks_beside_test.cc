// Blocks side by side: the same archives, contents and errors as one after the other.
#include "codec/blocks_beside.h"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <thread>
#include <vector>

#include "archive/archive_writer.h"
#include "base/random_bytes.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/context_block.h"

namespace pith {
namespace {

const BlockProgress kNoReport = [](uint64_t) { return OkStatus(); };
const CodecProgressCallback kNoProgress;

TEST(BlocksBeside, ResultsComeInTheOrderOfTheBeginning) {
  BlocksBeside<int> blocks(3);
  std::atomic<int> running{0};
  std::atomic<int> most_running{0};
  int begun = 0;
  for (int expected = 0; expected < 20; ++expected) {
    for (; begun < 20 && !blocks.full(); ++begun) {
      blocks.Begin([&, i = begun](const BlockProgress&) -> Result<int> {
        const int now = ++running;
        for (int most = most_running; now > most && !most_running.compare_exchange_weak(most, now);) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(i % 3 == 0 ? 20 : 1));
        --running;
        return i;
      });
    }
    const Result<int> first = blocks.FinishFirst(kNoReport);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*first, expected);
  }
  EXPECT_TRUE(blocks.empty());
  EXPECT_GE(most_running, 2);
  EXPECT_LE(most_running, 3);
}

TEST(BlocksBeside, WhatFailsOrThrowsIsHandedOnInItsTurn) {
  BlocksBeside<int> blocks(4);
  blocks.Begin([](const BlockProgress&) -> Result<int> { return 1; });
  blocks.Begin([](const BlockProgress&) -> Result<int> { return Corrupt("bad"); });
  blocks.Begin([](const BlockProgress&) -> Result<int> { throw std::bad_alloc(); });
  EXPECT_EQ(*blocks.FinishFirst(kNoReport), 1);
  EXPECT_EQ(blocks.FinishFirst(kNoReport).status().message(), "bad");
  EXPECT_THROW((void)blocks.FinishFirst(kNoReport), std::bad_alloc);
}

TEST(BlocksBeside, ReportsWhatIsDoneAndEndsWhenTheReportFails) {
  std::atomic<bool> ended{false};
  {
    BlocksBeside<int> blocks(2);
    for (int i = 0; i < 2; ++i) {
      blocks.Begin([&](const BlockProgress& progress) -> Result<int> {
        while (true) {
          if (const Status status = progress(500); !status.ok()) {
            ended = true;
            return status;
          }
          std::this_thread::yield();
        }
      });
    }
    uint64_t seen = 0;
    const auto report = [&](uint64_t done) {
      seen = done;
      return done == 1000 ? Cancelled("enough") : OkStatus();
    };
    EXPECT_EQ(blocks.FinishFirst(report).status().message(), "enough");
    EXPECT_EQ(seen, 1000u);
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

TEST(BlocksBeside, AsManyAsThreadsAndMemoryAllow) {
  using Blocks = BlocksBeside<int>;
  EXPECT_EQ(Blocks::Most(4, 0, 100 << 20), 4u);
  EXPECT_EQ(Blocks::Most(64, 0, 100 << 20), 10u);
  EXPECT_EQ(Blocks::Most(64, 250, 100), 2u);
  EXPECT_EQ(Blocks::Most(64, 50, 100), 1u);
  EXPECT_EQ(Blocks::Most(0, 0, 0), 1u);
}

// ---- Archives

Bytes Lines(int first, int n) {
  std::string text;
  for (int i = first; i < first + n; ++i) {
    text += std::to_string(i) + " GET /page/" + std::to_string(i * i % 97) + " 200 " + std::to_string(i % 7) + "\n";
  }
  return Bytes(text.begin(), text.end());
}

// Blocks by contexts, by zstd and raw ones.
Bytes Mixed() {
  Bytes all = Lines(0, 2000);
  for (const Bytes& more : {RandomBytes(70'000, 1), Lines(500, 1500), Bytes(70'000, 0), Lines(9, 800)}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

EncodeOptions ByContexts(size_t threads) {
  EncodeOptions options;
  options.block_bytes = 20'000;
  options.contexts = ContextStrength::kFast;
  options.threads = threads;
  return options;
}

Result<Bytes> Archive(ByteSpan content, const EncodeOptions& options) {
  MemorySource source(content);
  MemorySink sink;
  PITH_RETURN_IF_ERROR(EncodeArchive(nullptr, source, sink, options, kNoProgress).status());
  return sink.bytes;
}

struct Restored {
  Status status;
  Bytes content;
};

Restored Restore(ByteSpan archive, const DecodeOptions& options) {
  MemorySource source(archive);
  MemorySink sink;
  Status status = DecodeArchives(nullptr, source, sink, options, kNoProgress).status();
  return {std::move(status), std::move(sink.bytes)};
}

TEST(CodecBeside, ArchivesAndContentsDoNotDependOnThreads) {
  const Bytes content = Mixed();
  const Result<Bytes> expected = Archive(content, ByContexts(1));
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (const size_t threads : {2, 3, 8}) {
    const Result<Bytes> archive = Archive(content, ByContexts(threads));
    ASSERT_TRUE(archive.ok()) << archive.status().message();
    EXPECT_EQ(*archive, *expected) << threads;
    const Restored back = Restore(*expected, {.threads = threads});
    EXPECT_TRUE(back.status.ok()) << back.status.message();
    EXPECT_EQ(back.content, content) << threads;
  }
  // One of a few blocks, one of one, an empty one: one after the other in one file.
  Bytes several = *expected;
  Bytes contents = content;
  for (const Bytes& more : {Lines(3, 100), Bytes(), Lines(4, 3000)}) {
    const Result<Bytes> archive = Archive(more, ByContexts(3));
    ASSERT_TRUE(archive.ok());
    several.insert(several.end(), archive->begin(), archive->end());
    contents.insert(contents.end(), more.begin(), more.end());
  }
  const Restored back = Restore(several, {.threads = 3});
  EXPECT_TRUE(back.status.ok()) << back.status.message();
  EXPECT_EQ(back.content, contents);
}

TEST(CodecBeside, BoundsOfMemoryHold) {
  const Bytes content = Mixed();
  EncodeOptions options = ByContexts(8);
  options.memory_bytes = ByteMixer::MemoryBytes(*options.contexts, options.block_bytes) + 4 * options.block_bytes;
  const Result<Bytes> archive = Archive(content, options);
  ASSERT_TRUE(archive.ok()) << archive.status().message();
  EXPECT_EQ(*archive, *Archive(content, ByContexts(1)));
  for (const uint64_t bound : {options.memory_bytes, 2 * options.memory_bytes}) {
    const Restored back = Restore(*archive, {.memory_bytes = bound, .threads = 8});
    EXPECT_TRUE(back.status.ok()) << back.status.message();
    EXPECT_EQ(back.content, content);
  }
  const Restored too_little = Restore(*archive, {.memory_bytes = 100'000, .threads = 8});
  EXPECT_EQ(too_little.status.code(), StatusCode::kUnsupported);
  EXPECT_EQ(too_little.status.message(), Restore(*archive, {.memory_bytes = 100'000}).status.message());
}

TEST(CodecBeside, DamageIsWhatItIsOneAfterTheOther) {
  const Bytes content = Mixed();
  Bytes archive = *Archive(content, ByContexts(1));
  const auto expect_the_same = [&](ByteSpan damaged) {
    const Restored one = Restore(damaged, {});
    const Restored three = Restore(damaged, {.threads = 3});
    EXPECT_FALSE(one.status.ok());
    EXPECT_EQ(one.status.message(), three.status.message());
    EXPECT_EQ(one.content, three.content);
    EXPECT_TRUE(std::equal(three.content.begin(), three.content.end(), content.begin()));
  };
  for (size_t n = 0; n < archive.size(); n += archive.size() / 9) expect_the_same(ByteSpan(archive).first(n));
  for (size_t at = 0; at < archive.size(); at += archive.size() / 9) {
    archive[at] ^= 0x10;
    expect_the_same(archive);
    archive[at] ^= 0x10;
  }
}

// A writer's doing, under right checksums: found only by decoding, while the blocks after it are decoded, too.
TEST(CodecBeside, ABlockThatLiesIsNamedAndWhatComesBeforeItIsWritten) {
  const AfterBytes go_on = [](uint64_t, uint64_t) -> Result<bool> { return true; };
  MemorySink sink;
  ArchiveWriter writer(sink);
  Bytes good;
  for (int i = 0; i < 6; ++i) {
    const Bytes content = Lines(i, 300);
    Bytes code = **EncodeByContexts(ContextStrength::kFast, content, go_on);
    if (i == 3) code.resize(code.size() / 2);
    if (i < 3) good.insert(good.end(), content.begin(), content.end());
    BlockHeader header;
    header.kind = BlockKind::kContexts;
    header.content_size = static_cast<uint32_t>(content.size());
    header.payload_size = static_cast<uint32_t>(code.size());
    header.strength = static_cast<uint8_t>(ContextStrength::kFast);
    ASSERT_TRUE(writer.WriteBlock(header, code, content).ok());
  }
  ASSERT_TRUE(writer.Finish("", std::nullopt).ok());
  for (const size_t threads : {1, 2, 4, 8}) {
    const Restored back = Restore(sink.bytes, {.threads = threads});
    EXPECT_EQ(back.status.code(), StatusCode::kCorrupt);
    EXPECT_NE(back.status.message().find("block 4: its code of"), std::string::npos) << back.status.message();
    EXPECT_EQ(back.content, good) << threads;
  }
}

TEST(CodecBeside, ProgressGrowsAndCancels) {
  const Bytes content = Mixed();
  EncodeOptions options = ByContexts(3);
  options.contexts = ContextStrength::kStrong;  // long enough to be asked in between
  CodecProgress last;
  const std::thread::id caller = std::this_thread::get_id();
  const CodecProgressCallback watch = [&](const CodecProgress& p) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_LE(p.original_bytes, content.size());
    EXPECT_GE(p.bytes_out, last.bytes_out);
    last = p;
    return true;
  };
  MemorySource source(content);
  MemorySink archive;
  ASSERT_TRUE(EncodeArchive(nullptr, source, archive, options, watch).ok());
  EXPECT_EQ(last.original_bytes, content.size());
  last = {};
  MemorySource again(archive.bytes);
  MemorySink back;
  ASSERT_TRUE(DecodeArchives(nullptr, again, back, {.threads = 3}, watch).ok());
  EXPECT_EQ(last.original_bytes, content.size());
  EXPECT_EQ(back.bytes, content);

  const CodecProgressCallback cancel = [](const CodecProgress&) { return false; };
  MemorySource third(content);
  MemorySink nowhere;
  EXPECT_EQ(EncodeArchive(nullptr, third, nowhere, options, cancel).status().code(), StatusCode::kCancelled);
  MemorySource fourth(archive.bytes);
  EXPECT_EQ(DecodeArchives(nullptr, fourth, nowhere, {.threads = 3}, cancel).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace pith
