// Checksums by which the hub names its files: SHA-256 of large ones, git's SHA-1 of small ones.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith::hub {

// How a file's content gives its etag: 64 hexadecimal digits are SHA-256 of the content (files in large-file storage),
// 40 are SHA-1 of "blob SIZE\0" and the content, as git names it. Others say nothing.
enum class EtagKind { kUnknown, kGitSha1, kSha256 };
EtagKind KindOfEtag(std::string_view etag);

// A digest of content that arrives in pieces.
class ContentHash {
 public:
  // REQUIRES: not kUnknown. `content_bytes` is the size of it all, which kGitSha1 begins with; kSha256 does not ask.
  explicit ContentHash(EtagKind kind, uint64_t content_bytes = 0);
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void Update(ByteSpan data);
  // Lower-case hexadecimal digits. Once. kIo where the library refuses.
  Result<std::string> Finish();

 private:
  EtagKind kind_;
  void* context_;  // EVP_MD_CTX; null after a failure
};

// `content` by that kind, as lower-case hexadecimal digits. REQUIRES: not kUnknown. kIo where the library refuses.
Result<std::string> EtagOf(EtagKind kind, ByteSpan content);

// OK where the file's content gives `etag`, or where the etag says nothing. kCorrupt with both digests; kCancelled when
// `progress` (bytes done; may be empty) returns false.
Status CheckContent(const std::string& path, const std::string& etag, const std::function<bool(uint64_t)>& progress);

}  // namespace pith::hub
