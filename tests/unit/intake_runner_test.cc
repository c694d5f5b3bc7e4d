// The runner around the pure decision: what is put off, what is given up, and that one forge or one
// delivery cannot hold up the others.
#include "pipeline/intake_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "tests/harness/fake_forge.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

/// Every body is a label event of issue 12, or what ada or eve says there ("ada: /swage help");
/// "throw" and "nonsense" are what they say.
class LabelDialect final : public WebhookDialect {
 public:
  Result<DeliveryInfo> Verify(const HeaderMap&, std::string_view, std::string_view,
                              WallTime) const override {
    return DeliveryInfo{"key", "issues"};
  }
  Result<Event> Parse(std::string_view forge, std::string_view,
                      std::string_view body) const override {
    if (body == "throw") throw std::runtime_error("a payload nobody thought of");
    if (body == "nonsense") return MakeError(ErrorCode::kInvalid, "no JSON");
    if (const std::size_t colon = body.find(": "); colon != body.npos) {
      CommentCreated e;
      e.repo = {std::string(forge), "77", "acme/lib"};
      e.actor = body.starts_with("ada") ? Actor{"5", "ada", false} : Actor{"7", "eve", false};
      e.thread = {ThreadKind::kIssue, 12};
      e.comment = {std::string(body), std::string(body.substr(colon + 2)), "", e.actor};
      return Event(e);
    }
    IssueLabeled e;
    e.repo = {std::string(forge), "77", "acme/lib"};
    e.actor = {"5", "ada", false};
    e.issue.number = 12;
    e.issue.title = "Wrong answer";
    e.issue.updated_at = std::string(body);
    e.added = {"swage"};
    return Event(e);
  }
  std::string PeekRepoPath(std::string_view) const override { return "acme/lib"; }
};

class IntakeRunnerTest : public ::testing::Test {
 protected:
  IntakeRunnerTest() {
    for (const char* name : {"north", "south"}) {
      ForgeSettings forge;
      forge.name = name;
      forge.repos = {"acme/*"};
      settings_.forges.push_back(forge);
    }
    for (FakeForge* forge : {&north_, &south_}) {
      Issue issue;
      issue.number = 12;
      issue.labels = {"swage"};
      forge->issues[12] = issue;
      forge->roles["5"] = Role::kWrite;
    }
    north_.repo.ref.forge = "north";
    south_.repo.ref.forge = "south";
  }

  IntakeRunner Runner(Store& store) {
    return IntakeRunner(
        store, {{"north", &dialect_}, {"south", &dialect_}},
        [this](std::string_view name) { return name == "north" ? &north_ : &south_; }, settings_,
        log_, clock_, "node", {[] {}, [](TaskId) {}});
  }
  void Deliver(const std::string& forge, const std::string& body) {
    ASSERT_TRUE(
        *store_->AddDelivery({forge, forge + std::to_string(++delivered_), "issues", body}));
  }

  TempDir dir_{"swage-intake-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  Settings settings_;
  LabelDialect dialect_;
  FakeForge north_, south_;
  int delivered_ = 0;
};

TEST_F(IntakeRunnerTest, AForgeThatIsDownIsAskedOncePerRoundAndHoldsUpNobodyElse) {
  north_.Fail("GetRole", MakeError(ErrorCode::kTimeout, "no answer"), 100);
  for (const char* when : {"1", "2", "3"}) Deliver("north", when);
  Deliver("south", "1");
  IntakeRunner runner = Runner(*store_);
  EXPECT_EQ(runner.RunOnce({}), 4);
  EXPECT_EQ(north_.Calls("GetRole"), 1);
  EXPECT_THAT(*store_->ListTasks({}), SizeIs(1));
  EXPECT_EQ(runner.RunOnce({}), 0);  // the others wait for their time
  north_.failures.clear();
  clock_.Advance(2s);
  runner.RunOnce({});
  EXPECT_THAT(*store_->ListTasks({}), SizeIs(2));
}

// X27: what waits for a good token is not given up, however long that takes.
TEST_F(IntakeRunnerTest, ARefusedCredentialDoesNotCountAgainstADelivery) {
  north_.Fail("GetRole", MakeError(ErrorCode::kUnauthenticated, "401"), 100);
  Deliver("north", "1");
  IntakeRunner runner = Runner(*store_);
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(1h);
    runner.RunOnce({});
  }
  EXPECT_EQ(store_->Counts()->pending_deliveries, 1);
  north_.failures.clear();
  clock_.Advance(1h);
  runner.RunOnce({});
  EXPECT_THAT(*store_->ListTasks({}), SizeIs(1));
}

TEST_F(IntakeRunnerTest, ARoundThatWasStoppedGivesItsDeliveriesBack) {
  Deliver("north", "1");
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(Runner(*store_).RunOnce(stopped.get_token()), 0);
  EXPECT_EQ(Runner(*store_).RunOnce({}), 1);
}

