// The invariants of the fault list, asked of a simulated world: some after every write, the others
// when it has come to rest. What does not hold is told to the machine.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tests/simulation/node.h"

namespace swage::simulation {

/// I12: states moved along the declared graph. Also counts the rare paths that rows tell of.
void CheckStates(World& world);
/// I5: what was written with a lease was written by the newest one.
void CheckFence(World& world, const Lease& lease, std::string_view operation);
/// I5: nobody else works on the task, but for a node that cannot know yet that it must not.
void CheckOnlyAgent(Node& node, TaskId task);
/// I3: there is a row for what is being written to the forge; `about` stands in its payload.
void CheckIntent(World& world, std::string_view kind, std::string_view about);
/// I7: the commit is at the forge, and the gate said so of this very commit.
void CheckStatus(World& world, const CommitStatus& status);
/// Nothing waits and nobody works.
bool AtRest(World& world, const std::vector<std::unique_ptr<Node>>& nodes);
/// I1, I2, I6, I7, I8, I9 (attempts), I12 (the audit log), I14.
void CheckEnd(World& world);

}  // namespace swage::simulation
