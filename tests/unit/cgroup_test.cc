// Control groups: what is found on which machine, what is written where, and what is cleaned up.
#include "config/base/cgroup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "config/base/limits.h"
#include "tests/harness/fake_cgroup_files.h"

namespace swage {
namespace {

using test::FakeCgroupFiles;
using test::FakeCgroups;

constexpr std::string_view kMounts2 =
    "22 1 0:20 / / rw - ext4 /dev/vda rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr std::string_view kOwn2 = "0::/system.slice/swage.service\n";
const std::string kService = "/sys/fs/cgroup/system.slice/swage.service";
const std::string kHome = kService + "/swage-4026-7-100";

ResourceLimits SomeLimits() {
  ResourceLimits limits;
  limits.memory_bytes = (64 << 20) + 100;
  limits.processes = 50;
  limits.cpus = 1.5;
  return limits;
}

class Cgroup2 : public ::testing::Test {
 protected:
  Cgroup2() {
    FakeCgroups::Group& service = state_->Add(kService, {"cpu", "io", "memory", "pids"});
    service.processes = {std::to_string(getpid())};
  }
  std::shared_ptr<CommandGroups> Open() {
    return std::make_shared<CommandGroups>(
        std::make_unique<FakeCgroupFiles>(state_), kMounts2, kOwn2, "4026-7-100",
        [](std::string_view name) { return name != "4026-9-50"; });
  }
  const std::string& File(const std::string& dir, const std::string& name) {
    return state_->groups.at(dir).files.at(name);
  }

