#include "formats/litertlm.h"

#include <flatbuffers/flatbuffers.h>
#include <zlib.h>

#include <algorithm>
#include <flatbuffers/flatbuffers.h>
#include <cstring>

#include "base/check.h"
#include "formats/litertlm_header_generated.h"

namespace pith {
namespace {

namespace fb = litertlm_schema;
using flatbuffers::Offset;

constexpr size_t kHeaderOffset = 32;  // of the flatbuffer

Offset<fb::KeyValuePair> EncodeItem(flatbuffers::FlatBufferBuilder& builder, const LitertlmItem& item) {
  const auto key = builder.CreateString(item.key);
  fb::VData type = fb::VData_NONE;
  Offset<void> value;
  if (const auto* text = std::get_if<std::string>(&item.value)) {
    type = fb::VData_StringValue;
    value = fb::CreateStringValue(builder, builder.CreateString(*text)).Union();
  } else if (const auto* flag = std::get_if<bool>(&item.value)) {
    type = fb::VData_Bool;
    value = fb::CreateBool(builder, *flag).Union();
  } else if (const auto* number = std::get_if<int64_t>(&item.value)) {
    type = fb::VData_Int64;
    value = fb::CreateInt64(builder, *number).Union();
  } else if (const auto* size = std::get_if<uint64_t>(&item.value)) {
    type = fb::VData_UInt64;
    value = fb::CreateUInt64(builder, *size).Union();
  } else {
    type = fb::VData_Double;
    value = fb::CreateDouble(builder, std::get<double>(item.value)).Union();
  }
  return fb::CreateKeyValuePair(builder, key, type, value);
}

LitertlmItem DecodeItem(const fb::KeyValuePair& pair) {
  LitertlmItem item;
  item.key = pair.key()->str();
  switch (pair.value_type()) {
    case fb::VData_UInt8:
      item.value = uint64_t{pair.value_as_UInt8()->value()};
      break;
    case fb::VData_Int8:
      item.value = int64_t{pair.value_as_Int8()->value()};
      break;
    case fb::VData_UInt16:
      item.value = uint64_t{pair.value_as_UInt16()->value()};
      break;
    case fb::VData_Int16:
      item.value = int64_t{pair.value_as_Int16()->value()};
      break;
    case fb::VData_UInt32:
      item.value = uint64_t{pair.value_as_UInt32()->value()};
      break;
    case fb::VData_Int32:
      item.value = int64_t{pair.value_as_Int32()->value()};
      break;
    case fb::VData_UInt64:
      item.value = pair.value_as_UInt64()->value();
      break;
    case fb::VData_Int64:
      item.value = pair.value_as_Int64()->value();
      break;
    case fb::VData_Float32:
      item.value = double{pair.value_as_Float32()->value()};
      break;
    case fb::VData_Double:
      item.value = pair.value_as_Double()->value();
      break;
    case fb::VData_Bool:
      item.value = pair.value_as_Bool()->value();
      break;
    case fb::VData_StringValue: {
      const flatbuffers::String* text = pair.value_as_StringValue()->value();
      item.value = text != nullptr ? text->str() : std::string();
      break;
    }
    default:
      item.value = std::string("(of a type unknown to this build)");
  }
  return item;
}

// `n_bytes` counts the text of all items.
Status DecodeItems(const flatbuffers::Vector<Offset<fb::KeyValuePair>>* pairs, size_t& n_bytes,
                   std::vector<LitertlmItem>& items) {
  if (pairs == nullptr) return OkStatus();
  for (const fb::KeyValuePair* pair : *pairs) {
    items.push_back(DecodeItem(*pair));
    const auto* text = std::get_if<std::string>(&items.back().value);
    n_bytes += sizeof(LitertlmItem) + items.back().key.size() + (text != nullptr ? text->size() : 0);
    if (n_bytes > kMaxLitertlmItemBytes) {
      return Unsupported("header: items of more than " + std::to_string(kMaxLitertlmItemBytes) + " bytes");
    }
  }
  return OkStatus();
}

bool EqualInAnyCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

Status CheckSections(const std::vector<LitertlmSection>& sections, uint64_t header_end, uint64_t file_bytes) {
  for (size_t i = 0; i < sections.size(); ++i) {
    const LitertlmSection& s = sections[i];
    const std::string at = "section " + std::to_string(i) + " (" + LitertlmSectionName(s.type) + ")";
    if (s.begin < header_end || s.begin > s.end || s.end > file_bytes) {
      return Corrupt(at + ": bytes " + std::to_string(s.begin) + " to " + std::to_string(s.end) +
                     ", expected within " + std::to_string(header_end) + " to " + std::to_string(file_bytes) +
                     (s.end > file_bytes ? "; the file is cut short" : ""));
    }
    for (size_t j = 0; j < i; ++j) {
      if (s.begin < sections[j].end && sections[j].begin < s.end) {
        return Corrupt(at + ": overlaps section " + std::to_string(j));
      }
    }
  }
  return OkStatus();
}

}  // namespace

std::string LitertlmSectionName(LitertlmSectionType type) {
  switch (type) {
    case LitertlmSectionType::kGeneric:
      return "generic data";
    case LitertlmSectionType::kTflite:
      return "TFLite model";
    case LitertlmSectionType::kSentencePiece:
      return "SentencePiece tokenizer";
    case LitertlmSectionType::kLlmMetadata:
      return "LLM metadata";
    case LitertlmSectionType::kTokenizerZlib:
      return "Hugging Face tokenizer (zlib)";
    case LitertlmSectionType::kTfliteWeights:
      return "TFLite weights";
    case LitertlmSectionType::kEmbeddingMetadata:
      return "embedding metadata";
    case LitertlmSectionType::kExecutorMetadata:
      return "executor metadata";
  }
  return "type " + std::to_string(static_cast<int>(type));
}

std::string LitertlmItem::ValueText() const {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* size = std::get_if<uint64_t>(&value)) return std::to_string(*size);
  return std::to_string(std::get<double>(value));
}

