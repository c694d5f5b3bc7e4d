#include "pipeline/isolation/supply.h"

#include <fmt/format.h>

#include "config/base/text.h"
#include "pipeline/messages.h"
#include "pipeline/store/timeline.h"

namespace swage {
namespace {

constexpr std::size_t kToldNodes = 3;

// "node-1: bwrap is not installed; apt install bubblewrap", of the first few nodes.
std::string LacksOf(const std::vector<const NodeInfo*>& nodes, IsolationLevel level) {
  const std::string prefix = fmt::format("{}: ", Name(level));
  std::vector<std::string> told;
  for (const NodeInfo* node : nodes) {
    for (const std::string_view line : SplitLines(node->lacks)) {
      if (!line.starts_with(prefix) || told.size() == kToldNodes) continue;
      told.push_back(fmt::format("{}: {}", node->name, line.substr(prefix.size())));
    }
  }
  return Join(told, "\n");
}

}  // namespace

NodeLevels LevelsHere(const Isolations& isolations, const LevelSet& allowed) {
  NodeLevels here;
  for (const IsolationLevel level : kIsolationLevels) {
    std::string why = "not among node.levels";
    if (allowed.Has(level)) {  // only then is it tried, which takes a while
      const Ability& ability = isolations.At(level).Here();
      if (ability.available) {
        here.given.Add(level);
        continue;
      }
      why = timeline::OneLine(ability.why_not);
    }
    here.lacks += fmt::format("{}{}: {}", here.lacks.empty() ? "" : "\n", Name(level), why);
  }
  return here;
}

LevelSupply SupplyOf(const std::vector<NodeInfo>& nodes, std::chrono::milliseconds alive) {
  std::vector<const NodeInfo*> workers;
  LevelSupply supply;
  for (const NodeInfo& node : nodes) {
    if (node.silent_for > alive || node.levels.Empty()) continue;
    workers.push_back(&node);
    supply.given.Add(node.levels);
  }
  for (const IsolationLevel level : kIsolationLevels) {
    if (supply.given.Has(level)) continue;
    supply.why_not[level] = messages::NoNodeGives(level, LacksOf(workers, level));
  }
  return supply;
}

}  // namespace swage
