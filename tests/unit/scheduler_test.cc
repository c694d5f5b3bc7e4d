// The scheduler over the real store, with workers that only stand there.
#include "pipeline/scheduler.h"

#include <gtest/gtest.h>

#include "config/base/files.h"
#include "pipeline/store/store_filter.h"
#include "tests/harness/fake_process.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/plain_isolations.h"

namespace swage {
namespace {

class NoAgent final : public Agent {
 public:
  Result<AgentResult> Run(ProcessRunner&, const CommandContext&, const std::filesystem::path&,
                          const ProcessRunner::Sink&, std::stop_token) override {
    return MakeError(ErrorCode::kInternal, "no agent");
  }
};

// Claims, and does not say so.
class DeafStore final : public StoreFilter {
 public:
  using StoreFilter::StoreFilter;
  std::string deaf_at = "ClaimTasks";
  std::string fails_at;  ///< nothing is done there
  int lost_answers = 0;
  int claims = 0;  ///< that were asked for by themselves

 private:
  std::optional<Error> Before(const Operation& operation) override {
    if (operation.name != fails_at) return std::nullopt;
    return MakeError(ErrorCode::kInternal, "something is broken");
  }
  std::optional<Error> After(const Operation& operation) override {
    if (operation.name == "ClaimTasks") ++claims;
    if (operation.name != deaf_at || lost_answers == 0) return std::nullopt;
    --lost_answers;
    return MakeError(ErrorCode::kTimeout, "the connection was lost");
  }
};

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() { id_ = Queue(1); }
  TaskId Queue(int issue) {
    IntakePlan plan;
    NewTask fresh;
    fresh.repo = {"forge", "77", "acme/lib"};
    fresh.issue_number = issue;
    fresh.requester = {"5", "ada", false};
    plan.task = fresh;
    return engine_->ApplyIntake(plan)->task;
  }
  Task Row() { return engine_->GetTask(id_).value(); }
  TaskState StateOf(TaskId id) { return engine_->GetTask(id)->state; }

  TempDir dir_{"swage-scheduler-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> engine_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  DeafStore store_{*engine_};
  Settings settings_;
  FakeWorkspaces workspaces_;
  NoAgent agent_;
  FakeProcessRunner processes_;
  Isolations isolations_ = PlainIsolations(processes_);
  TaskId id_;
  int launched_ = 0;
  std::function<void()> work_;  ///< of the worker that was launched last
  Scheduler scheduler_{{store_, workspaces_, agent_, isolations_, [](auto) { return nullptr; },
                        settings_, redactor_, log_, [](auto, auto) {}},
                       clock_,
                       "node",
                       [] {},
                       [this](std::function<void()> work) {
                         ++launched_;
                         work_ = std::move(work);
                         return std::shared_ptr<void>();
                       }};
};

TEST_F(SchedulerTest, Fault_X5_AClaimWhoseAnswerWasLostIsGivenBackAtNoCost) {
  store_.lost_answers = 1;
  scheduler_.RunOnce();
  EXPECT_EQ(launched_, 0);
  EXPECT_EQ(Row().state, TaskState::kRunning);
  EXPECT_EQ(Row().attempt, 1);
  scheduler_.RunOnce();
  EXPECT_EQ(launched_, 1);
  EXPECT_EQ(Row().attempt, 1) << "the lost claim costs no attempt";
}

TEST_F(SchedulerTest, WhatAWorkerHoldsIsNotGivenBack) {
  scheduler_.RunOnce();
  ASSERT_EQ(launched_, 1);
  const Epoch epoch = Row().epoch;
  store_.lost_answers = 1;
  for (int i = 0; i < 3; ++i) scheduler_.RunOnce();
  EXPECT_EQ(Row().epoch, epoch);
  EXPECT_EQ(launched_, 1);
}

// No forge is known here, so a run fails as soon as it begins.
TEST_F(SchedulerTest, AWorkerGoesOnWithWhatTheEndOfItsRunClaimed) {
  settings_.concurrent_tasks = 1;
  const TaskId second = Queue(2);
  const TaskId third = Queue(3);
  scheduler_.RunOnce();
  ASSERT_EQ(launched_, 1);
  EXPECT_EQ(StateOf(second), TaskState::kQueued);
  work_();
  for (const TaskId id : {id_, second, third}) EXPECT_EQ(StateOf(id), TaskState::kFailed);
  EXPECT_EQ(launched_, 1);
  EXPECT_EQ(store_.claims, 1) << "the others came with the ends";
  EXPECT_TRUE(scheduler_.Working().empty());
}

TEST_F(SchedulerTest, AWorkerClaimsNothingWhileNothingIsToBeClaimed) {
  settings_.concurrent_tasks = 1;
  const TaskId second = Queue(2);
  scheduler_.RunOnce();
  scheduler_.SetRoomOnDisk(false);
  work_();
  EXPECT_EQ(StateOf(id_), TaskState::kFailed);
  EXPECT_EQ(StateOf(second), TaskState::kQueued);
  scheduler_.SetRoomOnDisk(true);
  scheduler_.RunOnce();
  EXPECT_EQ(launched_, 2);
  const TaskId third = Queue(3);
  scheduler_.StopClaiming();
  work_();
  EXPECT_EQ(StateOf(second), TaskState::kFailed) << "what was begun goes on";
  EXPECT_EQ(StateOf(third), TaskState::kQueued);
}

TEST_F(SchedulerTest, Fault_X5_WhatAnEndClaimedUnheardIsGivenBackAtNoCost) {
  settings_.concurrent_tasks = 1;
  const TaskId second = Queue(2);
  store_.deaf_at = "FinishRunAndClaim";
  store_.lost_answers = 1;
  scheduler_.RunOnce();
  work_();
  EXPECT_EQ(StateOf(id_), TaskState::kFailed);
  EXPECT_EQ(StateOf(second), TaskState::kRunning) << "and nobody here knows of it";
  EXPECT_TRUE(scheduler_.Working().empty());
  scheduler_.RunOnce();
  EXPECT_EQ(launched_, 2);
  EXPECT_EQ(engine_->GetTask(second)->attempt, 1) << "the lost claim costs no attempt";
}

TEST_F(SchedulerTest, AClaimThatFailsTakesNoResultWithIt) {
  settings_.concurrent_tasks = 1;
  const TaskId second = Queue(2);
  store_.fails_at = "FinishRunAndClaim";
  scheduler_.RunOnce();
  work_();
  EXPECT_EQ(StateOf(id_), TaskState::kFailed) << "its result is there";
  EXPECT_EQ(StateOf(second), TaskState::kQueued);
  scheduler_.RunOnce();
  EXPECT_EQ(launched_, 2);
}

TEST_F(SchedulerTest, NothingIsBegunInAShutdown) {
  settings_.concurrent_tasks = 2;
  scheduler_.RunOnce();
  const std::function<void()> first = work_;
  const TaskId second = Queue(2);
  scheduler_.RunOnce();
  ASSERT_EQ(launched_, 2);
  const TaskId third = Queue(3);
  scheduler_.BeginShutdown();
  first();
  EXPECT_EQ(StateOf(id_), TaskState::kFailed);
  work_();
  EXPECT_EQ(StateOf(second), TaskState::kFailed);
  EXPECT_EQ(StateOf(third), TaskState::kQueued) << "nothing is begun in a shutdown";
}

}  // namespace
}  // namespace swage
