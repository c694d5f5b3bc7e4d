// X5: the database goes away in the middle. Whatever the caller saw as ok is there, once; what it
// saw as an error may be asked for again.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "pipeline/store/store.h"
#include "tests/harness/pending.h"
#include "tests/harness/postgres_server.h"
#include "tests/harness/tcp_proxy.h"
#include "tests/harness/wait.h"

namespace swage {
namespace {

using test::PostgresServer;
using test::TcpProxy;
using test::WaitFor;
using namespace std::chrono_literals;

/// As a whole string of the protocol: "READ COMMITTED" is in every transaction's first message.
const std::string kCommit("COMMIT", sizeof "COMMIT");

/// How a session asks for a query that it has prepared.
std::string Call(std::string_view query) {
  constexpr char kEnd = '\0';
  return kEnd + std::string(query) + kEnd;
}

IntakePlan PlanFor(std::int64_t issue) {
  IntakePlan plan;
  NewTask task;
  task.repo = {"forge", "1", "acme/lib"};
  task.issue_number = issue;
  task.text = {"Fix it", "Please.", "hash"};
  task.branch_prefix = "swage/";
  plan.task = task;
  return plan;
}

/// A server of the test's own.
class World {
 public:
  World() {
    auto server = PostgresServer::Make({.fsync = false, .settings = {}});
    EXPECT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
    auto url = server_->NewDatabase();
    EXPECT_TRUE(url.ok()) << url.error().message;
    url_ = *url;
  }

  std::unique_ptr<Store> Open(int port) {
    PostgresOptions options;
    options.url = url_;
    const std::string direct = ":" + std::to_string(server_->port()) + "/";
    options.url.replace(options.url.find(direct), direct.size(), ":" + std::to_string(port) + "/");
    auto store = OpenPostgresStore(options, clock_);
    EXPECT_TRUE(store.ok()) << store.error().message;
    return store.ok() ? std::move(store).value() : nullptr;
  }

  void EndSessions() {
    const auto ended = server_->Query(
        server_->AdminUrl(),
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'swage'");
    EXPECT_TRUE(ended.ok()) << ended.error().message;
  }

  std::string Sql(const std::string& sql) {
    auto rows = server_->Query(url_, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? *rows : "";
  }

  /// Adds one delivery after another, disturbed so many times, each time with some acknowledged
  /// since the last and some after it. What was acknowledged must be there.
  void AddWhile(Store& store, int times, const std::function<void()>& disturb) {
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> count{0};
    std::set<std::string> acknowledged;
    std::thread adder([&] {
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(i);
        const auto added = store.AddDelivery({"f", key, "e", "body"});
        if (added.ok()) {
          acknowledged.insert(key);
          EXPECT_TRUE(*added) << key << " was stored twice over";
          ++count;
        } else {
          EXPECT_TRUE(added.error().code == ErrorCode::kUnavailable ||
                      added.error().code == ErrorCode::kTimeout)
              << added.error().message;
        }
      }
    });
    const auto await_more = [&] {
      const std::size_t before = count;
      EXPECT_TRUE(WaitFor([&] { return count > before; })) << "nothing is acknowledged any more";
    };
    for (int i = 0; i < times; ++i) {
      await_more();
      disturb();
    }
    await_more();
    stop = true;
    adder.join();
    const auto pending = PendingOf(store, 1'000'000);
    ASSERT_TRUE(pending.ok()) << pending.error().message;
    std::set<std::string> stored;
    for (const Delivery& delivery : *pending) {
      EXPECT_TRUE(stored.insert(delivery.what.key).second);
    }
    for (const std::string& key : acknowledged) EXPECT_TRUE(stored.contains(key)) << key;
  }

  PostgresServer& server() { return *server_; }

 private:
  std::unique_ptr<PostgresServer> server_;
  std::string url_;
  SystemClock clock_;
};

TEST(Fault, X5_ACommitWhoseAnswerIsLostIsFoundToBeDone) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  TcpProxy proxy(world.server().port());
  const auto store = world.Open(proxy.port());
  for (int issue = 1; issue <= 10; ++issue) {
    proxy.LoseReplyTo(kCommit);
    const auto applied = store->ApplyIntake(PlanFor(issue));
    ASSERT_TRUE(applied.ok()) << applied.error().message;
    EXPECT_TRUE(applied->created) << "the answer is that of the run that counted";
    EXPECT_EQ(store->GetTask(applied->task)->issue_number, issue);
  }
  EXPECT_EQ(proxy.broken(), 10);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM tasks"), "10");
}

TEST(Fault, X5_ACommitThatNeverArrivedIsDoneAnew) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  TcpProxy proxy(world.server().port());
  const auto store = world.Open(proxy.port());
  for (int issue = 1; issue <= 10; ++issue) {
    proxy.LoseRequest(kCommit);
    const auto applied = store->ApplyIntake(PlanFor(issue));
    ASSERT_TRUE(applied.ok()) << applied.error().message;
    EXPECT_TRUE(applied->created);
  }
  EXPECT_EQ(proxy.broken(), 10);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM tasks"), "10");
}

// A step's id, a claim: things that carry no key of their own.
TEST(Fault, X5_NothingIsDoneTwiceWhenAnswersAreLost) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  TcpProxy proxy(world.server().port());
  const auto store = world.Open(proxy.port());
  ASSERT_TRUE(store->ApplyIntake(PlanFor(1)).ok());
  proxy.LoseReplyTo(Call("ClaimMany"));
  const auto claimed = store->ClaimTask("node", 60s, {4, 4, 3});
  ASSERT_TRUE(claimed.ok() && claimed->has_value());
  EXPECT_EQ((*claimed)->task.attempt, 1);
  EXPECT_EQ((*claimed)->lease.epoch.value, 1);
  Step step;
  step.name = "agent";
  proxy.LoseReplyTo(kCommit);
  const auto id = store->StartStep((*claimed)->lease, step);
  ASSERT_TRUE(id.ok()) << id.error().message;
  EXPECT_EQ(store->ListSteps((*claimed)->task.id)->size(), 1u);
  EXPECT_TRUE(store->FinishStep((*claimed)->lease, *id, "ok", "", {}).ok());
  RunOutcome outcome;
  outcome.state = TaskState::kInReview;
  outcome.effects.push_back(
      {EffectKind::kPush, "push:1", (*claimed)->task.repo, (*claimed)->task.id, "{}"});
  proxy.LoseReplyTo(kCommit);
  EXPECT_TRUE(store->FinishRun((*claimed)->lease, outcome).ok());
  EXPECT_EQ(proxy.broken(), 3);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM effects"), "1");
}

