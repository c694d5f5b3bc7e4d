#include "pipeline/unfetched.h"

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kPointerBegin = "version https://git-lfs.";
constexpr std::string_view kPointerVersion = "/spec/v1";
constexpr std::size_t kMaxPointerBytes = 1024;  // as the specification says

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(" \t"); at != std::string_view::npos;
       at = line.find_first_not_of(" \t")) {
    line.remove_prefix(at);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

bool Matches(std::string_view pattern, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (pattern.starts_with("*.")) return name.ends_with(pattern.substr(1));
  if (pattern.starts_with('/')) return path == pattern.substr(1);
  return path == pattern || (pattern.find('/') == std::string_view::npos && name == pattern);
}

}  // namespace

std::vector<std::string> ParseLfsPatterns(std::string_view attributes) {
  std::vector<std::string> patterns;
  for (const std::string_view line : SplitLines(attributes)) {
    const auto words = Words(Trim(line));
    if (words.empty() || words[0].starts_with('#') || words[0].starts_with('[')) continue;
    const bool lfs = std::ranges::find(words, "filter=lfs") != words.end();
    if (lfs && patterns.size() < kMaxUnfetched) patterns.emplace_back(words[0]);
  }
  return patterns;
}

std::vector<std::string> ParseSubmodules(std::string_view modules) {
  std::vector<std::string> paths;
  for (const std::string_view line : SplitLines(modules)) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || Trim(line.substr(0, equals)) != "path") continue;
    const std::string_view path = Trim(line.substr(equals + 1));
    if (!path.empty() && paths.size() < kMaxUnfetched) paths.emplace_back(path);
  }
  return paths;
}

bool IsLfsPointer(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  return text.size() <= kMaxPointerBytes && first.size() < text.size() &&
         first.starts_with(kPointerBegin) && first.ends_with(kPointerVersion);
}

Unfetched FindUnfetched(Workspaces& workspaces, const RepoRef& repo, const CommitSha& commit) {
  Unfetched unfetched;
  const auto attributes = workspaces.ReadCommitted(repo, commit, ".gitattributes");
  if (attributes.ok()) unfetched.lfs_patterns = ParseLfsPatterns(*attributes);
  const auto modules = workspaces.ReadCommitted(repo, commit, ".gitmodules");
  if (modules.ok()) unfetched.submodules = ParseSubmodules(*modules);
  // A submodule is there, and is no file; a name that is left over from a removed one is nothing.
  std::erase_if(unfetched.submodules, [&](const std::string& path) {
    const auto entry = workspaces.ReadCommitted(repo, commit, path);
    return entry.ok() || entry.error().code == ErrorCode::kNotFound;
  });
  return unfetched;
}

std::vector<std::string> FindTouchedLfsFiles(Workspaces& workspaces, const RepoRef& repo,
                                             const CommitSha& base, const CommitSha& head,
                                             const DiffSummary& diff, const Unfetched& unfetched) {
  std::vector<std::string> touched;
  if (unfetched.lfs_patterns.empty()) return touched;
  const auto is_pointer = [&](const CommitSha& commit, const std::string& path) {
    const auto text = workspaces.ReadCommitted(repo, commit, path);
    return text.ok() && IsLfsPointer(*text);
  };
  const std::size_t count = std::min(diff.files.size(), kMaxPointerChecks);
  for (std::size_t i = 0; i < count; ++i) {
    const FileDiff& file = diff.files[i];
    const std::string& before = file.old_path.empty() ? file.path : file.old_path;
    const bool moved = file.change == 'R' && file.added == 0 && file.removed == 0;
    const bool wanted =
        file.change != 'D' && std::ranges::any_of(unfetched.lfs_patterns, [&](const auto& pattern) {
          return Matches(pattern, file.path);
        });
    const bool was_pointer = file.change != 'A' && !moved && is_pointer(base, before);
    if (was_pointer || (wanted && !is_pointer(head, file.path))) touched.push_back(file.path);
  }
  return touched;
}

}  // namespace swage
