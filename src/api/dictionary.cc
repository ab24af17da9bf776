// Dictionary of include/pith/pith.h, over the codec's TextDictionary.
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/dictionary_impl.h"
#include "api/model_impl.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/block_text.h"

namespace pith {

static_assert(kDictionaryBytes == kDefaultDictionaryBytes);

Dictionary::Dictionary(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dictionary::Dictionary(Dictionary&&) noexcept = default;
Dictionary& Dictionary::operator=(Dictionary&&) noexcept = default;
Dictionary::~Dictionary() = default;

Result<Dictionary> Dictionary::Open(const std::string& path) {
  return AtBoundary([&]() -> Result<Dictionary> {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    Result<Dictionary> dictionary = Parse(file->bytes());
    if (!dictionary.ok()) return dictionary.status().WithContext(path);
    return dictionary;
  });
}

Result<Dictionary> Dictionary::Parse(std::span<const uint8_t> file) {
  return AtBoundary([&]() -> Result<Dictionary> {
    PITH_ASSIGN_OR_RETURN(TextDictionary text, TextDictionary::Parse(file));
    return Dictionary(std::make_unique<Impl>(std::move(text)));
  });
}

Result<Dictionary> Dictionary::Train(std::span<const std::span<const uint8_t>> samples, size_t size, Model* model) {
  return AtBoundary([&]() -> Result<Dictionary> {
    TokenModel* token_model = nullptr;
    if (model != nullptr) {
      PITH_ASSIGN_OR_RETURN(token_model, model->impl().ForContext(model->impl().ContextFor(0)));
    }
    std::vector<std::span<const uint8_t>> texts(samples.begin(), samples.end());
    std::list<std::string> encoded;  // what some of `texts` are views of
    for (std::span<const uint8_t>& text : texts) {
      PITH_ASSIGN_OR_RETURN(std::optional<EncodedText> found, TextOfContent(token_model, text));
      if (found) text = AsBytes(encoded.emplace_back(std::move(found->text)));
    }
    PITH_ASSIGN_OR_RETURN(TextDictionary text, TrainDictionary(texts, size));
    return Dictionary(std::make_unique<Impl>(std::move(text)));
  });
}

std::vector<uint8_t> Dictionary::Serialize() const { return impl_->text.Serialize(); }
std::string Dictionary::id() const { return Hex(impl_->text.id(), 16).substr(2); }
size_t Dictionary::size() const { return impl_->text.content().size(); }

}  // namespace pith
