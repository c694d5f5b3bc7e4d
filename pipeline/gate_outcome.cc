#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pipeline/gate.h"

namespace swage {
namespace {

constexpr std::array<GateOutcome, 6> kOutcomes = {GateOutcome::kPassed,   GateOutcome::kFailed,
                                                  GateOutcome::kTimedOut, GateOutcome::kError,
                                                  GateOutcome::kSkipped,  GateOutcome::kFlaky};

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
    case GateOutcome::kFlaky:
      return "flaky";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::optional<GateOutcome> ParseGateOutcome(std::string_view s) {
  for (const GateOutcome o : kOutcomes) {
    if (Name(o) == s) return o;
  }
  return std::nullopt;
}

bool GateVerdict::Failed() const {
  switch (outcome) {
    case GateOutcome::kPassed:
    case GateOutcome::kSkipped:
    case GateOutcome::kFlaky:
      return false;
    case GateOutcome::kFailed:
    case GateOutcome::kTimedOut:
    case GateOutcome::kError:
      return true;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

GateVerdict JoinReruns(GateVerdict failed, GateVerdict again) {
  again.duration += failed.duration;
  if (again.outcome != GateOutcome::kPassed) return again;
  failed.outcome = GateOutcome::kFlaky;
  failed.summary = fmt::format("passed when run again; at first: {}", failed.summary);
  failed.duration = again.duration;
  for (Finding& finding : failed.findings) {
    finding.severity = std::max(finding.severity, Severity::kWarning);
  }
  return failed;
}

}  // namespace swage
