#include "config/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "config/base/directory_stream.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxTreeDepth = 64;  ///< each level holds two descriptors

Error FromErrno(int error, std::string_view act, const fs::path& path) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR  ? ErrorCode::kNotFound
                         : error == EACCES || error == EPERM  ? ErrorCode::kDenied
                         : error == EXDEV || error == ELOOP   ? ErrorCode::kInvalid
                         : error == ENOSPC || error == EDQUOT ? ErrorCode::kUnavailable
                                                              : ErrorCode::kInternal;
  return MakeError(code, fmt::format("{} {}: {}", act, path.string(),
                                     std::error_code(error, std::generic_category()).message()));
}

Result<std::string> ReadAll(const Fd& fd, const fs::path& name, std::size_t max_bytes) {
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FromErrno(errno, "read", name);
  if (!S_ISREG(info.st_mode)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is not a regular file", name.string()));
  }
  std::string bytes;
  char chunk[64 << 10];
  for (;;) {
    const ssize_t n = read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno(errno, "read", name);
    if (n == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(n) > max_bytes) {
      return MakeError(ErrorCode::kTooLarge,
                       fmt::format("{} is larger than {} bytes", name.string(), max_bytes));
    }
    bytes.append(chunk, static_cast<std::size_t>(n));
  }
}

Result<void> WriteAll(const Fd& fd, const fs::path& name, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno(errno, "write", name);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok();
}

// Removes what is below a directory. Works on descriptors only, so that nobody can swap a directory
// for a link between look and removal. Whatever lies too deep is first moved up to the top: whoever
// made it could otherwise keep it for ever, or use up our descriptors and stack.
class TreeRemover {
 public:
  explicit TreeRemover(int top) : top_(top) {}

  Result<void> Empty(const fs::path& shown) {
    do {
      moved_up_ = 0;
      SWAGE_RETURN_IF_ERROR(EmptyOne(top_, shown, 0));
    } while (moved_up_ > 0);
    return Ok();
  }

