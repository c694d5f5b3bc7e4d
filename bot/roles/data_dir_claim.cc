#include "bot/roles/data_dir_claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

namespace swage {

Result<Fd> TakeDataDir(const std::filesystem::path& data_dir) {
  Fd fd(open((data_dir / "worker.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return MakeError(ErrorCode::kInternal, fmt::format("{} cannot be written", data_dir.string()));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return MakeError(ErrorCode::kConflict,
                   fmt::format("another process runs tasks in {}; give each node a data_dir of its "
                               "own",
                               data_dir.string()));
}

}  // namespace swage
