#include "tokenizer/huggingface_json.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "tokenizer/byte_level_parts.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer_lists.h"

namespace pith {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxKeyBytes = 256;       // outside the vocabulary
constexpr size_t kMaxSettings = 1u << 20;  // values outside vocabulary and merges; an added token has seven

std::string Show(const json& value) {
  if (value.is_string()) return QuotedToken(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  return value.dump();  // null, a boolean or a number
}

// Takes the events of the JSON parser apart: the two long lists go to vectors, all else to a map from path to
// value. Never builds a tree, so neither depth nor repetition can exhaust anything.
class Collector : public nlohmann::json_sax<json> {
 public:
  struct VocabEntry {
    std::string token;
    uint64_t id;
  };

  // "/model/type" -> "BPE"; an empty object or array for those.
  std::map<std::string, json, std::less<>> settings;
  std::vector<VocabEntry> vocab;
  std::vector<std::pair<std::string, std::string>> merges;
  Status status;  // why parsing stopped

  bool null() override { return Value(nullptr); }
  bool boolean(bool v) override { return Value(v); }
  bool number_integer(number_integer_t v) override { return Value(v); }
  bool number_float(number_float_t v, const string_t&) override { return Value(v); }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool number_unsigned(number_unsigned_t v) override {
    if (list_ != List::kVocab) return Value(v);
    vocab.push_back({std::move(key_), v});
    return true;
  }
  bool string(string_t& v) override {
    if (list_ == List::kMerges) return MergeText(v);
    if (list_ == List::kMergePair) return MergePart(v);
    return Value(std::move(v));
  }
  bool start_object(std::size_t) override { return Open(false); }
  bool start_array(std::size_t) override { return Open(true); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& v) override {
    if (list_ != List::kVocab && v.size() > kMaxKeyBytes) {
      return Stop(Unsupported(Path() + ": key of " + std::to_string(v.size()) + " bytes, expected at most " +
                              std::to_string(kMaxKeyBytes)));
    }
    key_ = std::move(v);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& e) override {
    // Without the name of the exception at the front: "[json.exception.parse_error.101] parse error at line
    // 1".
    std::string_view what = e.what();
    if (const size_t end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
    return Stop(Corrupt(QuotedToken(what)));
  }

 private:
  enum class List { kNone, kVocab, kMerges, kMergePair, kSkipped };
  struct Level {
    bool is_array;
    size_t n_values = 0;
    size_t path_bytes;  // of the path of the level itself
    List list;
  };

  bool Stop(Status why) {
    status = std::move(why);
    return false;
  }

  // The path of the value that comes next, as a JSON pointer (RFC 6901).
  std::string Path() const {
    if (levels_.empty()) return path_;
    if (levels_.back().is_array) return path_ + "/" + std::to_string(levels_.back().n_values);
    std::string path = path_ + "/";
    for (const char c : key_) path += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return path;
  }

  bool Value(json value) {
    if (list_ == List::kSkipped) return true;
    if (list_ != List::kNone) return Unexpected(Show(value));
    if (!Set(Path(), std::move(value))) return false;
    if (!levels_.empty()) ++levels_.back().n_values;
    return true;
  }

  bool Set(std::string path, json value) {
    if (settings.size() >= kMaxSettings) {
      return Stop(Unsupported(path + ": more than " + std::to_string(kMaxSettings) + " values"));
    }
    const auto [place, is_new] = settings.emplace(std::move(path), std::move(value));
    return is_new || Stop(Corrupt(place->first + " is given twice"));
  }

  bool Unexpected(const std::string& found) {
    const char* expected = list_ == List::kVocab    ? "an id from 0 on"
                           : list_ == List::kMerges ? "\"a b\" or [\"a\", \"b\"]"
                                                    : "a string";
    const std::string place = list_ == List::kVocab ? "/model/vocab: token " + QuotedToken(key_)
                                                    : "/model/merges: merge " + std::to_string(merges.size());
    return Stop(Corrupt(place + ": " + found + ", expected " + expected));
  }

  bool Open(bool is_array) {
    if (levels_.size() >= kMaxDepth) {
      return Stop(Unsupported(Path() + ": nested deeper than " + std::to_string(kMaxDepth)));
    }
    List list = list_;
    const size_t path_bytes = path_.size();
    if (list_ == List::kMerges && is_array) {
      list = List::kMergePair;
      pair_.clear();
    } else if (list_ == List::kVocab || list_ == List::kMerges || list_ == List::kMergePair) {
      return Unexpected(is_array ? "an array" : "an object");
    } else if (list_ == List::kNone) {
      path_ = Path();
      if (!Set(path_, is_array ? json::array() : json::object())) return false;
      // Other models have arrays for a vocabulary: skipped, so that the message can name the model.
      if (path_ == "/model/vocab") list = is_array ? List::kSkipped : List::kVocab;
      if (path_ == "/model/merges") list = is_array ? List::kMerges : List::kSkipped;
    }
    if (!levels_.empty()) ++levels_.back().n_values;
    levels_.push_back({is_array, 0, path_bytes, list_});
    list_ = list;
    return true;
  }

  bool Close() {
    if (list_ == List::kMergePair) {
      if (pair_.size() != 2) return Unexpected("an array of " + std::to_string(pair_.size()));
      if (!AddMerge(std::move(pair_[0]), std::move(pair_[1]))) return false;
    }
    path_.resize(levels_.back().path_bytes);
    list_ = levels_.back().list;
    levels_.pop_back();
    return true;
  }

  bool MergeText(const std::string& text) {
    if (text.starts_with("#version"))
      return true;  // the first line of a merges.txt; skipped by the original too
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
      return Unexpected(QuotedToken(text));
    return AddMerge(text.substr(0, space), text.substr(space + 1));
  }

  bool MergePart(std::string& text) {
    if (pair_.size() == 2) return Unexpected("an array of more than two");
    pair_.push_back(std::move(text));
    return true;
  }

  bool AddMerge(std::string left, std::string right) {
    if (merges.size() >= kMaxMerges) {
      return Stop(Unsupported("/model/merges: more than " + std::to_string(kMaxMerges) + " merges"));
    }
    merges.emplace_back(std::move(left), std::move(right));
    return true;
  }

  std::vector<Level> levels_;
  std::string path_;  // of the innermost open object or array outside the lists
  std::string key_;
  List list_ = List::kNone;
  std::vector<std::string> pair_;
};

// The settings by path, with checks.
class Settings {
 public:
  explicit Settings(const Collector& collector) : settings_(collector.settings) {}

  // Null where the file has nothing.
  const json& operator[](std::string_view path) const {
    static const json kNull;
    const auto found = settings_.find(path);
    return found == settings_.end() ? kNull : found->second;
  }

  // kUnsupported unless the value is one of `allowed`; null allows it to be absent.
  Status Expect(std::string_view path, std::initializer_list<json> allowed) const {
    const json& found = (*this)[path];
    std::string expected;
    for (const json& value : allowed) {
      if (found == value) return OkStatus();
      expected += (expected.empty() ? "" : " or ") + Show(value);
    }
    return Unsupported(std::string(path) + " is " + Show(found) + ", expected " + expected);
  }

 private:
  const std::map<std::string, json, std::less<>>& settings_;
};

// Refuses everything under which the stock tokenizer would give other tokens than ours (but for NFC).
Status CheckSettings(const Settings& s) {
  PITH_RETURN_IF_ERROR(s.Expect("/model/type", {"BPE"}));
  PITH_RETURN_IF_ERROR(s.Expect("/model/dropout", {nullptr, 0.0}));
  PITH_RETURN_IF_ERROR(s.Expect("/model/continuing_subword_prefix", {nullptr, ""}));
  PITH_RETURN_IF_ERROR(s.Expect("/model/end_of_word_suffix", {nullptr, ""}));
  PITH_RETURN_IF_ERROR(s.Expect("/model/byte_fallback", {false, nullptr}));
  PITH_RETURN_IF_ERROR(s.Expect("/model/ignore_merges", {false, true, nullptr}));

  if (!s["/normalizer"].is_null()) PITH_RETURN_IF_ERROR(s.Expect("/normalizer/type", {"NFC"}));
  if (!s["/decoder"].is_null()) PITH_RETURN_IF_ERROR(s.Expect("/decoder/type", {"ByteLevel"}));

  PITH_RETURN_IF_ERROR(s.Expect("/pre_tokenizer/type", {"Sequence"}));
  const std::string split = "/pre_tokenizer/pretokenizers/0";
  PITH_RETURN_IF_ERROR(s.Expect(split + "/type", {"Split"}));
  PITH_RETURN_IF_ERROR(s.Expect(split + "/pattern/Regex", {std::string(kQwenPattern)}));
  PITH_RETURN_IF_ERROR(s.Expect(split + "/behavior", {"Isolated"}));
  PITH_RETURN_IF_ERROR(s.Expect(split + "/invert", {false}));
  const std::string byte_level = "/pre_tokenizer/pretokenizers/1";
  PITH_RETURN_IF_ERROR(s.Expect(byte_level + "/type", {"ByteLevel"}));
  PITH_RETURN_IF_ERROR(s.Expect(byte_level + "/add_prefix_space", {false}));
  PITH_RETURN_IF_ERROR(s.Expect(byte_level + "/use_regex", {false}));
  return s.Expect("/pre_tokenizer/pretokenizers/2", {nullptr});
}

Status ReadAddedTokens(const Settings& s, std::vector<AddedToken>& added) {
  const json& list = s["/added_tokens"];
  if (list.is_null()) return OkStatus();
  if (!list.is_array()) return Corrupt("/added_tokens is " + Show(list) + ", expected an array");
  for (size_t i = 0;; ++i) {
    const std::string place = "/added_tokens/" + std::to_string(i);
    if (s[place].is_null()) return OkStatus();
    const json& id = s[place + "/id"];
    const json& content = s[place + "/content"];
    const json& special = s[place + "/special"];
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= kMaxTokenIds) {
      return Corrupt(place + "/id is " + Show(id) + ", expected 0 to " + std::to_string(kMaxTokenIds - 1));
    }
    if (!content.is_string()) return Corrupt(place + "/content is " + Show(content) + ", expected a string");
    if (!special.is_boolean() && !special.is_null()) {
      return Corrupt(place + "/special is " + Show(special) + ", expected true or false");
    }
    added.push_back(
        {id.get<TokenId>(), content.get<std::string>(), special.is_boolean() && special.get<bool>()});
  }
}

// `lists`: vocabulary and merges, where they are not among what was collected.
Result<Vocabulary> Build(const Collector& collector, TokenizerLists* lists) {
  const Settings settings(collector);
  PITH_RETURN_IF_ERROR(CheckSettings(settings));
  if (!settings["/model/vocab"].is_object()) {
    return Corrupt("/model/vocab is " + Show(settings["/model/vocab"]) + ", expected an object");
  }
  if (!settings["/model/merges"].is_array()) {
    return Corrupt("/model/merges is " + Show(settings["/model/merges"]) + ", expected an array");
  }
  ByteLevelParts parts{.tokens_place = "/model/vocab", .merges_place = "/model/merges", .added_place = "/added_tokens"};
  PITH_RETURN_IF_ERROR(ReadAddedTokens(settings, parts.added));
  const json& ignore_merges = settings["/model/ignore_merges"];
  parts.ignore_merges = ignore_merges.is_boolean() && ignore_merges.get<bool>();
  if (lists != nullptr) {
    parts.tokens = std::move(lists->vocab);
    parts.merges = std::move(lists->merges);
    return BuildVocabulary(std::move(parts));
  }
  parts.tokens.reserve(collector.vocab.size());
  for (const Collector::VocabEntry& entry : collector.vocab) parts.tokens.push_back({entry.token, entry.id});
  parts.merges.assign(collector.merges.begin(), collector.merges.end());
  return BuildVocabulary(std::move(parts));
}

Result<Vocabulary> Parse(std::string_view text) {
  if (std::optional<TokenizerLists> lists = ReadTokenizerLists(text)) {
    Collector collector;
    if (json::sax_parse(lists->rest.begin(), lists->rest.end(), &collector)) return Build(collector, &*lists);
    // Once more as a whole, because messages name lines and columns.
  }
  Collector collector;
  if (!json::sax_parse(text.begin(), text.end(), &collector)) return collector.status;
  return Build(collector, nullptr);
}

}  // namespace

Result<Vocabulary> ReadHuggingFaceJson(std::string_view text) {
  const std::string context = "tokenizer.json";
  if (text.size() > kMaxTokenizerJsonBytes) {
    return Unsupported(context + ": " + std::to_string(text.size()) + " bytes, expected at most " +
                       std::to_string(kMaxTokenizerJsonBytes));
  }
  Result<Vocabulary> vocabulary = Parse(text);
  if (!vocabulary.ok()) return vocabulary.status().WithContext(context);
  return vocabulary;
}

}  // namespace pith
