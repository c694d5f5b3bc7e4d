#include "pipeline/isolation/task_commands.h"

#include <gtest/gtest.h>

#include "tests/harness/fake_process.h"

namespace swage {
namespace {

class FakeIsolation final : public Isolation {
 public:
  explicit FakeIsolation(IsolationLevel level) : level_(level) {}
  IsolationLevel Level() const override { return level_; }
  const Ability& Here() const override { return ability_; }
  std::optional<FileOwner> Owner() const override { return std::nullopt; }
  Result<std::unique_ptr<ProcessRunner>> Enclose(const Cell& cell) override {
    cells.push_back(cell);
    auto runner = std::make_unique<FakeProcessRunner>();
    runners.push_back(runner.get());
    return std::unique_ptr<ProcessRunner>(std::move(runner));
  }
  std::vector<Cell> cells;
  std::vector<FakeProcessRunner*> runners;

 private:
  const IsolationLevel level_;
  Ability ability_;
};

class TaskCommandsTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<TaskCommands>> Open(FakeIsolation& level,
                                             const std::vector<std::string>& hosts) {
    Cell cell;
    cell.workspace = dir_.path() / "files";
    cell.home = dir_.path() / "home";
    cell.tmp = dir_.path() / "tmp";
    TaskAllowance allowance;
    allowance.limits.memory_bytes = 9;
    allowance.egress = EgressList::Parse(hosts).value();
    return TaskCommands::Open(level, cell, std::move(allowance), *resolver_);
  }

  TempDir dir_;
  std::unique_ptr<HostResolver> resolver_ = MakeHostResolver();
};

TEST_F(TaskCommandsTest, ASandboxGetsADoorAndLosesItWithTheTask) {
  FakeIsolation level(IsolationLevel::kSandbox);
  auto commands = Open(level, {"api.example.com"});
  ASSERT_TRUE(commands.ok()) << commands.error().message;
  const std::filesystem::path socket = level.cells.at(0).egress;
  EXPECT_TRUE(std::filesystem::is_socket(socket));
  EXPECT_TRUE((*commands)->Egress().Refused().empty());
  std::move(commands).value().reset();
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(TaskCommandsTest, WithoutHostsOrAtALevelWithTheHostsNetworkThereIsNoDoor) {
  FakeIsolation sandbox(IsolationLevel::kSandbox);
  ASSERT_TRUE(Open(sandbox, {}).ok());
  EXPECT_TRUE(sandbox.cells.at(0).egress.empty());
  FakeIsolation worktree(IsolationLevel::kWorktree);
  ASSERT_TRUE(Open(worktree, {"api.example.com"}).ok());
  EXPECT_TRUE(worktree.cells.at(0).egress.empty());
}

TEST_F(TaskCommandsTest, CommandsGetTheTasksLimitsAndFolders) {
  FakeIsolation level(IsolationLevel::kWorktree);
  auto commands = Open(level, {});
  ASSERT_TRUE(commands.ok());
  ProcessSpec spec;
  spec.argv = {"true"};
  ASSERT_TRUE((*commands)->Runner().Run(spec, nullptr, {}).ok());
  const ProcessSpec& seen = level.runners.at(0)->specs.at(0);
  EXPECT_EQ(seen.limits.memory_bytes, 9u);
  EXPECT_EQ(seen.disk_roots.size(), 3u);
}

}  // namespace
}  // namespace swage
