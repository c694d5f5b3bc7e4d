#include "pipeline/runtime/copy_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "config/base/directory_stream.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxDepth = 64;  // each level holds two descriptors
constexpr std::size_t kCopyChunk = 16 << 20;
constexpr std::size_t kBufferBytes = 256 << 10;
constexpr std::size_t kMaxLinkBytes = 4'096;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Error Failure(std::string_view act, std::string_view what) {
  const int error = errno;
  return MakeError(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInternal,
                   fmt::format("{} {}: {}", act, ToValidUtf8(what),
                               std::error_code(error, std::generic_category()).message()));
}

Error TooLarge(std::string_view what) {
  return MakeError(ErrorCode::kTooLarge, fmt::format("more {} than allowed", what));
}

// By the kernel where both files are on file systems that can, else by hand.
Result<void> CopyBytes(int from, int to) {
  if (ioctl(to, FICLONE, from) == 0) return Ok();
  for (;;) {
    const ssize_t n = copy_file_range(from, nullptr, to, nullptr, kCopyChunk, 0);
    if (n == 0) return Ok();
    if (n > 0) continue;
    if (errno == EINTR) continue;
    break;
  }
  std::array<char, kBufferBytes> buffer;
  for (;;) {
    const ssize_t n = read(from, buffer.data(), buffer.size());
    if (n == 0) return Ok();
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failure("read", "a file");
    for (ssize_t done = 0; done < n;) {
      const ssize_t wrote = write(to, buffer.data() + done, static_cast<std::size_t>(n - done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return Failure("write", "a file");
      done += wrote;
    }
  }
}

Result<void> Give(int fd, const std::optional<FileOwner>& owner) {
  if (owner && fchown(fd, owner->uid, owner->gid) != 0) return Failure("chown", "a copy");
  return Ok();
}

class Copier {
 public:
  Copier(const CopyLimits& limits, const std::optional<FileOwner>& owner)
      : bytes_(limits.bytes), entries_(limits.entries), owner_(owner) {}

  Result<void> Fill(Fd from, int to, int depth) {
    if (depth > kMaxDepth) return TooLarge("nested folders");
    const DirectoryStream dir(fdopendir(from.get()));
    if (dir == nullptr) return Failure("read", "a folder");
    const int at = from.Release();  // the stream closes it
    while (const dirent* entry = readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (entries_-- == 0) return TooLarge("files");
      SWAGE_RETURN_IF_ERROR(CopyEntry(at, to, entry->d_name, depth));
    }
    return Ok();
  }

 private:
  Result<void> CopyEntry(int at, int to, const char* name, int depth) {
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Failure("examine", name);
    if (S_ISLNK(info.st_mode)) return CopyLink(at, to, name);
    if (S_ISDIR(info.st_mode)) return CopyFolder(at, to, name, info, depth);
    if (!S_ISREG(info.st_mode)) return Ok();
    const Fd file(openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return Failure("open", name);
    return CopyFileAt(file.get(), to, name, bytes_, owner_);
  }

  Result<void> CopyLink(int at, int to, const char* name) const {
    std::array<char, kMaxLinkBytes> target{};
    if (readlinkat(at, name, target.data(), target.size() - 1) < 0) return Failure("read", name);
    if (symlinkat(target.data(), to, name) != 0) return Failure("link", name);
    if (owner_ && fchownat(to, name, owner_->uid, owner_->gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return Failure("chown", name);
    }
    return Ok();
  }

  Result<void> CopyFolder(int at, int to, const char* name, const struct stat& info, int depth) {
    Fd from(openat(at, name, kOpenDirectory));
    if (!from.valid()) return Failure("open", name);
    if (mkdirat(to, name, 0700) != 0) return Failure("create", name);
    const Fd made(openat(to, name, kOpenDirectory));
    if (!made.valid()) return Failure("open", name);
    SWAGE_RETURN_IF_ERROR(Fill(std::move(from), made.get(), depth + 1));
    SWAGE_RETURN_IF_ERROR(Give(made.get(), owner_));
    // Somebody has to be able to remove it again.
    if (fchmod(made.get(), (info.st_mode & 0777) | S_IRWXU) != 0) return Failure("chmod", name);
    const timespec times[] = {info.st_atim, info.st_mtim};
    (void)futimens(made.get(), times);
    return Ok();
  }

  std::uint64_t bytes_;
  std::uint64_t entries_;
  const std::optional<FileOwner> owner_;
};

}  // namespace

Result<void> CopyFileAt(int from, int to_dir, const char* name, std::uint64_t& bytes,
                        const std::optional<FileOwner>& owner) {
  struct stat info {};
  if (fstat(from, &info) != 0) return Failure("examine", name);
  if (!S_ISREG(info.st_mode)) return Failure("copy", name);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > bytes) return TooLarge("bytes");
  bytes -= size;
  const Fd made(openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!made.valid()) return Failure("create", name);
  SWAGE_RETURN_IF_ERROR(CopyBytes(from, made.get()));
  SWAGE_RETURN_IF_ERROR(Give(made.get(), owner));
  if (fchmod(made.get(), info.st_mode & 0777) != 0) return Failure("chmod", name);
  const timespec times[] = {info.st_atim, info.st_mtim};
  (void)futimens(made.get(), times);
  return Ok();
}

Result<void> CopyTree(const std::filesystem::path& from, const std::filesystem::path& to,
                      const CopyLimits& limits, const std::optional<FileOwner>& owner) {
  Fd source(open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!source.valid()) return Failure("open", from.string());
  const Fd target(open(to.c_str(), kOpenDirectory));
  if (!target.valid()) return Failure("open", to.string());
  return Copier(limits, owner).Fill(std::move(source), target.get(), 0);
}

}  // namespace swage
