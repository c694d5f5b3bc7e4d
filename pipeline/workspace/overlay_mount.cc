#include "pipeline/workspace/overlay_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <system_error>

#include "config/base/crypto.h"
#include "config/base/files.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

// A copy of a file's data must follow every change of its mode: what lies in the upper directory is
// then all that has changed.
constexpr std::string_view kCommon = "metacopy=off,index=off,volatile";
// The kernel's marks are out of everybody's reach; without the second for kernels that were built
// so: there, directories of the base cannot be renamed, only copied.
constexpr std::string_view kMarksOfRoot[] = {",redirect_dir=on", ""};
// In a user namespace the kernel would mount without, and fail later.
constexpr std::string_view kMarksOfUsers[] = {",userxattr"};

std::span<const std::string_view> MarksHere() {
  const auto map = ReadFile("/proc/self/uid_map");
  const bool first = map.ok() && map->find("4294967295") != std::string::npos;
  if (first) return kMarksOfRoot;
  return kMarksOfUsers;
}

std::string Reason() {
  return std::error_code(errno, std::generic_category()).message();
}

Error Denied(std::string_view what) {
  return MakeError(
      ErrorCode::kDenied,
      fmt::format("{}: {}; run as root, or allow unprivileged user namespaces", what, Reason()));
}

Result<void> WriteProc(const char* path, const std::string& text) {
  const Fd fd(open(path, O_WRONLY | O_CLOEXEC));
  if (fd.valid() && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
    return Ok();
  return Denied(fmt::format("write {}", path));
}

// A process that nobody may trace cannot write its own id maps either.
class Traceable {
 public:
  Traceable() : before_(prctl(PR_GET_DUMPABLE)) { prctl(PR_SET_DUMPABLE, 1); }
  ~Traceable() { prctl(PR_SET_DUMPABLE, before_); }
  Traceable(const Traceable&) = delete;
  Traceable& operator=(const Traceable&) = delete;

 private:
  const int before_;
};

// Everybody keeps the id they have.
Result<void> MakeUserNamespace() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return Denied("a user namespace cannot be made");
  SWAGE_RETURN_IF_ERROR(WriteProc("/proc/self/setgroups", "deny"));
  SWAGE_RETURN_IF_ERROR(WriteProc("/proc/self/uid_map", fmt::format("{} {} 1\n", uid, uid)));
  return WriteProc("/proc/self/gid_map", fmt::format("{} {} 1\n", gid, gid));
}

// Half way in there is no way back: a child goes first.
Result<void> EnterUserNamespace() {
  const Traceable traceable;
  const pid_t child = fork();
  if (child == 0) _exit(MakeUserNamespace().ok() ? 0 : 1);
  int status = 1;
  if (child > 0) waitpid(child, &status, 0);
  if (status != 0) {
    return MakeError(ErrorCode::kDenied,
                     "this user may not make a user namespace; run as root, or allow unprivileged "
                     "user namespaces");
  }
  return MakeUserNamespace();
}

Result<Fd> OpenDirectory(const fs::path& path) {
  Fd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.valid()) return fd;
  return MakeError(ErrorCode::kInternal, fmt::format("open {}: {}", path.string(), Reason()));
}

// Names a directory in mount options, where a comma or a colon of its path would end it.
std::string Named(const Fd& fd) {
  return fmt::format("/proc/self/fd/{}", fd.get());
}

Result<OverlayDirs> MakeProbeDirs(const fs::path& dir) {
  OverlayDirs dirs{dir / "lower", dir / "upper", dir / "work", dir / "merged"};
  for (const fs::path& part : {dirs.lower / "moved", dirs.upper, dirs.work, dirs.merged}) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(part));
  }
  for (const char* name : {"kept", "changed", "removed", "replaced"}) {
    SWAGE_RETURN_IF_ERROR(WriteFileFast(dirs.lower / name, "base"));
  }
  return dirs;
}

