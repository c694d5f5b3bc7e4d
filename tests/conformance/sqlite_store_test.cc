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
  Result<void> Exec(const std::string& sql) override {
    sqlite3* db = nullptr;
    sqlite3_open((dir_.path() / "swage.db").c_str(), &db);
    const bool done = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    const std::string message = sqlite3_errmsg(db);
    sqlite3_close(db);
    if (!done) return MakeError(ErrorCode::kDenied, message);
    return Ok();
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
  for (const char* suffix : {"", "-wal", ".lock", ".bodies/00000001.log"}) {
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
  std::vector<sql::Migration> longer = sqlite::Migrations();
  const int next = longer.back().version + 1;
  longer.push_back({next, "002_x.sql", "ALTER TABLE deliveries ADD COLUMN x TEXT DEFAULT 'y'"});
  longer.push_back({next + 1, "003_bad.sql", "CREATE TABLE half (x); SELECT nonsense"});
  EXPECT_FALSE(sqlite::Migrate(**db, longer, clock_).ok());
  longer.pop_back();
  EXPECT_TRUE(sqlite::Migrate(**db, longer, clock_).ok()) << "the good one was kept, and once";
  const auto half = (*db)->One(
      "HasTable", [](sql::Row& row) { return row.Int(); }, "half");
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
    fs::copy(file().string() + ".bodies", target.string() + ".bodies");
    // Torn: behind the last whole frame comes the beginning of another one.
    std::ofstream(target.string() + "-wal", std::ios::app) << std::string(1'000, '\x5a');
    auto reopened = OpenSqliteStore(target, clock_);
    ASSERT_TRUE(reopened.ok()) << reopened.error().message;
    EXPECT_GE((*reopened)->Counts()->deliveries, before);
    const auto pending = PendingOf(**reopened, 100'000);
    EXPECT_EQ(pending->size(), static_cast<std::size_t>((*reopened)->Counts()->deliveries));
    for (const Delivery& d : *pending) EXPECT_EQ(d.what.body, std::string(3'000, 'b'));
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
  tight.rlim_cur = fs::file_size(file().string() + "-wal") + 64'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto full = store->AddDelivery({"f", "during", "e", std::string(1 << 20, 'b')});
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
    plan.delivery = PendingOf(*store, 1)->front().id;
    ASSERT_TRUE(store->ApplyIntake(plan).ok());
  }
  EXPECT_LT(fs::file_size(file().string() + "-wal"), 110u << 20);
  EXPECT_LT(fs::file_size(file()), 10u << 20);
}

// Rows of deliveries are not synced: here the WAL lost all of them, and only them.
TEST_F(SqliteFile, Fault_X2_RowsThatAPowerCutTookComeBackFromTheLog) {
  const auto store = Open();
  ASSERT_TRUE(*store->AddDelivery({"f", "decided", "e", "body of decided"}));
  IntakePlan plan;
  plan.delivery = PendingOf(*store, 1)->front().id;
  ASSERT_TRUE(store->ApplyIntake(plan).ok());
  const auto synced_wal = fs::file_size(file().string() + "-wal");
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(*store->AddDelivery({"f", key, "e", std::string("body of ") + key}));
    clock_.Advance(std::chrono::seconds(1));
  }
  const fs::path copy = dir_.path() / "copy.db";
  fs::copy_file(file(), copy);
  fs::copy_file(file().string() + "-wal", copy.string() + "-wal");
  fs::copy(file().string() + ".bodies", copy.string() + ".bodies");
  fs::resize_file(copy.string() + "-wal", synced_wal);
  for (int open = 0; open < 2; ++open) {
    const auto reopened = OpenSqliteStore(copy, clock_);
    ASSERT_TRUE(reopened.ok()) << reopened.error().message;
    const auto again = PendingOf(**reopened, 10);
    const auto before = PendingOf(*store, 10);
    ASSERT_EQ(again->size(), 3u) << "all that was acknowledged, and what was decided stays so";
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ((*again)[i].what.key, (*before)[i].what.key);
      EXPECT_EQ((*again)[i].what.body, (*before)[i].what.body);
      EXPECT_EQ((*again)[i].received, (*before)[i].received);
    }
  }
}

class BodyFiles : public SqliteFile {
 protected:
  std::vector<fs::path> Segments() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(file().string() + ".bodies")) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  // Changes the last byte of `text` in the file.
  static void Damage(const fs::path& path, const std::string& text) {
    std::string bytes = *ReadFile(path, 64 << 20);
    const std::size_t at = bytes.find(text);
    ASSERT_NE(at, bytes.npos);
    bytes[at + text.size() - 1] ^= 1;
    ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
  }

  static void Decide(Store& store) {
    for (const Delivery& d : *PendingOf(store, 1'000)) {
      IntakePlan plan;
      plan.delivery = d.id;
      ASSERT_TRUE(store.ApplyIntake(plan).ok());
    }
  }
};

TEST_F(BodyFiles, ATornBatchLeavesWhatIsWholeAndIsOverwrittenByNobody) {
  {
    const auto store = Open();
    ASSERT_TRUE(store->AddDeliveries({{"f", "a", "e", "body-a"}, {"f", "b", "e", "body-b"}}).ok());
  }
  // As if the power had gone before the rows were committed, and within the second record.
  Script(file(), "DELETE FROM deliveries; DELETE FROM body_segments");
  Damage(Segments().front(), "body-b");
  const auto store = Open();
  const auto pending = PendingOf(*store, 10);
  ASSERT_EQ(pending->size(), 1u);
  EXPECT_EQ(pending->front().what.body, "body-a");
  EXPECT_TRUE(*store->AddDelivery({"f", "b", "e", "body-b"})) << "it was never acknowledged";
  EXPECT_EQ(PendingOf(*store, 10)->size(), 2u);
}

TEST_F(BodyFiles, ADamagedBodyIsReportedByFileAndStopsNoOther) {
  auto store = Open();
  ASSERT_TRUE(
      store
          ->AddDeliveries(
              {{"f", "a", "e", "body-a"}, {"f", "b", "e", "body-b"}, {"f", "c", "e", "body-c"}})
          .ok());
  const fs::path segment = Segments().front();
  Damage(segment, "body-b");
  for (int open = 0; open < 2; ++open) {
    const auto pending = PendingOf(*store, 10);
    ASSERT_EQ(pending->size(), 3u);
    EXPECT_EQ((*pending)[0].what.body, "body-a");
    EXPECT_EQ((*pending)[2].what.body, "body-c");
    const Delivery& damaged = (*pending)[1];
    EXPECT_EQ(damaged.what.body, "");
    ASSERT_TRUE(damaged.damage.has_value());
    EXPECT_EQ(damaged.damage->code, ErrorCode::kInternal);
    EXPECT_NE(damaged.damage->message.find(segment.string()), std::string::npos);
    store.reset();
    store = Open();
  }
  Decide(*store);
  EXPECT_TRUE(PendingOf(*store, 10)->empty()) << "and it can be given up";
}

TEST_F(BodyFiles, AMissingSegmentIsDamageToo) {
  Open()->AddDelivery({"f", "a", "e", "body-a"}).value();
  fs::remove_all(file().string() + ".bodies");
  const auto store = Open();
  ASSERT_TRUE(*store->AddDelivery({"f", "b", "e", "body-b"}));
  const auto pending = PendingOf(*store, 10);
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_TRUE((*pending)[0].damage.has_value());
  EXPECT_EQ((*pending)[1].what.body, "body-b");
  Decide(*store);
}

TEST_F(BodyFiles, SegmentsGoOnceTheirDeliveriesAreDecided) {
  auto store = Open();
  const std::string large(3 << 20, 'b');
  for (int i = 0; i < 24; ++i) {  // 72 MB: more than two segments
    ASSERT_TRUE(*store->AddDelivery({"f", std::to_string(i), "e", large}));
  }
  EXPECT_EQ(Segments().size(), 3u);
  Decide(*store);
  EXPECT_EQ(Segments().size(), 1u) << "the one that is written to";
  store.reset();
  store = Open();
  EXPECT_TRUE(Segments().empty());
  ASSERT_TRUE(*store->AddDelivery({"f", "kept", "e", "body"}));
  store.reset();
  store = Open();
  EXPECT_EQ(Segments().size(), 1u);
  EXPECT_EQ(PendingOf(*store, 10)->front().what.body, "body");
}

TEST_F(BodyFiles, TheLogOfAnotherDatabaseIsNotReplayed) {
  Open()->AddDelivery({"f", "a", "e", "body-a"}).value();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(file().string() + suffix);
  const auto store = Open();
  EXPECT_EQ(store->Counts()->deliveries, 0);
  EXPECT_TRUE(Segments().empty());
}

// Partial indexes hold what is pending, leased or queued; to walk one of them is no scan of the
// table.
bool ScansBigTable(const std::string& plan) {
  static const std::set<std::string> kBig = {"deliveries", "d",       "tasks", "t",     "l", "q",
                                             "effects",    "e",       "o",     "steps", "s", "n",
                                             "timeline",   "findings"};
  if (!plan.starts_with("SCAN ")) return false;
  for (const char* partial : {"tasks_queued", "tasks_leased", "deliveries_due", "effects_due",
                              "deliveries_parked", "effects_failed"}) {
    if (plan.find(std::string("INDEX ") + partial) != std::string::npos) return false;
  }
  return kBig.contains(plan.substr(5, plan.find(' ', 5) - 5));
}

TEST_F(SqliteFile, EveryQueryIsValidAndUsesNoScanOfABigTable) {
  using sqlite::Connection;
  // They sort a handful of rows: heads of repositories, one repository's tasks, one task's
  // findings.
  const std::set<std::string> kMaySort = {
      "FindQueued",      "FindQueuedWithRoom",      "ListBlockedHosts",     "ListLevelSteps",
      "ListTasksByRepo", "ListTasksByRepoAndState", "ListFindings",         "ListLeasedBy",
      "ListLeases",      "ListDelegates",           "FindTaskByPullRequest"};
  Open().reset();
  const auto connection = Connection::Open(file(), Connection::Mode::kReader);
  ASSERT_TRUE(connection.ok());
  sqlite3* const db = (*connection)->handle();
  for (const std::string& name : sqlite::Queries().Names()) {
    const std::string sql = "EXPLAIN QUERY PLAN " + sqlite::Queries().Get(name).sql;
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
}

}  // namespace
}  // namespace swage
