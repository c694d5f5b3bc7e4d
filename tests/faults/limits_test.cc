// Commands that hang, hide, shout and devour, at the real runner (X17 to X20). Each is bounded by
// itself, so that a guard that fails does no more harm than a red test.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "config/base/cgroup.h"
#include "config/base/files.h"
#include "config/base/limits.h"
#include "config/base/text.h"
#include "config/base/tree_watch.h"
#include "tests/harness/paths.h"
#include "tests/harness/wait.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::WaitFor;

// Kept by control groups, or by counting alone.
class Limits : public ::testing::TestWithParam<bool> {
 protected:
  Limits() {
    if (GetParam()) groups_ = CommandGroups::Open();
    runner_ = MakePosixProcessRunner(test::Program("swage-supervise"), groups_);
  }
  // A machine may have no group to give: the other half of the suite shows what holds then.
  bool Have(Controller controller) const { return !groups_ || groups_->Keeps(controller); }

  ProcessSpec Shell(std::string script) const {
    ProcessSpec spec;
    spec.argv = {"/bin/sh", "-c", std::move(script)};
    spec.env = {{"PATH", "/usr/bin:/bin"}};
    spec.cwd = dir_.path();
    spec.kill_grace = milliseconds(200);
    spec.time_limit = seconds(60);
    return spec;
  }
  ProcessResult Run(const ProcessSpec& spec) {
    auto result = runner_->Run(spec, [this](std::string_view bytes) { output_.append(bytes); }, {});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : ProcessResult{};
  }
  pid_t PidIn(std::string_view file) const {
    const auto text = ReadFile(dir_.path() / file);
    return text.ok() ? static_cast<pid_t>(ParseInt(Trim(*text)).value_or(0)) : 0;
  }

  TempDir dir_;
  std::shared_ptr<CommandGroups> groups_;
  std::unique_ptr<ProcessRunner> runner_;
  std::string output_;
};

bool IsGone(pid_t pid) {
  return pid > 0 && WaitFor([pid] { return kill(pid, 0) != 0 && errno == ESRCH; });
}

TEST_P(Limits, Fault_X17_WhatIgnoresTermIsKilledAtItsTimeLimit) {
  ProcessSpec spec = Shell("trap '' TERM INT HUP; echo $$ >pid; while :; do sleep 1; done");
  spec.time_limit = milliseconds(300);
  spec.limits.processes = 100;
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.end, ProcessEnd::kTimedOut);
  EXPECT_LT(result.duration, seconds(20));
  EXPECT_TRUE(IsGone(PidIn("pid")));
}

TEST_P(Limits, Fault_X17_SilenceEndsAHangingCommand) {
  ProcessSpec spec = Shell("trap '' TERM; echo $$ >pid; while :; do sleep 1; done");
  spec.silence_limit = milliseconds(300);
  EXPECT_EQ(Run(spec).end, ProcessEnd::kSilent);
  EXPECT_TRUE(IsGone(PidIn("pid")));
}

TEST_P(Limits, Fault_X18_ADaemonThatForkedTwiceIsDeadWhenTheCommandEnds) {
  ProcessSpec spec = Shell(
      "setsid sh -c '(trap \"\" TERM; sh -c \"echo \\$PPID\" >pid; sleep 300; sleep 300) "
      ">/dev/null 2>&1 &' & until [ -s pid ]; do sleep 0.01; done");
  spec.limits.processes = 100;
  EXPECT_TRUE(Run(spec).Succeeded());
  EXPECT_TRUE(IsGone(PidIn("pid")));
}

TEST_P(Limits, Fault_X18_ADaemonThatKilledTheSupervisorDiesWithItsGroup) {
  if (!GetParam() || !Have(Controller::kProcesses)) GTEST_SKIP() << "needs a control group";
  ProcessSpec spec = Shell(
      "setsid sh -c 'echo $$ >pid; kill -9 '$PPID'; sleep 300; sleep 300' >/dev/null 2>&1 &"
      "sleep 300");
  spec.limits.processes = 100;
  EXPECT_FALSE(runner_->Run(spec, nullptr, {}).ok());
  EXPECT_TRUE(IsGone(PidIn("pid")));
}

