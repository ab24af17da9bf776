// Results as JSON (docs/results_format.md): what is written is read again, and what is read is checked.
#include "report/results.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "formats/json.h"

namespace pith::bench {
namespace {

constexpr const char* kTypeNames[kNFileTypes] = {"prose", "source", "json", "markup", "csv", "log", "text", "binary"};

using Ordered = nlohmann::ordered_json;

constexpr std::string_view kFormat = "pith bench results";
constexpr size_t kMaxValues = 16 << 20;  // of the JSON; 200,000 rows have 6 million
constexpr size_t kSha256Digits = 64;

// ---- Writing ------------------------------------------------------------------------------------------------------

template <typename T>
void AddIfAny(Ordered& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

Ordered ToJson(const Spread& spread) { return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}; }

Ordered ToJson(const Direction& direction) {
  Ordered object = {{"seconds", ToJson(direction.seconds)},
                    {"work_seconds", ToJson(direction.work_seconds)},
                    {"cpu_seconds", ToJson(direction.cpu_seconds)},
                    {"peak_bytes", direction.peak_bytes}};
  AddIfAny(object, "joules", direction.joules);
  return object;
}

Ordered ToJson(const Machine& machine) {
  return {{"processor", machine.processor},
          {"instruction_set", machine.instruction_set},
          {"n_processors", machine.n_processors},
          {"memory_bytes", machine.memory_bytes},
          {"system", machine.system},
          {"energy", machine.energy}};
}

Ordered ToJson(const CodecEntry& codec) {
  return {{"name", codec.name},
          {"version", codec.version},
          {"compress_command", codec.compress_command},
          {"decompress_command", codec.decompress_command},
          {"is_pith", codec.is_pith},
          {"model_bytes", codec.model_bytes},
          {"model", codec.model}};
}

Ordered ToJson(const FileEntry& file) {
  Ordered object = {
      {"path", file.path}, {"type", FileTypeName(file.type)}, {"bytes", file.bytes}, {"sha256", file.sha256}};
  if (file.slice_bytes) {
    object["slice_bytes"] = *file.slice_bytes;
    object["slice_begin"] = file.slice_begin;
  }
  object["error"] = file.error;
  return object;
}

Ordered ToJson(const Row& row) {
  Ordered object = {{"codec", row.codec},
                    {"file", row.file},
                    {"repeats", row.repeats},
                    {"compressed_bytes", row.compressed_bytes},
                    {"compressed_sha256", row.compressed_sha256},
                    {"streams", row.streams}};
  if (row.compress) object["compress"] = ToJson(*row.compress);
  if (row.decompress) object["decompress"] = ToJson(*row.decompress);
  object["error"] = row.error;
  if (!row.note.empty()) object["note"] = row.note;
  return object;
}

Ordered ToJson(const EngineSpeed& speed) {
  Ordered object = {{"name", speed.name},
                    {"threads", speed.threads},
                    {"streams", speed.streams},
                    {"tokens_per_second", speed.tokens_per_second}};
  AddIfAny(object, "int8_share", speed.int8_share);
  AddIfAny(object, "bandwidth_share", speed.bandwidth_share);
  return object;
}

Ordered ToJson(const EngineResults& engine);

template <typename T>
Ordered ToJson(const std::vector<T>& list) {
  Ordered array = Ordered::array();
  for (const T& item : list) array.push_back(ToJson(item));
  return array;
}

Ordered ToJson(const EngineResults& engine) {
  Ordered object = {{"engine", engine.engine}, {"model", engine.model}, {"weight_bytes", engine.weight_bytes}};
  AddIfAny(object, "int8_operations_per_second", engine.int8_operations_per_second);
  AddIfAny(object, "read_bytes_per_second", engine.read_bytes_per_second);
  object["speeds"] = ToJson(engine.speeds);
  return object;
}

// ---- Reading ------------------------------------------------------------------------------------------------------

// A value and the JSON pointer to it. The first failure stays; after it everything reads as empty.
class Place {
 public:
  Place(const Json* value, std::string pointer, Status& status)
      : value_(value), pointer_(std::move(pointer)), status_(status) {}

  Place operator[](const char* key) const {
    const Json* const member = Object() ? value_->Find(key) : nullptr;
    return {member, pointer_ + "/" + key, status_};
  }
  bool Has(const char* key) const { return Object() && value_->Find(key) != nullptr; }

  // Elements of an array, each given to `read` with the vector's new last element.
  template <typename T, typename Read>
  void Into(std::vector<T>& list, Read&& read) const {
    if (!Expect(value_ != nullptr && value_->kind() == Json::Kind::kArray, "an array")) return;
    for (size_t i = 0; i < value_->items().size() && status_.ok(); ++i) {
      read(Place(&value_->items()[i], pointer_ + "/" + std::to_string(i), status_), list.emplace_back());
    }
  }

