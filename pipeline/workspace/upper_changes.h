// What a task changed, read from the upper directory of its overlay, into the index of its base:
// the same result as `git add --all`, without looking at the files that are as they were.
//
// The scan is only a list of candidates: git itself decides what each of them is (ignored,
// filtered, unchanged), on the merged files. Whatever does not fit the short way is left to `git
// add`.
#pragma once

#include "pipeline/workspace/provisioner.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {

/// Brings the index up to the files. False: nothing was done, because there are too many changes or
/// of a rare kind; `git add --all` does all of them. One thread at a time.
Result<bool> StageChanges(const TreePlan& plan, const UpperChanges& changes);

}  // namespace swage
