// A process among others: its name, and commits that were made elsewhere.
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "pipeline/checkpoint.h"
#include "pipeline/maintenance/presence.h"
#include "tests/harness/fake_workspaces.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

NodeInfo Named(std::string name, std::string instance) {
  NodeInfo node;
  node.name = std::move(name);
  node.instance = std::move(instance);
  node.host = "build-7";
  return node;
}

// Holds that end when a test says so.
class NodeStore final : public StubStore {
 public:
  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    if (taken_by_another) return std::unique_ptr<Hold>();
    ++taken;
    lost = false;
    last_name = name;
    return std::unique_ptr<Hold>(std::make_unique<TestHold>(lost));
  }
  Result<void> Heartbeat(const NodeInfo& node) override {
    nodes = {node};
    ++heartbeats;
    return Ok();
  }
  Result<std::vector<NodeInfo>> ListNodes() override { return nodes; }
  Result<void> ForgetNode(std::string_view name, std::string_view) override {
    std::erase_if(nodes, [&](const NodeInfo& node) { return node.name == name; });
    return Ok();
  }
  Result<std::optional<Checkpoint>> LoadCheckpoint(TaskId) override { return checkpoint; }

  class TestHold final : public Hold {
   public:
    explicit TestHold(const bool& lost) : lost_(lost) {}
    Result<void> Check() override {
      if (lost_) return MakeError(ErrorCode::kLeaseLost, "connection lost");
      return Ok();
    }

   private:
    const bool& lost_;
  };

  bool taken_by_another = false;
  bool lost = false;
  int taken = 0;
  int heartbeats = 0;
  std::string last_name;
  std::vector<NodeInfo> nodes;
  std::optional<Checkpoint> checkpoint;
};

TEST(Presence, TakesTheNameAndSaysThatItLives) {
  NodeStore store;
  ManualClock clock;
  auto presence = Presence::Enter(store, clock, Named("one", "i1"));
  ASSERT_TRUE(presence.ok()) << presence.error().message;
  EXPECT_EQ(store.last_name, "node:one");
  EXPECT_EQ(store.heartbeats, 1);
  ASSERT_TRUE((*presence)->RunOnce({}).ok());
  EXPECT_EQ(store.heartbeats, 2);
  EXPECT_EQ(store.taken, 1);
  (*presence)->Leave();
  EXPECT_TRUE(store.nodes.empty());
}

TEST(Presence, ANameThatIsTakenIsRefusedWithItsHolder) {
  NodeStore store;
  ManualClock clock;
  store.nodes = {Named("one", "other")};
  store.nodes.front().silent_for = milliseconds(2'000);
  store.taken_by_another = true;
  const auto presence = Presence::Enter(store, clock, Named("one", "i1"), milliseconds(0));
  ASSERT_FALSE(presence.ok());
  EXPECT_EQ(presence.error().code, ErrorCode::kConflict);
  EXPECT_NE(presence.error().message.find("node one already (on host build-7"), std::string::npos)
      << presence.error().message;
  EXPECT_EQ(store.heartbeats, 0);
}

TEST(Presence, ALostNameIsTakenAgainUnlessAnotherWasFaster) {
  NodeStore store;
  ManualClock clock;
  auto presence = Presence::Enter(store, clock, Named("one", "i1"));
  ASSERT_TRUE(presence.ok());
  store.lost = true;
  ASSERT_TRUE((*presence)->RunOnce({}).ok());
  EXPECT_EQ(store.taken, 2);
  store.lost = true;
  store.taken_by_another = true;
  EXPECT_EQ((*presence)->RunOnce({}).error().code, ErrorCode::kConflict);
  store.taken_by_another = false;
  EXPECT_TRUE((*presence)->RunOnce({}).ok());
}

TEST(NodeReaper, ForgetsWhatWasNotHeardOfForDays) {
  NodeStore store;
  store.nodes = {Named("new", "1"), Named("old", "2")};
  store.nodes.back().silent_for = NodeReaper::kForgetAfter;
  ASSERT_TRUE(NodeReaper(store).RunOnce({}).ok());
  ASSERT_EQ(store.nodes.size(), 1U);
  EXPECT_EQ(store.nodes.front().name, "new");
}

class BringCommitTest : public testing::Test {
 protected:
  BringCommitTest() {
    task_.id = TaskId{7};
    workspaces_.absent = {FakeCommit(3)};
  }
  Result<void> Bring() { return BringCommit(store_, workspaces_, task_, FakeCommit(3)); }

  Task task_;
  NodeStore store_;
  FakeWorkspaces workspaces_;
};

TEST_F(BringCommitTest, WhatIsHereIsNotBrought) {
  workspaces_.absent.clear();
  EXPECT_TRUE(Bring().ok());
  EXPECT_TRUE(workspaces_.unpacked.empty());
}

TEST_F(BringCommitTest, WhatIsInTheStoreIsUnpacked) {
  store_.checkpoint = Checkpoint{FakeCommit(3), FakeCommit(0), ".." + FakeCommit(3).value};
  ASSERT_TRUE(Bring().ok());
  EXPECT_EQ(workspaces_.unpacked, std::vector<CommitSha>{FakeCommit(3)});
  EXPECT_TRUE(Bring().ok());
  EXPECT_EQ(workspaces_.unpacked.size(), 1U);
}

TEST_F(BringCommitTest, WhatIsNowhereOrBrokenIsSaidToBeSo) {
  EXPECT_EQ(Bring().error().code, ErrorCode::kNotFound);
  store_.checkpoint = Checkpoint{FakeCommit(2), FakeCommit(0), ".." + FakeCommit(2).value};
  EXPECT_EQ(Bring().error().code, ErrorCode::kNotFound) << "an older one is not taken for it";
  store_.checkpoint = Checkpoint{FakeCommit(3), FakeCommit(0), "garbage"};
  EXPECT_EQ(Bring().error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace swage
