#include "pipeline/runtime/step_environment.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "config/repo_allow.h"

namespace swage {
namespace {

CommandContext With(CommandContext context, const StepEnvironments::Variables& more) {
  for (const auto& [name, value] : more) context.env[name] = value;
  return context;
}

bool IsForGate(const NamedSecret& secret, const std::string& gate) {
  return std::ranges::any_of(secret.gates,
                             [&](const std::string& glob) { return GlobMatch(glob, gate); });
}

/// Looks up what one step asks for.
class Grants {
 public:
  Grants(const std::vector<NamedSecret>& secrets, std::string_view repo)
      : secrets_(secrets), repo_(repo) {}

  /// `who` is "the agent" or "the gate e2e"; `may` decides about a secret that the repository has.
  template <class May>
  Result<StepEnvironments::Variables> For(const std::vector<std::string>& names,
                                          std::string_view who, std::string_view fix,
                                          May may) const {
    StepEnvironments::Variables granted;
    for (const std::string& name : names) {
      const auto found = std::ranges::find_if(secrets_, [&](const NamedSecret& secret) {
        return secret.name == name && IsRepoAllowed(secret.repos, repo_) && may(secret);
      });
      if (found == secrets_.end()) {
        return MakeError(
            ErrorCode::kInvalid,
            fmt::format("{} asks for the secret {}, which this server does not grant it in {}; an "
                        "operator can, under `secrets` in the settings: {}",
                        who, name, repo_, fix));
      }
      granted[name] = found->value.value;
    }
    return granted;
  }

 private:
  const std::vector<NamedSecret>& secrets_;
  const std::string_view repo_;
};

}  // namespace

CommandContext StepEnvironments::ForAgent(CommandContext context) const {
  return With(With(std::move(context), every), agent);
}

CommandContext StepEnvironments::ForGate(CommandContext context, const std::string& gate) const {
  context = With(std::move(context), every);
  const auto own = gates.find(gate);
  return own == gates.end() ? context : With(std::move(context), own->second);
}

CommandContext StepEnvironments::ForHook(CommandContext context) const {
  return With(std::move(context), every);
}

Result<StepEnvironments> GrantSecrets(const std::vector<NamedSecret>& secrets,
                                      std::string_view repo, const RepoPolicy& policy) {
  const Grants grants(secrets, repo);
  StepEnvironments steps;
  SWAGE_ASSIGN_OR_RETURN(steps.agent,
                         grants.For(policy.secrets, "the agent", "agent: true",
                                    [](const NamedSecret& secret) { return secret.agent; }));
  for (const GateSpec& gate : policy.gates) {
    const auto may = [&](const NamedSecret& secret) { return IsForGate(secret, gate.name); };
    SWAGE_ASSIGN_OR_RETURN(steps.gates[gate.name],
                           grants.For(gate.secrets, "the gate " + gate.name,
                                      fmt::format("gates: [{}]", gate.name), may));
  }
  return steps;
}

}  // namespace swage
