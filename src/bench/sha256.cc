#include "bench/sha256.h"

#include <openssl/evp.h>

#include <vector>

#include "bench/file_descriptor.h"

namespace pith::bench {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

EVP_MD_CTX* Start() {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1) return context;
  EVP_MD_CTX_free(context);
  return nullptr;
}

}  // namespace

Sha256::Sha256() : context_(Start()) {}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

void Sha256::Update(ByteSpan data) {
  if (context_ == nullptr || EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data.data(), data.size()) == 1)
    return;
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
  context_ = nullptr;
}

Result<std::string> Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (context_ == nullptr || EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest, &size) != 1) {
    return IoError("libcrypto refuses SHA-256");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

Result<FileDigest> DigestFile(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(path));
  FdSource source(file.fd(), path);
  Sha256 sha256;
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
