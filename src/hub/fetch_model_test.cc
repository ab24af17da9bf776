#include "hub/fetch_model.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <set>
#include <thread>

#include "hub/digest.h"
#include "hub/hub_test_folder.h"
#include "support/fake_hub.h"

namespace pith::hub {
namespace {

namespace fs = std::filesystem;
using test::FakeHub;
using Asked = FakeHub::Asked;
using Fault = FakeHub::Fault;

constexpr const char* kModel = "Org/Model";
const std::string kFolder = "models--Org--Model";

// Bytes without a period, so that a piece in a wrong place is seen.
std::string Weights(size_t n) {
  std::string bytes;
  uint64_t random = 1;
  for (size_t i = 0; i < n; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    bytes += static_cast<char>(random >> 56);
  }
  return bytes;
}

class Fetching : public ::testing::Test {
 protected:
  Fetching() {
    // No proxy between this test and its own server.
    setenv("no_proxy", "127.0.0.1", 1);
    settings_.endpoint = hub_.endpoint();
    settings_.cache = folder_.path();
    settings_.retry_seconds = 0.01;
    settings_.stall_seconds = 5;
    options_.part_bytes = 100'000;
    hub_.Put(kModel, "README.md", "not needed");
    hub_.Put(kModel, "pytorch_model.bin", "not needed", true);
    hub_.Put(kModel, "config.json", "{}");
    hub_.Put(kModel, "tokenizer.json", "{\"a\": 1}");
    hub_.Put(kModel, "vocab.json", "not needed beside tokenizer.json");
    hub_.Put(kModel, "model.safetensors", weights_, true);
  }

  Result<FetchedModel> FetchAndLock(const std::string& name = kModel, const FetchCallback& progress = {}) {
    const Result<ModelName> parsed = ParseModelName(name);
    EXPECT_TRUE(parsed.ok());
    return FetchModel(*parsed, settings_, options_, progress);
  }
  Result<FetchedModel> Fetch(const std::string& name = kModel, const FetchCallback& progress = {}) {
    Result<FetchedModel> fetched = FetchAndLock(name, progress);
    if (fetched.ok()) fetched->lock = FileLock();
    return fetched;
  }
  Status FetchError(const std::string& name = kModel) { return Fetch(name).status(); }
  void ExpectError(const Status& status, StatusCode code, const std::string& part) const {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
  }
  // A file of the snapshot of the current commit.
  std::string Snapshot(const std::string& file) const {
    return folder_ / (kFolder + "/snapshots/" + hub_.commit() + "/" + file);
  }
  std::string Blob(const std::string& content, EtagKind kind) const {
    return folder_ / (kFolder + "/blobs/" + *EtagOf(kind, AsBytes(content)));
  }
  std::string WeightsBlob() const { return Blob(weights_, EtagKind::kSha256); }
  bool HasRef() const { return fs::exists(folder_ / (kFolder + "/refs/main")); }
  // Every file has its content, and there is nothing else.
  void ExpectWhole() const {
    EXPECT_EQ(ContentOf(Snapshot("model.safetensors")), weights_);
    EXPECT_EQ(ContentOf(Snapshot("config.json")), "{}");
    EXPECT_EQ(ContentOf(folder_ / (kFolder + "/refs/main")), hub_.commit());
    for (const auto& entry : fs::directory_iterator(folder_ / (kFolder + "/blobs"))) {
      EXPECT_TRUE(KindOfEtag(entry.path().filename().string()) != EtagKind::kUnknown) << entry.path();
    }
  }

