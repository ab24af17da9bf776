#include "hub/partial_file.h"

#include <gtest/gtest.h>

#include "hub/hub_test_folder.h"

namespace pith::hub {
namespace {

std::string Text(size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += static_cast<char>('a' + i * i % 23);
  return text;
}

TEST(PartialFile, PartsInAnyOrderMakeTheContent) {
  for (const size_t size : {0, 1, 7, 8, 9, 16, 100}) {
    const TestFolder folder;
    const std::string text = Text(size);
    auto file = PartialFile::Open(folder / "x", size, 8);
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->parts().size(), (size + 7) / 8);
    for (size_t i = (*file)->parts().size(); i-- > 0;) {
      const PartialFile::Part part = (*file)->parts()[i];
      ASSERT_TRUE((*file)->Append(i, AsBytes(text.substr(part.begin, part.end - part.begin))).ok());
    }
    EXPECT_EQ(PartialFile::DoneOf(folder / "x", size), size);
    ASSERT_TRUE((*file)->Finish().ok());
    EXPECT_EQ(ContentOf(folder / "x"), text);
    EXPECT_EQ(PartialFile::DoneOf(folder / "x", size), size) << "without trailer, too";
  }
}

TEST(PartialFile, GoesOnAfterEveryByte) {
  const TestFolder folder;
  const std::string text = Text(30);
  size_t done = 0;
  for (const size_t part : {2, 0, 3, 1}) {
    for (size_t i = 0; i < (part == 3 ? 6u : 8u); ++i) {
      // Another part size does not change what was begun.
      auto file = PartialFile::Open(folder / "x", 30, 8 + done);
      ASSERT_TRUE(file.ok());
      ASSERT_EQ((*file)->done(), done);
      ASSERT_TRUE((*file)->Append(part, AsBytes(text.substr(8 * part + i, 1))).ok());
      EXPECT_EQ(PartialFile::DoneOf(folder / "x", 30), ++done);
    }
  }
  auto file = PartialFile::Open(folder / "x", 30, 8);
  ASSERT_TRUE(file.ok() && (*file)->Finish().ok());
  EXPECT_EQ(ContentOf(folder / "x"), text);
}

TEST(PartialFile, ABeginningIsTaken) {
  const TestFolder folder;
  WriteContent(folder / "x", Text(11));
  EXPECT_EQ(PartialFile::DoneOf(folder / "x", 30), 11u);
  auto file = PartialFile::Open(folder / "x", 30, 8);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->done(), 11u);
  EXPECT_TRUE((*file)->parts()[0].complete());
  EXPECT_EQ((*file)->parts()[1].done, 3u);
  EXPECT_EQ((*file)->parts()[2].done, 0u);
}

TEST(PartialFile, WhatMakesNoSenseBeginsAnew) {
  const TestFolder folder;
  {
    auto file = PartialFile::Open(folder / "x", 30, 8);
    ASSERT_TRUE(file.ok() && (*file)->Append(0, AsBytes(Text(5))).ok());
  }
  const std::string good = ContentOf(folder / "x");
  ASSERT_EQ(good.size(), 30u + 16 + 4 * 8);
  for (size_t i = 30; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    WriteContent(folder / "x", damaged);
    auto file = PartialFile::Open(folder / "x", 30, 8);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->done(), 0u) << i;
  }
  for (size_t n = 31; n < good.size(); ++n) {
    WriteContent(folder / "x", good.substr(0, n));
    auto file = PartialFile::Open(folder / "x", 30, 8);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->done(), 0u) << n;
  }
  EXPECT_EQ(PartialFile::DoneOf(folder / "missing", 30), 0u);
}

TEST(PartialFile, StartingOverForgets) {
  const TestFolder folder;
  auto file = PartialFile::Open(folder / "x", 30, 8);
  ASSERT_TRUE(file.ok() && (*file)->Append(1, AsBytes(Text(8))).ok() && (*file)->StartOver().ok());
  ASSERT_EQ((*file)->parts().size(), 1u);
  EXPECT_EQ((*file)->done(), 0u);
  ASSERT_TRUE((*file)->Append(0, AsBytes(Text(30))).ok() && (*file)->Finish().ok());
  EXPECT_EQ(ContentOf(folder / "x"), Text(30));
}

TEST(PartialFile, ErrorsNameTheFile) {
  const TestFolder folder;
  const auto file = PartialFile::Open(folder / "no/x", 30, 8);
  EXPECT_EQ(file.status().code(), StatusCode::kIo);
  EXPECT_TRUE(file.status().message().starts_with(folder / "no/x: cannot open: ")) << file.status().message();
}

}  // namespace
}  // namespace pith::hub
