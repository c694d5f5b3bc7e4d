#include "forge/sandbox/diff.h"

#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/sandbox/git_handles.h"

namespace swage::sandbox {
namespace {

std::string_view StatusName(git_delta_t status) {
  if (status == GIT_DELTA_ADDED || status == GIT_DELTA_COPIED) return "added";
  if (status == GIT_DELTA_DELETED) return "removed";
  if (status == GIT_DELTA_RENAMED) return "renamed";
  return "modified";
}

void AddLine(FileDiff& file, const git_diff_line& line) {
  const bool in_old = line.old_lineno > 0;
  const bool in_new = line.new_lineno > 0;
  if (in_old) file.left_lines.insert(line.old_lineno);
  if (in_new) file.right_lines.insert(line.new_lineno);
  if (in_old && in_new) file.unchanged.emplace(line.new_lineno, line.old_lineno);
  if (in_new && !in_old) file.added_lines.insert(line.new_lineno);
  if (in_old && !in_new) file.removed_lines.insert(line.old_lineno);
}

void AppendText(std::string& patch, const git_diff_line& line) {
  const std::string_view content(line.content, line.content_len);
  switch (line.origin) {
    case GIT_DIFF_LINE_CONTEXT:
    case GIT_DIFF_LINE_ADDITION:
    case GIT_DIFF_LINE_DELETION:
      patch += line.origin;
      patch += content;
      if (!content.ends_with('\n')) patch += '\n';
      break;
    case GIT_DIFF_LINE_CONTEXT_EOFNL:
    case GIT_DIFF_LINE_ADD_EOFNL:
    case GIT_DIFF_LINE_DEL_EOFNL:
      patch += "\\ No newline at end of file\n";
      break;
    default:
      break;
  }
}

Result<void> ReadHunks(git_patch* patch, FileDiff& file) {
  for (std::size_t h = 0; h < git_patch_num_hunks(patch); ++h) {
    const git_diff_hunk* hunk = nullptr;
    std::size_t lines = 0;
    int code = git_patch_get_hunk(&hunk, &lines, patch, h);
    if (code != 0) return GitError(code, "read hunk");
    file.patch += std::string_view(hunk->header, hunk->header_len);
    for (std::size_t l = 0; l < lines; ++l) {
      const git_diff_line* line = nullptr;
      code = git_patch_get_line_in_hunk(&line, patch, h, l);
      if (code != 0) return GitError(code, "read line");
      AddLine(file, *line);
      AppendText(file.patch, *line);
    }
  }
  if (file.patch.ends_with('\n')) file.patch.pop_back();
  return Ok();
}

Result<FileDiff> ReadFileDiff(git_diff* diff, std::size_t index) {
  const git_diff_delta* delta = git_diff_get_delta(diff, index);
  const bool removed = delta->status == GIT_DELTA_DELETED;
  FileDiff file;
  file.status = StatusName(delta->status);
  file.path = removed ? delta->old_file.path : delta->new_file.path;
  file.old_path = delta->status == GIT_DELTA_ADDED ? file.path : delta->old_file.path;
  file.blob_sha = ShaOf(removed ? delta->old_file.id : delta->new_file.id);
  file.old_mode = fmt::format("{:o}", delta->old_file.mode);
  file.new_mode = fmt::format("{:o}", delta->new_file.mode);
  git_patch* raw = nullptr;
  const int code = git_patch_from_diff(&raw, diff, index);
  if (code != 0) return GitError(code, "read patch");
  const GitPatch patch(raw);
  file.binary = (git_patch_get_delta(raw)->flags & GIT_DIFF_FLAG_BINARY) != 0;
  if (file.binary) return file;
  SWAGE_RETURN_IF_ERROR(ReadHunks(raw, file));
  file.additions = static_cast<int>(file.added_lines.size());
  file.deletions = static_cast<int>(file.removed_lines.size());
  return file;
}

/// The tree where the two branches parted; the base's own where they share nothing.
Result<GitTree> TreeAtFork(git_repository* repo, git_commit* base, git_commit* head) {
  git_oid fork;
  if (git_merge_base(&fork, repo, git_commit_id(base), git_commit_id(head)) != 0) {
    return TreeOf(base);
  }
  git_commit* raw = nullptr;
  const int code = git_commit_lookup(&raw, repo, &fork);
  if (code != 0) return GitError(code, "read commit");
  const GitCommit commit(raw);
  return TreeOf(raw);
}

// "@@ -3,7 +3,9 @@ context" -> where the hunk starts on both sides.
std::pair<int, int> HunkStart(std::string_view header) {
  const auto number = [&](char mark) {
    const std::size_t at = header.find(mark);
    const std::size_t end = header.find_first_of(", ", at);
    return static_cast<int>(ParseInt(header.substr(at + 1, end - at - 1)).value_or(0));
  };
  return {number('-'), number('+')};
}

}  // namespace

std::string FileDiff::HunkAbove(bool right, int line) const {
  std::string hunk;
  int old_line = 0;
  int new_line = 0;
  for (const std::string_view text : Split(patch, '\n')) {
    if (text.starts_with("@@ ")) {
      std::tie(old_line, new_line) = HunkStart(text);
      hunk = text;
      continue;
    }
    hunk += '\n';
    hunk += text;
    const char kind = text.empty() ? ' ' : text.front();
    const bool here = right ? kind != '-' && new_line == line : kind != '+' && old_line == line;
    if (here && kind != '\\') return hunk;
    if (kind == ' ' || kind == '-') ++old_line;
    if (kind == ' ' || kind == '+') ++new_line;
  }
  return {};
}

Result<std::vector<FileDiff>> DiffOf(const std::filesystem::path& git_dir,
                                     std::string_view base_sha, std::string_view head_sha) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit base, LookUpCommit(repo.get(), base_sha));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit head, LookUpCommit(repo.get(), head_sha));
  SWAGE_ASSIGN_OR_RETURN(const GitTree from, TreeAtFork(repo.get(), base.get(), head.get()));
  SWAGE_ASSIGN_OR_RETURN(const GitTree to, TreeOf(head.get()));
  git_diff* raw = nullptr;
  int code = git_diff_tree_to_tree(&raw, repo.get(), from.get(), to.get(), nullptr);
  if (code != 0) return GitError(code, "compare trees");
  const GitDiff diff(raw);
  code = git_diff_find_similar(raw, nullptr);
  if (code != 0) return GitError(code, "find renames");
  std::vector<FileDiff> files;
  for (std::size_t i = 0; i < git_diff_num_deltas(raw); ++i) {
    SWAGE_ASSIGN_OR_RETURN(FileDiff file, ReadFileDiff(raw, i));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace swage::sandbox
