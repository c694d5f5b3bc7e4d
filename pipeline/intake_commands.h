// What a comment's command changes, and how its author hears of it (G1 to G4). Pure; a part of
// Decide.
#pragma once

#include "pipeline/intake.h"

namespace swage::intake {

IntakePlan DecideComment(const CommentCreated& event, const IntakeFacts& facts,
                         const IntakeRules& rules);

/// The forge's own button for what the command `gates` does.
IntakePlan DecideRerequested(const ChecksRerequested& event, const IntakeFacts& facts,
                             const IntakeRules& rules);

}  // namespace swage::intake
