#include "formats/json.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/utf8.h"

namespace pith {

// Receives the parser's events and grows the tree. A handler that returns false ends the parse with
// `failure_` set.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(ByteSpan text, const std::string& where, const JsonLimits& limits)
      : text_(text), where_(where), limits_(limits) {}

  bool null() override { return Add(Json()); }
  bool boolean(bool v) override { return Add(Make(v)); }
  bool number_integer(number_integer_t v) override { return Add(Make(static_cast<int64_t>(v))); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return Add(Make(static_cast<int64_t>(v)));
    return Add(Make(static_cast<uint64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t&) override { return Add(Make(static_cast<double>(v))); }
  bool string(string_t& v) override { return Add(Make(std::move(v))); }
  bool binary(binary_t&) override { return Fail(Corrupt(where_ + ": binary value in JSON")); }

  bool start_object(size_t) override { return Open(Make(Json::Object{})); }
  bool key(string_t& v) override {
    keys_.push_back(std::move(v));
    return true;
  }
  bool end_object() override {
    Json done = std::move(open_.back());
    open_.pop_back();
    const Status sorted = SortMembers(std::get<Json::Object>(done.value_));
    if (!sorted.ok()) return Fail(sorted);
    return Put(std::move(done));
  }
  bool start_array(size_t) override { return Open(Make(Json::Array{})); }
  bool end_array() override {
    Json done = std::move(open_.back());
    open_.pop_back();
    return Put(std::move(done));
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    // position counts bytes read, so the offending byte is the one before.
    const size_t at = std::min(position > 0 ? position - 1 : 0, text_.size());
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at; ++i) {
      column = text_[i] == '\n' ? 1 : column + 1;
      line += text_[i] == '\n';
    }
    std::string what =
        e.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax ..."
    for (const std::string_view mark : {"column ", "] "}) {
      const size_t p = what.find(mark);
      if (p == std::string::npos) continue;
      const size_t colon = mark == "] " ? p : what.find(": ", p);
      what.erase(0, colon == std::string::npos ? 0 : colon + 2);
      break;
    }
    if (what.size() > 200) what.resize(200);
    return Fail(Corrupt(where_ + ": byte " + std::to_string(at) + " (line " + std::to_string(line) +
                        ", column " + std::to_string(column) + "): " + what));
  }

  bool Fail(Status why) {
    if (failure_.ok()) failure_ = std::move(why);
    return false;
  }
  const Status& failure() const { return failure_; }
  Json Take() { return std::move(root_); }

 private:
  template <typename T>
  static Json Make(T v) {
    Json j;
    j.value_ = std::move(v);
    return j;
  }
  bool Count() {
    if (++n_values_ <= limits_.max_values) return true;
    return Fail(Unsupported(where_ + ": more than " + std::to_string(limits_.max_values) + " JSON values"));
  }
  bool Open(Json container) {
    if (!Count()) return false;
    if (open_.size() >= limits_.max_depth) {
      return Fail(Unsupported(where_ + ": JSON nested deeper than " + std::to_string(limits_.max_depth)));
    }
    open_.push_back(std::move(container));
    return true;
  }
  bool Add(Json v) { return Count() && Put(std::move(v)); }
  // Hands a finished value to the innermost open container; the count was taken when it began.
  bool Put(Json v) {
    if (open_.empty()) {
      root_ = std::move(v);
    } else if (auto* array = std::get_if<Json::Array>(&open_.back().value_)) {
      array->push_back(std::move(v));
    } else {
      std::get<Json::Object>(open_.back().value_).push_back({std::move(keys_.back()), std::move(v)});
      keys_.pop_back();
    }
    return true;
  }
  // Orders the members by key and settles repeated keys.
  Status SortMembers(Json::Object& members) const {
    std::vector<size_t> order(members.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const int c = members[a].key.compare(members[b].key);
      return c != 0 ? c < 0 : a < b;
    });
    Json::Object sorted;
    sorted.reserve(members.size());
    for (const size_t i : order) {
      if (sorted.empty() || sorted.back().key != members[i].key) {
        sorted.push_back(std::move(members[i]));
      } else if (limits_.unique_keys) {
        return Corrupt(where_ + ": " + Path() + "key " + Quoted(members[i].key) + " occurs more than once");
      } else {
        sorted.back() = std::move(members[i]);
      }
    }
    members = std::move(sorted);
    return OkStatus();
  }
  // Keys on the way to the innermost open object, for messages.
  std::string Path() const {
    std::string path;
    for (const std::string& k : keys_) path += Quoted(k) + ": ";
    return path;
  }