  /// A directory that may be read and changed; chmods it when it has to.
  static Fd OpenForRemoval(int parent, const char* name) {
    const Fd handle(openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!handle.valid()) return Fd();
    const std::string self = fmt::format("/proc/self/fd/{}", handle.get());
    chmod(self.c_str(), 0700);  // entries of a read-only directory cannot be removed
    return Fd(open(self.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

 private:
  Result<void> EmptyOne(int dir, const fs::path& shown, int depth) {
    const int listing_fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const DirectoryStream listing(listing_fd < 0 ? nullptr : fdopendir(listing_fd));
    if (listing == nullptr) return FromErrno(errno, "remove", shown);
    Result<void> result = Ok();
    while (const dirent* entry = readdir(listing.get())) {
      const std::string_view child = entry->d_name;
      if (child == "." || child == "..") continue;
      Result<void> removed = RemoveEntry(dir, entry->d_name, shown / child, depth);
      if (!removed.ok()) result = removed;
    }
    return result;
  }

  Result<void> RemoveEntry(int parent, const char* name, const fs::path& shown, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return Ok();
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
      return FromErrno(errno, "remove", shown);
    const Fd dir = OpenForRemoval(parent, name);
    if (!dir.valid()) return FromErrno(errno, "remove", shown);
    if (depth >= kMaxTreeDepth) return MoveUp(parent, name, shown);
    SWAGE_RETURN_IF_ERROR(EmptyOne(dir.get(), shown, depth + 1));
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return Ok();
    // Something was moved out of it or into it meanwhile; the next round sees it again.
    return errno == ENOTEMPTY && moved_up_ > 0 ? Ok() : FromErrno(errno, "remove", shown);
  }

  Result<void> MoveUp(int parent, const char* name, const fs::path& shown) {
    const std::string target = fmt::format(".swage-removed-{}", ++names_);
    if (renameat2(parent, name, top_, target.c_str(), RENAME_NOREPLACE) != 0 && errno != EEXIST) {
      return FromErrno(errno, "remove", shown);
    }
    ++moved_up_;
    return Ok();
  }

  const int top_;
  int moved_up_ = 0;  // in this round
  int names_ = 0;
};

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

int Fd::Release() {
  return std::exchange(fd_, -1);
}

void Fd::Close() {
  if (fd_ >= 0) close(Release());
}

Result<std::string> ReadFile(const fs::path& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return FromErrno(errno, "open", path);
  return ReadAll(fd, path, max_bytes);
}

Result<Fd> OpenBeneath(const fs::path& root, std::string_view relative) {
  const Fd dir(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return FromErrno(errno, "open", root);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string name(relative);
  Fd fd(static_cast<int>(syscall(SYS_openat2, dir.get(), name.c_str(), &how, sizeof how)));
  if (!fd.valid()) return FromErrno(errno, "open", name);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FromErrno(errno, "open", name);
  if (!S_ISREG(info.st_mode)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is not a regular file", name));
  }
  return fd;
}

Result<std::string> ReadFileBeneath(const fs::path& root, std::string_view relative,
                                    std::size_t max_bytes) {
  SWAGE_ASSIGN_OR_RETURN(const Fd fd, OpenBeneath(root, relative));
  return ReadAll(fd, fs::path(relative), max_bytes);
}

Result<void> WriteFileAtomic(const fs::path& path, std::string_view bytes, unsigned mode) {
  std::string temporary = path.string() + ".XXXXXX";
  Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return FromErrno(errno, "create", path);
  Result<void> written = WriteAll(fd, path, bytes);
  if (written.ok() && (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0 ||
                       rename(temporary.c_str(), path.c_str()) != 0)) {
    written = FromErrno(errno, "write", path);
  }
  if (!written.ok()) {
    unlink(temporary.c_str());
    return written;
  }
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Fd dir(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.valid()) fsync(dir.get());
  return Ok();
}

Result<void> WriteFileFast(const fs::path& path, std::string_view bytes) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "replace", path);
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return FromErrno(errno, "create", path);
  return WriteAll(fd, path, bytes);
}

Result<void> MakeDirs(const fs::path& path, unsigned mode) {
  fs::path so_far;
  for (const fs::path& part : path) {
    so_far /= part;
    if (mkdir(so_far.c_str(), mode) != 0 && errno != EEXIST && errno != EISDIR) {
      // A parent that exists but is read-only (EROFS, EACCES) matters only if the child is missing.
      if (!fs::is_directory(so_far)) return FromErrno(errno, "create directory", so_far);
    }
  }
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return FromErrno(ENOTDIR, "create directory", path);
  return Ok();
}

std::vector<fs::path> EntriesOf(const fs::path& dir) {
  std::vector<fs::path> entries;
  std::error_code ignored;
  for (auto it = fs::directory_iterator(dir, ignored); it != fs::directory_iterator();
       it.increment(ignored)) {
    entries.push_back(it->path());
  }
  return entries;
}

Result<void> RemoveTree(const fs::path& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return Ok();
  const Fd dir = TreeRemover::OpenForRemoval(AT_FDCWD, path.c_str());
  if (!dir.valid()) return FromErrno(errno, "remove", path);
  SWAGE_RETURN_IF_ERROR(TreeRemover(dir.get()).Empty(path));
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "remove", path);
  return Ok();
}

Result<fs::path> MakeTempDir(std::string_view prefix) {
  std::error_code ignored;
  fs::path base = fs::temp_directory_path(ignored);
  if (base.empty()) base = "/tmp";
  std::string name = (base / (std::string(prefix) + "XXXXXX")).string();
  if (mkdtemp(name.data()) == nullptr) return FromErrno(errno, "create directory", name);
  return fs::path(name);
}

TempDir::TempDir(std::string_view prefix) {
  Result<fs::path> made = MakeTempDir(prefix);
  SWAGE_CHECK(made.ok());
  path_ = std::move(made).value();
}

TempDir::~TempDir() {
  if (!path_.empty()) (void)RemoveTree(path_).ok();
}

}  // namespace swage
