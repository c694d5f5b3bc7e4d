#include "pipeline/workspace/tree_scan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "config/base/crypto.h"
#include "config/base/directory_stream.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxDepth = 128;  // each level holds a descriptor
constexpr std::size_t kMaxEntries = 4'000'000;
constexpr std::size_t kMaxWarnings = 20;
constexpr std::size_t kMaxLargeFiles = 100;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// The kernel's marks on a directory of an upper layer, as root's overlays and others' write them.
bool HasMark(int fd, std::string_view mark) {
  for (const std::string_view space : {"trusted", "user"}) {
    const std::string name = fmt::format("{}.overlay.{}", space, mark);
    if (fgetxattr(fd, name.c_str(), nullptr, 0) > 0) return true;
  }
  return false;
}

bool IsWhiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

enum class Touch { kNo, kYes };

// Every file is looked at by its name in the tree. With a guide, the upper directory of an overlay,
// the names are those that the guide has; where it ends, in a directory that was moved with all
// that the base has in it, those of the tree again.
class Scanner {
 public:
  Scanner(std::filesystem::path quarantine, std::uintmax_t large_bytes, UpperChanges* changes)
      : quarantine_(std::move(quarantine)), large_bytes_(large_bytes), changes_(changes) {}
  explicit Scanner(UpperChanges& changes)
      : touch_(Touch::kNo), large_bytes_(UINTMAX_MAX), changes_(&changes) {}

  Result<void> Visit(Fd fd, Fd guide, const std::string& path, int depth) {
    if (depth > kMaxDepth) {
      return MakeError(ErrorCode::kTooLarge,
                       fmt::format("directories are nested deeper than {}: {}", kMaxDepth,
                                   Truncate(ToValidUtf8(path), 200)));
    }
    const bool guided = guide.valid();
    Fd& listed = guided ? guide : fd;
    const int listed_at = listed.get();
    const DirectoryStream dir(fdopendir(listed_at));
    if (dir == nullptr) return Failure("read", path);
    listed.Release();  // the stream closes it
    const Place place{guided ? fd.get() : listed_at, guided ? listed_at : -1, path, depth};
    while (const dirent* entry = readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || (depth == 0 && name == ".git")) continue;
      if (++entries_ > kMaxEntries) {
        return MakeError(ErrorCode::kTooLarge,
                         fmt::format("the workspace holds more than {} files", kMaxEntries));
      }
      SWAGE_RETURN_IF_ERROR(VisitEntry(place, entry->d_name, Below(path, name)));
    }
    return Ok();
  }

  TreeScan Take() { return std::move(scan_); }

 private:
  // Where the entries that are being visited are.
  struct Place {
    int at;
    int guide;  // -1 = there is none here
    const std::string& path;
    int depth;
  };

  static std::string Below(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}/{}", path, name);
  }

  static Error Failure(std::string_view act, const std::string& path) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("cannot {} {}: {}", act, ToValidUtf8(path),
                                 std::error_code(errno, std::generic_category()).message()));
  }

  void Warn(std::string warning) {
    if (scan_.warnings.size() < kMaxWarnings) scan_.warnings.push_back(std::move(warning));
  }

  // True: the name stands for something of the base that is gone.
  bool NoteRemoved(const Place& place, const char* name, const std::string& path) {
    struct stat info {};
    if (place.guide < 0 || fstatat(place.guide, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !IsWhiteout(info)) {
      return false;
    }
    changes_->removed.push_back(path);
    return true;
  }

  Result<void> VisitEntry(const Place& place, const char* name, const std::string& path) {
    if (NoteRemoved(place, name, path)) return Ok();
    const int at = place.at;
    if (touch_ == Touch::kYes && LooksLikeDotGit(name)) return Quarantine(at, name, path);
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Failure("examine", path);
    if (S_ISDIR(info.st_mode)) return Descend(place, name, path, info.st_mode);
    if (changes_ != nullptr) changes_->files.push_back(path);
    if (S_ISLNK(info.st_mode) || touch_ == Touch::kNo) return Ok();
    if (!S_ISREG(info.st_mode)) {
      if (unlinkat(at, name, 0) != 0) return Failure("remove", path);
      Warn(fmt::format("removed {}: a pipe, socket or device cannot be committed",
                       ToValidUtf8(path)));
      return Ok();
    }
    // Nobody else runs in this tree any more, so the name still means the file that was examined.
    SWAGE_RETURN_IF_ERROR(Allow(at, name, path, info.st_mode, S_IRUSR));
    if (static_cast<std::uintmax_t>(info.st_size) > large_bytes_ &&
        scan_.large_files.size() < kMaxLargeFiles) {
      scan_.large_files.push_back(path);
    }
    return Ok();
  }

  Result<void> Allow(int at, const char* name, const std::string& path, mode_t mode,
                     mode_t wanted) const {
    if (touch_ == Touch::kNo || (mode & wanted) == wanted) return Ok();
    if (fchmodat(at, name, (mode & 0777) | wanted, 0) != 0) return Failure("open", path);
    return Ok();
  }

  Result<void> Descend(const Place& place, const char* name, const std::string& path, mode_t mode) {
    SWAGE_RETURN_IF_ERROR(Allow(place.at, name, path, mode, S_IRWXU));
    Fd child(openat(place.at, name, kOpenDirectory));
    if (!child.valid()) return Failure("open", path);
    Fd guide;
    if (changes_ != nullptr) {
      changes_->directories.push_back(path);
      if (place.guide >= 0) guide = Fd(openat(place.guide, name, kOpenDirectory));
      if (guide.valid() && (HasMark(guide.get(), "opaque") || HasMark(guide.get(), "redirect"))) {
        changes_->hidden.push_back(path);
      }
      if (guide.valid() && HasMark(guide.get(), "redirect")) guide.Close();
    }
    return Visit(std::move(child), std::move(guide), path, place.depth + 1);
  }

  Result<void> Quarantine(int at, const char* name, const std::string& path) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(quarantine_));
    const auto place = quarantine_ / RandomHex(8);
    if (renameat(at, name, AT_FDCWD, place.c_str()) != 0) {
      if (errno != EXDEV) return Failure("move away", path);
      SWAGE_RETURN_IF_ERROR(RemoveTree(fmt::format("/proc/self/fd/{}/{}", at, name)));
    }
    Warn(fmt::format("left out {}: a nested git repository", ToValidUtf8(path)));
    return Ok();
  }

  const Touch touch_ = Touch::kYes;
  const std::filesystem::path quarantine_;
  const std::uintmax_t large_bytes_;
  UpperChanges* const changes_;
  std::size_t entries_ = 0;
  TreeScan scan_;
};

}  // namespace

