// Supply: which levels the nodes that live can give between them, and why not the others. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "pipeline/isolation/isolations.h"
#include "pipeline/store/store.h"

namespace swage {

/// What a node can give, and why not the rest: the two columns of its row.
struct NodeLevels {
  LevelSet given;
  std::string lacks;
};
/// `allowed`: by the node's settings.
NodeLevels LevelsHere(const Isolations& isolations, const LevelSet& allowed);

/// `nodes` that were not heard of for longer than `alive` do not count, nor do those that run no
/// tasks. A sentence with the fix for each level that is not given.
LevelSupply SupplyOf(const std::vector<NodeInfo>& nodes, std::chrono::milliseconds alive);

}  // namespace swage
