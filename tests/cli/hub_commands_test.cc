// pull and models, against a server that plays the hub; and models by name.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "process.h"
#include "support/fake_hub.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Asked = FakeHub::Asked;
using Fault = FakeHub::Fault;

constexpr const char* kModel = "Org/Tiny";

class HubCommands : public ::testing::Test {
 protected:
  HubCommands() {
    fs::create_directory(folder_ / "here");
    setting_.folder = folder_ / "here";
    setting_.environment = {"HOME=" + folder_.path(),
                            "HF_HOME=" + (folder_ / "hf"),
                            "XDG_DATA_HOME=" + (folder_ / "data"),
                            "HF_ENDPOINT=" + hub_.endpoint(),
                            "PITH_RETRY_SECONDS=0.01",
                            "no_proxy=127.0.0.1",
                            "HF_TOKEN=",
                            "HF_TOKEN_PATH=",
                            "HF_HUB_CACHE=",
                            "HUGGINGFACE_HUB_CACHE=",
                            "HF_HUB_OFFLINE=",
                            "PITH_MODELS="};
    WriteTinyCheckpoint(folder_ / "tiny");
    WriteFile(folder_ / "tiny/generation_config.json", R"({"eos_token_id": 256})");
    hub_.PutFolder(kModel, folder_ / "tiny");
    WriteFile(folder_ / "here/a", WalkText(3000));
  }
  Ended Run(const std::vector<std::string>& args) const { return Pith(setting_, args); }
  Ended Good(const std::vector<std::string>& args) const {
    Ended ended = Run(args);
    EXPECT_EQ(ended.code, 0) << args[0] << ": " << ended.err;
    return ended;
  }
  void ExpectError(const Ended& ended, const std::string& part, int code = 1) const {
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_TRUE(ended.err.starts_with("pith: ")) << ended.err;
  }
  std::string Model(const std::string& name) const { return folder_ / ("data/pith/models/" + name); }
  std::string Cache() const { return folder_ / "hf/hub/models--Org--Tiny"; }
  std::string Snapshot(const std::string& file) const { return Cache() + "/snapshots/" + hub_.commit() + "/" + file; }
  Json Listed(const std::string& name, const std::string& kind) const {
    for (const Json& model : Json::parse(Good({"models", "--json"}).out)) {
      if (model["name"] == name && model["kind"] == kind) return model;
    }
    return {};
  }
  // Everything below a folder, by path from it.
  std::set<std::string> FilesBelow(const std::string& folder) const {
    std::set<std::string> files;
    if (!Exists(folder)) return files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_directory()) files.insert(fs::relative(entry.path(), folder).string());
    }
    return files;
  }

  Folder folder_;
  FakeHub hub_;
  Setting setting_;
};

TEST_F(HubCommands, PullThenUseByName) {
  Ended ended = Good({"pull", kModel});
  EXPECT_NE(ended.err.find("Org/Tiny : "), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(" fetched ("), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(", commit 0123456789ab)"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(Model("Org/Tiny.litertlm") + " : dynamic_int8 ("), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("  use it: pith run Org/Tiny; pith --model Org/Tiny FILE\n"), std::string::npos) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ReadFile(Snapshot("model.safetensors")), ReadFile(folder_ / "tiny/model.safetensors"));
  EXPECT_EQ(FilesBelow(folder_ / "data"),
            (std::set<std::string>{"pith/models/Org/Tiny.litertlm", "pith/models/Org/Tiny.litertlm.commit"}));

  for (const char* name : {"Org/Tiny", "Tiny"}) {
    ended = Good({"eval", "-T1", name, "--json", "a"});
    EXPECT_NEAR(Json::parse(ended.out)[0]["bits_per_byte"].get<double>(), 1.0, 0.1) << name;
  }
  Good({"-q", "-T1", "a", "--model", "Tiny"});
  EXPECT_LT(ReadFile(folder_ / "here/a.pith").size(), 600u);
  EXPECT_EQ(Good({"-dc", "-T1", "a.pith"}).out, WalkText(3000)) << "found by its fingerprint";

  // A second time nothing is done.
  const size_t n_asked = hub_.CountOf("GET", "model.safetensors");
  const std::string before = ReadFile(Model("Org/Tiny.litertlm"));
  SetMtime(Model("Org/Tiny.litertlm"), 1'000'000);
  ended = Good({"pull", kModel});
  EXPECT_NE(ended.err.find("Org/Tiny : is there ("), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("Org/Tiny.litertlm : converted already\n"), std::string::npos) << ended.err;
  EXPECT_EQ(Mtime(Model("Org/Tiny.litertlm")), 1'000'000);
  EXPECT_EQ(hub_.CountOf("GET", "model.safetensors"), n_asked);
  Good({"pull", "-f", kModel});
  EXPECT_NE(Mtime(Model("Org/Tiny.litertlm")), 1'000'000) << "forced";
  EXPECT_EQ(ReadFile(Model("Org/Tiny.litertlm")), before);
}