bool LooksLikeDotGit(std::string_view name) {
  const std::string lower = ToLower(name);
  const std::string_view text = lower;
  for (const std::string_view form : {".git", "git~1"}) {
    if (!text.starts_with(form)) continue;
    const std::size_t rest = text.find_first_not_of(". ", form.size());
    if (rest == std::string_view::npos || text[rest] == ':') return true;
  }
  return false;
}

Result<TreeScan> ScanTree(const std::filesystem::path& root,
                          const std::filesystem::path& quarantine, std::uintmax_t large_bytes) {
  Fd fd(open(root.c_str(), kOpenDirectory));
  if (!fd.valid()) {
    return MakeError(ErrorCode::kInternal, fmt::format("the workspace {} is gone", root.string()));
  }
  Scanner scanner(quarantine, large_bytes, nullptr);
  SWAGE_RETURN_IF_ERROR(scanner.Visit(std::move(fd), Fd(), "", 0));
  return scanner.Take();
}

namespace {

struct Roots {
  Fd tree, upper;
};
Result<Roots> OpenRoots(const std::filesystem::path& root, const std::filesystem::path& upper) {
  Roots roots{Fd(open(root.c_str(), kOpenDirectory)), Fd(open(upper.c_str(), kOpenDirectory))};
  if (roots.tree.valid() && roots.upper.valid()) return roots;
  return MakeError(ErrorCode::kInternal, fmt::format("the workspace {} is gone", root.string()));
}

}  // namespace

Result<TreeScan> ScanOverlay(const std::filesystem::path& root, const std::filesystem::path& upper,
                             const std::filesystem::path& quarantine, std::uintmax_t large_bytes,
                             UpperChanges& changes) {
  SWAGE_ASSIGN_OR_RETURN(Roots roots, OpenRoots(root, upper));
  Scanner scanner(quarantine, large_bytes, &changes);
  SWAGE_RETURN_IF_ERROR(scanner.Visit(std::move(roots.tree), std::move(roots.upper), "", 0));
  return scanner.Take();
}

Result<UpperChanges> ListUpper(const std::filesystem::path& root,
                               const std::filesystem::path& upper) {
  SWAGE_ASSIGN_OR_RETURN(Roots roots, OpenRoots(root, upper));
  UpperChanges changes;
  Scanner scanner(changes);
  SWAGE_RETURN_IF_ERROR(scanner.Visit(std::move(roots.tree), std::move(roots.upper), "", 0));
  return changes;
}

}  // namespace swage
