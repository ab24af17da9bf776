#include "support/sample_results.h"

#include <cmath>

namespace pith::bench {
namespace {

struct Kind {
  const char* name;
  double factor;                // of the share that a good general compressor reaches on the type
  double compress, decompress;  // bytes a second
  double memory;
  uint64_t model;
  const char* version;
};

constexpr Kind kKinds[] = {
    {"pith -6", 0.64, 96e3, 140e3, 112e6, 3'400'000, "pith 0.1.0"},
    {"zstd -19", 1.03, 2.757e6, 455e6, 92e6, 0, "libzstd 1.5.4"},
    {"xz -9e", 0.99, 2.712e6, 83.3e6, 690e6, 0, "liblzma 5.4.1"},
    {"pith -2", 0.71, 328e3, 333e3, 41e6, 0, "pith 0.1.0"},
    {"zstd -3", 1.28, 210e6, 610e6, 39e6, 0, "libzstd 1.5.4"},
    {"gzip -9", 1.35, 21e6, 310e6, 3.1e6, 0, "zlib 1.2.13"},
    {"bzip2 -9", 1.01, 15e6, 41e6, 9.2e6, 0, "libbz2 1.0.8"},
    {"brotli -11", 1.005, 0.61e6, 330e6, 210e6, 0, "libbrotlienc 1.0.9"},
    {"pith -8", 0.625, 51e3, 71e3, 180e6, 3'400'000, "pith 0.1.0"},
    {"zstd -22 long", 1.015, 1.9e6, 440e6, 1.4e9, 0, "libzstd 1.5.4"},
    {"lz4", 1.9, 480e6, 2.1e9, 17e6, 0, ""},
    {"paq8px -8", 0.55, 19e3, 18.5e3, 1.9e9, 0, ""},
};

constexpr double kTypeShares[kNFileTypes] = {0.30, 0.24, 0.11, 0.22, 0.17, 0.075, 0.27, 0.42};

// A number between 0 and 1 from others, for texture.
double Noise(size_t a, size_t b) {
  const double value = std::sin(static_cast<double>(a * 12'9898 + b * 78'233 + 1)) * 43758.5453;
  return value - std::floor(value);
}

Spread Around(double seconds, double noise) {
  return {seconds, seconds * (1 - 0.03 * noise), seconds * (1 + 0.05 * noise)};
}

Direction TimedAt(double bytes, double speed, double memory, double noise) {
  const double work = bytes / speed;
  Direction direction;
  direction.seconds = Around(work + 0.004, noise);
  direction.work_seconds = Around(work + 0.001, noise);
  direction.cpu_seconds = Around(work * 1.6, noise);
  direction.peak_bytes = static_cast<uint64_t>(memory * 0.7 + std::fmin(memory * 0.3, bytes * 5));
  return direction;
}

Row RowFor(const Results& results, size_t codec, size_t file) {
  const Kind& kind = kKinds[codec % std::size(kKinds)];
  const FileEntry& entry = results.files[file];
  const auto bytes = static_cast<double>(entry.bytes);
  const double noise = Noise(codec, file);
  // Small files compress worse, except by pith's model, which knows something at the start.
  const double start = kind.model > 0 ? 30 : 260;
  double factor = kind.factor * (0.95 + 0.1 * noise);
  if (results.codecs[codec].is_pith && entry.type == FileType::kBinary) factor = 1.05;
  Row row{.codec = codec, .file = file, .repeats = 3};
  row.compressed_bytes = static_cast<uint64_t>(bytes * kTypeShares[static_cast<size_t>(entry.type)] * factor *
                                                   (1 + 3 / std::log2(bytes + 2)) * 0.86 +
                                               start);
  row.compressed_sha256 = std::string(64, 'c');
  row.streams = kind.model > 0 ? (entry.bytes > 300'000 ? 32 : entry.bytes > 20'000 ? 8 : 1) : 0;
  row.compress = TimedAt(bytes, kind.compress * (0.8 + 0.4 * noise), kind.memory, noise);
  row.decompress = TimedAt(bytes, kind.decompress * (0.8 + 0.4 * noise), kind.memory * 0.6, noise);
  return row;
}

Results Empty(size_t n_codecs) {
  Results results;
  results.created = "2026-11-26T05:30:00Z";
  results.program = "pith 0.1.0";
  results.command = "pith bench corpus --repeat 3 --slice 4K,64K,1M";
  results.corpus = "a mixed corpus";
  results.repeats = 3;
  results.warmups = 1;
  results.threads = 2;
  results.timeout_seconds = 600;
  results.machine = {"Example Processor 9000",
                     "avx512vnni",
                     2,
                     8'000'000'000,
                     "Debian GNU/Linux 12 (bookworm), Linux 6.1.0",
                     false};
  for (size_t i = 0; i < n_codecs; ++i) {
    const Kind& kind = kKinds[i % std::size(kKinds)];
    CodecEntry codec;
    codec.name = kind.name;
    if (i >= std::size(kKinds)) codec.name += " again " + std::to_string(i);
    codec.version = kind.version;
    codec.compress_command = codec.name + " {input} -o {output}";
    codec.decompress_command = codec.name + " -d {input} -o {output}";
    codec.is_pith = codec.name.starts_with("pith");
    codec.model_bytes = kind.model;
    if (kind.model > 0) codec.model = "mini, fingerprint 0123456789abcdef";
    results.codecs.push_back(codec);
  }
  return results;
}

void AddFile(Results& results, const std::string& path, FileType type, uint64_t bytes,
             std::optional<uint64_t> slice = {}) {
  results.files.push_back(
      {.path = path, .type = type, .bytes = slice ? std::min(*slice, bytes) : bytes, .sha256 = std::string(64, 'a'), .slice_bytes = slice});
  for (size_t codec = 0; codec < results.codecs.size(); ++codec) {
    results.rows.push_back(RowFor(results, codec, results.files.size() - 1));
  }
}

constexpr const char* kSuffixes[kNFileTypes] = {"md", "cc", "json", "xml", "csv", "log", "txt", "bin"};

}  // namespace

Results SampleResults() {
  Results results = Empty(8);
  const char* const names[] = {"alice", "big", "small"};
  for (size_t type = 0; type < kNFileTypes; ++type) {
    for (size_t i = 0; i < 3; ++i) {
      const auto bytes = static_cast<uint64_t>(i == 0   ? 152'089
                                               : i == 1 ? 1'276'201 + 31'000 * type
                                                        : 9'000 + 700 * type);
      const std::string path =
          std::string("corpus/") + names[i] + "_" + std::to_string(type) + "." + kSuffixes[type];
      AddFile(results, path, static_cast<FileType>(type), bytes);
      if (i != 1) continue;
      for (const uint64_t slice : {4096, 65536, 1048576})
        AddFile(results, path, static_cast<FileType>(type), bytes, slice);
    }
  }
  results.machine.energy = true;
  for (Row& row : results.rows) {
    row.compress->joules = row.compress->cpu_seconds.median * 9.5;
    row.decompress->joules = row.decompress->cpu_seconds.median * 9;
  }
  EngineResults engine{"pith 0.1.0", "mini: 3.4 million parameters", 3'400'000, 3.1e12, 38e9, {}};
  engine.speeds.push_back({"prefill, all logits", 2, 1, 51'234, 0.61, std::nullopt});
  engine.speeds.push_back({"decode", 2, 1, 3'120, std::nullopt, 0.44});
  engine.speeds.push_back({"lockstep decode", 2, 32, 40'870, 0.5, 0.2});
  results.engines.push_back(engine);
  return results;
}

Results FailingResults() {
  Results results = SampleResults();
  results.complete = false;
  results.codecs.push_back({.name = "broken", .compress_command = "false"});
  for (size_t file = 0; file < results.files.size(); ++file) {
    results.rows.push_back(
        {.codec = results.codecs.size() - 1, .file = file, .error = "compress: exit code 1"});
  }
  results.rows[2].error = "decompress: byte 17 differs";
  results.rows[2 + results.codecs.size()].error = "compress: longer than 600 s";
  results.files.push_back({.path = "corpus/secret.txt", .error = "Permission denied"});
  return results;
}

Results ManyResults(size_t n_files, size_t n_codecs) {
  Results results = Empty(n_codecs);
  for (size_t i = 0; i < n_files; ++i) {
    const size_t type = i % kNFileTypes;
    AddFile(
        results,
        "some/folder/of/a/project/with/a/long/name/file_number_" + std::to_string(i) + "." + kSuffixes[type],
        static_cast<FileType>(type), 1000 + static_cast<uint64_t>(3e6 * Noise(i, 7)));
  }
  for (size_t i = 0; i < results.rows.size(); i += 997) results.rows[i].error = "decompress: byte 17 differs";
  return results;
}

Results HostileResults() {
  Results results = Empty(4);
  const std::string names[] = {
      "</script><script>window.hostile = 1</script>",
      "<img src=x onerror=\"window.hostile = 1\">",
      "\" onmouseover=\"window.hostile = 1\" x='",
      "invalid \xff\xfe utf-8 \xc3",
      "right to left \xe2\x80\xae txt.exe",
      "line\nbreak\ttab\x1b[31mred\x01",
      "&lt;already&gt; &amp; escaped <!-- <![CDATA[",
      std::string(5000, 'x') + ".txt",
      "\xd7\xa2\xd7\x91\xd7\xa8\xd7\x99\xd7\xaa 文字 \xf0\x9f\x98\x80.txt",
  };
  for (const std::string& name : names) AddFile(results, name, FileType::kProse, 100'000);
  results.codecs[0].name = "pith <b>-6</b>";
  results.codecs[1].name = "</script><script>window.hostile = 1</script>";
  results.codecs[2].name = "a  name \"with' everything & a length that no column has room for, and more";
  for (CodecEntry& codec : results.codecs) codec.compress_command = codec.name + " > {output}";
  results.corpus = "</title><script>window.hostile = 1</script>";
  results.command = "pith bench '<script>' \xff";
  results.machine.processor = "<svg onload=\"window.hostile = 1\">";
  results.rows[5].error = "</script><script>window.hostile = 1</script>\xe2\x80\xae\xff";
  results.engines.push_back(
      {"<script>window.hostile = 1</script>", "<b>", 1, {}, {}, {{"<i>", 1, 1, 1, {}, {}}}});
  return results;
}

Results ExtremeResults() {
  Results results = Empty(3);
  const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX, 1, 0};
  for (const uint64_t size : sizes)
    AddFile(results, "file " + std::to_string(results.files.size()), FileType::kLog, size);
  AddFile(results, "sliced", FileType::kLog, UINT64_MAX, UINT64_MAX);
  AddFile(results, "sliced", FileType::kLog, 1, 1);
  for (size_t i = 0; i < results.rows.size(); ++i) {
    Row& row = results.rows[i];
    row.compressed_bytes = i % 2 == 0 ? UINT64_MAX : i % 3 == 0 ? 0 : 1;
    const double seconds = i % 4 == 0 ? 0 : i % 4 == 1 ? 5e-324 : i % 4 == 2 ? 1e308 : 1;
    row.compress->seconds = row.decompress->seconds = {seconds, 0, 1e308};
    row.compress->peak_bytes = i % 2 == 0 ? UINT64_MAX : 0;
    row.streams = UINT32_MAX;
  }
  results.codecs[0].model_bytes = UINT64_MAX;
  results.repeats = results.warmups = results.threads = UINT32_MAX;
  results.timeout_seconds = 1e308;
  results.machine.memory_bytes = UINT64_MAX;
  results.engines.push_back({"", "", UINT64_MAX, 1e308, 5e-324, {{"", 0, 0, 1e308, 1e308, 0.0}}});
  return results;
}

Results OneFileResults() {
  Results results = Empty(1);
  results.codecs[0] = {.name = "zstd -19", .version = "libzstd 1.5.4"};
  AddFile(results, "letter.txt", FileType::kProse, 4321);
  return results;
}

}  // namespace pith::bench
