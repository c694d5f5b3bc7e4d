// Several threads over one outbox: what hangs keeps its own thread and its own task waiting, and
// nothing else (I10).
#include "pipeline/publisher_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "config/base/files.h"
#include "pipeline/effects.h"
#include "tests/harness/fake_forge.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/wait.h"

namespace swage {
namespace {

using namespace std::chrono_literals;

/// Pushes of branches named "hang..." wait until they are let go, or called off.
class HangingWorkspaces final : public FakeWorkspaces {
 public:
  Result<void> Push(const PushRequest& request, std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    begun_.push_back(request.branch);
    changed_.notify_all();
    const bool hangs = request.branch.starts_with("hang");
    if (hangs && !changed_.wait(lock, stop, [this] { return let_go_; })) {
      return MakeError(ErrorCode::kCancelled, "called off");
    }
    return Ok();
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  bool WaitForPush(const std::string& branch) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return Has(branch); });
  }
  bool Began(const std::string& branch) {
    const std::lock_guard lock(mutex_);
    return Has(branch);
  }

 private:
  bool Has(const std::string& branch) const {
    return std::find(begun_.begin(), begun_.end(), branch) != begun_.end();
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::string> begun_;
  bool let_go_ = false;
};

class PublisherThreadsTest : public ::testing::Test {
 protected:
  TaskId Create(std::int64_t issue) {
    IntakePlan plan;
    NewTask fresh;
    fresh.repo = forge_.repo.ref;
    fresh.issue_number = issue;
    fresh.text = {"Wrong answer", "It is 41.", "hash"};
    fresh.requester = {"5", "ada", false};
    fresh.branch_prefix = "swage/";
    plan.task = fresh;
    return store_->ApplyIntake(plan)->task;
  }
  NewEffect Push(std::int64_t issue, const std::string& branch) {
    return {EffectKind::kPush, branch, forge_.repo.ref, Create(issue),
            Encode(PushEffect{branch, FakeCommit(1)})};
  }
  NewEffect Answer(const std::string& marker) {
    return {EffectKind::kComment,
            marker,
            forge_.repo.ref,
            {},
            Encode(CommentEffect{{ThreadKind::kIssue, 1}, marker, "text"})};
  }
  void Add(const std::vector<NewEffect>& effects) { ASSERT_TRUE(store_->AddEffects(effects).ok()); }
  bool WaitForPending(std::int64_t left) {
    return test::WaitFor([&] { return store_->Counts()->pending_effects == left; });
  }

  TempDir dir_{"swage-threads-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  FakeForge forge_;  // one comment at a time, so that it needs no lock
  HangingWorkspaces workspaces_;
  Publisher publisher_{*store_,       workspaces_, [this](std::string_view) { return &forge_; },
                       redactor_,     log_,        clock_,
                       {"", "/swage"}};
};

TEST_F(PublisherThreadsTest, AHungPushLeavesTheLastThreadToTheRest) {
  PublisherThreads threads(publisher_, 2);
  threads.Start();
  Add({Push(1, "hang-1"), Push(2, "quick-2")});
  threads.Wake();
  ASSERT_TRUE(workspaces_.WaitForPush("hang-1"));
  Add({Answer("m")});
  threads.Wake();
  EXPECT_TRUE(WaitForPending(2)) << "the answer is given";
  EXPECT_FALSE(workspaces_.Began("quick-2")) << "the last thread is not for pushes";
  workspaces_.LetGo();
  EXPECT_TRUE(WaitForPending(0));
}

TEST_F(PublisherThreadsTest, AHungPushKeepsNoOtherPushWaitingWhileThereIsRoom) {
  PublisherThreads threads(publisher_, 3);
  threads.Start();
  Add({Push(1, "hang-1"), Push(2, "quick-2")});
  threads.Wake();
  EXPECT_TRUE(WaitForPending(1));
  workspaces_.LetGo();
  EXPECT_TRUE(WaitForPending(0));
}

TEST_F(PublisherThreadsTest, AloneAThreadDoesEverything) {
  PublisherThreads threads(publisher_, 1);
  threads.Start();
  Add({Push(1, "quick-1"), Answer("m")});
  threads.Wake();
  EXPECT_TRUE(WaitForPending(0));
}

TEST_F(PublisherThreadsTest, StoppingCallsOffWhatHangsAndLeavesItForTheNextStart) {
  {
    PublisherThreads threads(publisher_, 2);
    threads.Start();
    Add({Push(1, "hang-1")});
    threads.Wake();
    ASSERT_TRUE(workspaces_.WaitForPush("hang-1"));
    threads.Stop();
  }
  EXPECT_EQ(store_->Counts()->pending_effects, 1);
  ASSERT_TRUE(store_->ReleaseEffects("node").ok());
  workspaces_.LetGo();
  EXPECT_EQ(publisher_.RunOnce({}), 1);
}

}  // namespace
}  // namespace swage
