#include "bench/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string_view>

#include "base/file.h"
#include "formats/json.h"

namespace pith::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;  // of the archive at a time
constexpr size_t kStepBytes = 1 << 20;    // unpacked between two looks at `progress`

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

Status Damaged(archive* a, const std::string& what) {
  const char* const why = archive_error_string(a);
  return Corrupt(what + ": " + (why != nullptr ? why : "cannot be unpacked"));
}

// "a", "a/b"; "./a" becomes "a". Empty for a name that could lead out of the folder or cannot be shown.
std::string PlainName(const char* name) {
  if (name == nullptr) return "";
  std::string_view rest = name;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.front() == '/' || rest.find('\\') != std::string_view::npos || !IsPrintableUtf8(rest))
    return "";
  for (const std::filesystem::path& part : std::filesystem::path(rest)) {
    if (part == "..") return "";
  }
  return std::string(rest);
}

class Unpacker {
 public:
  Unpacker(archive* a, const std::string& path, const std::vector<WantedFile>& wanted, const std::string& folder,
           const UnpackLimits& limits, const std::function<bool(uint64_t)>& progress)
      : archive_(a), path_(path), wanted_(wanted), folder_(folder), limits_(limits), progress_(progress) {}

  Status Run() {
    archive_entry* entry = nullptr;
    for (size_t n = 0;; ++n) {
      const int code = archive_read_next_header(archive_, &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Damaged(archive_, path_);
      if (n == limits_.max_entries) {
        return Unsupported(path_ + ": more than " + std::to_string(limits_.max_entries) + " entries");
      }
      PITH_RETURN_IF_ERROR(Take(entry));
    }
    for (const WantedFile& file : wanted_) {
      if (done_.count(file.name) == 0) return Corrupt(path_ + ": holds no file " + Quoted(file.name));
    }
    return OkStatus();
  }

 private:
  Status Take(archive_entry* entry) {
    const char* const raw = archive_entry_pathname(entry);
    const std::string name = PlainName(raw);
    const bool folder = archive_entry_filetype(entry) == AE_IFDIR;
    // "./" is the folder itself, which tar likes to put first.
    if (folder && raw != nullptr && (std::string_view(raw) == "./" || std::string_view(raw) == ".")) return OkStatus();
    if (name.empty()) {
      return Corrupt(path_ + ": entry " + Quoted(raw != nullptr ? raw : "") + ": is no name of a file inside a folder");
    }
    if (folder) return OkStatus();
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
        archive_entry_symlink(entry) != nullptr) {
      return Corrupt(path_ + ": entry " + Quoted(name) + ": is no plain file");
    }
    if (archive_entry_is_encrypted(entry) != 0)
      return Unsupported(path_ + ": entry " + Quoted(name) + ": is encrypted");
    const auto wanted =
        std::find_if(wanted_.begin(), wanted_.end(), [&](const WantedFile& file) { return file.name == name; });
    if (wanted == wanted_.end()) return ReadData(name, nullptr, limits_.max_bytes);
    if (!done_.insert(name).second) return Corrupt(path_ + ": entry " + Quoted(name) + ": comes twice");
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(folder_ + "/" + name, false));
    PITH_RETURN_IF_ERROR(ReadData(name, file.get(), wanted->bytes));
    return file->Commit();
  }

  // The entry's data into `out`, or nowhere. With `out` it has exactly `bytes`, else at most.
  Status ReadData(const std::string& name, AtomicFile* out, uint64_t bytes) {
    uint64_t size = 0;
    const auto wrong_size = [&](const std::string& found) {
      return Corrupt(path_ + ": entry " + Quoted(name) + ": " + found + " bytes, expected " + std::to_string(bytes));
    };
    while (true) {
      const void* data = nullptr;
      size_t n = 0;
      la_int64_t offset = 0;
      const int code = archive_read_data_block(archive_, &data, &n, &offset);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK) return Damaged(archive_, path_ + ": entry " + Quoted(name));
      // A hole of a sparse file would let a few bytes of archive claim any size.
      if (static_cast<uint64_t>(offset) != size) return Corrupt(path_ + ": entry " + Quoted(name) + ": has holes");
      size += n;
      total_ += n;
      if (total_ > limits_.max_bytes) {
        return Unsupported(path_ + ": unpacks to more than " + std::to_string(limits_.max_bytes) + " bytes");
      }
      if (out != nullptr && size > bytes) return wrong_size("more than " + std::to_string(bytes));
      if (out != nullptr) PITH_RETURN_IF_ERROR(out->Write(ByteSpan(static_cast<const uint8_t*>(data), n)));
      if (progress_ && total_ >= reported_ + kStepBytes) {
        reported_ = total_;
        if (!progress_(total_)) return Cancelled(path_ + ": cancelled while unpacking");
      }
    }
    return out != nullptr && size != bytes ? wrong_size(std::to_string(size)) : OkStatus();
  }

  archive* archive_;
  const std::string& path_;
  const std::vector<WantedFile>& wanted_;
  const std::string& folder_;
  const UnpackLimits& limits_;
  const std::function<bool(uint64_t)>& progress_;
  std::set<std::string> done_;
  uint64_t total_ = 0;
  uint64_t reported_ = 0;
};

}  // namespace

Status UnpackFiles(const std::string& path, const std::vector<WantedFile>& wanted, const std::string& folder,
                   const UnpackLimits& limits, const std::function<bool(uint64_t)>& progress) {
  const Archive a(archive_read_new());
  // Only what corpora come in: each further format is a parser more for whoever controls the bytes.
  if (a == nullptr || archive_read_support_format_tar(a.get()) < ARCHIVE_WARN ||
      archive_read_support_format_zip(a.get()) < ARCHIVE_WARN ||
      archive_read_support_filter_gzip(a.get()) != ARCHIVE_OK) {
    return IoError(path + ": libarchive cannot read .tar.gz and .zip files");
  }
  if (archive_read_open_filename(a.get(), path.c_str(), kReadBytes) != ARCHIVE_OK) return Damaged(a.get(), path);
  return Unpacker(a.get(), path, wanted, folder, limits, progress).Run();
}

}  // namespace pith::bench
