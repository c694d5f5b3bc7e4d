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

Result<Fd> MakeGitDir(const std::filesystem::path& place) {
  SWAGE_RETURN_IF_ERROR(RemoveTree(place));
  if (mkdir(place.c_str(), 0700) != 0) return Failure("directory");
  Fd dir(open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir.valid()) return Failure("directory");
  return dir;
}

Result<void> WriteShared(const Fd& dir, const std::filesystem::path& objects) {
  for (const char* path : {"objects/info/", "objects/pack/", "info/", "refs/heads/"}) {
    SWAGE_RETURN_IF_ERROR(MakeBelow(dir, path));
  }
  SWAGE_RETURN_IF_ERROR(Write(dir, "objects/info/alternates", objects.string() + "\n"));
  return Write(dir, "config", kConfig);
}

Result<void> WriteOwn(const Fd& dir, const std::string& branch, const CommitSha& commit) {
  const std::string branch_file = "refs/heads/" + branch;
  SWAGE_RETURN_IF_ERROR(MakeBelow(dir, branch_file));
  SWAGE_RETURN_IF_ERROR(Write(dir, branch_file, commit.value + "\n"));
  return Write(dir, "HEAD", fmt::format("ref: {}\n", branch_file));
}

}  // namespace

Result<void> WritePrivateGitDir(const PrivateGitDir& spec) {
  const auto place = spec.root / ".git";
  SWAGE_ASSIGN_OR_RETURN(const Fd dir, MakeGitDir(place));
  SWAGE_RETURN_IF_ERROR(WriteShared(dir, spec.objects));
  SWAGE_RETURN_IF_ERROR(WriteOwn(dir, spec.branch, spec.commit));
  std::error_code error;
  std::filesystem::copy_file(spec.index, place / "index", error);
  if (error) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("write the workspace's .git: index: {}", error.message()));
  }
  return Ok();
}

Result<void> WriteSharedGitDir(const std::filesystem::path& root,
                               const std::filesystem::path& objects,
                               const std::filesystem::path& index) {
  const auto place = root / ".git";
  SWAGE_ASSIGN_OR_RETURN(const Fd dir, MakeGitDir(place));
  SWAGE_RETURN_IF_ERROR(WriteShared(dir, objects));
  if (chmod(index.c_str(), 0644) != 0) return Failure("index");  // its directory keeps others out
  return link(index.c_str(), (place / "index").c_str()) == 0 ? Ok()
                                                             : Result<void>(Failure("index"));
}

Result<void> WriteOwnGitDir(const std::filesystem::path& root, const std::string& branch,
                            const CommitSha& commit) {
  SWAGE_ASSIGN_OR_RETURN(const Fd dir, MakeGitDir(root / ".git"));
  return WriteOwn(dir, branch, commit);
}

}  // namespace swage