  ByteSpan text_;
  const std::string& where_;
  const JsonLimits& limits_;
  Json root_;
  std::vector<Json> open_;         // containers not yet closed, outermost first
  std::vector<std::string> keys_;  // a key for each member whose value is not yet there
  size_t n_values_ = 0;
  Status failure_;
};

Result<Json> Json::Parse(ByteSpan text, const std::string& where, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Unsupported(where + ": " + std::to_string(text.size()) + " bytes of JSON, limit " +
                       std::to_string(limits.max_bytes));
  }
  JsonBuilder builder(text, where, limits);
  try {
    const std::string_view s = AsText(text);
    if (nlohmann::json::sax_parse(s.begin(), s.end(), &builder)) return builder.Take();
  } catch (const std::exception& e) {  // out of memory, or something the parser does not report as an event
    return Corrupt(where + ": JSON parser: " + e.what());
  }
  if (builder.failure().ok()) return Corrupt(where + ": not JSON");
  return builder.failure();
}

Json::Kind Json::kind() const {
  switch (value_.index()) {
    case 0:
      return Kind::kNull;
    case 1:
      return Kind::kBool;
    case 2:
    case 3:
      return Kind::kInteger;
    case 4:
      return Kind::kNumber;
    case 5:
      return Kind::kString;
    case 6:
      return Kind::kArray;
    default:
      return Kind::kObject;
  }
}

std::string_view Json::KindName() const {
  constexpr std::string_view kNames[] = {"null", "bool", "integer", "number", "string", "array", "object"};
  return kNames[static_cast<size_t>(kind())];
}

std::optional<bool> Json::AsBool() const {
  const bool* v = std::get_if<bool>(&value_);
  return v != nullptr ? std::optional<bool>(*v) : std::nullopt;
}

std::optional<int64_t> Json::AsInteger() const {
  const int64_t* v = std::get_if<int64_t>(&value_);
  return v != nullptr ? std::optional<int64_t>(*v) : std::nullopt;
}

std::optional<uint64_t> Json::AsUnsigned() const {
  if (const uint64_t* v = std::get_if<uint64_t>(&value_)) return *v;
  const int64_t* v = std::get_if<int64_t>(&value_);
  return v != nullptr && *v >= 0 ? std::optional<uint64_t>(static_cast<uint64_t>(*v)) : std::nullopt;
}

std::optional<double> Json::AsNumber() const {
  if (const double* v = std::get_if<double>(&value_)) return *v;
  if (const int64_t* v = std::get_if<int64_t>(&value_)) return static_cast<double>(*v);
  if (const uint64_t* v = std::get_if<uint64_t>(&value_)) return static_cast<double>(*v);
  return std::nullopt;
}

const std::string* Json::AsString() const { return std::get_if<std::string>(&value_); }

std::span<const Json> Json::items() const {
  const Array* v = std::get_if<Array>(&value_);
  return v != nullptr ? std::span<const Json>(*v) : std::span<const Json>();
}

std::span<const JsonMember> Json::members() const {
  const Object* v = std::get_if<Object>(&value_);
  return v != nullptr ? std::span<const JsonMember>(*v) : std::span<const JsonMember>();
}

const Json* Json::Find(std::string_view key) const {
  const std::span<const JsonMember> all = members();
  const auto it = std::lower_bound(all.begin(), all.end(), key,
                                   [](const JsonMember& m, std::string_view k) { return m.key < k; });
  return it != all.end() && it->key == key ? &it->value : nullptr;
}

namespace {

// Length of the printable UTF-8 sequence at text[i]; 0 when there is none (control characters, overlong
// forms, surrogates).
size_t PrintableLength(std::string_view text, size_t i) {
  size_t end = i;
  const uint32_t c = TakeUtf8(text, end);
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  return c > kMaxCodePoint || control ? 0 : end - i;
}

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxShown = 80;
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    if (i >= kMaxShown) {
      out += "...";
      break;
    }
    const auto b = static_cast<unsigned char>(text[i]);
    const size_t n = PrintableLength(text, i);
    if (n == 0) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += "\\x";
      out += kDigits[b >> 4];
      out += kDigits[b & 15];
      ++i;
    } else {
      if (b == '"' || b == '\\') out += '\\';
      out += text.substr(i, n);
      i += n;
    }
  }
  return out + "\"";
}

bool IsPrintableUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t n = PrintableLength(text, i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

}  // namespace pith
