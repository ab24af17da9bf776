// SHA-256 of files: the hash by which results name them, since every system has sha256sum.
#pragma once

#include <string>

#include "hub/digest.h"
#include "pith/status.h"

namespace pith::bench {

struct FileDigest {
  std::string sha256;  // 64 lower-case hexadecimal digits
  uint64_t bytes = 0;
};
// Reads the file from its beginning to its end. kNotFound, kIo.
Result<FileDigest> DigestFile(const std::string& path);

}  // namespace pith::bench
