// The process runner against real commands: what it promises in config/base/process.h.
#include "config/base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

class Process : public ::testing::Test {
 protected:
  ProcessSpec Command(std::vector<std::string> argv) const {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.env = {{"PATH", "/usr/bin:/bin"}};
    spec.cwd = "/";
    spec.kill_grace = milliseconds(200);
    return spec;
  }
  ProcessSpec Shell(std::string script) const {
    return Command({"/bin/sh", "-c", std::move(script)});
  }
  ProcessResult Run(const ProcessSpec& spec, std::stop_token stop = {}) {
    auto result = runner_->Run(
        spec, [this](std::string_view bytes) { output_.append(bytes); }, stop);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : ProcessResult{};
  }

  std::unique_ptr<ProcessRunner> runner_ = MakePosixProcessRunner(test::Program("swage-supervise"));
  std::string output_;
};

// Whether the process has ended, or does so within the limit.
bool Ended(pid_t pid, int limit_ms = 0) {
  const Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.valid()) return errno == ESRCH;
  pollfd wait{fd.get(), POLLIN, 0};
  return poll(&wait, 1, limit_ms) == 1;
}

void Write(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file) << bytes;
}

pid_t PidIn(const std::filesystem::path& file) {
  const auto text = ReadFile(file);
  return text.ok() ? static_cast<pid_t>(ParseInt(Trim(*text)).value_or(0)) : 0;
}

std::size_t OpenDescriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

long PeakRssKiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

TEST_F(Process, ReportsTheExitCode) {
  EXPECT_TRUE(Run(Shell("exit 0")).Succeeded());
  const ProcessResult failed = Run(Shell("exit 42"));
  EXPECT_EQ(failed.end, ProcessEnd::kExited);
  EXPECT_EQ(failed.exit_code, 42);
  EXPECT_EQ(failed.leftover_processes, 0);
  EXPECT_EQ(failed.Describe(), "exit code 42");
}

TEST_F(Process, ReportsTheSignal) {
  const ProcessResult result = Run(Shell("kill -9 $$"));
  EXPECT_EQ(result.end, ProcessEnd::kSignalled);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.Describe(), "killed by signal 9");
}

TEST_F(Process, MissingCommandIsNotFoundAndNamed) {
  for (const char* name : {"no-such-command-here", "/no/such/command"}) {
    const auto result = runner_->Run(Command({name}), nullptr, {});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
    EXPECT_NE(result.error().message.find(name), std::string::npos);
  }
}

TEST_F(Process, WhatCannotStartIsAnInternalErrorWithTheReason) {
  const auto not_executable = runner_->Run(Command({"/etc/passwd"}), nullptr, {});
  ASSERT_FALSE(not_executable.ok());
  EXPECT_EQ(not_executable.error().code, ErrorCode::kInternal);
  EXPECT_NE(not_executable.error().message.find("Permission denied"), std::string::npos);

  ProcessSpec lost = Shell("true");
  lost.cwd = "/no/such/directory";
  const auto no_directory = runner_->Run(lost, nullptr, {});
  ASSERT_FALSE(no_directory.ok());
  EXPECT_EQ(no_directory.error().code, ErrorCode::kInternal);
  EXPECT_NE(no_directory.error().message.find("/no/such/directory"), std::string::npos);
}

