#include "convert/model_folder.h"

#include <gtest/gtest.h>

#include "convert/test_checkpoint.h"

namespace pith {
namespace {

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() { MakeCheckpoint(TestConfig(true), "BF16").Write(folder_); }
  void ExpectError(StatusCode code, const std::string& part) const {
    const Result<std::unique_ptr<ModelFolder>> opened = ModelFolder::Open(folder_.path());
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().code(), code) << opened.status().message();
    EXPECT_NE(opened.status().message().find(part), std::string::npos) << opened.status().message();
  }
  TestFolder folder_;
};

TEST_F(ModelFolderTest, SideFilesMayBeMissing) {
  const auto opened = ModelFolder::Open(folder_.path() + "//");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const ModelFolder& m = **opened;
  EXPECT_EQ(m.name(), folder_.path().substr(folder_.path().rfind('/') + 1));
  EXPECT_TRUE(m.tokenizer_json().empty());
  EXPECT_EQ(m.chat_template(), "");
  EXPECT_TRUE(m.generation().eos_ids.empty());
  EXPECT_FALSE(m.generation().do_sample);
  EXPECT_EQ(m.config().vocab, 37u);
}

TEST_F(ModelFolderTest, ReadsWhatStandsBeside) {
  folder_.Write("tokenizer.json", "{}");
  folder_.Write("tokenizer_config.json", R"({"chat_template": "{{ x }}"})");
  folder_.Write("generation_config.json", R"({"bos_token_id": 3, "do_sample": true, "eos_token_id": [5, 3],
      "pad_token_id": null, "temperature": 0.6, "top_k": 20, "top_p": 0.95})");
  const auto opened = ModelFolder::Open(folder_.path());
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const ModelFolder& m = **opened;
  EXPECT_EQ(AsText(m.tokenizer_json()), "{}");
  EXPECT_EQ(m.chat_template(), "{{ x }}");
  EXPECT_EQ(m.generation().eos_ids, (std::vector<uint32_t>{5, 3}));
  EXPECT_EQ(m.generation().bos_id, 3u);
  EXPECT_EQ(m.generation().pad_id, std::nullopt);
  EXPECT_TRUE(m.generation().do_sample);
  EXPECT_EQ(m.generation().temperature, 0.6);
  EXPECT_EQ(m.generation().top_k, 20u);
  EXPECT_EQ(m.generation().top_p, 0.95);
}

TEST_F(ModelFolderTest, ConfigIdsCountWhereThereIsNoGenerationConfig) {
  const TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), "BF16");
  folder_.Write("config.json", checkpoint.ConfigText(R"(,"eos_token_id":7,"bos_token_id":6)"));
  const auto opened = ModelFolder::Open(folder_.path());
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ((*opened)->generation().eos_ids, std::vector<uint32_t>{7});
  EXPECT_EQ((*opened)->generation().bos_id, 6u);
}

TEST_F(ModelFolderTest, ATemplateFileGoesBeforeTheConfig) {
  folder_.Write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"},
      {"name": "default", "template": "d"}]})");
  EXPECT_EQ((*ModelFolder::Open(folder_.path()))->chat_template(), "d");
  folder_.Write("chat_template.jinja", "file");
  EXPECT_EQ((*ModelFolder::Open(folder_.path()))->chat_template(), "file");
}

TEST_F(ModelFolderTest, SaysWhatIsWrongInASideFile) {
  folder_.Write("generation_config.json", R"({"eos_token_id": "x"})");
  ExpectError(StatusCode::kCorrupt, "generation_config.json: eos_token_id: found string, expected a token id");
  folder_.Write("generation_config.json", R"({"eos_token_id": [1, 37]})");
  ExpectError(StatusCode::kCorrupt, "eos_token_id: found 37, expected below vocab_size, 37");
  folder_.Write("generation_config.json", R"({"top_k": -1})");
  ExpectError(StatusCode::kCorrupt, "top_k: found integer, expected an integer from 0");
  folder_.Write("generation_config.json", "[]");
  ExpectError(StatusCode::kCorrupt, "found array, expected an object");
  folder_.Write("generation_config.json", "{}");
  folder_.Write("tokenizer_config.json", R"({"chat_template": 3})");
  ExpectError(StatusCode::kCorrupt, "chat_template: found integer");
}

}  // namespace
}  // namespace pith