TEST_F(IntakeRunnerTest, WhatCannotBeDecidedIsKeptAndMarkedNotTriedForEver) {
  Deliver("north", "nonsense");
  IntakeRunner runner = Runner(*store_);
  EXPECT_EQ(runner.RunOnce({}), 1);
  EXPECT_EQ(store_->Counts()->pending_deliveries, 0);
  const auto parked = store_->ListParkedDeliveries(10);
  ASSERT_THAT(*parked, SizeIs(1));
  EXPECT_EQ(parked->front().forge, "north");
  EXPECT_EQ(parked->front().event, "issues");
  EXPECT_EQ(parked->front().outcome, "cannot be decided: no JSON");
}

// The facts may move on under a decision for ever: then somebody has to look.
TEST_F(IntakeRunnerTest, WhatTheStoreNeverTakesIsParkedInTheEnd) {
  class Refusing final : public StubStore {
   public:
    Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest&) override {
      if (parked) return std::vector<Delivery>{};
      Delivery delivery;
      delivery.id = {1};
      delivery.what = {"north", "k", "issues", "1"};
      delivery.attempts = deferred;
      return std::vector<Delivery>{delivery};
    }
    Result<std::optional<Task>> FindTaskByIssue(const RepoRef&, std::int64_t) override {
      return std::optional<Task>();
    }
    Result<void> DeferDelivery(DeliveryId, std::string_view, std::chrono::milliseconds,
                               Blame) override {
      ++deferred;
      return Ok();
    }
    Result<IntakeResult> ApplyIntake(const IntakePlan& plan) override {
      parked = plan.parked;
      if (parked) return IntakeResult{};
      return MakeError(ErrorCode::kConflict, "read again");
    }
    int deferred = 0;
    bool parked = false;
  } store;
  IntakeRunner runner = Runner(store);
  for (int i = 0; i < 100 && !store.parked; ++i) runner.RunOnce({});
  EXPECT_TRUE(store.parked);
  EXPECT_EQ(store.deferred, 20);
}

// I10: a payload that brings the parser down is one delivery's trouble.
TEST_F(IntakeRunnerTest, AnExceptionConcernsItsDeliveryAlone) {
  Deliver("north", "throw");
  Deliver("north", "1");
  IntakeRunner runner = Runner(*store_);
  EXPECT_EQ(runner.RunOnce({}), 2);
  EXPECT_THAT(*store_->ListTasks({}), SizeIs(1));
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(1h);
    runner.RunOnce({});
  }
  EXPECT_EQ(store_->Counts()->pending_deliveries, 0);
}

TEST_F(IntakeRunnerTest, ADelegateIsLookedUpOnceAndKeptByTheAccount) {
  north_.accounts = {{"7", "eve", false}};
  Deliver("north", "1");
  IntakeRunner runner = Runner(*store_);
  runner.RunOnce({});
  const TaskId task = store_->ListTasks({})->at(0).id;
  // Names that somebody without the role mentions are no reason to ask the forge.
  Deliver("north", "eve: /swage delegate @eve");
  runner.RunOnce({});
  EXPECT_EQ(north_.Calls("FindAccount"), 0);
  EXPECT_THAT(*store_->ListDelegates(task), SizeIs(0));

  north_.Fail("FindAccount", MakeError(ErrorCode::kUnavailable, "down"));
  Deliver("north", "ada: /swage delegate @eve");
  runner.RunOnce({});
  EXPECT_THAT(*store_->ListDelegates(task), SizeIs(0));
  clock_.Advance(2s);
  runner.RunOnce({});
  ASSERT_THAT(*store_->ListDelegates(task), SizeIs(1));
  EXPECT_EQ(store_->ListDelegates(task)->at(0).account, "7");

  Deliver("north", "eve: /swage stop");
  runner.RunOnce({});
  EXPECT_EQ(store_->GetTask(task)->state, TaskState::kCancelled);
  Deliver("north", "ada: /swage undelegate");
  runner.RunOnce({});
  EXPECT_THAT(*store_->ListDelegates(task), SizeIs(0));
}

// Else the loop around it would ask the forge as fast as it can until the disk has room again.
TEST_F(IntakeRunnerTest, ARoundOfWhichNothingCouldBeNotedSaysSo) {
  class Unwritable final : public StubStore {
   public:
    Result<std::vector<Delivery>> TakeDeliveries(const TakeRequest&) override {
      Delivery delivery;
      delivery.id = {1};
      delivery.what = {"north", "k", "issues", "1"};
      return std::vector<Delivery>{delivery};
    }
    Result<std::optional<Task>> FindTaskByIssue(const RepoRef&, std::int64_t) override {
      return std::optional<Task>();
    }
  } store;
  IntakeRunner runner = Runner(store);
  EXPECT_EQ(runner.RunOnce({}), 0);
}

}  // namespace
}  // namespace swage
