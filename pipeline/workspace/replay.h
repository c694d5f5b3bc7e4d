// A branch's own commits once more, on another commit: what `git rebase` does, without a work tree.
#pragma once

#include <filesystem>

#include "pipeline/workspace/commit_signer.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

inline constexpr int kMaxReplayed = 1'000;  ///< commits

/// See Workspaces::Replay. `signer` may be null. Blocks for some milliseconds a commit.
Result<Replayed> ReplayCommits(const std::filesystem::path& mirror, const CommitSigner* signer,
                               const CommitSha& base, const CommitSha& head, const CommitSha& onto);

}  // namespace swage
