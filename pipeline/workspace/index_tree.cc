#include "pipeline/workspace/index_tree.h"

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "config/base/text.h"

namespace swage {
namespace {

// What git asks for each object of a directory that changed, and writes, and reads.
Result<git2::Tree> ByProgram(git_repository* repository, const TreePlan& plan) {
  SWAGE_ASSIGN_OR_RETURN(const std::string written, plan.git.Run(plan.Call({"write-tree"})));
  return git2::FindTree(repository, TreeSha{std::string(Trim(written))});
}

// ":OLDMODE NEWMODE OLDID NEWID STATUS"; false for anything else.
bool ParseUpdate(std::string_view words, const char* path, git_tree_update& update) {
  const auto fields = Split(words, ' ');
  if (fields.size() != 5 || fields[3].size() != GIT_OID_HEXSZ) return false;
  unsigned mode = 0;
  const std::string_view digits = fields[1];
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
  if (parsed.ec != std::errc()) return false;
  update.action = mode == 0 ? GIT_TREE_UPDATE_REMOVE : GIT_TREE_UPDATE_UPSERT;
  update.filemode = static_cast<git_filemode_t>(mode);
  update.path = path;
  return git_oid_fromstrn(&update.id, fields[3].data(), fields[3].size()) == 0;
}

// Of `git diff-index -z`; the paths are those in `raw`. Nothing: not understood.
std::optional<std::vector<git_tree_update>> ParseUpdates(const std::string& raw) {
  std::vector<git_tree_update> updates;
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t words_end = raw.find('\0', at);
    const std::size_t path_end =
        words_end == std::string::npos ? words_end : raw.find('\0', words_end + 1);
    if (path_end == std::string::npos) return std::nullopt;
    git_tree_update update{};
    const std::string_view words(raw.data() + at, words_end - at);
    if (!ParseUpdate(words, raw.c_str() + words_end + 1, update)) return std::nullopt;
    updates.push_back(update);
    at = path_end + 1;
  }
  return updates;
}

}  // namespace

Result<git2::Tree> TreeOfIndex(git_repository* repository, const TreePlan& plan,
                               git_commit* before) {
  const std::string commit = git2::Hex(*git_commit_id(before));
  const auto raw = plan.git.Run(plan.Call({"diff-index", "--cached", "--raw", "-z", "--no-abbrev",
                                           "--no-renames", "--ignore-submodules=none", commit}));
  const auto updates = raw.ok() ? ParseUpdates(*raw) : std::nullopt;
  if (!updates) return ByProgram(repository, plan);
  SWAGE_ASSIGN_OR_RETURN(auto tree, git2::TreeOf(before));
  SWAGE_ASSIGN_OR_RETURN(const auto updated, git2::UpdateTree(repository, tree.get(), *updates));
  return updated ? git2::FindTree(repository, *updated) : ByProgram(repository, plan);
}

}  // namespace swage
