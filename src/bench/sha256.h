// SHA-256 of what arrives in pieces: the hash by which results name files, since every system has sha256sum.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith::bench {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(ByteSpan data);
  // 64 lower-case hexadecimal digits. Once. kIo where the library refuses.
  Result<std::string> Finish();

 private:
  void* context_;  // EVP_MD_CTX; null after a failure
};

struct FileDigest {
  std::string sha256;
  uint64_t bytes = 0;
};
// Reads the file from its beginning to its end. kNotFound, kIo.
Result<FileDigest> DigestFile(const std::string& path);

}  // namespace pith::bench
