#include "pipeline/workspace/merged.h"

#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

using Walk = std::unique_ptr<git_revwalk, git2::Freer<git_revwalk_free>>;

/// The three trees of a merge that nobody makes.
class Merge {
 public:
  static Result<Merge> Of(git_repository* repository, const git_oid& base, const git_oid& head) {
    Merge merge(repository);
    SWAGE_ASSIGN_OR_RETURN(merge.base_, merge.TreeAt(base));
    SWAGE_ASSIGN_OR_RETURN(merge.head_, merge.TreeAt(head));
    return merge;
  }

  /// Whether merging `head` into the commit would change nothing there.
  Result<bool> AddsNothingTo(const git_oid& commit) const {
    SWAGE_ASSIGN_OR_RETURN(const git2::Tree ours, TreeAt(commit));
    git_merge_options options = GIT_MERGE_OPTIONS_INIT;
    options.flags = GIT_MERGE_FAIL_ON_CONFLICT;
    git_index* raw = nullptr;
    int code = git_merge_trees(&raw, repository_, base_.get(), ours.get(), head_.get(), &options);
    const git2::Index index(raw);
    if (code == GIT_EMERGECONFLICT) return false;
    git_oid tree;
    if (code == 0) code = git_index_write_tree_to(&tree, index.get(), repository_);
    if (code != 0) return git2::FailureOf(code, "compare with what was merged");
    return git_oid_equal(&tree, git_tree_id(ours.get())) != 0;
  }

 private:
  explicit Merge(git_repository* repository) : repository_(repository) {}
  Result<git2::Tree> TreeAt(const git_oid& commit) const {
    SWAGE_ASSIGN_OR_RETURN(const git2::Commit found,
                           git2::FindCommit(repository_, CommitSha{git2::Hex(commit)}));
    return git2::TreeOf(found.get());
  }

  git_repository* repository_;
  git2::Tree base_;
  git2::Tree head_;
};

}  // namespace

Result<bool> IsMergedInto(const std::filesystem::path& mirror, const CommitSha& head,
                          const CommitSha& tip) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  SWAGE_ASSIGN_OR_RETURN(const auto work, git2::FindCommit(repository.get(), head));
  SWAGE_ASSIGN_OR_RETURN(const auto newest, git2::FindCommit(repository.get(), tip));
  const git_oid& head_id = *git_commit_id(work.get());
  git_oid base;
  int code = git_merge_base(&base, repository.get(), &head_id, git_commit_id(newest.get()));
  if (code == GIT_ENOTFOUND) return false;
  if (code != 0) return git2::FailureOf(code, "find where a branch began");
  if (git_oid_equal(&base, &head_id) != 0) return true;

  SWAGE_ASSIGN_OR_RETURN(const Merge merge, Merge::Of(repository.get(), base, head_id));
  git_revwalk* raw = nullptr;
  code = git_revwalk_new(&raw, repository.get());
  const Walk walk(raw);
  if (code == 0) code = git_revwalk_push(walk.get(), git_commit_id(newest.get()));
  if (code == 0) code = git_revwalk_hide(walk.get(), &base);
  if (code != 0) return git2::FailureOf(code, "walk a branch");
  git_oid at;
  for (int i = 0; i < kMaxMergeDistance && git_revwalk_next(&at, walk.get()) == 0; ++i) {
    SWAGE_ASSIGN_OR_RETURN(const bool merged, merge.AddsNothingTo(at));
    if (merged) return true;
  }
  return false;
}

}  // namespace swage
