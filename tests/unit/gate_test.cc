#include "pipeline/gate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/base/files.h"
#include "tests/harness/fake_process.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

const CommitSha kCommit{"0123456789012345678901234567890123456789"};

struct GateTest : ::testing::Test {
  TempDir dir{"swage-gate-"};
  fs::path workspace = dir.path() / "work";
  GateSpec gate;

  void SetUp() override {
    fs::create_directories(workspace / "build");
    gate.name = "tests";
    gate.run = {"ctest", "--flag; touch x"};
    gate.timeout = std::chrono::seconds(7);
  }
  void Write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }

  Result<GateVerdict> Run(ProcessRunner& processes,
                          const std::vector<std::string>& changed = {"a.cc"}) {
    CommandContext context;
    context.workspace = workspace;
    context.env = {{"PATH", "/bin"}, {"HOME", "/h"}};
    return GateRunner(processes).Run(gate, context, changed, kCommit,
                                     [&](std::string_view bytes) { log += bytes; }, {});
  }
  std::string log;
};

TEST_F(GateTest, RunsItsArgvInTheWorkspaceWithAnEnvironmentOfItsOwn) {
  gate.env = {{"CI", "1"}};
  FakeProcessRunner processes("hello\n", 0);
  const auto verdict = Run(processes);
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->outcome, GateOutcome::kPassed);
  EXPECT_EQ(verdict->summary, "passed");
  EXPECT_EQ(verdict->commit, kCommit);
  EXPECT_FALSE(verdict->Blocks());
  EXPECT_TRUE(log.starts_with("hello\n\n[exit code 0 after ")) << log;
  ASSERT_EQ(processes.specs.size(), 1u);
  const ProcessSpec& spec = processes.specs[0];
  EXPECT_EQ(spec.argv, gate.run);
  EXPECT_EQ(spec.cwd, workspace.string());
  EXPECT_EQ(spec.time_limit, std::chrono::seconds(7));
  EXPECT_EQ(spec.env, (std::map<std::string, std::string>{
                          {"CI", "1"}, {"HOME", "/h"}, {"PATH", "/bin"}, {"SWAGE_GATE", "tests"}}));
}

TEST_F(GateTest, FailsByExitCodeSignalAndTime) {
  FakeProcessRunner failing("x", 3);
  EXPECT_EQ(Run(failing)->outcome, GateOutcome::kFailed);
  EXPECT_EQ(Run(failing)->summary, "exit code 3");
  FakeProcessRunner killed(
      [](const auto&, const auto&) { return FakeProcessRunner::Ended(ProcessEnd::kSignalled); });
  EXPECT_EQ(Run(killed)->outcome, GateOutcome::kFailed);
  FakeProcessRunner slow(
      [](const auto&, const auto&) { return FakeProcessRunner::Ended(ProcessEnd::kTimedOut); });
  EXPECT_EQ(Run(slow)->outcome, GateOutcome::kTimedOut);
  EXPECT_TRUE(Run(slow)->Blocks());
}

TEST_F(GateTest, AMissingCommandIsAVerdictAndAStopIsAnError) {
  FakeProcessRunner missing([](const auto&, const auto&) -> Result<ProcessResult> {
    return MakeError(ErrorCode::kNotFound, "no such command: ctest");
  });
  const auto verdict = Run(missing);
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->outcome, GateOutcome::kError);
  EXPECT_EQ(verdict->summary, "no such command: ctest");
  FakeProcessRunner stopped(
      [](const auto&, const auto&) { return FakeProcessRunner::Ended(ProcessEnd::kStopped); });
  EXPECT_EQ(Run(stopped).error().code, ErrorCode::kCancelled);
}

TEST_F(GateTest, IsSkippedWhenNoChangedFileMatchesItsPaths) {
  gate.paths = {"src/**", "*.txt"};
  FakeProcessRunner processes;
  const auto skipped = Run(processes, {"docs/a.md", "sub/b.txt"});
  EXPECT_EQ(skipped->outcome, GateOutcome::kSkipped);
  EXPECT_FALSE(skipped->Blocks());
  EXPECT_TRUE(processes.specs.empty());
  EXPECT_EQ(Run(processes, {"docs/a.md", "src/x/y.cc"})->outcome, GateOutcome::kPassed);
}

TEST_F(GateTest, ReadsTheReportThatTheCommandWrote) {
  gate.format = ReportFormat::kJUnit;
  gate.report = "build/junit.xml";
  Write(workspace / "build/junit.xml",
        "<testsuite><testcase name='stale'><failure>old</failure></testcase></testsuite>");
  FakeProcessRunner processes([&](const auto&, const auto&) {
    EXPECT_FALSE(fs::exists(workspace / "build/junit.xml")) << "the old report must be gone";
    Write(workspace / "build/junit.xml",
          "<testsuite><testcase name='a'><failure>a.cc:3: Failure</failure></testcase><testcase "
          "name='b'/></testsuite>");
    return FakeProcessRunner::Exited(8);
  });
  const auto verdict = Run(processes);
  EXPECT_EQ(verdict->summary, "1 of 2 tests failed");
  ASSERT_EQ(verdict->findings.size(), 1u);
  EXPECT_EQ(verdict->findings[0].gate, "tests");
  EXPECT_EQ(verdict->findings[0].path, "a.cc");
}

