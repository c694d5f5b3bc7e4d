#include "pipeline/workspace/upper_changes.h"

#include <sys/stat.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/text.h"
#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

constexpr std::size_t kMaxInput = 1 << 20;  // of a call of git
constexpr int kNothingIgnored = 1;          // how `git check-ignore` ends then

// The index as it was after the last checkpoint.
class OldIndex {
 public:
  static Result<OldIndex> Open(const std::filesystem::path& file) {
    git_index* raw = nullptr;
    const int code = git_index_open(&raw, file.c_str());
    git2::Index index(raw);
    if (code != 0) return git2::FailureOf(code, "read the index");
    return OldIndex(std::move(index));
  }

  const git_index_entry* Find(const std::string& path) const {
    return git_index_get_bypath(index_.get(), path.c_str(), 0);
  }
  bool HoldsSubmodule(const std::string& path) const {
    const git_index_entry* entry = Find(path);
    return entry != nullptr && entry->mode == GIT_FILEMODE_COMMIT;
  }
  /// Files of the index that are not below `root` any more. Looks at each.
  std::vector<std::string> VanishedFrom(const std::filesystem::path& root) const {
    std::vector<std::string> vanished;
    struct stat status;
    for (std::size_t at = 0; at < git_index_entrycount(index_.get()); ++at) {
      const git_index_entry* entry = git_index_get_byindex(index_.get(), at);
      if (entry->mode == GIT_FILEMODE_COMMIT) continue;
      if (lstat((root / entry->path).c_str(), &status) != 0) vanished.emplace_back(entry->path);
    }
    return vanished;
  }
  std::vector<std::string> Below(const std::string& directory) const {
    std::vector<std::string> below;
    const std::string prefix = directory + "/";
    std::size_t at = 0;
    if (git_index_find_prefix(&at, index_.get(), prefix.c_str()) != 0) return below;
    for (; at < git_index_entrycount(index_.get()); ++at) {
      const std::string_view path = git_index_get_byindex(index_.get(), at)->path;
      if (!path.starts_with(prefix)) break;
      below.emplace_back(path);
    }
    return below;
  }

 private:
  explicit OldIndex(git2::Index index) : index_(std::move(index)) {}
  git2::Index index_;
};

std::string Lines(const std::vector<std::string>& paths) {
  std::string lines;
  for (const std::string& path : paths) lines.append(path).push_back('\0');
  return lines;
}

bool IsBelow(std::string_view path, const std::set<std::string>& directories) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (directories.contains(std::string(path.substr(0, slash)))) return true;
  }
  return false;
}

// What becomes of each candidate.
class Sorter {
 public:
  explicit Sorter(const OldIndex& index) : index_(index) {}

  void Sort(const UpperChanges& changes) {
    for (const std::string& directory : changes.directories) {
      const git_index_entry* entry = index_.Find(directory);
      if (entry == nullptr) continue;
      if (entry->mode == GIT_FILEMODE_COMMIT) {
        submodules_.insert(directory);
      } else {
        gone_.push_back(directory);  // the file that was there
      }
    }
    for (const std::string& path : changes.files) AddFile(path);
    for (const std::string& path : changes.removed) {
      if (index_.Find(path) != nullptr) gone_.push_back(path);
      AddAll(index_.Below(path));
    }
    for (const std::string& directory : changes.hidden) AddAll(index_.Below(directory));
  }

  /// What the task itself had added leaves no mark in the upper directory when it goes. After Sort.
  void AddVanished(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      if (!IsBelow(path, over_directories_)) gone_.push_back(path);
    }
  }

  /// Paths that the index does not know: for git to say which of them it ignores.
  const std::vector<std::string>& New() const { return new_; }

  /// What `git update-index` has to look at, in an order that it takes. Nothing: not the short way.
  std::optional<std::string> Input(const std::set<std::string>& ignored) const {
    std::string input = Lines(gone_);
    for (const std::string& path : touched_) {
      // Where a link is now, git takes what was below the directory out of the index with it.
      if (!IsBelow(path, over_directories_)) input.append(path).push_back('\0');
    }
    for (const std::string& path : new_) {
      if (!ignored.contains(path)) {
        input.append(path).push_back('\0');
      } else if (over_directories_.contains(path)) {
        return std::nullopt;
      }
    }
    return input;
  }

 private:
  void AddAll(const std::vector<std::string>& paths) {
    touched_.insert(touched_.end(), paths.begin(), paths.end());
  }

  void AddFile(const std::string& path) {
    if (IsBelow(path, submodules_)) return;
    if (!index_.Below(path).empty()) over_directories_.insert(path);
    (index_.Find(path) != nullptr ? touched_ : new_).push_back(path);
  }

  const OldIndex& index_;
  std::vector<std::string> gone_, touched_, new_;
  std::set<std::string> submodules_;
  std::set<std::string> over_directories_;  // files where directories were
};

Result<std::set<std::string>> IgnoredOf(const TreePlan& plan,
                                        const std::vector<std::string>& paths) {
  std::set<std::string> ignored;
  if (paths.empty()) return ignored;
  // It refuses --literal-pathspecs, and only what stands first in a path can be magic.
  constexpr std::string_view kHere = "./";
  GitCall call = plan.Call({"check-ignore", "--no-index", "-z", "--stdin"});
  for (const std::string& path : paths) call.input.append(kHere).append(path).push_back('\0');
  call.also_fine = kNothingIgnored;
  SWAGE_ASSIGN_OR_RETURN(const std::string listed, plan.git.Run(call));
  for (std::string_view path : Split(listed, '\0')) {
    if (path.starts_with(kHere)) ignored.emplace(path.substr(kHere.size()));
  }
  return ignored;
}

// The index is a hard link to the base's until git writes it for the first time.
bool IsOfTheBase(const std::filesystem::path& index) {
  struct stat status;
  return stat(index.c_str(), &status) == 0 && status.st_nlink > 1;
}

}  // namespace

Result<bool> StageChanges(const TreePlan& plan, const UpperChanges& changes) {
  const bool untouched = IsOfTheBase(plan.Index());
  if (changes.Empty() && untouched) return true;
  SWAGE_ASSIGN_OR_RETURN(const OldIndex index, OldIndex::Open(plan.Index()));
  Sorter sorter(index);
  sorter.Sort(changes);
  if (!untouched) sorter.AddVanished(index.VanishedFrom(plan.Root()));
  if (Lines(sorter.New()).size() > kMaxInput) return false;
  SWAGE_ASSIGN_OR_RETURN(const auto ignored, IgnoredOf(plan, sorter.New()));
  std::optional<std::string> input = sorter.Input(ignored);
  if (!input || input->size() > kMaxInput) return false;
  if (input->empty()) return true;
  GitCall call = plan.Call({"update-index", "--add", "--remove", "--replace", "-z", "--stdin"});
  call.input = *std::move(input);
  const auto updated = plan.git.Run(call);
  if (!updated.ok()) return updated.error();
  return true;
}

}  // namespace swage
