#include "pipeline/publisher.h"

#include <algorithm>

#include "config/base/contain.h"
#include "forge/work_scope.h"
#include "pipeline/blame.h"
#include "pipeline/effects.h"
#include "pipeline/pace_keeper.h"

namespace swage {
namespace {

constexpr int kEffectsPerRound = 64;

// Without the branch or the pull request there is no result; everything else is an ornament of it.
bool IsEssential(EffectKind kind) {
  return kind == EffectKind::kPush || kind == EffectKind::kPullRequest;
}

bool MayGetBetter(EffectKind kind, ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnauthenticated:  // a revoked token is replaced by a person
    case ErrorCode::kInternal:
    case ErrorCode::kNotFound:  // forges answer 404 for a while after an event
    case ErrorCode::kCancelled:
      return true;
    case ErrorCode::kDenied:  // and so are its rights
      return IsEssential(kind);
    case ErrorCode::kInvalid:
    case ErrorCode::kConflict:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
      return false;
  }
  return false;
}

/// On what an effect says something; nothing for those whose loss is a failure.
std::optional<Thread> ThreadOf(const NewEffect& effect, Store& store) {
  switch (effect.kind) {
    case EffectKind::kReaction: {
      const auto reaction = DecodeReaction(effect.payload);
      return reaction.ok() ? std::optional(reaction->thread) : std::nullopt;
    }
    case EffectKind::kComment: {
      const auto comment = DecodeComment(effect.payload);
      return comment.ok() ? std::optional(comment->thread) : std::nullopt;
    }
    case EffectKind::kSticky: {
      const auto task = store.GetTask(effect.task);
      if (!task.ok()) return std::nullopt;
      return Thread{ThreadKind::kIssue, task->issue_number};
    }
    case EffectKind::kPush:
    case EffectKind::kPullRequest:
    case EffectKind::kStatus:
    case EffectKind::kReview:
    case EffectKind::kResolve:
      return std::nullopt;
  }
  return std::nullopt;
}

// A missing issue or comment will not come back: fewer tries than for a forge that is down.
int AttemptLimit(ErrorCode code) {
  return code == ErrorCode::kNotFound ? 4 : Publisher::kMaxAttempts;
}

}  // namespace

std::chrono::milliseconds RetryDelay(int attempts, std::chrono::milliseconds retry_after,
                                     double jitter) {
  const int doublings = std::clamp(attempts, 0, 20);
  const auto exponential =
      std::min(Publisher::kLongestDelay, Publisher::kFirstDelay * (std::int64_t{1} << doublings));
  const auto spread = std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(exponential.count()) * (0.5 + jitter / 2)));
  return std::max(spread, retry_after);
}

// An effect in the list of those that are carried out, for as long as it is. For one thread, but
// for what Publisher does with the list.
class Publisher::Carrying {
 public:
  Carrying(Publisher& publisher, const TakenEffect& taken, std::stop_token stop)
      : publisher_(publisher),
        id_(taken.effect.id),
        hold_(taken.effect.hold),
        on_stop_(std::move(stop), CallOff{call_off_}),
        scope_({call_off_.get_token(), [this] { return CheckHold(); }}) {
    const std::lock_guard lock(publisher_.mutex_);
    // Taken anew, after a hold that ran out unnoticed: whoever carries it still has lost it.
    if (Carried* before = Find()) before->call_off.request_stop();
    publisher_.carried_.insert_or_assign(id_, Carried{taken.effect, call_off_, taken.since});
  }
  ~Carrying() {
    const std::lock_guard lock(publisher_.mutex_);
    const Carried* mine = Find();
    if (mine != nullptr && mine->effect.hold == hold_) publisher_.carried_.erase(id_);
  }
  std::stop_token CalledOff() const { return call_off_.get_token(); }
  /// A write was not sent, for the age of the hold.
  bool TooLate() const { return too_late_; }

 private:
  struct CallOff {
    std::stop_source source;
    void operator()() { source.request_stop(); }
  };

  Carried* Find() {
    const auto it = publisher_.carried_.find(id_);
    return it == publisher_.carried_.end() ? nullptr : &it->second;
  }

  Result<void> CheckHold() {
    const std::lock_guard lock(publisher_.mutex_);
    const Carried* mine = Find();
    const bool young = mine != nullptr && mine->effect.hold == hold_ &&
                       publisher_.clock_.Monotonic() - mine->renewed < kSelfFence;
    if (young) return Ok();
    too_late_ = true;
    return MakeError(ErrorCode::kLeaseLost, "the hold of the effect may be over");
  }

