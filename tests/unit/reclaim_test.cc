// Which kept workspaces go when room is short, and what a sweep leaves alone.
#include "pipeline/runtime/reclaim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/workspace/mirror.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/reclaim_oldest.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ReclaimTest : public WorkspaceTest {
 protected:
  ReclaimTest() { Fetch(); }
  // As `workspaces.keep` leaves it: nobody holds it any more.
  fs::path Keep(std::int64_t task, std::chrono::hours ago) {
    const auto place = std::move(workspaces_->Provision(Request(task), {})).value()->Root();
    fs::last_write_time(place.parent_path(), fs::file_time_type::clock::now() - ago);
    return place;
  }
  TaskId Running() {
    NewTask fresh;
    fresh.repo = repo_;
    fresh.issue_number = 1;
    fresh.text = {"title", "body", "hash"};
    fresh.requester = {"5", "ada", false};
    fresh.branch_prefix = "swage/";
    IntakePlan plan;
    plan.task = fresh;
    const TaskId id = store_->ApplyIntake(plan)->task;
    EXPECT_TRUE(store_->ClaimTask("node", std::chrono::seconds(60), {})->has_value());
    return id;
  }

  swage::Git git_{*runner_, {}};
  ManualClock clock_;
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
};

TEST_F(ReclaimTest, TheOldestGoesFirst) {
  const fs::path young = Keep(31, std::chrono::hours(1));
  const fs::path old = Keep(32, std::chrono::hours(9));
  KeptWorkspaces reclaimer(Data(), *store_, *workspaces_);
  EXPECT_THAT(test::RemoveOldest(reclaimer).value_or(""), HasSubstr("workspace 32-"));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_THAT(test::RemoveOldest(reclaimer).value_or(""), HasSubstr("workspace 31-"));
  EXPECT_FALSE(test::RemoveOldest(reclaimer).has_value());
}

TEST_F(ReclaimTest, WhatIsInUseStays) {
  const TaskId running = Running();
  const fs::path of_running = Keep(running.value, std::chrono::hours(9));
  const auto held = std::move(workspaces_->Provision(Request(33), {})).value();
  KeptWorkspaces reclaimer(Data(), *store_, *workspaces_);
  EXPECT_FALSE(test::RemoveOldest(reclaimer).has_value());
  EXPECT_TRUE(fs::exists(of_running));
  EXPECT_TRUE(fs::exists(held->Root()));
}

TEST_F(ReclaimTest, ThereMayBeNothingAtAll) {
  for (const auto& reclaimer :
       MakeReclaimers(dir_.path() / "nowhere", *store_, *workspaces_, git_)) {
    EXPECT_FALSE(test::RemoveOldest(*reclaimer).has_value());
  }
}

TEST_F(ReclaimTest, WhatOnlySavesTimeGoesBeforeWhatPeopleKept) {
  way_ = ProvisionWay::kRecycled;
  workspaces_ = NewWorkspaces();
  Keep(31, std::chrono::hours(9));
  ASSERT_TRUE(Provision(Request(1))->Release().ok());
  Write(Data() / "caches/repo/npm/1/file", "x");
  std::vector<std::string> order;
  for (const auto& reclaimer : MakeReclaimers(Data(), *store_, *workspaces_, git_)) {
    while (const auto removed = test::RemoveOldest(*reclaimer)) order.push_back(*removed);
  }
  EXPECT_THAT(order, ElementsAre(HasSubstr("released worktree "), "garbage of mirror local-7.git",
                                 "cache repo/npm/1", HasSubstr("workspace 31-")));
}

TEST_F(ReclaimTest, ATaskBeginsAnewWhenTheWorktreeThatLayReadyIsGone) {
  way_ = ProvisionWay::kRecycled;
  workspaces_ = NewWorkspaces();
  ASSERT_TRUE(Provision(Request(1))->Release().ok());
  RestingTrees reclaimer(Data());
  EXPECT_TRUE(test::RemoveOldest(reclaimer).has_value());
  EXPECT_TRUE(fs::is_empty(Data() / "pool"));
  const auto next = Provision(Request(2));
  EXPECT_EQ(Read(next->Root() / "README.md"), "one\ntwo\nthree\n");
  ASSERT_TRUE(next->Release().ok());
  EXPECT_FALSE(fs::is_empty(Data() / "pool")) << "there is room for it again";
}

TEST_F(ReclaimTest, AMirrorLosesOnlyWhatNothingRefersToAndNobodyWroteLately) {
  const auto held = Provision(Request(1));
  Write(held->Root() / "new", "of a running task\n");
  const Snapshot checkpoint = Take(*held);
  Write(held->Root() / "staged", "not yet in a commit\n");
  const auto object = [&](const std::string& text, bool old) {
    Write(dir_.path() / "text", text);
    const std::string id = Git(MirrorDir(), {"hash-object", "-w", (dir_.path() / "text").string()});
    const auto age = old ? Mirror::kGarbageAge + std::chrono::hours(1) : std::chrono::hours(1);
    fs::last_write_time(MirrorDir() / "objects" / id.substr(0, 2) / id.substr(2),
                        fs::file_time_type::clock::now() - age);
    return id;
  };
  const std::string old = object("old garbage", true), young = object("young garbage", false);
  MirrorGarbage reclaimer(Data(), git_);
  EXPECT_EQ(test::RemoveOldest(reclaimer), "garbage of mirror local-7.git");
  EXPECT_FALSE(TryGit(MirrorDir(), {"cat-file", "-e", old}).ok());
  EXPECT_TRUE(TryGit(MirrorDir(), {"cat-file", "-e", young}).ok());
  EXPECT_EQ(Git(MirrorDir(), {"cat-file", "-t", checkpoint.commit.value}), "commit");
  EXPECT_TRUE(fs::exists(MirrorDir() / "refs/heads/swage/issue-1")) << "branches stay files";
  EXPECT_TRUE(Take(*held).changed);
  Git(MirrorDir(), {"fsck", "--connectivity-only"});
  EXPECT_FALSE(test::RemoveOldest(reclaimer).has_value()) << "not again so soon";
}

}  // namespace
}  // namespace swage
