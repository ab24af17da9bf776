#include "bench/file_type.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "charset/character_encoding.h"
#include "charset/encoding_guess.h"
#include "tokenizer/unicode_class.h"

namespace pith::bench {
namespace {


bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

double Share(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

template <size_t N>
bool IsOneOf(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Lines with something in them, without their ends; a last one that the sample has cut is left out, unless it is alone.
std::vector<std::string_view> Lines(std::string_view text, bool whole) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos && !whole && !lines.empty()) break;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (!line.empty() && IsBlank(line.back())) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::string_view Trimmed(std::string_view line) {
  while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
  return line;
}

// ---- Characters ---------------------------------------------------------------------------------------------------

// What a look at every character finds.
struct Characters {
  size_t bytes = 0, all = 0, visible = 0, letters = 0, wide_letters = 0, spaces = 0, sentence_ends = 0, symbols = 0;
  size_t controls = 0, invalid_bytes = 0;
  size_t distinct_letters = 0;  // ASCII letters, in either case, and every 64 code points of others as one
};

uint32_t CodePoint(ByteSpan text, size_t at, size_t n) {
  if (n == 1) return text[at];
  uint32_t c = text[at] & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) c = c << 6 | (text[at + i] & 0x3f);
  return c;
}

bool IsSentenceEnd(uint32_t c) {
  // . ! ? and those of Greek, Arabic, Urdu, Hindi and of full width: U+3002, U+FF01, U+FF1F.
  return c == '.' || c == '!' || c == '?' || c == 0x37e || c == 0x61f || c == 0x6d4 || c == 0x964 || c == 0x3002 ||
         c == 0xff01 || c == 0xff1f;
}

// Vowel signs and other marks belong to letters in the scripts that have them, though Unicode does not call them so.
bool IsMark(uint32_t c) {
  const bool punctuation = (c >= 0x2000 && c < 0x2c00) || (c >= 0x3000 && c < 0x3040) || (c >= 0xff00 && c < 0xff10) ||
                           c == 0x60c || c == 0x964 || c == 0x965 || c >= 0x1f000;
  return c >= 0x300 && !punctuation && !IsSentenceEnd(c);
}

Characters Count(ByteSpan text, bool whole) {
  constexpr std::string_view kSymbols = "(){}[];=<>+*&|_\\/#@$%^~:\"";
  const UnicodeClasses& classes = UnicodeClasses::Get();
  Characters n;
  std::set<uint32_t> seen;
  const size_t end =
      whole ? text.size() : text.size() - std::min<size_t>(text.size(), 3);  // a cut character is no damage
  for (size_t at = 0; at < end;) {
    const Char c = classes.At(text, at);
    const uint32_t code = CodePoint(text, at, c.n_bytes);
    const bool invalid = c.n_bytes == 1 && code >= 0x80;
    at += c.n_bytes;
    ++n.all;
    if (invalid) ++n.invalid_bytes;
    if (code < 0x20 && !IsBlank(static_cast<char>(code)) && code != 0x1b && code != 8) ++n.controls;
    if (c.char_class == CharClass::kSpace) {
      ++n.spaces;
      continue;
    }
    ++n.visible;
    if (!invalid && (c.char_class == CharClass::kLetter || IsMark(code))) {
      ++n.letters;
      if (code >= 0x80) ++n.wide_letters;
      seen.insert(code < 0x80 ? code | 0x20 : 0x80 + code / 64);
    } else if (IsSentenceEnd(code)) {
      ++n.sentence_ends;
    } else if (code < 0x80 && kSymbols.find(static_cast<char>(code)) != std::string_view::npos) {
      ++n.symbols;
    }
  }
  n.bytes = end;
  n.distinct_letters = seen.size();
  return n;
}

// Text in an old encoding has some bytes that are no UTF-8, compressed data every second one. Control characters, zero
// among them, occur in what terminals show and between the files of a tar archive.
bool IsBinary(const Characters& n) {
  constexpr double kMostInvalid = 0.10, kMostControls = 0.05;
  return Share(n.invalid_bytes, n.bytes) > kMostInvalid || Share(n.controls, n.bytes) > kMostControls;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

// Nothing but JSON's tokens, from the first to the last character; also several values one after another, as in JSON
// Lines. That they stand in the right order is not asked: no other kind of text has only these.
bool IsJson(std::string_view text, bool whole) {
  text = Trimmed(text);
  if (text.size() < 2 || (text[0] != '{' && text[0] != '[')) return false;
  size_t strings_and_numbers = 0, brackets = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at) {
        if (text[at] == '\\') ++at;
      }
      if (at >= text.size()) return !whole;
      if (text[at] == '\n') return false;
      ++at;
      ++strings_and_numbers;
    } else if (IsBlank(c) || c == ',' || c == ':') {
      ++at;
    } else if (c == '{' || c == '}' || c == '[' || c == ']') {
      ++at;
      ++brackets;
    } else if (IsDigit(c) || c == '-') {
      while (at < text.size() &&
             (IsDigit(text[at]) || std::string_view("+-.eE").find(text[at]) != std::string_view::npos))
        ++at;
      ++strings_and_numbers;
    } else {
      const size_t begin = at;
      while (at < text.size() && IsAsciiLetter(text[at])) ++at;
      const std::string_view word = text.substr(begin, at - begin);
      if (word != "true" && word != "false" && word != "null" && (whole || at < text.size())) return false;
    }
  }
  return brackets >= 2 || (!whole && strings_and_numbers > 0);
}