TEST_P(Limits, Fault_X19_TenGigabytesOfOutputAreDrainedWithFlatMemory) {
  if (GetParam()) GTEST_SKIP() << "no limit is asked for: once is enough";
  const auto resident = [] { return MemoryOf({getpid()}, ~std::uint64_t{0}); };
  ProcessSpec spec = Shell("yes | head -c 10G");
  spec.output_cap = 1 << 20;
  spec.time_limit = std::chrono::minutes(10);
  const std::uint64_t before = resident();
  const ProcessResult result = Run(spec);
  EXPECT_TRUE(result.Succeeded()) << result.Describe();
  EXPECT_EQ(result.output_bytes, std::size_t{10} << 30);
  EXPECT_EQ(output_.size(), std::size_t{1} << 20);
  EXPECT_LT(resident(), before + (16 << 20));
}

TEST_P(Limits, Fault_X20_AMemoryHogIsKilledAndTheResultSaysWhy) {
  if (!Have(Controller::kMemory)) GTEST_SKIP() << groups_->WhyNot();
  // It holds what it got for a while, as hogs do: counting has to see it.
  ProcessSpec spec = Shell("");
  spec.argv = {test::Program("swage-supervise"), "--try", "memory", "400"};
  spec.limits.memory_bytes = 64 << 20;
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.end, ProcessEnd::kOutOfMemory) << result.Describe();
  EXPECT_EQ(result.Describe(),
            "killed: it used more than 64 MiB of memory (isolation.limits.memory)");
  if (GetParam()) {
    EXPECT_LE(result.use.peak_memory_bytes, 64u << 20);
  }
}

TEST_P(Limits, Fault_X20_AHogAmongOthersIsNamedWhenTheCommandFailsForIt) {
  if (!GetParam() || !Have(Controller::kMemory)) GTEST_SKIP() << "needs a control group";
  ProcessSpec spec = Shell("head -c 400000000 /dev/zero | tail | wc -c; exit 5");
  spec.limits.memory_bytes = 64 << 20;
  EXPECT_EQ(Run(spec).Describe(),
            "exit code 5; it used more than 64 MiB of memory (isolation.limits.memory)");
}

TEST_P(Limits, Fault_X20_AForkBombStaysWithinItsProcesses) {
  if (!Have(Controller::kProcesses)) GTEST_SKIP() << groups_->WhyNot();
  // 500 at most, whatever holds.
  ProcessSpec spec = Shell("i=0; while [ $i -lt 500 ]; do sleep 20 & i=$((i+1)); done; wait");
  spec.limits.processes = 60;
  const ProcessResult result = Run(spec);
  EXPECT_FALSE(result.Succeeded());
  EXPECT_NE(result.Describe().find("it wanted more than 60 processes"), std::string::npos)
      << result.Describe();
  EXPECT_LT(result.duration, seconds(15));
}

TEST_P(Limits, Fault_X20_ADiskFillerIsKilledAlsoWhenItsFileHasNoName) {
  for (const char* script :
       {"head -c 300M /dev/zero >big", "exec 3>big; rm big; head -c 300M /dev/zero >&3",
        "i=0; while [ $i -lt 300 ]; do mkdir d$i; "
        "head -c 1M /dev/zero >d$i/f; i=$((i+1)); done"}) {
    const TempDir disk;
    ProcessSpec spec = Shell(std::string(script) + "; sleep 30");
    spec.cwd = disk.path();
    spec.limits.disk_bytes = 50 << 20;
    spec.disk_roots = {disk.path()};
    const ProcessResult result = Run(spec);
    EXPECT_EQ(result.end, ProcessEnd::kDiskFull) << script << ": " << result.Describe();
    EXPECT_EQ(result.Describe(),
              "killed: its files took more than 50 MiB of disk (isolation.limits.disk)");
  }
}

TEST_P(Limits, Fault_X20_OneFileMayNotGrowPastItsLimit) {
  ProcessSpec spec = Shell("exec head -c 100M /dev/zero >big");
  spec.limits.file_bytes = 1 << 20;
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.end, ProcessEnd::kFileTooLarge) << result.Describe();
  EXPECT_EQ(std::filesystem::file_size(dir_.path() / "big"), 1u << 20);
}

TEST_P(Limits, CpuTimeIsHeldBackAndCounted) {
  if (!GetParam() || !Have(Controller::kCpu)) GTEST_SKIP() << "needs a control group";
  ProcessSpec spec = Shell("");
  spec.argv = {test::Program("swage-supervise"), "--try", "cpu", "500"};
  spec.limits.cpus = 0.2;
  const ProcessResult result = Run(spec);
  EXPECT_GT(result.use.cpu_held_back.count(), 0);
  EXPECT_LT(result.use.cpu, milliseconds(350));
}

