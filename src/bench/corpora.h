// Corpora: well-known test files (--corpus), fetched once from their official addresses and checked against pinned
// sums.
//
//   CACHE/NAME/FILE...           complete, or not there
//   CACHE/NAME/SHA256SUMS        of the files, as sha256sum -c takes it
//   CACHE/.downloads/ARCHIVE     a download that goes on the next time
//   CACHE/.locks/NAME.lock       held (flock) by whoever fetches that corpus
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pith/status.h"

namespace pith::bench {

struct CorpusFile {
  const char* name;
  uint64_t bytes;
  const char* sha256;  // empty: pinned by the archive's alone
};

struct CorpusInfo {
  const char* name;   // as --corpus takes it
  const char* title;  // for people: "Canterbury corpus, 11 files"
  const char* url;    // of the archive
  uint64_t archive_bytes;
  const char* archive_sha256;
  std::span<const CorpusFile> files;

  uint64_t bytes() const;  // of all files
};

std::span<const CorpusInfo> Corpora();

struct CorpusSettings {
  std::string cache;     // PITH_CORPORA, else $XDG_CACHE_HOME/pith/corpora, else ~/.cache/pith/corpora
  std::string mirror;    // PITH_CORPUS_MIRROR: a folder with the archives, or the http(s) address of one; asked first
  bool offline = false;  // HF_HUB_OFFLINE: what is in the cache or in a mirror folder, or kNotFound
  double stall_seconds = 30;  // HF_HUB_DOWNLOAD_TIMEOUT
  double retry_seconds = 1;   // PITH_RETRY_SECONDS
};

// kInvalidArgument names the variable (docs/hub.md); kNotFound where not even HOME is set.
Result<CorpusSettings> CorpusSettingsFromEnvironment();

struct CorpusProgress {
  enum class Stage { kWaiting, kFetching, kUnpacking, kChecking };  // waiting: for another process
  Stage stage = Stage::kFetching;
  std::string file;
  uint64_t done = 0;  // bytes
  uint64_t total = 0;
  std::string note;  // why it stands still; empty where it does not
};
// False ends it with kCancelled; what was fetched stays for the next time.
using CorpusCallback = std::function<bool(const CorpusProgress&)>;

struct Corpus {
  std::string name;
  std::string folder;
  std::vector<std::string> files;  // paths, in the order of CorpusInfo
  uint64_t bytes = 0;
  bool was_fetched = false;  // this time, from the net or from the mirror
};

// The files are there, and each is what it was when its sum was pinned: that is checked each time. What is damaged in
// the cache is fetched anew. kInvalidArgument lists the names; kNotFound, kCorrupt (both digests, or both sizes), kIo,
// kCancelled.
Result<Corpus> FetchCorpus(std::string_view name, const CorpusSettings& settings, const CorpusCallback& progress);
Result<Corpus> FetchCorpus(const CorpusInfo& corpus, const CorpusSettings& settings, const CorpusCallback& progress);

}  // namespace pith::bench
