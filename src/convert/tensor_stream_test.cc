#include "convert/tensor_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "convert/test_checkpoint.h"

namespace pith {
namespace {

class TensorStreamTest : public ::testing::Test {
 protected:
  void Open(const TestCheckpoint& checkpoint) {
    checkpoint.Write(folder_);
    auto opened = Checkpoint::Open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    checkpoint_ = *std::move(opened);
  }
  TensorSpec Embedding() const { return CanonicalTensors(checkpoint_->config())[0]; }

  TestFolder folder_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ExportControl control_;
};

TEST_F(TensorStreamTest, EveryRowOnceInBatchesInOrder) {
  for (const size_t vocab : {2u, 15u, 16u, 17u, 33u, 1000u}) {
    ModelConfig config = TestConfig(true);
    config.vocab = vocab;
    const TestCheckpoint source = MakeCheckpoint(config, "BF16");
    Open(source);
    for (const size_t n_threads : {1u, 2u, 5u}) {
      ThreadPool pool(n_threads);
      TensorStream stream(*checkpoint_, pool, control_);
      std::vector<std::atomic<int>> seen(vocab);
      std::vector<float> values(vocab * config.hidden);
      size_t expected_begin = 0;
      const Status status = stream.ForEachRow(
          Embedding(),
          [&](size_t row, std::span<const float> row_values, size_t thread) {
            EXPECT_LT(thread, n_threads);
            ASSERT_LT(row, vocab);
            ++seen[row];
            std::copy(row_values.begin(), row_values.end(),
                      values.begin() + static_cast<ptrdiff_t>(row * config.hidden));
          },
          [&](size_t begin, size_t end) {
            EXPECT_EQ(begin, expected_begin);
            EXPECT_GT(end, begin);
            EXPECT_TRUE(end - begin == stream.BatchRows(config.hidden) || end == vocab);
            expected_begin = end;
            return OkStatus();
          });
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(expected_begin, vocab);
      for (const auto& n : seen) EXPECT_EQ(n, 1);
      EXPECT_EQ(values, source.tensors[0].values);
    }
  }
}

TEST_F(TensorStreamTest, LargeMatricesComeInSeveralBatches) {
  ModelConfig config = TestConfig(true);
  config.vocab = 70;
  config.hidden = kMaxDepth;
  config.n_layers = 1;
  config.ffn = 1;
  config.head_dim = 2;
  config.n_heads = 1;
  Open(MakeCheckpoint(config, "BF16"));
  ThreadPool pool(2);
  TensorStream stream(*checkpoint_, pool, control_);
  EXPECT_EQ(stream.BatchRows(config.hidden), 32u);
  std::vector<std::pair<size_t, size_t>> batches;
  ASSERT_TRUE(stream
                  .ForEachRow(
                      Embedding(), [](size_t, std::span<const float>, size_t) {},
                      [&](size_t begin, size_t end) {
                        batches.emplace_back(begin, end);
                        return OkStatus();
                      })
                  .ok());
  EXPECT_EQ(batches, (std::vector<std::pair<size_t, size_t>>{{0, 32}, {32, 64}, {64, 70}}));
}

TEST_F(TensorStreamTest, ANormIsOneRow) {
  const TestCheckpoint source = MakeCheckpoint(TestConfig(true), "F16");
  Open(source);
  ThreadPool pool(2);
  TensorStream stream(*checkpoint_, pool, control_);
  for (const TensorSpec& spec : CanonicalTensors(checkpoint_->config())) {
    if (spec.is_matrix()) continue;
    size_t n = 0;
    ASSERT_TRUE(stream
                    .ForEachRow(
                        spec,
                        [&](size_t row, std::span<const float> values, size_t) {
                          EXPECT_EQ(row, 0u);
                          EXPECT_EQ(values.size(), spec.cols);
                          ++n;
                        },
                        [](size_t, size_t) { return OkStatus(); })
                    .ok());
    EXPECT_EQ(n, 1u);
  }
}

TEST_F(TensorStreamTest, TheFirstBadValueIsNamedForAnyThreads) {
  TestCheckpoint source = MakeCheckpoint(TestConfig(true), "F32");
  source.tensors[0].values[20 * 9 + 5] = std::numeric_limits<float>::infinity();
  source.tensors[0].values[20 * 9 + 8] = std::numeric_limits<float>::quiet_NaN();
  source.tensors[0].values[36 * 9] = std::numeric_limits<float>::quiet_NaN();
  Open(source);
  for (const size_t n_threads : {1u, 2u, 5u}) {
    ThreadPool pool(n_threads);
    TensorStream stream(*checkpoint_, pool, control_);
    bool written = false;
    const Status status = stream.ForEachRow(
        Embedding(), [](size_t, std::span<const float>, size_t) {},
        [&](size_t, size_t) {
          written = true;
          return OkStatus();
        });
    EXPECT_EQ(status.code(), StatusCode::kCorrupt);
    EXPECT_EQ(status.message(),
              folder_.File("model.safetensors") +
                  ": tensor \"model.embed_tokens.weight\": row 20, column 5: found infinity, expected "
                  "finite values");
    EXPECT_FALSE(written);
  }
}

TEST_F(TensorStreamTest, FailuresAndCancellingEndIt) {
  Open(MakeCheckpoint(TestConfig(true), "F32"));
  ThreadPool pool(1);
  const auto nothing = [](size_t, std::span<const float>, size_t) {};
  {
    TensorStream stream(*checkpoint_, pool, control_);
    EXPECT_EQ(
        stream.ForEachRow(Embedding(), nothing, [](size_t, size_t) { return IoError("full"); }).message(),
        "full");
  }
  std::vector<uint64_t> done;
  control_.progress = [&](const ExportProgress& p) {
    done.push_back(p.done);
    EXPECT_EQ(p.total, checkpoint_->data_bytes());
    EXPECT_EQ(p.item, "model.embed_tokens.weight");
  };
  control_.cancelled = [] { return true; };
  TensorStream stream(*checkpoint_, pool, control_);
  EXPECT_EQ(stream.ForEachRow(Embedding(), nothing, [](size_t, size_t) { return OkStatus(); }).code(),
            StatusCode::kCancelled);
  EXPECT_EQ(done, std::vector<uint64_t>{37 * 9 * 4});
}

TEST_F(TensorStreamTest, ADuplicateHeadMustBeTheEmbedding) {
  TestCheckpoint source = MakeCheckpoint(TestConfig(true), "F32");
  Open(source);
  ThreadPool pool(1);
  EXPECT_TRUE(TensorStream(*checkpoint_, pool, control_).CheckDuplicateHead().ok()) << "there is none";
  source.tensors.push_back(source.tensors[0]);
  source.tensors.back().name = "lm_head.weight";
  Open(source);
  EXPECT_TRUE(TensorStream(*checkpoint_, pool, control_).CheckDuplicateHead().ok());
  source.tensors.back().type = "BF16";  // the same values in another type
  Open(source);
  EXPECT_TRUE(TensorStream(*checkpoint_, pool, control_).CheckDuplicateHead().ok());
  source.tensors.back().values[36 * 9 + 8] = 3;
  Open(source);
  const Status status = TensorStream(*checkpoint_, pool, control_).CheckDuplicateHead();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("\"lm_head.weight\": row 36, column 8: found 3.000000"), std::string::npos)
      << status.message();
}

TEST(TensorErrors, AreThoseOfTheValues) {
  std::vector<RowError> rows(2);
  rows[0].Add(3, 3.5f);
  rows[0].Add(-4, -4);
  rows[1].Add(0, 0);
  rows[1].Add(0, 1);
  TensorReport report{.rows = 2, .cols = 2};
  SummariseErrors(rows, report);
  EXPECT_DOUBLE_EQ(report.relative_error, std::sqrt(1.25 / 25));
  EXPECT_DOUBLE_EQ(report.largest_error, 1);
  EXPECT_DOUBLE_EQ(report.outlier, 4 / std::sqrt(25.0 / 4));
  SummariseErrors(std::vector<RowError>(2), report);  // zeros have no errors, and no NaN
  EXPECT_EQ(report.relative_error, 0);
  EXPECT_EQ(report.outlier, 0);
}

}  // namespace
}  // namespace pith