  std::shared_ptr<FakeCgroups> state_ = std::make_shared<FakeCgroups>();
};

TEST_F(Cgroup2, ADelegatedServiceKeepsAllThreeLimits) {
  const auto groups = Open();
  for (const Controller controller : kControllers) {
    EXPECT_EQ(groups->MeansOf(controller), "cgroup v2");
  }
  // A group that hands controllers down holds no processes: this one moved.
  EXPECT_TRUE(state_->groups.at(kService).processes.empty());
  EXPECT_EQ(state_->groups.at(kService + "/swage-main").processes,
            std::vector<std::string>{std::to_string(getpid())});
  // What the service does not need it leaves alone.
  EXPECT_FALSE(state_->groups.at(kService).handed_down.contains("io"));
}

TEST_F(Cgroup2, WritesEachLimitIntoTheGroupOfTheCommand) {
  const auto groups = Open();
  auto group = groups->Make(SomeLimits());
  ASSERT_TRUE(group.ok()) << group.error().message;
  EXPECT_EQ((*group)->Entries().size(), 1u);
  EXPECT_EQ(File(kHome + "/c1", "memory.max"), "67108864\n");  // rounded down by the kernel
  EXPECT_EQ(File(kHome + "/c1", "pids.max"), "50\n");
  EXPECT_EQ(File(kHome + "/c1", "cpu.max"), "150000 100000\n");
  auto other = groups->Make({});
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(File(kHome + "/c2", "memory.max"), "max\n");
}

TEST_F(Cgroup2, ReadsWhatTheTreeUsed) {
  const auto groups = Open();
  auto group = groups->Make(SomeLimits());
  ASSERT_TRUE(group.ok());
  auto& files = state_->groups.at(kHome + "/c1").files;
  files["cpu.stat"] = "usage_usec 1500\nuser_usec 1\nnr_throttled 2\nthrottled_usec 70\n";
  files["memory.peak"] = "4096\n";
  files["memory.events"] = "oom 3\noom_kill 2\noom_group_kill 9\n";
  files["pids.events"] = "max 5\n";
  const GroupUse use = (*group)->Use();
  EXPECT_EQ(use.cpu.count(), 1500);
  EXPECT_EQ(use.cpu_held_back.count(), 70);
  EXPECT_EQ(use.peak_memory_bytes, 4096u);
  EXPECT_EQ(use.memory_kills, 2u);
  EXPECT_EQ(use.refused_processes, 5u);
}

TEST_F(Cgroup2, TheEndOfACommandKillsWhatIsInsideAndRemovesTheGroup) {
  const auto groups = Open();
  auto group = groups->Make(SomeLimits());
  ASSERT_TRUE(group.ok());
  state_->groups.at(kHome + "/c1").processes = {"4711"};
  std::move(group).value().reset();
  EXPECT_TRUE(state_->killed.contains(kHome + "/c1"));
  EXPECT_FALSE(state_->groups.contains(kHome + "/c1"));
}

TEST_F(Cgroup2, TheEndOfTheProcessRemovesItsDirectory) {
  Open().reset();
  EXPECT_FALSE(state_->groups.contains(kHome));
}

TEST_F(Cgroup2, WhatADeadProcessLeftIsKilledAndRemovedAndWhatLivesStays) {
  for (const char* name : {"/swage-4026-9-50", "/swage-4026-8-60", "/swage-main", "/other"}) {
    state_->Add(kService + name, {});
    state_->Add(kService + name + "/c3", {}).processes = {"4711"};
  }
  const auto groups = Open();
  EXPECT_FALSE(state_->groups.contains(kService + "/swage-4026-9-50"));
  EXPECT_EQ(state_->killed, std::set<std::string>{kService + "/swage-4026-9-50/c3"});
  EXPECT_TRUE(state_->groups.contains(kService + "/swage-4026-8-60/c3"));
  EXPECT_TRUE(state_->groups.contains(kService + "/other/c3"));
}

TEST_F(Cgroup2, ProcessesOfOthersAreNotMovedAndTheReasonSaysWhatToDo) {
  state_->groups.at(kService).processes.push_back("1");
  const auto groups = Open();
  EXPECT_FALSE(groups->Keeps(Controller::kMemory));
  EXPECT_NE(groups->WhyNot().find("other processes are in the control group"), std::string::npos);
  EXPECT_NE(groups->WhyNot().find("Delegate=yes"), std::string::npos);
  EXPECT_EQ(state_->groups.at(kService).processes.size(), 2u);
  // It still serves to kill a tree.
  EXPECT_TRUE(groups->Make(SomeLimits()).ok());
}

TEST_F(Cgroup2, WithoutTheRightToMakeGroupsNothingIsPromised) {
  state_->denied = {kService, kService + "/cgroup.subtree_control"};
  const auto groups = Open();
  for (const Controller controller : kControllers) EXPECT_FALSE(groups->Keeps(controller));
  EXPECT_FALSE(groups->WhyNot().empty());
  auto group = groups->Make(SomeLimits());
  ASSERT_TRUE(group.ok());
  EXPECT_TRUE((*group)->Entries().empty());
}

TEST_F(Cgroup2, OnlyControllersThatWereHandedToUsCount) {
  state_->groups.at(kService).available = {"pids"};
  const auto groups = Open();
  EXPECT_TRUE(groups->Keeps(Controller::kProcesses));
  EXPECT_FALSE(groups->Keeps(Controller::kMemory));
  EXPECT_FALSE(groups->Keeps(Controller::kCpu));
}

TEST_F(Cgroup2, ALimitThatTheKernelDidNotTakeIsAnError) {
  const auto groups = Open();
  state_->ignoring = {kHome + "/c1/memory.max", kHome + "/c2/cpu.max"};
  for (int i = 0; i < 2; ++i) {
    const auto group = groups->Make(SomeLimits());
    ASSERT_FALSE(group.ok());
    EXPECT_NE(group.error().message.find("instead of"), std::string::npos);
  }
  EXPECT_TRUE(groups->Make(SomeLimits()).ok());
  EXPECT_FALSE(state_->groups.contains(kHome + "/c1"));  // nothing half-made stays
}

TEST_F(Cgroup2, ASecondLookFromTheOwnPlaceFindsTheSameParent) {
  const auto first = Open();
  const auto second =
      std::make_shared<CommandGroups>(std::make_unique<FakeCgroupFiles>(state_), kMounts2,
                                      "0::/system.slice/swage.service/swage-main\n", "4026-8-200",
                                      [](std::string_view) { return true; });
  EXPECT_TRUE(second->Keeps(Controller::kMemory));
  EXPECT_TRUE(state_->groups.contains(kService + "/swage-4026-8-200"));
}

TEST(CgroupFind, AMachineWithoutGroupsPromisesNothing) {
  const auto state = std::make_shared<FakeCgroups>();
  for (const std::string_view mounts :
       {std::string_view(), kMounts2, std::string_view("x - y\n- - -\n")}) {
    CommandGroups groups(std::make_unique<FakeCgroupFiles>(state), mounts, "", "a-1-1",
                         [](std::string_view) { return true; });
    EXPECT_FALSE(groups.Keeps(Controller::kMemory));
    EXPECT_FALSE(groups.WhyNot().empty());
  }
}

TEST(CgroupFind, AHybridHasOneHierarchyPerControllerBesideVersionTwo) {
  constexpr std::string_view kMounts =
      "32 31 0:29 / /c/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 /docker/ab /c/memory rw - cgroup cgroup rw,memory\n"
      "36 31 0:32 /docker/ab /again rw - cgroup cgroup rw,memory\n"
      "39 31 0:36 / /c/pids rw - cgroup cgroup rw,pids\n"
      "40 31 0:37 / /c/systemd rw - cgroup cgroup rw,name=systemd\n"
      "41 31 0:38 / /c/unified rw - cgroup2 cgroup2 rw\n";
  constexpr std::string_view kOwn =
      "9:name=systemd:/x\n8:pids:/p/q\n4:memory:/docker/ab/m\n2:cpu,cpuacct:/\n0::/u\n";
  const auto state = std::make_shared<FakeCgroups>();
  FakeCgroupFiles files(state);
  const auto found = FindHierarchies(files, kMounts, kOwn);
  std::vector<std::string> places;
  for (const auto& hierarchy : found) {
    places.push_back(std::string(hierarchy->Name()) + " " + hierarchy->Parent());
  }
  EXPECT_EQ(places, (std::vector<std::string>{"cgroup v2 /c/unified/u", "cgroup v1 /c/cpu,cpuacct",
                                              "cgroup v1 /c/memory/m", "cgroup v1 /c/pids/p/q"}));
}

TEST(CgroupFind, AGroupOutsideOfWhatIsMountedIsNotUsed) {
  const auto state = std::make_shared<FakeCgroups>();
  FakeCgroupFiles files(state);
  EXPECT_TRUE(FindHierarchies(files, kMounts2, "0::/../other\n").empty());
  EXPECT_TRUE(
      FindHierarchies(files, "35 31 0:32 /a /c rw - cgroup cgroup rw,memory\n", "4:memory:/b\n")
          .empty());
}

TEST(CgroupFind, AProcessKnowsItsOwnNameAmongTheLiving) {
  const std::string self = ProcessName();
  EXPECT_TRUE(ProcessLives(self));
  EXPECT_FALSE(ProcessLives(self + "1"));  // another start: the number was given again
  EXPECT_TRUE(ProcessLives("1-1-1"));      // of another namespace: not ours to judge
  EXPECT_TRUE(ProcessLives("main"));
}

TEST(Limits, TheStricterOfTwoHoldsAndZeroIsNone) {
  ResourceLimits server = SomeLimits();
  server.disk_bytes = 0;
  ResourceLimits policy;
  policy.memory_bytes = 1 << 20;
  policy.processes = 9'999;
  policy.disk_bytes = 5;
  const ResourceLimits both = Stricter(server, policy);
  EXPECT_EQ(both.memory_bytes, 1u << 20);
  EXPECT_EQ(both.processes, 50);
  EXPECT_EQ(both.disk_bytes, 5u);
  EXPECT_EQ(both.cpus, 1.5);
  EXPECT_EQ(both.open_files, 0);
}

TEST(Limits, AreSaidInWordsThatAReviewerUnderstands) {
  ResourceLimits limits;
  limits.memory_bytes = 2ull << 30;
  limits.disk_bytes = 1536 << 20;
  limits.file_bytes = 312;
  limits.processes = 64;
  EXPECT_EQ(DescribeExcess(Limited::kMemory, limits),
            "it used more than 2 GiB of memory (isolation.limits.memory)");
  EXPECT_EQ(DescribeExcess(Limited::kDisk, limits),
            "its files took more than 1.5 GiB of disk (isolation.limits.disk)");
  EXPECT_EQ(DescribeExcess(Limited::kFile, limits),
            "it wrote a file larger than 312 B (isolation.limits.file)");
  EXPECT_EQ(DescribeExcess(Limited::kProcesses, limits),
            "it wanted more than 64 processes (isolation.limits.processes)");
  ProcessResult result;
  result.end = ProcessEnd::kOutOfMemory;
  result.excess = DescribeExcess(Limited::kMemory, limits);
  EXPECT_EQ(result.Describe(),
            "killed: it used more than 2 GiB of memory (isolation.limits.memory)");
}

TEST(Limits, WithoutGroupsCpuTimeIsNotPromised) {
  for (const LimitKeeper& keeper : LimitKeepers(nullptr)) {
    EXPECT_EQ(keeper.kept, keeper.what != Limited::kCpu) << keeper.Describe();
    EXPECT_FALSE(keeper.means.empty());
  }
  EXPECT_EQ(LimitKeepers(nullptr)[2].Describe(), "cpus: not enforced: control groups are not used");
}

}  // namespace
}  // namespace swage
