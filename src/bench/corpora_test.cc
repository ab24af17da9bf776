#include "bench/corpora.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <thread>

#include "bench/test_archive.h"
#include "hub/digest.h"
#include "hub/hub_test_folder.h"
#include "support/fake_hub.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;
using hub::ContentOf;
using hub::TestFolder;
using hub::WriteContent;
using test::FakeHub;
using Asked = FakeHub::Asked;
using Fault = FakeHub::Fault;

constexpr const char* kRepository = "Org/Corpora";
constexpr const char* kMirror = "Org/Mirror";
constexpr const char* kArchive = "small.tar.gz";

std::string Sha256(const std::string& content) { return *hub::EtagOf(hub::EtagKind::kSha256, AsBytes(content)); }

// Bytes that gzip cannot shorten.
std::string Noise(size_t n) {
  std::string bytes;
  uint64_t random = 7;
  for (size_t i = 0; i < n; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    bytes += static_cast<char>(random >> 56);
  }
  return bytes;
}

// A corpus of two files, one without a sum of its own, on a server of this machine.
class FetchingCorpora : public ::testing::Test {
 protected:
  FetchingCorpora() {
    setenv("no_proxy", "127.0.0.1", 1);  // no proxy between this test and its own server
    MakeArchive(folder_ / kArchive, {{"text", text_}, {"noise", noise_}});
    archive_ = ContentOf(folder_ / kArchive);
    archive_sum_ = Sha256(archive_);
    text_sum_ = Sha256(text_);
    files_ = {{"text", text_.size(), text_sum_.c_str()}, {"noise", noise_.size(), ""}};
    url_ = AddressOf(kRepository) + "/" + kArchive;
    hub_.Put(kRepository, kArchive, archive_);
    settings_.cache = folder_ / "cache";
    settings_.retry_seconds = 0.01;
    settings_.stall_seconds = 5;
  }

  std::string AddressOf(const std::string& repository) const {
    return hub_.endpoint() + "/" + repository + "/resolve/main";
  }
  CorpusInfo Info() const {
    return {"small", "a small corpus", url_.c_str(), archive_.size(), archive_sum_.c_str(), files_};
  }
  Result<Corpus> Fetch(const CorpusCallback& progress = {}) { return FetchCorpus(Info(), settings_, progress); }
  void ExpectError(StatusCode code, const std::string& part) {
    const Status status = Fetch().status();
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
  }
  void ExpectFetched(bool was_fetched) {
    const Result<Corpus> corpus = Fetch();
    ASSERT_TRUE(corpus.ok()) << corpus.status().message();
    EXPECT_EQ(corpus->was_fetched, was_fetched);
    EXPECT_EQ(corpus->name, "small");
    EXPECT_EQ(corpus->folder, settings_.cache + "/small");
    EXPECT_EQ(corpus->bytes, text_.size() + noise_.size());
    ASSERT_EQ(corpus->files, (std::vector<std::string>{corpus->folder + "/text", corpus->folder + "/noise"}));
    EXPECT_EQ(ContentOf(corpus->files[0]), text_);
    EXPECT_EQ(ContentOf(corpus->files[1]), noise_);
    EXPECT_EQ(ContentOf(corpus->folder + "/SHA256SUMS"), text_sum_ + "  text\n" + Sha256(noise_) + "  noise\n");
    // Nothing else is left in the cache: no archive, no half-unpacked folder.
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(settings_.cache)) {
      if (entry.is_regular_file()) names.insert(fs::relative(entry.path(), settings_.cache).string());
    }
    names.erase(".locks/small.lock");
    EXPECT_EQ(names, (std::set<std::string>{"small/text", "small/noise", "small/SHA256SUMS"}));
  }
  bool IsThere() const { return fs::exists(settings_.cache + "/small"); }

  const std::string text_ = "A corpus is a body of text.\n";
  const std::string noise_ = Noise(300'000);
  TestFolder folder_;
  FakeHub hub_;
  CorpusSettings settings_;
  std::string archive_, archive_sum_, text_sum_, url_;
  std::vector<CorpusFile> files_;
};

TEST_F(FetchingCorpora, AreFetchedOnceAndThenWorkOffline) {
  ExpectFetched(true);
  const size_t asked = hub_.asked().size();
  ExpectFetched(false);
  settings_.offline = true;
  ExpectFetched(false);
  EXPECT_EQ(hub_.asked().size(), asked);
}

TEST_F(FetchingCorpora, OfflineWithoutCacheIsAnErrorAndAsksNobody) {
  settings_.offline = true;
  ExpectError(StatusCode::kNotFound, "small: offline, and " + settings_.cache + " does not have it");
  EXPECT_TRUE(hub_.asked().empty());
  EXPECT_FALSE(IsThere());
}

