#include "convert/model_folder.h"

#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "formats/json.h"

namespace pith {
namespace {

// A file that need not be there: null where it is not.
Result<std::unique_ptr<MappedFile>> OpenIfThere(const std::string& path) {
  Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) return std::unique_ptr<MappedFile>();
  return file;
}

// JSON null where the file is not there.
Result<Json> ParseIfThere(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, OpenIfThere(path));
  if (file == nullptr) return Json();
  PITH_ASSIGN_OR_RETURN(Json json, Json::Parse(file->bytes(), path));
  if (json.kind() != Json::Kind::kObject) {
    return Corrupt(path + ": found " + std::string(json.KindName()) + ", expected an object");
  }
  return json;
}

const Json* FindSet(const Json& object, std::string_view key) {
  const Json* value = object.Find(key);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

// The fields of one JSON file about token ids and sampling.
class SettingsReader {
 public:
  SettingsReader(const Json& object, std::string where, size_t vocab)
      : object_(object), where_(std::move(where)), vocab_(vocab) {}

  // A number, or a list of numbers. Leaves `out` where the field is absent.
  Status Ids(std::string_view key, std::vector<uint32_t>& out) const {
    const Json* value = FindSet(object_, key);
    if (value == nullptr) return OkStatus();
    std::vector<uint32_t> ids;
    if (value->kind() == Json::Kind::kArray) {
      for (const Json& item : value->items()) PITH_RETURN_IF_ERROR(AppendId(key, item, ids));
    } else {
      PITH_RETURN_IF_ERROR(AppendId(key, *value, ids));
    }
    out = std::move(ids);
    return OkStatus();
  }
  Status Id(std::string_view key, std::optional<uint32_t>& out) const {
    std::vector<uint32_t> ids;
    PITH_RETURN_IF_ERROR(Ids(key, ids));
    if (!ids.empty()) out = ids.front();
    return OkStatus();
  }
  Status Number(std::string_view key, std::optional<double>& out) const {
    const Json* value = FindSet(object_, key);
    if (value == nullptr) return OkStatus();
    out = value->AsNumber();
    return out ? OkStatus() : WrongType(key, *value, "a number");
  }
  Status Count(std::string_view key, std::optional<uint32_t>& out) const {
    const Json* value = FindSet(object_, key);
    if (value == nullptr) return OkStatus();
    const std::optional<uint64_t> n = value->AsUnsigned();
    if (!n || *n > INT32_MAX) return WrongType(key, *value, "an integer from 0 to 2147483647");
    out = static_cast<uint32_t>(*n);
    return OkStatus();
  }
  Status Bool(std::string_view key, bool& out) const {
    const Json* value = FindSet(object_, key);
    if (value == nullptr) return OkStatus();
    const std::optional<bool> b = value->AsBool();
    if (!b) return WrongType(key, *value, "true or false");
    out = *b;
    return OkStatus();
  }

 private:
  Status AppendId(std::string_view key, const Json& item, std::vector<uint32_t>& ids) const {
    const std::optional<uint64_t> id = item.AsUnsigned();
    if (!id) return WrongType(key, item, "a token id");
    if (*id >= vocab_) {
      return Corrupt(where_ + ": " + std::string(key) + ": found " + std::to_string(*id) +
                     ", expected below vocab_size, " + std::to_string(vocab_));
    }
    ids.push_back(static_cast<uint32_t>(*id));
    return OkStatus();
  }
  Status WrongType(std::string_view key, const Json& found, const std::string& expected) const {
    return Corrupt(where_ + ": " + std::string(key) + ": found " + std::string(found.KindName()) +
                   ", expected " + expected);
  }

  const Json& object_;
  std::string where_;
  size_t vocab_;
};

Status ReadIds(const SettingsReader& reader, GenerationSettings& out) {
  PITH_RETURN_IF_ERROR(reader.Ids("eos_token_id", out.eos_ids));
  PITH_RETURN_IF_ERROR(reader.Id("bos_token_id", out.bos_id));
  return reader.Id("pad_token_id", out.pad_id);
}

Result<GenerationSettings> ReadGeneration(const std::string& directory, size_t vocab) {
  GenerationSettings out;
  const std::string config_path = directory + "/config.json";
  PITH_ASSIGN_OR_RETURN(const Json config, ParseIfThere(config_path));
  PITH_RETURN_IF_ERROR(ReadIds(SettingsReader(config, config_path, vocab), out));
  const std::string path = directory + "/generation_config.json";
  PITH_ASSIGN_OR_RETURN(const Json json, ParseIfThere(path));
  const SettingsReader reader(json, path, vocab);
  PITH_RETURN_IF_ERROR(ReadIds(reader, out));
  PITH_RETURN_IF_ERROR(reader.Bool("do_sample", out.do_sample));
  PITH_RETURN_IF_ERROR(reader.Number("temperature", out.temperature));
  PITH_RETURN_IF_ERROR(reader.Number("top_p", out.top_p));
  PITH_RETURN_IF_ERROR(reader.Count("top_k", out.top_k));
  return out;
}

Result<std::string> ReadChatTemplate(const std::string& directory) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file,
                        OpenIfThere(directory + "/chat_template.jinja"));
  if (file != nullptr) return std::string(AsText(file->bytes()));
  const std::string path = directory + "/tokenizer_config.json";
  PITH_ASSIGN_OR_RETURN(const Json json, ParseIfThere(path));
  const Json* value = FindSet(json, "chat_template");
  if (value == nullptr) return std::string();
  if (const std::string* text = value->AsString()) return *text;
  // A list of named templates: the one called "default".
  for (const Json& item : value->items()) {
    const Json* name = item.Find("name");
    const Json* text = item.Find("template");
    if (name != nullptr && name->AsString() != nullptr && *name->AsString() == "default" && text != nullptr &&
        text->AsString() != nullptr) {
      return *text->AsString();
    }
  }
  return Corrupt(path + ": chat_template: found " + std::string(value->KindName()) +
                 ", expected a string or a list of {name, template} with a default");
}

}  // namespace

std::string FolderName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  path = path.substr(path.rfind('/') + 1);
  return path.empty() || path == "." || path == ".." ? "model" : path;
}

Result<std::unique_ptr<ModelFolder>> ModelFolder::Open(const std::string& directory) {
  std::unique_ptr<ModelFolder> folder(new ModelFolder);
  folder->directory_ = directory;
  folder->name_ = FolderName(directory);
  PITH_ASSIGN_OR_RETURN(folder->checkpoint_, Checkpoint::Open(directory));
  PITH_ASSIGN_OR_RETURN(folder->tokenizer_, OpenIfThere(directory + "/tokenizer.json"));
  PITH_ASSIGN_OR_RETURN(folder->chat_template_, ReadChatTemplate(directory));
  PITH_ASSIGN_OR_RETURN(folder->generation_, ReadGeneration(directory, folder->config().vocab));
  return folder;
}

Status CheckOutputIsNoInput(const std::string& directory, const std::string& output) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(output, error)) return OkStatus();
  static const std::set<std::string> kOutputEndings = {".litertlm", ".gguf", ".onnx", ".onnx_data", ".pmodel"};
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    const std::string ending = path.extension().string();
    if (kOutputEndings.count(ending) == 1) continue;
    std::error_code no_file;  // of this entry
    if (fs::equivalent(path, output, no_file) && fs::is_regular_file(output, no_file)) {
      return InvalidArgument(output + ": is " + path.filename().string() + " of the checkpoint itself; not replaced");
    }
  }
  return OkStatus();
}

}  // namespace pith
