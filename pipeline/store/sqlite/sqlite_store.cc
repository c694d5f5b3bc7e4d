// SqliteStore: the engine behind store.h; each method is one transaction of the writer, or one
// read.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "pipeline/store/sqlite/checkpointer.h"
#include "pipeline/store/sqlite/file_lock.h"
#include "pipeline/store/sqlite/inbox.h"
#include "pipeline/store/sqlite/migrations.h"
#include "pipeline/store/sqlite/read_pool.h"
#include "pipeline/store/sqlite/writer.h"

namespace swage {
namespace sqlite {
namespace {

/// The engine's clock: wall time at the start, advanced by the monotonic clock, so that leases and
/// retries keep their length when somebody sets the clock (X14). One process owns the file, so
/// nobody disagrees.
class EngineClock {
 public:
  explicit EngineClock(const Clock& clock)
      : clock_(clock), wall_(clock.Now()), monotonic_(clock.Monotonic()) {}
  WallTime Now() const {
    return wall_ +
           std::chrono::duration_cast<std::chrono::microseconds>(clock_.Monotonic() - monotonic_);
  }

 private:
  const Clock& clock_;
  const WallTime wall_;
  const MonotonicTime monotonic_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(FileLock lock, const std::filesystem::path& file, std::unique_ptr<Connection> writer,
              std::unique_ptr<Connection> checkpoints, std::unique_ptr<BodyLog> bodies,
              const Clock& clock)
      : lock_(std::move(lock)),
        clock_(clock),
        engine_clock_(clock),
        bodies_(std::move(bodies)),
        readers_(file),
        checkpointer_(std::move(checkpoints), *writer),
        writer_(std::move(writer), [this](Connection& db) { checkpointer_.AfterCommit(db); }) {}

  Result<bool> AddDelivery(const NewDelivery& delivery) override {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<bool> fresh, AddDeliveries({delivery}));
    return static_cast<bool>(fresh.front());
  }
  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    if (deliveries.empty()) return std::vector<bool>();
    const WallTime received = clock_.Now();
    auto logged = bodies_->Append(deliveries, received);
    if (!logged.ok()) return logged.error().With("add deliveries");
    BodyLog::Batch batch = std::move(logged).value();
    SWAGE_ASSIGN_OR_RETURN(
        const std::vector<bool> fresh,
        Write(
            "add deliveries",
            [&](Tx& tx) { return sqlite::AddDeliveries(tx, deliveries, batch, received); },
            Writer::Kind::kLogged));
    batch.Keep(std::count(fresh.begin(), fresh.end(), true));
    return fresh;
  }
  Result<std::vector<Delivery>> PendingDeliveries(int limit) override {
    SWAGE_ASSIGN_OR_RETURN(std::vector<PendingRow> rows,
                           Read("list pending deliveries", [&](sql::Connection& db) {
                             return sqlite::PendingDeliveries(db, engine_clock_.Now(), limit);
                           }));
    BodyLog::Reader bodies(*bodies_);
    std::vector<Delivery> deliveries;
    deliveries.reserve(rows.size());
    for (PendingRow& row : rows) {
      Delivery& delivery = deliveries.emplace_back(std::move(row.delivery));
      Result<std::string> body = bodies.Body(row.body, delivery.what);
      if (body.ok()) {
        delivery.what.body = std::move(body).value();
      } else {
        delivery.damage = body.error();
      }
    }
    return deliveries;
  }
  Result<void> DeferDelivery(DeliveryId id, std::string_view error,
                             std::chrono::milliseconds delay) override {
    return Write("defer delivery",
                 [&](Tx& tx) { return sql::DeferDelivery(tx, id, error, delay); });
  }
  Result<IntakeResult> ApplyIntake(const IntakePlan& plan) override {
    std::int64_t segment = 0;
    SWAGE_ASSIGN_OR_RETURN(
        sql::AppliedPlan applied, Write("apply intake", [&](Tx& tx) -> Result<sql::AppliedPlan> {
          SWAGE_ASSIGN_OR_RETURN(sql::AppliedPlan done, sql::ApplyIntake(tx, plan));
          if (done.decided) {
            SWAGE_ASSIGN_OR_RETURN(segment, BodySegment(tx, plan.delivery));
          }
          return done;
        }));
    if (applied.decided) bodies_->Release(segment);
    return std::move(applied.result);
  }

