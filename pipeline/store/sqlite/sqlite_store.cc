// SqliteStore: transactions are jobs of the one writer; reads run beside it; the bodies of
// deliveries lie in a log.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "pipeline/store/sql/engine_clock.h"
#include "pipeline/store/sql/sql_store.h"
#include "pipeline/store/sqlite/checkpointer.h"
#include "pipeline/store/sqlite/file_lock.h"
#include "pipeline/store/sqlite/inbox.h"
#include "pipeline/store/sqlite/migrations.h"
#include "pipeline/store/sqlite/read_pool.h"
#include "pipeline/store/sqlite/writer.h"

namespace swage {
namespace sqlite {
namespace {

class SqliteStore final : public sql::SqlStore {
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

  Result<std::vector<bool>> AddDeliveries(const std::vector<NewDelivery>& deliveries) override {
    if (deliveries.empty()) return std::vector<bool>();
    const WallTime received = clock_.Now();
    auto logged = bodies_->Append(deliveries, received);
    if (!logged.ok()) return logged.error().With("add deliveries");
    BodyLog::Batch batch = std::move(logged).value();
    auto fresh = Commit(Writer::Kind::kLogged, [&](Tx& tx) {
      return sqlite::AddDeliveries(tx, deliveries, batch, received);
    });
    if (!fresh.ok()) return fresh.error().With("add deliveries");
    batch.Keep(std::count(fresh->begin(), fresh->end(), true));
    return fresh;
  }
  // A look first: a poll that finds nothing to do is no transaction.
  Result<std::vector<Effect>> TakeEffects(const TakeRequest& request) override {
    SWAGE_ASSIGN_OR_RETURN(const bool any,
                           Read("take effects", [&](sql::Connection& db, WallTime now) {
                             return sql::AnyEffectToTake(db, now, request);
                           }));
    return any ? SqlStore::TakeEffects(request) : std::vector<Effect>();
  }
  Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest& request) override {
    SWAGE_ASSIGN_OR_RETURN(const bool any, Read("take deliveries", AnyDeliveryToTake));
    if (!any) return std::vector<Delivery>();
    SWAGE_ASSIGN_OR_RETURN(std::vector<PendingRow> rows,
                           WriteFleeting("take deliveries", [&](Tx& tx) {
                             return sqlite::TakeDeliveries(tx, request);
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

  bool SharedByNodes() const override { return false; }
  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    return holds_.TryHold(name);
  }

 private:
  Result<void> RunWrite(const Writes& work) override { return Commit(Writer::Kind::kPlain, work); }
  Result<void> RunFleeting(const Writes& work) override {
    return Commit(Writer::Kind::kFleeting, work);
  }
  Result<void> RunRead(const Reads& work) override {
    return readers_.Run([&](Connection& db) { return work(db, engine_clock_.Now()); });
  }

  template <class Work>
  auto Commit(Writer::Kind kind, Work&& work) -> std::invoke_result_t<Work, Tx&> {
    return writer_.Run(kind, [&](Connection& db) {
      Tx tx{db, clock_.Now(), engine_clock_.Now()};
      return work(tx);
    });
  }

  // The order matters: the writer stops first, then the checkpointer, and the lock is given up
  // last.
  FileLock lock_;
  LocalHolds holds_;
  const Clock& clock_;
  const sql::EngineClock engine_clock_;
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
