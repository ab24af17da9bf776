#include "charset/encoding_guess.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace pith {
namespace {

// Of units of 16 bits: white space and the commonest punctuation, of which every text has some.
constexpr double kMinSpaceShare = 0.005;
// Controls, halves of pairs, private and unassigned ones: programs, sounds and pictures have many.
constexpr double kMaxOddShare = 0.004;

struct UnitCounts {
  size_t space = 0, wide_space = 0, odd = 0;
};

UnitCounts CountUnits(ByteSpan data, bool big_endian) {
  UnitCounts n;
  bool after_high = false;
  for (size_t i = 0; i + 1 < data.size(); i += 2) {
    const uint32_t u = Utf16Unit(data, i, big_endian);
    if (u >= 0xdc00 && u <= 0xdfff) {
      n.odd += !after_high;
      after_high = false;
      continue;
    }
    n.odd += after_high;
    after_high = u >= 0xd800 && u <= 0xdbff;
    const bool space = u == ' ' || u == '\n' || u == '\t' || u == '\r';
    n.space += space;
    n.wide_space += u == 0x3000 || u == 0x3001 || u == 0x3002 || u == 0xff0c;
    n.odd += (u < 0x20 && !space) || (u >= 0x7f && u < 0xa0) || (u >= 0xe000 && u <= 0xf8ff) || u >= 0xfff0;
  }
  return n;
}

// High bytes that belong to a character of UTF-8, and others; and controls, which no text has in any number.
struct ByteCounts {
  size_t utf8 = 0, other = 0, control = 0;
};

ByteCounts CountBytes(ByteSpan data) {
  ByteCounts n;
  const std::string_view text = AsText(data);
  for (size_t at = 0; at < text.size();) {
    if (data[at] < 0x80) {
      n.control += data[at] < '\t' || (data[at] > '\r' && data[at] < ' ');
      ++at;
      continue;
    }
    const size_t before = at;
    if (TakeUtf8(text, at) <= kMaxCodePoint) {
      n.utf8 += at - before;
    } else {
      ++n.other;
      ++at;
    }
  }
  return n;
}

// Pieces spread over the data, around a high byte each, that begin behind a byte that is never the second of a character.
Bytes Sample(ByteSpan data, size_t n_pieces, size_t piece_bytes) {
  constexpr uint8_t kNeverSecond = 0x2f;  // and below: the second byte of two is 40 or more
  Bytes sample;
  size_t end = 0;  // of what has been taken
  for (size_t k = 0; k < n_pieces; ++k) {
    size_t at = std::max(end, data.size() / n_pieces * k);
    while (at < data.size() && data[at] < 0x80) ++at;
    if (at == data.size()) break;
    const size_t earliest = std::max(end, at - std::min(at, piece_bytes / 2));
    size_t begin = std::max(earliest, at - std::min(at, piece_bytes / 4));
    while (begin > earliest && data[begin - 1] > kNeverSecond) --begin;
    if (begin == earliest && begin > end) begin = at;
    end = std::min(data.size(), begin + piece_bytes);
    sample.insert(sample.end(), data.begin() + static_cast<ptrdiff_t>(begin), data.begin() + static_cast<ptrdiff_t>(end));
    sample.push_back('\n');
  }
  return sample;
}

// Rough, by ranges of code points: what the tables can give.
int ScriptOf(uint32_t c) {
  if (c < 0x300) return 1;                                                // Latin
  if (c < 0x400) return 2;                                                // Greek
  if (c < 0x530) return 3;                                                // Cyrillic
  if (c < 0x600) return 4;                                                // Hebrew
  if (c < 0x700) return 5;                                                // Arabic
  if (c >= 0xac00 && c < 0xd800) return 6;                                // Hangul
  return (c >= 0x3000 && c < 0xa000) || (c >= 0xf900 && c < 0xfb00) ? 7 : 8;  // Han and kana; Thai and others
}

// Of a character, as far as words are concerned.
struct Letter {
  bool is_letter = false, upper = false, lower = false;
  int script = 0;
};

Letter LetterOf(uint32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
      return {true, true, false, ScriptOf(c)};
    case UTF8PROC_CATEGORY_LL:
      return {true, false, true, ScriptOf(c)};
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
      return {true, false, false, ScriptOf(c)};
    default:
      return {};
  }
}