  void Into(std::string& text) const {
    const std::string* const found = value_ != nullptr ? value_->AsString() : nullptr;
    if (Expect(found != nullptr, "a string")) text = *found;
  }
  void Into(bool& flag) const {
    const std::optional<bool> found = value_ != nullptr ? value_->AsBool() : std::nullopt;
    if (Expect(found.has_value(), "true or false")) flag = *found;
  }
  void Into(uint64_t& number, uint64_t limit = std::numeric_limits<uint64_t>::max()) const {
    // Not std::optional: GCC 12 believes that its value is read where there is none.
    const bool is_integer = value_ != nullptr && value_->AsUnsigned().has_value();
    const uint64_t value = is_integer ? *value_->AsUnsigned() : 0;
    const std::string expected = limit == std::numeric_limits<uint64_t>::max()
                                     ? "an integer of at least 0"
                                     : "an integer from 0 to " + std::to_string(limit);
    if (Expect(is_integer && value <= limit, expected)) number = value;
  }
  void Into(uint32_t& number) const {
    uint64_t wide = 0;
    Into(wide, std::numeric_limits<uint32_t>::max());
    number = static_cast<uint32_t>(wide);
  }
  void Into(double& number) const {
    const double value = value_ != nullptr ? value_->AsNumber().value_or(-1) : -1;
    if (Expect(std::isfinite(value) && value >= 0, "a number of at least 0")) number = value;
  }
  template <typename T>
  void IntoIfAny(const char* key, std::optional<T>& value) const {
    if (Has(key)) (*this)[key].Into(value.emplace());
  }

  void Sha256Into(std::string& text) const {
    Into(text);
    const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
    Expect(text.empty() || (text.size() == kSha256Digits && hex), "64 lower-case hexadecimal digits, or nothing");
  }

  // What stands here is not `expected`, unless `good`.
  bool Expect(bool good, const std::string& expected) const {
    if (good || !status_.ok()) return good && status_.ok();
    status_ = Corrupt(pointer_ + ": " + Found() + ", expected " + expected);
    return false;
  }

 private:
  bool Object() const { return Expect(value_ != nullptr && value_->kind() == Json::Kind::kObject, "an object"); }

  std::string Found() const {
    if (value_ == nullptr) return "missing";
    if (const std::string* text = value_->AsString()) return Quoted(*text);
    if (const std::optional<int64_t> number = value_->AsInteger()) return std::to_string(*number);
    if (const std::optional<double> number = value_->AsNumber()) return std::to_string(*number);
    return std::string(value_->KindName());
  }

