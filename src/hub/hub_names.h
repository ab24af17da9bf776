// Names that go to the hub and come from it: models, revisions, files. What passes here is safe as a path and in a URL.
#pragma once

#include <string>
#include <string_view>

#include "pith/status.h"

namespace pith::hub {

inline constexpr size_t kMaxModelName = 96;  // characters, as the hub has it
inline constexpr size_t kMaxRevision = 200;
inline constexpr size_t kMaxFileName = 1024;  // of a path inside a repository
inline constexpr size_t kMaxComponent = 255;  // what file systems take

// "ORG/NAME" or "NAME", perhaps with "@REVISION".
struct ModelName {
  std::string full;      // "Qwen/Qwen3-0.6B"
  std::string revision;  // empty: none given

  std::string base() const { return full.substr(full.find('/') + 1); }  // "Qwen3-0.6B"
};

// The hub's rules: letters, digits, '-', '_' and '.', at most one '/', no "--" and "..", neither '-' nor '.' at the
// ends of a part, not ".git" at the end. kInvalidArgument.
Result<ModelName> ParseModelName(std::string_view text);

// A branch, a tag, "refs/pr/1" or a commit. kInvalidArgument for what git would not take or could leave a folder.
Status CheckRevision(std::string_view revision);

// 40 lower-case hexadecimal digits.
bool IsCommit(std::string_view text);

// The path of a file in a repository: relative, without "." and "..", empty parts, backslashes and control characters.
// kInvalidArgument with `where` in front.
Status CheckFileName(std::string_view name, const std::string& where);

// Whether an etag can name a file: letters, digits, '-', '_', '.', no '.' in front; at most 128.
bool IsFileEtag(std::string_view etag);

// Percent-encoded for a URL; '/' stays if `keep_slashes`.
std::string UrlEncoded(std::string_view text, bool keep_slashes);

}  // namespace pith::hub
