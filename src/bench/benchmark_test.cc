#include "bench/benchmark.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "bench/measured_run.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

class BenchmarkRun : public ::testing::Test {
 protected:
  BenchmarkRun() {
    std::string pattern = (fs::temp_directory_path() / "pith_benchmark_test.XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("a", "some text");
    options_.program = PITH_PROGRAM;
    options_.operands = {folder_ + "/a"};
    options_.energy_folder = folder_;
    options_.repeats = 3;
    callbacks_.interrupted = [this] { return interrupted_; };
    callbacks_.progress = [this](const BenchmarkProgress& progress) { progress_.push_back(progress); };
    callbacks_.left_out = [](const std::string&) {};
    callbacks_.files_listed = [](const Results&) {};
    callbacks_.row_done = [this](const Results&) { ++n_rows_done_; };
  }
  ~BenchmarkRun() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void Write(const std::string& name, const std::string& content) {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name) << content;
  }
  void Command(const std::string& name, const std::string& compress) {
    Result<BenchCodec> codec = ParseCommandCodec(name + "=" + compress + "|cat");
    ASSERT_TRUE(codec.ok()) << codec.status().message();
    options_.codecs.push_back(*std::move(codec));
  }
  Results Run() {
    Result<Results> results = RunBenchmark(options_, callbacks_);
    EXPECT_TRUE(results.ok()) << results.status().message();
    return results.ok() ? *std::move(results) : Results();
  }

  std::string folder_;
  BenchmarkOptions options_;
  BenchmarkCallbacks callbacks_;
  std::vector<BenchmarkProgress> progress_;
  bool interrupted_ = false;
  int n_rows_done_ = 0;
};

TEST_F(BenchmarkRun, JoulesAreThoseOfTheRuns) {
  Write("intel-rapl:0/name", "package-0\n");
  Write("intel-rapl:0/max_energy_range_uj", "1000000000\n");
  Write("intel-rapl:0/energy_uj", "5\n");
  const std::string counter = folder_ + "/intel-rapl:0/energy_uj";
  Command("burn", "n=$(cat " + counter + "); echo $((n + 2500000)) >" + counter + "; cat");
  const Results results = Run();
  EXPECT_TRUE(results.machine.energy);
  ASSERT_EQ(results.rows.size(), 1u);
  EXPECT_EQ(results.rows[0].error, "");
  EXPECT_DOUBLE_EQ(results.rows[0].compress->joules.value(), 2.5);
  EXPECT_DOUBLE_EQ(results.rows[0].decompress->joules.value(), 0);
}

TEST_F(BenchmarkRun, WithoutCountersThereAreNoJoules) {
  Command("cat", "cat");
  const Results results = Run();
  EXPECT_FALSE(results.machine.energy);
  ASSERT_EQ(results.rows.size(), 1u);
  EXPECT_FALSE(results.rows[0].compress->joules.has_value());
}

TEST_F(BenchmarkRun, TheFirstRunCountsOnlyWhereItIsLong) {
  Command("count", "echo >>" + folder_ + "/short; cat");
  Command("long", "echo >>" + folder_ + "/long; if [ $(wc -l <" + folder_ + "/long) -le 1 ]; then sleep 1.1; fi; cat");
  const Results results = Run();
  ASSERT_EQ(results.rows.size(), 2u);
  EXPECT_EQ(fs::file_size(folder_ + "/short"), 4u);  // one more than is asked for
  EXPECT_EQ(fs::file_size(folder_ + "/long"), 3u);
  EXPECT_GE(results.rows[1].compress->seconds.max, 1.1);
  EXPECT_LT(results.rows[1].compress->seconds.min, 1.1);
  EXPECT_GE(results.rows[0].compress->seconds.median, results.rows[0].compress->seconds.min);
}

TEST_F(BenchmarkRun, WarmUpsAreAsManyAsAreAskedFor) {
  options_.warmups = 2;
  options_.repeats = 1;
  Command("count", "echo >>" + folder_ + "/n; cat");
  EXPECT_EQ(Run().rows.size(), 1u);
  EXPECT_EQ(fs::file_size(folder_ + "/n"), 3u);
}

TEST_F(BenchmarkRun, TimesAndMemoryAreThoseOfTheCommand) {
  options_.repeats = 1;
  Command("sleep", "sleep 0.3; cat");
  Command("spin", "i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; cat");
  Command("memory", "dd if=/dev/zero of=/dev/null bs=60000000 count=1; cat");
  const Results results = Run();
  ASSERT_EQ(results.rows.size(), 3u);
  EXPECT_GE(results.rows[0].compress->seconds.median, 0.3);
  EXPECT_LT(results.rows[0].compress->cpu_seconds.median, 0.2);
  EXPECT_GT(results.rows[1].compress->cpu_seconds.median, 0.005);
  EXPECT_GT(results.rows[2].compress->peak_bytes, 50'000'000u);
  EXPECT_LT(results.rows[0].compress->peak_bytes, 50'000'000u);
}

TEST_F(BenchmarkRun, AnInterruptionLeavesWhatIsDone) {
  Command("one", "cat");
  Command("two", "cat");
  callbacks_.row_done = [this](const Results&) { interrupted_ = true; };
  const Results results = Run();
  EXPECT_FALSE(results.complete);
  EXPECT_EQ(results.rows.size(), 1u);
  EXPECT_EQ(Run().rows.size(), 0u);  // still interrupted
}

TEST_F(BenchmarkRun, ProgressKnowsTheTimeLeftOnceEveryCodecHasRun) {
  Write("b", "other");
  options_.operands.push_back(folder_ + "/b");
  Command("one", "cat");
  Command("two", "cat");
  Run();
  EXPECT_EQ(n_rows_done_, 4);
  for (const BenchmarkProgress& progress : progress_) {
    EXPECT_GE(progress.done, 0);
    EXPECT_LT(progress.done, 1);
    if (progress.codec.empty()) continue;
    EXPECT_EQ(progress.seconds_left.has_value(), progress.file_number == 2) << progress.file << " " << progress.codec;
  }
}

TEST_F(BenchmarkRun, AProgramThatIsNotThereIsAnErrorOfEachRow) {
  options_.program = folder_ + "/none";
  Command("cat", "cat");
  const Results results = Run();
  ASSERT_EQ(results.rows.size(), 1u);
  EXPECT_EQ(results.rows[0].error, "compress: " + folder_ + "/none: cannot start: No such file or directory");
  EXPECT_TRUE(HasFailed(results));
}

}  // namespace
}  // namespace pith::bench
