#include "pipeline/workspace/upper_changes.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/commit_files.h"
#include "pipeline/workspace/index_file.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxInput = 1 << 20;    // of a call of git
constexpr std::size_t kMaxIndex = 256 << 20;  // some two million files; beyond, git alone
constexpr int kNothingIgnored = 1;            // how `git check-ignore` ends then

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
  explicit Sorter(CommitFiles& staged) : staged_(staged) {}

  void Sort(const UpperChanges& changes) {
    for (const std::string& directory : changes.directories) {
      const git_filemode_t mode = staged_.ModeOf(directory);
      if (mode == GIT_FILEMODE_COMMIT) {
        submodules_.insert(directory);
      } else if (mode != GIT_FILEMODE_UNREADABLE) {
        gone_.push_back(directory);  // the file that was there
      }
    }
    for (const std::string& path : changes.files) AddFile(path);
    for (const std::string& path : changes.removed) {
      if (staged_.Has(path)) gone_.push_back(path);
      AddAll(staged_.Below(path));
    }
    for (const std::string& directory : changes.hidden) AddAll(staged_.Below(directory));
  }

  /// Files that went without a mark in the upper directory. After Sort.
  void AddVanished(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      if (!IsBelow(path, over_directories_)) gone_.push_back(path);
    }
  }

  /// Paths that were not staged: for git to say which of them it ignores.
  const std::vector<std::string>& New() const { return new_; }

  /// Whether a file has taken the place of a directory.
  bool HasReplacedDirectory() const { return !over_directories_.empty(); }

  /// What `git update-index` has to look at, in an order that it takes. Nothing: not the short way.
  std::optional<std::vector<std::string>> Paths(const std::set<std::string>& ignored) const {
    std::vector<std::string> paths = gone_;
    for (const std::string& path : touched_) {
      // Where a link is now, git takes what was below the directory out of the index with it.
      if (!IsBelow(path, over_directories_)) paths.push_back(path);
    }
    for (const std::string& path : new_) {
      if (!ignored.contains(path)) {
        paths.push_back(path);
      } else if (over_directories_.contains(path)) {
        return std::nullopt;
      }
    }
    return paths;
  }

 private:
  void AddAll(const std::vector<std::string>& paths) {
    touched_.insert(touched_.end(), paths.begin(), paths.end());
  }

  void AddFile(const std::string& path) {
    if (IsBelow(path, submodules_)) return;
    if (staged_.HasDirectory(path)) over_directories_.insert(path);
    (staged_.Has(path) ? touched_ : new_).push_back(path);
  }

  CommitFiles& staged_;
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

Result<void> UpdateIndex(const TreePlan& plan, std::string lines, const fs::path& index) {
  GitCall call = plan.Call({"update-index", "--add", "--remove", "--replace", "-z", "--stdin"});
  call.index = index;
  call.input = std::move(lines);
  const auto updated = plan.git.Run(call);
  return updated.ok() ? Ok() : Result<void>(updated.error());
}

// By git, in an index that holds nothing else of what was staged. Nothing: not understood.
Result<std::optional<IndexUpdates>> ExamineFiles(const TreePlan& plan, CommitFiles& staged,
                                                 const std::vector<std::string>& paths) {
  std::map<std::string, BareEntry> before;
  for (const std::string& path : paths) {
    if (staged.Has(path)) before[path] = {staged.ModeOf(path), staged.IdOf(path)};
  }
  const fs::path index = plan.admin / "index.changes";
  SWAGE_RETURN_IF_ERROR(WriteFileFast(index, RenderIndex(before)));
  SWAGE_RETURN_IF_ERROR(UpdateIndex(plan, Lines(paths), index));
  SWAGE_ASSIGN_OR_RETURN(const std::string after, ReadFile(index, kMaxIndex));
  const auto entries = ParseIndex(after);
  if (!entries) return std::optional<IndexUpdates>();
  IndexUpdates updates;
  for (const std::string& path : paths) updates[path] = std::nullopt;
  for (const IndexEntry& entry : *entries) updates[std::string(entry.path)] = entry.bytes;
  return std::optional(std::move(updates));
}

// Nothing: not this way.
Result<std::optional<TreeSha>> MakeTree(CommitFiles& staged, const IndexUpdates& files) {
  std::vector<git_tree_update> updates;
  for (const auto& [path, bytes] : files) {
    git_tree_update update{GIT_TREE_UPDATE_REMOVE, {}, GIT_FILEMODE_UNREADABLE, path.c_str()};
    if (bytes) {
      const IndexEntry entry{path, *bytes};
      update = {GIT_TREE_UPDATE_UPSERT, entry.Id(), entry.Mode(), path.c_str()};
      const git_oid before = staged.IdOf(path);
      if (staged.ModeOf(path) == update.filemode && git_oid_equal(&before, &update.id) != 0) {
        continue;
      }
    } else if (!staged.Has(path)) {
      continue;
    }
    updates.push_back(update);
  }
  return staged.With(updates);
}

