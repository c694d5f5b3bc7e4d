// Upgrades: a database of every earlier schema, with rows in its tables, opens and works.
//
// Whoever adds a migration that makes or changes a table adds rows of the schema before it to
// kRows.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "config/base/files.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/migrations.h"
#include "pipeline/store/sqlite/migrations.h"
#include "pipeline/store/store.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/postgres_server.h"

namespace swage {
namespace {

using std::chrono::minutes;

/// Put in once the schema has this version. Words that both engines take: '1' is also true.
struct Rows {
  int version;
  const char* sql;
};

constexpr Rows kRows[] = {
    {1, R"(
INSERT INTO repos (id, forge, forge_repo_id, path) VALUES (1, 'forge', '7', 'acme/lib');
INSERT INTO commands (key, obeyed_at_us) VALUES ('comment:1', 5);
INSERT INTO tasks (id, repo, issue_number, generation, issue_url, title, requester_id,
    requester_login, requester_is_bot, profile, state, stage, branch, epoch, attempt, lease_node,
    lease_expires_at_us, queued_at_us, created_at_us, updated_at_us) VALUES
  (1, 1, 11, 1, 'u', 'Queued', '42', 'alice', '0', '', 'queued', 'none', 'swage/11', 0, 0, '', 0,
   1, 1, 1),
  (2, 1, 12, 1, 'u', 'Orphan', '42', 'alice', '0', '', 'running', 'agent', 'swage/12', 1, 1,
   'gone', 1, 2, 2, 2),
  (3, 1, 13, 1, 'u', 'Reviewed', '42', 'alice', '1', '', 'in_review', 'none', 'swage/13', 1, 1, '',
   0, 3, 3, 3);
INSERT INTO task_texts (task_id, body, hash) VALUES (1, 'b', 'h'), (2, 'b', 'h'), (3, 'b', 'h');
INSERT INTO remarks (task_id, text, actor, created_at_us) VALUES (2, 'mind the gap', 'bob', 4);
INSERT INTO cycles (task_id, cycle, run, commit_sha, tree_sha, passed, digest, signature,
    finished_at_us) VALUES (2, 1, 1, 'c', 't', '0', 'd', 's', 5);
INSERT INTO steps (task_id, run, cycle, kind, name, required, outcome, summary, commit_sha,
    log_path, started_at_us) VALUES (2, 1, 1, 'agent', 'agent', '1', 'running', '', '', 'log', 5);
INSERT INTO findings (task_id, fingerprint, gate, severity, rule, path, line, message)
  VALUES (3, 'f', 'style', 'warning', 'r', 'a.cc', 1, 'm');
INSERT INTO effects (task_id, repo, kind, ordinal, key, payload, epoch, not_before_at_us,
    created_at_us, updated_at_us) VALUES
  (3, 1, 'sticky', 0, 'task:3:sticky', '{}', 1, 0, 6, 6),
  (NULL, 1, 'comment', 0, 'comment:9', '{}', 0, 0, 6, 6);
INSERT INTO timeline (task_id, at_us, kind, detail) VALUES (3, 7, 'received', 'asked for');
)"},
    {2, R"(
INSERT INTO nodes (name, instance, host, roles, version, url, started_at_us, heartbeat_at_us)
  VALUES ('one', 'i', 'h', 'web', '1', '', 1, 2);
)"},
    {4, R"(
INSERT INTO paces (scope, breaker, cause, failures, pauses, paused_until_at_us, since_at_us, reason)
  VALUES ('elsewhere', 'open', 'limit', 0, 1, 5, 4, '429');
UPDATE effects SET held_by = 'gone', held_until_at_us = 5, hold = 1 WHERE key = 'comment:9';
)"},
    {5, R"(
INSERT INTO polls (key, cursor, etag, updated_at_us) VALUES ('changes:forge:7', '5', 'e', 5);
INSERT INTO label_tasks (task_id) VALUES (1);
)"},
    {7, R"(
INSERT INTO delegates (task_id, account, login, let_by, created_at_us)
  VALUES (2, '7', 'eve', 'alice', 8);
)"},
    {11, R"(
INSERT INTO task_levels (task_id, level, reasons, run, cycle, at_us)
  VALUES (3, 'sandbox', 'a lock file', 1, 0, 9);
INSERT INTO blocked_hosts (task_id, host, times) VALUES (3, 'a.example.com:443', 2);
INSERT INTO level_waits (task_id, level, epoch) VALUES (3, 'sandbox', 1);
)"},
    {13, R"(
INSERT INTO task_signs (task_id, sign) VALUES (3, 'limit_hit');
)"},
    {16, R"(
INSERT INTO dependencies (task_id, issue_number) VALUES (3, 9);
INSERT INTO task_starts (at_us, repo, forge, account) VALUES (1, 1, 'f', '5');
)"},
};

// What the two engines keep in columns of their own.
constexpr const char* kSqliteDelivery =
    "INSERT INTO deliveries (forge, key, event, state, received_at_us, not_before_at_us,"
    " decided_at_us, body_segment, body_position, body_size)"
    " VALUES ('f', 'k', 'e', 'done', 1, 1, 2, 0, 0, 0)";
constexpr int kHashedFrom = 12;
constexpr const char* kSqliteHashedDelivery =
    "INSERT INTO deliveries (forge, key, hash, event, state, received_at_us, not_before_at_us,"
    " decided_at_us, body_segment, body_position, body_size)"
    " VALUES ('f', 'k', delivery_hash('f', 'k'), 'e', 'done', 1, 1, 2, 0, 0, 0)";
constexpr const char* kPostgresDelivery =
    "INSERT INTO deliveries (forge, key, event, state, received_at_us, not_before_at_us,"
    " decided_at_us, body) VALUES ('f', 'k', 'e', 'done', 1, 1, 2, '')";
// Rows above were put in by number; the next one must not be theirs.
constexpr const char* kPostgresNumbers =
    "SELECT setval(pg_get_serial_sequence('repos', 'id'), 100),"
    " setval(pg_get_serial_sequence('tasks', 'id'), 100)";

std::vector<sql::Migration> UpTo(const std::vector<sql::Migration>& all, int version) {
  std::vector<sql::Migration> some;
  for (const sql::Migration& migration : all) {
    if (migration.version <= version) some.push_back(migration);
  }
  return some;
}

std::string RowsOf(int version) {
  std::string sql;
  for (const Rows& rows : kRows) {
    if (rows.version <= version) sql += rows.sql;
  }
  return sql;
}

void ExpectAllIsThereAndWorks(Store& store, const Clock& clock) {
  EXPECT_FALSE(store.AddDelivery({"f", "k", "e", "again"}).value()) << "the repetition is known";
  EXPECT_TRUE(store.AddDelivery({"f", "k2", "e", "new"}).value());
  EXPECT_EQ(store.GetTask({1})->text.title, "Queued");
  EXPECT_TRUE(store.GetTask({3})->requester.is_bot);
  EXPECT_EQ(store.ListFindings({3})->size(), 1u);
  EXPECT_EQ(store.ListTimeline({3}, 0, 10)->size(), 1u);
  IntakePlan obeyed;
  obeyed.command_key = "comment:1";
  obeyed.changes.push_back({{3}, TaskChangeKind::kCancel, RunKind::kFix, "", "bob", ""});
  EXPECT_TRUE(store.ApplyIntake(obeyed)->cancelled.empty()) << "it was obeyed before";
  const auto orphan = store.ClaimTask("node", minutes(1), {9, 9, 3}).value();
  ASSERT_TRUE(orphan.has_value());
  EXPECT_EQ(orphan->task.id.value, 2) << "what was begun comes first";
  EXPECT_EQ(orphan->remarks.size(), 1u);
  EXPECT_EQ(orphan->history.size(), 1u);
  EXPECT_EQ(store.ListSteps({2})->front().outcome, "interrupted");
  const auto queued = store.ClaimTask("node", minutes(1), {9, 9, 3}).value();
  ASSERT_TRUE(queued.has_value());
  EXPECT_EQ(queued->task.id.value, 1);
  RunOutcome outcome;
  outcome.state = TaskState::kFailed;
  EXPECT_TRUE(store.FinishRun(queued->lease, outcome).ok());
  IntakePlan more;
  NewTask task;
  task.repo = {"forge", "7", "acme/lib"};
  task.issue_number = 14;
  task.branch_prefix = "swage/";
  more.task = task;
  EXPECT_TRUE(store.ApplyIntake(more)->created);
  EXPECT_LE(store.GetTask({3})->updated, clock.Now());
}

TEST(Upgrade, SqliteFromEveryEarlierSchema) {
  for (const sql::Migration& migration : sqlite::Migrations()) {
    SCOPED_TRACE(migration.name);
    const TempDir dir;
    const ManualClock clock;
    const auto file = dir.path() / "swage.db";
    {
      auto db = sqlite::Connection::Open(file, sqlite::Connection::Mode::kWriter);
      ASSERT_TRUE(db.ok());
      const auto some = UpTo(sqlite::Migrations(), migration.version);
      ASSERT_TRUE(sqlite::Migrate(**db, some, clock).ok());
      const auto filled = (*db)->Script(RowsOf(migration.version) + (migration.version < kHashedFrom
                                                                         ? kSqliteDelivery
                                                                         : kSqliteHashedDelivery));
      ASSERT_TRUE(filled.ok()) << filled.error().message;
    }
    const auto store = OpenSqliteStore(file, clock);
    ASSERT_TRUE(store.ok()) << store.error().message;
    ExpectAllIsThereAndWorks(**store, clock);
  }
}

TEST(Upgrade, PostgresFromEveryEarlierSchema) {
  SWAGE_NEEDS_POSTGRES();
  for (const sql::Migration& migration : postgres::Migrations()) {
    SCOPED_TRACE(migration.name);
    const ManualClock clock;
    PostgresOptions options;
    options.url = test::PostgresServer::Shared().NewDatabase().value();
    options.engine_clock = &clock;
    {
      auto db = postgres::Connection::Open(postgres::ParseAddress(options.url, "").value());
      ASSERT_TRUE(db.ok()) << db.error().message;
      const auto some = UpTo(postgres::Migrations(), migration.version);
      ASSERT_TRUE(postgres::Migrate(**db, some).ok());
      for (const std::string& script :
           {RowsOf(migration.version) + kPostgresDelivery, std::string(kPostgresNumbers)}) {
        const auto filled = (*db)->Script(script);
        ASSERT_TRUE(filled.ok()) << filled.error().message;
      }
    }
    const auto store = OpenPostgresStore(options, clock);
    ASSERT_TRUE(store.ok()) << store.error().message;
    ExpectAllIsThereAndWorks(**store, clock);
  }
}

}  // namespace
}  // namespace swage
