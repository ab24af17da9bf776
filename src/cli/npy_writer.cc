#include "cli/npy_writer.h"

#include <bit>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace pith::cli {

std::string NpyHeader(uint64_t rows, uint64_t columns) {
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                           ", " + std::to_string(columns) + "), }";
  constexpr size_t kPrefix = 10;  // magic, version, length
  constexpr size_t kAlignment = 64;
  while ((kPrefix + dictionary.size() + 1) % kAlignment != 0) dictionary += ' ';
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

Status NpyWriter::WriteHeader() { return sink_.Write(AsBytes(NpyHeader(rows_, columns_))); }

Status NpyWriter::WriteRow(std::span<const float> row) {
  static_assert(std::endian::native == std::endian::little);
  PITH_CHECK(row.size() == columns_);
  return sink_.Write({reinterpret_cast<const uint8_t*>(row.data()), row.size() * sizeof(float)});
}

}  // namespace pith::cli
