// What a task changed, read from the upper directory of its overlay, into the index of its base:
// the same result as `git add --all`, without looking at the files that are as they were.
//
// The scan is only a list of candidates: git itself decides what each of them is (ignored,
// filtered, unchanged), on the merged files and an index of these alone. What it finds is put into
// the tree of the commit that was there, and into the index. Whatever does not fit the short way is
// left to `git add`.
#pragma once

#include <optional>

#include "pipeline/workspace/provisioner.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {

/// What the index holds is `staged`, a commit; the upper directory lies over `base`.
struct StagedOver {
  CommitSha base;
  CommitSha staged;
};

enum class HowStaged {
  kNothing,  ///< the index holds the files as they are already
  kDone,
  kNotThisWay,  ///< nothing was done: too many changes, or of a rare kind; for `git add --all`
};

enum class NewFiles { kTake, kLeave };

struct Staging {
  HowStaged how = HowStaged::kNotThisWay;
  std::optional<TreeSha> tree;  ///< of what the index holds, where it is known
};

/// Brings the index up to the files, those that it does not hold yet among them or not. Costs what
/// the task has changed. One thread at a time.
Result<Staging> StageChanges(const TreePlan& plan, const UpperChanges& changes,
                             const StagedOver& over, NewFiles fresh);

/// As `git clean -d`, where index and tracked files are those of `commit` by now. False: too many
/// for this way, and nothing was done.
Result<bool> RemoveUntracked(const TreePlan& plan, const UpperChanges& changes,
                             const CommitSha& commit);

}  // namespace swage
