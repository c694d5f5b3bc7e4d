// X30: kill -9 in the middle of an upgrade, again and again; then it goes through, and nothing that
// was there before is lost.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <csignal>
#include <functional>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "tests/harness/box.h"
#include "tests/harness/paths.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

constexpr int kRows = 200'000;

std::filesystem::path Schema(const std::string& engine, const std::string& file = "") {
  return SourcePath("pipeline/store") / engine / file;
}

std::string FirstSchema(const std::string& engine) {
  return ReadFile(Schema(engine, "001_init.sql"), 1 << 20).value();
}

std::string NewestMigration(const std::string& engine) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(Schema(engine))) {
    const std::string name = entry.path().filename();
    const bool numbered = name.size() > 4 && name[3] == '_' && name.ends_with(".sql");
    if (numbered) newest = std::max(newest, name);
  }
  return newest;
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

TEST(Fault, X30_PostgresAnUpgradeThatIsKilledAgainAndAgainGoesThroughInTheEnd) {
  SWAGE_NEEDS_POSTGRES();
  PostgresServer& server = PostgresServer::Shared();
  const std::string url = server.NewDatabase().value();
  const auto query = [&](const std::string& sql) {
    const auto rows = server.Query(url, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? std::string(Trim(*rows)) : "";
  };
  const std::string init = FirstSchema("postgres");
  query(init);
  query(
      "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL,"
      " checksum TEXT NOT NULL, applied_at_us BIGINT NOT NULL)");
  query("INSERT INTO schema_migrations VALUES (1, '001_init.sql', '" + Sha256Hex(init) + "', 0)");
  query(OldRows("SELECT i FROM generate_series(1, " + std::to_string(kRows) + ") i", "FALSE",
                "body", "''"));
  // The ids were given by hand.
  query(
      "SELECT setval(pg_get_serial_sequence('tasks', 'id'), 100),"
      " setval(pg_get_serial_sequence('repos', 'id'), 100)");
  Box box(Options("store: \"" + url + "\"\n"));
  UpgradeUnderFire(box, "postgres", query);
}

}  // namespace
}  // namespace swage::test
