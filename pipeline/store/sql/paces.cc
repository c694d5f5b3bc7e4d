#include "pipeline/store/sql/paces.h"

#include <fmt/format.h>

#include "pipeline/audit.h"

namespace swage::sql {
namespace {

Pace ReadPace(Row& row) {
  Pace pace;
  pace.scope = row.Text();
  const auto breaker = ParseBreaker(row.Text());
  const auto cause = ParsePauseCause(row.Text());
  SWAGE_CHECK(breaker.has_value() && cause.has_value());
  pace.breaker = *breaker;
  pace.cause = *cause;
  pace.on_write = row.Bool();
  pace.failures = row.Small();
  pace.pauses = row.Small();
  pace.paused_until = row.Time();
  pace.next_write = row.Time();
  pace.points_until = row.Time();
  pace.content_until = row.Time();
  pace.since = row.Time();
  pace.reason = row.Text();
  return pace;
}

Result<Pace> LockPace(Tx& tx, std::string_view scope) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("AddPace", scope));
  SWAGE_ASSIGN_OR_RETURN(auto pace, tx.db.One("LockPace", ReadPace, scope));
  if (!pace.has_value()) return MakeError(ErrorCode::kInternal, "a pace has no row");
  return std::move(*pace);
}

Result<void> SavePace(Tx& tx, const Pace& pace) {
  SWAGE_RETURN_IF_ERROR(tx.db.Post("SavePace", pace.scope, Name(pace.breaker), Name(pace.cause),
                                   pace.on_write ? 1 : 0, pace.failures, pace.pauses,
                                   pace.paused_until, pace.next_write, pace.points_until,
                                   pace.content_until, pace.since, pace.reason));
  return Ok();
}

Result<void> AuditPace(Tx& tx, const PaceChange& change) {
  const bool was = change.before.breaker != Breaker::kClosed;
  const bool is = change.after.breaker != Breaker::kClosed;
  if (was == is) return Ok();
  return AddAudit(
      tx, audit::kSwage, is ? audit::kForgePaused : audit::kForgeResumed, "", change.after.scope,
      is ? fmt::format("{}: {}", Name(change.after.cause), change.after.reason) : "it works again");
}

template <class Decide>
Result<PaceChange> Change(Tx& tx, std::string_view scope, Decide&& decide) {
  PaceChange change;
  SWAGE_ASSIGN_OR_RETURN(change.before, LockPace(tx, scope));
  change.after = decide(change.before);
  change.left = PauseLeft(change.after, tx.engine_now);
  SWAGE_RETURN_IF_ERROR(SavePace(tx, change.after));
  SWAGE_RETURN_IF_ERROR(AuditPace(tx, change));
  return change;
}

}  // namespace

Result<PaceView> GetPace(Connection& db, WallTime engine_now, std::string_view scope) {
  SWAGE_ASSIGN_OR_RETURN(auto found, db.One("GetPace", ReadPace, scope));
  PaceView view;
  view.pace.scope = scope;
  if (found.has_value()) view.pace = std::move(*found);
  view.left = PauseLeft(view.pace, engine_now);
  return view;
}

Result<std::vector<PaceView>> ListPaces(Connection& db, WallTime engine_now) {
  return db.All("ListTroubledPaces", [engine_now](Row& row) {
    PaceView view{ReadPace(row), {}};
    view.left = PauseLeft(view.pace, engine_now);
    return view;
  });
}

Result<PaceChange> NoteForgeFailure(Tx& tx, std::string_view scope, const ForgeFailure& failure,
                                    const PaceRules& rules, double jitter) {
  return Change(tx, scope, [&](const Pace& pace) {
    return AfterFailure(pace, failure, rules, tx.engine_now, jitter);
  });
}

Result<PaceChange> NoteForgeSuccess(Tx& tx, std::string_view scope, bool wrote) {
  return Change(tx, scope,
                [&](const Pace& pace) { return AfterSuccess(pace, tx.engine_now, wrote); });
}

Result<std::chrono::milliseconds> Reserve(Tx& tx, std::string_view scope, const Cost& cost,
                                          const Allowance& allowance) {
  SWAGE_ASSIGN_OR_RETURN(const Pace pace, LockPace(tx, scope));
  const WallTime now = tx.engine_now;
  const Reservation reserved = swage::Reserve(pace, now, cost, allowance);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(reserved.start - now);
  if (wait <= kLongestTurn) SWAGE_RETURN_IF_ERROR(SavePace(tx, reserved.pace));
  return wait;
}

Result<Breakers> Breakers::Read(Tx& tx) {
  Breakers breakers;
  SWAGE_ASSIGN_OR_RETURN(std::vector<Pace> paces, tx.db.All("ListTroubledPaces", ReadPace));
  for (Pace& pace : paces) {
    std::string scope = pace.scope;
    breakers.troubled_.emplace(std::move(scope), std::move(pace));
  }
  return breakers;
}

Result<bool> Breakers::Admit(Tx& tx, const std::vector<std::string>& scopes,
                             std::chrono::milliseconds patience, std::vector<std::string>& probes) {
  std::vector<Pace> to_probe;
  for (const std::string& scope : scopes) {
    const auto it = troubled_.find(scope);
    if (it == troubled_.end()) continue;
    // Another taker may have begun the probe since.
    SWAGE_ASSIGN_OR_RETURN(it->second, LockPace(tx, scope));
    switch (PassageOf(it->second, tx.engine_now)) {
      case Passage::kFree:
        break;
      case Passage::kProbe:
        to_probe.push_back(it->second);
        break;
      case Passage::kClosed:
        return false;
    }
  }
  for (const Pace& pace : to_probe) {
    Pace probed = BeginProbe(pace, tx.engine_now, patience);
    SWAGE_RETURN_IF_ERROR(SavePace(tx, probed));
    probes.push_back(probed.scope);
    troubled_[probed.scope] = std::move(probed);
  }
  return true;
}

}  // namespace swage::sql
