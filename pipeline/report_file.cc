#include "pipeline/report_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "config/base/files.h"

namespace swage {
namespace {

Fd OpenDirBeneath(int root, const std::string& relative) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how)));
}

Error Failure(std::string_view relative, int error) {
  // What the workspace's owner arranged, as opposed to a fault of this machine.
  const bool arranged = error == ELOOP || error == EXDEV || error == ENOTDIR || error == EISDIR;
  return MakeError(arranged ? ErrorCode::kInvalid : ErrorCode::kInternal,
                   fmt::format("cannot remove {}: {}", relative, std::strerror(error)));
}

}  // namespace

Result<void> RemoveFileBeneath(const std::filesystem::path& root, std::string_view relative) {
  const std::size_t slash = relative.rfind('/');
  const std::string dir(slash == std::string_view::npos ? "." : relative.substr(0, slash));
  const std::string name(slash == std::string_view::npos ? relative : relative.substr(slash + 1));
  if (relative.starts_with('/') || name.empty() || name == "." || name == "..") {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{} is not a file below the workspace", relative));
  }
  const Fd base(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base.valid()) return Failure(relative, errno);
  const Fd parent = OpenDirBeneath(base.get(), dir);
  if (!parent.valid()) return errno == ENOENT ? Ok() : Result<void>(Failure(relative, errno));
  if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return Ok();
  return Failure(relative, errno);
}

}  // namespace swage
