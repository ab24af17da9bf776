#include "archive/archive_format.h"

namespace pith {
namespace {

// Control characters could make a terminal do things when a name is printed.
bool HasControlCharacter(const std::string& name) {
  for (const char c : name) {
    const uint8_t b = static_cast<uint8_t>(c);
    if (b < 0x20 || b == 0x7f) return true;
  }
  return false;
}

}  // namespace

const char* BlockKindName(BlockKind kind) {
  switch (kind) {
    case BlockKind::kRaw:
      return "raw";
    case BlockKind::kZstd:
      return "zstd";
    case BlockKind::kModel:
      return "model";
    case BlockKind::kContexts:
      return "contexts";
  }
  return "?";
}

bool IsStorableModelName(const std::string& name) {
  return name.size() <= kMaxModelNameBytes && !HasControlCharacter(name);
}

bool IsStorableFileName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxFileNameBytes && name != "." && name != ".." &&
         name.find('/') == std::string::npos && !HasControlCharacter(name);
}

}  // namespace pith