// ---- Markup -------------------------------------------------------------------------------------------------------

// XML and HTML: tags that open and tags that close, and not just a few of them.
bool IsMarkup(std::string_view text, const Characters& n, std::string_view extension) {
  size_t opening = 0, closing = 0, tag_bytes = 0;
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    constexpr size_t kMaxTag = 2000;
    const std::string_view rest = text.substr(at + 1, kMaxTag);
    const bool closes = !rest.empty() && rest[0] == '/';
    const std::string_view name = rest.substr(closes ? 1 : 0);
    const size_t end = rest.find_first_of("<>");
    if (end == std::string_view::npos || rest[end] != '>' || name.empty()) continue;
    if (IsAsciiLetter(name[0]) || name[0] == '!' || name[0] == '?') {
      ++(closes || rest[end - 1] == '/' ? closing : opening);
      tag_bytes += end + 2;
    }
  }
  const std::string_view start = Trimmed(text);
  const bool announced = start.starts_with("<?xml") || start.starts_with("<!DOCTYPE") ||
                         start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<HTML");
  static constexpr std::array<std::string_view, 7> kExtensions = {"xml", "html", "htm", "xhtml", "svg", "rss", "xsd"};
  if (announced || (IsOneOf(extension, kExtensions) && opening > 0)) return true;
  constexpr double kTagShare = 0.15;  // of a page of running text in HTML; generics and comparisons in source are below
  return closing >= 2 && opening >= 2 && 4 * closing >= opening && Share(tag_bytes, n.bytes) >= kTagShare;
}

// ---- CSV ----------------------------------------------------------------------------------------------------------

struct Table {
  size_t records = 0, usual = 0, columns = 0;  // `usual` records have `columns` of them
};

Table CountColumns(std::string_view text, bool whole, char delimiter) {
  std::map<size_t, size_t> n_with;
  size_t columns = 1;
  bool quoted = false, at_start = true, empty = true;
  Table table;
  const auto end_record = [&] {
    if (!empty) {
      ++n_with[columns];
      ++table.records;
    }
    columns = 1;
    at_start = empty = true;
  };
  for (const char c : text) {
    if (quoted) {
      if (c == '"') quoted = false;  // a doubled quote opens it again at once
    } else if (c == '"' && at_start) {
      quoted = true;
      empty = false;
    } else if (c == '\n') {
      end_record();
    } else if (c == '\t' && empty) {
      // indentation
    } else if (c == delimiter) {
      ++columns;
      at_start = true;
      empty = false;
    } else if (c != '\r') {
      at_start = c == '"';
      empty = false;
    }
  }
  if (whole) end_record();
  for (const auto& [n, count] : n_with) {
    if (count > table.usual) {
      table.usual = count;
      table.columns = n;
    }
  }
  return table;
}

