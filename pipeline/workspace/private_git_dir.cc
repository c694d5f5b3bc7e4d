#include "pipeline/workspace/private_git_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "config/base/files.h"

namespace swage {
namespace {

constexpr std::string_view kConfig =
    "[core]\n"
    "\trepositoryformatversion = 0\n"
    "\tfilemode = true\n"
    "\tbare = false\n"
    "\tlogallrefupdates = true\n"
    "[gc]\n"
    "\tauto = 0\n";

Error Failure(std::string_view what) {
  return MakeError(ErrorCode::kInternal,
                   fmt::format("write the workspace's .git: {}: {}", what,
                               std::error_code(errno, std::generic_category()).message()));
}

// Relative to a descriptor of the new directory, without the syncs of a durable write: after a
// power failure the workspace is provisioned again.
Result<void> Write(const Fd& dir, const std::string& name, std::string_view bytes) {
  const Fd fd(
      openat(dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failure(name);
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return Failure(name);
  }
  return Ok();
}

Result<void> MakeBelow(const Fd& dir, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (mkdirat(dir.get(), path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) {
      return Failure(path);
    }
  }
  return Ok();
}

}  // namespace

Result<void> WritePrivateGitDir(const PrivateGitDir& spec) {
  const auto place = spec.root / ".git";
  SWAGE_RETURN_IF_ERROR(RemoveTree(place));
  if (mkdir(place.c_str(), 0700) != 0) return Failure("directory");
  const Fd dir(open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir.valid()) return Failure("directory");
  const std::string branch_file = "refs/heads/" + spec.branch;
  for (const std::string& path : {std::string("objects/info/"), std::string("objects/pack/"),
                                  std::string("info/"), branch_file}) {
    SWAGE_RETURN_IF_ERROR(MakeBelow(dir, path));
  }
  SWAGE_RETURN_IF_ERROR(Write(dir, "objects/info/alternates", spec.objects.string() + "\n"));
  SWAGE_RETURN_IF_ERROR(Write(dir, "config", kConfig));
  SWAGE_RETURN_IF_ERROR(Write(dir, branch_file, spec.commit.value + "\n"));
  SWAGE_RETURN_IF_ERROR(Write(dir, "HEAD", fmt::format("ref: {}\n", branch_file)));
  std::error_code error;
  std::filesystem::copy_file(spec.index, place / "index", error);
  if (error) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("write the workspace's .git: index: {}", error.message()));
  }
  return Ok();
}

}  // namespace swage
