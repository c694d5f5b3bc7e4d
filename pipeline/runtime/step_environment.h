// StepEnvironments: which variables each step of a task sees beyond its workspace's.
//
// Ports, databases and caches are for every step; a secret only for the steps that asked for it and
// that the server grants it to (C7). Plain data.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/repo_policy.h"
#include "config/runtime_settings.h"
#include "pipeline/gate.h"

namespace swage {

struct StepEnvironments {
  using Variables = std::map<std::string, std::string>;
  Variables every;
  Variables agent;                         ///< secrets
  std::map<std::string, Variables> gates;  ///< secrets, by the gate's name

  CommandContext ForAgent(CommandContext context) const;
  CommandContext ForGate(CommandContext context, const std::string& gate) const;
  CommandContext ForHook(CommandContext context) const;
};

/// Fills `agent` and `gates` with what `policy` asks for. Errors: kInvalid, for a name that is not
/// granted to that step in the repository `repo`; it says what the operator would have to write.
/// Pure.
Result<StepEnvironments> GrantSecrets(const std::vector<NamedSecret>& secrets,
                                      std::string_view repo, const RepoPolicy& policy);

}  // namespace swage