// A claim and the end of a run are one message each, without a COMMIT of their own.
TEST(Fault, X5_AClaimAndTheEndOfARunAreDoneOnceWhateverIsLost) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  TcpProxy proxy(world.server().port());
  const auto store = world.Open(proxy.port());
  const auto lose = [&](bool reply, const char* query) {
    reply ? proxy.LoseReplyTo(Call(query)) : proxy.LoseRequest(Call(query));
  };
  int tasks = 0;
  for (const int cap : {4, 1000}) {
    for (const bool reply : {true, false, true, false}) {
      ASSERT_TRUE(store->ApplyIntake(PlanFor(++tasks)).ok());
      lose(reply, "ClaimMany");
      const auto claimed = store->ClaimTask("node", 60s, {cap, cap, 3});
      ASSERT_TRUE(claimed.ok()) << claimed.error().message;
      ASSERT_TRUE(claimed->has_value());
      const Claimed& got = **claimed;
      EXPECT_EQ(got.task.issue_number, tasks);
      EXPECT_EQ(got.task.attempt, 1);
      EXPECT_EQ(got.lease.epoch.value, 1);
      RunOutcome outcome;
      outcome.reason = "no luck";
      outcome.effects.push_back({EffectKind::kSticky, "", got.task.repo, got.task.id, "{}"});
      lose(reply, "EndRuns");
      const auto ended = store->FinishRun(got.lease, outcome);
      ASSERT_TRUE(ended.ok()) << ended.error().message;
      EXPECT_EQ(store->GetTask(got.task.id)->state, TaskState::kFailed);
    }
  }
  const std::string count = std::to_string(tasks);
  EXPECT_EQ(proxy.broken(), 2 * tasks);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM audit WHERE action = 'task.claimed'"), count);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM audit WHERE action = 'task.moved'"), count);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM timeline WHERE kind = 'failed'"), count);
  EXPECT_EQ(world.Sql("SELECT count(*) FROM effects WHERE version = 1"), count);
}

TEST(Fault, X5_SessionsThatAreEndedCostNothing) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  const auto store = world.Open(world.server().port());
  world.AddWhile(*store, 10, [&] { world.EndSessions(); });
}

TEST(Fault, X5_AServerThatCrashesAndComesBackHasAllThatWasAcknowledged) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  const auto store = world.Open(world.server().port());
  world.AddWhile(*store, 3, [&] {
    world.server().Kill();
    const auto started = world.server().Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
  });
  EXPECT_TRUE(store->Counts().ok());
}

// The crash loses what was not committed, and its number: others get it and commit.
TEST(Fault, X5_ANumberThatACrashGaveToOthersIsNotTakenForOurs) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  TcpProxy proxy(world.server().port());
  const auto store = world.Open(proxy.port());
  for (const std::string key : {"1", "2", "3"}) {
    proxy.LoseRequest(kCommit, [&] {
      world.server().Kill();
      EXPECT_TRUE(world.server().Start().ok());
      (void)world.Sql(
          "DO $$ BEGIN FOR i IN 1..50 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
    });
    const auto added = store->AddDelivery({"f", key, "e", "body"});
    const std::string count = "SELECT count(*) FROM deliveries WHERE key = '" + key + "'";
    EXPECT_EQ(world.Sql(count), added.ok() ? "1" : "0");
    if (added.ok()) continue;
    EXPECT_EQ(added.error().code, ErrorCode::kTimeout) << added.error().message;
    EXPECT_TRUE(*store->AddDelivery({"f", key, "e", "body"})) << "the sender's next try";
  }
  EXPECT_EQ(proxy.broken(), 3);
}

TEST(Fault, X5_AServerThatIsStoppedIsToldOfAndUsedAgain) {
  SWAGE_NEEDS_POSTGRES();
  World world;
  const auto store = world.Open(world.server().port());
  ASSERT_TRUE(*store->AddDelivery({"f", "before", "e", "b"}));
  world.server().Stop();
  const auto refused = store->AddDelivery({"f", "during", "e", "b"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << "known to have left nothing";
  EXPECT_NE(refused.error().message.find("database"), std::string::npos);
  EXPECT_FALSE(store->Counts().ok());
  ASSERT_TRUE(world.server().Start().ok());
  EXPECT_TRUE(*store->AddDelivery({"f", "during", "e", "b"}));
  EXPECT_EQ(store->Counts()->deliveries, 2);
}

}  // namespace
}  // namespace swage