  Publisher& publisher_;
  const EffectId id_;
  const std::int64_t hold_;
  std::stop_source call_off_;
  std::stop_callback<CallOff> on_stop_;
  bool too_late_ = false;
  WorkScope scope_;
};

Publisher::Publisher(Store& store, Workspaces& workspaces, ForgeLookup forges,
                     const Redactor& redactor, Log& log, const Clock& clock,
                     PublisherOptions options)
    : store_(store),
      workspaces_(workspaces),
      forges_(std::move(forges)),
      redactor_(redactor),
      log_(log),
      clock_(clock),
      options_(std::move(options)) {}

std::vector<TakenEffect> Publisher::Take(int limit, int pushes) {
  const MonotonicTime since = clock_.Monotonic();
  auto effects = store_.TakeEffects({options_.node, limit, kHold, pushes});
  if (!effects.ok()) {
    log_.Warn("cannot read the outbox", {{"error", effects.error().message}});
    return {};
  }
  std::vector<TakenEffect> taken;
  for (Effect& effect : *effects) taken.push_back({std::move(effect), since});
  return taken;
}

int Publisher::RunOnce(std::stop_token stop) {
  int noted = 0;
  while (noted < kEffectsPerRound && !stop.stop_requested()) {
    // One at a time: a hold is renewed only while its effect is carried out.
    const std::vector<TakenEffect> taken = Take(1, 1);
    if (taken.empty() || !Carry(taken.front(), stop)) break;
    ++noted;
  }
  return noted;
}

bool Publisher::Carry(const TakenEffect& taken, std::stop_token stop) {
  const Carrying carrying(*this, taken, std::move(stop));
  return CarryAndNote(taken.effect, carrying).ok();
}

Result<void> Publisher::CarryAndNote(const Effect& effect, const Carrying& carrying) {
  const Result<Done> done = Contain([&] { return Attempt(effect, carrying.CalledOff()); });
  // Somebody else has it by now, or gets it as soon as the hold is given back.
  if (!done.ok() && carrying.CalledOff().stop_requested()) return done.error();
  if (!done.ok() && carrying.TooLate()) return GiveBack(effect, done.error());
  if (!done.ok()) return NoteFailure(effect, done.error());
  const auto finished = store_.FinishEffect(effect, done->result, done->facts);
  if (!finished.ok() && finished.error().code != ErrorCode::kLeaseLost) {
    log_.Warn("an effect was carried out but not recorded; it will be found again",
              {{"effect", effect.id},
               {"kind", Name(effect.what.kind)},
               {"error", finished.error().message}});
    return finished;
  }
  NoteProbesWorked(effect);
  log_.Info(
      "effect done",
      {{"effect", effect.id}, {"kind", Name(effect.what.kind)}, {"task_id", effect.what.task}});
  return Ok();
}

Result<Publisher::Done> Publisher::Attempt(const Effect& effect, std::stop_token stop) {
  const std::string& name = effect.what.repo.forge;
  Forge* forge = forges_(name);
  if (forge == nullptr) {
    return MakeError(ErrorCode::kInvalid, "the forge " + name + " is not configured any more");
  }
  return Perform(effect, *forge, std::move(stop));
}

// What it knows of the forge is old; whoever takes it next looks again.
Result<void> Publisher::GiveBack(const Effect& effect, const Error& error) {
  log_.Warn("an effect goes back unwritten: its hold was not renewed in time",
            {{"effect", effect.id}, {"kind", Name(effect.what.kind)}});
  const auto given = store_.RetryEffect(effect, error.message, {}, Blame::kForge);
  if (given.ok() || given.error().code == ErrorCode::kLeaseLost) return Ok();  // has it already
  return given;
}

// Only what is really gone: in a repository that is out of sight everything looks absent, and who
// cannot look just now cannot tell.
Result<bool> Publisher::IsOnNothing(const Effect& effect) {
  const auto thread = ThreadOf(effect.what, store_);
  Forge* forge = forges_(effect.what.repo.forge);
  if (!thread || forge == nullptr) return false;
  const auto absent = [](const auto& read) -> Result<bool> {
    if (!read.ok() && read.error().code != ErrorCode::kNotFound) return read.error();
    return !read.ok();
  };
  SWAGE_ASSIGN_OR_RETURN(const bool repo_absent, absent(forge->GetRepo(effect.what.repo.path)));
  if (repo_absent) return false;
  return thread->kind == ThreadKind::kIssue
             ? absent(forge->GetIssue(effect.what.repo, thread->number))
             : absent(forge->GetPullRequest(effect.what.repo, thread->number));
}

