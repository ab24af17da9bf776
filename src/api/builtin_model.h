// The model files inside the program: models/mini.pmodel and models/nano.pmodel, or what the CMake options
// PITH_BUILTIN_MODEL and PITH_BUILTIN_NANO name.
#pragma once

#include <span>
#include <string>

#include "base/bytes.h"

namespace pith {

struct BuiltinFile {
  const char* name;  // "mini", "nano"
  ByteSpan file;     // 64-byte aligned
};

// The default first. Those that the program was built without are left out.
std::span<const BuiltinFile> BuiltinModelFiles();

// By its name, or the default for "" and "builtin"; empty where there is none.
ByteSpan BuiltinModelFile(const std::string& name = "");

}  // namespace pith
