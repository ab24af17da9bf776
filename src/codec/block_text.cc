#include "codec/block_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "archive/archive_format.h"
#include "base/check.h"
#include "charset/encoding_guess.h"
#include "codec/model_block.h"

namespace pith {
namespace {

static_assert(kMaxEncoding == kLastCharacterEncoding && kMaxTextBytesPerByte == kMaxUtf8BytesPerByte);

Result<std::vector<TokenId>> TokensOf(TokenModel& model, ByteSpan text) {
  std::vector<TokenId> tokens;
  PITH_RETURN_IF_ERROR(model.Tokenize(text, tokens));
  return tokens;
}

// Nothing for no encoding, and where the content's bytes would not come back from the text.
std::optional<EncodedText> TextIn(CharacterEncoding encoding, ByteSpan content) {
  if (encoding == CharacterEncoding::kNone) return std::nullopt;
  std::string text = ToUtf8(encoding, content);
  const std::optional<Bytes> back = FromUtf8(encoding, text, content.size());
  if (!back || !std::equal(back->begin(), back->end(), content.begin(), content.end())) return std::nullopt;
  return EncodedText{encoding, std::move(text)};
}

}  // namespace

std::optional<EncodedText> WideTextOf(ByteSpan content) {
  std::optional<EncodedText> wide = TextIn(Utf16At(content), content);
  if (wide && wide->text.size() > content.size()) wide.reset();
  return wide;
}

Result<Bytes> ContentOf(CharacterEncoding encoding, ByteSpan text, uint64_t content_size) {
  std::optional<Bytes> content = FromUtf8(encoding, AsText(text), content_size);
  if (!content || content->size() != content_size) {
    return Corrupt("its text is no " + std::string(CharacterEncodingName(encoding)) + " of " + std::to_string(content_size) + " bytes");
  }
  return *std::move(content);
}

Result<std::optional<EncodedText>> TextOfContent(TokenModel* model, ByteSpan content) {
  if (model == nullptr) return TextIn(Utf16At(content), content);
  const CodeBytes code_bytes = [&](ByteSpan text) -> Result<size_t> {
    PITH_ASSIGN_OR_RETURN(std::vector<TokenId> tokens, TokensOf(*model, text));
    const AfterTokens go_on = [](uint64_t, uint64_t) -> Result<bool> { return true; };
    PITH_ASSIGN_OR_RETURN(const std::optional<CodedTokens> coded,
                          EncodeTokens(*model, std::move(tokens), 1, /*adaptive=*/false, 0, nullptr, go_on));
    PITH_CHECK(coded.has_value());
    return coded->code.size();
  };
  PITH_ASSIGN_OR_RETURN(const CharacterEncoding encoding, GuessEncoding(content, code_bytes));
  return TextIn(encoding, content);
}

Result<BlockText> TokenizeBlock(TokenModel& model, ByteSpan content) {
  PITH_ASSIGN_OR_RETURN(const std::optional<EncodedText> encoded, TextOfContent(&model, content));
  const ByteSpan text = encoded ? AsBytes(encoded->text) : content;
  PITH_ASSIGN_OR_RETURN(std::vector<TokenId> tokens, TokensOf(model, text));
  return BlockText{encoded ? encoded->encoding : CharacterEncoding::kNone, text.size(), std::move(tokens)};
}

uint64_t BlockTextBytes(CharacterEncoding encoding, uint64_t content_size) {
  return encoding == CharacterEncoding::kNone ? 0 : kMaxUtf8BytesPerByte * content_size;
}

}  // namespace pith
