#include "pipeline/workspace/file_ownership.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "config/base/directory_stream.h"
#include "config/base/files.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 128;  // each level holds a descriptor
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr mode_t kPassable = 0711;

Error Failure(std::string_view act, const fs::path& path) {
  const ErrorCode code = errno == EPERM ? ErrorCode::kDenied : ErrorCode::kInternal;
  return MakeError(code, fmt::format("{} {}: {}", act, path.string(),
                                     std::error_code(errno, std::generic_category()).message()));
}

class Giver {
 public:
  explicit Giver(const FileOwner& owner) : owner_(owner), self_(geteuid()) {}

  Result<void> Visit(Fd fd, const fs::path& path, int depth) const {
    if (depth > kMaxDepth) return Ok();  // the scan of the tree refuses it with a word
    const DirectoryStream dir(fdopendir(fd.get()));
    if (dir == nullptr) return Failure("give away", path);
    const int at = fd.Release();  // the stream closes it
    while (const dirent* entry = readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      SWAGE_RETURN_IF_ERROR(Give(at, entry->d_name, path / name, depth));
    }
    return Ok();
  }

  // Returns whether it is a directory. A second name may stand for a file of the bot's own,
  // elsewhere.
  Result<bool> GiveOne(int at, const char* name, const fs::path& path) const {
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Failure("give away", path);
    const bool directory = S_ISDIR(info.st_mode);
    if (info.st_uid == self_ && info.st_uid != owner_.uid && (directory || info.st_nlink == 1) &&
        fchownat(at, name, owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return Failure("give away", path);
    }
    return directory;
  }

  Result<void> Give(int at, const char* name, const fs::path& path, int depth) const {
    SWAGE_ASSIGN_OR_RETURN(const bool directory, GiveOne(at, name, path));
    if (!directory) return Ok();
    Fd child(openat(at, name, kOpenDirectory));
    if (!child.valid()) return Failure("give away", path);
    return Visit(std::move(child), path, depth + 1);
  }

 private:
  const FileOwner owner_;
  const uid_t self_;
};

Result<void> SetMode(const fs::path& path, mode_t mode) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return Failure("examine", path);
  if ((info.st_mode & 07777) == mode) return Ok();
  return chmod(path.c_str(), mode) == 0 ? Ok() : Result<void>(Failure("open", path));
}

}  // namespace

Result<void> GiveTree(const fs::path& root, const std::optional<FileOwner>& owner) {
  if (!owner) return Ok();
  return Giver(*owner).Give(AT_FDCWD, root.c_str(), root, 0);
}

Result<void> GiveEntry(const fs::path& path, const std::optional<FileOwner>& owner) {
  if (!owner) return Ok();
  const auto given = Giver(*owner).GiveOne(AT_FDCWD, path.c_str(), path);
  return given.ok() ? Ok() : Result<void>(given.error());
}

Result<void> GiveDirectory(const fs::path& dir, const std::optional<FileOwner>& owner) {
  if (!owner) return Ok();
  const bool given = lchown(dir.c_str(), owner->uid, owner->gid) == 0;
  return given ? Ok() : Result<void>(Failure("give away", dir));
}

Result<void> LetPass(const fs::path& dir) {
  struct stat info {};
  if (stat(dir.c_str(), &info) != 0) return Failure("examine", dir);
  if ((info.st_mode & 0011) == 0011) return Ok();
  std::error_code ignored;
  for (const fs::path& entry : EntriesOf(dir)) {
    if (!fs::is_regular_file(fs::symlink_status(entry, ignored))) continue;
    fs::permissions(entry, fs::perms::group_all | fs::perms::others_all,
                    fs::perm_options::remove | fs::perm_options::nofollow, ignored);
  }
  return SetMode(dir, (info.st_mode & 07777) | kPassable);
}

Result<void> ShowObjects(const fs::path& mirror, const FileOwner& owner) {
  SWAGE_RETURN_IF_ERROR(LetPass(mirror.parent_path()));
  SWAGE_RETURN_IF_ERROR(LetPass(mirror));
  const fs::path objects = mirror / "objects";
  if (lchown(objects.c_str(), geteuid(), owner.gid) != 0) return Failure("give away", objects);
  SWAGE_RETURN_IF_ERROR(SetMode(objects, 0750));
  std::error_code ignored;
  for (const fs::path& entry : EntriesOf(objects)) {
    if (fs::is_directory(entry, ignored)) SWAGE_RETURN_IF_ERROR(SetMode(entry, 0755));
  }
  return Ok();
}

}  // namespace swage
