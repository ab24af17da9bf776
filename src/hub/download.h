// Download: one file from the hub into a PartialFile, over several connections at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hub/http.h"
#include "pith/status.h"

namespace pith::hub {

struct RemoteFile {
  std::string url;
  std::string name;  // for messages
  uint64_t size = 0;
};

struct DownloadOptions {
  HttpOptions http;
  // Words for a reply that ends it; empty: ExplainReply, which speaks of the hub.
  std::function<Status(const HttpReply& reply, const std::string& what)> explain = {};
  double retry_seconds = 1;
  size_t connections = 4;
  // A connection fetches so much at a time. Smaller parts even out slow connections, each costs a redirect.
  uint64_t part_bytes = uint64_t{64} << 20;
};

struct DownloadProgress {
  uint64_t done = 0;  // bytes that are there
  std::string note;   // why it stands still: "connection lost; again in 2 s"; empty where it does not
};

// Fills `path` (see partial_file.h) and leaves it complete, but unchecked; what was there is not fetched again. Returns
// the bytes fetched. A server that ignores ranges is asked for everything. `progress` is called ten times a second from
// the calling thread; false ends it with kCancelled. On failure, what was fetched stays for the next time.
Result<uint64_t> Download(const RemoteFile& file, const std::string& path, const DownloadOptions& options,
                          const std::function<bool(const DownloadProgress&)>& progress);

// A failed reply as a line for the user: what is wrong and what helps. kNotFound where the hub says that it has no such
// thing (to us), else kIo. `endpoint` is named in addresses.
Status ExplainReply(const HttpReply& reply, const std::string& what, const HttpOptions& options);

// The same of any other server.
Status ExplainPlainReply(const HttpReply& reply, const std::string& what);

}  // namespace pith::hub
