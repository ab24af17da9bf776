#include "pith/pith.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <stdexcept>

#include "api/boundary.h"
#include "api/builtin_model.h"
#include "api/calibration_text.h"
#include "base/file.h"
#include "charset/character_encoding.h"
#include "convert/test_checkpoint.h"

namespace pith {
namespace {

std::string SampleText() { return std::string(CalibrationText().substr(0, 3000)); }

// ---- The boundary
// -------------------------------------------------------------------------------------------------

TEST(Boundary, TurnsWhatIsThrownIntoAStatus) {
  EXPECT_EQ(AtBoundary([]() -> Status { throw std::bad_alloc(); }).message(), "out of memory");
  EXPECT_EQ(AtBoundary([]() -> Status { throw std::runtime_error("why"); }).message(),
            "unexpected exception: why");
  EXPECT_FALSE(AtBoundary([]() -> Result<int> { throw 3; }).ok());
  EXPECT_EQ(*AtBoundary([]() -> Result<int> { return 3; }), 3);
}

TEST(CalibrationText, IsUtf8OfAFewKilobytes) {
  const std::string_view text = CalibrationText();
  EXPECT_GE(text.size(), 6000u);
  EXPECT_LE(text.size(), 16000u);
  EXPECT_EQ(text.find('\0'), std::string_view::npos);
}

// ---- A checkpoint without tokenizer
// -------------------------------------------------------------------------------

class Imported : public ::testing::Test {
 protected:
  Imported() {
    MakeCheckpoint(TestConfig(true), "BF16").Write(folder_);
    std::ofstream(folder_.File("config.json"))
        << MakeCheckpoint(TestConfig(true), "BF16").ConfigText(",\"eos_token_id\":[3,5]");
  }
  Result<ImportModelResult> Import(const ImportModelOptions& options = {},
                                   const ImportModelProgressCallback& progress = {}) {
    return ImportModel(folder_.path(), folder_.File("m.pmodel"), options, progress);
  }
  Model Open() {
    const Result<ImportModelResult> imported = Import({.name = "test", .replace = true});
    EXPECT_TRUE(imported.ok()) << imported.status().message();
    Result<Model> model = Model::Open(folder_.File("m.pmodel"), {.threads = 2});
    EXPECT_TRUE(model.ok()) << model.status().message();
    return *std::move(model);
  }

