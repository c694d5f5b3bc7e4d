#include "pipeline/workspace/own_branch.h"

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

using RevWalk = std::unique_ptr<git_revwalk, git2::Freer<git_revwalk_free>>;

constexpr int kMaxCommits = 10'000;

Result<git_oid> OidOf(const CommitSha& sha) {
  git_oid oid;
  const int code = git_oid_fromstr(&oid, sha.value.c_str());
  if (code != 0) return MakeError(ErrorCode::kInvalid, "a malformed commit name");
  return oid;
}

bool IsOwn(git_commit* commit, const OwnMark& mark) {
  const git_signature* committer = git_commit_committer(commit);
  if (committer == nullptr || mark.email != committer->email) return false;
  const auto lines = SplitLines(git_commit_message(commit));
  return std::find(lines.begin(), lines.end(), mark.trailer) != lines.end();
}

}  // namespace

Result<bool> IsOwnWork(const std::filesystem::path& mirror, const CommitSha& head,
                       const std::vector<CommitSha>& known, const OwnMark& mark) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  git_revwalk* raw = nullptr;
  int code = git_revwalk_new(&raw, repository.get());
  if (code != 0) return git2::FailureOf(code, "read a branch");
  const RevWalk walk(raw);
  SWAGE_ASSIGN_OR_RETURN(git_oid oid, OidOf(head));
  code = git_revwalk_push(walk.get(), &oid);
  if (code != 0) return git2::FailureOf(code, "read a branch");
  for (const CommitSha& sha : known) {
    SWAGE_ASSIGN_OR_RETURN(const git_oid hidden, OidOf(sha));
    code = git_revwalk_hide(walk.get(), &hidden);
    if (code != 0) return git2::FailureOf(code, "read a branch");
  }
  int commits = 0;
  while ((code = git_revwalk_next(&oid, walk.get())) == 0) {
    if (++commits > kMaxCommits) {
      return MakeError(ErrorCode::kTooLarge, "the branch has too many commits");
    }
    SWAGE_ASSIGN_OR_RETURN(const auto commit,
                           git2::FindCommit(repository.get(), CommitSha{git2::Hex(oid)}));
    if (!IsOwn(commit.get(), mark)) return false;
  }
  if (code != GIT_ITEROVER) return git2::FailureOf(code, "read a branch");
  return commits > 0;
}

}  // namespace swage
