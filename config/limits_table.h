// The settings of limits_settings.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/repo_policy.h"
#include "config/setting.h"
#include "config/settings.h"

namespace swage {

/// The server's, for ServerTable.
std::vector<Setting<Settings>> LimitsServerTable();
/// A repository's, for PolicyTable.
std::vector<Setting<RepoPolicy>> LimitsPolicyTable();

/// "1.5": cores, in hundredths at the finest.
struct CoresRule {
  using Value = double;
  double min;
  double max;
  std::string Describe() const;
  std::string Show(double value) const;
  std::optional<double> Read(const YamlNode& node, const Spot& spot) const;
};

}  // namespace swage
