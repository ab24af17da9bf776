// Tests of src/base: bytes, hashes, files, threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <thread>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/half.h"
#include "base/float_environment.h"
#include "base/hash.h"
#include "base/thread_pool.h"
#include "base/turns.h"
#include "base/utf8.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pith_base_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }
  std::string Path(const std::string& name) const { return (dir_ / name).string(); }
  size_t CountFiles() const { return static_cast<size_t>(std::distance(fs::directory_iterator(dir_), {})); }
  static std::string Read(const std::string& path) {
    std::ifstream f(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(f), {}};
  }
  fs::path dir_;
};
using AtomicFileTest = TemporaryFolder;
using MappedFileTest = TemporaryFolder;

TEST(Varint, EveryBoundaryRoundTrips) {
  std::vector<uint64_t> values = {0, 1, ~uint64_t{0}};
  for (int bit = 1; bit < 64; ++bit) {
    for (const uint64_t d : {uint64_t{0} - 1, uint64_t{0}, uint64_t{1}}) values.push_back((uint64_t{1} << bit) + d);
  }
  for (const uint64_t v : values) {
    Bytes b;
    ByteWriter(b).Varint(v);
    ByteReader r(b);
    EXPECT_EQ(r.Varint(), v);
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.remaining(), 0u);
    for (size_t n = 0; n < b.size(); ++n) {
      ByteReader cut(ByteSpan(b).first(n));
      cut.Varint();
      EXPECT_FALSE(cut.ok());
    }
  }
}

TEST(Varint, LongerThanNeededIsRefused) {
  const Bytes b = {0x81, 0x00};
  ByteReader r(b);
  r.Varint();
  EXPECT_FALSE(r.ok());
}

TEST(Varint, Beyond64BitsIsRefused) {
  const Bytes b = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
  ByteReader r(b);
  r.Varint();
  EXPECT_FALSE(r.ok());
}

TEST(ByteReader, StaysFailedAfterTheEnd) {
  const Bytes b = {1, 2, 3};
  ByteReader r(b);
  EXPECT_EQ(r.U16(), 0x0201);
  EXPECT_EQ(r.U32(), 0u);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.U8(), 0u);
  EXPECT_TRUE(r.Raw(0).empty());
}

