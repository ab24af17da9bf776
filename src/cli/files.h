// Inputs and targets of the file commands, with the manners of gzip and zstd.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "cli/console.h"
#include "pith/io.h"
#include "pith/status.h"

namespace pith::cli {

inline constexpr std::string_view kSuffix = ".pith";
inline constexpr std::string_view kStandardInput = "standard input";
inline constexpr std::string_view kStandardOutput = "standard output";

bool HasSuffix(std::string_view path);

struct InputName {
  std::string path;          // "-" is standard input
  bool from_folder = false;  // found by -r, not named by the user
};

// The operands in order, with folders replaced by the regular files in them, sorted by name; links in folders
// are not followed. Without -r, a folder stays as it is (and fails when it is opened). A folder that cannot
// be read is reported on `console` and counted in n_failed.
std::vector<InputName> ExpandInputs(std::span<const std::string> operands, bool recursive, Console& console,
                                    size_t& n_failed);

// A file or standard input, open for reading, with a look at its first bytes.
class Input : public ByteSource {
 public:
  struct Rules {
    bool regular_only = false;   // neither symbolic links nor special files
    bool has_recursive = false;  // the command knows -r: said where a folder was given
  };
  // kNotFound, kInvalidArgument (a folder, or against the rules), kIo. The message begins with the name.
  static Result<std::unique_ptr<Input>> Open(const std::string& path, const Rules& rules);
  ~Input() override;

  Result<size_t> Read(std::span<uint8_t> out) override;
  // All that Read will still give.
  Result<std::vector<uint8_t>> ReadToEnd();
  // Up to 16 bytes that Read will give first.
  Result<std::span<const uint8_t>> Head();

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }  // for messages: the path or "standard input"
  bool is_stdin() const { return path_ == "-"; }
  bool is_regular() const { return S_ISREG(info_.st_mode); }
  bool is_terminal() const;
  std::optional<uint64_t> size() const;     // regular files only
  std::optional<int64_t> mtime_ns() const;  // regular files only
  std::optional<uint32_t> mode() const;     // permission bits, without set-id; regular files only
  bool IsSameFile(const struct stat& other) const;

  // Deletes the file if its name still means the file that was read.
  Status Remove();

 private:
  Input(std::string path, int fd, const struct stat& info);
  std::string path_;
  std::string name_;
  int fd_;
  struct stat info_;
  std::vector<uint8_t> head_;
  size_t head_used_ = 0;
  bool head_read_ = false;
};

// Where a result goes: standard output, a special file such as /dev/null as it is, or a new file that appears
// whole.
class Target : public ByteSink {
 public:
  static std::unique_ptr<Target> StandardOutput();
  // As AtomicFile::Create. `replace` does not matter for special files.
  static Result<std::unique_ptr<Target>> Create(const std::string& path, bool replace);
  ~Target() override;

  Status Write(std::span<const uint8_t> data) override;
  // Makes the result final. Without it, a new file does not appear.
  Status Commit(const FileAttributes& attributes);

  const std::string& name() const { return name_; }
  bool is_new_file() const { return file_ != nullptr; }
  // REQUIRES: is_new_file(). Where the bytes lie until Commit.
  const std::string& temporary_path() const { return file_->temporary_path(); }

 private:
  explicit Target(std::string name) : name_(std::move(name)) {}
  std::string name_;
  int fd_ = -1;  // special file or standard output
  std::unique_ptr<AtomicFile> file_;
};

// Closes standard output and reports what the system held back until then (a full disk behind NFS). Once, at
// the end.
Status CloseStandardOutput();

// All of a file or of standard input, in memory or mapped.
class Contents {
 public:
  static Result<Contents> Load(const std::string& path);
  std::span<const uint8_t> bytes() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::unique_ptr<MappedFile> mapped_;
  std::vector<uint8_t> read_;
};

}  // namespace pith::cli
