#include "cli/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace pith::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeadBytes = 16;  // enough for LooksLikeArchive

std::string ErrnoText() { return std::strerror(errno); }

Status CannotOpen(const std::string& path) {
  if (errno == ENOENT || errno == ENOTDIR) return NotFound((path.empty() ? "''" : path) + ": no such file");
  return IoError(path + ": cannot open: " + ErrnoText());
}

void AddFolder(const std::string& folder, Console& console, size_t& n_failed, std::vector<InputName>& out) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(*it);
  if (error) {
    console.Error(folder + ": cannot read the folder: " + error.message());
    ++n_failed;
    return;
  }
  std::sort(entries.begin(), entries.end());
  for (const fs::directory_entry& entry : entries) {
    const std::string path = entry.path().string();
    const fs::file_status status = entry.symlink_status(error);
    if (!error && fs::is_directory(status)) {
      AddFolder(path, console, n_failed, out);
    } else if (!error && fs::is_regular_file(status)) {
      out.push_back({path, true});
    } else {
      console.Detail(path + ": neither a file nor a folder; left out");
    }
  }
}

}  // namespace

bool HasSuffix(std::string_view path) { return path.size() > kSuffix.size() && path.ends_with(kSuffix); }

std::vector<InputName> ExpandInputs(std::span<const std::string> operands, bool recursive, Console& console,
                                    size_t& n_failed) {
  std::vector<InputName> names;
  for (const std::string& operand : operands) {
    struct stat info;
    if (recursive && operand != "-" && stat(operand.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      AddFolder(operand, console, n_failed, names);
    } else {
      names.push_back({operand, false});
    }
  }
  return names;
}

// ---- Input
// --------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Input>> Input::Open(const std::string& path, const Rules& rules) {
  struct stat info{};
  if (path == "-") {
    if (fstat(STDIN_FILENO, &info) != 0) return IoError("standard input: " + ErrnoText());
    if (S_ISDIR(info.st_mode)) return InvalidArgument("standard input: is a folder");
    return std::unique_ptr<Input>(new Input(path, STDIN_FILENO, info));
  }
  if (rules.regular_only) {
    // Before open: opening a pipe that nobody writes to would wait for ever.
    if (lstat(path.c_str(), &info) != 0) return CannotOpen(path);
    if (S_ISLNK(info.st_mode)) {
      if (stat(path.c_str(), &info) != 0) return NotFound(path + ": is a symbolic link to nothing");
      if (!S_ISDIR(info.st_mode))
        return InvalidArgument(path + ": is a symbolic link; left out (follow it with -f)");
    }
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
      return InvalidArgument(path + ": is not a regular file; left out (read it with -f, -c or -o)");
    }
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CannotOpen(path);
  std::unique_ptr<Input> input(new Input(path, fd, info));
  if (fstat(fd, &input->info_) != 0) return IoError(path + ": cannot stat: " + ErrnoText());
  if (S_ISDIR(input->info_.st_mode)) {
    return InvalidArgument(path + (rules.has_recursive ? ": is a folder (take the files in it with -r)"
                                                       : ": is a folder, expected a file"));
  }
  return input;
}

Input::Input(std::string path, int fd, const struct stat& info)
    : path_(std::move(path)),
      name_(path_ == "-" ? std::string(kStandardInput) : path_),
      fd_(fd),
      info_(info) {}

Input::~Input() {
  if (fd_ != STDIN_FILENO) close(fd_);
}

Result<std::span<const uint8_t>> Input::Head() {
  if (!head_read_) {
    head_.resize(kHeadBytes);
    FdSource source(fd_, name_);
    PITH_ASSIGN_OR_RETURN(const size_t n, ReadFully(source, head_));
    head_.resize(n);
    head_read_ = true;
  }
  return std::span<const uint8_t>(head_);
}

Result<size_t> Input::Read(std::span<uint8_t> out) {
  if (head_used_ < head_.size()) {
    const size_t n = std::min(out.size(), head_.size() - head_used_);
    std::copy_n(head_.begin() + static_cast<ptrdiff_t>(head_used_), n, out.begin());
    head_used_ += n;
    return n;
  }
  return FdSource(fd_, name_).Read(out);
}

