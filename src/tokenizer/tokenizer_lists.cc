#include "tokenizer/tokenizer_lists.h"

#include <algorithm>
#include <utility>

namespace pith {
namespace {

constexpr int kMaxDigits = 18;  // fit into 64 bits

class ListReader {
 public:
  explicit ListReader(std::string_view json) : json_(json) {}

  // Functions return false for what is not plain, and then all is given up.
  bool Read() {
    SkipSpace();
    if (!Walk([this](std::string_view key) {
          if (key != "model" || Peek() != '{') return SkipValue();
          return !std::exchange(seen_model_, true) && ReadModel();
        })) {
      return false;
    }
    lists_.rest.append(json_.substr(copied_));
    return seen_vocab_ && seen_merges_;
  }

  TokenizerLists TakeLists() { return std::move(lists_); }

 private:
  char Peek() const { return at_ < json_.size() ? json_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (Peek() == ' ' || Peek() == '\n' || Peek() == '\r' || Peek() == '\t') ++at_;
  }
  bool TakeBetweenSpace(char c) {
    SkipSpace();
    if (!Take(c)) return false;
    SkipSpace();
    return true;
  }

  // An object, member by member. `value` is called where a value begins, and goes behind it. Keys with
  // escapes could be those that are looked for.
  template <typename Value>
  bool Walk(Value value) {
    if (!Take('{')) return false;
    SkipSpace();
    if (Take('}')) return true;
    for (;;) {
      const size_t begin = at_ + 1;
      if (!SkipString()) return false;
      const std::string_view key = json_.substr(begin, at_ - 1 - begin);
      if (key.find('\\') != std::string_view::npos || !TakeBetweenSpace(':') || !value(key)) return false;
      SkipSpace();
      if (Take('}')) return true;
      if (!TakeBetweenSpace(',')) return false;
    }
  }

  // What is skipped stays in `rest`, where the JSON parser looks at it: here only its end counts.
  bool SkipString() {
    if (!Take('"')) return false;
    for (; at_ < json_.size(); ++at_) {
      if (json_[at_] == '\\') {
        ++at_;
      } else if (json_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }
  bool SkipValue() {
    size_t depth = 0;
    do {
      const char c = Peek();
      if (c == '"') {
        if (!SkipString()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
        ++at_;
      } else if (at_ == json_.size()) {
        return false;
      } else if (depth == 0) {
        at_ = std::min(json_.find_first_of(",}] \n\r\t", at_), json_.size());
      } else {
        ++at_;
      }
    } while (depth > 0);
    return true;
  }

  bool ReadModel() {
    return Walk([this](std::string_view key) {
      if (key == "vocab")
        return !std::exchange(seen_vocab_, true) && CutOut("{}", [this] { return ReadVocab(); });
      if (key == "merges")
        return !std::exchange(seen_merges_, true) && CutOut("[]", [this] { return ReadMerges(); });
      return SkipValue();
    });
  }

  // Leaves an empty list in `rest`.
  template <typename List>
  bool CutOut(std::string_view empty, List read) {
    lists_.rest.append(json_.substr(copied_, at_ - copied_)).append(empty);
    if (!read()) return false;
    copied_ = at_;
    return true;
  }

  bool ReadVocab() {
    if (!Take('{')) return false;
    SkipSpace();
    if (Take('}')) return true;
    for (;;) {
      ByteLevelParts::Token token{};
      if (lists_.vocab.size() == kMaxTokenIds || !ReadText(token.text) || !TakeBetweenSpace(':') ||
          !ReadId(token.id))
        return false;
      lists_.vocab.push_back(token);
      SkipSpace();
      if (Take('}')) return true;
      if (!TakeBetweenSpace(',')) return false;
    }
  }

  bool ReadMerges() {
    if (!Take('[')) return false;
    SkipSpace();
    if (Take(']')) return true;
    for (;;) {
      std::pair<std::string_view, std::string_view> merge;
      if (lists_.merges.size() == kMaxMerges || !TakeBetweenSpace('[') || !ReadText(merge.first) ||
          !TakeBetweenSpace(',') || !ReadText(merge.second) || !TakeBetweenSpace(']')) {
        return false;
      }
      lists_.merges.push_back(merge);
      if (Take(']')) return true;
      if (!TakeBetweenSpace(',')) return false;
    }
  }

  bool ReadId(uint64_t& id) {
    const size_t begin = at_;
    for (id = 0; Peek() >= '0' && Peek() <= '9'; ++at_) {
      if (at_ - begin == kMaxDigits) return false;
      id = 10 * id + static_cast<uint64_t>(Peek() - '0');
    }
    return at_ > begin && (at_ == begin + 1 || json_[begin] != '0');
  }

  bool ReadText(std::string_view& text) {
    if (!Take('"')) return false;
    const size_t begin = at_;
    std::string* escaped = nullptr;  // the text so far, once there was an escape
    size_t plain = at_;              // from here on not yet in it
    for (; at_ < json_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(json_[at_]);
      if (c == '"') {
        if (escaped != nullptr) escaped->append(json_.substr(plain, at_ - plain));
        text = escaped != nullptr ? std::string_view(*escaped) : json_.substr(begin, at_ - begin);
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (escaped == nullptr) escaped = &lists_.unescaped.emplace_back();
        escaped->append(json_.substr(plain, at_ - plain));
        ++at_;
        const char meaning = Unescape(Peek());
        if (meaning == '\0') return false;
        escaped->push_back(meaning);
        plain = at_ + 1;
      } else if (c >= 0x80) {
        // Two bytes of UTF-8: the alphabet of byte-level BPE has no longer ones.
        if (c < 0xc2 || c > 0xdf || at_ + 1 == json_.size() || (json_[at_ + 1] & 0xc0) != 0x80) return false;
        ++at_;
      } else if (c < 0x20) {
        return false;
      }
    }
    return false;
  }

  static char Unescape(char c) {
    switch (c) {
      case '"':
      case '\\':
      case '/':
        return c;
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        return '\0';  // \u, or no escape
    }
  }

  std::string_view json_;
  size_t at_ = 0;
  size_t copied_ = 0;  // of the file, to lists_.rest
  bool seen_model_ = false;
  bool seen_vocab_ = false;
  bool seen_merges_ = false;
  TokenizerLists lists_;
};

}  // namespace

std::optional<TokenizerLists> ReadTokenizerLists(std::string_view json) {
  ListReader reader(json);
  if (!reader.Read()) return std::nullopt;
  return reader.TakeLists();
}

}  // namespace pith