  const Json* value_;  // null: missing
  std::string pointer_;
  Status& status_;
};

void Read(const Place& place, Spread& spread) {
  place["min"].Into(spread.min);
  place["median"].Into(spread.median);
  place["max"].Into(spread.max);
  place["median"].Expect(spread.min <= spread.median && spread.median <= spread.max, "a number between min and max");
}

void Read(const Place& place, Direction& direction) {
  Read(place["seconds"], direction.seconds);
  Read(place["work_seconds"], direction.work_seconds);
  Read(place["cpu_seconds"], direction.cpu_seconds);
  place["peak_bytes"].Into(direction.peak_bytes);
  place.IntoIfAny("joules", direction.joules);
}

void Read(const Place& place, Machine& machine) {
  place["processor"].Into(machine.processor);
  place["instruction_set"].Into(machine.instruction_set);
  place["n_processors"].Into(machine.n_processors);
  place["memory_bytes"].Into(machine.memory_bytes);
  place["system"].Into(machine.system);
  place["energy"].Into(machine.energy);
}

void Read(const Place& place, CodecEntry& codec) {
  place["name"].Into(codec.name);
  place["name"].Expect(!codec.name.empty(), "a name");
  place["version"].Into(codec.version);
  place["compress_command"].Into(codec.compress_command);
  place["decompress_command"].Into(codec.decompress_command);
  place["is_pith"].Into(codec.is_pith);
  place["model_bytes"].Into(codec.model_bytes);
  place["model"].Into(codec.model);
}

void Read(const Place& place, FileEntry& file) {
  place["path"].Into(file.path);
  std::string type;
  place["type"].Into(type);
  const std::optional<FileType> known = FileTypeNamed(type);
  if (place["type"].Expect(known.has_value(), "a type of file")) file.type = *known;
  place["bytes"].Into(file.bytes);
  place["sha256"].Sha256Into(file.sha256);
  place.IntoIfAny("slice_bytes", file.slice_bytes);
  if (file.slice_bytes) place["slice_begin"].Into(file.slice_begin);
  place["error"].Into(file.error);
}

void Read(const Place& place, Row& row, size_t n_codecs, size_t n_files) {
  const auto index = [&](const char* key, size_t n, size_t& out) {
    uint64_t value = 0;
    place[key].Into(value);
    if (place[key].Expect(value < n, "an index below " + std::to_string(n))) out = value;
  };
  index("codec", n_codecs, row.codec);
  index("file", n_files, row.file);
  place["repeats"].Into(row.repeats);
  place["compressed_bytes"].Into(row.compressed_bytes);
  place["compressed_sha256"].Sha256Into(row.compressed_sha256);
  place["streams"].Into(row.streams);
  if (place.Has("compress")) Read(place["compress"], row.compress.emplace());
  if (place.Has("decompress")) Read(place["decompress"], row.decompress.emplace());
  place["error"].Into(row.error);
  if (place.Has("note")) place["note"].Into(row.note);
  // Whoever reads the results divides by what a row without error has.
  place["error"].Expect(!row.error.empty() || (row.compress && row.decompress && row.repeats > 0),
                        "a reason why the row is not complete");
}

void Read(const Place& place, EngineSpeed& speed) {
  place["name"].Into(speed.name);
  place["threads"].Into(speed.threads);
  place["streams"].Into(speed.streams);
  place["tokens_per_second"].Into(speed.tokens_per_second);
  place.IntoIfAny("int8_share", speed.int8_share);
  place.IntoIfAny("bandwidth_share", speed.bandwidth_share);
}

void Read(const Place& place, EngineResults& engine) {
  place["engine"].Into(engine.engine);
  place["model"].Into(engine.model);
  place["weight_bytes"].Into(engine.weight_bytes);
  place.IntoIfAny("int8_operations_per_second", engine.int8_operations_per_second);
  place.IntoIfAny("read_bytes_per_second", engine.read_bytes_per_second);
  place["speeds"].Into(engine.speeds, [](const Place& p, EngineSpeed& speed) { Read(p, speed); });
}

void Read(const Place& place, Results& results) {
  place["created"].Into(results.created);
  place["program"].Into(results.program);
  place["command"].Into(results.command);
  place["corpus"].Into(results.corpus);
  place["complete"].Into(results.complete);
  place["repeats"].Into(results.repeats);
  place["warmups"].Into(results.warmups);
  place["threads"].Into(results.threads);
  place["timeout_seconds"].Into(results.timeout_seconds);
  Read(place["machine"], results.machine);
  place["codecs"].Into(results.codecs, [](const Place& p, CodecEntry& codec) { Read(p, codec); });
  std::set<std::string_view> names;
  for (size_t i = 0; i < results.codecs.size(); ++i) {
    place["codecs"].Expect(names.insert(results.codecs[i].name).second,
                           "different names; " + Quoted(results.codecs[i].name) + " occurs twice");
  }
  place["files"].Into(results.files, [](const Place& p, FileEntry& file) { Read(p, file); });
  place["rows"].Into(results.rows,
                     [&](const Place& p, Row& row) { Read(p, row, results.codecs.size(), results.files.size()); });
  place["engines"].Into(results.engines, [](const Place& p, EngineResults& engine) { Read(p, engine); });
}

}  // namespace

const char* FileTypeName(FileType type) { return kTypeNames[static_cast<size_t>(type)]; }

std::optional<FileType> FileTypeNamed(std::string_view name) {
  for (size_t i = 0; i < kNFileTypes; ++i) {
    if (name == kTypeNames[i]) return static_cast<FileType>(i);
  }
  return std::nullopt;
}

std::string WriteResults(const Results& results) {
  const Ordered object = {{"format", kFormat},
                          {"version", kResultsVersion},
                          {"created", results.created},
                          {"program", results.program},
                          {"command", results.command},
                          {"corpus", results.corpus},
                          {"complete", results.complete},
                          {"repeats", results.repeats},
                          {"warmups", results.warmups},
                          {"threads", results.threads},
                          {"timeout_seconds", results.timeout_seconds},
                          {"machine", ToJson(results.machine)},
                          {"codecs", ToJson(results.codecs)},
                          {"files", ToJson(results.files)},
                          {"rows", ToJson(results.rows)},
                          {"engines", ToJson(results.engines)}};
  // File names are any bytes; JSON is UTF-8. What is none becomes U+FFFD.
  return object.dump(1, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

Result<Results> ReadResults(ByteSpan json, const std::string& name) {
  if (json.size() > kMaxResultsBytes) {
    return Unsupported(name + ": " + std::to_string(json.size()) + " bytes, expected at most " +
                       std::to_string(kMaxResultsBytes));
  }
  PITH_ASSIGN_OR_RETURN(const Json root,
                        Json::Parse(json, name, {.max_bytes = kMaxResultsBytes, .max_values = kMaxValues}));
  Status status;
  const Place place(&root, "", status);
  std::string format;
  place["format"].Into(format);
  place["format"].Expect(format == kFormat, Quoted(kFormat));
  uint64_t version = 0;
  place["version"].Into(version);
  if (!status.ok()) return status.WithContext(name);
  if (version != kResultsVersion) {
    return Unsupported(name + ": /version: " + std::to_string(version) + ", expected " +
                       std::to_string(kResultsVersion));
  }
  Results results;
  Read(place, results);
  if (!status.ok()) return status.WithContext(name);
  return results;
}

}  // namespace pith::bench
