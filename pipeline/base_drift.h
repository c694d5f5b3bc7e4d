// What becomes of a base branch under work that was begun on it (X22).
//
// Branches move on all the time; the work then says on which commit its gates ran, and the forge
// shows how far behind it is. A branch that was rewritten is another matter: the work holds commits
// that people took back, and merging it would bring them in again.
#pragma once

#include "forge/model.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

enum class BaseDrift {
  kNone,
  kMoved,      ///< it has more commits than it had
  kRewritten,  ///< what was its head is not part of it any more
};

/// `tip` is what the branch holds now, as the mirror's last fetch found it; `base` what it held
/// when the work began, here or on another node. A base that the mirror lacks was taken back before
/// this node fetched it. Errors: as Workspaces::FindMergeBase, but for that.
Result<BaseDrift> FindDrift(Workspaces& workspaces, const RepoRef& repo, const CommitSha& base,
                            const CommitSha& tip);

}  // namespace swage
