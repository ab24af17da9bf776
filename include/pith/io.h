// ByteSource and ByteSink: where the library reads from and writes to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pith/status.h"

namespace pith {

// A stream of bytes to read. An implementation may block; it is called from the calling thread only.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills up to out.size() bytes and returns how many; 0 only at the end.
  virtual Result<size_t> Read(std::span<uint8_t> out) = 0;
};

// A stream of bytes to write. Called from the calling thread only.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status Write(std::span<const uint8_t> data) = 0;
};

}  // namespace pith
