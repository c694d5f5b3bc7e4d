// The diff between two commits, as the forges show it: three lines of context, renames found at
// half similarity. In-process and bounded; reads only the mirror.
#pragma once

#include <filesystem>

#include "config/base/ids.h"
#include "config/base/result.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// Errors: kInvalid, kNotFound (no such commit), kInternal.
Result<DiffSummary> DiffCommits(const std::filesystem::path& mirror, const CommitSha& from,
                                const CommitSha& to);

}  // namespace swage