TEST(Hash, MatchesThePublishedValueOfTheEmptyString) {
  EXPECT_EQ(Hash64({}), 0x2d06800538d394c2ull);  // XXH3 specification, seed 0
  EXPECT_EQ(Hasher().Digest128().Text(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, PiecesGiveTheHashOfTheWhole) {
  Bytes b(1000);
  std::iota(b.begin(), b.end(), uint8_t{0});
  Hasher64 h;
  h.Update(ByteSpan(b).first(333));
  h.Update(ByteSpan(b).subspan(333));
  EXPECT_EQ(h.Digest(), Hash64(b));
}

TEST_F(AtomicFileTest, AppearsOnlyWithCommit) {
  {
    auto f = AtomicFile::Create(Path("a"), false);
    ASSERT_TRUE(f.ok());
    ASSERT_TRUE((*f)->Write(AsBytes("hello")).ok());
    EXPECT_FALSE(fs::exists(Path("a")));
  }
  EXPECT_EQ(CountFiles(), 0u);
  auto f = AtomicFile::Create(Path("a"), false);
  ASSERT_TRUE(f.ok());
  ASSERT_TRUE((*f)->Write(AsBytes("hello")).ok());
  ASSERT_TRUE((*f)->WriteAt(0, AsBytes("J")).ok());
  ASSERT_TRUE((*f)->Commit({.mtime_ns = 1234567890123456789, .mode = 0640}).ok());
  EXPECT_EQ(Read(Path("a")), "Jello");
  struct stat info;
  ASSERT_EQ(stat(Path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(info.st_mtim.tv_sec, 1234567890);
  EXPECT_EQ(CountFiles(), 1u);
}

TEST_F(AtomicFileTest, DoesNotReplaceUnlessTold) {
  std::ofstream(Path("a")) << "old";
  EXPECT_EQ(AtomicFile::Create(Path("a"), false).status().code(), StatusCode::kAlreadyExists);
  auto f = AtomicFile::Create(Path("a"), true);
  ASSERT_TRUE(f.ok());
  ASSERT_TRUE((*f)->Write(AsBytes("new")).ok());
  EXPECT_EQ(Read(Path("a")), "old");
  ASSERT_TRUE((*f)->Commit().ok());
  EXPECT_EQ(Read(Path("a")), "new");
}

TEST_F(AtomicFileTest, ASecondWriterOfTheSameTargetDoesNotOverwriteTheFirst) {
  auto first = AtomicFile::Create(Path("a"), false);
  auto second = AtomicFile::Create(Path("a"), false);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE((*first)->Write(AsBytes("first")).ok());
  ASSERT_TRUE((*second)->Write(AsBytes("second")).ok());
  ASSERT_TRUE((*second)->Commit().ok());
  EXPECT_EQ((*first)->Commit().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Read(Path("a")), "second");
  EXPECT_EQ(CountFiles(), 1u);
}

TEST_F(AtomicFileTest, FoldersAndMissingFoldersAreErrors) {
  EXPECT_EQ(AtomicFile::Create(dir_.string(), true).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AtomicFile::Create(Path("none/a"), false).status().code(), StatusCode::kNotFound);
}

TEST_F(AtomicFileTest, RemoveUnfinishedLeavesNothing) {
  auto f = AtomicFile::Create(Path("a"), false);
  ASSERT_TRUE(f.ok());
  EXPECT_EQ(CountFiles(), 1u);
  AtomicFile::RemoveUnfinished();
  EXPECT_EQ(CountFiles(), 0u);
}

TEST_F(MappedFileTest, ReadsWhatIsThere) {
  std::ofstream(Path("a")) << "content";
  std::ofstream(Path("empty")).flush();
  auto a = MappedFile::Open(Path("a"));
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(AsText((*a)->bytes()), "content");
  auto empty = MappedFile::Open(Path("empty"));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE((*empty)->bytes().empty());
  EXPECT_EQ(MappedFile::Open(Path("none")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(dir_.string()).status().code(), StatusCode::kInvalidArgument);
}

TEST(FdSink, AFullDiskIsAnError) {
  const int fd = open("/dev/full", O_WRONLY);
  if (fd < 0) GTEST_SKIP() << "no /dev/full here";
  FdSink sink(fd, "full");
  const Status s = sink.Write(AsBytes("x"));
  EXPECT_EQ(s.code(), StatusCode::kIo);
  EXPECT_NE(s.message().find("full: cannot write"), std::string::npos);
  close(fd);
}

TEST(ThreadPool, EveryTaskRunsOnce) {
  for (const size_t n : {0, 1, 2, 3, 5}) {
    ThreadPool pool(n);
    for (size_t tasks = 0; tasks < 70; ++tasks) {
      std::vector<std::atomic<int>> runs(tasks);
      pool.ParallelFor(tasks, [&](size_t i, size_t thread) {
        ASSERT_LT(thread, pool.n_threads());
        runs[i].fetch_add(1);
      });
      for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
    }
  }
}

TEST(ThreadPool, ThreadsSleepAndWake) {
  ThreadPool pool(3);
  std::atomic<int> sum{0};
  for (int round = 0; round < 5; ++round) {
    usleep(3000);  // longer than the spin
    pool.ParallelFor(10, [&](size_t, size_t) { sum.fetch_add(1); });
  }
  EXPECT_EQ(sum.load(), 50);
}

TEST(ThreadPool, TasksThatRunTogetherMayWaitForEachOther) {
  for (const size_t n_threads : {1, 2, 3, 5}) {
    ThreadPool pool(n_threads);
    for (int round = 0; round < 40; ++round) {
      if (round % 20 == 19) usleep(3000);  // longer than the spin: the others sleep
      for (size_t n = 0; n <= n_threads; ++n) {
        std::atomic<size_t> arrived{0};
        std::vector<std::thread::id> ids(n);
        pool.RunTogether(n, [&](size_t i) {
          ids[i] = std::this_thread::get_id();
          arrived.fetch_add(1);
          while (arrived.load() != n) std::this_thread::yield();
        });
        ASSERT_EQ(arrived.load(), n);
        if (n != 0) {
          EXPECT_EQ(ids[0], std::this_thread::get_id());
        }
        EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), n);
      }
      std::atomic<int> sum{0};
      pool.ParallelFor(10, [&](size_t, size_t) { sum.fetch_add(1); });
      ASSERT_EQ(sum.load(), 10);
    }
  }
}

TEST(Turns, GoRoundInOrder) {
  for (const size_t n : {1, 2, 3, 4}) {
    ThreadPool pool(n);
    Turns turns(n);
    std::vector<size_t> order;  // what the turn guards
    constexpr size_t kRounds = 300;
    pool.RunTogether(n, [&](size_t i) {
      for (size_t round = 0; round < kRounds; ++round) {
        if ((round * 7 + i * 11) % 97 == 0) usleep(2000);  // the others go to sleep
        turns.Await(i);
        order.push_back(i);
        turns.Pass(i);
      }
    });
    ASSERT_EQ(order.size(), n * kRounds);
    for (size_t k = 0; k < order.size(); ++k) ASSERT_EQ(order[k], k % n) << k << " of " << n << " members";
  }
}

#if defined(__x86_64__)
TEST(FloatEnvironment, IsTheContractsInsideAndTheCallersOutside) {
  const uint32_t before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);  // a host that flushes denormals to zero
  ThreadPool pool(2);
  std::atomic<int> wrong{0};
  pool.ParallelFor(64, [&](size_t, size_t) {
    if ((_mm_getcsr() & 0xe040) != 0) wrong.fetch_add(1);
  });
  pool.RunTogether(2, [&](size_t) {
    if ((_mm_getcsr() & 0xe040) != 0) wrong.fetch_add(1);
  });
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(_mm_getcsr() & 0x8040, 0x8040u);
  _mm_setcsr(before);
}
#endif

// On both sides of the size from which memory comes from the system.
TEST(AlignedBuffer, HoldsZerosOnACacheLineInEverySize) {
  for (const size_t n : {size_t{1}, size_t{1000}, (size_t{16} << 20) - 128, size_t{16} << 20, (size_t{33} << 20) + 1}) {
    AlignedBuffer<uint8_t> buffer(n);
    ASSERT_EQ(buffer.size(), n);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kCacheLine, 0u);
    EXPECT_EQ(std::count(buffer.span().begin(), buffer.span().end(), 0), static_cast<std::ptrdiff_t>(n));
    TouchPages(buffer.data(), n);
    EXPECT_EQ(buffer[n - 1], 0);
    buffer[0] = 1;
    buffer[n - 1] = 2;
    const AlignedBuffer<uint8_t> copy = buffer.Copy();
    const AlignedBuffer<uint8_t> moved = std::move(buffer);
    EXPECT_EQ(moved[n - 1], 2);
    EXPECT_TRUE(std::equal(copy.span().begin(), copy.span().end(), moved.span().begin(), moved.span().end()));
  }
  EXPECT_EQ(AlignedBuffer<float>(0).data(), nullptr);
}

TEST(AlignedBuffer, MoreMemoryThanThereIsIsBadAlloc) {
  EXPECT_THROW(AlignedBuffer<uint8_t>(size_t{1} << 60), std::bad_alloc);
}

TEST(Cpu, AnUnknownIsaNameIsAnError) {
  const char* old = std::getenv("PITH_ISA");
  const std::string saved = old == nullptr ? "" : old;
  setenv("PITH_ISA", "sse9", 1);
  const auto isa = ChooseIsa();
  EXPECT_EQ(isa.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(isa.status().message().find("sse9"), std::string::npos);
  setenv("PITH_ISA", "scalar", 1);
  const auto scalar = ChooseIsa();
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ(*scalar, Isa::kScalar);
  if (old == nullptr) {
    unsetenv("PITH_ISA");
  } else {
    setenv("PITH_ISA", saved.c_str(), 1);
  }
}

TEST(Half, EveryHalfRoundTrips) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float v = HalfToFloat(static_cast<uint16_t>(h));
    if (v != v) {
      EXPECT_EQ(FloatToHalf(v) & 0x7e00, 0x7e00) << h;  // quiet
    } else {
      EXPECT_EQ(FloatToHalf(v), h);
    }
  }
}

