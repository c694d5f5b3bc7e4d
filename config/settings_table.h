// The tables behind config/reference.md: every setting of the server, of a forge and of a
// repository.
#pragma once

#include <vector>

#include "config/repo_policy.h"
#include "config/setting.h"
#include "config/settings.h"

namespace swage {

const std::vector<Setting<Settings>>& ServerTable();
const std::vector<Setting<ForgeSettings>>& ForgeTable();
const std::vector<Setting<RepoPolicy>>& PolicyTable();

/// A list of forges with different names; fills what depends on the kind.
struct ForgesRule {
  using Value = std::vector<ForgeSettings>;
  static constexpr std::size_t kMaxForges = 16;
  std::string Describe() const { return "list of forges"; }
  std::string Show(const Value&) const { return "[]"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

}  // namespace swage