  Result<Task> GetTask(TaskId id) override {
    return Read("get task", [&](sql::Connection& db) { return sql::GetTask(db, id); });
  }
  Result<std::optional<Task>> FindTaskByIssue(const RepoRef& repo, std::int64_t issue) override {
    return Read("find task",
                [&](sql::Connection& db) { return sql::FindTaskByIssue(db, repo, issue); });
  }
  Result<std::optional<Task>> FindTaskByPullRequest(const RepoRef& repo, std::int64_t pr) override {
    return Read("find task",
                [&](sql::Connection& db) { return sql::FindTaskByPullRequest(db, repo, pr); });
  }
  Result<std::vector<Task>> ListTasks(const TaskFilter& filter) override {
    return Read("list tasks", [&](sql::Connection& db) { return sql::ListTasks(db, filter); });
  }
  Result<std::vector<Step>> ListSteps(TaskId task) override {
    return Read("list steps", [&](sql::Connection& db) { return sql::ListSteps(db, task); });
  }
  Result<std::vector<LedgerFinding>> ListFindings(TaskId task) override {
    return Read("list findings", [&](sql::Connection& db) { return sql::ListFindings(db, task); });
  }
  Result<std::vector<TimelineEntry>> ListTimeline(TaskId task, std::int64_t after,
                                                  int limit) override {
    return Read("list timeline",
                [&](sql::Connection& db) { return sql::ListTimeline(db, task, after, limit); });
  }
  Result<StoreCounts> Counts() override {
    return Read("count", [](sql::Connection& db) { return sql::Counts(db); });
  }

  Result<std::optional<Claimed>> ClaimTask(std::string_view node, std::chrono::milliseconds lease,
                                           const ClaimLimits& limits) override {
    return Write("claim task", [&](Tx& tx) { return sql::ClaimTask(tx, node, lease, limits); });
  }
  Result<void> RenewLease(const Lease& lease, std::chrono::milliseconds duration) override {
    return Write("renew lease", [&](Tx& tx) { return sql::RenewLease(tx, lease, duration); });
  }
  Result<int> ExpireAllLeases() override {
    return Write("expire leases", [](Tx& tx) { return sql::ExpireAllLeases(tx); });
  }

  Result<void> SetBase(const Lease& lease, std::string_view branch,
                       const CommitSha& base) override {
    return Write("set base", [&](Tx& tx) { return sql::SetBase(tx, lease, branch, base); });
  }
  Result<void> SetStage(const Lease& lease, Stage stage, int cycle) override {
    return Write("set stage", [&](Tx& tx) { return sql::SetStage(tx, lease, stage, cycle); });
  }
  Result<void> SaveCheckpoint(const Lease& lease, const CommitSha& commit) override {
    return Write("save checkpoint", [&](Tx& tx) { return sql::SaveCheckpoint(tx, lease, commit); });
  }
  Result<std::int64_t> StartStep(const Lease& lease, const Step& step) override {
    return Write("start step", [&](Tx& tx) { return sql::StartStep(tx, lease, step); });
  }
  Result<void> FinishStep(const Lease& lease, std::int64_t step_id, std::string_view outcome,
                          std::string_view summary, const CommitSha& commit) override {
    return Write("finish step", [&](Tx& tx) {
      return sql::FinishStep(tx, lease, step_id, outcome, summary, commit);
    });
  }
  Result<void> FinishCycle(const Lease& lease, const CycleRecord& cycle) override {
    return Write("finish cycle", [&](Tx& tx) { return sql::FinishCycle(tx, lease, cycle); });
  }
  Result<std::vector<std::string>> ListRemarks(const Lease& lease) override {
    return Write("list remarks", [&](Tx& tx) { return sql::ListRemarks(tx, lease); });
  }
  Result<void> FinishRun(const Lease& lease, const RunOutcome& outcome) override {
    return Write("finish run", [&](Tx& tx) { return sql::FinishRun(tx, lease, outcome); });
  }

