#include "hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/file.h"

namespace pith::hub {
namespace {

constexpr size_t kStep = size_t{4} << 20;  // between two looks at `progress`

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

// `visit` gets the bytes done and may stop.
Result<std::string> Hash(EtagKind kind, ByteSpan content, const std::function<bool(uint64_t)>& visit) {
  ContentHash hash(kind, content.size());
  for (size_t at = 0; at < content.size();) {
    const ByteSpan step = content.subspan(at, std::min(kStep, content.size() - at));
    hash.Update(step);
    at += step.size();
    if (visit && !visit(at)) return Cancelled("cancelled while checking");
  }
  return hash.Finish();
}

}  // namespace

ContentHash::ContentHash(EtagKind kind, uint64_t content_bytes) : kind_(kind), context_(EVP_MD_CTX_new()) {
  PITH_CHECK(kind != EtagKind::kUnknown);
  const EVP_MD* const type = kind == EtagKind::kSha256 ? EVP_sha256() : EVP_sha1();
  if (context_ != nullptr && EVP_DigestInit_ex(Context(context_), type, nullptr) != 1) {
    EVP_MD_CTX_free(Context(context_));
    context_ = nullptr;
  }
  if (kind == EtagKind::kGitSha1) {
    const std::string head = "blob " + std::to_string(content_bytes);
    Update({reinterpret_cast<const uint8_t*>(head.c_str()), head.size() + 1});  // with the zero byte
  }
}

ContentHash::~ContentHash() { EVP_MD_CTX_free(Context(context_)); }

void ContentHash::Update(ByteSpan data) {
  if (context_ == nullptr || EVP_DigestUpdate(Context(context_), data.data(), data.size()) == 1) return;
  EVP_MD_CTX_free(Context(context_));
  context_ = nullptr;
}

Result<std::string> ContentHash::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (context_ == nullptr || EVP_DigestFinal_ex(Context(context_), digest, &size) != 1) {
    return IoError("libcrypto refuses " + std::string(kind_ == EtagKind::kSha256 ? "SHA-256" : "SHA-1"));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

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
