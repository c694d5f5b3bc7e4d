// Every attempt at every level, as the user that runs the tests and, when that is root, as an
// unprivileged one too (in a process of its own: see AsAnUnprivilegedUser).
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/isolation/attempts/attempts.h"
#include "pipeline/isolation/isolations.h"
#include "pipeline/isolation/probe.h"
#include "tests/escapes/machine.h"
#include "tests/harness/as_user.h"

namespace swage {
namespace {

constexpr IsolationLevel kGuarded[] = {IsolationLevel::kShared, IsolationLevel::kWorktree,
                                       IsolationLevel::kSandbox, IsolationLevel::kContainer};

constexpr Guarantee kLimits[] = {Guarantee::kMemoryLimit, Guarantee::kProcessLimit,
                                 Guarantee::kDiskLimit};

std::string NameOf(const Attempt& attempt) {
  std::string name(attempt.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class Escapes : public ::testing::TestWithParam<IsolationLevel> {
 protected:
  void SetUp() override {
    Isolation& level = Level();
    if (level.Here().available) return;
    if (GetParam() == IsolationLevel::kContainer) GTEST_SKIP() << level.Here().why_not;
    FAIL() << level.Here().why_not;
  }
  Isolation& Level() { return Machine::Get().isolations->At(GetParam()); }
};

TEST_P(Escapes, WhatTheLevelPromisesHolds) {
  for (const Attempt& attempt : Attempts()) {
    if (!Level().Here().Gives(attempt.guarantee)) continue;
    const AttemptResult tried = Machine::Get().field->Try(attempt, Level());
    EXPECT_EQ(tried.end, AttemptEnd::kStopped) << attempt.about << "; " << tried.detail;
  }
}

TEST_P(Escapes, TheLevelPromisesWhatItIsThereFor) {
  std::vector<Guarantee> least = {Guarantee::kNoWriteOutside, Guarantee::kNoReadBot,
                                  Guarantee::kNoSurvivors};
  if (GetParam() != IsolationLevel::kContainer) {
    least.insert(least.end(), std::begin(kLimits), std::end(kLimits));
  }
  if (GetParam() >= IsolationLevel::kSandbox) {
    least.insert(least.end(),
                 {Guarantee::kNoReadOtherTasks, Guarantee::kNoNetwork, Guarantee::kNoBotPorts});
  }
  for (const Guarantee guarantee : least) {
    EXPECT_TRUE(Level().Here().Gives(guarantee)) << Describe(guarantee);
  }
}

// Where there is no control group, as for most users.
TEST_P(Escapes, LimitsHoldByCountingToo) {
  if (GetParam() == IsolationLevel::kContainer) GTEST_SKIP() << "its engine keeps them";
  Isolation& level = Machine::Get().counted->At(GetParam());
  for (const Attempt& attempt : Attempts()) {
    if (std::ranges::find(kLimits, attempt.guarantee) == std::end(kLimits)) continue;
    ASSERT_TRUE(level.Here().Gives(attempt.guarantee)) << attempt.about;
    const AttemptResult tried = Machine::Get().field->Try(attempt, level);
    EXPECT_EQ(tried.end, AttemptEnd::kStopped) << attempt.about << "; " << tried.detail;
  }
}

TEST_P(Escapes, OnlyTheCellCanBeWritten) {
  const auto scratch = ScratchCell::Make(Level().Owner()).value();
  const auto runner = Level().Enclose(scratch->Get()).value();
  ProcessSpec spec = SpecIn(scratch->Get());
  spec.argv = {"/bin/sh", "-c",
               "touch here 2>/dev/null && echo workspace; touch $HOME/x && echo home; "
               "touch $TMPDIR/x && echo tmp; echo >/dev/null && echo null"};
  const bool reads_only = GetParam() == IsolationLevel::kShared;
  EXPECT_EQ(RunAndCapture(*runner, spec).value(),
            std::string(reads_only ? "" : "workspace\n") + "home\ntmp\nnull\n");
}

// Compilers, threads, shared memory, terminals, git: what gates are made of.
TEST_P(Escapes, ToolchainsWorkInside) {
  if (GetParam() == IsolationLevel::kContainer) GTEST_SKIP() << "the image has no toolchain";
  if (GetParam() == IsolationLevel::kShared) GTEST_SKIP() << "nothing is built there";
  const auto scratch = ScratchCell::Make(Level().Owner()).value();
  const auto runner = Level().Enclose(scratch->Get()).value();
  ProcessSpec spec = SpecIn(scratch->Get());
  spec.network = NetworkUse::kNone;
  const std::pair<const char*, const char*> tools[] = {
      {"g++",
       "printf '#include <thread>\n#include <iostream>\nint main() { std::thread t([] { std::cout "
       "<< 42; }); t.join(); }' > a.cc && g++ -pthread a.cc && ./a.out | grep -qx 42"},
      {"git",
       "git init -q r && cd r && git config user.name a && git config user.email a@b && "
       "echo x > x && git add x && git commit -qm x && git log --oneline | grep -q x"},
      {"python3",
       "python3 -c 'import multiprocessing, pty, os, socket\n"
       "q = multiprocessing.Queue(); p = multiprocessing.Process(target=q.put, args=(7,))\n"
       "p.start(); assert q.get() == 7; p.join()\n"
       "m, s = pty.openpty(); os.write(m, b\"x\\n\"); assert os.read(s, 9) == b\"x\\n\"\n"
       "a = socket.socket(); a.bind((\"127.0.0.1\", 0)); a.listen()\n"
       "b = socket.create_connection(a.getsockname()); b.close()'"},
      {"node",
       "node -e 'const n = require(\"net\"); const s = n.createServer(c => c.end(\"hi\")); "
       "s.listen(0, \"127.0.0.1\", () => n.connect(s.address().port, \"127.0.0.1\")"
       ".on(\"data\", () => process.exit(0)))'"},
      {"perl", "perl -e 'fork // exit 1; wait'"}};
  for (const auto& [tool, script] : tools) {
    spec.argv = {"/bin/sh", "-c",
                 std::string("command -v ") + tool + " >/dev/null || exit 0\n" + script};
    const auto ran = RunAndCapture(*runner, spec);
    EXPECT_TRUE(ran.ok()) << tool << ": " << ran.error().message;
  }
}

// Neither is a verdict on the command.
TEST_P(Escapes, CommandsThatDoNotExistAreToldFromThoseThatFail) {
  const auto scratch = ScratchCell::Make(Level().Owner()).value();
  const auto runner = Level().Enclose(scratch->Get()).value();
  ProcessSpec spec = SpecIn(scratch->Get());
  spec.argv = {"no-such-command"};
  EXPECT_EQ(runner->Run(spec, {}, {}).error().code, ErrorCode::kNotFound);
  spec.argv = {"/bin/sh", "-c", "exit 1"};
  EXPECT_EQ(runner->Run(spec, {}, {}).value().exit_code, 1);
  // A daemon passes no descriptor on which the start could be told.
  if (GetParam() != IsolationLevel::kContainer || Machine::Get().image.Engine() == "podman") {
    spec.argv = {"/bin/sh", "-c", "exit 125"};
    EXPECT_EQ(runner->Run(spec, {}, {}).value().exit_code, 125);
  }
  // Not itself: in a container it is process 1, which no signal from inside can end.
  spec.argv = {"/bin/sh", "-c", "/bin/sh -c 'kill -9 $$'; exit $?"};
  EXPECT_FALSE(runner->Run(spec, {}, {}).value().Succeeded());
}

// What would change the programs that enclose: bwrap is linked dynamically and runs outside.
TEST_P(Escapes, TheEnvironmentReachesTheCommandAlone) {
  const auto scratch = ScratchCell::Make(Level().Owner()).value();
  const auto runner = Level().Enclose(scratch->Get()).value();
  ProcessSpec spec = SpecIn(scratch->Get());
  spec.env["LD_PRELOAD"] = "/no/such/library.so";
  spec.env["SPACED"] = "a  b\nc=d";
  spec.argv = {"/bin/sh", "-c", "unset LD_PRELOAD; env | grep -v -E '^(PWD|SHLVL|_)=' | sort"};
  spec.merge_stderr = false;
  const std::string seen = RunAndCapture(*runner, spec).value();
  std::string expected;
  spec.env.erase("LD_PRELOAD");
  for (const auto& [name, value] : spec.env) expected += name + "=" + value + "\n";
  std::vector<std::string> lines;
  for (const std::string_view line : SplitLines(expected)) lines.emplace_back(line);
  std::sort(lines.begin(), lines.end());
  std::erase_if(lines, [](const auto& line) { return line.empty(); });
  EXPECT_EQ(Trim(seen), Join(lines, "\n"));
}

INSTANTIATE_TEST_SUITE_P(Levels, Escapes, ::testing::ValuesIn(kGuarded),
                         [](const auto& level) { return std::string(Name(level.param)); });

// The same program again, as somebody who owns nothing but a folder: user namespaces instead of
// root's rights.
TEST(EscapesOfAUser, HoldAsTheyDoForRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "the tests run as a user already";
  const auto ran = test::RunSelfAsPlainUser(*Machine::Get().processes, "Levels/*:All/Attempting.*");
  ASSERT_TRUE(ran.ok()) << ran.error().message;
  const std::string_view proof = "[       OK ] Levels/Escapes.WhatTheLevelPromisesHolds/sandbox";
  EXPECT_NE(ran->find(proof), std::string::npos) << *ran;
}

// What no enclosure stops, an attempt has to get through: otherwise it proves nothing.
class Attempting : public ::testing::TestWithParam<Attempt> {};

TEST_P(Attempting, GetsThroughWhereNothingStopsIt) {
  const Attempt& attempt = GetParam();
  if (attempt.needs_root && geteuid() != 0) GTEST_SKIP() << "only root could";
  if (attempt.name == "keep-descriptors") GTEST_SKIP() << "the plain runner passes none on";
  if (attempt.name == "survive") GTEST_SKIP() << "the plain runner ends all that it can see";
  const AttemptResult tried = Machine::Get().field->Try(attempt, Machine::Get().plain);
  EXPECT_EQ(tried.end, AttemptEnd::kThrough) << attempt.about << "; " << tried.detail;
}

INSTANTIATE_TEST_SUITE_P(All, Attempting, ::testing::ValuesIn(Attempts()),
                         [](const auto& attempt) { return NameOf(attempt.param); });

}  // namespace
}  // namespace swage
