#include "tests/harness/memory_store.h"

#include "pipeline/store/sqlite/inbox.h"
#include "pipeline/store/sqlite/migrations.h"

namespace swage::test {

MemoryStore::MemoryStore(const Clock& clock) : clock_(&clock) {
  auto db = sqlite::Connection::Open(":memory:", sqlite::Connection::Mode::kWriter);
  SWAGE_CHECK(db.ok());
  db_ = std::move(db).value();
  const auto migrated = sqlite::Migrate(*db_, sqlite::Migrations(), clock);
  SWAGE_CHECK(migrated.ok());
}

MemoryStore::~MemoryStore() {
  for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
}

void MemoryStore::Begin(const Clock& clock) {
  clock_ = &clock;
  engine_clock_ = std::make_unique<sql::EngineClock>(clock);
  SWAGE_CHECK(db_->Script("BEGIN IMMEDIATE").ok());
}

void MemoryStore::Forget() {
  bodies_.clear();
  SWAGE_CHECK(db_->Script("ROLLBACK").ok());
}

Result<std::vector<bool>> MemoryStore::AddDeliveries(const std::vector<NewDelivery>& deliveries) {
  std::vector<bool> fresh;
  for (const NewDelivery& delivery : deliveries) {
    const std::string now = std::to_string(ToMicros(clock_->Now()));
    const std::string due = std::to_string(ToMicros(engine_clock_->Now()));
    const auto rows = Rows(
        "INSERT INTO deliveries (forge, key, hash, event, received_at_us, not_before_at_us,"
        " body_segment, body_position, body_size)"
        " SELECT ?1, ?2, delivery_hash(?1, ?2), ?3, ?4, ?5, 0, 0, 0"
        " WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE hash = delivery_hash(?1, ?2)"
        "                   AND forge = ?1 AND key = ?2) RETURNING id",
        {delivery.forge, delivery.key, delivery.event, now, due});
    fresh.push_back(!rows.empty());
    if (!rows.empty()) bodies_[std::stoll(rows[0][0])] = delivery.body;
  }
  return fresh;
}

Result<std::vector<Delivery>> MemoryStore::TakeDeliveries(const TakeRequest& request) {
  SWAGE_ASSIGN_OR_RETURN(
      std::vector<sqlite::PendingRow> rows,
      Write("take deliveries", [&](sql::Tx& tx) { return sqlite::TakeDeliveries(tx, request); }));
  std::vector<Delivery> deliveries;
  for (sqlite::PendingRow& row : rows) {
    deliveries.push_back(std::move(row.delivery));
    deliveries.back().what.body = bodies_.at(deliveries.back().id.value);
  }
  return deliveries;
}

Result<void> MemoryStore::RunWrite(const Writes& work) {
  SWAGE_ASSIGN_OR_RETURN(sqlite::Savepoint savepoint, sqlite::Savepoint::Begin(*db_));
  sql::Tx tx{*db_, clock_->Now(), engine_clock_->Now()};
  SWAGE_RETURN_IF_ERROR(work(tx));
  return savepoint.Release();
}

Result<void> MemoryStore::RunRead(const Reads& work) {
  return work(*db_, engine_clock_->Now());
}

sqlite3_stmt* MemoryStore::Prepared(const char* sql, std::initializer_list<std::string_view> args) {
  sqlite3_stmt*& statement = prepared_[sql];
  if (statement == nullptr) {
    SWAGE_CHECK(sqlite3_prepare_v3(db_->handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                                   nullptr) == SQLITE_OK);
  }
  sqlite3_reset(statement);
  int at = 0;
  for (const std::string_view arg : args) {
    sqlite3_bind_text64(statement, ++at, arg.data(), arg.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return statement;
}

std::int64_t MemoryStore::Number(const char* sql, std::initializer_list<std::string_view> args) {
  sqlite3_stmt* statement = Prepared(sql, args);
  const std::int64_t number =
      sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_reset(statement);
  return number;
}

std::vector<std::vector<std::string>> MemoryStore::Rows(
    const char* sql, std::initializer_list<std::string_view> args) {
  sqlite3_stmt* statement = Prepared(sql, args);
  std::vector<std::vector<std::string>> rows;
  int rc = SQLITE_OK;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    std::vector<std::string>& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const void* bytes = sqlite3_column_blob(statement, i);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
      row.emplace_back(bytes == nullptr ? "" : static_cast<const char*>(bytes), size);
    }
  }
  SWAGE_CHECK(rc == SQLITE_DONE);
  sqlite3_reset(statement);
  return rows;
}

}  // namespace swage::test