TEST_F(GateTest, ReadsFindingsFromTheOutputAndKeepsWarningsOfAPass) {
  gate.format = ReportFormat::kGcc;
  FakeProcessRunner processes("a.cc:3:1: warning: w [-Wx]\n", 0);
  const auto verdict = Run(processes);
  EXPECT_EQ(verdict->outcome, GateOutcome::kPassed);
  EXPECT_EQ(verdict->summary, "passed, 1 finding");
  EXPECT_EQ(verdict->findings.at(0).rule, "x");
}

TEST_F(GateTest, SaysThatAReportIsMissingOrUnreadable) {
  gate.format = ReportFormat::kJUnit;
  gate.report = "build/junit.xml";
  FakeProcessRunner silent;
  auto verdict = Run(silent);
  EXPECT_EQ(verdict->outcome, GateOutcome::kPassed);
  ASSERT_EQ(verdict->findings.size(), 1u);
  EXPECT_EQ(verdict->findings[0].message, "the gate did not write its report build/junit.xml");
  FakeProcessRunner garbled([&](const auto&, const auto&) {
    Write(workspace / "build/junit.xml", "<html/>");
    return FakeProcessRunner::Exited(1);
  });
  verdict = Run(garbled);
  EXPECT_EQ(verdict->outcome, GateOutcome::kFailed);
  EXPECT_NE(verdict->findings.at(0).message.find("not JUnit XML"), std::string::npos);
}

TEST_F(GateTest, Threat_T37_NeverReadsOrDeletesThroughLinks) {
  const fs::path secret = dir.path() / "secret.xml";
  const std::string report =
      "<testsuite><testcase name='leaked'><failure>canary</failure></testcase></testsuite>";
  Write(secret, report);
  gate.format = ReportFormat::kJUnit;
  gate.report = "build/junit.xml";
  fs::create_symlink(secret, workspace / "build/junit.xml");
  FakeProcessRunner processes([&](const auto&, const auto&) {
    EXPECT_FALSE(fs::is_symlink(workspace / "build/junit.xml"));
    fs::create_symlink(secret, workspace / "build/junit.xml");
    return FakeProcessRunner::Exited(0);
  });
  auto verdict = Run(processes);
  EXPECT_TRUE(fs::exists(secret));
  ASSERT_EQ(verdict->findings.size(), 1u);
  EXPECT_EQ(verdict->findings[0].rule, "report");
  EXPECT_EQ(verdict->findings[0].message.find("canary"), std::string::npos);

  // A directory on the way that is a link out of the workspace.
  fs::remove_all(workspace / "build");
  fs::create_directories(dir.path() / "outside");
  Write(dir.path() / "outside/junit.xml", report);
  fs::create_directory_symlink(dir.path() / "outside", workspace / "build");
  FakeProcessRunner never;
  verdict = Run(never);
  EXPECT_EQ(verdict->outcome, GateOutcome::kError);
  EXPECT_TRUE(never.specs.empty());
  EXPECT_TRUE(fs::exists(dir.path() / "outside/junit.xml"));
}

TEST_F(GateTest, Threat_T58_ALargeReportIsAFindingAndNotRead) {
  gate.format = ReportFormat::kSarif;
  gate.report = "r.sarif";
  FakeProcessRunner processes([&](const auto&, const auto&) {
    Write(workspace / "r.sarif", "");
    fs::resize_file(workspace / "r.sarif",
                    std::uintmax_t{1} << 30);  // sparse: 1 GB without the disk
    return FakeProcessRunner::Exited(0);
  });
  const auto verdict = Run(processes);
  EXPECT_EQ(verdict->outcome, GateOutcome::kPassed);
  ASSERT_EQ(verdict->findings.size(), 1u);
  EXPECT_EQ(verdict->findings[0].rule, "report");

  gate.report.clear();
  FakeProcessRunner chatty([](const auto&, const ProcessRunner::Sink& sink) {
    const std::string chunk(1 << 20, '[');
    for (int i = 0; i < 40; ++i) sink(chunk);
    return FakeProcessRunner::Exited(0);
  });
  const auto output = Run(chatty);
  ASSERT_EQ(output->findings.size(), 1u);
  EXPECT_NE(output->findings[0].message.find("at most"), std::string::npos);
  EXPECT_LE(output->log_tail.size(), kLogTailBytes);
}

TEST_F(GateTest, KeepsTheEndOfTheLogWithoutControlCharacters) {
  FakeProcessRunner processes([](const auto&, const ProcessRunner::Sink& sink) {
    for (int i = 0; i < 20'000; ++i) sink("line " + std::to_string(i) + "\n");
    sink("\x1b[31mred\x1b[0m \x1b]8;;http://evil\x07link\x1b]8;;\x07\r\n\xff the end");
    return FakeProcessRunner::Exited(1);
  });
  const auto verdict = Run(processes);
  EXPECT_LE(verdict->log_tail.size(), kLogTailBytes);
  EXPECT_GT(verdict->log_tail.size(), kLogTailBytes - 100);
  EXPECT_TRUE(verdict->log_tail.starts_with("line "));
  EXPECT_TRUE(verdict->log_tail.ends_with("red link\n\xEF\xBF\xBD the end"))
      << verdict->log_tail.substr(verdict->log_tail.size() - 40);
}

}  // namespace
}  // namespace swage