TEST_F(Process, MissingSupervisorIsAnInternalError) {
  const auto result =
      MakePosixProcessRunner("/no/such/supervisor")->Run(Shell("true"), nullptr, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
}

TEST_F(Process, ARelativePathEntryIsNeverSearched) {
  TempDir dir;
  { std::ofstream(dir.path() / "planted") << "#!/bin/sh\nexit 0\n"; }
  std::filesystem::permissions(dir.path() / "planted", std::filesystem::perms::owner_all);
  ProcessSpec spec = Command({"planted"});
  spec.cwd = dir.path();
  spec.env["PATH"] = ":.:/usr/bin";
  const auto result = runner_->Run(spec, nullptr, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
}

TEST_F(Process, AScriptWithoutAnInterpreterLineIsNotGivenToAShell) {
  TempDir dir;
  { std::ofstream(dir.path() / "script") << "touch /never\n"; }
  std::filesystem::permissions(dir.path() / "script", std::filesystem::perms::owner_all);
  const auto result = runner_->Run(Command({(dir.path() / "script").string()}), nullptr, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
}

TEST_F(Process, RefusesArgumentsThatHoldNul) {
  const auto result = runner_->Run(Command({"/bin/echo", std::string("a\0b", 3)}), nullptr, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalid);
}

TEST_F(Process, GivesTheEnvironmentAndNothingElse) {
  setenv("SWAGE_TEST_LEAK", "leaked", 1);
  ProcessSpec spec = Command({"/usr/bin/env"});
  spec.env = {{"A", "1"}, {"EMPTY", ""}, {"LINES", "x\ny"}};
  Run(spec);
  unsetenv("SWAGE_TEST_LEAK");
  EXPECT_EQ(output_, "A=1\nEMPTY=\nLINES=x\ny\n");
}

TEST_F(Process, RunsInTheDirectory) {
  TempDir dir;
  ProcessSpec spec = Command({"/bin/pwd"});
  spec.cwd = dir.path();
  Run(spec);
  EXPECT_EQ(output_, std::filesystem::canonical(dir.path()).string() + "\n");
}

TEST_F(Process, StdinIsNullOrTheGivenBytes) {
  Run(Command({"cat"}));
  EXPECT_EQ(output_, "");
  ProcessSpec spec = Command({"cat"});
  spec.stdin_bytes = std::string(1 << 20, 'x');
  Run(spec);
  EXPECT_EQ(output_, spec.stdin_bytes);
  spec.stdin_bytes += 'x';
  EXPECT_EQ(runner_->Run(spec, nullptr, {}).error().code, ErrorCode::kTooLarge);
}

TEST_F(Process, MergesBothStreamsAsWritten) {
  const ProcessResult result = Run(Shell("echo a; echo b >&2; echo c"));
  EXPECT_EQ(output_, "a\nb\nc\n");
  EXPECT_EQ(result.output_bytes, 6u);
}

TEST_F(Process, KeepsTheTailOfStderrApart) {
  ProcessSpec spec = Shell("echo out; seq 1 100000 >&2; printf end >&2");
  spec.merge_stderr = false;
  const ProcessResult result = Run(spec);
  EXPECT_EQ(output_, "out\n");
  EXPECT_EQ(result.stderr_tail.size(), 16u << 10);
  EXPECT_TRUE(result.stderr_tail.ends_with("100000\nend"));
}

TEST_F(Process, Fault_X19_DrainsOutputBeyondTheCapWithFlatMemory) {
  ProcessSpec spec = Command({"head", "-c", "200000000", "/dev/zero"});
  spec.output_cap = 1000;
  const long before = PeakRssKiB();
  const ProcessResult result = Run(spec);
  EXPECT_TRUE(result.Succeeded());
  EXPECT_EQ(output_.size(), 1000u);
  EXPECT_EQ(result.output_bytes, 200'000'000u);
  EXPECT_EQ(result.dropped_bytes, 200'000'000u - 1000u);
  EXPECT_LT(PeakRssKiB() - before, 4 << 10);
}

TEST_F(Process, Fault_X17_ACommandThatIgnoresTermIsKilledAtItsTimeLimit) {
  ProcessSpec spec = Shell("trap '' TERM; echo $$; while :; do sleep 1; done");
  spec.time_limit = milliseconds(200);
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.end, ProcessEnd::kTimedOut);
  EXPECT_GE(result.duration, milliseconds(400));
  EXPECT_LT(result.duration, milliseconds(5000));
  EXPECT_TRUE(Ended(static_cast<pid_t>(ParseInt(Trim(output_)).value())));
  EXPECT_TRUE(result.Describe().starts_with("timed out after ")) << result.Describe();
}

TEST_F(Process, ACommandThatObeysTermEndsWithinTheGrace) {
  ProcessSpec spec = Shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done");
  spec.time_limit = milliseconds(200);
  spec.kill_grace = std::chrono::minutes(1);
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.end, ProcessEnd::kTimedOut);
  EXPECT_TRUE(output_.ends_with("bye\n")) << output_;
}

TEST_F(Process, SilenceEndsTheCommandAndOutputKeepsItAlive) {
  ProcessSpec silent = Shell("echo up; exec sleep 1000");
  silent.silence_limit = milliseconds(150);
  EXPECT_EQ(Run(silent).end, ProcessEnd::kSilent);
  ProcessSpec talking = Shell("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done");
  talking.silence_limit = milliseconds(600);
  EXPECT_TRUE(Run(talking).Succeeded());
}

TEST_F(Process, TheStopTokenEndsTheWholeTree) {
  std::stop_source source;
  std::vector<pid_t> pids;
  std::string seen;
  const auto result = runner_->Run(
      Shell("sleep 1000 & echo $!; echo $$; wait"),
      [&](std::string_view bytes) {
        seen.append(bytes);
        if (SplitLines(seen).size() == 2) source.request_stop();
      },
      source.get_token());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ProcessEnd::kStopped);
  for (const std::string_view line : SplitLines(seen)) {
    EXPECT_TRUE(Ended(static_cast<pid_t>(ParseInt(line).value()))) << line;
  }
}