  Result<std::vector<Effect>> DueEffects(int limit) override {
    return Read("list due effects", [&](sql::Connection& db) {
      return sql::DueEffects(db, engine_clock_.Now(), limit);
    });
  }
  Result<void> AddEffects(const std::vector<NewEffect>& effects) override {
    return Write("add effects", [&](Tx& tx) -> Result<void> {
      for (const NewEffect& effect : effects) SWAGE_RETURN_IF_ERROR(sql::AddEffect(tx, effect));
      return Ok();
    });
  }
  Result<void> FinishEffect(const Effect& effect, std::string_view result,
                            const PublishedFacts& facts) override {
    SWAGE_ASSIGN_OR_RETURN(const bool current, Write("finish effect", [&](Tx& tx) {
                             return sql::FinishEffect(tx, effect, result, facts);
                           }));
    if (current) return Ok();
    return MakeError(ErrorCode::kLeaseLost, "finish effect: it was superseded meanwhile");
  }
  Result<void> RetryEffect(const Effect& effect, std::string_view error,
                           std::chrono::milliseconds delay) override {
    return Write("retry effect",
                 [&](Tx& tx) { return sql::RetryEffect(tx, effect, error, delay); });
  }
  Result<void> FailEffect(const Effect& effect, std::string_view error, bool fail_task) override {
    return Write("fail effect",
                 [&](Tx& tx) { return sql::FailEffect(tx, effect, error, fail_task); });
  }

 private:
  template <class Work>
  auto Write(std::string_view what, Work&& work, Writer::Kind kind = Writer::Kind::kPlain)
      -> std::invoke_result_t<Work, Tx&> {
    auto result = writer_.Run(kind, [&](Connection& db) {
      Tx tx{db, clock_.Now(), engine_clock_.Now()};
      return work(tx);
    });
    if (!result.ok()) return result.error().With(what);
    return result;
  }

  template <class Work>
  auto Read(std::string_view what, Work&& work) -> std::invoke_result_t<Work, Connection&> {
    auto result = readers_.Run(work);
    if (!result.ok()) return result.error().With(what);
    return result;
  }

  // The order matters: the writer stops first, then the checkpointer, and the lock is given up
  // last.
  FileLock lock_;
  const Clock& clock_;
  const EngineClock engine_clock_;
  const std::unique_ptr<BodyLog> bodies_;
  ReadPool readers_;
  Checkpointer checkpointer_;
  Writer writer_;
};

/// SQLite gives the WAL the mode of the database, which is for its owner alone.
Result<void> CreatePrivate(const std::filesystem::path& file) {
  const Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.valid()) return Ok();
  return MakeError(ErrorCode::kInternal,
                   fmt::format("open {}: {}", file.string(), std::strerror(errno)));
}

Result<std::unique_ptr<BodyLog>> OpenBodies(const std::filesystem::path& file, Connection& db,
                                            const Clock& clock) {
  SWAGE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  Tx tx{db, clock.Now(), clock.Now()};
  SWAGE_ASSIGN_OR_RETURN(auto log, OpenBodyLog(file.string() + ".bodies", tx));
  SWAGE_RETURN_IF_ERROR(transaction.Commit());
  log->RemoveUnheld();
  return log;
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file,
                                               const Clock& clock) {
  using sqlite::Connection;
  SWAGE_ASSIGN_OR_RETURN(sqlite::FileLock lock, sqlite::FileLock::Take(file));
  SWAGE_RETURN_IF_ERROR(sqlite::CreatePrivate(file));
  SWAGE_ASSIGN_OR_RETURN(auto writer, Connection::Open(file, Connection::Mode::kWriter));
  const auto migrated = sqlite::Migrate(*writer, sqlite::Migrations(), clock);
  if (!migrated.ok()) return migrated.error().With(file.string());
  auto bodies = sqlite::OpenBodies(file, *writer, clock);
  if (!bodies.ok()) return bodies.error().With(file.string());
  SWAGE_ASSIGN_OR_RETURN(auto checkpoints, Connection::Open(file, Connection::Mode::kCheckpointer));
  return std::unique_ptr<Store>(std::make_unique<sqlite::SqliteStore>(
      std::move(lock), file, std::move(writer), std::move(checkpoints), std::move(bodies).value(),
      clock));
}

}  // namespace swage
