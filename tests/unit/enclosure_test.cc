#include "pipeline/isolation/enclosure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/harness/fake_process.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ProcessSpec Command() {
  ProcessSpec spec;
  spec.argv = {"make", "test"};
  spec.env = {{"PATH", "/bin"}, {"LD_PRELOAD", "./evil.so"}};
  spec.cwd = "/work";
  return spec;
}

struct EnclosureTest : testing::Test {
  Result<ProcessResult> Run(const ProcessResult& inner, std::string said = "",
                            bool passes_descriptors = true) {
    processes = FakeProcessRunner([&](const ProcessSpec& spec, const ProcessRunner::Sink& sink) {
      seen = spec;
      if (!said.empty()) sink(said);
      return Result<ProcessResult>(inner);
    });
    EnclosureParts parts;
    parts.name = "the box";
    parts.words_before = [](const ProcessSpec&) { return std::vector<std::string>{"box", "--"}; };
    parts.adapt = HideEnvironment;
    parts.after_kill = [this] { ++killed; };
    parts.passes_descriptors = passes_descriptors;
    return MakeEnclosure(std::move(parts), processes)->Run(command, {}, {});
  }

  ProcessSpec command = Command();
  ProcessSpec seen;
  FakeProcessRunner processes;
  int killed = 0;
};

ProcessResult Exited(int code, std::optional<StartReport> start) {
  ProcessResult result = FakeProcessRunner::Exited(code);
  result.start = start;
  return result;
}

TEST_F(EnclosureTest, TheCommandFollowsTheEnclosuresWordsAndItsVariablesAreHidden) {
  ASSERT_TRUE(Run(Exited(0, StartReport{StartStage::kStarted, 0})).ok());
  EXPECT_THAT(seen.argv, ElementsAre("box", "--", "make", "test"));
  EXPECT_TRUE(seen.reports_start);
  EXPECT_THAT(seen.env, ElementsAre(testing::Pair("SWAGE-INSIDE-LD_PRELOAD", "./evil.so"),
                                    testing::Pair("SWAGE-INSIDE-PATH", "/bin")));
  EXPECT_EQ(seen.cwd, "/work");
}

TEST_F(EnclosureTest, ACommandThatBeganHasItsOwnResult) {
  const auto failed = Run(Exited(1, StartReport{StartStage::kStarted, 0}), "bwrap: not at all\n");
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(failed->exit_code, 1);
}

TEST_F(EnclosureTest, AnEnclosureThatFailedIsNeverTheCommandsResult) {
  const auto failed = Run(Exited(1, std::nullopt), "bwrap: Can't mount proc\n");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(failed.error().message,
              HasSubstr("the box could not be set up for make: exit code 1: bwrap: Can't mount"));
  // Also when it claims success.
  EXPECT_FALSE(Run(Exited(0, std::nullopt)).ok());
  const auto guard = Run(Exited(125, StartReport{StartStage::kEnclosed, EPERM}),
                         "swage-enter: seccomp: Operation not permitted\n");
  EXPECT_EQ(guard.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(guard.error().message, HasSubstr("seccomp"));
}

TEST_F(EnclosureTest, MissingCommandsAreTold) {
  EXPECT_EQ(Run(Exited(127, StartReport{StartStage::kExecuted, ENOENT})).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(Run(Exited(126, StartReport{StartStage::kExecuted, EACCES})).error().code,
            ErrorCode::kInternal);
}

TEST_F(EnclosureTest, WithoutDescriptorsTheExitCodeTells) {
  EXPECT_EQ(Run(Exited(125, std::nullopt), "no such image", false).error().code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(Run(Exited(127, std::nullopt), "", false).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Run(Exited(2, std::nullopt), "", false)->exit_code, 2);
  EXPECT_FALSE(seen.reports_start);
}

TEST_F(EnclosureTest, WhatWasStoppedOnItsWayInIsStopped) {
  const auto stopped = Run(FakeProcessRunner::Ended(ProcessEnd::kTimedOut));
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->end, ProcessEnd::kTimedOut);
  EXPECT_EQ(killed, 1);
  EXPECT_FALSE(Run(FakeProcessRunner::Ended(ProcessEnd::kSignalled)).ok());
}

TEST_F(EnclosureTest, AnEmptyCommandIsRefused) {
  command.argv.clear();
  EXPECT_EQ(Run(Exited(0, std::nullopt)).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(processes.specs.empty());
}

}  // namespace
}  // namespace swage