// How much in a text is unlike words of any language: signs inside of words, capitals behind small letters, letters of two
// scripts in one word, and what no text has.
size_t Oddity(std::string_view text) {
  size_t odd = 0;
  Letter before;
  bool sign_after_letter = false;  // the character before is a sign beyond ASCII, behind a letter
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = TakeUtf8(text, at);
    const Letter letter = LetterOf(c);
    if (letter.is_letter) {
      odd += sign_after_letter;
      odd += before.lower && letter.upper;
      odd += before.is_letter && before.script != letter.script;
    }
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    const bool no_text = c >= kByteCodePoints || (c >= 0x80 && category == UTF8PROC_CATEGORY_CC) ||
                         category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO;
    odd += no_text ? 4 : 0;
    const bool in_words = c == 0xad || c == 0xb7 || c == 0x2019;  // soft hyphen, middle dot, apostrophe
    sign_after_letter = before.is_letter && c >= 0x80 && !letter.is_letter && !in_words;
    before = letter;
  }
  return odd;
}

// UTF-8 with a broken character here and there is UTF-8.
constexpr size_t kMaxBrokenPart = 8;

// More controls than this, and it is a program or alike: what looks like letters there is none.
constexpr double kMaxControlShare = 0.004;

constexpr size_t kLookPieces = 8, kLookPieceBytes = 512;    // to tell words from no words
constexpr size_t kModelPieces = 4, kModelPieceBytes = 96;   // for the model
constexpr size_t kMostForModel = 6;                         // encodings

}  // namespace

CharacterEncoding Utf16At(ByteSpan data) {
  const double units = static_cast<double>(data.size() / 2);
  const auto is_text = [&](const UnitCounts& n) {
    return static_cast<double>(n.space + n.wide_space) > kMinSpaceShare * units &&
           static_cast<double>(n.odd) <= kMaxOddShare * units;
  };
  const UnitCounts little = CountUnits(data, false), big = CountUnits(data, true);
  // Where both are, that is one with many 0, which the wrong way round is the ideographic space.
  if (is_text(little) && (!is_text(big) || little.space >= big.space)) return CharacterEncoding::kUtf16Le;
  return is_text(big) ? CharacterEncoding::kUtf16Be : CharacterEncoding::kNone;
}

Result<CharacterEncoding> GuessEncoding(ByteSpan data, const CodeBytes& code_bytes) {
  if (const CharacterEncoding wide = Utf16At(data); wide != CharacterEncoding::kNone) return wide;
  const ByteCounts n = CountBytes(data);
  if (static_cast<double>(n.control) > kMaxControlShare * static_cast<double>(data.size())) return CharacterEncoding::kNone;
  if (n.other == 0 || n.other * kMaxBrokenPart <= n.utf8) return CharacterEncoding::kNone;
  struct Candidate {
    CharacterEncoding encoding;
    std::string text;
    size_t oddity;
  };
  const Bytes look = Sample(data, kLookPieces, kLookPieceBytes);
  std::vector<Candidate> candidates;
  for (int i = static_cast<int>(CharacterEncoding::kWindows1252); i <= kLastCharacterEncoding; ++i) {
    const auto encoding = static_cast<CharacterEncoding>(i);
    std::string text = ToUtf8(encoding, look);
    const auto same = [&](const Candidate& c) { return c.text == text; };
    if (std::any_of(candidates.begin(), candidates.end(), same)) continue;
    const size_t oddity = Oddity(text);
    candidates.push_back({encoding, std::move(text), oddity});
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.oddity < b.oddity; });
  const Bytes sample = Sample(data, kModelPieces, kModelPieceBytes);
  CharacterEncoding best = CharacterEncoding::kNone;
  PITH_ASSIGN_OR_RETURN(size_t least, code_bytes(sample));
  for (size_t i = 0; i < std::min(kMostForModel, candidates.size()); ++i) {
    PITH_ASSIGN_OR_RETURN(const size_t bytes, code_bytes(AsBytes(ToUtf8(candidates[i].encoding, sample))));
    if (bytes >= least) continue;
    least = bytes;
    best = candidates[i].encoding;
  }
  return best;
}

}  // namespace pith
