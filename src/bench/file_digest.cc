#include "bench/file_digest.h"

#include <vector>

#include "bench/file_descriptor.h"

namespace pith::bench {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

}  // namespace

Result<FileDigest> DigestFile(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(path));
  FdSource source(file.fd(), path);
  hub::ContentHash sha256(hub::EtagKind::kSha256);
  FileDigest digest;
  std::vector<uint8_t> buffer(kBufferBytes);
  for (;;) {
    PITH_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer));
    if (n == 0) break;
    sha256.Update(ByteSpan(buffer).first(n));
    digest.bytes += n;
  }
  PITH_ASSIGN_OR_RETURN(digest.sha256, sha256.Finish());
  return digest;
}

}  // namespace pith::bench