TEST_F(FetchingCorpora, RedirectsAreFollowed) {
  hub_.Put(kRepository, kArchive, archive_, true);
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, AnInterruptedDownloadGoesOn) {
  hub_.SetFault([](const Asked&) { return Fault{.pause_seconds = 0.05}; });
  const Result<Corpus> cancelled =
      Fetch([](const CorpusProgress& p) { return p.stage != CorpusProgress::Stage::kFetching || p.done < 100'000; });
  ASSERT_EQ(cancelled.status().code(), StatusCode::kCancelled) << cancelled.status().message();
  EXPECT_FALSE(IsThere());
  hub_.SetFault({});
  const uint64_t before = hub_.SentOf(kArchive);
  ExpectFetched(true);
  EXPECT_LE(hub_.SentOf(kArchive) - before, archive_.size() - 100'000);
  EXPECT_TRUE(hub_.asked().back().first.value_or(0) >= 100'000) << "by a range";
}

TEST_F(FetchingCorpora, ABrokenConnectionIsTakenUpAgain) {
  hub_.SetFault([](const Asked& a) { return a.count == 0 ? Fault{.cut_after = 50'000} : Fault{}; });
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, AWrongBeginningIsFetchedAnew) {
  WriteContent(settings_.cache + "/.downloads/" + kArchive, std::string(50'000, 'x'));
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, WrongContentNeverGetsIntoTheCache) {
  std::string wrong = archive_;
  wrong[1234] = static_cast<char>(wrong[1234] ^ 1);
  hub_.SetFault([&](const Asked&) { return Fault{.body = wrong}; });
  ExpectError(StatusCode::kCorrupt, "has SHA-256 " + Sha256(wrong) + ", expected " + archive_sum_);
  EXPECT_FALSE(IsThere());
  EXPECT_FALSE(fs::exists(settings_.cache + "/.downloads/" + kArchive)) << "nothing wrong to go on with";
  hub_.SetFault({});
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, AWrongSizeIsAnErrorBeforeItIsFetched) {
  hub_.Put(kRepository, kArchive, archive_ + "more");
  ExpectError(StatusCode::kIo,
              std::to_string(archive_.size() + 4) + " bytes, expected " + std::to_string(archive_.size()));
  hub_.Put(kRepository, kArchive, archive_.substr(1));
  ExpectError(StatusCode::kIo,
              std::to_string(archive_.size() - 1) + " bytes, expected " + std::to_string(archive_.size()));
  EXPECT_FALSE(IsThere());
}

TEST_F(FetchingCorpora, WhatTheServerSaysIsSaid) {
  url_ = AddressOf(kRepository) + "/other.tar.gz";
  ExpectError(StatusCode::kNotFound, "small: other.tar.gz: http://127.0.0.1 has no such file (404)");
  hub_.SetFault([](const Asked&) { return Fault{.status = 503}; });
  ExpectError(StatusCode::kIo, "is in trouble (503)");
  hub_.SetFault([](const Asked&) { return Fault{.status = 403}; });
  ExpectError(StatusCode::kIo, "unexpected answer 403");
  url_ = "http://127.0.0.1:1/" + std::string(kArchive);
  ExpectError(StatusCode::kIo, "small: small.tar.gz: ");
  EXPECT_FALSE(IsThere());
}

TEST_F(FetchingCorpora, AFileThatIsNotWhatItWasPinnedAsIsAnError) {
  const std::string other = Sha256("another text");
  files_[0].sha256 = other.c_str();
  ExpectError(StatusCode::kCorrupt, "text has SHA-256 " + text_sum_ + ", expected " + other);
  EXPECT_FALSE(IsThere());
  files_[0] = {"text", text_.size() + 1, text_sum_.c_str()};
  ExpectError(StatusCode::kCorrupt, "entry \"text\": 28 bytes, expected 29");
  files_[0] = {"missing", 1, ""};
  ExpectError(StatusCode::kCorrupt, "holds no file \"missing\"");
  EXPECT_FALSE(IsThere());
}

TEST_F(FetchingCorpora, AnEvilArchiveWritesNothing) {
  MakeArchive(folder_ / kArchive, {{"text", text_}, {"../../evil", "evil"}, {"noise", noise_}});
  archive_ = ContentOf(folder_ / kArchive);
  archive_sum_ = Sha256(archive_);
  hub_.Put(kRepository, kArchive, archive_);
  ExpectError(StatusCode::kCorrupt, "entry \"../../evil\"");
  EXPECT_FALSE(IsThere());
  EXPECT_FALSE(fs::exists(folder_ / "evil"));
}

TEST_F(FetchingCorpora, DamageInTheCacheIsRepaired) {
  const auto fetch = [&] { ExpectFetched(true); };
  fetch();
  const std::string text = settings_.cache + "/small/text";
  const std::string noise = settings_.cache + "/small/noise";
  std::string flipped = noise_;
  flipped[99] = static_cast<char>(flipped[99] ^ 1);
  for (const auto& [path, content] : std::vector<std::pair<std::string, std::string>>{
           {text, "a corpus is a body of text.\n"}, {text, ""}, {noise, flipped}}) {
    WriteContent(path, content);
    settings_.offline = true;
    ExpectError(StatusCode::kCorrupt, "small: offline, and the cache is damaged: " + path);
    settings_.offline = false;
    fetch();
  }
  fs::remove(settings_.cache + "/small/SHA256SUMS");
  fetch();
}

TEST_F(FetchingCorpora, AMirrorFolderIsAskedFirstAndWorksOffline) {
  settings_.mirror = folder_ / "mirror";
  WriteContent(settings_.mirror + "/" + kArchive, archive_);
  settings_.offline = true;
  ExpectFetched(true);
  EXPECT_TRUE(hub_.asked().empty());
  EXPECT_TRUE(fs::exists(settings_.mirror + "/" + kArchive)) << "it stays";
}

TEST_F(FetchingCorpora, AMirrorThatLacksTheFileIsPassedOver) {
  settings_.mirror = folder_ / "mirror";
  fs::create_directories(settings_.mirror);
  ExpectFetched(true);
  fs::remove_all(settings_.cache);
  settings_.mirror = AddressOf(kMirror);
  ExpectFetched(true);
  fs::remove_all(settings_.cache);
  settings_.mirror = "http://127.0.0.1:1";
  ExpectFetched(true);
  fs::remove_all(settings_.cache);
  url_ = AddressOf(kRepository) + "/other.tar.gz";
  ExpectError(StatusCode::kNotFound, "has no such file (404); before that, from PITH_CORPUS_MIRROR: ");
}

TEST_F(FetchingCorpora, AMirrorByAddressIsAskedFirst) {
  settings_.mirror = AddressOf(kMirror);
  hub_.Put(kMirror, kArchive, archive_);
  url_ = "http://127.0.0.1:1/" + std::string(kArchive);
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, AMirrorWithOtherContentIsAnError) {
  settings_.mirror = folder_ / "mirror";
  std::string wrong = archive_;
  wrong[5000] = static_cast<char>(wrong[5000] ^ 1);
  WriteContent(settings_.mirror + "/" + kArchive, wrong);
  ExpectError(StatusCode::kCorrupt, settings_.mirror + "/" + kArchive + ": SHA-256 " + Sha256(wrong));
  WriteContent(settings_.mirror + "/" + kArchive, "short");
  ExpectError(StatusCode::kCorrupt, ": 5 bytes, expected ");
  EXPECT_TRUE(hub_.asked().empty());
}

// The lock is flock's, which holds between any two openings of a file, of one process or of two.
TEST_F(FetchingCorpora, TwoAtOnceFetchOnce) {
  hub_.SetFault([](const Asked&) { return Fault{.pause_seconds = 0.02}; });
  bool waited[2] = {false, false};
  const auto run = [&](size_t i) {
    return Fetch([&waited, i](const CorpusProgress& p) {
      waited[i] = waited[i] || p.stage == CorpusProgress::Stage::kWaiting;
      return true;
    });
  };
  std::future<Result<Corpus>> first = std::async(std::launch::async, run, size_t{0});
  std::future<Result<Corpus>> second = std::async(std::launch::async, run, size_t{1});
  const Result<Corpus> a = first.get();
  const Result<Corpus> b = second.get();
  ASSERT_TRUE(a.ok()) << a.status().message();
  ASSERT_TRUE(b.ok()) << b.status().message();
  EXPECT_NE(a->was_fetched, b->was_fetched);
  EXPECT_NE(waited[0], waited[1]);
  EXPECT_EQ(hub_.SentOf(kArchive), archive_.size()) << "no byte twice";
  ExpectFetched(false);
}

TEST_F(FetchingCorpora, WhatADeadProcessLeftIsRemoved) {
  WriteContent(settings_.cache + "/.small.unpacking/text", "half");
  WriteContent(settings_.cache + "/.small.unpacking/other", "half");
  ExpectFetched(true);
}

TEST_F(FetchingCorpora, CancellingAfterTheDownloadKeepsIt) {
  const Result<Corpus> cancelled =
      Fetch([](const CorpusProgress& p) { return p.stage != CorpusProgress::Stage::kChecking; });
  EXPECT_EQ(cancelled.status().code(), StatusCode::kCancelled) << cancelled.status().message();
  EXPECT_FALSE(IsThere());
  ExpectFetched(true);
  EXPECT_EQ(hub_.SentOf(kArchive), archive_.size()) << "no byte twice";
}

TEST(Corpora, AnUnknownNameListsTheNames) {
  const Result<Corpus> corpus = FetchCorpus("canterbery", {}, {});
  EXPECT_EQ(corpus.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(corpus.status().message(),
            "no corpus is called \"canterbery\"; there are canterbury, calgary, silesia, enwik8, text8");
}

TEST(Corpora, WithoutAFolderNothingIsFetched) {
  EXPECT_EQ(FetchCorpus("canterbury", {}, {}).status().message(), "canterbury: no folder to keep it in");
}

TEST(Corpora, TheTableIsWellFormed) {
  std::set<std::string> archives;
  for (const CorpusInfo& corpus : Corpora()) {
    EXPECT_EQ(hub::KindOfEtag(corpus.archive_sha256), hub::EtagKind::kSha256) << corpus.name;
    EXPECT_TRUE(archives.insert(fs::path(corpus.url).filename()).second) << corpus.name << ": two of one file name";
    std::set<std::string> names;
    for (const CorpusFile& file : corpus.files) {
      EXPECT_TRUE(names.insert(file.name).second) << corpus.name << ": " << file.name;
      EXPECT_TRUE(*file.sha256 == '\0' || hub::KindOfEtag(file.sha256) == hub::EtagKind::kSha256) << file.name;
    }
  }
  // Totals that the corpora's own pages and their users name.
  ASSERT_EQ(Corpora().size(), 5u);
  EXPECT_EQ(Corpora()[0].bytes(), 2'810'784u);
  EXPECT_EQ(Corpora()[1].bytes(), 3'251'493u);
  EXPECT_EQ(Corpora()[2].bytes(), 211'938'580u);
}

TEST(Corpora, SumsAreThoseOfTheCopiesAtHand) {
  const std::string shared = std::string(PITH_SOURCE_DIR) + "/../shared/data/corpus";
  if (!fs::exists(shared)) GTEST_SKIP() << "no " << shared;
  size_t n = 0;
  for (const CorpusInfo& corpus : Corpora()) {
    for (const CorpusFile& file : corpus.files) {
      const std::string path = shared + "/" + corpus.name + "/" + file.name;
      if (!fs::exists(path)) continue;
      EXPECT_EQ(fs::file_size(path), file.bytes) << path;
      EXPECT_EQ(Sha256(ContentOf(path)), file.sha256) << path;
      ++n;
    }
  }
  EXPECT_EQ(n, 10u);
}

class CorpusVariables : public ::testing::Test {
 protected:
  CorpusVariables() {
    for (const char* name : {"PITH_CORPORA", "PITH_CORPUS_MIRROR", "XDG_CACHE_HOME", "HF_HUB_OFFLINE"}) unsetenv(name);
    setenv("HOME", folder_.path().c_str(), 1);
  }
  TestFolder folder_;
};

TEST_F(CorpusVariables, NameTheFolders) {
  EXPECT_EQ(CorpusSettingsFromEnvironment()->cache, folder_ / ".cache/pith/corpora");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(CorpusSettingsFromEnvironment()->cache, "/x/pith/corpora");
  setenv("PITH_CORPORA", "/c", 1);
  EXPECT_EQ(CorpusSettingsFromEnvironment()->cache, "/c");
  setenv("PITH_CORPUS_MIRROR", (folder_.path() + "/").c_str(), 1);
  EXPECT_EQ(CorpusSettingsFromEnvironment()->mirror, folder_.path());
  setenv("PITH_CORPUS_MIRROR", "https://mirror.example/corpora/", 1);
  EXPECT_EQ(CorpusSettingsFromEnvironment()->mirror, "https://mirror.example/corpora");
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_TRUE(CorpusSettingsFromEnvironment()->offline);
}

TEST_F(CorpusVariables, AMirrorThatIsNoneIsAnError) {
  setenv("PITH_CORPUS_MIRROR", (folder_ / "missing").c_str(), 1);
  EXPECT_EQ(CorpusSettingsFromEnvironment().status().code(), StatusCode::kInvalidArgument);
  setenv("PITH_CORPUS_MIRROR", "ftp://mirror.example", 1);
  EXPECT_EQ(
      CorpusSettingsFromEnvironment().status().message(),
      "PITH_CORPUS_MIRROR: \"ftp://mirror.example\", expected a folder, or a URL that begins with http:// or https://");
}

}  // namespace
}  // namespace pith::bench