TEST_F(Process, AStopBeforeTheStartRunsNothing) {
  TempDir dir;
  std::stop_source source;
  source.request_stop();
  const std::string marker = dir.path() / "ran";
  EXPECT_EQ(Run(Command({"touch", marker}), source.get_token()).end, ProcessEnd::kStopped);
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST_F(Process, Fault_X18_DaemonsAreDeadWhenTheCommandHasEnded) {
  TempDir dir;
  // setsid and two forks, output detached: what a daemon does. One of the two ignores TERM.
  const std::string script =
      "(setsid sh -c 'trap \"\" TERM; echo $$ >a; sleep 1000; sleep 1000' >/dev/null 2>&1 &)\n"
      "(setsid sh -c 'echo $$ >b; exec sleep 1000' >/dev/null 2>&1 &)\n"
      "until [ -s a ] && [ -s b ]; do sleep 0.01; done; exit 7";
  ProcessSpec spec = Shell(script);
  spec.cwd = dir.path();
  const ProcessResult result = Run(spec);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.end, ProcessEnd::kExited);
  EXPECT_GE(result.leftover_processes, 2);
  for (const char* name : {"a", "b"}) {
    const pid_t pid = PidIn(dir.path() / name);
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(Ended(pid)) << name;
  }
}

TEST_F(Process, AForkingTreeIsKilledToTheLastProcess) {
  TempDir dir;
  // Every generation starts the next in a session of its own and goes.
  Write(dir.path() / "next",
        "echo $$ >>all; trap '' TERM; setsid sh ./next >/dev/null 2>&1 & sleep 0.002\n");
  ProcessSpec spec = Shell("sh ./next; sleep 0.1");
  spec.cwd = dir.path();
  Run(spec);
  const std::string all = ReadFile(dir.path() / "all").value();
  ASSERT_GT(SplitLines(all).size(), 2u);
  for (const std::string_view line : SplitLines(all)) {
    EXPECT_TRUE(Ended(static_cast<pid_t>(ParseInt(line).value()))) << line;
  }
}

TEST_F(Process, ADescriptorHeldByAStrangerDoesNotHoldTheRun) {
  // The test itself keeps the command's output open past its end.
  Fd stranger;
  const auto result = runner_->Run(Shell("echo $$; sleep 0.2"),
                                   [&](std::string_view bytes) {
                                     const std::string fd =
                                         "/proc/" + std::string(Trim(bytes)) + "/fd/1";
                                     if (!stranger.valid())
                                       stranger = Fd(open(fd.c_str(), O_WRONLY | O_CLOEXEC));
                                   },
                                   {});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(stranger.valid());
  EXPECT_TRUE(result->Succeeded());
}

