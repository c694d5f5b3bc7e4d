// SQLite joins the Store suite, and keeps the promises that are its own: one process, one file.
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "config/base/files.h"
#include "pipeline/store/sqlite/connection.h"
#include "pipeline/store/sqlite/migrations.h"
#include "pipeline/store/sqlite/queries.h"
#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

class SqliteEngine final : public StoreEngine {
 public:
  Result<std::unique_ptr<Store>> Open(const Clock& clock) override {
    return OpenSqliteStore(dir_.path() / "swage.db", clock);
  }

 private:
  TempDir dir_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreSuite,
                         ::testing::Values(StoreEngineFactory{
                             "sqlite", [] { return std::make_unique<SqliteEngine>(); }}),
                         [](const auto& engine) { return engine.param.name; });

class SqliteFile : public ::testing::Test {
 protected:
  fs::path file() const { return dir_.path() / "swage.db"; }

  std::unique_ptr<Store> Open() {
    auto store = OpenSqliteStore(file(), clock_);
    EXPECT_TRUE(store.ok()) << store.error().message;
    return store.ok() ? std::move(store).value() : nullptr;
  }

  void Script(const fs::path& path, const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_close(db);
  }

  TempDir dir_;
  ManualClock clock_;
};

TEST_F(SqliteFile, ASecondOpenIsRefusedByName) {
  const auto store = Open();
  const auto second = OpenSqliteStore(file(), clock_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find(file().string()), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
}

TEST_F(SqliteFile, ASecondProcessIsRefusedAndADeadOneIsNotWaitedFor) {
  int ready[2];
  int quit[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(quit), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = OpenSqliteStore(file(), clock_);
    const char word = store.ok() ? 'y' : 'n';
    (void)!write(ready[1], &word, 1);
    char wait = 0;
    (void)!read(quit[0], &wait, 1);
    _exit(0);  // without closing the store, as kill -9 would
  }
  char word = 0;
  ASSERT_EQ(read(ready[0], &word, 1), 1);
  ASSERT_EQ(word, 'y');
  const auto refused = OpenSqliteStore(file(), clock_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_NE(refused.error().message.find("process " + std::to_string(child)), std::string::npos)
      << refused.error().message;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NE(Open(), nullptr);
  for (const int fd : {ready[0], ready[1], quit[0], quit[1]}) close(fd);
}

TEST_F(SqliteFile, TheFilesAreForTheirOwnerAlone) {
  const auto store = Open();
  ASSERT_TRUE(store->AddDelivery({"f", "k", "e", "b"}).ok());
  for (const char* suffix : {"", "-wal", ".lock"}) {
    struct stat info {};
    ASSERT_EQ(stat((file().string() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(SqliteFile, ANewerSchemaIsRefusedWithBothVersions) {
  Open().reset();
  Script(file(), "INSERT INTO schema_migrations VALUES (99, '099_future.sql', 'x', 0)");
  const auto store = OpenSqliteStore(file(), clock_);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_NE(store.error().message.find("version 99"), std::string::npos) << store.error().message;
}

TEST_F(SqliteFile, AnEditedMigrationIsRefused) {
  Open().reset();
  Script(file(), "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  EXPECT_EQ(OpenSqliteStore(file(), clock_).error().code, ErrorCode::kInvalid);
}

TEST_F(SqliteFile, AForeignDatabaseIsRefusedAndLeftAlone) {
  Script(file(), "CREATE TABLE theirs (x)");
  EXPECT_EQ(OpenSqliteStore(file(), clock_).error().code, ErrorCode::kInvalid);
  Script(file(), "INSERT INTO theirs VALUES (1)");
}

TEST_F(SqliteFile, AFileThatIsNoDatabaseIsAnError) {
  ASSERT_TRUE(WriteFileAtomic(file(), std::string(8192, 'x')).ok());
  EXPECT_FALSE(OpenSqliteStore(file(), clock_).ok());
}

TEST_F(SqliteFile, Fault_X30_MigrationsApplyToNonEmptyTablesOnceAndInOrder) {
  using sqlite::Connection;
  Open()->AddDelivery({"f", "k", "e", "b"}).value();
  auto db = Connection::Open(file(), Connection::Mode::kWriter);
  ASSERT_TRUE(db.ok());
  std::vector<sqlite::Migration> longer = sqlite::Migrations();
  const int next = static_cast<int>(longer.size()) + 1;
  longer.push_back({next, "002_x.sql", "ALTER TABLE deliveries ADD COLUMN x TEXT DEFAULT 'y'"});
  longer.push_back({next + 1, "003_bad.sql", "CREATE TABLE half (x); SELECT nonsense"});
  EXPECT_FALSE(sqlite::Migrate(**db, longer, clock_).ok());
  longer.pop_back();
  EXPECT_TRUE(sqlite::Migrate(**db, longer, clock_).ok()) << "the good one was kept, and once";
  const auto half = (*db)->One(
      "HasTable", [](sqlite::Row& row) { return row.Int(); }, "half");
  EXPECT_EQ(half->value(), 0) << "the bad one left nothing";
}

// What a power cut leaves: the database and its WAL as they are at some instant, here even torn in
// the middle of a frame. Everything that was acknowledged before the copy must be in it.
TEST_F(SqliteFile, Fault_X2_ACopyTakenInMidRunHoldsWhatWasAcknowledged) {
  const auto store = Open();
  std::atomic<bool> stop{false};
  std::atomic<int> acknowledged{0};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      ASSERT_TRUE(*store->AddDelivery({"f", std::to_string(i), "e", std::string(3'000, 'b')}));
      acknowledged = i + 1;
    }
  });
  for (int copy = 0; copy < 5; ++copy) {
    const int want = acknowledged + 5;
    while (acknowledged < want) std::this_thread::yield();
    const int before = acknowledged;
    const fs::path target = dir_.path() / ("copy" + std::to_string(copy) + ".db");
    fs::copy_file(file(), target);
    fs::copy_file(file().string() + "-wal", target.string() + "-wal");
    // Torn: behind the last whole frame comes the beginning of another one.
    std::ofstream(target.string() + "-wal", std::ios::app) << std::string(1'000, '\x5a');
    auto reopened = OpenSqliteStore(target, clock_);
    ASSERT_TRUE(reopened.ok()) << reopened.error().message;
    EXPECT_GE((*reopened)->Counts()->deliveries, before);
    EXPECT_EQ((*reopened)->PendingDeliveries(100'000)->size(),
              static_cast<std::size_t>((*reopened)->Counts()->deliveries));
  }
  stop = true;
  writer.join();
}

// A limit on the file size stands for a full disk: SQLite gets EFBIG instead of ENOSPC.
TEST_F(SqliteFile, Fault_X3_AFullDiskIsUnavailableNeverOkAndHealsAlone) {
  const auto store = Open();
  ASSERT_TRUE(*store->AddDelivery({"f", "before", "e", "b"}));
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit tight = old;
  tight.rlim_cur = fs::file_size(file().string() + "-wal") + 8'192;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto full = store->AddDelivery({"f", "during", "e", std::string(100'000, 'b')});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(store->Counts()->deliveries, 1);
  EXPECT_TRUE(*store->AddDelivery({"f", "during", "e", "b"})) << "nothing of it was kept";
}

TEST_F(SqliteFile, Fault_X4_ALockedDatabaseIsUnavailableWithinSeconds) {
  const auto store = Open();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto begin = std::chrono::steady_clock::now();
  const auto locked = store->AddDelivery({"f", "k", "e", "b"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  ASSERT_FALSE(locked.ok());
  EXPECT_EQ(locked.error().code, ErrorCode::kUnavailable);
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_TRUE(*store->AddDelivery({"f", "k", "e", "b"}));
}

TEST_F(SqliteFile, TheWalStaysBoundedAndBodiesOfDecidedDeliveriesAreReused) {
  const auto store = Open();
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(*store->AddDelivery({"f", std::to_string(i), "e", std::string(1 << 20, 'b')}));
    IntakePlan plan;
    plan.delivery = store->PendingDeliveries(1)->front().id;
    ASSERT_TRUE(store->ApplyIntake(plan).ok());
  }
  EXPECT_LT(fs::file_size(file().string() + "-wal"), 110u << 20);
  EXPECT_LT(fs::file_size(file()), 10u << 20);
}

// Partial indexes hold what is pending, leased or queued; to walk one of them is no scan of the
// table.
bool ScansBigTable(const std::string& plan) {
  static const std::set<std::string> kBig = {"deliveries", "d",        "tasks",   "t",     "l",
                                             "effects",    "e",        "o",       "steps", "s",
                                             "n",          "timeline", "findings"};
  if (!plan.starts_with("SCAN ")) return false;
  for (const char* partial : {"tasks_queued", "tasks_leased", "deliveries_due", "effects_due"}) {
    if (plan.find(std::string("INDEX ") + partial) != std::string::npos) return false;
  }
  return kBig.contains(plan.substr(5, plan.find(' ', 5) - 5));
}

TEST_F(SqliteFile, EveryQueryIsValidAndUsesNoScanOfABigTable) {
  using sqlite::Connection;
  // They sort a handful of rows: heads of repositories, one repository's tasks, one task's
  // findings.
  const std::set<std::string> kMaySort = {"FindQueuedWithRoom", "ListTasksByRepo",
                                          "ListTasksByRepoAndState", "ListFindings",
                                          "FindTaskByPullRequest"};
  Open().reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  for (const std::string& name : sqlite::QueryNames()) {
    const std::string sql = "EXPLAIN QUERY PLAN " + sqlite::Query(name).sql;
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << name << ": " << sqlite3_errmsg(db);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const std::string plan = reinterpret_cast<const char*>(sqlite3_column_text(statement, 3));
      // In the order of the ids, and cut by a limit.
      const bool listing = name == "ListTasks" || name == "ListTimeline";
      EXPECT_TRUE(listing || !ScansBigTable(plan)) << name << ": " << plan;
      EXPECT_TRUE(plan.find("tasks_by_state") == std::string::npos ||
                  name.starts_with("ListTasksBy"))
          << name << " looks through all tasks of a state: " << plan;
      EXPECT_TRUE(plan.find("USE TEMP B-TREE FOR ORDER BY") == std::string::npos ||
                  kMaySort.contains(name))
          << name << ": " << plan;
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(db);
}

}  // namespace
}  // namespace swage
