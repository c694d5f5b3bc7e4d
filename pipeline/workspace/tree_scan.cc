#include "pipeline/workspace/tree_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxDepth = 128;  // each level holds a descriptor
constexpr std::size_t kMaxEntries = 4'000'000;
constexpr std::size_t kMaxWarnings = 20;
constexpr std::size_t kMaxLargeFiles = 100;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* dir) const { closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

class Scanner {
 public:
  Scanner(std::filesystem::path quarantine, std::uintmax_t large_bytes)
      : quarantine_(std::move(quarantine)), large_bytes_(large_bytes) {}

  Result<void> Visit(Fd fd, const std::string& path, int depth) {
    if (depth > kMaxDepth) {
      return MakeError(ErrorCode::kTooLarge,
                       fmt::format("directories are nested deeper than {}: {}", kMaxDepth,
                                   Truncate(ToValidUtf8(path), 200)));
    }
    const Directory dir(fdopendir(fd.get()));
    if (dir == nullptr) return Failure("read", path);
    const int at = fd.Release();  // the stream closes it
    while (const dirent* entry = readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || (depth == 0 && name == ".git")) continue;
      if (++entries_ > kMaxEntries) {
        return MakeError(ErrorCode::kTooLarge,
                         fmt::format("the workspace holds more than {} files", kMaxEntries));
      }
      SWAGE_RETURN_IF_ERROR(VisitEntry(at, entry->d_name, Below(path, name), depth));
    }
    return Ok();
  }

  TreeScan Take() { return std::move(scan_); }

 private:
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

  Result<void> VisitEntry(int at, const char* name, const std::string& path, int depth) {
    if (LooksLikeDotGit(name)) return Quarantine(at, name, path);
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Failure("examine", path);
    if (S_ISLNK(info.st_mode)) return Ok();
    if (S_ISDIR(info.st_mode)) return Descend(at, name, path, info.st_mode, depth);
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

  static Result<void> Allow(int at, const char* name, const std::string& path, mode_t mode,
                            mode_t wanted) {
    if ((mode & wanted) == wanted) return Ok();
    if (fchmodat(at, name, (mode & 0777) | wanted, 0) != 0) return Failure("open", path);
    return Ok();
  }

  Result<void> Descend(int at, const char* name, const std::string& path, mode_t mode, int depth) {
    SWAGE_RETURN_IF_ERROR(Allow(at, name, path, mode, S_IRWXU));
    Fd child(openat(at, name, kOpenDirectory));
    if (!child.valid()) return Failure("open", path);
    return Visit(std::move(child), path, depth + 1);
  }

  Result<void> Quarantine(int at, const char* name, const std::string& path) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(quarantine_));
    const auto place = quarantine_ / RandomHex(8);
    if (renameat(at, name, AT_FDCWD, place.c_str()) != 0) return Failure("move away", path);
    Warn(fmt::format("left out {}: a nested git repository", ToValidUtf8(path)));
    return Ok();
  }

  const std::filesystem::path quarantine_;
  const std::uintmax_t large_bytes_;
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
  Scanner scanner(quarantine, large_bytes);
  SWAGE_RETURN_IF_ERROR(scanner.Visit(std::move(fd), "", 0));
  return scanner.Take();
}

}  // namespace swage
