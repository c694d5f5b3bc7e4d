// The tree of what an index holds, made from that of an earlier commit: costs what the two differ
// in, and leaves the index alone, where `git write-tree` writes all of it again.
#pragma once

#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/provisioner.h"

namespace swage {

/// `before` is of the same repository. Errors: kInternal, and whatever git says.
Result<git2::Tree> TreeOfIndex(git_repository* repository, const TreePlan& plan,
                               git_commit* before);

}  // namespace swage
