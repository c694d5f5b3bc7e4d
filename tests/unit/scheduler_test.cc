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
  int lost_answers = 0;

 private:
  std::optional<Error> After(const Operation& operation) override {
    if (operation.name != "ClaimTasks" || lost_answers == 0) return std::nullopt;
    --lost_answers;
    return MakeError(ErrorCode::kTimeout, "the connection was lost");
  }
};

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() {
    IntakePlan plan;
    NewTask fresh;
    fresh.repo = {"forge", "77", "acme/lib"};
    fresh.issue_number = 1;
    fresh.requester = {"5", "ada", false};
    plan.task = fresh;
    id_ = engine_->ApplyIntake(plan)->task;
  }
  Task Row() { return engine_->GetTask(id_).value(); }

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
  Scheduler scheduler_{{store_, workspaces_, agent_, isolations_, [](auto) { return nullptr; },
                        settings_, redactor_, log_},
                       clock_,
                       "node",
                       [] {},
                       [this](auto) {
                         ++launched_;
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

}  // namespace
}  // namespace swage
