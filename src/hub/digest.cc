#include "hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/file.h"

namespace pith::hub {
namespace {

constexpr size_t kStep = size_t{4} << 20;  // between two looks at `progress`

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// `visit` gets the bytes done and may stop.
Result<std::string> Hash(EtagKind kind, ByteSpan content, const std::function<bool(uint64_t)>& visit) {
  PITH_CHECK(kind != EtagKind::kUnknown);
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  const EVP_MD* const type = kind == EtagKind::kSha256 ? EVP_sha256() : EVP_sha1();
  bool good = context != nullptr && EVP_DigestInit_ex(context.get(), type, nullptr) == 1;
  if (good && kind == EtagKind::kGitSha1) {
    const std::string head = "blob " + std::to_string(content.size());
    good = EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1;  // with the zero byte
  }
  for (size_t at = 0; good && at < content.size();) {
    const ByteSpan step = content.subspan(at, std::min(kStep, content.size() - at));
    good = EVP_DigestUpdate(context.get(), step.data(), step.size()) == 1;
    at += step.size();
    if (visit && !visit(at)) return Cancelled("cancelled while checking");
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!good || EVP_DigestFinal_ex(context.get(), digest, &size) != 1) {
    return IoError("libcrypto refuses " + std::string(kind == EtagKind::kSha256 ? "SHA-256" : "SHA-1"));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace

EtagKind KindOfEtag(std::string_view etag) {
  if (etag.find_first_not_of("0123456789abcdef") != std::string_view::npos) return EtagKind::kUnknown;
  return etag.size() == 64 ? EtagKind::kSha256 : etag.size() == 40 ? EtagKind::kGitSha1 : EtagKind::kUnknown;
}

Result<std::string> EtagOf(EtagKind kind, ByteSpan content) { return Hash(kind, content, {}); }

Status CheckContent(const std::string& path, const std::string& etag, const std::function<bool(uint64_t)>& progress) {
  const EtagKind kind = KindOfEtag(etag);
  if (kind == EtagKind::kUnknown) return OkStatus();
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  uint64_t before = 0;
  const auto visit = [&](uint64_t done) {
    DropPages(file->bytes().subspan(before, done - before));
    before = done;
    return !progress || progress(done);
  };
  PITH_ASSIGN_OR_RETURN(const std::string found, Hash(kind, file->bytes(), visit));
  if (found == etag) return OkStatus();
  return Corrupt(path + ": " + (kind == EtagKind::kSha256 ? "SHA-256 " : "git SHA-1 ") + found + ", expected " + etag);
}

}  // namespace pith::hub
