#include "cli/npy_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/file.h"

namespace pith::cli {
namespace {

TEST(NpyWriter, TheHeaderIsThatOfNumpy) {
  const std::string header = NpyHeader(3, 512);
  EXPECT_EQ(header.size(), 128u);
  EXPECT_EQ(header.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(header.substr(10, 61), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }");
  EXPECT_EQ(header.back(), '\n');
}

TEST(NpyWriter, TheHeaderIsAMultipleOf64BytesForEveryShape) {
  for (uint64_t rows = 1; rows < UINT64_MAX / 20; rows *= 10) {
    for (uint64_t columns = 1; columns < UINT64_MAX / 20; columns *= 10) {
      EXPECT_EQ(NpyHeader(rows, columns).size() % 64, 0u) << rows << " " << columns;
    }
  }
}

TEST(NpyWriter, RowsFollowOneAfterAnother) {
  MemorySink sink;
  NpyWriter writer(sink, 2, 3);
  const std::array<float, 6> values = {1, -2, 0.5f, 4, 5, 6};
  ASSERT_TRUE(writer.WriteHeader().ok());
  ASSERT_TRUE(writer.WriteRow(std::span(values).first(3)).ok());
  ASSERT_TRUE(writer.WriteRow(std::span(values).last(3)).ok());
  ASSERT_EQ(sink.bytes.size(), 128 + sizeof values);
  EXPECT_EQ(std::memcmp(sink.bytes.data() + 128, values.data(), sizeof values), 0);
}

}  // namespace
}  // namespace pith::cli
