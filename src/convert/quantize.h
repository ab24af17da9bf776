// Rows of weights to int8 codes (numeric_contract.md section 3), and codes into the panel layout and back.
//
// Thread-safe: pure functions. QuantizeRow must run in the float environment of contract section 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tensor/panel.h"

namespace pith {

// Index of the first value that is NaN or infinite.
std::optional<size_t> FindNonFinite(std::span<const float> values);

// A row whose largest magnitude is below this counts as a row of zeros: further down max / 127 is no normal
// number and the codes would leave [-127, 127]. (Section 4 of the contract has the same limit for
// activations.)
inline constexpr float kSmallestRowMax = 0x1p-100f;

// Fills codes[0 .. row.size()) with values in [-127, 127] and returns the scale of the row.
// REQUIRES: every value is finite.
float QuantizeRow(std::span<const float> row, int8_t* codes);

// One panel (tensor/panel.h) of PaddedDepth(cols) * 16 bytes from n_rows <= 16 contiguous rows of `cols`
// codes; what remains of the panel becomes 0.
void PackPanel(const int8_t* rows, size_t n_rows, size_t cols, int8_t* panel);

// The rows of a panel; inverse of PackPanel.
void UnpackPanel(const int8_t* panel, size_t n_rows, size_t cols, int8_t* rows);

// What is wrong with the codes of a panel, or null: "the code -128" or "padding that is not 0".
const char* FindPanelFault(const int8_t* panel, size_t n_rows, size_t cols);

}  // namespace pith