TEST_F(HubCommands, ANewCommitIsConvertedAgain) {
  Good({"pull", "-q", kModel});
  const std::string before = ReadFile(Model("Org/Tiny.litertlm"));
  WriteTinyCheckpoint(folder_ / "tiny", 2);
  hub_.PutFolder(kModel, folder_ / "tiny");
  hub_.SetCommit(std::string(40, 'b'));
  Good({"pull", "-q", kModel});
  EXPECT_NE(ReadFile(Model("Org/Tiny.litertlm")), before);
  EXPECT_EQ(ReadFile(Model("Org/Tiny.litertlm.commit")), std::string(40, 'b') + "\n");
}

TEST_F(HubCommands, AFileOfSomebodyElseStays) {
  fs::create_directories(Model("Org"));
  WriteFile(Model("Org/Tiny.litertlm"), "mine");
  ExpectError(Run({"pull", "-q", kModel}),
              "Tiny.litertlm: already exists, and not from pith pull; not overwritten (use -f)");
  EXPECT_EQ(ReadFile(Model("Org/Tiny.litertlm")), "mine");
  Good({"pull", "-qf", kModel});
  EXPECT_EQ(ReadFile(Model("Org/Tiny.litertlm")).substr(0, 8), "LITERTLM");
}

TEST_F(HubCommands, RevisionsHaveFilesOfTheirOwn) {
  Good({"pull", "-q", kModel, "--revision", "v1"});
  EXPECT_TRUE(Exists(Model("Org/Tiny@v1.litertlm")));
  EXPECT_EQ(ReadFile(Cache() + "/refs/v1"), hub_.commit());
  Good({"eval", "-T1", "Org/Tiny@v1", "a"});
  EXPECT_EQ(Run({"eval", "-T1", "Org/Tiny", "a"}).code, 3) << "main was never pulled";
  Good({"pull", "-q", "Org/Tiny@v1"});
  ExpectError(Run({"pull", "Org/Tiny@v1", "--revision", "v2"}), "names another revision");
  ExpectError(Run({"pull", "Org/Tiny@v2"}), "Org/Tiny@v2: the hub has no such revision (404)");
}

TEST_F(HubCommands, CheckpointsInTheCacheCanWait) {
  Ended ended = Good({"pull", kModel, "--no-convert"});
  EXPECT_NE(ended.err.find("  in " + Cache()), std::string::npos) << ended.err;
  EXPECT_FALSE(Exists(folder_ / "data"));
  EXPECT_EQ(Listed(kModel, "checkpoint")["converted"], false);
  EXPECT_EQ(Listed(kModel, "checkpoint")["use"], "pith pull --offline Org/Tiny");
  EXPECT_NE(Good({"models"}).out.find("checkpoint, not converted"), std::string::npos);
  ExpectError(Run({"eval", "Org/Tiny", "a"}),
              "Org/Tiny: is a checkpoint, expected a model file; make one of it with pith convert Org/Tiny", 3);
  EXPECT_EQ(Good({"models", "path", "Tiny"}).out, Cache() + "/snapshots/" + hub_.commit() + "\n");
  // convert takes the name, too; and the hub is not asked any more.
  const size_t n = hub_.asked().size();
  Good({"convert", "-q", "Org/Tiny"});
  EXPECT_TRUE(Exists(folder_ / "here/Tiny.litertlm"));
  Good({"pull", "-q", "--offline", kModel});
  setting_.environment.push_back("HF_HUB_OFFLINE=1");
  Good({"pull", "-q", kModel});
  EXPECT_EQ(hub_.asked().size(), n);
  EXPECT_TRUE(Exists(Model("Org/Tiny.litertlm")));
  EXPECT_EQ(Listed(kModel, "checkpoint")["converted"], true);
  ExpectError(Run({"pull", "Org/Other"}), "Org/Other: is not in the Hugging Face cache (");
}

