// What a review that asks for changes changes (F6). Pure; a part of Decide.
#pragma once

#include "pipeline/intake.h"

namespace swage::intake {

IntakePlan DecideReview(const ReviewSubmitted& event, const IntakeFacts& facts,
                        const IntakeRules& rules);

}  // namespace swage::intake
