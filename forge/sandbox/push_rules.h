// Rules that refuse a push, as the forges word them: protected branches, required signatures.
//
// They stand in the bare repository as its pre-receive hook, where git itself asks them. Called
// with the world's lock held (SandboxForge::With).
#pragma once

#include <string_view>

#include "config/base/result.h"
#include "forge/sandbox/state.h"

namespace swage::sandbox {

enum class PushRule {
  kProtectedBranches,  ///< no branch below `prefix` is for accounts that may only write
  kSignedCommits,      ///< nothing unsigned goes to a branch below `prefix`
};

/// In place of any rule before. `prefix` of branch names, such as "swage/". Errors: of the file.
Result<void> SetPushRule(Dialect dialect, const Repo& repo, PushRule rule, std::string_view prefix);
Result<void> ClearPushRules(const Repo& repo);

}  // namespace swage::sandbox
