// Little-endian numbers and varints in byte strings: ByteWriter appends, ByteReader takes with every bound checked.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pith {

using Bytes = std::vector<uint8_t>;
using ByteSpan = std::span<const uint8_t>;

inline ByteSpan AsBytes(std::string_view s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }
inline std::string_view AsText(ByteSpan b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

inline constexpr size_t kMaxVarintBytes = 10;

class ByteWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void U8(uint8_t v) { out_.push_back(v); }
  void U16(uint16_t v) { Little(v, 2); }
  void U32(uint32_t v) { Little(v, 4); }
  void U64(uint64_t v) { Little(v, 8); }
  // LEB128: seven bits a byte, lowest first, the high bit set on all but the last.
  void Varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<uint8_t>(v | 0x80));
    out_.push_back(static_cast<uint8_t>(v));
  }
  void Raw(ByteSpan b) { out_.insert(out_.end(), b.begin(), b.end()); }
  size_t size() const { return out_.size(); }

 private:
  void Little(uint64_t v, int n) {
    for (int i = 0; i < n; ++i) out_.push_back(static_cast<uint8_t>(v >> (8 * i)));
  }
  Bytes& out_;
};

// After a read past the end, or a varint that is too long or not the shortest, ok() is false for good and every
// further read gives 0 or an empty span: check once, after the last read.
class ByteReader {
 public:
  // Borrows `data`.
  explicit ByteReader(ByteSpan data) : data_(data) {}

  uint8_t U8() { return static_cast<uint8_t>(Little(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Little(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Little(4)); }
  uint64_t U64() { return Little(8); }
  uint64_t Varint() {
    uint64_t v = 0;
    for (size_t i = 0; i < kMaxVarintBytes; ++i) {
      const uint8_t b = U8();
      if (!ok_) return 0;
      const uint64_t bits = b & 0x7f;
      if ((i == 9 && bits > 1) || (i > 0 && b == 0)) break;  // beyond 64 bits, or a needless last byte
      v |= bits << (7 * i);
      if ((b & 0x80) == 0) return v;
    }
    ok_ = false;
    return 0;
  }
  ByteSpan Raw(uint64_t n) {
    if (!ok_ || n > data_.size() - position_) {
      ok_ = false;
      return {};
    }
    const ByteSpan r = data_.subspan(position_, n);
    position_ += n;
    return r;
  }

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return data_.size() - position_; }

 private:
  uint64_t Little(size_t n) {
    const ByteSpan b = Raw(n);
    uint64_t v = 0;
    for (size_t i = 0; i < b.size(); ++i) v |= static_cast<uint64_t>(b[i]) << (8 * i);
    return v;
  }

  ByteSpan data_;
  size_t position_ = 0;
  bool ok_ = true;
};

// "0x" and the hexadecimal digits of v, for messages.
inline std::string Hex(uint64_t v, int digits = 8) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%0*llx", digits, static_cast<unsigned long long>(v));
  return text;
}

}  // namespace pith