// Between two neighbours a value goes to the nearer one, from half way to the even one.
TEST(Half, HalvesAreRoundedToNearestEven) {
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const float low = HalfToFloat(static_cast<uint16_t>(h));
    const float high = HalfToFloat(static_cast<uint16_t>(h + 1));
    const float middle = low + (high - low) / 2;  // exact: floats have 13 bits more
    const uint32_t even = h + h % 2;
    EXPECT_EQ(FloatToHalf(middle), even) << h;
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), h) << h;
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), h + 1) << h;
    EXPECT_EQ(FloatToHalf(-middle), 0x8000 | even) << h;
  }
  EXPECT_EQ(FloatToHalf(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-std::numeric_limits<float>::max()), 0xfc00);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
}

TEST(Utf8, TakesBackWhatItAppends) {
  std::vector<uint32_t> samples;
  for (const uint32_t edge : {0x0u, 0x40u, 0x80u, 0x800u, 0x1000u, 0xd800u, 0xe000u, 0x10000u, 0x100000u, 0x110000u}) {
    for (uint32_t c = edge < 3 ? 0 : edge - 3; c < edge + 3; ++c) {
      if (c <= kMaxCodePoint && !IsSurrogate(c)) samples.push_back(c);
    }
  }
  for (const uint32_t c : samples) {
    std::string text;
    AppendUtf8(c, text);
    size_t at = 0;
    ASSERT_EQ(TakeUtf8(text, at), c);
    ASSERT_EQ(at, text.size());
    for (size_t n = 1; n < text.size(); ++n) {
      at = 0;
      ASSERT_GT(TakeUtf8(std::string_view(text).substr(0, n), at), kMaxCodePoint);
    }
  }
  for (const char* text : {"\x80", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xff", "\xc3("}) {
    size_t at = 0;
    EXPECT_GT(TakeUtf8(text, at), kMaxCodePoint);
    EXPECT_EQ(at, 0u);
  }
}

}  // namespace
}  // namespace pith
