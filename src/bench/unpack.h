// UnpackFiles: named files out of a downloaded archive (.tar, .tar.gz, .zip), by libarchive.
//
// The archive comes from outside: nothing in it decides where or how much is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pith/status.h"

namespace pith::bench {

struct WantedFile {
  std::string name;  // as it stands in the archive; no folders
  uint64_t bytes = 0;
};

struct UnpackLimits {
  size_t max_entries = 1000;
  uint64_t max_bytes = uint64_t{4} << 30;  // of all entries, unpacked, wanted or not
};

// Writes each wanted file into `folder`, which exists and has none of them; other files of the archive are passed over.
// kCorrupt: what is no archive of these kinds, or is damaged; an entry that is neither file nor folder (links, devices)
// or whose name leaves the folder (absolute, "..", backslashes); a wanted file that is missing, comes twice, or has
// another size. kUnsupported: more than a limit, or encrypted. On failure some of the files may lie in `folder`.
// `progress` gets the bytes unpacked so far; false ends it with kCancelled. May be empty.
Status UnpackFiles(const std::string& archive, const std::vector<WantedFile>& wanted, const std::string& folder,
                   const UnpackLimits& limits, const std::function<bool(uint64_t)>& progress);

}  // namespace pith::bench