Result<OverlayAbility> TryChanges(const OverlayDirs& dirs) {
  const fs::path& root = dirs.merged;
  SWAGE_RETURN_IF_ERROR(WriteFileFast(root / "changed", "own"));
  SWAGE_RETURN_IF_ERROR(WriteFileFast(root / "new", "own"));
  SWAGE_RETURN_IF_ERROR(RemoveTree(root / "removed"));
  SWAGE_RETURN_IF_ERROR(RemoveTree(root / "replaced"));
  SWAGE_RETURN_IF_ERROR(MakeDirs(root / "replaced" / "deep"));
  struct stat before {
  }, after{};
  const bool same_file = lstat((dirs.lower / "kept").c_str(), &before) == 0 &&
                         lstat((root / "kept").c_str(), &after) == 0 &&
                         before.st_ino == after.st_ino && before.st_ctime == after.st_ctime;
  struct stat gone {};
  const bool marked = lstat((dirs.upper / "removed").c_str(), &gone) == 0 &&
                      S_ISCHR(gone.st_mode) && gone.st_rdev == 0;
  const auto base = ReadFile(dirs.lower / "changed");
  const bool renames = rename((root / "moved").c_str(), (root / "elsewhere").c_str()) == 0;
  if (same_file && marked && base.ok() && *base == "base") return OverlayAbility{renames};
  return MakeError(ErrorCode::kUnavailable, "the file system does not keep an overlay's changes");
}

}  // namespace

Result<void> EnterMountNamespace() {
  // A process that may mount needs no user namespace; one in a container may be root and may not.
  if (unshare(CLONE_NEWNS) != 0) SWAGE_RETURN_IF_ERROR(EnterUserNamespace());
  // What the host mounts and unmounts is seen in here, and nothing of ours out there.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return Denied("mounts cannot be made private");
  }
  return Ok();
}

Result<OverlayAbility> ProbeOverlay(const fs::path& dir) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(dir));
  const fs::path place = dir / (".probe-" + RandomHex(4));
  const auto probe = [&]() -> Result<OverlayAbility> {
    SWAGE_ASSIGN_OR_RETURN(const OverlayDirs dirs, MakeProbeDirs(place));
    SWAGE_ASSIGN_OR_RETURN(const OverlayMount mount, OverlayMount::Make(dirs));
    return TryChanges(dirs);
  };
  const Result<OverlayAbility> probed = probe();
  (void)RemoveTree(place).ok();
  if (probed.ok()) return probed;
  return MakeError(ErrorCode::kUnavailable,
                   fmt::format("{} ({})", probed.error().message, dir.string()));
}

Result<OverlayMount> OverlayMount::Make(const OverlayDirs& dirs) {
  SWAGE_ASSIGN_OR_RETURN(const Fd lower, OpenDirectory(dirs.lower));
  SWAGE_ASSIGN_OR_RETURN(const Fd upper, OpenDirectory(dirs.upper));
  SWAGE_ASSIGN_OR_RETURN(const Fd work, OpenDirectory(dirs.work));
  SWAGE_ASSIGN_OR_RETURN(const Fd merged, OpenDirectory(dirs.merged));
  for (const std::string_view marks : MarksHere()) {
    const std::string options = fmt::format("lowerdir={},upperdir={},workdir={},{}{}", Named(lower),
                                            Named(upper), Named(work), kCommon, marks);
    if (mount("swage", Named(merged).c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) ==
        0) {
      return OverlayMount(dirs.merged);
    }
    if (errno != EPERM && errno != EINVAL) break;
  }
  return MakeError(ErrorCode::kUnavailable,
                   fmt::format("an overlay cannot be mounted: {}", Reason()));
}

OverlayMount& OverlayMount::operator=(OverlayMount&& other) noexcept {
  if (this != &other) {
    Unmount();
    merged_ = std::move(other.merged_);
    other.merged_.clear();
  }
  return *this;
}

void OverlayMount::Unmount() {
  if (!merged_.empty()) UnmountLeftOver(merged_);
  merged_.clear();
}

void UnmountLeftOver(const fs::path& merged) {
  if (umount2(merged.c_str(), UMOUNT_NOFOLLOW) == 0 || errno != EBUSY) return;
  umount2(merged.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH);
}

}  // namespace swage