TEST_F(Process, AKilledBotTakesTheWholeTreeWithIt) {
  TempDir dir;
  const pid_t bot = fork();
  ASSERT_GE(bot, 0);
  if (bot == 0) {
    ProcessSpec spec = Shell(
        "(setsid sh -c 'trap \"\" TERM; echo $$ >a; sleep 1000; sleep 1000' >/dev/null 2>&1 &)\n"
        "until [ -s a ]; do sleep 0.01; done; echo $$ >b; echo up; exec sleep 1000");
    spec.cwd = dir.path();
    spec.kill_grace = std::chrono::minutes(10);
    (void)runner_->Run(spec, [](std::string_view) { kill(getpid(), SIGKILL); }, {}).ok();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(bot, &status, 0), bot);
  ASSERT_TRUE(WIFSIGNALED(status));
  for (const char* name : {"a", "b"}) {
    const pid_t pid = PidIn(dir.path() / name);
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(Ended(pid, 5000)) << name;
  }
}

TEST_F(Process, KillZeroInsideTheCommandStaysInside) {
  const ProcessResult result = Run(Shell("sleep 1000 & kill 0; wait"));
  EXPECT_EQ(result.end, ProcessEnd::kSignalled);
  EXPECT_EQ(result.signal, SIGTERM);
}

TEST_F(Process, ACommandThatKillsItsSupervisorIsAnErrorAndItsGroupDies) {
  TempDir dir;
  ProcessSpec spec =
      Shell("sleep 1000 & echo $! >child; echo $$ >pid; kill -9 $PPID; wait; exit 0");
  spec.cwd = dir.path();
  const auto result = runner_->Run(spec, nullptr, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  for (const char* name : {"pid", "child"}) {
    const pid_t pid = PidIn(dir.path() / name);
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(Ended(pid, 5000)) << name;
  }
}

TEST_F(Process, InheritsNoDescriptorAndNoIgnoredSignal) {
  const Fd leaky(open("/dev/null", O_RDONLY));  // deliberately without O_CLOEXEC
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  Run(Command({"ls", "/proc/self/fd"}));
  EXPECT_EQ(output_, "0\n1\n2\n3\n");  // 3 is ls reading the directory
  output_.clear();
  Run(Command({"grep", "SigIgn", "/proc/self/status"}));
  sigaction(SIGPIPE, &before, nullptr);
  const unsigned long ignored = std::stoul(output_.substr(8), nullptr, 16);
  EXPECT_EQ(ignored & (1UL << (SIGPIPE - 1)), 0u) << output_;
}

TEST_F(Process, ManyRunsAtOnceKeepTheirOutputApart) {
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string word = std::to_string(t * 100 + i);
        const auto output = RunAndCapture(*runner_, Command({"echo", word}));
        right += output.ok() && *output == word + "\n" ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 80);
}

TEST_F(Process, LeavesNoZombieAndNoDescriptor) {
  Run(Shell("true"));
  const std::size_t before = OpenDescriptors();
  for (int i = 0; i < 200; ++i) {
    ProcessSpec spec = Shell(i % 2 == 0 ? "echo x" : "exit 1");
    spec.merge_stderr = i % 3 == 0;
    Run(spec);
    if (i % 5 == 0) (void)runner_->Run(Command({"no-such-command"}), nullptr, {}).ok();
  }
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(Process, RunAndCaptureGivesOutputOrTheReason) {
  EXPECT_EQ(RunAndCapture(*runner_, Shell("echo fine")).value(), "fine\n");
  const auto failed = RunAndCapture(*runner_, Shell("echo broken >&2; exit 3"));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kInternal);
  EXPECT_EQ(failed.error().message, "/bin/sh: exit code 3: broken");
  EXPECT_EQ(RunAndCapture(*runner_, Shell("echo 12345"), 3).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(RunAndCapture(*runner_, Command({"no-such"})).error().code, ErrorCode::kNotFound);
}

TEST_F(Process, FindsTheSupervisorBesideTheProgram) {
  const auto found = FindSupervisor();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(std::filesystem::path(*found).filename(), "swage-supervise");
}

}  // namespace
}  // namespace swage