TEST_F(HubCommands, RepositoriesOfModelFilesAreUsedFromTheCache) {
  Good({"convert", "-q", folder_ / "tiny", "-o", "x.litertlm"});
  hub_.Put("litert-community/Tiny", "x.litertlm", ReadFile(folder_ / "here/x.litertlm"), true);
  fs::remove(folder_ / "here/x.litertlm");
  const Ended ended = Good({"pull", "litert-community/Tiny"});
  EXPECT_NE(ended.err.find("  use it: pith run litert-community/Tiny; pith --model litert-community/Tiny FILE\n"), std::string::npos) << ended.err;
  EXPECT_FALSE(Exists(folder_ / "data"));
  Good({"eval", "-T1", "litert-community/Tiny", "a"});
  EXPECT_EQ(Listed("litert-community/Tiny", "file")["cached"], true);
  hub_.Put("litert-community/Tiny", "y.litertlm", "other");
  ExpectError(Run({"pull", "litert-community/Tiny"}), "has 2 .litertlm files; choose one with --file: ");
  Good({"pull", "-q", "litert-community/Tiny", "--file", "y.litertlm"});
  ExpectError(Run({"eval", "litert-community/Tiny", "a"}), "means 2 files: ", 3);
  EXPECT_NE(Good({"models"}).out.find("snapshots/" + hub_.commit() + "/y.litertlm FILE"), std::string::npos);
}

TEST_F(HubCommands, ModelsListsShowsAndRemoves) {
  Good({"pull", "-q", kModel});
  const Ended table = Good({"models"});
  EXPECT_NE(table.out.find("Org/Tiny"), std::string::npos);
  EXPECT_NE(table.out.find("pith --model Org/Tiny FILE"), std::string::npos) << table.out;
  const Json file = Listed(kModel, "file");
  EXPECT_EQ(file["format"], "litertlm");
  EXPECT_EQ(file["bytes"], fs::file_size(Model("Org/Tiny.litertlm")));
  EXPECT_EQ(file["path"], Model("Org/Tiny.litertlm"));
  EXPECT_EQ(file["cached"], false);
  EXPECT_EQ(Good({"models", "path", "Tiny"}).out, Model("Org/Tiny.litertlm") + "\n");
  ExpectError(Run({"models", "path", "builtin"}), "has no path", 3);

  Ended ended = Good({"models", "rm", "Tiny"});
  EXPECT_NE(ended.err.find("removed " + Model("Org/Tiny.litertlm") + "\n"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(" freed\n"), std::string::npos);
  EXPECT_EQ(FilesBelow(folder_ / "data"), std::set<std::string>());
  EXPECT_TRUE(Exists(Snapshot("model.safetensors"))) << "that is also other programs'";
  ExpectError(Run({"models", "rm", "Tiny"}), "goes with --cache");
  ended = Good({"models", "rm", "Tiny", "--cache"});
  EXPECT_FALSE(Exists(Cache()));
  EXPECT_EQ(FilesBelow(folder_ / "hf"), std::set<std::string>());
  ExpectError(Run({"models", "rm", "Tiny", "--cache"}), "no such model in the model folders or the Hugging Face cache");
  ExpectError(Run({"models", "rm", "builtin"}), "is part of the program");
  ExpectError(Run({"models", "rm", "../../x"}), "no such model");
}

TEST_F(HubCommands, ANameOfSeveralModelsIsRefused) {
  fs::create_directories(Model("A"));
  fs::create_directories(Model("B"));
  WriteFile(Model("A/M.pmodel"), ReadFile(TinyModel()));
  WriteFile(Model("B/M.litertlm"), "x");
  ExpectError(Run({"models", "rm", "M"}), "M: means 2 models: A/M, B/M; give the whole name");
  ExpectError(Run({"eval", "M", "a"}), "M: means 2 models: A/M, B/M; give the whole name", 3);
  Good({"eval", "-T1", "A/M", "a"});
  WriteFile(Model("A/M.litertlm"), "x");
  ExpectError(Run({"models", "rm", "A/M"}), "A/M: means 2 files: ");
  EXPECT_EQ(FilesBelow(folder_ / "data").size(), 3u) << "nothing was removed";
  Good({"eval", "-T1", "A/M", "a"});  // .pmodel goes first
}

TEST_F(HubCommands, PathsGoBeforeNames) {
  Good({"pull", "-q", kModel});
  fs::create_directories(folder_ / "here/Org");
  WriteFile(folder_ / "here/Org/Tiny.pmodel", ReadFile(TinyModel(2)));
  EXPECT_EQ(Json::parse(Good({"eval", "-T1", "--json", "Org/Tiny", "a"}).out)[0]["model"], "tiny2");
  fs::rename(folder_ / "here/Org/Tiny.pmodel", folder_ / "here/Tiny");
  EXPECT_EQ(Json::parse(Good({"eval", "-T1", "--json", "Tiny", "a"}).out)[0]["model"], "tiny2")
      << "without ending, too";
  EXPECT_EQ(Json::parse(Good({"eval", "-T1", "--json", "Org/Tiny", "a"}).out)[0]["model"], "Tiny");
}

TEST_F(HubCommands, AMissingModelIsExplained) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{"eval", "Org/Nothing", "a"},
                                               {"a", "--model", "Org/Nothing"},
                                               {"models", "path", "Org/Nothing"}}) {
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, 3);
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 3) << ended.err;
    EXPECT_NE(ended.err.find("Org/Nothing: no such model, neither here nor in the cache\n"), std::string::npos)
        << ended.err;
    EXPECT_NE(ended.err.find("  pith pull Org/Nothing fetches it"), std::string::npos) << ended.err;
    EXPECT_NE(ended.err.find("  pith models lists"), std::string::npos) << ended.err;
  }
  ExpectError(Run({"eval", "./no/such", "a"}), "./no/such: no such file", 3);
  ExpectError(Run({"eval", "no.litertlm", "a"}), "no.litertlm: no such file", 3);
  ExpectError(Run({"eval", ".", "a"}), ".: is a folder without config.json, expected a model file or a checkpoint", 3);
}

