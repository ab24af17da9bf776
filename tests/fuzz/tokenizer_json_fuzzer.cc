// Fuzzes the two readers of tokenizers and the encoder: no input may crash, and every tokenizer that is
// accepted keeps the promises of tokenizer.h.
//
// The first byte chooses what the rest is: a tokenizer.json, the binary form, or merges of a vocabulary and a
// text, whose tokens must be those of the slow twin.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_testing.h"

namespace {

using namespace pith;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::vector<TokenId> RoundTrip(const Tokenizer& t, std::string_view text) {
  std::vector<TokenId> ids;
  t.Encode(AsBytes(text), ids);
  for (const TokenId id : ids) Require(t.IsData(id) && id < t.vocab_size());
  Bytes back;
  Require(t.Decode(ids, back).ok());
  Require(AsText(back) == text);
  return ids;
}

void CheckPromises(const Tokenizer& t, std::string_view text) {
  const std::vector<TokenId> ids = RoundTrip(t, text);
  const Bytes form = t.Serialize();
  const Result<Tokenizer> again = Tokenizer::Deserialize(form);
  Require(again.ok());
  Require(again->Serialize() == form);
  Require(RoundTrip(*again, text) == ids);
  for (const AddedToken& token : t.added_tokens()) {
    Require(!t.IsData(token.id) && t.FindAddedToken(token.content) == token.id);
    RoundTrip(t, token.content);
  }
}

// Merges as pairs of bytes that name earlier pieces, up to a pair of equal bytes 0xff; then the text.
void CompareWithSlowTwin(std::string_view input) {
  TestVocabulary vocabulary;
  std::vector<std::string> pieces = {"a", "b", "c", " ", "\n", "'", "s", "1", ".", "\xc3", "\xa9", "\xff"};
  size_t at = 0;
  for (; at + 1 < input.size() && vocabulary.merges.size() < 200; at += 2) {
    const auto left = static_cast<uint8_t>(input[at]);
    const auto right = static_cast<uint8_t>(input[at + 1]);
    if (left == 0xff && right == 0xff) {
      at += 2;
      break;
    }
    const std::string product = pieces[left % pieces.size()] + pieces[right % pieces.size()];
    if (product.size() > 64) continue;
    vocabulary.AddMerge(pieces[left % pieces.size()], pieces[right % pieces.size()]);
    pieces.push_back(product);
  }
  // Rotated, so that merges may use what a later one makes.
  const size_t shift = input.empty() ? 0 : static_cast<uint8_t>(input[0]) % (vocabulary.merges.size() + 1);
  std::rotate(vocabulary.merges.begin(), vocabulary.merges.begin() + static_cast<std::ptrdiff_t>(shift),
              vocabulary.merges.end());
  vocabulary.ignore_merges = input.size() % 4 == 3;
  const std::string_view text = input.substr(std::min(at, input.size())).substr(0, 400);
  const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(vocabulary.Json().dump());
  Require(t.ok());
  CheckPromises(*t, text);
  Require(RoundTrip(*t, text) == vocabulary.EncodeSlowly(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input = AsText({data + 1, size - 1});
  if (data[0] % 3 == 0) {
    const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(input);
    if (t.ok()) CheckPromises(*t, input);
  } else if (data[0] % 3 == 1) {
    const Result<Tokenizer> t = Tokenizer::Deserialize(AsBytes(input));
    if (t.ok()) {
      Require(t->Serialize() == Bytes(data + 1, data + size));
      CheckPromises(*t, input);
    }
  } else {
    CompareWithSlowTwin(input);
  }
  return 0;
}
