// Database: runs transactions and reads on a pool of sessions, whatever becomes of the sessions.
//
// A transaction that is known to have left nothing (it lost a race, or its session broke before the
// COMMIT) runs again a few times. When the answer to the COMMIT itself is lost, the outcome is
// asked for by the transaction's number, on another session (X5): committed is ok, aborted runs
// again, and if the database cannot be asked the error is kTimeout, the one code that leaves the
// outcome open. That is also the end when the server crashed meanwhile and has committed a
// transaction of that number: it need not be ours (see Connection::Incarnation). So ok is never
// said for something lost, and nothing is done twice by this class.
// Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>

#include "config/base/clock.h"
#include "pipeline/store/postgres/pool.h"

namespace swage::postgres {

class Database {
 public:
  static constexpr int kMaxRuns = 5;
  /// How long the outcome of a COMMIT is asked for.
  static constexpr std::chrono::seconds kResolveLimit{4};

  Database(Address address, int max_sessions) : pool_(std::move(address), max_sessions) {}

  /// `work` may run several times; what its last run did is kept, or nothing. `now` asks for the
  /// database's clock at the beginning of the run.
  using Now = std::function<WallTime()>;
  using Work = std::function<Result<void>(Connection&, const Now& now)>;
  Result<void> Write(const Work& work);

  enum class Trip {
    kDone,
    kLost,  ///< the session broke with all under way: done, not done, or about to be
  };
  /// Writes in one round trip: `work` posts the first of `queries` and runs the last, which commits
  /// them. It may run several times, as in Write. After kLost go on by Write, and look there for
  /// what may have been done. Never kLost behind a pooler: there it is a transaction of the long
  /// kind.
  using OneTrip = std::function<Result<void>(Connection&)>;
  Result<Trip> WriteInOneTrip(std::span<const std::string_view> queries, const OneTrip& work);

  /// As Write, for reads: without a transaction. The clock was seen at most kClockAge ago.
  Result<void> Read(const Work& work);

  Result<Pool::Session> TakeSession() { return pool_.Take(); }
  const Address& address() const { return pool_.address(); }

 private:
  static constexpr std::chrono::seconds kClockAge{1};
  /// kInProgress: the server has not noticed yet that we are gone.
  enum class Outcome { kCommitted, kAborted, kInProgress, kUnknown };
  /// A transaction whose COMMIT was not answered.
  struct Doubt {
    std::string transaction;
    std::string incarnation;  ///< of the server that gave the number
  };

  /// How one run ended.
  struct Run {
    enum class End { kDone, kAgain, kUnknown };
    End end = End::kDone;
    Result<void> result;  ///< kAgain: what was in the way, and nothing was kept
    Doubt doubt;          ///< kUnknown
  };
  Run RunOnce(const Work& work);
  Result<void> ReadOnce(Connection& db, const Work& work);
  Outcome Resolve(const Doubt& doubt);
  Result<Outcome> AskOutcome(const Doubt& doubt);
  Result<WallTime> ReadClock(Connection& db);
  void LearnClock(WallTime now);

  Pool pool_;
  // The database's clock as last seen, and when that was by ours. Two numbers that are read apart
  // may belong to two sightings; both are right to within kClockAge.
  std::atomic<std::int64_t> seen_us_{0};
  std::atomic<std::int64_t> seen_at_us_{0};
};

}  // namespace swage::postgres
