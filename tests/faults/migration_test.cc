// X30: kill -9 in the middle of an upgrade, again and again; then it goes through, and nothing that
// was there before is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "tests/harness/box.h"
#include "tests/harness/node_process.h"
#include "tests/harness/paths.h"
#include "tests/harness/postgres_server.h"
#include "tests/harness/postgres_session.h"

namespace swage::test {
namespace {

constexpr int kRows = 200'000;
constexpr int kFewRows = 5'000;  ///< where a lock makes the time

std::filesystem::path Schema(const std::string& engine, const std::string& file = "") {
  return SourcePath("pipeline/store") / engine / file;
}

std::string FirstSchema(const std::string& engine) {
  return ReadFile(Schema(engine, "001_init.sql"), 1 << 20).value();
}

/// In their order.
std::vector<std::string> Migrations(const std::string& engine) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Schema(engine))) {
    const std::string name = entry.path().filename();
    const bool numbered = name.size() > 4 && name[3] == '_' && name.ends_with(".sql");
    if (numbered) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string NewestMigration(const std::string& engine) {
  return Migrations(engine).back();
}

// One task, and as many rows as make an upgrade take its time. `numbers` is a query of 1 to kRows
// as i; `body` the columns that only one engine has.
std::string OldRows(const std::string& numbers, const std::string& is_bot,
                    const std::string& body_columns, const std::string& body_values) {
  return "INSERT INTO repos (id, forge, forge_repo_id, path) VALUES (1, 'box', '999', 'acme/old');"
         "INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,"
         " requester_login, requester_is_bot, profile, state, branch, queued_at_us, created_at_us,"
         " updated_at_us) VALUES (1, 1, 7, 1, '', 'old', '1', 'ada', " +
         is_bot +
         ", '', 'in_review', 'swage/7', 1, 1, 1);"
         "INSERT INTO task_texts VALUES (1, 'body', 'hash');"
         "INSERT INTO deliveries (forge, key, event, state, received_at_us, not_before_at_us,"
         " decided_at_us, " +
         body_columns + ") SELECT 'box', 'old-' || i, 'issues', 'ignored', i, i, i, " +
         body_values + " FROM (" + numbers +
         ") n;"
         "INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, state,"
         " not_before_at_us, created_at_us, updated_at_us)"
         " SELECT 1, 1, 'comment', 0, 'old-' || i, '{}', 0, 'failed', i, i, i FROM (" +
         numbers + ") n;";
}

// `query` asks the database. What is measured is time, later with each kill so that every part of
// the start is met, but nothing depends on it: each kill must be survived, whenever it comes.
void UpgradeUnderFire(Box& box, const std::string& engine,
                      const std::function<std::string(const std::string&)>& query) {
  const std::string newest = "SELECT max(name) FROM schema_migrations";
  for (int ms = 2; ms <= 1'000 && query(newest) != NewestMigration(engine); ms += ms / 4 + 2) {
    box.LaunchServer();
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    box.Signal(SIGKILL);
    EXPECT_EQ(box.AwaitExit(), 128 + SIGKILL) << "it could not start";
  }
  box.StartServer();
  EXPECT_EQ(query(newest), NewestMigration(engine));
  EXPECT_EQ(query("SELECT count(*) FROM deliveries WHERE key LIKE 'old-%'"), std::to_string(kRows));
  EXPECT_EQ(query("SELECT count(*) FROM effects WHERE key LIKE 'old-%' AND state = 'failed'"),
            std::to_string(kRows));
  EXPECT_EQ(query("SELECT state, title FROM tasks WHERE id = 1"), "in_review|old");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
}

BoxOptions Options(std::string extra_config = "") {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.extra_config = std::move(extra_config);
  options.start = false;
  return options;
}

TEST(Fault, X30_AnUpgradeThatIsKilledAgainAndAgainGoesThroughInTheEnd) {
  Box box(Options());
  ASSERT_TRUE(MakeDirs(box.data_dir()).ok());
  const std::string init = FirstSchema("sqlite");
  const std::string numbers =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
      std::to_string(kRows) + ") SELECT i FROM n";
  const std::string script =
      "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN;" + init +
      "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
      " checksum TEXT NOT NULL, applied_at_us INTEGER NOT NULL) STRICT;"
      "INSERT INTO schema_migrations VALUES (1, '001_init.sql', '" +
      Sha256Hex(init) + "', 0);" +
      OldRows(numbers, "0", "body_segment, body_position, body_size", "1, 0, 0") + "COMMIT;";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((box.data_dir() / "swage.db").c_str(), &db), SQLITE_OK);
  char* error = nullptr;
  ASSERT_EQ(sqlite3_exec(db, script.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_close(db);
  UpgradeUnderFire(box, "sqlite", [&](const std::string& sql) { return box.Query(sql); });
  EXPECT_EQ(box.Query("PRAGMA integrity_check"), "ok");
}

/// A database of version 1, with rows.
class OldPostgres {
 public:
  explicit OldPostgres(int rows) : rows_(rows), url_(server_.NewDatabase().value()) {
    const std::string init = FirstSchema("postgres");
    Query(init);
    Query(
        "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL,"
        " checksum TEXT NOT NULL, applied_at_us BIGINT NOT NULL)");
    Query("INSERT INTO schema_migrations VALUES (1, '001_init.sql', '" + Sha256Hex(init) + "', 0)");
    Query(OldRows("SELECT i FROM generate_series(1, " + std::to_string(rows_) + ") i", "FALSE",
                  "body", "''"));
    // The ids were given by hand.
    Query(
        "SELECT setval(pg_get_serial_sequence('tasks', 'id'), 100),"
        " setval(pg_get_serial_sequence('repos', 'id'), 100)");
  }
  int rows() const { return rows_; }
  const std::string& url() const { return url_; }
  std::string Query(const std::string& sql) const {
    const auto rows = server_.Query(url_, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? std::string(Trim(*rows)) : "";
  }
  /// Of sessions that wait for a lock of any kind.
  std::string Waiting() const {
    return Query(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'");
  }

 private:
  PostgresServer& server_ = PostgresServer::Shared();
  const int rows_;
  const std::string url_;
};

/// Somebody reads a table, and does not come to an end: whoever wants to alter it waits.
class LongRead {
 public:
  LongRead(const std::string& url, const std::string& table) : session_(url) {
    EXPECT_TRUE(session_.Query("BEGIN").ok());
    EXPECT_TRUE(session_.Query("LOCK TABLE " + table + " IN ACCESS SHARE MODE").ok());
  }

 private:
  PostgresSession session_;
};

void ExpectUpgraded(const OldPostgres& old) {
  EXPECT_EQ(old.Query("SELECT max(name) FROM schema_migrations"), NewestMigration("postgres"));
  EXPECT_EQ(old.Query("SELECT count(*) FROM deliveries WHERE key LIKE 'old-%'"),
            std::to_string(old.rows()));
  EXPECT_EQ(old.Query("SELECT count(*) FROM effects WHERE key LIKE 'old-%' AND hold = 0"),
            std::to_string(old.rows()));
  EXPECT_EQ(old.Query("SELECT state, title FROM tasks WHERE id = 1"), "in_review|old");
}

TEST(Fault, X30_PostgresAnUpgradeThatIsKilledAgainAndAgainGoesThroughInTheEnd) {
  SWAGE_NEEDS_POSTGRES();
  const OldPostgres old(kRows);
  Box box(Options("store: \"" + old.url() + "\"\n"));
  UpgradeUnderFire(box, "postgres", [&](const std::string& sql) { return old.Query(sql); });
}

// Not by luck, but in the middle: effects has its new columns, deliveries cannot have them yet.
TEST(Fault, X30_PostgresAServerThatIsKilledInsideAMigrationHasDoneNothingOfIt) {
  SWAGE_NEEDS_POSTGRES();
  const OldPostgres old(kFewRows);
  Box box(Options("store: \"" + old.url() + "\"\n"));
  auto read = std::make_unique<LongRead>(old.url(), "deliveries");
  box.LaunchServer();
  ASSERT_TRUE(box.WaitFor([&] { return old.Waiting() == "1"; })) << box.ServerLog();
  box.Signal(SIGKILL);
  EXPECT_EQ(box.AwaitExit(), 128 + SIGKILL);
  EXPECT_EQ(old.Query("SELECT max(name) FROM schema_migrations"), "003_audit.sql");
  EXPECT_EQ(
      old.Query("SELECT count(*) FROM information_schema.columns"
                " WHERE table_name IN ('effects', 'deliveries') AND column_name LIKE 'held%'"),
      "0");
  // The next one waits for the dead one's session, which does not know yet.
  box.LaunchServer();
  ASSERT_TRUE(box.WaitFor([&] { return old.Waiting() == "2"; })) << box.ServerLog();
  read.reset();
  ASSERT_TRUE(box.WaitForLog("webhooks on port"));
  ExpectUpgraded(old);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
}

TEST(Fault, X30_PostgresTwoNodesThatStartAtOnceOnAnOldSchemaUpgradeItOnce) {
  SWAGE_NEEDS_POSTGRES();
  const OldPostgres old(kFewRows);
  Box box(Options("store: \"" + old.url() +
                  "\"\nnode: {name: front, roles: [web, publisher, housekeeping]}\n"));
  NodeOptions worker;
  worker.name = "worker";
  worker.roles = "worker";
  NodeProcess other(box, worker);
  auto read = std::make_unique<LongRead>(old.url(), "deliveries");
  box.LaunchServer();
  other.Launch();
  // One is inside, the other at the door.
  ASSERT_TRUE(box.WaitFor([&] { return old.Waiting() == "2"; })) << box.ServerLog() << other.Log();
  read.reset();
  ASSERT_TRUE(box.WaitForLog("webhooks on port"));
  ASSERT_TRUE(other.WaitUntilWell());
  ExpectUpgraded(old);
  EXPECT_EQ(old.Query("SELECT string_agg(name, ' ' ORDER BY applied_at_us, version)"
                      " FROM schema_migrations"),
            Join(Migrations("postgres"), " "));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
}

// The newer program came first; what it has made must not be written to by one that knows less.
TEST(Fault, X30_PostgresANodeThatIsOlderThanTheSchemaRefusesByName) {
  SWAGE_NEEDS_POSTGRES();
  PostgresServer& server = PostgresServer::Shared();
  const std::string url = server.NewDatabase().value();
  BoxOptions options = Options("store: \"" + url + "\"\nnode: {name: front}\n");
  options.start = true;
  Box box(std::move(options));
  ASSERT_TRUE(server
                  .Query(url,
                         "INSERT INTO schema_migrations VALUES (900, '900_of_tomorrow.sql',"
                         " 'sum', 0)")
                  .ok());
  NodeOptions worker;
  worker.name = "worker";
  worker.roles = "worker";
  NodeProcess older(box, worker);
  EXPECT_EQ(older.ServeToExit(), 1);
  EXPECT_THAT(older.Log(), testing::HasSubstr("the schema has version 900"));
  EXPECT_THAT(older.Log(), testing::HasSubstr("run the newer program"));
  EXPECT_EQ(
      std::string(Trim(*server.Query(url, "SELECT count(*) FROM nodes WHERE name = 'worker'"))),
      "0");
  // So does the one that was there before, when it comes again.
  EXPECT_EQ(box.StopServer(), 0);
  EXPECT_EQ(box.ServeToExit(), 1);
}

}  // namespace
}  // namespace swage::test
