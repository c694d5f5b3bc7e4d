#include "pipeline/intake_runner.h"

#include <algorithm>

#include "config/base/contain.h"
#include "config/base/crypto.h"
#include "pipeline/blame.h"

namespace swage {
namespace {

constexpr int kDeliveriesPerRound = 100;
constexpr int kMaxDefers = 20;  // with the delays below: about three hours of failures

std::chrono::milliseconds DeferDelay(int attempts) {
  return std::min(std::chrono::milliseconds(1'000) * (1 << std::min(attempts, 10)),
                  std::chrono::milliseconds(15 * 60'000));
}

bool IsOutOfReach(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
         code == ErrorCode::kRateLimited;
}

bool IsTransient(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kInternal:
      return true;
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kDenied:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
    case ErrorCode::kCancelled:
      return false;
  }
  return false;
}

}  // namespace

IntakeRunner::IntakeRunner(Store& store, std::map<std::string, const WebhookDialect*> dialects,
                           ForgeLookup forges, const Settings& settings, Log& log,
                           const Clock& clock, std::string node, Hooks hooks)
    : store_(store),
      dialects_(std::move(dialects)),
      gate_(store, std::move(forges), settings),
      log_(log),
      clock_(clock),
      node_(std::move(node)),
      hooks_(std::move(hooks)) {}

int IntakeRunner::RunOnce(std::stop_token stop) {
  const auto pending = store_.TakeDeliveries({node_, kDeliveriesPerRound, kHold});
  if (!pending.ok()) {
    log_.Warn("cannot read the inbox", {{"error", pending.error().message}});
    return 0;
  }
  std::map<std::string, Error> out_of_reach;  // forges that did not answer in this round
  int settled = 0;
  const MonotonicTime enough = clock_.Monotonic() + kRoundLimit;
  for (const Delivery& delivery : *pending) {
    if (stop.stop_requested() || clock_.Monotonic() >= enough) {
      GiveBackRest();
      break;
    }
    const auto down = out_of_reach.find(delivery.what.forge);
    const Result<IntakePlan> plan = down == out_of_reach.end()
                                        ? Contain([&] { return DecideOne(delivery); })
                                        : Result<IntakePlan>(down->second);
    if (!plan.ok() && IsOutOfReach(plan.error().code)) {
      out_of_reach.emplace(delivery.what.forge, plan.error());
    }
    const Result<void> noted =
        plan.ok() ? Settle(delivery, *plan) : Postpone(delivery, plan.error());
    if (noted.ok()) ++settled;
  }
  return settled;
}

void IntakeRunner::GiveBackRest() {
  const auto released = store_.ReleaseDeliveries(node_);
  if (released.ok()) return;
  log_.Warn("cannot give deliveries back; others may take them in a minute",
            {{"error", released.error().message}});
}

Result<void> IntakeRunner::Settle(const Delivery& delivery, const IntakePlan& plan) {
  const Result<void> applied = Apply(delivery, plan);
  if (applied.ok()) return applied;
  // kConflict: the facts moved on under the decision. Anything else is the disk's or the store's.
  if (delivery.attempts < kMaxDefers) return Defer(delivery, applied.error());
  if (applied.error().code == ErrorCode::kUnavailable) return applied;
  return Park(delivery, applied.error());
}

Result<void> IntakeRunner::Postpone(const Delivery& delivery, const Error& error) {
  const bool again =
      IsTheForgesFault(error) || (IsTransient(error.code) && delivery.attempts < kMaxDefers);
  if (again) return Defer(delivery, error);
  return Park(delivery, error);
}

Result<void> IntakeRunner::Park(const Delivery& delivery, const Error& error) {
  IntakePlan undecidable;
  undecidable.ignored = true;
  undecidable.parked = true;
  undecidable.outcome = "cannot be decided: " + error.message;
  log_.Error("delivery given up", {{"delivery", delivery.id}, {"error", error.message}});
  return Apply(delivery, std::move(undecidable));
}

Result<void> IntakeRunner::Defer(const Delivery& delivery, const Error& error) {
  const int attempts = IsTheForgesFault(error) ? 0 : delivery.attempts;
  const auto delay = std::max(DeferDelay(attempts), error.retry_after);
  const Blame blame = IsTheForgesFault(error) ? Blame::kForge : Blame::kItself;
  const auto deferred = store_.DeferDelivery(delivery.id, error.message, delay, blame);
  log_.Warn("delivery deferred", {{"delivery", delivery.id},
                                  {"error", error.message},
                                  {"noted", deferred.ok() ? "yes" : "no"}});
  return deferred;
}

Result<IntakePlan> IntakeRunner::DecideOne(const Delivery& delivery) {
  if (delivery.damage.has_value()) return *delivery.damage;
  const std::string& name = delivery.what.forge;
  if (IsManualRequest(delivery.what.event)) {
    SWAGE_ASSIGN_OR_RETURN(const ManualRequest request,
                           ReadManualRequest(name, delivery.what.body));
    return gate_.ConsiderManual(request);
  }
  const auto dialect = dialects_.find(name);
  if (dialect == dialects_.end()) {
    return MakeError(ErrorCode::kInvalid, "the forge " + name + " is not configured any more");
  }
  SWAGE_ASSIGN_OR_RETURN(const Event event,
                         dialect->second->Parse(name, delivery.what.event, delivery.what.body));
  return gate_.Consider(name, event, Sha256Hex(delivery.what.body));
}

Result<void> IntakeRunner::Apply(const Delivery& delivery, IntakePlan plan) {
  plan.delivery = delivery.id;
  const std::string outcome = plan.outcome;
  const auto applied = store_.ApplyIntake(plan);
  if (!applied.ok()) {
    log_.Warn("a decision was not recorded",
              {{"delivery", delivery.id}, {"error", applied.error().message}});
    return applied.error();
  }
  log_.Info("delivery decided", {{"delivery", delivery.id},
                                 {"forge", delivery.what.forge},
                                 {"event", delivery.what.event},
                                 {"outcome", outcome},
                                 {"task_id", applied->task}});
  for (const TaskId task : applied->cancelled) hooks_.on_cancelled(task);
  hooks_.on_applied();
  return Ok();
}

}  // namespace swage
