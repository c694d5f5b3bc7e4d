// Which kept workspaces go when room is short, and what a sweep leaves alone.
#include "pipeline/runtime/reclaim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/manual_clock.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
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

  ManualClock clock_;
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
};

TEST_F(ReclaimTest, TheOldestGoesFirst) {
  const fs::path young = Keep(31, std::chrono::hours(1));
  const fs::path old = Keep(32, std::chrono::hours(9));
  KeptWorkspaces reclaimer(Data(), *store_, *workspaces_);
  EXPECT_THAT(reclaimer.RemoveOldest().value().value_or(""), HasSubstr("workspace 32-"));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_THAT(reclaimer.RemoveOldest().value().value_or(""), HasSubstr("workspace 31-"));
  EXPECT_FALSE(reclaimer.RemoveOldest().value().has_value());
}

TEST_F(ReclaimTest, WhatIsInUseStays) {
  const TaskId running = Running();
  const fs::path of_running = Keep(running.value, std::chrono::hours(9));
  const auto held = std::move(workspaces_->Provision(Request(33), {})).value();
  KeptWorkspaces reclaimer(Data(), *store_, *workspaces_);
  EXPECT_FALSE(reclaimer.RemoveOldest().value().has_value());
  EXPECT_TRUE(fs::exists(of_running));
  EXPECT_TRUE(fs::exists(held->Root()));
}

TEST_F(ReclaimTest, ThereMayBeNothingAtAll) {
  KeptWorkspaces workspaces(dir_.path() / "nowhere", *store_, *workspaces_);
  OldCaches caches(dir_.path() / "nowhere");
  EXPECT_FALSE(workspaces.RemoveOldest().value().has_value());
  EXPECT_FALSE(caches.RemoveOldest().value().has_value());
}

}  // namespace
}  // namespace swage