bool IsCsv(std::string_view text, bool whole, std::string_view extension) {
  const bool named = extension == "csv" || extension == "tsv" || extension == "tab";
  constexpr double kRegular = 0.95, kRegularEnough = 0.8;
  constexpr size_t kLongestField = 80;  // on average; a table of free text is told by its name
  for (const char delimiter : {',', '\t', ';', '|'}) {
    const Table table = CountColumns(text, whole, delimiter);
    const double regular = Share(table.usual, table.records);
    if (named && table.columns >= 2 && regular >= kRegularEnough) return true;
    const bool wide = table.columns >= 3 || (table.columns == 2 && delimiter == '\t');
    if (wide && table.records >= 3 && regular >= kRegular &&
        text.size() / (table.records * table.columns) <= kLongestField) {
      return true;
    }
  }
  return false;
}

// ---- Logs ---------------------------------------------------------------------------------------------------------

// Whether `line` begins with `pattern`: 9 is a digit, A a letter, other characters themselves.
bool Fits(std::string_view line, std::string_view pattern) {
  if (line.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool fits = pattern[i] == '9'   ? IsDigit(line[i])
                      : pattern[i] == 'A' ? IsAsciiLetter(line[i])
                                          : line[i] == pattern[i];
    if (!fits) return false;
  }
  return true;
}

bool BeginsWithAddress(std::string_view line) {
  size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t begin = at;
    while (at < line.size() && IsDigit(line[at])) ++at;
    if (at == begin || at - begin > 3 || at == line.size() || line[at] != (part < 3 ? '.' : ' ')) return false;
    ++at;
  }
  return true;
}

bool BeginsLikeLog(std::string_view line) {
  static constexpr std::string_view kTimes[] = {
      "9999-99-99 99:99", "9999-99-99T99:99", "9999/99/99 99:99", "99/99/99 99:99",   "99/AAA/9999:99",
      "AAA 99 99:99:99",  "AAA  9 99:99:99",  "AAA AAA 99 99:99", "AAA AAA  9 99:99", "99:99:99",
      "9999999999.9",     "9999999999999 ",   "99-99-9999 99:99", "99.99.9999 99:99", "999999 999999 "};
  static constexpr std::array<std::string_view, 11> kLevels = {
      "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "ERR", "SEVERE"};
  if (BeginsWithAddress(line)) return true;
  if (line.starts_with('<')) {  // syslog's priority: <34>
    const size_t end = line.find('>');
    if (end <= 4) line.remove_prefix(end + 1);
  }
  if (line.starts_with('[')) line.remove_prefix(1);
  for (const std::string_view time : kTimes) {
    if (Fits(line, time)) return true;
  }
  size_t letters = 0;
  while (letters < line.size() && IsAsciiLetter(line[letters])) ++letters;
  std::string word(line.substr(0, letters));
  const bool followed =
      letters < line.size() && std::string_view(" :]\t|-").find(line[letters]) != std::string_view::npos;
  return followed && IsOneOf(word, kLevels);
}

bool IsLog(std::span<const std::string_view> lines) {
  constexpr double kShare = 0.6;  // the rest are messages of several lines
  size_t n = 0;
  for (const std::string_view line : lines) n += BeginsLikeLog(line) ? 1 : 0;
  return n >= 2 && Share(n, lines.size()) >= kShare;
}

// ---- Source code --------------------------------------------------------------------------------------------------

bool HasSourceName(std::string_view name, std::string_view extension) {
  static constexpr std::array<std::string_view, 72> kExtensions = {
      "c",      "h",    "cc",   "cpp", "cxx",   "hpp",    "hh",    "hxx",  "py",   "js",   "mjs",   "ts",
      "tsx",    "jsx",  "java", "go",  "rs",    "rb",     "php",   "pl",   "pm",   "sh",   "bash",  "zsh",
      "fish",   "lua",  "r",    "jl",  "scala", "kt",     "swift", "cs",   "fs",   "hs",   "ml",    "mli",
      "el",     "lisp", "lsp",  "clj", "erl",   "ex",     "exs",   "sql",  "asm",  "s",    "cmake", "mk",
      "gradle", "v",    "sv",   "vhd", "proto", "thrift", "css",   "scss", "less", "y",    "l",     "m",
      "mm",     "f",    "f90",  "pas", "ada",   "adb",    "d",     "nim",  "zig",  "dart", "cu",    "vim"};
  static constexpr std::array<std::string_view, 6> kNames = {"Makefile",   "makefile", "GNUmakefile",
                                                             "Dockerfile", "Rakefile", "CMakeLists.txt"};
  return IsOneOf(extension, kExtensions) || IsOneOf(name, kNames);
}

bool BeginsWithKeyword(std::string_view line) {
  static constexpr std::array<std::string_view, 56> kKeywords = {
      "if",       "else",     "elif",      "for",     "while",   "do",        "return", "def",      "class",  "import",
      "from",     "func",     "fn",        "let",     "const",   "var",       "static", "void",     "int",    "char",
      "double",   "float",    "unsigned",  "public",  "private", "protected", "struct", "enum",     "union",  "typedef",
      "template", "using",    "namespace", "package", "use",     "mod",       "impl",   "pub",      "switch", "case",
      "break",    "continue", "try",       "except",  "catch",   "throw",     "local",  "function", "end",    "begin",
      "elsif",    "export",   "async",     "await",   "extern",  "inline"};
  const size_t end = std::min(line.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), line.size());
  return IsOneOf(line.substr(0, end), kKeywords);
}