const std::string* LitertlmSection::Find(std::string_view key) const {
  for (const LitertlmItem& item : items) {
    if (EqualInAnyCase(item.key, key)) return std::get_if<std::string>(&item.value);
  }
  return nullptr;
}

bool LitertlmSection::HasModelType(std::string_view model_type) const {
  const std::string* found = Find("model_type");
  return found != nullptr && EqualInAnyCase(*found, model_type);
}

Result<Bytes> EncodeLitertlmHeader(const LitertlmHeader& header) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);  // as LiteRT-LM's own builder, which writes every field
  const auto list = [&](const std::vector<LitertlmItem>& items) {
    std::vector<Offset<fb::KeyValuePair>> pairs;
    for (const LitertlmItem& item : items) pairs.push_back(EncodeItem(builder, item));
    return builder.CreateVector(pairs);
  };
  const auto system = fb::CreateSystemMetadata(builder, list(header.system));
  std::vector<Offset<fb::SectionObject>> objects;
  for (const LitertlmSection& s : header.sections) {
    objects.push_back(fb::CreateSectionObject(builder, list(s.items), s.begin, s.end,
                                              static_cast<fb::AnySectionDataType>(s.type)));
  }
  const auto sections = fb::CreateSectionMetadata(builder, builder.CreateVector(objects));
  fb::FinishLiteRTLMMetaDataBuffer(builder, fb::CreateLiteRTLMMetaData(builder, system, sections));

  const uint64_t end = kHeaderOffset + builder.GetSize();
  if (end > kLitertlmBlock) {
    return InvalidArgument("the header of a .litertlm file takes " + std::to_string(end) + " bytes, expected at most " +
                           std::to_string(kLitertlmBlock));
  }
  Bytes out(kLitertlmMagic.begin(), kLitertlmMagic.end());
  ByteWriter w(out);
  for (const uint32_t v : header.version) w.U32(v);
  w.U32(0);
  w.U64(end);
  PITH_CHECK(w.size() == kHeaderOffset);
  w.Raw({builder.GetBufferPointer(), builder.GetSize()});
  out.resize(kLitertlmBlock);
  return out;
}