TEST_P(Limits, ACommandWithinItsLimitsRunsAsEver) {
  ProcessSpec spec = Shell("ulimit -n; ulimit -c; ls /proc/self/fd | wc -l; exit 7");
  spec.limits.memory_bytes = 256 << 20;
  spec.limits.processes = 100;
  spec.limits.cpus = 2;
  spec.limits.disk_bytes = 100 << 20;
  spec.limits.open_files = 99;
  spec.disk_roots = {dir_.path()};
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.Describe(), "exit code 7");
  EXPECT_EQ(output_, "99\n0\n4\n");
  EXPECT_GT(result.use.peak_memory_bytes, 0u);
}

TEST_P(Limits, EachThatIsPromisedHoldsWhenTried) {
  const auto keepers = TryLimits(*runner_, test::Program("swage-supervise"), groups_.get());
  ASSERT_TRUE(keepers.ok()) << keepers.error().message;
  for (const LimitKeeper& keeper : *keepers) {
    EXPECT_TRUE(keeper.kept || keeper.what == Limited::kCpu) << keeper.Describe();
  }
}

TEST_P(Limits, LeaveNoGroupBehind) {
  if (!GetParam()) GTEST_SKIP() << "needs control groups";
  ProcessSpec spec = Shell("sleep 300 & exit 0");
  spec.limits.processes = 100;
  Run(spec);
  const std::string own = "/swage-" + ProcessName();
  runner_.reset();
  groups_.reset();
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(mounts), {}};
  const auto position = ReadFile("/proc/self/cgroup");
  ASSERT_TRUE(position.ok());
  const auto files = MakeCgroupFiles();
  for (const auto& hierarchy : FindHierarchies(*files, text, *position)) {
    EXPECT_FALSE(std::filesystem::exists(hierarchy->Parent() + own)) << hierarchy->Parent();
  }
}

TEST_P(Limits, TheNextStartKillsAndRemovesWhatAKilledBotLeft) {
  if (!GetParam() || !Have(Controller::kProcesses)) GTEST_SKIP() << "needs a control group";
  runner_.reset();
  groups_.reset();
  const pid_t bot = fork();
  ASSERT_GE(bot, 0);
  if (bot == 0) {
    const auto groups = CommandGroups::Open();
    ResourceLimits limits;
    limits.processes = 10;
    auto group = groups->Make(limits);
    const std::string self = std::to_string(getpid());
    std::ofstream(dir_.path() / "bot") << ProcessName();
    const pid_t left = fork();
    if (left == 0) {
      for (const Fd& entry : (*group)->Entries()) (void)!write(entry.get(), "0", 1);
      std::ofstream(dir_.path() / "left") << getpid() << std::endl;
      execl("/bin/sleep", "sleep", "300", nullptr);
      _exit(1);
    }
    pause();
  }
  ASSERT_TRUE(WaitFor([this] { return PidIn("left") > 0; }));
  kill(bot, SIGKILL);
  ASSERT_EQ(waitpid(bot, nullptr, 0), bot);
  const auto next = CommandGroups::Open();
  EXPECT_TRUE(IsGone(PidIn("left")));
}

INSTANTIATE_TEST_SUITE_P(ByGroups, Limits, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(ByCounting, Limits, ::testing::Values(false));

TEST(TreeWatch, CountsFilesOnceAndFollowsNoLink) {
  TempDir dir;
  TempDir elsewhere;
  const auto fill = [](const std::filesystem::path& file, std::size_t bytes) {
    std::ofstream(file) << std::string(bytes, 'x');
  };
  fill(elsewhere.path() / "big", 4 << 20);
  const std::uint64_t empty = DiskUseOf({dir.path()}, ~std::uint64_t{0});
  std::filesystem::create_directory_symlink(elsewhere.path(), dir.path() / "out");
  fill(dir.path() / "a", 1 << 20);
  std::filesystem::create_hard_link(dir.path() / "a", dir.path() / "b");
  const std::uint64_t use = DiskUseOf({dir.path(), dir.path() / "none"}, ~std::uint64_t{0});
  EXPECT_GE(use, empty + (1 << 20));
  EXPECT_LT(use, empty + (1 << 20) + (64 << 10));
  EXPECT_LE(DiskUseOf({dir.path()}, 10), (1u << 20) + (64u << 10));
}

}  // namespace
}  // namespace swage