Result<void> Publisher::NoteOver(const Effect& effect) {
  log_.Info(
      "an effect is about what is gone",
      {{"effect", effect.id}, {"kind", Name(effect.what.kind)}, {"task_id", effect.what.task}});
  const auto noted = store_.FinishEffect(effect, R"({"gone":true})", {});
  if (noted.ok() || noted.error().code == ErrorCode::kLeaseLost) return Ok();  // superseded
  return noted;
}

Result<void> Publisher::NoteFailure(const Effect& effect, const Error& error) {
  const EffectKind kind = effect.what.kind;
  const bool forges_fault = IsTheForgesFault(error);
  bool again = forges_fault ||
               (MayGetBetter(kind, error.code) && effect.attempts + 1 < AttemptLimit(error.code));
  if (!again && error.code == ErrorCode::kNotFound) {
    const Result<bool> over = IsOnNothing(effect);
    if (over.ok() && *over) return NoteOver(effect);
    again = !over.ok() && effect.attempts + 1 < kMaxAttempts;
  }
  const std::string message = redactor_.Apply(error.message);
  log_.Warn(again ? "effect failed; will be tried again" : "effect failed for good",
            {{"effect", effect.id},
             {"kind", Name(kind)},
             {"task_id", effect.what.task},
             {"attempt", effect.attempts + 1},
             {"error", message}});
  NoteRefusal(effect, error);
  const auto least =
      error.code == ErrorCode::kTimeout ? std::max(kSettle, error.retry_after) : error.retry_after;
  const auto delay = RetryDelay(forges_fault ? 0 : effect.attempts, least, Jitter());
  const Result<void> noted = again
                                 ? store_.RetryEffect(effect, message, delay,
                                                      forges_fault ? Blame::kForge : Blame::kItself)
                                 : store_.FailEffect(effect, message, IsEssential(kind));
  if (noted.ok() || noted.error().code == ErrorCode::kLeaseLost) return Ok();  // superseded
  log_.Warn("cannot note the failure of an effect", {{"error", noted.error().message}});
  return noted;
}

// What the token may not do in this repository, it may not do for the next task either: no more
// pushes and pull requests there for a while (X27). What a token may not do anywhere, the gate of
// the forge's requests has noted.
void Publisher::NoteRefusal(const Effect& effect, const Error& error) {
  const bool by_git =
      effect.what.kind == EffectKind::kPush && error.code == ErrorCode::kUnauthenticated;
  if (!IsEssential(effect.what.kind)) return;
  if (!by_git && error.code != ErrorCode::kDenied) return;
  const ForgeFailure failure{PauseCause::kRefused, error.retry_after,
                             redactor_.Apply(error.message), true};
  const auto change = store_.NoteForgeFailure(RepoScope(effect.what.repo), failure,
                                              RulesOf(effect.what.repo.forge), Jitter());
  if (change.ok()) TellOfPace(log_, *change);
}

// Whether the forge takes writes again is for the gate of its requests to say: not every effect
// comes to a write. What a credential may do in a repository, the effect itself has shown.
void Publisher::NoteProbesWorked(const Effect& effect) {
  for (const std::string& scope : effect.probes) {
    const auto change = store_.NoteForgeSuccess(scope, scope != effect.what.repo.forge);
    if (change.ok()) TellOfPace(log_, *change);
  }
}

void Publisher::RenewHolds() {
  const MonotonicTime now = clock_.Monotonic();
  std::vector<Effect> effects;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, carried] : carried_) effects.push_back(carried.effect);
  }
  if (effects.empty()) return;
  const auto held = store_.RenewHolds(effects, kHold);
  if (!held.ok()) log_.Warn("cannot renew holds", {{"error", held.error().message}});
  const std::lock_guard lock(mutex_);
  for (const Effect& effect : effects) {
    const auto it = carried_.find(effect.id);
    if (it == carried_.end() || it->second.effect.hold != effect.hold) continue;
    Carried& carried = it->second;
    const bool renewed =
        held.ok() && std::find(held->begin(), held->end(), effect.id) != held->end();
    if (renewed) carried.renewed = now;
    // Not to be had for a while is as good as lost, only later.
    const bool lost = held.ok() ? !renewed : now - carried.renewed >= kSelfFence;
    if (lost && carried.call_off.request_stop()) {
      log_.Warn("an effect is called off: its hold is over", {{"effect", effect.id}});
    }
  }
}

const PaceRules& Publisher::RulesOf(const std::string& forge) const {
  static const PaceRules kDefaults{};
  const auto it = options_.pace_rules.find(forge);
  return it == options_.pace_rules.end() ? kDefaults : it->second;
}

double Publisher::Jitter() {
  const std::lock_guard lock(mutex_);
  return std::generate_canonical<double, 32>(random_);
}

}  // namespace swage
