// What must hold of a field once it has come to rest (the invariants of the fault list). Each
// function says what does not, in words.
#pragma once

#include <string>
#include <vector>

#include "tests/soak/field.h"

namespace swage::soak {

using Problems = std::vector<std::string>;

/// Whether every issue's task is in review and nothing waits to be decided or told (I2).
bool AtRest(Field& field);
/// What it still waits for.
std::string WhyNotAtRest(Field& field);

/// At the forge: I1, I3, I4, I7, I11 and the result of each task.
Problems CheckForge(Field& field);
/// In the store: I2, I5, I8, I12.
Problems CheckStore(Field& field);
/// Once all nodes have been stopped: I8, and the chain of the audit log.
Problems CheckNothingLeft(Field& field);

}  // namespace swage::soak
