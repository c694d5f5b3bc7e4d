// PostgreSQL joins the Store suite, and keeps the promises that are its own: many processes on one
// database, and a database that goes away.
#include <atomic>
#include <condition_variable>
#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "config/base/text.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/postgres/migrations.h"
#include "pipeline/store/postgres/queries.h"
#include "pipeline/store/sqlite/queries.h"
#include "tests/conformance/store_suite.h"
#include "tests/harness/paths.h"
#include "tests/harness/postgres_server.h"

namespace swage {
namespace {

using test::PostgresServer;
using namespace std::chrono_literals;

std::string NewDatabase() {
  auto url = PostgresServer::Shared().NewDatabase();
  EXPECT_TRUE(url.ok()) << url.error().message;
  return url.ok() ? *url : "";
}

PostgresOptions At(const std::string& url) {
  PostgresOptions options;
  options.url = url;
  return options;
}

class PostgresEngine final : public StoreEngine {
 public:
  explicit PostgresEngine(bool pgbouncer) : options_(At(NewDatabase())) {
    options_.pgbouncer = pgbouncer;
  }
  Result<std::unique_ptr<Store>> Open(const Clock& clock) override {
    options_.engine_clock = &clock;
    return OpenPostgresStore(options_, clock);
  }
  Result<void> Exec(const std::string& sql) override {
    SWAGE_ASSIGN_OR_RETURN(const auto address, postgres::ParseAddress(options_.url, ""));
    SWAGE_ASSIGN_OR_RETURN(const auto db, postgres::Connection::Open(address));
    return db->Script(sql);
  }

