// PostgresStore: the engine for any number of processes on one database.
//
// Every operation is one transaction (READ COMMITTED, the rows it decides by locked). What becomes
// of it when the database goes away in the middle says database.h; the few cases that stay open end
// as kTimeout, and asking again is right for all of them: deliveries, commands, effects and tasks
// have keys that are there once; a worker's write that was done after all meets its own result or a
// raised epoch (kLeaseLost, as if somebody had taken the task); a claim whose answer was lost is
// given back by its node (Scheduler), or an orphan when its lease ends. Claims and the ends of
// runs, which each task needs, are one round trip for many tasks where they can be, without a
// transaction's number: when their answer is lost the tasks' rows tell what became of them.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "pipeline/store/postgres/claims.h"
#include "pipeline/store/postgres/database.h"
#include "pipeline/store/postgres/holds.h"
#include "pipeline/store/postgres/inbox.h"
#include "pipeline/store/postgres/listener.h"
#include "pipeline/store/postgres/migrations.h"
#include "pipeline/store/postgres/run_ends.h"
#include "pipeline/store/postgres/together.h"
#include "pipeline/store/sql/engine_clock.h"
#include "pipeline/store/sql/sql_store.h"

namespace swage {
namespace postgres {
namespace {

/// Far from the end of its type.
std::int64_t RandomNumber() {
  std::random_device random;
  return (static_cast<std::int64_t>(random()) << 30) + 1;
}

class PostgresStore final : public sql::SqlStore {
 public:
  PostgresStore(Address address, const PostgresOptions& options, const Clock& clock)
      : clock_(clock), database_(std::move(address), options.max_sessions) {
    if (options.engine_clock != nullptr) engine_clock_.emplace(*options.engine_clock);
  }

  Result<void> Start(bool migrate) {
    const Address& address = database_.address();
    SWAGE_ASSIGN_OR_RETURN(const Pool::Session session, database_.TakeSession());
    const auto migrated =
        migrate ? Migrate(*session, Migrations()) : sql::CheckSchema(*session, Migrations());
    if (!migrated.ok()) return migrated.error().With(address.label);
    if (!address.pgbouncer) listener_.emplace(address);
    return Ok();
  }

  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    if (deliveries.empty()) return std::vector<bool>();
    auto fresh = Write("add deliveries", [&](sql::Tx& tx) {
      return postgres::AddDeliveries(tx, TestTime(), deliveries);
    });
    if (fresh.ok()) Announce(Topic::kDeliveries);
    return fresh;
  }
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest& request) override {
    return Write("take deliveries",
                 [&](sql::Tx& tx) { return postgres::TakeDeliveries(tx, request); });
  }

  Result<std::vector<Claimed>> ClaimTasks(std::string_view node, std::chrono::milliseconds lease,
                                          const ClaimLimits& limits, int most) override {
    if (node.empty()) return SqlStore::ClaimTasks(node, lease, limits, most);
    const ClaimOrder order{node, lease, limits, most, clock_.Now(), TestTime(), ++last_claim_};
    QuickClaims quick;
    const auto trip = database_.WriteInOneTrip(
        kClaimQueries, [&](Connection& db) { return Keep(ClaimQuickly(db, order), quick); });
    if (!trip.ok()) return trip.error().With("claim tasks");
    if (quick.decided) return std::move(quick.claimed);
    return Write("claim tasks", [&](sql::Tx& tx) -> Result<std::vector<Claimed>> {
      if (*trip == Database::Trip::kLost) {
        SWAGE_RETURN_IF_ERROR(tx.db.Post("LockClaims"));
        SWAGE_ASSIGN_OR_RETURN(auto done, FindClaims(tx.db, node, order.number));
        if (!done.empty()) return done;
      }
      // Many trips for each, with everybody else's claims kept out: one at a time.
      return sql::ClaimTasks(tx, node, lease, limits, std::min(most, 1));
    });
  }
  Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) override {
    SWAGE_RETURN_IF_ERROR(End({{lease, outcome}}));
    return Ok();
  }
  Result<std::vector<Claimed>> FinishRunAndClaim(const Lease& lease, const RunOutcome& outcome,
                                                 std::chrono::milliseconds duration,
                                                 const ClaimLimits& limits) override {
    return End({{lease, outcome}, Wish{duration, limits}});
  }

