#include "config/base/cgroup_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace swage {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

ErrorCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kDenied;
    case EBUSY:
    case EEXIST:
    case ENOTEMPTY:
      return ErrorCode::kConflict;
    default:
      return ErrorCode::kInternal;
  }
}

Error Failure(std::string_view act, const std::string& path) {
  const int error = errno;
  const std::string reason = std::error_code(error, std::generic_category()).message();
  return MakeError(CodeOf(error), fmt::format("{} {}: {}", act, path, reason));
}

class SystemCgroupFiles final : public CgroupFiles {
 public:
  Result<std::string> Read(const std::string& file) const override {
    const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return Failure("open", file);
    std::string text;
    char part[4096];
    ssize_t n = 0;
    while (text.size() < kMaxFileBytes && (n = read(fd.get(), part, sizeof part)) > 0) {
      text.append(part, static_cast<std::size_t>(n));
    }
    if (n < 0) return Failure("read", file);
    return text;
  }

  Result<void> Write(const std::string& file, std::string_view text) override {
    SWAGE_ASSIGN_OR_RETURN(const Fd fd, Open(file));
    if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return Failure(fmt::format("write {} to", text), file);
    }
    return Ok();
  }

  Result<void> MakeDir(const std::string& dir) override {
    if (mkdir(dir.c_str(), 0755) != 0) return Failure("make", dir);
    return Ok();
  }

  Result<void> RemoveDir(const std::string& dir) override {
    if (rmdir(dir.c_str()) != 0) return Failure("remove", dir);
    return Ok();
  }

  std::vector<std::string> ListDirs(const std::string& dir) const override {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) names.push_back(it->path().filename().string());
    }
    return names;
  }

  Result<Fd> Open(const std::string& file) override {
    Fd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return Failure("open", file);
    return fd;
  }
};

}  // namespace

std::unique_ptr<CgroupFiles> MakeCgroupFiles() {
  return std::make_unique<SystemCgroupFiles>();
}

}  // namespace swage
