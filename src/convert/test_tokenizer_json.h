// A made-up tokenizer.json for the tests of this folder: ids 0 to 7, two merges, three added tokens.
#pragma once

#include <string>

namespace pith {

inline constexpr const char* kTestPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";

struct TestTokenizerJson {
  std::string vocab = R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4})";
  std::string merges = R"([["a", "b"], ["ab", "c"]])";
  std::string added = R"([{"id": 5, "content": "<|end|>", "special": true},
      {"id": 6, "content": "<think>", "special": false}, {"id": 7, "content": "<|fim|>", "special": false}])";
  std::string model_type = "BPE";
  std::string pattern = kTestPattern;
  std::string normalizer = R"({"type": "NFC"})";
  std::string post_processor = R"({"type": "ByteLevel", "trim_offsets": false})";
  std::string more_model;  // members of "model", each after a comma

  std::string Text() const {
    return R"({"version": "1.0", "added_tokens": )" + added + R"(, "normalizer": )" + normalizer +
           R"(, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ")" +
           pattern + R"("}, "behavior": "Isolated", "invert": false},
              {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}, "post_processor": )" +
           post_processor + R"(, "decoder": {"type": "ByteLevel"}, "model": {"type": ")" + model_type +
           R"(", "dropout": null, "byte_fallback": false, "vocab": )" + vocab + R"(, "merges": )" + merges +
           more_model + "}}";
  }
};

}  // namespace pith