TEST_F(HubCommands, TroubleIsOneLine) {
  ExpectError(Run({"pull", "Org/Missing"}), "Org/Missing: the hub shows no such model (404): check the name");
  ExpectError(Run({"pull", "../../etc"}), "no name of a model on the hub, expected ORG/NAME");
  ExpectError(Run({"pull", kModel, "--file", "../x"}), "is no name of a file inside a repository");
  hub_.SetFault([](const Asked&) { return Fault{.status = 503}; });
  ExpectError(Run({"pull", kModel}), "is in trouble (503): try again later");
  hub_.SetFault([](const Asked&) { return Fault{.status = 429, .headers = {{"Retry-After", "120"}}}; });
  ExpectError(Run({"pull", kModel}),
              "fewer requests (429): try again in 120 s; with a token (HF_TOKEN) it allows more");
  setting_.environment.push_back("HF_ENDPOINT=http://127.0.0.1:1");
  ExpectError(Run({"pull", kModel}), "(http://127.0.0.1)");
  setting_.environment.push_back("HF_ENDPOINT=nonsense");
  ExpectError(Run({"pull", kModel}), "HF_ENDPOINT: \"nonsense\", expected a URL");
  EXPECT_FALSE(Exists(Cache() + "/snapshots"));
  EXPECT_EQ(Run({"pull"}).code, 2);
  EXPECT_EQ(Run({"pull", "a", "b"}).code, 2);
  EXPECT_EQ(Run({"models", "remove", "x"}).code, 2);
  EXPECT_EQ(Run({"models", "rm"}).code, 2);
  EXPECT_EQ(Run({"models", "--cache"}).code, 2);
}

TEST_F(HubCommands, TheTokenFileIsUsed) {
  hub_.RequireToken("hf_secret");
  ExpectError(Run({"pull", kModel}),
              "if the model is private, set HF_TOKEN, or put a token into the file $HF_HOME/token");
  fs::create_directories(folder_ / "hf");
  WriteFile(folder_ / "hf/token", "hf_secret\n");
  Good({"pull", "-q", kModel});
  for (const Asked& a : hub_.asked()) EXPECT_TRUE(!a.large_server || a.token.empty()) << a.path;
}

