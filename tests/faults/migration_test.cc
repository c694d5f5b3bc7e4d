// X30: kill -9 in the middle of an upgrade, again and again; then it goes through, and nothing that
// was there before is lost.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <csignal>
#include <thread>

#include "config/base/crypto.h"
#include "tests/harness/box.h"

namespace swage::test {
namespace {

constexpr int kDeliveries = 200'000;

std::filesystem::path Schema(const std::string& file) {
  return std::filesystem::path(SWAGE_SOURCE_DIR) / "pipeline/store/sqlite" / file;
}

// The database of the first release, with as many rows as make an upgrade take its time.
void MakeFirstDatabase(const std::filesystem::path& file) {
  const std::string init = ReadFile(Schema("001_init.sql"), 1 << 20).value();
  const std::string script =
      "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN;" + init +
      "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
      " checksum TEXT NOT NULL, applied_at_us INTEGER NOT NULL) STRICT;"
      "INSERT INTO schema_migrations VALUES (1, '001_init.sql', '" +
      Sha256Hex(init) +
      "', 0);"
      "INSERT INTO repos VALUES (1, 'box', '999', 'acme/old');"
      "INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,"
      " requester_login, requester_is_bot, profile, state, branch, queued_at_us, created_at_us,"
      " updated_at_us) VALUES (1, 1, 7, 1, '', 'old', '1', 'ada', 0, '', 'in_review', 'swage/7', 1,"
      " 1, 1);"
      "INSERT INTO task_texts VALUES (1, 'body', 'hash');"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
      std::to_string(kDeliveries) +
      ") INSERT INTO deliveries (forge, key, event, state, received_at_us, not_before_at_us,"
      " decided_at_us, body_segment, body_position, body_size)"
      " SELECT 'box', 'old-' || i, 'issues', 'ignored', i, i, i, 1, 0, 0 FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
      std::to_string(kDeliveries) +
      ") INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, state,"
      " not_before_at_us, created_at_us, updated_at_us)"
      " SELECT 1, 1, 'comment', 0, 'old-' || i, '{}', 0, 'failed', i, i, i FROM n;"
      "COMMIT;";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, script.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(db);
}

std::string NewestMigration() {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(Schema(""))) {
    const std::string name = entry.path().filename();
    const bool numbered = name.size() > 4 && name[3] == '_' && name.ends_with(".sql");
    if (numbered) newest = std::max(newest, name);
  }
  return newest;
}

TEST(Fault, X30_AnUpgradeThatIsKilledAgainAndAgainGoesThroughInTheEnd) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.start = false;
  Box box(std::move(options));
  ASSERT_TRUE(MakeDirs(box.data_dir()).ok());
  MakeFirstDatabase(box.data_dir() / "swage.db");
  const std::string version = "SELECT max(version) FROM schema_migrations";
  int in_the_middle = 0;
  // Later each time, so that every part of the start is met. What is measured here is time, but
  // nothing depends on it: each kill must be survived, whenever it comes.
  for (int ms = 2;
       ms <= 1'000 && box.Query("SELECT max(name) FROM schema_migrations") != NewestMigration();
       ms += ms / 4 + 2) {
    box.LaunchServer();
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    box.Signal(SIGKILL);
    EXPECT_EQ(box.AwaitExit(), 128 + SIGKILL) << "it could not start";
    EXPECT_EQ(box.Query("PRAGMA integrity_check"), "ok");
    if (box.Query(version) != "1") ++in_the_middle;
  }
  box.StartServer();
  EXPECT_EQ(box.Query("SELECT max(name) FROM schema_migrations"), NewestMigration());
  EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries"), std::to_string(kDeliveries));
  EXPECT_EQ(box.Query("SELECT count(*) FROM effects WHERE state = 'failed'"),
            std::to_string(kDeliveries));
  EXPECT_EQ(box.Query("SELECT state, title FROM tasks WHERE id = 1"), "in_review|old");
  EXPECT_EQ(box.Query("SELECT sum(parked) FROM deliveries"), "0");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
  std::printf("killed after a migration and before the end: %d times\n", in_the_middle);
}

}  // namespace
}  // namespace swage::test
