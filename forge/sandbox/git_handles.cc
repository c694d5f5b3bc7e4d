#include "forge/sandbox/git_handles.h"

#include <fmt/format.h>

namespace swage::sandbox {
namespace {

// libgit2 counts its initialisations; one for the life of the program is never undone.
void EnsureLibrary() {
  static const int once = git_libgit2_init();
  SWAGE_CHECK(once > 0);
}

}  // namespace

Error GitError(int code, std::string_view doing) {
  const git_error* last = git_error_last();
  const std::string text = fmt::format(
      "{}: {}", doing, last != nullptr && last->message != nullptr ? last->message : "git");
  if (code == GIT_ENOTFOUND) return MakeError(ErrorCode::kNotFound, text);
  if (code == GIT_EEXISTS || code == GIT_ECONFLICT) return MakeError(ErrorCode::kConflict, text);
  if (code == GIT_EINVALIDSPEC || code == GIT_EAMBIGUOUS) {
    return MakeError(ErrorCode::kInvalid, text);
  }
  return MakeError(ErrorCode::kInternal, text);
}

std::string ShaOf(const git_oid& oid) {
  char hex[GIT_OID_HEXSZ + 1] = {};
  git_oid_tostr(hex, sizeof hex, &oid);
  return hex;
}

Result<GitRepository> OpenBare(const std::filesystem::path& git_dir) {
  EnsureLibrary();
  git_repository* raw = nullptr;
  const int code =
      git_repository_open_ext(&raw, git_dir.c_str(), GIT_REPOSITORY_OPEN_BARE, nullptr);
  if (code != 0) return GitError(code, "open repository");
  return GitRepository(raw);
}

Result<GitCommit> LookUpCommit(git_repository* repo, std::string_view name) {
  git_object* raw = nullptr;
  int code = GIT_ENOTFOUND;
  // A branch wins over a tag or an abbreviated object of the same name, as at the forges.
  for (const std::string& candidate : {fmt::format("refs/heads/{}", name), std::string(name)}) {
    code = git_revparse_single(&raw, repo, candidate.c_str());
    if (code == 0) break;
  }
  if (code != 0) return GitError(code, fmt::format("find {}", name));
  const GitObject object(raw);
  git_object* peeled = nullptr;
  code = git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT);
  if (code != 0) return MakeError(ErrorCode::kNotFound, fmt::format("{} is no commit", name));
  return GitCommit(reinterpret_cast<git_commit*>(peeled));
}

Result<GitTree> TreeOf(git_commit* commit) {
  git_tree* raw = nullptr;
  const int code = git_commit_tree(&raw, commit);
  if (code != 0) return GitError(code, "read tree");
  return GitTree(raw);
}

}  // namespace swage::sandbox