  const std::string weights_ = Weights(1'000'003);
  FakeHub hub_;
  TestFolder folder_;
  HubSettings settings_;
  FetchOptions options_;
};

TEST_F(Fetching, TheCacheLooksAsHuggingfaceHubLeavesIt) {
  const Result<FetchedModel> fetched = Fetch();
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  EXPECT_EQ(fetched->commit, hub_.commit());
  EXPECT_EQ(fetched->folder, folder_ / (kFolder + "/snapshots/" + hub_.commit()));
  EXPECT_EQ(fetched->files, (std::vector<std::string>{"config.json", "tokenizer.json", "model.safetensors"}));
  EXPECT_EQ(fetched->total_bytes, weights_.size() + 2 + 8);
  EXPECT_EQ(fetched->fetched_bytes, weights_.size() + 2 + 8);
  EXPECT_EQ(fetched->model_file, "");
  ExpectWhole();
  EXPECT_EQ(fs::read_symlink(Snapshot("model.safetensors")),
            "../../blobs/" + *EtagOf(EtagKind::kSha256, AsBytes(weights_)));
  EXPECT_EQ(fs::read_symlink(Snapshot("config.json")), "../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b")
      << "what `printf {} | git hash-object --stdin` says";
  EXPECT_EQ(
      hub_.CountOf("GET", "README.md") + hub_.CountOf("GET", "pytorch_model.bin") + hub_.CountOf("GET", "vocab.json"),
      0u);

  const HubCache cache(folder_.path());
  EXPECT_EQ(cache.Models(), std::vector<std::string>{kModel});
  EXPECT_EQ(cache.Snapshot(kModel, ""), fetched->folder);
  EXPECT_EQ(cache.Snapshot(kModel, hub_.commit()), fetched->folder);
  EXPECT_EQ(cache.Snapshot(kModel, "other"), "");
}

TEST_F(Fetching, ASecondTimeNothingIsFetched) {
  ASSERT_TRUE(Fetch().ok());
  const size_t n = hub_.CountOf("GET", "model.safetensors");
  const Result<FetchedModel> again = Fetch();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->fetched_bytes, 0u);
  EXPECT_EQ(hub_.CountOf("GET", "model.safetensors"), n);
  // A new commit with one other file: that alone is fetched.
  hub_.SetCommit(std::string(40, 'a'));
  hub_.Put(kModel, "config.json", "{ }");
  const Result<FetchedModel> newer = Fetch();
  ASSERT_TRUE(newer.ok()) << newer.status().message();
  EXPECT_EQ(newer->fetched_bytes, 3u);
  EXPECT_EQ(ContentOf(Snapshot("model.safetensors")), weights_);
  EXPECT_EQ(ContentOf(Snapshot("config.json")), "{ }");
}

TEST_F(Fetching, LargeFilesComeInParallelRanges) {
  ASSERT_TRUE(Fetch().ok());
  std::set<uint64_t> begins;
  for (const Asked& a : hub_.asked()) {
    if (a.large_server && a.method == "GET") {
      ASSERT_TRUE(a.first) << "a request without range";
      begins.insert(*a.first);
    }
  }
  EXPECT_EQ(begins.size(), 11u);
  EXPECT_EQ(hub_.SentOf("model.safetensors"), weights_.size()) << "no byte twice";
}

TEST_F(Fetching, TheTokenStaysWithTheHub) {
  hub_.RequireToken("hf_secret");
  ExpectError(FetchError(), StatusCode::kNotFound, "set HF_TOKEN");
  settings_.token = "hf_wrong";
  ExpectError(FetchError(), StatusCode::kNotFound, "the token that was sent");
  settings_.token = "hf_secret";
  ASSERT_TRUE(Fetch().ok());
  size_t n_large = 0;
  for (const Asked& a : hub_.asked()) {
    if (!a.large_server) continue;
    EXPECT_EQ(a.token, "") << a.path;
    ++n_large;
  }
  EXPECT_GT(n_large, 0u);
}

TEST_F(Fetching, RevisionsArePinned) {
  ASSERT_TRUE(Fetch(std::string(kModel) + "@v1").ok());
  EXPECT_EQ(ContentOf(folder_ / (kFolder + "/refs/v1")), hub_.commit());
  EXPECT_FALSE(HasRef());
  ASSERT_TRUE(Fetch(std::string(kModel) + "@" + hub_.commit()).ok());
  EXPECT_FALSE(fs::exists(folder_ / (kFolder + "/refs/" + hub_.commit()))) << "a commit needs no ref";
  ExpectError(FetchError(std::string(kModel) + "@v2"), StatusCode::kNotFound,
              "Org/Model@v2: the hub has no such revision");
}

TEST_F(Fetching, AnInterruptedPullGoesOnWhereItWas) {
  // Cancelled in the middle, as often as it takes; the server is slow enough for that.
  hub_.SetFault([](const Asked& a) { return Fault{.pause_seconds = a.large_server ? 0.05 : 0}; });
  size_t n_cancelled = 0;
  for (int i = 0; i < 50; ++i) {
    uint64_t start = 0;
    const Result<FetchedModel> fetched = Fetch(kModel, [&](const FetchProgress& p) {
      if (p.stage != FetchProgress::Stage::kFetching || p.file != "model.safetensors") return true;
      if (start == 0) start = p.done;
      return p.done < start + 150'000;
    });
    if (fetched.ok()) break;
    ASSERT_EQ(fetched.status().code(), StatusCode::kCancelled) << fetched.status().message();
    EXPECT_FALSE(fs::exists(Snapshot("model.safetensors"))) << "no final name";
    EXPECT_FALSE(fs::exists(WeightsBlob()));
    EXPECT_FALSE(HasRef());
    ++n_cancelled;
  }
  EXPECT_GT(n_cancelled, 1u);
  ExpectWhole();
  // Buffers of a broken connection are lost: some of the server's pieces on each of four connections, no more.
  EXPECT_LT(hub_.SentOf("model.safetensors"), weights_.size() + n_cancelled * 4 * 100'000);
}

TEST_F(Fetching, WhatHuggingfaceCliHasBegunIsFinished) {
  WriteContent(WeightsBlob() + ".incomplete", weights_.substr(0, 654'321));
  const Result<FetchedModel> fetched = Fetch();
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  ExpectWhole();
  EXPECT_EQ(hub_.SentOf("model.safetensors"), weights_.size() - 654'321);
}

TEST_F(Fetching, AWrongBeginningIsFetchedAnew) {
  WriteContent(WeightsBlob() + ".incomplete", std::string(654'321, 'x'));
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
  EXPECT_EQ(hub_.SentOf("model.safetensors"), 2 * weights_.size() - 654'321);
}

TEST_F(Fetching, WrongContentNeverGetsItsName) {
  std::string wrong = weights_;
  wrong[123'456] ^= 1;
  hub_.SetFault([&](const Asked& a) { return a.large_server ? Fault{.body = wrong} : Fault{}; });
  ExpectError(FetchError(), StatusCode::kCorrupt, "Org/Model: model.safetensors: what came has SHA-256 ");
  EXPECT_FALSE(fs::exists(WeightsBlob()));
  EXPECT_FALSE(fs::exists(WeightsBlob() + ".pith-incomplete")) << "nothing wrong to go on with";
  EXPECT_FALSE(fs::exists(Snapshot("model.safetensors")));
  EXPECT_FALSE(HasRef());
  fs::remove_all(folder_ / kFolder);
  hub_.SetFault(
      [&](const Asked& a) { return a.file == "config.json" && a.method == "GET" ? Fault{.body = "[]"} : Fault{}; });
  ExpectError(FetchError(), StatusCode::kCorrupt, "config.json: what came has git SHA-1 ");
  hub_.SetFault({});
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

TEST_F(Fetching, BrokenConnectionsAreTakenUpAgain) {
  hub_.SetFault([](const Asked& a) {
    // Each answer breaks off until the part is small enough.
    return a.large_server ? Fault{.cut_after = 40'000} : Fault{};
  });
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
  EXPECT_LT(hub_.SentOf("model.safetensors"), weights_.size() + 1'000);
}

TEST_F(Fetching, AServerThatAlwaysBreaksOffIsGivenUp) {
  hub_.SetFault([](const Asked& a) { return a.large_server ? Fault{.cut_after = 0} : Fault{}; });
  ExpectError(FetchError(), StatusCode::kIo, "model.safetensors: ");
  EXPECT_LE(hub_.CountOf("GET", "model.safetensors"), 2 * 4 * 6u + 8) << "on both servers";
  hub_.SetFault({});
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

TEST_F(Fetching, AServerWithoutRangesSendsEverythingOnce) {
  hub_.SetFault([](const Asked&) { return Fault{.ignore_range = true}; });
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

TEST_F(Fetching, AServerWithoutRangesThatBreaksOffIsGivenUp) {
  hub_.SetFault(
      [](const Asked& a) { return a.large_server ? Fault{.cut_after = 500'000, .ignore_range = true} : Fault{}; });
  ExpectError(FetchError(), StatusCode::kIo, "model.safetensors: ");
  hub_.SetFault({});
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

TEST_F(Fetching, AnotherRangeThanAskedForIsRefused) {
  hub_.SetFault([](const Asked& a) { return a.large_server ? Fault{.shifted = 1} : Fault{}; });
  ExpectError(FetchError(), StatusCode::kIo, ", expected ");
  EXPECT_FALSE(fs::exists(WeightsBlob()));
}

TEST_F(Fetching, PassingTroubleIsWaitedOut) {
  for (const int status : {429, 500, 503}) {
    hub_.SetFault([&](const Asked& a) { return a.count < 2 ? Fault{.status = status} : Fault{}; });
    const Result<FetchedModel> fetched = Fetch();
    ASSERT_TRUE(fetched.ok()) << fetched.status().message();
    fs::remove_all(folder_ / kFolder);
  }
}

TEST_F(Fetching, RetryAfterIsHonoured) {
  hub_.SetFault([](const Asked& a) {
    return a.file.empty() && a.count == 0 ? Fault{.status = 429, .headers = {{"Retry-After", "86400"}}} : Fault{};
  });
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(Fetch().ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(600)) << "60 first waits, the limit";
}

TEST_F(Fetching, LastingTroubleIsALineThatHelps) {
  const auto error = [&](int status, const std::string& code, const std::string& part, StatusCode expected) {
    hub_.SetFault([&](const Asked&) { return Fault{.status = status, .headers = {{"X-Error-Code", code}}}; });
    ExpectError(FetchError(), expected, part);
  };
  error(401, "RepoNotFound", "the hub shows no such model (401): check the name", StatusCode::kNotFound);
  error(401, "GatedRepo", "is gated (401): accept its terms", StatusCode::kIo);
  error(403, "GatedRepo", "is gated (403): accept its terms", StatusCode::kIo);
  error(403, "", "gives no access (403)", StatusCode::kIo);
  error(404, "", "no such model, revision or file (404)", StatusCode::kNotFound);
  error(404, "RepoNotFound", "no such model (404)", StatusCode::kNotFound);
  error(429, "", "fewer requests (429)", StatusCode::kIo);
  error(500, "", "in trouble (500)", StatusCode::kIo);
  error(418, "", "unexpected answer 418", StatusCode::kIo);
  EXPECT_EQ(hub_.CountOf("GET", ""), 7u + 2 * 6) << "asked once more only where that may help";
  settings_.endpoint = "http://127.0.0.1:1";
  ExpectError(FetchError(), StatusCode::kIo, "127.0.0.1");
}

TEST_F(Fetching, WhereTheHubSaysNothingTheOtherServersWordCounts) {
  hub_.SetFault([](const Asked& a) {
    return a.large_server ? Fault{} : Fault{.headers = {{"X-Linked-Etag", ""}, {"X-Linked-Size", ""}}};
  });
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
  fs::remove_all(folder_ / kFolder);
  hub_.SetFault([](const Asked& a) {
    return Fault{.headers = {{"X-Linked-Etag", ""}, {a.large_server ? "ETag" : "X-Linked-Size", ""}}};
  });
  ExpectError(FetchError(), StatusCode::kCorrupt, "model.safetensors: the server gives neither size nor etag");
}

TEST_F(Fetching, FilesThatVanishAreNamed) {
  hub_.SetFault([](const Asked& a) {
    return a.file == "tokenizer.json" ? Fault{.status = 404, .headers = {{"X-Error-Code", "EntryNotFound"}}} : Fault{};
  });
  ExpectError(FetchError(), StatusCode::kNotFound, "Org/Model: tokenizer.json: the hub has no such file");
}

TEST_F(Fetching, ASilentServerIsGivenUp) {
  settings_.stall_seconds = 1;
  hub_.SetFault([](const Asked& a) { return a.large_server && a.count < 1 ? Fault{.delay_seconds = 3} : Fault{}; });
  options_.part_bytes = 1 << 20;  // one connection
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

TEST_F(Fetching, EvilNamesLeadNowhere) {
  const auto describe = [&](const std::string& siblings, const std::string& sha) {
    hub_.SetFault([=](const Asked& a) {
      return a.file.empty() ? Fault{.body = "{\"sha\": \"" + sha + "\", \"siblings\": " + siblings + "}"} : Fault{};
    });
    return FetchError();
  };
  const std::string commit = hub_.commit();
  ExpectError(describe("[]", "../../x"), StatusCode::kCorrupt, "\"sha\" is no commit");
  ExpectError(describe("[]", commit), StatusCode::kNotFound, "holds no model");
  ExpectError(describe("7", commit), StatusCode::kCorrupt, "no list \"siblings\"");
  ExpectError(describe("[{\"rfilename\": \"../../../x.litertlm\"}, {\"rfilename\": \"/x.litertlm\"}, 7, {}]", commit),
              StatusCode::kNotFound, "holds no model");
  ExpectError(describe("[", commit), StatusCode::kCorrupt, "the hub's description");
  hub_.SetFault({});
  options_.file = "../../../x.litertlm";
  ExpectError(FetchError(), StatusCode::kInvalidArgument, "is no name of a file inside a repository");
  options_.file.clear();

  for (const char* etag : {"\"../../x\"", "\"a/b\"", "\".hidden\"", "\"\""}) {
    hub_.SetFault(
        [=](const Asked& a) { return a.file == "config.json" ? Fault{.headers = {{"ETag", etag}}} : Fault{}; });
    EXPECT_EQ(FetchError().code(), StatusCode::kCorrupt) << etag;
  }
  for (const char* size : {"-1", "1e3", "99999999999999999999999"}) {
    hub_.SetFault([=](const Asked& a) {
      return a.file == "model.safetensors" ? Fault{.headers = {{"X-Linked-Size", size}}} : Fault{};
    });
    ExpectError(FetchError(), StatusCode::kCorrupt, "of the file, expected at most");
  }
  hub_.SetFault([](const Asked& a) {
    return a.file == "config.json" ? Fault{.headers = {{"X-Repo-Commit", std::string(40, 'b')}}} : Fault{};
  });
  ExpectError(FetchError(), StatusCode::kCorrupt, "is of commit bbbb");
  EXPECT_FALSE(fs::exists(folder_ / "x")) << "nothing beside the model's folder";
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_TRUE(entry.path().filename() == ".locks" || entry.path().filename() == "models--Org--Model") << entry.path();
  }
}

TEST_F(Fetching, RedirectsEndAndStayWithHttp) {
  hub_.SetFault([&](const Asked& a) {
    return a.file.empty() ? Fault{.status = 302, .headers = {{"Location", a.path}}} : Fault{};
  });
  ExpectError(FetchError(), StatusCode::kIo, "more than 10 redirects");
  EXPECT_EQ(hub_.CountOf("GET", ""), 11u) << "no second round";
  hub_.SetFault([&](const Asked& a) {
    return a.file.empty() ? Fault{.status = 302, .headers = {{"Location", "file:///etc/passwd"}}} : Fault{};
  });
  ExpectError(FetchError(), StatusCode::kIo, "redirected to what is no https address");
}

TEST_F(Fetching, ShardsComeFromTheIndex) {
  const std::string model = "Org/Shards";
  hub_.Put(model, "config.json", "{}");
  hub_.Put(model, "vocab.json", "{}1");
  hub_.Put(model, "merges.txt", "2");
  hub_.Put(model, "a.safetensors", Weights(5000), true);
  hub_.Put(model, "b.safetensors", Weights(6000), true);
  hub_.Put(model, "consolidated.safetensors", Weights(7000), true);
  hub_.Put(model, "model.safetensors.index.json",
           R"({"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}})");
  const Result<FetchedModel> fetched = Fetch(model);
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  EXPECT_EQ(fetched->files,
            (std::vector<std::string>{"config.json", "vocab.json", "merges.txt", "model.safetensors.index.json",
                                      "a.safetensors", "b.safetensors"}));
  EXPECT_EQ(hub_.CountOf("GET", "consolidated.safetensors"), 0u);
  const auto with_index = [&](const std::string& index) {
    hub_.Put(model, "model.safetensors.index.json", index);
    return FetchError(model);
  };
  ExpectError(with_index(R"({"weight_map": {"x": "../../evil"}})"), StatusCode::kCorrupt,
              "is no name of a file inside");
  ExpectError(with_index(R"({"weight_map": {"x": "c.safetensors"}})"), StatusCode::kCorrupt,
              "names \"c.safetensors\", which is not there");
  ExpectError(with_index(R"({"weight_map": {"x": 7}})"), StatusCode::kCorrupt, "expected the name of a file");
  ExpectError(with_index(R"({"weight_map": {}})"), StatusCode::kCorrupt, "no object \"weight_map\"");
  ExpectError(with_index("x"), StatusCode::kCorrupt, "model.safetensors.index.json");
}

TEST_F(Fetching, RepositoriesOfOneFile) {
  const std::string model = "litert-community/M";
  hub_.Put(model, "README.md", "x");
  hub_.Put(model, "sub/m.litertlm", Weights(5000), true);
  Result<FetchedModel> fetched = Fetch(model);
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  EXPECT_EQ(fetched->model_file, fetched->folder + "/sub/m.litertlm");
  EXPECT_EQ(ContentOf(fetched->model_file), Weights(5000)) << "the link of a file in a folder leads to its blob, too";
  hub_.Put(model, "n.litertlm", Weights(100));
  ExpectError(FetchError(model), StatusCode::kInvalidArgument,
              "has 2 .litertlm files; choose one with --file: \"n.litertlm\", \"sub/m.litertlm\"");
  options_.file = "n.litertlm";
  fetched = Fetch(model);
  ASSERT_TRUE(fetched.ok());
  EXPECT_EQ(ContentOf(fetched->model_file), Weights(100));
  options_.file = "o.litertlm";
  ExpectError(FetchError(model), StatusCode::kNotFound, "has no file \"o.litertlm\", but ");
  options_.file.clear();
  hub_.Put("Org/Gguf", "x.gguf", "GGUF");
  EXPECT_TRUE(Fetch("Org/Gguf").ok());
  hub_.Put("Org/Empty", "x.litertlm", "");
  fetched = Fetch("Org/Empty");
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  EXPECT_EQ(ContentOf(fetched->model_file), "");
}

TEST_F(Fetching, OfflineTheCacheHasToDo) {
  options_.offline = true;
  ExpectError(FetchError(), StatusCode::kNotFound, "is not in the Hugging Face cache");
  EXPECT_TRUE(fs::is_empty(folder_.path())) << "not even a folder";
  options_.offline = false;
  ASSERT_TRUE(Fetch().ok());
  const size_t n = hub_.asked().size();
  settings_.offline = true;
  const Result<FetchedModel> fetched = Fetch();
  ASSERT_TRUE(fetched.ok()) << fetched.status().message();
  EXPECT_EQ(fetched->commit, hub_.commit());
  EXPECT_EQ(fetched->total_bytes, weights_.size() + 2 + 8);
  EXPECT_EQ(hub_.asked().size(), n);
  fs::remove(Snapshot("config.json"));
  ExpectError(FetchError(), StatusCode::kNotFound, "Org/Model in the cache: holds no model");
}

TEST_F(Fetching, WithoutLinksFilesLieInTheSnapshot) {
  settings_.plain_files = true;
  ASSERT_TRUE(Fetch().ok());
  EXPECT_FALSE(fs::is_symlink(Snapshot("model.safetensors")));
  ExpectWhole();
  const Result<FetchedModel> again = Fetch();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->fetched_bytes, 0u);
}

TEST_F(Fetching, TwoAtOnceFetchEachByteOnce) {
  hub_.SetFault([](const Asked& a) { return Fault{.pause_seconds = a.large_server ? 0.005 : 0}; });
  std::atomic<int> n_waited = 0;
  const auto pull = [&] {
    bool waited = false;
    const Status status = Fetch(kModel, [&](const FetchProgress& p) {
                            waited = waited || p.stage == FetchProgress::Stage::kWaiting;
                            return true;
                          }).status();
    n_waited += waited;
    return status;
  };
  std::future<Status> other = std::async(std::launch::async, pull);
  const Status mine = pull();
  EXPECT_TRUE(mine.ok()) << mine.message();
  EXPECT_TRUE(other.get().ok());
  EXPECT_EQ(n_waited, 1);
  EXPECT_EQ(hub_.SentOf("model.safetensors"), weights_.size());
  ExpectWhole();
}

TEST_F(Fetching, TheLockIsHeldAsLongAsTheResult) {
  Result<FetchedModel> first = FetchAndLock();
  ASSERT_TRUE(first.ok());
  const auto cancel_waiting = [](const FetchProgress& p) { return p.stage != FetchProgress::Stage::kWaiting; };
  EXPECT_EQ(Fetch(kModel, cancel_waiting).status().code(), StatusCode::kCancelled);
  *first = FetchedModel();
  EXPECT_TRUE(Fetch(kModel, cancel_waiting).ok());
}

TEST_F(Fetching, ALockWhoseFileWasRemovedIsNoLock) {
  Result<FetchedModel> first = FetchAndLock();
  ASSERT_TRUE(first.ok());
  std::future<Status> second = std::async(std::launch::async, [&] {
    const Result<FileLock> lock =
        FileLock::Acquire(folder_ / (".locks/" + kFolder + "/pith.lock"), [] { return true; });
    if (!lock.ok()) return lock.status();
    // Held by the name that others take, not by a file without one.
    return FileLock::Acquire(folder_ / (".locks/" + kFolder + "/pith.lock"), [] { return false; }).status();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // it waits now
  fs::remove_all(folder_ / ".locks");
  *first = FetchedModel();
  EXPECT_EQ(second.get().code(), StatusCode::kCancelled);
}

TEST_F(Fetching, RoomIsCheckedBeforeAnythingIsFetched) {
  hub_.SetFault([](const Asked& a) {
    return a.file == "model.safetensors" ? Fault{.headers = {{"X-Linked-Size", "4000000000000"}}} : Fault{};
  });
  ExpectError(FetchError(), StatusCode::kIo, "needs 4000.00 GB, but ");
  EXPECT_EQ(hub_.CountOf("GET", "model.safetensors"), 0u);
}

TEST_F(Fetching, AFullDiskIsAnErrorAndANextPullGoesOn) {
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{500'000, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = FetchError();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, old_handler);
  ExpectError(status, StatusCode::kIo, "cannot write: File too large");
  EXPECT_FALSE(HasRef());
  ASSERT_TRUE(Fetch().ok());
  ExpectWhole();
}

}  // namespace
}  // namespace pith::hub
