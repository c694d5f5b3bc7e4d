// Brings the commits of a task to the node that needs them.
//
// A checkpoint is made in one node's mirror. Another node that goes on with the task, or pushes its
// result, finds it at the forge once it was pushed (a fetch brings every branch), and before that
// in the store (see workspace/travel.h).
#pragma once

#include "config/base/result.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Makes sure that this node's mirror, which was fetched, has `commit` of the task. Errors:
/// kNotFound (neither here nor in the store, or its base is gone), kInvalid and kTooLarge (the
/// store's copy cannot be used), those of the store.
Result<void> BringCommit(Store& store, Workspaces& workspaces, const Task& task,
                         const CommitSha& commit);

}  // namespace swage
