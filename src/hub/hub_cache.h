// HubCache: the folder in which huggingface_hub, and so transformers and huggingface-cli, keep what they fetch.
//
//   models--ORG--NAME/blobs/ETAG                    content, by the hub's name for it
//   models--ORG--NAME/refs/REVISION                 the commit that a branch or tag was when it was fetched
//   models--ORG--NAME/snapshots/COMMIT/FILE         link to ../../blobs/ETAG; the file itself where links do not work
//   .locks/models--ORG--NAME/ETAG.lock              held (flock) by whoever fetches that blob
//
// Names that come in here have passed hub_names.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pith/status.h"

namespace pith::hub {

// An flock on a file of its own; let go by the destructor, and by the system when the process ends.
class FileLock {
 public:
  FileLock() = default;  // holds nothing
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;

  // Makes the file (and its folder) where it is missing, and waits while somebody else holds the lock: `waiting` is
  // called several times a second then. kCancelled when it returns false, kIo.
  static Result<FileLock> Acquire(const std::string& path, const std::function<bool()>& waiting);

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

class HubCache {
 public:
  explicit HubCache(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  std::string ModelFolder(const std::string& model) const;
  std::string LockFolder(const std::string& model) const;
  std::string BlobPath(const std::string& model, const std::string& etag) const;
  std::string SnapshotPath(const std::string& model, const std::string& commit) const;

  // The commit that `revision` (empty: main) means here; empty where that is not known.
  std::string CommitOf(const std::string& model, const std::string& revision) const;
  // The snapshot folder of a revision; empty where there is none.
  std::string Snapshot(const std::string& model, const std::string& revision) const;
  // "ORG/NAME" of everything that has a folder here, sorted.
  std::vector<std::string> Models() const;

  // Makes snapshots/COMMIT/FILE mean the blob: by a relative link, or by moving the blob there where the file system
  // has no links or `plain` says so.
  Status Link(const std::string& model, const std::string& commit, const std::string& file, const std::string& etag,
              bool plain) const;
  // Writes refs/REVISION, which appears whole. A commit needs none.
  Status WriteRef(const std::string& model, const std::string& revision, const std::string& commit) const;

 private:
  std::string root_;
};

bool IsFolder(const std::string& path);
bool IsFile(const std::string& path);           // links followed
uint64_t FileBytes(const std::string& path);    // 0 where there is none
uint64_t FolderBytes(const std::string& path);  // of the files below it; links count nothing
Status MakeFolders(const std::string& path);

// kIo with both numbers when the file system of `path` (which need not exist yet) has less than `bytes` to give; `what`
// goes in front. A file system that does not say counts as large enough.
Status CheckRoom(const std::string& path, uint64_t bytes, const std::string& what);

}  // namespace pith::hub
