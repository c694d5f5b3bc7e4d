#include <array>

#include "pipeline/gate.h"

namespace swage {
namespace {

constexpr std::array<GateOutcome, 5> kOutcomes = {GateOutcome::kPassed, GateOutcome::kFailed,
                                                  GateOutcome::kTimedOut, GateOutcome::kError,
                                                  GateOutcome::kSkipped};

}  // namespace

std::string_view Name(GateOutcome o) {
  switch (o) {
    case GateOutcome::kPassed:
      return "passed";
    case GateOutcome::kFailed:
      return "failed";
    case GateOutcome::kTimedOut:
      return "timed_out";
    case GateOutcome::kError:
      return "error";
    case GateOutcome::kSkipped:
      return "skipped";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::optional<GateOutcome> ParseGateOutcome(std::string_view s) {
  for (const GateOutcome o : kOutcomes) {
    if (Name(o) == s) return o;
  }
  return std::nullopt;
}

}  // namespace swage
