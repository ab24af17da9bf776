// NpyWriter: a matrix of floats as a NumPy file, row by row.
//
// Version 1.0 of https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: magic, header
// length, a Python dictionary padded with blanks to 64 bytes, then the numbers: '<f4' in C order.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pith/io.h"
#include "pith/status.h"

namespace pith::cli {

class NpyWriter {
 public:
  // Of shape [rows, columns]; `sink` must outlive the writer.
  NpyWriter(ByteSink& sink, uint64_t rows, uint64_t columns) : sink_(sink), rows_(rows), columns_(columns) {}

  Status WriteHeader();
  // REQUIRES: row.size() is columns.
  Status WriteRow(std::span<const float> row);

 private:
  ByteSink& sink_;
  uint64_t rows_;
  uint64_t columns_;
};

// The header alone: a multiple of 64 bytes.
std::string NpyHeader(uint64_t rows, uint64_t columns);

}  // namespace pith::cli
