#include "pipeline/workspace/diff.h"

#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

constexpr std::uint32_t kContextLines = 3;
constexpr git_off_t kMaxTextBytes = 8 << 20;    // larger files count as binary
constexpr std::size_t kMaxPatchedFiles = 3000;  // files beyond are listed without their hunks

char ChangeOf(git_delta_t status) {
  switch (status) {
    case GIT_DELTA_ADDED:
      return 'A';
    case GIT_DELTA_DELETED:
      return 'D';
    case GIT_DELTA_RENAMED:
      return 'R';
    case GIT_DELTA_UNMODIFIED:
    case GIT_DELTA_MODIFIED:
    case GIT_DELTA_COPIED:
    case GIT_DELTA_IGNORED:
    case GIT_DELTA_UNTRACKED:
    case GIT_DELTA_TYPECHANGE:
    case GIT_DELTA_UNREADABLE:
    case GIT_DELTA_CONFLICTED:
      break;
  }
  return 'M';
}

Result<git2::Diff> TreeDiff(git_repository* repository, git_tree* from, git_tree* to) {
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.context_lines = kContextLines;
  options.max_size = kMaxTextBytes;
  options.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;
  git_diff* raw = nullptr;
  int code = git_diff_tree_to_tree(&raw, repository, from, to, &options);
  if (code != 0) return git2::FailureOf(code, "diff");
  git2::Diff diff(raw);
  git_diff_find_options find;
  git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
  find.flags = GIT_DIFF_FIND_RENAMES;
  code = git_diff_find_similar(diff.get(), &find);
  if (code != 0) return git2::FailureOf(code, "find renames");
  return diff;
}

Result<void> ReadPatch(git_diff* diff, std::size_t at, FileDiff& file) {
  git_patch* raw = nullptr;
  const int code = git_patch_from_diff(&raw, diff, at);
  if (code != 0) return git2::FailureOf(code, "diff of a file");
  const git2::Patch patch(raw);
  if (patch == nullptr) {  // what libgit2 gives for binary files
    file.binary = true;
    return Ok();
  }
  file.binary = (git_patch_get_delta(patch.get())->flags & GIT_DIFF_FLAG_BINARY) != 0;
  std::size_t added = 0, removed = 0;
  git_patch_line_stats(nullptr, &added, &removed, patch.get());
  file.added = static_cast<int>(added);
  file.removed = static_cast<int>(removed);
  for (std::size_t i = 0; i < git_patch_num_hunks(patch.get()); ++i) {
    const git_diff_hunk* hunk = nullptr;
    if (git_patch_get_hunk(&hunk, nullptr, patch.get(), i) != 0) continue;
    if (hunk->new_lines > 0) file.hunks.push_back({hunk->new_start, hunk->new_lines});
  }
  return Ok();
}

}  // namespace

Result<DiffSummary> DiffCommits(const std::filesystem::path& mirror, const CommitSha& from,
                                const CommitSha& to) {
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  SWAGE_ASSIGN_OR_RETURN(const auto old_commit, git2::FindCommit(repository.get(), from));
  SWAGE_ASSIGN_OR_RETURN(const auto new_commit, git2::FindCommit(repository.get(), to));
  SWAGE_ASSIGN_OR_RETURN(const auto old_tree, git2::TreeOf(old_commit.get()));
  SWAGE_ASSIGN_OR_RETURN(const auto new_tree, git2::TreeOf(new_commit.get()));
  SWAGE_ASSIGN_OR_RETURN(const auto diff,
                         TreeDiff(repository.get(), old_tree.get(), new_tree.get()));
  DiffSummary summary;
  for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
    const git_diff_delta* delta = git_diff_get_delta(diff.get(), i);
    FileDiff file;
    file.change = ChangeOf(delta->status);
    file.old_path = delta->old_file.path;
    file.path = delta->new_file.path;
    if (i < kMaxPatchedFiles) SWAGE_RETURN_IF_ERROR(ReadPatch(diff.get(), i, file));
    summary.files.push_back(std::move(file));
  }
  return summary;
}

}  // namespace swage