Result<LitertlmHeader> DecodeLitertlmHeader(ByteSpan file) {
  if (!LooksLikeLitertlm(file)) return Corrupt("not a .litertlm file: it does not begin with LITERTLM");
  if (file.size() < kHeaderOffset) return Corrupt(std::to_string(file.size()) + " bytes, cut short within the header");
  ByteReader r(file);
  r.Raw(kLitertlmMagic.size());
  LitertlmHeader header;
  for (uint32_t& v : header.version) v = r.U32();
  r.U32();
  const uint64_t end = r.U64();
  if (header.version[0] != kLitertlmMajor) {
    return Unsupported("version " + std::to_string(header.version[0]) + " of the .litertlm format; this build reads version " +
                       std::to_string(kLitertlmMajor));
  }
  if (end < kHeaderOffset + 8 || end > kLitertlmBlock || end > file.size()) {
    return Corrupt("header: ends at byte " + std::to_string(end) + ", expected at most " +
                   std::to_string(std::min<uint64_t>(kLitertlmBlock, file.size())));
  }
  // A copy, for alignment: the flatbuffer is small.
  const std::vector<uint64_t> aligned = [&] {
    std::vector<uint64_t> copy((end - kHeaderOffset + 7) / 8);
    std::memcpy(copy.data(), file.data() + kHeaderOffset, end - kHeaderOffset);
    return copy;
  }();
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier(data, end - kHeaderOffset);
  if (!fb::VerifyLiteRTLMMetaDataBuffer(verifier)) return Corrupt("header: its flatbuffer is damaged");
  const fb::LiteRTLMMetaData& root = *fb::GetLiteRTLMMetaData(data);
  size_t n_item_bytes = 0;
  if (root.system_metadata() != nullptr) {
    PITH_RETURN_IF_ERROR(DecodeItems(root.system_metadata()->entries(), n_item_bytes, header.system));
  }
  if (root.section_metadata() == nullptr) return Corrupt("header: it lists no sections");
  const auto* objects = root.section_metadata()->objects();
  if (objects->size() > kMaxLitertlmSections) {
    return Unsupported("header: " + std::to_string(objects->size()) + " sections, expected at most " +
                       std::to_string(kMaxLitertlmSections));
  }
  for (const fb::SectionObject* object : *objects) {
    LitertlmSection section;
    section.type = static_cast<LitertlmSectionType>(object->data_type());
    PITH_RETURN_IF_ERROR(DecodeItems(object->items(), n_item_bytes, section.items));
    section.begin = object->begin_offset();
    section.end = object->end_offset();
    header.sections.push_back(std::move(section));
  }
  PITH_RETURN_IF_ERROR(CheckSections(header.sections, end, file.size()));
  return header;
}

bool LooksLikeLitertlm(ByteSpan head) {
  return head.size() >= kLitertlmMagic.size() && AsText(head.first(kLitertlmMagic.size())) == kLitertlmMagic;
}

Bytes EncodeTokenizerSection(ByteSpan tokenizer_json) {
  Bytes out;
  ByteWriter(out).U64(tokenizer_json.size());
  uLongf size = compressBound(tokenizer_json.size());
  out.resize(8 + size);
  PITH_CHECK(compress2(out.data() + 8, &size, tokenizer_json.data(), tokenizer_json.size(), 9) == Z_OK);
  out.resize(8 + size);
  return out;
}

Result<Bytes> DecodeTokenizerSection(ByteSpan section) {
  ByteReader r(section);
  const uint64_t size = r.U64();
  if (!r.ok()) return Corrupt("tokenizer section: cut short");
  // Deflate reaches a factor of 1032 at most: a size beyond that is a lie, found before memory is taken.
  if (size > kMaxTokenizerJsonBytes || size > (section.size() - 8) * 1040) {
    return Corrupt("tokenizer section: says " + std::to_string(size) + " bytes, more than " +
                   std::to_string(section.size() - 8) + " compressed ones can hold or than this build takes");
  }
  Bytes out(size);
  uLongf length = size;
  uLong used = section.size() - 8;
  const int code = uncompress2(out.data(), &length, section.data() + 8, &used);
  if (code != Z_OK || length != size) return Corrupt("tokenizer section: its zlib stream is damaged");
  return out;
}

}  // namespace pith
