// Whose work a branch holds: what decides between taking an existing branch over and leaving it
// alone (X26, I11). Reads the mirror only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/workspace/workspace.h"

namespace swage {

/// Whether `head` has commits beyond `known` and each of them is the bot's for this task: committed
/// by `mark.email` and with the line `mark.trailer` in its message. A person who amends one, or
/// adds one anywhere, makes the branch theirs. Errors: kNotFound, kTooLarge.
Result<bool> IsOwnWork(const std::filesystem::path& mirror, const CommitSha& head,
                       const std::vector<CommitSha>& known, const OwnMark& mark);

}  // namespace swage
