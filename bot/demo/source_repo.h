// SourceRepo: the user's own repository, looked at before it is copied into the sandbox forge.
// It is only read; nothing in its configuration runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bot/cli.h"
#include "config/base/result.h"

namespace swage::demo {

struct SourceRepo {
  /// What will be different in the copy, a sentence each: changes that are not committed, a
  /// detached HEAD, submodules.
  std::vector<std::string> notes;
};

/// Blocks for a few short git commands. Errors: kInvalid with the next step, when there is nothing
/// to copy (no repository, a part of one, a shallow clone, no commit) or nothing to pass (no gate
/// on the command line and no `.swage.yml` in its last commit).
Result<SourceRepo> LookAtRepo(const std::filesystem::path& repo,
                              const std::vector<DemoGate>& gates);

}  // namespace swage::demo
