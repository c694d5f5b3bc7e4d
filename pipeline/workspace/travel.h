// How a checkpoint gets from one node's mirror into another's.
//
// It travels as a thin pack (what the base lacks, as deltas against it where that is shorter)
// through the store, never through the forge: nothing may leave before the gates have passed and
// the secret scan has seen it, and a ref at the forge would be seen by everybody who can read
// there. The receiver has fetched the base itself and trusts a pack no more than any other bytes:
// bounded, verified object by object, its commits a plain chain from the base, its paths none that
// git would take for its own.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "pipeline/workspace/git.h"

namespace swage {

bool HasCommit(const std::filesystem::path& mirror, const CommitSha& commit);

/// What `commit` has and `base` lacks. Errors: kTooLarge (more than kMaxCheckpointBytes, see
/// workspace.h), kNotFound.
Result<std::string> PackCommits(const Git& git, const std::filesystem::path& mirror,
                                const CommitSha& base, const CommitSha& commit);

/// Brings the objects of a pack into the mirror, which holds the base; refs stay as they are.
/// Errors: kNotFound (no base, or the pack has no such commit), kInvalid (broken, or not what
/// PackCommits makes), kTooLarge.
Result<void> UnpackCommits(const std::filesystem::path& mirror, const CommitSha& base,
                           const CommitSha& commit, std::string_view pack);

}  // namespace swage
