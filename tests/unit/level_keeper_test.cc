// Who waits for a level of isolation: what the nodes give between them, and when a task is parked.
#include "pipeline/maintenance/level_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/redact.h"
#include "pipeline/isolation/supply.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using enum IsolationLevel;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr seconds kAlive{60};

NodeInfo Worker(std::string name, LevelSet levels, std::string lacks = "") {
  NodeInfo node;
  node.name = std::move(name);
  node.levels = levels;
  node.lacks = std::move(lacks);
  return node;
}

TEST(LevelSupplyTest, IsWhatTheLiveNodesGiveTogether) {
  NodeInfo silent = Worker("silent", LevelSet::All());
  silent.silent_for = minutes(5);
  const LevelSupply supply =
      SupplyOf({Worker("one", {kWorktree}, "sandbox: no bwrap"),
                Worker("two", {kWorktree, kShared}), silent, Worker("web", {})},
               kAlive);
  EXPECT_EQ(supply.given, (LevelSet{kWorktree, kShared}));
  EXPECT_EQ(supply.why_not.at(kSandbox), "no node can give level sandbox: one: no bwrap");
  EXPECT_EQ(supply.why_not.count(kWorktree), 0U);
}

TEST(LevelSupplyTest, SaysSoWhenNobodyRunsTasks) {
  EXPECT_EQ(SupplyOf({Worker("web", {})}, kAlive).why_not.at(kWorktree),
            "no node can give level worktree: no node that runs tasks is there");
}

TEST(LevelSupplyTest, TellsOfAFewNodesOnly) {
  std::vector<NodeInfo> nodes;
  for (int i = 0; i < 500; ++i) {
    nodes.push_back(Worker("n" + std::to_string(i), {kWorktree}, "sandbox: no bwrap"));
  }
  EXPECT_EQ(SupplyOf(nodes, kAlive).why_not.at(kSandbox),
            "no node can give level sandbox: n0: no bwrap; n1: no bwrap; n2: no bwrap");
}

class SupplyStore final : public StubStore {
 public:
  Result<std::vector<NodeInfo>> ListNodes() override { return nodes; }
  Result<SettledLevels> SettleLevels(const LevelSupply& supply) override {
    asked.push_back(supply);
    return SettledLevels{};
  }
  std::vector<IsolationLevel> ParkedLast() const {
    std::vector<IsolationLevel> levels;
    for (const auto& [level, why] : asked.back().why_not) levels.push_back(level);
    return levels;
  }

  std::vector<NodeInfo> nodes;
  std::vector<LevelSupply> asked;
};

TEST(LevelKeeperTest, ParksOnlyWhatWasNotGivenTwiceInARow) {
  SupplyStore store;
  Redactor redactor;
  Log log{LogLevel::kError, "text", redactor};
  LevelKeeper keeper(store, log, kAlive);
  store.nodes = {Worker("one", {kShared, kWorktree, kSandbox})};
  ASSERT_TRUE(keeper.RunOnce({}).ok());
  EXPECT_TRUE(store.ParkedLast().empty()) << "it has only just begun to look";
  ASSERT_TRUE(keeper.RunOnce({}).ok());
  EXPECT_THAT(store.ParkedLast(), ElementsAre(kContainer));
  store.nodes = {};
  ASSERT_TRUE(keeper.RunOnce({}).ok());
  EXPECT_THAT(store.ParkedLast(), ElementsAre(kContainer)) << "the node may be starting again";
  EXPECT_TRUE(store.asked.back().given.Empty()) << "nothing is released for a node that is gone";
  ASSERT_TRUE(keeper.RunOnce({}).ok());
  EXPECT_EQ(store.ParkedLast().size(), 4U);
}

}  // namespace
}  // namespace swage