Result<bool> Splice(const fs::path& index, const IndexUpdates& updates) {
  const auto before = ReadFile(index, kMaxIndex);
  if (!before.ok() && before.error().code == ErrorCode::kTooLarge) return false;
  if (!before.ok()) return before.error();
  const auto after = SpliceIndex(*before, updates);
  if (!after) return false;
  // Never into the file itself: it may be that of the base.
  const fs::path fresh = index.string() + ".lock";
  SWAGE_RETURN_IF_ERROR(WriteFileFast(fresh, *after));
  if (rename(fresh.c_str(), index.c_str()) == 0) return true;
  return MakeError(ErrorCode::kInternal,
                   fmt::format("replace {}: {}", index.string(),
                               std::error_code(errno, std::generic_category()).message()));
}

// Nothing: not this way.
Result<std::optional<TreeSha>> StageFew(const TreePlan& plan, CommitFiles& staged,
                                        const std::vector<std::string>& paths) {
  SWAGE_ASSIGN_OR_RETURN(const auto updates, ExamineFiles(plan, staged, paths));
  if (!updates) return std::optional<TreeSha>();
  SWAGE_ASSIGN_OR_RETURN(auto tree, MakeTree(staged, *updates));
  SWAGE_RETURN_IF_ERROR(staged.Intact());
  if (!tree) return tree;
  SWAGE_ASSIGN_OR_RETURN(const bool spliced, Splice(plan.Index(), *updates));
  if (!spliced) tree.reset();
  return tree;
}

// What the task itself had added leaves no mark in the upper directory when it goes.
Result<std::vector<std::string>> VanishedFrom(const std::filesystem::path& root,
                                              CommitFiles& staged, const CommitSha& base) {
  SWAGE_ASSIGN_OR_RETURN(std::vector<std::string> own, staged.NotAsIn(base));
  std::erase_if(own, [&](const std::string& path) {
    struct stat status;
    return staged.ModeOf(path) == GIT_FILEMODE_COMMIT || lstat((root / path).c_str(), &status) == 0;
  });
  return own;
}

// Itself, or as part of a submodule, which is nobody's here.
bool IsTracked(CommitFiles& files, std::string_view path) {
  if (files.Has(path)) return true;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (files.ModeOf(path.substr(0, slash)) == GIT_FILEMODE_COMMIT) return true;
  }
  return false;
}

Result<void> RemoveFile(const std::filesystem::path& file) {
  if (unlink(file.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return Ok();
  return MakeError(ErrorCode::kInternal,
                   fmt::format("remove {}: {}", file.string(),
                               std::error_code(errno, std::generic_category()).message()));
}

}  // namespace

Result<Staging> StageChanges(const TreePlan& plan, const UpperChanges& changes,
                             const StagedOver& over, NewFiles fresh) {
  if (changes.Empty() && over.staged == over.base) return Staging{HowStaged::kNothing, {}};
  SWAGE_ASSIGN_OR_RETURN(CommitFiles staged, CommitFiles::Open(plan.mirror.GitDir(), over.staged));
  Sorter sorter(staged);
  sorter.Sort(changes);
  SWAGE_ASSIGN_OR_RETURN(const auto vanished, VanishedFrom(plan.Root(), staged, over.base));
  sorter.AddVanished(vanished);
  SWAGE_RETURN_IF_ERROR(staged.Intact());
  std::set<std::string> left_out(sorter.New().begin(), sorter.New().end());
  if (fresh == NewFiles::kTake) {
    if (Lines(sorter.New()).size() > kMaxInput) return Staging{};
    SWAGE_ASSIGN_OR_RETURN(left_out, IgnoredOf(plan, sorter.New()));
  }
  const auto paths = sorter.Paths(left_out);
  if (!paths) return Staging{};
  if (paths->empty()) return Staging{HowStaged::kNothing, {}};
  std::string lines = Lines(*paths);
  if (lines.size() > kMaxInput) return Staging{};
  if (!sorter.HasReplacedDirectory()) {
    SWAGE_ASSIGN_OR_RETURN(auto tree, StageFew(plan, staged, *paths));
    if (tree) return Staging{HowStaged::kDone, std::move(tree)};
  }
  SWAGE_RETURN_IF_ERROR(UpdateIndex(plan, std::move(lines), plan.Index()));
  return Staging{HowStaged::kDone, {}};
}

Result<bool> RemoveUntracked(const TreePlan& plan, const UpperChanges& changes,
                             const CommitSha& commit) {
  if (changes.Empty()) return true;
  SWAGE_ASSIGN_OR_RETURN(CommitFiles tracked, CommitFiles::Open(plan.mirror.GitDir(), commit));
  std::vector<std::string> files;
  for (const std::string& path : changes.files) {
    if (!IsTracked(tracked, path)) files.push_back(path);
  }
  // The deepest first; those with something in them stay.
  std::vector<std::string> directories;
  for (const std::string& path : changes.directories) {
    if (!IsTracked(tracked, path)) directories.push_back(path);
  }
  std::ranges::sort(directories, std::greater<>());
  SWAGE_RETURN_IF_ERROR(tracked.Intact());
  std::vector<std::string> asked = files;
  asked.insert(asked.end(), directories.begin(), directories.end());
  if (Lines(asked).size() > kMaxInput) return false;
  SWAGE_ASSIGN_OR_RETURN(const auto ignored, IgnoredOf(plan, asked));
  for (const std::string& path : files) {
    if (!ignored.contains(path)) SWAGE_RETURN_IF_ERROR(RemoveFile(plan.Root() / path));
  }
  for (const std::string& path : directories) {
    if (!ignored.contains(path)) rmdir((plan.Root() / path).c_str());
  }
  return true;
}

}  // namespace swage
