#include "pipeline/workspace/history_scan.h"

#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

using Found = std::optional<std::string>;
using Holds = std::function<bool(std::string_view)>;

constexpr int kMaxCommits = 10'000;

Result<Found> LookAtBlob(git_repository* repository, const git_diff_file& file,
                         const Holds& holds) {
  git_blob* raw = nullptr;
  const int code = git_blob_lookup(&raw, repository, &file.id);
  if (code != 0) return git2::FailureOf(code, file.path);
  const git2::Blob blob(raw);
  const std::string_view bytes(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                               static_cast<std::size_t>(git_blob_rawsize(blob.get())));
  return holds(bytes) ? Found(file.path) : Found();
}

// The files of `commit` that its parent has not, or has otherwise.
Result<Found> LookAtCommit(git_repository* repository, git_commit* commit, git_commit* parent,
                           const Holds& holds) {
  if (holds(git_commit_message(commit))) return Found("a commit message");
  SWAGE_ASSIGN_OR_RETURN(const auto to, git2::TreeOf(commit));
  SWAGE_ASSIGN_OR_RETURN(const auto from, git2::TreeOf(parent));
  git_diff* raw = nullptr;
  const int code = git_diff_tree_to_tree(&raw, repository, from.get(), to.get(), nullptr);
  if (code != 0) return git2::FailureOf(code, "diff");
  const git2::Diff diff(raw);
  for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
    const git_diff_file& file = git_diff_get_delta(diff.get(), i)->new_file;
    if (file.mode == GIT_FILEMODE_UNREADABLE) continue;  // deleted
    if (holds(file.path)) return Found("a file name");
    if (file.mode == GIT_FILEMODE_COMMIT) continue;  // a submodule has no content here
    SWAGE_ASSIGN_OR_RETURN(Found found, LookAtBlob(repository, file, holds));
    if (found) return found;
  }
  return Found();
}

}  // namespace

Result<Found> FindInHistory(const std::filesystem::path& mirror, const CommitSha& base,
                            const CommitSha& head, const Holds& holds) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  CommitSha at = head;
  for (int commits = 0; at != base; ++commits) {
    if (commits == kMaxCommits) {
      return MakeError(ErrorCode::kTooLarge, "the task branch has too many commits");
    }
    SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository.get(), at));
    git_commit* raw = nullptr;
    const int code = git_commit_parent(&raw, commit.get(), 0);
    if (code != 0) return git2::FailureOf(code, "the task branch does not start at its base");
    const git2::Commit parent(raw);
    SWAGE_ASSIGN_OR_RETURN(Found found,
                           LookAtCommit(repository.get(), commit.get(), parent.get(), holds));
    if (found) return found;
    at = CommitSha{git2::Hex(*git_commit_id(parent.get()))};
  }
  return Found();
}

}  // namespace swage
