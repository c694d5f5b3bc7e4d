#include "pipeline/store/postgres/database.h"

#include <algorithm>
#include <random>
#include <thread>

namespace swage::postgres {
namespace {

constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kResolvePause{100};

// Grows from run to run; jittered, so that two that collided do not collide again.
void PauseBefore(int run) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto most = kFirstPause.count() << std::min(run, 6);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::uniform_int_distribution<long>(1, most)(random)));
}

std::int64_t LocalMicros() {
  const SystemClock clock;
  return std::chrono::duration_cast<std::chrono::microseconds>(clock.Monotonic().time_since_epoch())
      .count();
}

}  // namespace

void Database::LearnClock(WallTime now) {
  seen_us_ = ToMicros(now);
  seen_at_us_ = LocalMicros();
}

Result<WallTime> Database::ReadClock(Connection& db) {
  const std::int64_t age = LocalMicros() - seen_at_us_;
  if (age < std::chrono::microseconds(kClockAge).count()) return FromMicros(seen_us_ + age);
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t now, db.Number("Now"));
  LearnClock(FromMicros(now));
  return FromMicros(now);
}

Result<void> Database::Write(const Work& work) {
  Result<void> failure;
  for (int run = 1; run <= kMaxRuns; ++run) {
    if (run > 1) PauseBefore(run);
    Run ended = RunOnce(work);
    if (ended.end == Run::End::kDone) return std::move(ended.result);
    failure = std::move(ended.result);
    if (ended.end == Run::End::kAgain) continue;
    const Outcome outcome = Resolve(ended.doubt);
    if (outcome == Outcome::kCommitted) return Ok();
    if (outcome == Outcome::kUnknown) {
      return MakeError(
          ErrorCode::kTimeout,
          "the database was lost in mid-commit and does not say whether it was done: " +
              failure.error().message);
    }
  }
  return failure;
}

Database::Run Database::RunOnce(const Work& work) {
  const auto session = pool_.Take();
  if (!session.ok()) return {Run::End::kDone, session.error(), {}};  // it waited long enough
  Connection& db = **session;
  const auto failed = [&](const Error& error) -> Run {
    const bool again = db.trouble() != Trouble::kNone;
    return {again ? Run::End::kAgain : Run::End::kDone, error, {}};
  };
  const auto incarnation = db.Incarnation();
  if (!incarnation.ok()) return failed(incarnation.error());
  auto transaction = Transaction::Begin(db);
  if (!transaction.ok()) return failed(transaction.error());
  const Result<void> worked = work(db, [&] { return transaction->Now(); });
  if (!worked.ok()) return failed(worked.error());
  const Result<void> committed = transaction->Commit();
  if (committed.ok()) return {};
  if (!db.lost() || transaction->id().empty()) return failed(committed.error());
  return {Run::End::kUnknown, committed.error(), {transaction->id(), *incarnation}};
}

Result<Database::Trip> Database::WriteInOneTrip(std::span<const std::string_view> queries,
                                                const OneTrip& work) {
  if (address().pgbouncer) {
    SWAGE_RETURN_IF_ERROR(Write([&](Connection& db, const Now&) { return work(db); }));
    return Trip::kDone;
  }
  Result<void> failure;
  for (int run = 1; run <= kMaxRuns; ++run) {
    if (run > 1) PauseBefore(run);
    SWAGE_ASSIGN_OR_RETURN(const Pool::Session session, pool_.Take());
    failure = session->Ready(queries);
    if (failure.ok()) {
      failure = work(*session);
      if (failure.ok()) return Trip::kDone;
      if (session->trouble() == Trouble::kLost) return Trip::kLost;
    }
    if (session->trouble() == Trouble::kNone) return failure.error();
  }
  return failure.error();
}

Database::Outcome Database::Resolve(const Doubt& doubt) {
  const SystemClock clock;
  const MonotonicTime deadline = clock.Monotonic() + kResolveLimit;
  do {
    const auto outcome = AskOutcome(doubt);
    if (outcome.ok() && *outcome != Outcome::kInProgress) return *outcome;
    std::this_thread::sleep_for(kResolvePause);
  } while (clock.Monotonic() < deadline);
  return Outcome::kUnknown;
}

// A crash loses the end of the log. Had it kept anything of ours, the number would not be given
// again; so another's number is taken for ours only if it says "committed".
Result<Database::Outcome> Database::AskOutcome(const Doubt& doubt) {
  SWAGE_ASSIGN_OR_RETURN(const Pool::Session session, pool_.Take());
  std::string status;
  const auto read = [&](sql::Row& row) {
    status = row.Text();
    return row.Text();
  };
  const auto incarnation = session->One("Outcome", read, doubt.transaction);
  if (!incarnation.ok()) {
    const bool never_given = incarnation.error().code == ErrorCode::kInvalid;
    if (never_given) return Outcome::kAborted;
    return incarnation.error();
  }
  const bool crashed = *incarnation != doubt.incarnation;
  if (status == "committed") return crashed ? Outcome::kUnknown : Outcome::kCommitted;
  if (status == "aborted" || (status == "in progress" && crashed)) return Outcome::kAborted;
  return status == "in progress" ? Outcome::kInProgress : Outcome::kUnknown;
}

Result<void> Database::Read(const Work& work) {
  Result<void> failure;
  for (int run = 1; run <= kMaxRuns; ++run) {
    if (run > 1) PauseBefore(run);
    SWAGE_ASSIGN_OR_RETURN(const Pool::Session session, pool_.Take());
    const Result<void> done = ReadOnce(*session, work);
    if (done.ok() || session->trouble() == Trouble::kNone) return done;
    failure = done;
  }
  return failure;
}

Result<void> Database::ReadOnce(Connection& db, const Work& work) {
  if (!db.pgbouncer()) {
    SWAGE_ASSIGN_OR_RETURN(const WallTime now, ReadClock(db));
    return work(db, [now] { return now; });
  }
  // The time limits belong to a transaction there.
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  SWAGE_RETURN_IF_ERROR(work(db, [&] { return transaction.Now(); }));
  return transaction.Commit();
}

}  // namespace swage::postgres
