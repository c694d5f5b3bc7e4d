#include "pipeline/workspace/git_library.h"

#include <fmt/format.h>

#include "pipeline/workspace/checks.h"

namespace swage::git2 {
namespace {

// Lives as long as the program: handles may be closed by any thread up to its end.
void StartLibrary() {
  static const bool started = [] {
    SWAGE_CHECK(git_libgit2_init() > 0);
    for (const git_config_level_t level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL,
                                           GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_PROGRAMDATA}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "/nonexistent");
    }
    // The bot names its own directories; nothing is discovered.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    return true;
  }();
  (void)started;
}

ErrorCode CodeOf(int code) {
  switch (code) {
    case GIT_ENOTFOUND:
      return ErrorCode::kNotFound;
    case GIT_EEXISTS:
    case GIT_EMODIFIED:
    case GIT_ELOCKED:
    case GIT_ENONFASTFORWARD:
      return ErrorCode::kConflict;
    case GIT_EINVALIDSPEC:
      return ErrorCode::kInvalid;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Error FailureOf(int code, std::string_view act) {
  const git_error* last = git_error_last();
  const std::string_view said = last != nullptr ? last->message : "unknown failure";
  // There may be room later; the library's codes do not tell.
  const bool full = said.find("No space left on device") != said.npos;
  return MakeError(full ? ErrorCode::kUnavailable : CodeOf(code), fmt::format("{}: {}", act, said));
}

Result<Repository> OpenBare(const std::filesystem::path& git_dir) {
  StartLibrary();
  git_repository* repository = nullptr;
  const int code = git_repository_open_bare(&repository, git_dir.c_str());
  if (code != 0) return FailureOf(code, "open mirror");
  return Repository(repository);
}

Result<Index> OpenIndex(const std::filesystem::path& file) {
  StartLibrary();
  git_index* raw = nullptr;
  const int code = git_index_open(&raw, file.c_str());
  Index index(raw);
  if (code != 0) return FailureOf(code, "read the index");
  return index;
}

Result<Commit> FindCommit(git_repository* repository, const CommitSha& sha) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(sha));
  git_oid oid;
  git_commit* commit = nullptr;
  int code = git_oid_fromstr(&oid, sha.value.c_str());
  if (code == 0) code = git_commit_lookup(&commit, repository, &oid);
  if (code != 0) return FailureOf(code, fmt::format("commit {}", sha.value));
  return Commit(commit);
}

Result<Tree> TreeOf(git_commit* commit) {
  git_tree* tree = nullptr;
  const int code = git_commit_tree(&tree, commit);
  if (code != 0) return FailureOf(code, "tree of commit");
  return Tree(tree);
}

Result<Tree> FindTree(git_repository* repository, const TreeSha& sha) {
  git_oid oid;
  git_tree* tree = nullptr;
  int code = git_oid_fromstr(&oid, sha.value.c_str());
  if (code == 0) code = git_tree_lookup(&tree, repository, &oid);
  if (code != 0) return FailureOf(code, fmt::format("tree {}", sha.value));
  return Tree(tree);
}

Result<std::optional<TreeSha>> UpdateTree(git_repository* repository, git_tree* tree,
                                          const std::vector<git_tree_update>& updates) {
  if (updates.empty()) return std::optional(TreeSha{Hex(*git_tree_id(tree))});
  git_oid oid;
  if (git_tree_create_updated(&oid, repository, tree, updates.size(), updates.data()) != 0) {
    return std::optional<TreeSha>();
  }
  return std::optional(TreeSha{Hex(oid)});
}

std::string Hex(const git_oid& oid) {
  std::string hex(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(hex.data(), &oid);
  return hex;
}

}  // namespace swage::git2
