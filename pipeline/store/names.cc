// The words in which rows keep the enums of store.h; the same in every engine.
#include <array>
#include <utility>

#include "pipeline/store/store.h"

namespace swage {
namespace {

constexpr std::array<EffectKind, 8> kEffectKinds = {
    EffectKind::kReaction,    EffectKind::kComment, EffectKind::kSticky, EffectKind::kPush,
    EffectKind::kPullRequest, EffectKind::kStatus,  EffectKind::kReview, EffectKind::kResolve};
constexpr std::array<StepKind, 4> kStepKinds = {StepKind::kProvision, StepKind::kAgent,
                                                StepKind::kGate, StepKind::kPublish};

template <class E, std::size_t N>
std::optional<E> ParseName(const std::array<E, N>& all, std::string_view s) {
  for (const E value : all) {
    if (Name(value) == s) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(Topic t) {
  switch (t) {
    case Topic::kDeliveries:
      return "deliveries";
    case Topic::kTasks:
      return "tasks";
    case Topic::kEffects:
      return "effects";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::string_view Name(EffectKind k) {
  switch (k) {
    case EffectKind::kReaction:
      return "reaction";
    case EffectKind::kComment:
      return "comment";
    case EffectKind::kSticky:
      return "sticky";
    case EffectKind::kPush:
      return "push";
    case EffectKind::kPullRequest:
      return "pull_request";
    case EffectKind::kStatus:
      return "status";
    case EffectKind::kReview:
      return "review";
    case EffectKind::kResolve:
      return "resolve";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::string_view Name(EffectState s) {
  switch (s) {
    case EffectState::kPending:
      return "pending";
    case EffectState::kDone:
      return "done";
    case EffectState::kFailed:
      return "failed";
    case EffectState::kSuperseded:
      return "superseded";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::string_view Name(StepKind k) {
  switch (k) {
    case StepKind::kProvision:
      return "provision";
    case StepKind::kAgent:
      return "agent";
    case StepKind::kGate:
      return "gate";
    case StepKind::kPublish:
      return "publish";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::optional<EffectKind> ParseEffectKind(std::string_view s) {
  return ParseName(kEffectKinds, s);
}
std::optional<StepKind> ParseStepKind(std::string_view s) {
  return ParseName(kStepKinds, s);
}

}  // namespace swage