 private:
  PostgresOptions options_;
};

StoreEngineFactory Factory(std::string name, bool pgbouncer) {
  return {std::move(name), [pgbouncer]() -> std::unique_ptr<StoreEngine> {
            if (!PostgresServer::Installed()) return nullptr;
            return std::make_unique<PostgresEngine>(pgbouncer);
          }};
}

// As a pooler wants it: nothing kept in the session.
INSTANTIATE_TEST_SUITE_P(Postgres, StoreSuite,
                         ::testing::Values(Factory("postgres", false),
                                           Factory("postgres_for_pgbouncer", true)),
                         [](const auto& engine) { return engine.param.name; });

TEST(Queries, HaveTheSameNamesInBothEngines) {
  const auto names = [](std::string_view folder) {
    std::set<std::string> found;
    const auto text = ReadFile(test::SourcePath("pipeline/store") / folder / "queries.sql");
    EXPECT_TRUE(text.ok());
    for (const sql::NamedQuery& query : sql::ParseQueries(*text)) found.insert(query.name);
    return found;
  };
  EXPECT_GT(names("sqlite").size(), 50u);
  EXPECT_EQ(names("sqlite"), names("postgres"));
}

TEST(PostgresAddress, KeepsThePasswordOutOfItsLabel) {
  const auto address = postgres::ParseAddress(
      "postgres://bot:s%23cret@db.example:5433/swage?sslmode=require&pgbouncer=true", "");
  ASSERT_TRUE(address.ok()) << address.error().message;
  EXPECT_TRUE(address->pgbouncer);
  EXPECT_EQ(address->label, "database swage at db.example:5433 as bot");
  const std::map<std::string, std::string> options(address->options.begin(),
                                                   address->options.end());
  EXPECT_EQ(options.at("password"), "s#cret");
  EXPECT_EQ(options.at("sslmode"), "require");
  EXPECT_FALSE(options.contains("pgbouncer"));
}

TEST(PostgresAddress, TakesSocketsAndAPasswordOfItsOwn) {
  const auto address =
      postgres::ParseAddress("postgresql:///swage?host=/run/postgresql&user=bot", "other");
  ASSERT_TRUE(address.ok()) << address.error().message;
  EXPECT_EQ(address->label, "database swage at /run/postgresql as bot");
  EXPECT_FALSE(address->pgbouncer);
  const std::map<std::string, std::string> options(address->options.begin(),
                                                   address->options.end());
  EXPECT_EQ(options.at("password"), "other");
}

TEST(PostgresAddress, RefusesWhatItCannotReadWithoutRepeatingIt) {
  for (const char* url :
       {"postgres://bot:hunter22%zz@db/swage", "postgres://bot:hunter22@db:port/swage?nonsense=1",
        "mysql://bot:hunter22@db/x", "hunter22", "postgres://bot:hunter22@db/x?pgbouncer=maybe"}) {
    const auto address = postgres::ParseAddress(url, "");
    ASSERT_FALSE(address.ok()) << url;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(address.error().message.find("hunter22"), std::string::npos);
  }
}

TEST(PostgresAddress, AnUnreachableDatabaseIsNamedWithAReasonAndARemedy) {
  const SystemClock clock;
  const auto store = OpenPostgresStore(At("postgres://bot:hunter22@127.0.0.1:1/swage"), clock);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kUnavailable);
  const std::string& message = store.error().message;
  for (const char* part : {"database swage at 127.0.0.1:1 as bot", "Connection refused", "start"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_EQ(message.find("hunter22"), std::string::npos);
}

class PostgresDatabase : public ::testing::Test {
 protected:
  void SetUp() override {
    SWAGE_NEEDS_POSTGRES();
    url_ = NewDatabase();
  }

  std::unique_ptr<Store> Open(PostgresOptions options) {
    auto store = OpenPostgresStore(options, clock_);
    EXPECT_TRUE(store.ok()) << store.error().message;
    return store.ok() ? std::move(store).value() : nullptr;
  }
  std::unique_ptr<Store> Open() { return Open(At(url_)); }

  std::string Sql(const std::string& sql) {
    auto rows = PostgresServer::Shared().Query(url_, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? *rows : "";
  }

  static TaskId Create(Store& store, std::int64_t number, int repo = 1) {
    IntakePlan plan;
    NewTask task;
    task.repo = {"forge", std::to_string(repo), "acme/lib" + std::to_string(repo)};
    task.issue_number = number;
    task.text = {"Fix it", "Please.", "hash"};
    task.requester = {"42", "alice", false};
    task.branch_prefix = "swage/";
    plan.task = task;
    auto applied = store.ApplyIntake(plan);
    EXPECT_TRUE(applied.ok()) << applied.error().message;
    return applied.ok() ? applied->task : TaskId{};
  }

  std::string url_;
  SystemClock clock_;
};

TEST_F(PostgresDatabase, ADatabaseThatIsNotThereIsNamed) {
  const auto store = OpenPostgresStore(At(url_ + "_not"), clock_);
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().message.find("does not exist; create it"), std::string::npos)
      << store.error().message;
}

TEST_F(PostgresDatabase, ANewerSchemaIsRefusedWithBothVersions) {
  Open().reset();
  Sql("INSERT INTO schema_migrations VALUES (99, '099_future.sql', 'x', 0)");
  const auto store = OpenPostgresStore(At(url_), clock_);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_NE(store.error().message.find("version 99"), std::string::npos) << store.error().message;
}

TEST_F(PostgresDatabase, AnEditedMigrationIsRefused) {
  Open().reset();
  Sql("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  EXPECT_EQ(OpenPostgresStore(At(url_), clock_).error().code, ErrorCode::kInvalid);
}

TEST_F(PostgresDatabase, AForeignDatabaseIsRefusedAndLeftAlone) {
  Sql("CREATE TABLE theirs (x int)");
  const auto store = OpenPostgresStore(At(url_), clock_);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

TEST_F(PostgresDatabase, NodesThatStartAtOnceMigrateOnce) {
  std::vector<std::thread> nodes;
  std::atomic<int> opened{0};
  for (int i = 0; i < 8; ++i) {
    nodes.emplace_back([&] {
      if (Open() != nullptr) ++opened;
    });
  }
  for (std::thread& node : nodes) node.join();
  EXPECT_EQ(opened, 8);
  EXPECT_EQ(Sql("SELECT count(*) FROM schema_migrations"),
            std::to_string(postgres::Migrations().size()));
}

TEST_F(PostgresDatabase, Fault_X30_MigrationsApplyToNonEmptyTablesOnceAndInOrder) {
  Open()->AddDelivery({"f", "k", "e", "b"}).value();
  auto db = postgres::Connection::Open(*postgres::ParseAddress(url_, ""));
  ASSERT_TRUE(db.ok()) << db.error().message;
  std::vector<sql::Migration> longer = postgres::Migrations();
  const int next = longer.back().version + 1;
  longer.push_back({next, "900_x.sql", "ALTER TABLE deliveries ADD COLUMN x TEXT DEFAULT 'y'"});
  longer.push_back({next + 1, "901_bad.sql", "CREATE TABLE half (x INT); SELECT nonsense"});
  EXPECT_FALSE(postgres::Migrate(**db, longer).ok());
  longer.pop_back();
  EXPECT_TRUE(postgres::Migrate(**db, longer).ok()) << "the good one was kept, and once";
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_tables WHERE tablename = 'half'"), "0");
  EXPECT_EQ(Sql("SELECT x FROM deliveries"), "y");
}

// Every query is understood by the server, and none reads a table from end to end: sequential scans
// are off, so one that had no index would show as a scan with a prohibitive cost.
TEST_F(PostgresDatabase, EveryQueryIsValidAndHasItsIndex) {
  Open().reset();
  const std::set<std::string> engine = {"HasTable",     "CountTables",    "CreateMigrations",
                                        "AddMigration", "ListMigrations", "LockSchema"};
  for (const std::string& name : postgres::Queries().Names()) {
    if (engine.contains(name)) continue;
    std::string sql = Trim(postgres::Queries().Get(name).sql).data();
    sql.resize(sql.rfind(';'));
    const std::string plan =
        Sql("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; PREPARE q AS " +
            sql + "; SELECT cardinality(parameter_types) FROM pg_prepared_statements");
    const int parameters = std::atoi(plan.c_str());
    std::string nulls;
    for (int i = 0; i < parameters; ++i) nulls += i == 0 ? "(NULL" : ", NULL";
    if (parameters > 0) nulls += ")";
    const std::string explained =
        Sql("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; PREPARE q AS " +
            sql + "; EXPLAIN EXECUTE q" + nulls);
    for (const std::string_view line : SplitLines(explained)) {
      // One row; one for each forge that had trouble; one for each repository.
      const bool small = line.find("Seq Scan on audit_head") != line.npos ||
                         line.find("Seq Scan on paces") != line.npos ||
                         line.find("Seq Scan on checkpoints") != line.npos ||
                         line.find("Seq Scan on repos") != line.npos;
      EXPECT_TRUE(small || line.find("Seq Scan on ") == line.npos) << name << ": " << line;
    }
  }
}

TEST_F(PostgresDatabase, TextThatTheServerWouldRefuseIsMendedAndBodiesStayAsTheyAre) {
  const auto store = Open();
  const std::string body("\0\xff\xfe body", 8);
  const NewDelivery nasty{"f", std::string("k\0\xff", 3), "e\xC0", body};
  EXPECT_TRUE(*store->AddDelivery(nasty));
  EXPECT_FALSE(*store->AddDelivery(nasty));
  const auto pending = PendingOf(*store, 10);
  ASSERT_EQ(pending->size(), 1u);
  EXPECT_EQ((*pending)[0].what.body, body);
  EXPECT_EQ((*pending)[0].what.key, "k\uFFFD\uFFFD");
}

TEST_F(PostgresDatabase, ABatchIsOneStatementAndSaysWhichAreNew) {
  const auto store = Open();
  std::vector<NewDelivery> batch;
  for (int i = 0; i < 500; ++i) batch.push_back({"f", std::to_string(i % 400), "e", "body"});
  const auto fresh = store->AddDeliveries(batch);
  ASSERT_TRUE(fresh.ok()) << fresh.error().message;
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ((*fresh)[static_cast<std::size_t>(i)], i < 400) << i;
  }
  EXPECT_EQ(store->Counts()->pending_deliveries, 400);
}

TEST_F(PostgresDatabase, StatesThatCannotBeAreRefused) {
  const auto store = Open();
  Create(*store, 1);
  for (const char* change :
       {"state = 'asleep'", "state = 'running'", "stage = 'agent'", "stage = 'lunch'",
        "lease_node = 'node'", "run_kind = 'none'", "attempt = -1", "epoch = -1", "run = 0",
        "generation = 0", "cycle = -1", "run_first_cycle = -1", "branch = ''", "state = NULL"}) {
    const auto refused = PostgresServer::Shared().Query(
        url_, "UPDATE tasks SET " + std::string(change) + " WHERE issue_number = 1");
    EXPECT_FALSE(refused.ok()) << change;
  }
  EXPECT_EQ(Sql("UPDATE tasks SET state = 'running', lease_node = 'node' RETURNING 1"), "1");
}

TEST_F(PostgresDatabase, EffectsAndRecordsThatCannotBeAreRefused) {
  Create(*Open(), 1);
  const auto add = [&](const std::string& table, const std::string& values) {
    return PostgresServer::Shared().Query(url_, "INSERT INTO " + table + " VALUES " + values).ok();
  };
  const std::string effects =
      "effects (repo, kind, ordinal, key, payload, epoch, state, attempts, not_before_at_us, "
      "created_at_us, updated_at_us)";
  EXPECT_TRUE(add(effects, "(1, 'sticky', 0, 'good', '', 1, 'pending', 0, 1, 1, 1)"));
  for (const char* bad :
       {"'dance', 0, 'k', '', 1, 'pending', 0", "'sticky', 1, 'k', '', 1, 'pending', 0",
        "'push', 0, 'k', '', 1, 'pending', 0", "'sticky', 0, 'k', '', 1, 'asleep', 0",
        "'sticky', 0, 'k', '', 1, 'pending', -1", "NULL, 0, 'k', '', 1, 'pending', 0",
        "'sticky', 0, 'k', '', 1, NULL, 0", "'sticky', 0, 'k', '', 1, 'pending', NULL"}) {
    EXPECT_FALSE(add(effects, "(1, " + std::string(bad) + ", 1, 1, 1)")) << bad;
  }
  const std::string audit = "audit (at_us, actor, action, task, subject, detail, seq, hash)";
  EXPECT_TRUE(add(audit, "(1, 'a', 'b', '', '', '', NULL, NULL)"));
  for (const char* bad : {"0, 'h'", "-1, 'h'", "1, NULL", "NULL, 'h'"}) {
    EXPECT_FALSE(add(audit, "(1, 'a', 'b', '', '', '', " + std::string(bad) + ")")) << bad;
  }
}

// --- many nodes

TEST_F(PostgresDatabase, NodesNeverClaimTheSameTaskAndNeverPassACap) {
  constexpr int kNodes = 4, kThreads = 3, kTasks = 60;
  constexpr ClaimLimits kCaps{5, 2, 3};
  std::vector<std::unique_ptr<Store>> nodes;
  for (int i = 0; i < kNodes; ++i) nodes.push_back(Open());
  for (int i = 0; i < kTasks; ++i) Create(*nodes[0], i + 1, 1 + i % 3);
  std::mutex mutex;
  std::set<std::int64_t> claimed_ids;
  int live = 0, most = 0, claimed = 0;
  std::map<std::string, int> live_by_repo;
  int most_by_repo = 0;
  std::atomic<int> left{kTasks};
  std::vector<std::thread> threads;
  for (int t = 0; t < kNodes * kThreads; ++t) {
    threads.emplace_back([&, t] {
      Store& store = *nodes[static_cast<std::size_t>(t % kNodes)];
      while (left > 0) {
        const auto got = store.ClaimTask("node" + std::to_string(t % kNodes), 60s, kCaps);
        ASSERT_TRUE(got.ok()) << got.error().message;
        if (!got->has_value()) {
          std::this_thread::yield();
          continue;
        }
        {
          const std::lock_guard lock(mutex);
          ++claimed;
          EXPECT_TRUE(claimed_ids.insert((*got)->task.id.value).second);
          most = std::max(most, ++live);
          most_by_repo = std::max(most_by_repo, ++live_by_repo[(*got)->task.repo.id]);
        }
        {
          // Counted down before the room is given back, so that the count never lags the database.
          const std::lock_guard lock(mutex);
          --live;
          --live_by_repo[(*got)->task.repo.id];
        }
        RunOutcome outcome;
        outcome.state = TaskState::kFailed;
        outcome.reason = "done";
        const auto finished = store.FinishRun((*got)->lease, outcome);
        ASSERT_TRUE(finished.ok()) << finished.error().message;
        --left;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed, kTasks);
  EXPECT_LE(most, kCaps.concurrent);
  EXPECT_LE(most_by_repo, kCaps.concurrent_per_repo);
}

// Narrow caps are counted one claim after the other; wide ones by many at once until they are near.
TEST_F(PostgresDatabase, ClaimsInARaceFillTheCapsExactly) {
  struct Case {
    ClaimLimits caps;
    int tasks, repos, in_all, in_one_repo;
  };
  for (const Case& c : {Case{{7, 2, 3}, 40, 4, 7, 2}, Case{{100, 80, 3}, 170, 2, 100, 80},
                        Case{{500, 70, 3}, 90, 1, 70, 70}}) {
    url_ = NewDatabase();
    std::vector<std::unique_ptr<Store>> nodes;
    for (int i = 0; i < 8; ++i) nodes.push_back(Open());
    for (int i = 0; i < c.tasks; ++i) Create(*nodes[0], i + 1, 1 + i % c.repos);
    std::atomic<int> claimed{0};
    std::vector<std::thread> threads;
    for (const auto& node : nodes) {
      threads.emplace_back([&] {
        for (int i = 0; i < c.in_all / 4; ++i) {
          const auto got = node->ClaimTask("node", 60s, c.caps);
          ASSERT_TRUE(got.ok()) << got.error().message;
          if (got->has_value()) ++claimed;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (nodes[0]->ClaimTask("node", 60s, c.caps)->has_value()) ++claimed;
    EXPECT_EQ(claimed, c.in_all);
    EXPECT_EQ(Sql("SELECT count(*) FROM tasks WHERE lease_node <> ''"), std::to_string(c.in_all));
    const int most =
        std::stoi(Sql("SELECT max(n) FROM (SELECT count(*) AS n FROM tasks WHERE "
                      "lease_node <> '' GROUP BY repo) AS by_repo"));
    EXPECT_LE(most, c.in_one_repo);
  }
}

TEST_F(PostgresDatabase, ADeliveryIsDecidedOnceByWhoeverIsFirst) {
  std::vector<std::unique_ptr<Store>> nodes;
  for (int i = 0; i < 6; ++i) nodes.push_back(Open());
  for (int n = 0; n < 20; ++n) {
    ASSERT_TRUE(*nodes[0]->AddDelivery({"f", std::to_string(n), "e", "b"}));
  }
  const auto pending = PendingOf(*nodes[0], 100);
  ASSERT_EQ(pending->size(), 20u);
  std::atomic<int> created{0};
  std::vector<std::thread> threads;
  for (const auto& node : nodes) {
    threads.emplace_back([&] {
      for (const Delivery& delivery : *pending) {
        IntakePlan plan;
        plan.delivery = delivery.id;
        NewTask task;
        task.repo = {"forge", "1", "acme/lib"};
        task.issue_number = delivery.id.value;
        task.branch_prefix = "swage/";
        plan.task = task;
        const auto applied = node->ApplyIntake(plan);
        ASSERT_TRUE(applied.ok()) << applied.error().message;
        if (applied->created) ++created;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 20);
  EXPECT_EQ(nodes[0]->Counts()->tasks, 20);
}

TEST_F(PostgresDatabase, OneIssueGetsOneTaskFromManyDeliveriesAtOnce) {
  std::vector<std::unique_ptr<Store>> nodes;
  for (int i = 0; i < 6; ++i) nodes.push_back(Open());
  for (int issue = 1; issue <= 10; ++issue) {
    std::set<std::int64_t> ids;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (const auto& node : nodes) {
      threads.emplace_back([&] {
        const TaskId id = Create(*node, issue, issue);
        const std::lock_guard lock(mutex);
        ids.insert(id.value);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(ids.size(), 1u);
  }
}

// A node that stands still in the middle of a transaction must not cost the others their leases.
TEST_F(PostgresDatabase, Fault_X15_ASilentTransactionKeepsNobodyOut) {
  const auto store = Open();
  Create(*store, 1);
  const auto claimed = store->ClaimTask("node", 60s, {1000, 1000, 3});
  ASSERT_TRUE(claimed.ok() && claimed->has_value());
  const auto address = postgres::ParseAddress(url_, "");
  const auto silent = postgres::Connection::Open(*address).value();
  ASSERT_TRUE(silent->Script("BEGIN; UPDATE tasks SET title = 'half done'").ok());
  const auto lost = store->RenewLeases({(*claimed)->lease}, 60s);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_TRUE(lost->empty());
  EXPECT_EQ(store->GetTask((*claimed)->task.id)->text.title, "Fix it");
}

// A cancel and the worker's end of the run meet: whoever comes second sees what the first did.
TEST_F(PostgresDatabase, ACancelAndTheEndOfARunDoNotOverwriteEachOther) {
  const auto a = Open();
  const auto b = Open();
  for (int i = 1; i <= 30; ++i) {
    const TaskId id = Create(*a, i);
    const auto claimed = a->ClaimTask("node", 60s, {1000, 1000, 3});
    ASSERT_TRUE(claimed.ok() && claimed->has_value());
    Result<void> finished = Ok();
    std::thread worker([&] {
      RunOutcome outcome;
      outcome.state = TaskState::kInReview;
      outcome.effects.push_back(
          {EffectKind::kPush, "push:" + std::to_string(i), (*claimed)->task.repo, id, "{}"});
      finished = a->FinishRun((*claimed)->lease, outcome);
    });
    IntakePlan plan;
    plan.changes.push_back({id, TaskChangeKind::kCancel, RunKind::kFix, "", "bob", "bob said so"});
    const auto cancelled = b->ApplyIntake(plan);
    worker.join();
    ASSERT_TRUE(cancelled.ok()) << cancelled.error().message;
    EXPECT_EQ(a->GetTask(id)->state, TaskState::kCancelled);
    EXPECT_TRUE(finished.ok() || finished.error().code == ErrorCode::kLeaseLost);
  }
  EXPECT_TRUE(DueOf(*a, 100)->empty()) << "no effect outlives its task's cancel";
}

// Whoever comes second sees what the first did: a remark gets a run of its own, or is refused.
TEST_F(PostgresDatabase, ARemarkAndTheEndOfARunDoNotMissEachOther) {
  const auto a = Open();
  const auto b = Open();
  int taken = 0;
  for (int i = 1; i <= 60; ++i) {
    const TaskId id = Create(*a, i);
    const auto claimed = a->ClaimTask("node", 60s, {1000, 1000, 3});
    ASSERT_TRUE(claimed.ok() && claimed->has_value());
    ASSERT_EQ((*claimed)->task.id, id);
    Result<void> finished = Ok();
    std::latch said(1);
    std::thread worker([&] {
      if (i % 3 == 0) said.wait();  // a race may go the same way every time
      RunOutcome outcome;
      outcome.state = TaskState::kFailed;
      finished = a->FinishRun((*claimed)->lease, outcome);
    });
    IntakePlan plan;
    plan.changes.push_back({id, TaskChangeKind::kRemark, RunKind::kFix, "mind the gap", "bob", ""});
    const auto remarked = b->ApplyIntake(plan);
    said.count_down();
    worker.join();
    ASSERT_TRUE(finished.ok()) << finished.error().message;
    if (remarked.ok()) ++taken;
    EXPECT_EQ(a->GetTask(id)->state, remarked.ok() ? TaskState::kQueued : TaskState::kFailed);
    if (!remarked.ok()) continue;
    const auto again = a->ClaimTask("node", 60s, {1000, 1000, 3});
    ASSERT_TRUE(again.ok() && again->has_value());
    EXPECT_EQ((*again)->remarks.size(), 1u);
    RunOutcome outcome;
    outcome.state = TaskState::kFailed;
    ASSERT_TRUE(a->FinishRun((*again)->lease, outcome).ok());
  }
  EXPECT_GT(taken, 0);
}

// --- hints

class News {
 public:
  void Tell(Topic topic) {
    {
      const std::lock_guard lock(mutex_);
      ++seen_[topic];
    }
    changed_.notify_all();
  }
  bool Await(Topic topic, int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return seen_[topic] >= count; });
  }
  int Count(Topic topic) {
    const std::lock_guard lock(mutex_);
    return seen_[topic];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Topic, int> seen_;
};

TEST_F(PostgresDatabase, OneNodesWorkIsNewsToTheOthers) {
  News news;
  const auto a = Open();
  const auto b = Open();
  b->OnNews([&](Topic topic) { news.Tell(topic); });
  // The first may have come before `b` listened; its own beginning counts as news, too.
  ASSERT_TRUE(*a->AddDelivery({"f", "first", "e", "b"}));
  ASSERT_TRUE(news.Await(Topic::kDeliveries, 1));
  const int before = news.Count(Topic::kDeliveries);
  for (int i = 0; i < 1'000 && news.Count(Topic::kDeliveries) == before; ++i) {
    ASSERT_TRUE(*a->AddDelivery({"f", std::to_string(i), "e", "b"}));
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_GT(news.Count(Topic::kDeliveries), before);
  Create(*a, 1);
  EXPECT_TRUE(news.Await(Topic::kTasks, 1));
  EXPECT_TRUE(news.Await(Topic::kEffects, 1));
}

TEST_F(PostgresDatabase, TheListenerComesBackAfterItsSessionIsEnded) {
  News news;
  const auto a = Open();
  const auto b = Open();
  b->OnNews([&](Topic topic) { news.Tell(topic); });
  const auto end_sessions = [&] {
    return *PostgresServer::Shared().Query(
        PostgresServer::Shared().AdminUrl(),
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '" +
            url_.substr(url_.rfind('/') + 1) + "' AND query LIKE 'LISTEN%'");
  };
  while (end_sessions() == "0") std::this_thread::yield();  // until somebody listens
  const int before = news.Count(Topic::kTasks);
  ASSERT_TRUE(news.Await(Topic::kTasks, before + 1)) << "a new session counts as news";
}

}  // namespace
}  // namespace swage