  TestFolder folder_;
};

TEST_F(Imported, SaysWhatItIs) {
  const Result<ImportModelResult> result = Import({.name = "test"});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->model.name, "test");
  EXPECT_FALSE(result->model.has_tokenizer);
  EXPECT_EQ(result->model.vocab, 37u);
  EXPECT_FALSE(result->trials.empty());
  const Result<std::string> fingerprint = ReadModelFingerprint(folder_.File("m.pmodel"));
  ASSERT_TRUE(fingerprint.ok());
  EXPECT_EQ(*fingerprint, result->model.fingerprint);
  EXPECT_EQ(fingerprint->size(), 32u);
  const Model model = Open();
  EXPECT_EQ(model.info().fingerprint, *fingerprint);
  EXPECT_EQ(model.threads(), 2u);
  uint64_t parameters = 0;
  for (const TestTensor& t : MakeCheckpoint(TestConfig(true), "BF16").tensors) parameters += t.values.size();
  EXPECT_EQ(model.info().parameters, parameters);
}

TEST_F(Imported, NeverReplacesUnasked) {
  ASSERT_TRUE(Import().ok());
  EXPECT_EQ(Import().status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(Import({.replace = true}).ok());
  EXPECT_EQ(Import({.activations = "quick"}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(Imported, CanBeCancelled) {
  const size_t before = folder_.n_entries();
  const Result<ImportModelResult> result = Import({}, [](const ImportModelProgress&) { return false; });
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(folder_.n_entries(), before);
}

TEST_F(Imported, GivesLogitsInOrderHoweverTheyAreCut) {
  Model model = Open();
  std::vector<uint32_t> ids(250);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<uint32_t>(i * i % 37);
  const auto logits_of = [&](std::span<const uint32_t> some) {
    std::vector<std::vector<float>> rows;
    const Status status = EvaluateLogits(model, some, 0, [&](size_t position, std::span<const float> row) {
      EXPECT_EQ(position, rows.size());
      EXPECT_EQ(row.size(), 37u);
      rows.emplace_back(row.begin(), row.end());
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
    return rows;
  };
  const auto all = logits_of(ids);
  ASSERT_EQ(all.size(), ids.size());
  for (const size_t n : {size_t{0}, size_t{1}, size_t{95}, size_t{96}, size_t{97}}) {
    const auto some = logits_of(std::span(ids).first(n));
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin())) << n;
  }
}

TEST_F(Imported, LogitsPassFailuresOn) {
  Model model = Open();
  const std::vector<uint32_t> ids = {1, 2, 3};
  const Status status = EvaluateLogits(model, ids, 0, [](size_t position, std::span<const float>) {
    return position == 1 ? IoError("full") : OkStatus();
  });
  EXPECT_EQ(status.message(), "full");
  const auto ignore = [](size_t, std::span<const float>) { return OkStatus(); };
  EXPECT_EQ(EvaluateLogits(model, std::vector<uint32_t>{1, 37}, 0, ignore).message(),
            "id 37 at position 1 is out of range, expected less than 37");
  EXPECT_EQ(EvaluateLogits(model, ids, 3, ignore).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(
      EvaluateLogits(model, ids, 0,
                     [](size_t, std::span<const float>) -> Status { throw std::runtime_error("callback"); })
          .message(),
      "unexpected exception: callback");
}

TEST_F(Imported, WithoutTokenizerCompressesNothing) {
  Model model = Open();
  MemorySource source(AsBytes("text"));
  MemorySink sink;
  EXPECT_EQ(Compress(model, source, sink, {}, nullptr).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(Evaluate(model, AsBytes("text"), {}, nullptr).status().code(), StatusCode::kUnsupported);
}

TEST(Model, FilesThatAreNoneAreNamed) {
  const Result<Model> missing = Model::Open("/no/such/file.pmodel", {});
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(missing.status().message().starts_with("/no/such/file.pmodel: ")) << missing.status().message();
  EXPECT_FALSE(Model::Open("/dev/null", {}).ok());
  EXPECT_FALSE(ReadModelFingerprint("/dev/null").ok());
}

// ---- The built-in model
// -------------------------------------------------------------------------------------------

class Builtin : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BuiltinModelFile().empty()) GTEST_SKIP() << "built without a model inside";
    Result<Model> model = Model::Builtin({});
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_.emplace(*std::move(model));
  }
  Bytes Archive(const std::string& text, const CompressOptions& options = {}) {
    MemorySource source(AsBytes(text));
    MemorySink sink;
    const Result<CompressResult> result = Compress(*model_, source, sink, options, nullptr);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return sink.bytes;
  }
  ModelProvider Provider() {
    return [this](const std::string&, const std::string&) -> Result<Model*> { return &*model_; };
  }

  std::optional<Model> model_;
};

TEST_F(Builtin, IsWhatItSays) {
  EXPECT_EQ(model_->info().fingerprint, BuiltinFingerprint());
  const Result<ModelInfo> info = BuiltinModelInfo();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->fingerprint, BuiltinFingerprint());
  EXPECT_EQ(info->name, model_->info().name);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(BuiltinModelFile().data()) % 64, 0u);
}

TEST_F(Builtin, DictionariesAreOfTheTextWhateverItsEncoding) {
  std::vector<std::string> utf8;
  for (int i = 0; i < 15; ++i) {
    utf8.push_back("Обращение номер " + std::to_string(1000 + 7 * i) + "\nОтвет: ваша заявка принята, ожидайте звонка в течение " +
                   std::to_string(i % 5) + " часов.\nОтдел: поддержка\n");
  }
  const auto train = [&](CharacterEncoding encoding, Model* model) {
    std::vector<std::vector<uint8_t>> samples;
    for (const std::string& text : utf8) {
      if (encoding == CharacterEncoding::kNone) {
        samples.emplace_back(text.begin(), text.end());
      } else {
        samples.push_back(FromUtf8(encoding, text, 1 << 20).value());
      }
    }
    const std::vector<std::span<const uint8_t>> spans(samples.begin(), samples.end());
    const Result<Dictionary> dictionary = Dictionary::Train(spans, 2000, model);
    EXPECT_TRUE(dictionary.ok()) << dictionary.status().message();
    return dictionary.ok() ? dictionary->id() : "";
  };
  const std::string id = train(CharacterEncoding::kNone, &*model_);
  EXPECT_EQ(train(CharacterEncoding::kNone, nullptr), id);
  EXPECT_EQ(train(CharacterEncoding::kUtf16Le, nullptr), id);
  EXPECT_EQ(train(CharacterEncoding::kUtf16Be, &*model_), id);
  EXPECT_EQ(train(CharacterEncoding::kWindows1251, &*model_), id);
  EXPECT_EQ(train(CharacterEncoding::kKoi8R, &*model_), id);
  EXPECT_NE(train(CharacterEncoding::kKoi8R, nullptr), id);
}

TEST_F(Builtin, RoundTripsWithEveryOption) {
  const std::string text = SampleText();
  const Bytes plain = Archive(text);
  EXPECT_LT(plain.size(), text.size() * 2 / 3);
  for (const CompressOptions& options :
       {CompressOptions{}, CompressOptions{.streams = 3}, CompressOptions{.block_bytes = 4096},
        CompressOptions{.window = 64}, CompressOptions{.memory_bytes = 100u << 20},
        CompressOptions{.allow_short = false, .file_name = "a.txt", .mtime_ns = -5},
        CompressOptions{.file_name = "a.txt", .mtime_ns = -5}}) {
    const Bytes archive = Archive(text, options);
    MemorySource source(archive);
    MemorySink sink;
    const Result<DecompressResult> result = Decompress(Provider(), source, sink, {}, nullptr);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(AsText(sink.bytes), text);
    MemorySource again(archive);
    const Result<std::vector<ArchiveInfo>> list = ListArchive(again);
    ASSERT_TRUE(list.ok());
    EXPECT_EQ((*list)[0].original_bytes, text.size());
    const ArchiveInfo& info = (*list)[0];
    EXPECT_EQ(info.is_short, options.allow_short && info.blocks.size() == 1);
    EXPECT_EQ(result->file_name, info.is_short ? "" : options.file_name);
    EXPECT_EQ(result->mtime_ns, info.is_short ? std::nullopt : options.mtime_ns);
    EXPECT_EQ(info.model_fingerprint, BuiltinFingerprint().substr(0, !info.is_short ? 32 : info.blocks[0].streams == 1 ? 4 : 8));
    if (options.window != 0) {
      EXPECT_EQ((*list)[0].window, 64u);
    }
  }
  EXPECT_EQ(Archive(text), plain) << "a model keeps no state from call to call";
}

TEST_F(Builtin, EveryNumberOfThreadsMakesAndReadsTheSameArchive) {
  const std::string text = SampleText();
  const CompressOptions options = {.streams = 5};
  const Bytes archive = Archive(text, options);
  MemorySource listed(archive);
  const Result<std::vector<ArchiveInfo>> list = ListArchive(listed);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ((*list)[0].blocks[0].streams, 5u);
  for (const size_t n_threads : {1, 2, 4, 8}) {
    Result<Model> model = Model::Builtin({.threads = n_threads});
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_.emplace(*std::move(model));
    EXPECT_EQ(Archive(text, options), archive) << n_threads << " threads";
    MemorySource source(archive);
    MemorySink back;
    const Result<DecompressResult> result = Decompress(Provider(), source, back, {}, nullptr);
    ASSERT_TRUE(result.ok()) << n_threads << " threads: " << result.status().message();
    EXPECT_EQ(AsText(back.bytes), text) << n_threads << " threads";
  }
}

TEST_F(Builtin, AskedForTheModelByNameAndFingerprint) {
  for (const bool allow_short : {false, true}) {
    const Bytes archive = Archive(SampleText(), {.allow_short = allow_short});
    MemorySource source(archive);
    NullSink sink;
    std::string asked;
    const ModelProvider none = [&](const std::string& name, const std::string& fingerprint) -> Result<Model*> {
      asked = name + " " + fingerprint;
      return NotFound("no models here");
    };
    const Result<DecompressResult> result = Decompress(none, source, sink, {}, nullptr);
    EXPECT_EQ(result.status().code(), StatusCode::kNotFound);
    EXPECT_EQ(asked, allow_short ? " " + BuiltinFingerprint().substr(0, 4)
                                 : model_->info().name + " " + BuiltinFingerprint());
  }
}

TEST_F(Builtin, CancelsAndPassesFailuresOn) {
  const std::string text = SampleText();
  const ProgressCallback never = [](const Progress&) { return false; };
  MemorySource source(AsBytes(text));
  MemorySink sink;
  EXPECT_EQ(Compress(*model_, source, sink, {}, never).status().code(), StatusCode::kCancelled);
  const Bytes archive = Archive(text);
  MemorySource again(archive);
  EXPECT_EQ(Decompress(Provider(), again, sink, {}, never).status().code(), StatusCode::kCancelled);

  struct Throwing : ByteSource {
    Result<size_t> Read(std::span<uint8_t>) override { throw std::runtime_error("source"); }
  } throwing;
  EXPECT_EQ(Compress(*model_, throwing, sink, {}, nullptr).status().message(),
            "unexpected exception: source");
  struct Failing : ByteSink {
    Status Write(std::span<const uint8_t>) override { return IoError("full"); }
  } failing;
  MemorySource third(AsBytes(text));
  EXPECT_NE(Compress(*model_, third, failing, {}, nullptr).status().message().find("full"),
            std::string::npos);
}

TEST_F(Builtin, EvaluatesWhatItCompresses) {
  const std::string text = SampleText();
  const Result<EvaluateResult> result = Evaluate(*model_, AsBytes(text), {}, nullptr);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->bytes, text.size());
  const auto archive_bits = 8.0 * static_cast<double>(Archive(text).size());
  EXPECT_GE(archive_bits, result->bits);
  EXPECT_LE(archive_bits, result->bits * 1.001 + 8 * 110);
}

TEST_F(Builtin, WindowsOutOfRangeAreRefused) {
  MemorySource source(AsBytes("text"));
  MemorySink sink;
  for (const uint32_t window : {1u, 16u, 131073u, UINT32_MAX}) {
    EXPECT_EQ(Compress(*model_, source, sink, {.window = window}, nullptr).status().code(),
              StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace pith
