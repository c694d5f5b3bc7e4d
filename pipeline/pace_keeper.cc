#include "pipeline/pace_keeper.h"

#include <fmt/format.h>

#include <condition_variable>
#include <utility>

#include "pipeline/messages.h"

namespace swage {
namespace {

bool SleepFor(std::chrono::milliseconds time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any nothing;
  std::unique_lock lock(mutex);
  nothing.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

void TellOfPace(Log& log, const PaceChange& change) {
  const bool was = change.before.breaker != Breaker::kClosed;
  const bool is = change.after.breaker != Breaker::kClosed;
  const std::string& scope = change.after.scope;
  if (was && !is) log.Info("the forge works again", {{"forge", scope}});
  if (was || !is) return;
  const std::initializer_list<LogField> fields = {{"forge", scope},
                                                  {"for", FormatDuration(change.left)},
                                                  {"error", change.after.reason},
                                                  {"fix", messages::PaceFix(change.after.cause)}};
  if (change.after.cause == PauseCause::kRefused) {
    log.Error("forge paused: it refuses the bot's credential", fields);
  } else {
    log.Warn(change.after.cause == PauseCause::kLimit ? "forge paused: it asks the bot to wait"
                                                      : "forge paused: its host fails",
             fields);
  }
}

PaceKeeper::PaceKeeper(Store& store, Log& log, std::string forge, PaceRules rules,
                       std::chrono::milliseconds write_interval, Sleep sleep,
                       std::uint32_t jitter_seed)
    : store_(store),
      log_(log),
      forge_(std::move(forge)),
      rules_(rules),
      write_interval_(write_interval),
      sleep_(sleep ? std::move(sleep) : Sleep(SleepFor)),
      random_(jitter_seed) {}

Result<void> PaceKeeper::Enter(bool writes, std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(NoteWhatIsLeft());
  bool must_reserve = writes && write_interval_.count() > 0;
  for (;;) {
    SWAGE_ASSIGN_OR_RETURN(const PaceView view, store_.GetPace(forge_));
    Remember(view.pace);
    if (view.left.count() > 0) {
      return Error{ErrorCode::kRateLimited,
                   fmt::format("{} is left alone for {}: {}", forge_, FormatDuration(view.left),
                               view.pace.reason),
                   view.left};
    }
    if (!must_reserve) return Ok();
    must_reserve = false;
    SWAGE_ASSIGN_OR_RETURN(const auto wait, store_.ReserveWrite(forge_, write_interval_));
    if (wait.count() == 0) return Ok();
    // A pause may begin meanwhile, so the row is read once more afterwards.
    if (!sleep_(wait, stop)) {
      return MakeError(ErrorCode::kCancelled, "stopped while waiting to write to " + forge_);
    }
  }
}

void PaceKeeper::Leave(bool wrote, const Result<void>& outcome) {
  const auto failure = outcome.ok() ? std::nullopt : FailureOf(outcome.error(), wrote);
  if (!failure && !(wrote ? write_may_heal_ : read_may_heal_)) return;
  const Result<void> noted =
      Keep(failure ? store_.NoteForgeFailure(forge_, *failure, rules_, Jitter())
                   : store_.NoteForgeSuccess(forge_, wrote));
  if (noted.ok()) return;
  log_.Warn("cannot note how a forge answers",
            {{"forge", forge_}, {"error", noted.error().message}});
  // One more failure of the host shows itself again; an order is given once.
  if (!failure || failure->cause == PauseCause::kDown) return;
  const std::lock_guard lock(mutex_);
  unnoted_ = failure;
}

Result<void> PaceKeeper::Keep(const Result<PaceChange>& change) {
  if (!change.ok()) return change.error();
  Remember(change->after);
  TellOfPace(log_, *change);
  return Ok();
}

Result<void> PaceKeeper::NoteWhatIsLeft() {
  std::optional<ForgeFailure> failure;
  {
    const std::lock_guard lock(mutex_);
    failure = unnoted_;
  }
  if (!failure) return Ok();
  SWAGE_RETURN_IF_ERROR(Keep(store_.NoteForgeFailure(forge_, *failure, rules_, Jitter())));
  const std::lock_guard lock(mutex_);
  unnoted_.reset();
  return Ok();
}

void PaceKeeper::Remember(const Pace& pace) {
  const bool troubled = pace.breaker != Breaker::kClosed || pace.failures > 0;
  write_may_heal_ = troubled;
  read_may_heal_ = troubled && !pace.on_write;
}

double PaceKeeper::Jitter() {
  const std::lock_guard lock(mutex_);
  return std::generate_canonical<double, 32>(random_);
}

}  // namespace swage
