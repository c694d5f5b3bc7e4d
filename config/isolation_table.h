// How isolation is written: the tables of a rule, and of what server and policy say about levels.
#pragma once

#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "config/isolation_rules.h"
#include "config/setting.h"
#include "config/settings.h"

namespace swage {

struct IsolationRulesRule {
  using Value = std::vector<IsolationRule>;
  std::string Describe() const { return "list of rules"; }
  std::string Show(const Value&) const { return "[]"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

/// One of the levels.
struct LevelRule {
  using Value = std::optional<IsolationLevel>;
  std::vector<IsolationLevel> choices{std::begin(kIsolationLevels), std::end(kIsolationLevels)};
  std::string Describe() const;
  std::string Show(const Value& value) const;
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

const std::vector<Setting<IsolationRule>>& IsolationRuleTable();

/// Some of the levels.
struct LevelsRule {
  using Value = LevelSet;
  std::string Describe() const { return "list; each item " + LevelRule{}.Describe(); }
  std::string Show(const LevelSet& value) const;
  std::optional<LevelSet> Read(const YamlNode& node, const Spot& spot) const;
};

/// What stands below `isolation` in the server's settings, and in a repository's policy.
std::vector<Setting<Settings>> ServerIsolationTable();
std::vector<Setting<RepoPolicy>> PolicyIsolationTable();

}  // namespace swage
