#include "charset/character_encoding.h"

#include <zstd.h>

#include <array>
#include <iterator>
#include <vector>

#include "base/check.h"
#include "base/embed.h"
#include "base/utf8.h"

PITH_EMBED(pith_character_tables, PITH_CHARACTER_TABLES_FILE)

namespace pith {
namespace {

constexpr int kFirstTable = static_cast<int>(CharacterEncoding::kWindows1252);
constexpr int kFirstOfTwoBytes = static_cast<int>(CharacterEncoding::kShiftJis);

// Layout of the tables: make_character_tables.py.
constexpr uint8_t kFirstHighByte = 0x80;
constexpr uint8_t kFirstLead = 0x81, kLastLead = 0xfe;
constexpr uint8_t kFirstTrail = 0x40, kLastTrail = 0xfe;
constexpr size_t kSingles = 128;
constexpr size_t kTrails = kLastTrail - kFirstTrail + 1;
constexpr size_t kPairs = (kLastLead - kFirstLead + 1) * kTrails;
constexpr size_t kTableCodes = (kFirstOfTwoBytes - kFirstTable) * kSingles +
                               (kLastCharacterEncoding - kFirstOfTwoBytes + 1) * (kSingles + kPairs);

// Code points by bytes, 0 where there is none. A view.
struct Table {
  const uint16_t* singles;  // [kSingles]
  const uint16_t* pairs;    // [kPairs], or null
};

const std::vector<uint16_t>& AllTables() {
  static const std::vector<uint16_t> tables = [] {
    const ByteSpan file = PITH_EMBEDDED(pith_character_tables);
    Bytes raw(kTableCodes * sizeof(uint16_t));
    PITH_CHECK(ZSTD_decompress(raw.data(), raw.size(), file.data(), file.size()) == raw.size());
    std::vector<uint16_t> codes(kTableCodes);
    ByteReader reader(raw);
    for (uint16_t& code : codes) code = reader.U16();
    return codes;
  }();
  return tables;
}

Table TableOf(CharacterEncoding encoding) {
  const int index = static_cast<int>(encoding);
  PITH_CHECK(index >= kFirstTable && index <= kLastCharacterEncoding);
  const uint16_t* const tables = AllTables().data();
  if (index < kFirstOfTwoBytes) return {tables + static_cast<size_t>(index - kFirstTable) * kSingles, nullptr};
  const uint16_t* const singles = tables + static_cast<size_t>(kFirstOfTwoBytes - kFirstTable) * kSingles +
                                  static_cast<size_t>(index - kFirstOfTwoBytes) * (kSingles + kPairs);
  return {singles, singles + kSingles};
}

// Bytes by code points below 2^16: 0, or one byte, or two as first * 256 + second.
std::vector<uint16_t> Inverse(const Table& table) {
  std::vector<uint16_t> bytes(1u << 16);
  for (size_t i = 0; i < kSingles; ++i) {
    if (table.singles[i] != 0) bytes[table.singles[i]] = static_cast<uint16_t>(kFirstHighByte + i);
  }
  for (size_t i = 0; table.pairs != nullptr && i < kPairs; ++i) {
    if (table.pairs[i] == 0) continue;
    bytes[table.pairs[i]] = static_cast<uint16_t>((kFirstLead + i / kTrails) << 8 | (kFirstTrail + i % kTrails));
  }
  return bytes;
}

bool IsUtf16(CharacterEncoding encoding) {
  return encoding == CharacterEncoding::kUtf16Le || encoding == CharacterEncoding::kUtf16Be;
}

void AppendByte(uint8_t byte, std::string& text) { AppendUtf8(kByteCodePoints + byte, text); }

std::string FromUtf16(bool big_endian, ByteSpan data) {
  std::string text;
  text.reserve(data.size());
  size_t i = 0;
  while (data.size() - i >= 2) {
    const uint32_t u = Utf16Unit(data, i, big_endian);
    if (!IsSurrogate(u)) {
      AppendUtf8(u, text);
      i += 2;
      continue;
    }
    const uint32_t next = data.size() - i >= 4 ? Utf16Unit(data, i + 2, big_endian) : 0;
    if (u < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
      AppendUtf8(0x10000 + ((u & 0x3ff) << 10 | (next & 0x3ff)), text);
      i += 4;
    } else {  // half a pair is no character
      AppendByte(data[i], text);
      AppendByte(data[i + 1], text);
      i += 2;
    }
  }
  if (i < data.size()) AppendByte(data[i], text);
  return text;
}

std::string FromTable(const Table& table, ByteSpan data) {
  std::string text;
  text.reserve(data.size() + data.size() / 2);
  for (size_t i = 0; i < data.size(); ++i) {
    const uint8_t b = data[i];
    if (b < kFirstHighByte) {
      text += static_cast<char>(b);
      continue;
    }
    if (const uint16_t code_point = table.singles[b - kFirstHighByte]; code_point != 0) {
      AppendUtf8(code_point, text);
      continue;
    }
    if (table.pairs != nullptr && b >= kFirstLead && b <= kLastLead && i + 1 < data.size() &&
        data[i + 1] >= kFirstTrail && data[i + 1] <= kLastTrail) {
      const size_t at = static_cast<size_t>(b - kFirstLead) * kTrails + (data[i + 1] - kFirstTrail);
      if (table.pairs[at] != 0) {
        AppendUtf8(table.pairs[at], text);
        ++i;
        continue;
      }
    }
    AppendByte(b, text);
  }
  return text;
}

}  // namespace

const char* CharacterEncodingName(CharacterEncoding encoding) {
  static constexpr const char* kNames[] = {
      "",           "UTF-16LE",    "UTF-16BE",     "windows-1252", "windows-1251", "KOI8-R",       "IBM866",
      "ISO-8859-5", "windows-1250", "ISO-8859-2",  "IBM850",       "IBM437",       "ISO-8859-15",  "macintosh",
      "windows-1253", "ISO-8859-7", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "KOI8-U",
      "windows-874", "Shift_JIS",  "EUC-JP",       "GBK",          "Big5",         "EUC-KR"};
  static_assert(std::size(kNames) == kLastCharacterEncoding + 1);
  return kNames[static_cast<size_t>(encoding)];
}

std::string ToUtf8(CharacterEncoding encoding, ByteSpan data) {
  if (IsUtf16(encoding)) return FromUtf16(encoding == CharacterEncoding::kUtf16Be, data);
  return FromTable(TableOf(encoding), data);
}

std::optional<Bytes> FromUtf8(CharacterEncoding encoding, std::string_view text, size_t max_bytes) {
  const bool wide = IsUtf16(encoding);
  const std::vector<uint16_t> inverse = wide ? std::vector<uint16_t>() : Inverse(TableOf(encoding));
  Bytes data;
  data.reserve(std::min(max_bytes, wide ? 2 * text.size() : text.size()));
  const auto put_unit = [&](uint32_t unit) {
    const uint8_t high = static_cast<uint8_t>(unit >> 8), low = static_cast<uint8_t>(unit);
    const bool big_endian = encoding == CharacterEncoding::kUtf16Be;
    data.push_back(big_endian ? high : low);
    data.push_back(big_endian ? low : high);
  };
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = TakeUtf8(text, at);
    if (c > kMaxCodePoint) return std::nullopt;
    if (c >= kByteCodePoints) {
      data.push_back(static_cast<uint8_t>(c));
    } else if (wide) {
      if (c < 0x10000) {
        put_unit(c);
      } else {
        put_unit(0xd800 + ((c - 0x10000) >> 10));
        put_unit(0xdc00 + (c & 0x3ff));
      }
    } else if (c < kFirstHighByte) {
      data.push_back(static_cast<uint8_t>(c));
    } else {
      const uint16_t bytes = c < inverse.size() ? inverse[c] : uint16_t{0};
      if (bytes == 0) return std::nullopt;
      if (bytes > 0xff) data.push_back(static_cast<uint8_t>(bytes >> 8));
      data.push_back(static_cast<uint8_t>(bytes));
    }
    if (data.size() > max_bytes) return std::nullopt;
  }
  return data;
}

}  // namespace pith