bool LooksLikeComment(std::string_view line) {
  return line.starts_with("//") || line.starts_with("/*") || line.starts_with("*/") || line.starts_with("* ") ||
         line.starts_with("#include") || line.starts_with("#define") || line.starts_with("#if") ||
         line.starts_with("#endif");
}

// Line endings, first words and symbols.
bool IsSource(std::span<const std::string_view> lines, const Characters& n, std::string_view name,
              std::string_view extension) {
  if (!lines.empty() && lines[0].starts_with("#!")) return true;
  size_t ends = 0, keywords = 0;
  for (const std::string_view whole_line : lines) {
    const std::string_view line = Trimmed(whole_line);
    if (line.empty()) continue;
    ends += std::string_view(";{}()\\").find(line.back()) != std::string_view::npos || LooksLikeComment(line) ? 1 : 0;
    keywords += BeginsWithKeyword(line) ? 1 : 0;
  }
  const double end_share = Share(ends, lines.size()), keyword_share = Share(keywords, lines.size());
  const double symbols = Share(n.symbols, n.visible);
  // Documents show code.
  static constexpr std::array<std::string_view, 5> kDocuments = {"md", "markdown", "rst", "adoc", "tex"};
  if (IsOneOf(extension, kDocuments)) return false;
  // A name that says so needs little evidence, but some: notes are called todo.c, and prose has no symbols.
  if (HasSourceName(name, extension)) return symbols >= 0.05 || end_share + keyword_share >= 0.2;
  return symbols >= 0.08 && end_share + keyword_share >= 0.5 && end_share >= 0.2;
}

// ---- Prose --------------------------------------------------------------------------------------------------------

bool IsProse(const Characters& n) {
  constexpr double kLetters = 0.70;                // of what is visible; tables and lists of numbers are below
  constexpr double kSpaces = 0.08;                 // scripts that put spaces between words
  constexpr size_t kShortest = 8, kLongest = 700;  // letters a sentence, on average
  constexpr size_t kAlphabet = 8;
  if (Share(n.letters, n.visible) < kLetters || n.sentence_ends == 0) return false;
  const size_t letters = n.letters / n.sentence_ends;
  if (letters < kShortest || letters > kLongest) return false;
  const bool wide = 2 * n.wide_letters > n.letters;
  return wide || (Share(n.spaces, n.all) >= kSpaces && n.distinct_letters >= kAlphabet);
}

}  // namespace

FileType ClassifyFile(ByteSpan sample, bool whole, std::string_view path) {
  std::string wide;
  if (const CharacterEncoding encoding = Utf16At(sample); encoding != CharacterEncoding::kNone) {
    wide = ToUtf8(encoding, sample);
    sample = AsBytes(wide);
  }
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  std::string extension(dot == std::string_view::npos ? "" : name.substr(dot + 1));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  const Characters n = Count(sample, whole);
  if (IsBinary(n)) return FileType::kBinary;
  std::string_view text = AsText(sample);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // the byte order mark of some editors
  const std::vector<std::string_view> lines = Lines(text, whole);
  if (IsJson(text, whole)) return FileType::kJson;
  if (IsMarkup(text, n, extension)) return FileType::kMarkup;
  if (IsCsv(text, whole, extension)) return FileType::kCsv;
  if (IsLog(lines)) return FileType::kLog;
  if (IsSource(lines, n, name, extension)) return FileType::kSource;
  if (IsProse(n)) return FileType::kProse;
  return FileType::kOtherText;
}

}  // namespace pith::bench
