#include "pipeline/store/sqlite/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "config/base/text.h"

namespace swage::sqlite {
namespace {

std::string ReadHolder(int fd) {
  std::array<char, 32> bytes{};
  const ssize_t n = pread(fd, bytes.data(), bytes.size(), 0);
  const auto pid =
      n > 0 ? ParseInt(Trim({bytes.data(), static_cast<std::size_t>(n)})) : std::nullopt;
  return pid.has_value() ? std::to_string(*pid) : "unknown";
}

}  // namespace

Result<FileLock> FileLock::Take(const std::filesystem::path& database) {
  const std::string path = database.string() + ".lock";
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return MakeError(ErrorCode::kInternal, fmt::format("open {}: {}", path, std::strerror(errno)));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return MakeError(ErrorCode::kInternal,
                       fmt::format("lock {}: {}", path, std::strerror(errno)));
    }
    return MakeError(ErrorCode::kConflict, fmt::format("{} is in use by process {}: stop it first",
                                                       database.string(), ReadHolder(fd.get())));
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return MakeError(ErrorCode::kInternal, fmt::format("write {}: {}", path, std::strerror(errno)));
  }
  return FileLock(std::move(fd));
}

}  // namespace swage::sqlite
