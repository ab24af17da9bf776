// Archives for tests, good and evil, written by libarchive.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pith::bench {

struct TestEntry {
  std::string name;
  std::string content;
  unsigned type = AE_IFREG;
  std::string link;  // target of AE_IFLNK; with AE_IFREG: of a hard link
};

// `zip`: .zip, else .tar.gz.
inline void MakeArchive(const std::string& path, const std::vector<TestEntry>& entries, bool zip = false) {
  archive* const out = archive_write_new();
  ASSERT_NE(out, nullptr);
  if (zip) {
    ASSERT_EQ(archive_write_set_format_zip(out), ARCHIVE_OK);
  } else {
    ASSERT_EQ(archive_write_set_format_pax_restricted(out), ARCHIVE_OK);
    ASSERT_EQ(archive_write_add_filter_gzip(out), ARCHIVE_OK);
  }
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK) << path;
  for (const TestEntry& entry : entries) {
    archive_entry* const header = archive_entry_new();
    archive_entry_set_pathname(header, entry.name.c_str());
    archive_entry_set_filetype(header, entry.type);
    archive_entry_set_perm(header, 0644);
    archive_entry_set_size(header, static_cast<la_int64_t>(entry.content.size()));
    if (entry.type == AE_IFLNK) archive_entry_set_symlink(header, entry.link.c_str());
    if (entry.type == AE_IFREG && !entry.link.empty()) archive_entry_set_hardlink(header, entry.link.c_str());
    EXPECT_EQ(archive_write_header(out, header), ARCHIVE_OK) << entry.name << ": " << archive_error_string(out);
    if (!entry.content.empty()) {
      EXPECT_EQ(archive_write_data(out, entry.content.data(), entry.content.size()),
                static_cast<la_ssize_t>(entry.content.size()));
    }
    archive_entry_free(header);
  }
  EXPECT_EQ(archive_write_close(out), ARCHIVE_OK);
  archive_write_free(out);
}

}  // namespace pith::bench
