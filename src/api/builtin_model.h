// The model file inside the program (models/builtin.pmodel, or what the CMake option PITH_BUILTIN_MODEL
// names).
#pragma once

#include "base/bytes.h"

namespace pith {

// 64-byte aligned; empty when the program was built without a model.
ByteSpan BuiltinModelFile();

}  // namespace pith
