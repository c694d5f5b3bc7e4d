// Whether the work of a task branch is in another branch already, however it was merged.
#pragma once

#include <filesystem>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage {

/// All that `head` changes is in `tip`: as the same commits, as other ones (a rebase), or as one (a
/// squash), even if later commits changed the same lines again. Looks back at most
/// kMaxMergeDistance commits. Errors: kNotFound (the mirror lacks one of them), kInternal.
Result<bool> IsMergedInto(const std::filesystem::path& mirror, const CommitSha& head,
                          const CommitSha& tip);

inline constexpr int kMaxMergeDistance = 1'000;

}  // namespace swage