Result<std::vector<uint8_t>> Input::ReadToEnd() {
  const size_t step = is_regular() ? static_cast<size_t>(info_.st_size) + 1 : size_t{1} << 20;
  std::vector<uint8_t> bytes;
  while (true) {
    const size_t old = bytes.size();
    bytes.resize(old + step);
    PITH_ASSIGN_OR_RETURN(const size_t n, ReadFully(*this, std::span(bytes).subspan(old)));
    bytes.resize(old + n);
    if (n < step) return bytes;
  }
}

bool Input::is_terminal() const { return isatty(fd_) == 1; }

std::optional<uint64_t> Input::size() const {
  if (!is_regular()) return std::nullopt;
  return static_cast<uint64_t>(info_.st_size);
}

std::optional<int64_t> Input::mtime_ns() const {
  if (!is_regular()) return std::nullopt;
  constexpr int64_t kNsPerS = 1000000000;
  return static_cast<int64_t>(info_.st_mtim.tv_sec) * kNsPerS + info_.st_mtim.tv_nsec;
}

std::optional<uint32_t> Input::mode() const {
  if (!is_regular()) return std::nullopt;
  return info_.st_mode & 0777;
}

bool Input::IsSameFile(const struct stat& other) const {
  return info_.st_dev == other.st_dev && info_.st_ino == other.st_ino;
}

Status Input::Remove() {
  struct stat info;
  if (stat(path_.c_str(), &info) != 0 || !IsSameFile(info)) {
    return IoError(path_ + ": is another file now; not removed");
  }
  if (unlink(path_.c_str()) != 0) return IoError(path_ + ": cannot remove: " + ErrnoText());
  return OkStatus();
}

// ---- Target
// -------------------------------------------------------------------------------------------------------

std::unique_ptr<Target> Target::StandardOutput() {
  std::unique_ptr<Target> target(new Target(std::string(kStandardOutput)));
  target->fd_ = STDOUT_FILENO;
  return target;
}

Result<std::unique_ptr<Target>> Target::Create(const std::string& path, bool replace) {
  std::unique_ptr<Target> target(new Target(path));
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    target->fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (target->fd_ < 0) return IoError(path + ": cannot open: " + ErrnoText());
    return target;
  }
  PITH_ASSIGN_OR_RETURN(target->file_, AtomicFile::Create(path, replace));
  return target;
}

Target::~Target() {
  if (fd_ >= 0 && fd_ != STDOUT_FILENO) close(fd_);
}

Status Target::Write(std::span<const uint8_t> data) {
  return file_ != nullptr ? file_->Write(data) : FdSink(fd_, name_).Write(data);
}

Status Target::Commit(const FileAttributes& attributes) {
  if (file_ != nullptr) return file_->Commit(attributes);
  if (fd_ == STDOUT_FILENO) return OkStatus();
  if (close(std::exchange(fd_, -1)) != 0) return IoError(name_ + ": cannot close: " + ErrnoText());
  return OkStatus();
}

Status CloseStandardOutput() {
  if (close(STDOUT_FILENO) != 0 && errno != EBADF) {
    return IoError("standard output: cannot close: " + ErrnoText());
  }
  return OkStatus();
}

// ---- Contents
// -----------------------------------------------------------------------------------------------------

Result<Contents> Contents::Load(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> input, Input::Open(path, {}));
  Contents contents;
  contents.name_ = input->name();
  if (input->is_regular() && !input->is_stdin()) {
    PITH_ASSIGN_OR_RETURN(contents.mapped_, MappedFile::Open(path));
    return contents;
  }
  PITH_ASSIGN_OR_RETURN(contents.read_, input->ReadToEnd());
  return contents;
}

std::span<const uint8_t> Contents::bytes() const {
  return mapped_ != nullptr ? mapped_->bytes() : std::span<const uint8_t>(read_);
}

}  // namespace pith::cli
