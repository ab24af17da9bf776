#include "hub/hub_names.h"

#include <algorithm>

#include "formats/json.h"

namespace pith::hub {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool IsPart(std::string_view part) {
  const auto at_end = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && std::all_of(part.begin(), part.end(), IsWordCharacter) && !at_end(part.front()) &&
         !at_end(part.back());
}

// Calls `visit` for each part between slashes; stops at the first that it refuses.
template <typename Visit>
bool AllParts(std::string_view text, const Visit& visit) {
  while (true) {
    const size_t slash = std::min(text.find('/'), text.size());
    if (!visit(text.substr(0, slash))) return false;
    if (slash == text.size()) return true;
    text.remove_prefix(slash + 1);
  }
}

}  // namespace

Result<ModelName> ParseModelName(std::string_view text) {
  const size_t at = std::min(text.find('@'), text.size());
  ModelName name{.full = std::string(text.substr(0, at)), .revision = {}};
  if (at < text.size()) {
    name.revision = std::string(text.substr(at + 1));
    PITH_RETURN_IF_ERROR(CheckRevision(name.revision));
  }
  const std::string& full = name.full;
  if (full.size() > kMaxModelName || std::count(full.begin(), full.end(), '/') > 1 || !AllParts(full, IsPart) ||
      full.find("--") != std::string::npos || full.find("..") != std::string::npos || full.ends_with(".git")) {
    return InvalidArgument(Quoted(full) +
                           ": no name of a model on the hub, expected ORG/NAME of letters, digits, '-', '_' "
                           "and '.', such as Qwen/Qwen3-0.6B");
  }
  return name;
}

Status CheckRevision(std::string_view revision) {
  const auto good = [](std::string_view part) {
    return !part.empty() && part.size() <= kMaxComponent && part.front() != '.' && part.front() != '-' &&
           std::all_of(part.begin(), part.end(), [](char c) { return IsWordCharacter(c) || c == '+'; });
  };
  if (revision.size() <= kMaxRevision && AllParts(revision, good) && revision.find("..") == std::string_view::npos) {
    return OkStatus();
  }
  return InvalidArgument("revision " + Quoted(revision) + ", expected a branch, a tag or a commit");
}

bool IsCommit(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status CheckFileName(std::string_view name, const std::string& where) {
  const auto good = [](std::string_view part) {
    return !part.empty() && part.size() <= kMaxComponent && part != "." && part != ".." &&
           part.find('\\') == std::string_view::npos && IsPrintableUtf8(part);
  };
  if (name.size() <= kMaxFileName && AllParts(name, good)) return OkStatus();
  return InvalidArgument(where + ": " + Quoted(name) + " is no name of a file inside a repository");
}

bool IsFileEtag(std::string_view etag) {
  return !etag.empty() && etag.size() <= 128 && etag.front() != '.' &&
         std::all_of(etag.begin(), etag.end(), IsWordCharacter);
}

std::string UrlEncoded(std::string_view text, bool keep_slashes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsWordCharacter(c) || c == '~' || (c == '/' && keep_slashes)) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

}  // namespace pith::hub