  // Counting takes as long as there are rows. A count that was slow serves for a while, so that
  // pages cost the database at most a hundredth of its time.
  Result<StoreCounts> Counts() override {
    const MonotonicTime begin = clock_.Monotonic();
    {
      const std::lock_guard lock(counts_mutex_);
      if (begin < counts_serve_until_) return counts_;
    }
    SWAGE_ASSIGN_OR_RETURN(const StoreCounts counts, SqlStore::Counts());
    const MonotonicTime end = clock_.Monotonic();
    const std::lock_guard lock(counts_mutex_);
    counts_ = counts;
    counts_serve_until_ = end - begin > kQuickCount ? end + 100 * (end - begin) : begin;
    return counts;
  }

  bool SharedByNodes() const override { return true; }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    auto taken = postgres::TryHold(database_.address(), name);
    if (!taken.ok()) return taken.error().With("take a hold");
    return taken;
  }

  void OnNews(std::function<void(Topic)> tell) override {
    if (listener_.has_value()) listener_->OnNews(std::move(tell));
  }

 private:
  /// What whoever ends a run wants to claim.
  struct Wish {
    std::chrono::milliseconds duration;
    ClaimLimits limits;

    bool operator==(const Wish&) const = default;
  };
  struct WaitingEnd {
    RunEnd what;
    std::optional<Wish> wish = std::nullopt;
    bool ended = false;
    bool lost = false;     ///< it may have ended
    bool spoiled = false;  ///< nothing was done, for what may be another's fault: to be tried alone
    std::vector<Claimed> claimed = {};
    std::optional<std::int64_t> unheard = std::nullopt;  ///< the number of claims that were lost
    Result<void> result = Ok();

    bool Wants(const WaitingEnd& as) const {
      return wish.has_value() && wish == as.wish && what.lease.node == as.what.lease.node;
    }
  };

  Result<std::vector<Claimed>> End(WaitingEnd end) {
    if (CanEndQuickly(end.what)) {
      ends_.Do(end);
      if (end.spoiled) {
        end.wish.reset();
        EndTogether({&end});
      }
      if (!end.result.ok()) return end.result.error().With("finish run");
    }
    if (!end.ended) {
      SWAGE_ASSIGN_OR_RETURN(end.claimed, EndAlone(end));
    }
    SWAGE_RETURN_IF_ERROR(AnnounceEnd());
    return std::move(end.claimed);
  }
  // By one statement after the other. With it come the claims that it is to have.
  Result<std::vector<Claimed>> EndAlone(const WaitingEnd& end) {
    return Write("finish run", [&](sql::Tx& tx) -> Result<std::vector<Claimed>> {
      const auto& [lease, outcome] = end.what;
      bool ended = false;
      if (end.lost) {
        SWAGE_ASSIGN_OR_RETURN(ended, IsEnded(tx, lease));
      }
      if (!ended) SWAGE_RETURN_IF_ERROR(sql::FinishRun(tx, lease, outcome));
      if (!end.unheard.has_value()) return end.claimed;
      SWAGE_RETURN_IF_ERROR(tx.db.Post("LockClaims"));
      return FindClaims(tx.db, lease.node, *end.unheard);
    });
  }
  // One task twice: whoever is second finds out the long way.
  void EndTogether(const std::vector<WaitingEnd*>& ends) {
    std::vector<RunEnd> rows;
    std::set<TaskId> tasks;
    for (const WaitingEnd* end : ends) {
      if (tasks.insert(end->what.lease.task).second) rows.push_back(end->what);
    }
    const std::vector<WaitingEnd*> wishers = Wishers(ends);
    EndsAndClaims done;
    std::int64_t number = 0;
    const auto trip =
        wishers.empty() ? EndOnly(rows, done) : EndAndClaim(rows, wishers, number, done);
    for (WaitingEnd* end : ends) {
      end->spoiled = !trip.ok() && (ends.size() > 1 || end->wish.has_value());
      end->lost = trip.ok() && *trip == Database::Trip::kLost;
      end->ended = done.ended.erase(end->what.lease.task) > 0;
      if (!trip.ok() && !end->spoiled) end->result = trip.error();
    }
    if (wishers.empty()) return;
    if (wishers.front()->lost) wishers.front()->unheard = number;
    GiveOut(std::move(done.claims.claimed), wishers);
  }
  /// Those that want what the first of them wants: on one node, all do.
  static std::vector<WaitingEnd*> Wishers(const std::vector<WaitingEnd*>& ends) {
    std::vector<WaitingEnd*> wishers;
    for (WaitingEnd* end : ends) {
      if (end->Wants(wishers.empty() ? *end : *wishers.front())) wishers.push_back(end);
    }
    return wishers;
  }
  Result<Database::Trip> EndOnly(const std::vector<RunEnd>& rows, EndsAndClaims& done) {
    return database_.WriteInOneTrip(kEndRunsQueries, [&](Connection& db) {
      return Keep(EndRunsQuickly(db, TestTime(), clock_.Now(), rows), done.ended);
    });
  }
  Result<Database::Trip> EndAndClaim(const std::vector<RunEnd>& rows,
                                     const std::vector<WaitingEnd*>& wishers, std::int64_t& number,
                                     EndsAndClaims& done) {
    const auto& [duration, limits] = *wishers.front()->wish;
    const ClaimOrder order{wishers.front()->what.lease.node,
                           duration,
                           limits,
                           static_cast<int>(wishers.size()),
                           clock_.Now(),
                           TestTime(),
                           number = ++last_claim_};
    return database_.WriteInOneTrip(kEndAndClaimQueries, [&](Connection& db) {
      return Keep(EndRunsAndClaim(db, rows, order), done);
    });
  }
  /// One to each whose run has ended; what is left over, to the first of them, for it must be
  /// somebody's.
  static void GiveOut(std::vector<Claimed> claimed, const std::vector<WaitingEnd*>& wishers) {
    auto next = claimed.begin();
    for (WaitingEnd* end : wishers) {
      if (end->ended && next != claimed.end()) end->claimed.push_back(std::move(*next++));
    }
    const auto heir = std::ranges::find_if(wishers, &WaitingEnd::ended);
    WaitingEnd& first = heir == wishers.end() ? *wishers.front() : **heir;
    std::move(next, claimed.end(), std::back_inserter(first.claimed));
  }
  template <class T>
  static Result<void> Keep(Result<T>&& result, T& kept) {
    if (!result.ok()) return result.error();
    kept = std::move(result).value();
    return Ok();
  }

  Result<void> RunWrite(const Writes& work) override {
    return database_.Write([&](Connection& db, const Database::Now& now) {
      sql::Tx tx{db, clock_.Now(), EngineTime(now)};
      return work(tx);
    });
  }
  Result<void> RunRead(const Reads& work) override {
    return database_.Read(
        [&](Connection& db, const Database::Now& now) { return work(db, EngineTime(now)); });
  }
  void Announce(Topic topic) override {
    if (listener_.has_value()) listener_->Announce(topic);
  }

  /// Nothing where the database's clock decides.
  std::optional<WallTime> TestTime() const {
    if (engine_clock_.has_value()) return engine_clock_->Now();
    return std::nullopt;
  }
  sql::EngineTime EngineTime(const Database::Now& database_time) const {
    if (engine_clock_.has_value()) return engine_clock_->Now();
    return sql::EngineTime(database_time);
  }

  static constexpr std::chrono::milliseconds kQuickCount{10};
  /// For others whose runs end as well: less than what the sync of a commit may take.
  static constexpr std::chrono::microseconds kPatience{1'000};

  const Clock& clock_;
  std::mutex counts_mutex_;
  StoreCounts counts_;
  MonotonicTime counts_serve_until_{};
  std::optional<sql::EngineClock> engine_clock_;
  Database database_;
  Together<WaitingEnd> ends_{kMaxEnds, kPatience, [this](const auto& ends) { EndTogether(ends); }};
  std::optional<Listener> listener_;
  // Begins anywhere, for a node that starts again must not know its old claims by new numbers.
  std::atomic<std::int64_t> last_claim_{RandomNumber()};
};

Result<Address> AddressOf(const PostgresOptions& options) {
  SWAGE_ASSIGN_OR_RETURN(Address address, ParseAddress(options.url, options.password));
  address.pgbouncer = address.pgbouncer || options.pgbouncer;
  return address;
}

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Store>> OpenPostgresStore(const PostgresOptions& options,
                                                 const Clock& clock) {
  SWAGE_ASSIGN_OR_RETURN(postgres::Address address, postgres::AddressOf(options));
  auto store = std::make_unique<postgres::PostgresStore>(std::move(address), options, clock);
  SWAGE_RETURN_IF_ERROR(store->Start(options.migrate));
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::string> LookAtPostgres(const PostgresOptions& options) {
  SWAGE_ASSIGN_OR_RETURN(const postgres::Address address, postgres::AddressOf(options));
  SWAGE_ASSIGN_OR_RETURN(const auto db, postgres::Connection::Open(address));
  const auto state = postgres::DescribeSchema(*db, postgres::Migrations());
  if (!state.ok()) return state.error().With(address.label);
  const int version = PQserverVersion(db->handle());
  return fmt::format("PostgreSQL {}.{}, {}: {}", version / 10'000, version % 10'000, address.label,
                     *state);
}

}  // namespace swage
