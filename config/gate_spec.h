// How a gate is written, in the server's settings and in a repository's `.swage.yml` alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/command_spec.h"
#include "config/repo_policy.h"
#include "config/setting.h"

namespace swage {

/// A gate as written; a command comes in two forms and a report in three parts.
struct GateDraft {
  GateSpec spec;
  CommandDraft command;
  std::string format;  ///< empty = not said
};

const std::vector<Setting<GateDraft>>& GateTable();

/// A list of gates with different names, each a map as GateTable says.
struct GatesRule {
  using Value = std::vector<GateSpec>;
  static constexpr std::size_t kMaxGates = 50;
  std::string Describe() const { return "list of gates"; }
  std::string Show(const Value&) const { return "[]"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

}  // namespace swage
