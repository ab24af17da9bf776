#include "api/model_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "pith/hub.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

// A home of its own with model folders and a Hugging Face cache, and the working directory in it.
class ModelStore : public ::testing::Test {
 protected:
  ModelStore() {
    std::string pattern = testing::TempDir() + "/pith_store_test.XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern).string();
    Set("HOME", root_);
    Set("PITH_MODELS", root_ + "/first:" + root_ + "/second/");
    for (const char* name : {"XDG_DATA_HOME", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
      Set(name, "");
    Set("XDG_DATA_DIRS", "none");  // relative, so not looked at
    old_folder_ = fs::current_path();
    fs::create_directories(root_ + "/here");
    fs::current_path(root_ + "/here");
  }
  ~ModelStore() override {
    fs::current_path(old_folder_);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
    fs::remove_all(root_);
  }
  void Set(const std::string& name, const std::string& value) {
    const char* const old = std::getenv(name.c_str());
    before_.emplace(name, old != nullptr ? old : "");
    setenv(name.c_str(), value.c_str(), 1);
  }
  std::string Write(const std::string& path, const std::string& content = "x") const {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << content;
    return root_ + "/" + path;
  }
  // A snapshot in the cache, with a file.
  std::string Cache(const std::string& folder, const std::string& file, const std::string& revision = "main") const {
    const std::string commit(40, folder.back() < 'N' ? 'a' : 'b');
    const std::string model = ".cache/huggingface/hub/models--" + folder;
    Write(model + "/refs/" + revision, commit);
    return Write(model + "/snapshots/" + commit + "/" + file);
  }
  void ExpectFound(const std::string& what, ModelKind kind, const std::string& path, const std::string& name) const {
    const Result<FoundModel> found = FindModel(what);
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_EQ(found->kind, kind) << what;
    EXPECT_EQ(found->path, path) << what;
    EXPECT_EQ(found->name, name) << what;
  }

  std::string root_;
  fs::path old_folder_;
  std::map<std::string, std::string> before_;
};

TEST_F(ModelStore, FoldersComeFromTheEnvironment) {
  EXPECT_EQ(ModelFolders(),
            (std::vector<std::string>{root_ + "/first", root_ + "/second", root_ + "/.local/share/pith/models"}));
  Set("PITH_MODELS", "");
  Set("XDG_DATA_HOME", "/data");
  EXPECT_EQ(ModelFolders(), std::vector<std::string>{"/data/pith/models"});
  Set("PITH_MODELS", "/data/pith/models:/x:/x/");
  EXPECT_EQ(ModelFolders(), (std::vector<std::string>{"/data/pith/models", "/x"}));
  Set("XDG_DATA_DIRS", "/shared/:relative::/data");
  EXPECT_EQ(ModelFolders(), (std::vector<std::string>{"/data/pith/models", "/x", "/shared/pith/models"}));
  EXPECT_EQ(UserModelFolders(), (std::vector<std::string>{"/data/pith/models", "/x"}));
  Set("XDG_DATA_DIRS", "");
  EXPECT_EQ(ModelFolders().back(), "/usr/share/pith/models");
}

TEST_F(ModelStore, WhatIsFoundFirst) {
  ExpectFound("builtin", ModelKind::kBuiltin, "builtin", "builtin");
  EXPECT_EQ(FindModel("Org/M").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(FindModel("").status().code(), StatusCode::kNotFound);
  // From the last place to the first: each goes before all that were there.
  const std::string cached = Cache("Org--M", "config.json");
  Cache("Org--M", "model.safetensors");
  const std::string snapshot = fs::path(cached).parent_path().string();
  ExpectFound("Org/M", ModelKind::kCheckpoint, snapshot, "M");
  ExpectFound("M", ModelKind::kCheckpoint, snapshot, "M");
  ExpectFound("Org/M@main", ModelKind::kCheckpoint, snapshot, "M");
  const std::string second = Write("second/Org/M.gguf");
  ExpectFound("Org/M", ModelKind::kFile, second, "M");
  ExpectFound("M", ModelKind::kFile, second, "M");
  const std::string first = Write("first/M.litertlm");
  ExpectFound("M", ModelKind::kFile, first, "M");
  ExpectFound("Org/M", ModelKind::kFile, second, "M");
  const std::string better = Write("first/M.pmodel");
  ExpectFound("M", ModelKind::kFile, better, "M");
  Write("here/M.gguf");
  ExpectFound("M", ModelKind::kFile, "M.gguf", "M");
  Write("here/M");
  ExpectFound("M", ModelKind::kFile, "M", "M");
  Write("here/Org/M/config.json");
  ExpectFound("Org/M", ModelKind::kCheckpoint, "Org/M", "M");
  ExpectFound("./Org/M/", ModelKind::kCheckpoint, "./Org/M", "M");
  ExpectFound("Org/M/model.safetensors", ModelKind::kCheckpoint, "Org/M", "M");
}

TEST_F(ModelStore, CheckpointsAreFoundForConvert) {
  Write("first/Org/M.litertlm");
  EXPECT_EQ(FindCheckpoint("Org/M").status().code(), StatusCode::kNotFound) << "a file is no checkpoint";
  Cache("Org--M", "config.json");
  const std::string weights = Cache("Org--M", "model-00001-of-00001.safetensors");
  EXPECT_EQ(FindCheckpoint("Org/M")->path, fs::path(weights).parent_path());
  EXPECT_EQ(FindCheckpoint("Org/M")->name, "M");
  EXPECT_EQ(FindCheckpoint(".")->name, "here");
  EXPECT_EQ(FindCheckpoint("..//")->path, "..");
  Write("here/file");
  EXPECT_EQ(FindCheckpoint("file").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ModelStore, AmbiguousNamesAreErrors) {
  Cache("A--M", "x.litertlm");
  Cache("B--M", "x.litertlm");
  EXPECT_EQ(FindModel("M").status().message(), "M: means 2 models: A/M, B/M; give the whole name");
  EXPECT_EQ(FindCheckpoint("M").status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(FindModel("A/M").ok());
  Cache("A--M", "y.gguf");
  EXPECT_EQ(FindModel("A/M").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ModelStore, NothingOutsideTheFoldersIsFoundOrRemoved) {
  const std::string outside = Write("outside.litertlm");
  for (const char* what : {"../outside", "x/../../outside", "/outside", "first/../../outside", "Org/../outside"}) {
    Write("first/x.pmodel");
    EXPECT_EQ(RemoveModel(what, true).status().code(), StatusCode::kNotFound) << what;
  }
  EXPECT_TRUE(fs::exists(outside));
}

TEST_F(ModelStore, ListingHasEverything) {
  Write("first/Org/M.litertlm", "12345");
  Write("first/Org/M.litertlm.commit");
  Write("first/.hidden/M.litertlm");
  Write("first/Org/sub/M.litertlm");
  Cache("Org--M", "config.json");
  Cache("Org--M", "model.safetensors");
  Cache("Org--N", "n.gguf", "v1");
  const Result<std::vector<ListedModel>> models = ListModels();
  ASSERT_TRUE(models.ok());
  std::map<std::string, ListedModel> by_name;
  for (const ListedModel& model : *models) by_name[model.name + (model.cached ? " cached" : "")] = model;
  for (const std::string& builtin : BuiltinModelNames()) {
    EXPECT_EQ(by_name[builtin].kind, ModelKind::kBuiltin);
    by_name.erase(builtin);
  }
  ASSERT_EQ(by_name.size(), 3u);
  EXPECT_EQ(by_name["Org/M"].bytes, 5u);
  EXPECT_EQ(by_name["Org/M"].format, "litertlm");
  EXPECT_EQ(by_name["Org/M cached"].kind, ModelKind::kCheckpoint);
  EXPECT_TRUE(by_name["Org/M cached"].converted);
  EXPECT_EQ(by_name["Org/M cached"].bytes, 2u);
  EXPECT_EQ(by_name["Org/N@v1 cached"].format, "gguf");
  ExpectFound("Org/N@v1", ModelKind::kFile, by_name["Org/N@v1 cached"].path, "N");
  EXPECT_FALSE(FindModel("Org/N").ok());
}

TEST_F(ModelStore, HelpComesWhereItHelps) {
  EXPECT_EQ(HowToGetModel("Org/M").size(), 2u);
  EXPECT_NE(HowToGetModel("Org/M")[0].find("pith pull Org/M"), std::string::npos);
  EXPECT_EQ(HowToGetModel("M").size(), 2u);
  for (const char* what : {"./x", "a/b/c", "x.gguf", "/x", ""}) EXPECT_TRUE(HowToGetModel(what).empty()) << what;
}

TEST_F(ModelStore, RevisionsAreNamesOfFiles) {
  EXPECT_EQ(StoreName("Org/M"), "Org/M");
  EXPECT_EQ(StoreName("Org/M@v1"), "Org/M@v1");
  EXPECT_EQ(StoreName("Org/M@refs/pr/1"), "Org/M@refs--pr--1");
  EXPECT_EQ(StoreName("Org/M@main"), "Org/M");
}

}  // namespace
}  // namespace pith
