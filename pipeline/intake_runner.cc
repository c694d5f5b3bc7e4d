#include "pipeline/intake_runner.h"

#include <algorithm>

#include "config/base/contain.h"
#include "config/base/crypto.h"

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

// The forge has its pause, and nothing is wrong with the delivery.
bool IsTheForgesFault(ErrorCode code) {
  return code == ErrorCode::kRateLimited || code == ErrorCode::kUnauthenticated;
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

std::int64_t IssueNumber(const Event& event) {
  if (const auto* e = std::get_if<IssueLabeled>(&event)) return e->issue.number;
  if (const auto* e = std::get_if<IssueUnlabeled>(&event)) return e->issue.number;
  if (const auto* e = std::get_if<IssueGone>(&event)) return e->issue.number;
  if (const auto* e = std::get_if<IssueReopened>(&event)) return e->issue.number;
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    return e->thread.kind == ThreadKind::kIssue ? e->thread.number : 0;
  }
  return 0;
}

std::int64_t PullNumber(const Event& event) {
  if (const auto* e = std::get_if<PullRequestClosed>(&event)) return e->number;
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    return e->thread.kind == ThreadKind::kPullRequest ? e->thread.number : 0;
  }
  return 0;
}

const Actor* AskingActor(const Event& event) {
  if (const auto* e = std::get_if<IssueLabeled>(&event)) return &e->actor;
  if (const auto* e = std::get_if<IssueReopened>(&event)) return &e->actor;
  if (const auto* e = std::get_if<CommentCreated>(&event)) return &e->actor;
  return nullptr;  // the others only ever stop work; the forge itself checked who may do them
}

}  // namespace

IntakeRunner::IntakeRunner(Store& store, std::map<std::string, const WebhookDialect*> dialects,
                           ForgeLookup forges, const Settings& settings, Log& log,
                           const Clock& clock, std::string node, Hooks hooks)
    : store_(store),
      dialects_(std::move(dialects)),
      forges_(std::move(forges)),
      log_(log),
      clock_(clock),
      node_(std::move(node)),
      hooks_(std::move(hooks)) {
  for (const ForgeSettings& forge : settings.forges) rules_[forge.name] = RulesFor(settings, forge);
}

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
      IsTransient(error.code) && (IsTheForgesFault(error.code) || delivery.attempts < kMaxDefers);
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
  const int attempts = IsTheForgesFault(error.code) ? 0 : delivery.attempts;
  const auto delay = std::max(DeferDelay(attempts), error.retry_after);
  const Blame blame = IsTheForgesFault(error.code) ? Blame::kForge : Blame::kItself;
  const auto deferred = store_.DeferDelivery(delivery.id, error.message, delay, blame);
  log_.Warn("delivery deferred", {{"delivery", delivery.id},
                                  {"error", error.message},
                                  {"noted", deferred.ok() ? "yes" : "no"}});
  return deferred;
}

Result<IntakePlan> IntakeRunner::DecideOne(const Delivery& delivery) {
  if (delivery.damage.has_value()) return *delivery.damage;
  const std::string& name = delivery.what.forge;
  const auto dialect = dialects_.find(name);
  Forge* forge = forges_(name);
  if (dialect == dialects_.end() || forge == nullptr) {
    return MakeError(ErrorCode::kInvalid, "the forge " + name + " is not configured any more");
  }
  SWAGE_ASSIGN_OR_RETURN(const Event event,
                         dialect->second->Parse(name, delivery.what.event, delivery.what.body));
  SWAGE_ASSIGN_OR_RETURN(const Actor self, Self(*forge));
  const Screening screening = Screen(event, rules_.at(name), self);
  if (!screening.interesting) return Uninteresting(event, screening);
  SWAGE_ASSIGN_OR_RETURN(const IntakeFacts facts, Gather(event, delivery, *forge, self));
  return Decide(event, facts, rules_.at(name));
}

Result<IntakeFacts> IntakeRunner::Gather(const Event& event, const Delivery& delivery, Forge& forge,
                                         const Actor& self) {
  const RepoRef& repo = *EventRepo(event);
  IntakeFacts facts;
  facts.self = self;
  facts.body_digest = Sha256Hex(delivery.what.body);
  if (const Actor* actor = AskingActor(event)) {
    SWAGE_ASSIGN_OR_RETURN(facts.role, forge.GetRole(repo, *actor));
  }
  if (const std::int64_t number = IssueNumber(event); number != 0) {
    SWAGE_ASSIGN_OR_RETURN(facts.task, store_.FindTaskByIssue(repo, number));
    Result<Issue> issue = forge.GetIssue(repo, number);
    if (issue.ok()) {
      facts.issue = std::move(issue).value();
    } else if (issue.error().code != ErrorCode::kNotFound) {
      return issue.error();
    }
  }
  if (const std::int64_t number = PullNumber(event); number != 0) {
    SWAGE_ASSIGN_OR_RETURN(facts.task, store_.FindTaskByPullRequest(repo, number));
    if (!facts.task && std::holds_alternative<CommentCreated>(event)) {
      Result<PullRequest> pull = forge.GetPullRequest(repo, number);
      if (pull.ok()) facts.pull = std::move(pull).value();
    }
  }
  if (const auto* comment = std::get_if<CommentCreated>(&event); comment && facts.task) {
    SWAGE_RETURN_IF_ERROR(GatherPeople(*comment, forge, facts));
  }
  return facts;
}

// Who may command the task, and the account behind a name. Names of people who may not ask are not
// looked up.
Result<void> IntakeRunner::GatherPeople(const CommentCreated& event, Forge& forge,
                                        IntakeFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(facts.delegates, store_.ListDelegates(facts.task->id));
  const IntakeRules& rules = rules_.at(forge.Name());
  const std::string login = NamedIn(event, rules, facts.self);
  const Role needs = std::min(rules.RoleFor(Verb::kDelegate), rules.RoleFor(Verb::kUndelegate));
  if (login.empty() || facts.role < needs) return Ok();
  Result<Actor> named = forge.FindAccount(login);
  if (named.ok()) {
    facts.named = std::move(named).value();
  } else if (named.error().code != ErrorCode::kNotFound) {
    return named.error();
  }
  return Ok();
}

Result<Actor> IntakeRunner::Self(Forge& forge) {
  const auto known = selves_.find(forge.Name());
  if (known != selves_.end()) return known->second;
  SWAGE_ASSIGN_OR_RETURN(Actor self, forge.GetSelf());
  selves_[forge.Name()] = self;
  return self;
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