TEST_F(HubCommands, WhatCannotBeConvertedIsFetchedAllTheSame) {
  Json config = Json::parse(ReadFile(folder_ / "tiny/config.json"));
  config["model_type"] = "llama";
  config["architectures"] = {"LlamaForCausalLM"};
  hub_.Put(kModel, "config.json", config.dump());
  const Ended ended = Run({"pull", "-q", kModel});
  ExpectError(ended, "Llama is not yet supported");
  EXPECT_NE(ended.err.find("; it is fetched, but not converted: " + Cache()), std::string::npos) << ended.err;
  EXPECT_EQ(FilesBelow(folder_ / "data"), std::set<std::string>());
  EXPECT_TRUE(Exists(Cache() + "/refs/main"));
}

TEST_F(HubCommands, InterruptedItLeavesWhatTheNextOneGoesOnWith) {
  // Larger than what fits into the buffers between the two.
  std::string weights = ReadFile(folder_ / "tiny/model.safetensors");
  weights.resize(8'000'000);
  hub_.Put("Org/Large", "x.litertlm", weights, true);
  hub_.SetFault([](const Asked& a) { return Fault{.pause_seconds = a.large_server ? 0.01 : 0}; });
  Background pull(setting_, {"pull", "Org/Large"});
  while (hub_.SentOf("x.litertlm") < 5'000'000) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  pull.Signal(SIGINT);
  EXPECT_EQ(pull.Wait().signal, SIGINT);
  const std::string cache = folder_ / "hf/hub/models--Org--Large";
  EXPECT_FALSE(Exists(cache + "/refs/main"));
  EXPECT_EQ(FilesBelow(cache + "/snapshots"), std::set<std::string>());
  for (const std::string& blob : FilesBelow(cache + "/blobs")) EXPECT_TRUE(blob.ends_with(".pith-incomplete")) << blob;
  hub_.SetFault({});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until the server sees that nobody listens
  const uint64_t before = hub_.SentOf("x.litertlm");
  Good({"pull", "Org/Large"});
  EXPECT_LT(hub_.SentOf("x.litertlm") - before, weights.size() - 1'000'000) << "not everything again";
  EXPECT_EQ(ReadFile(cache + "/snapshots/" + hub_.commit() + "/x.litertlm"), weights);
}

TEST_F(HubCommands, TwoAtOnceDoTheWorkOnce) {
  hub_.SetFault([](const Asked& a) { return Fault{.pause_seconds = a.large_server ? 0.1 : 0}; });
  Background first(setting_, {"pull", kModel});
  while (hub_.asked().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const Ended second = Good({"pull", kModel});
  EXPECT_EQ(first.Wait().code, 0);
  EXPECT_NE(second.err.find("Org/Tiny : waiting: another pith is pulling it\n"), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("Org/Tiny : is there ("), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("converted already"), std::string::npos) << second.err;
  EXPECT_EQ(hub_.SentOf("model.safetensors"), fs::file_size(folder_ / "tiny/model.safetensors"));
}

TEST_F(HubCommands, ATerminalSeesProgress) {
  hub_.SetFault([](const Asked& a) { return Fault{.pause_seconds = a.large_server ? 0.2 : 0}; });
  const Ended ended = PithOnTerminal(setting_, {"pull", kModel});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("Org/Tiny : "), std::string::npos);
  EXPECT_NE(ended.out.find(" KB of "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find(" %"), std::string::npos);
  EXPECT_NE(ended.out.find("model.safetensors"), std::string::npos);
}

TEST_F(HubCommands, AFullDiskIsAnErrorAndLeavesNoModel) {
  ExpectError(Shell(setting_, R"(trap '' XFSZ; ulimit -f 8; "$PITH" pull -q Org/Tiny)"),
              "cannot write: File too large");
  EXPECT_FALSE(Exists(Cache() + "/refs/main"));
  Good({"pull", "-q", "--no-convert", kModel});
  ExpectError(Shell(setting_, R"(trap '' XFSZ; ulimit -f 8; "$PITH" pull -q Org/Tiny)"),
              "cannot write: File too large");
  EXPECT_EQ(FilesBelow(folder_ / "data"), std::set<std::string>());
  Good({"pull", "-q", kModel});
}

}  // namespace
}  // namespace pith::test
