#include "config/repo_policy.h"

#include "config/settings_table.h"

namespace swage {

Result<RepoPolicy> ParseRepoPolicy(std::string_view yaml, std::string_view name) {
  Faults faults{std::string(name)};
  Reading reading{.faults = faults, .folder = {}, .redactor = nullptr, .lines = {}};
  RepoPolicy policy;
  if (const std::optional<YamlNode> root = ParseYaml(yaml, faults)) {
    ReadSettings(*root, PolicyTable(), "", policy, reading);
  }
  if (!faults.empty()) return faults.ToError();
  return policy;
}

}  // namespace swage
