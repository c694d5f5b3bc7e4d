#include "config/base/crash_point.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace swage {
namespace {

TEST(CrashPoint, ReadsAPlace) {
  EXPECT_EQ(CrashPoints::ParsePlace("17")->count, 17);
  EXPECT_EQ(CrashPoints::ParsePlace("17")->name, "");
  const auto named = CrashPoints::ParsePlace("forge/POST pulls:2");
  EXPECT_EQ(named->name, "forge/POST pulls");
  EXPECT_EQ(named->count, 2);
}

TEST(CrashPoint, RefusesAPlaceThatCannotBeMeant) {
  for (const char* text : {"", "x", "0", "-1", "1x", "x:", "x:0", ":3", "99999999999"}) {
    EXPECT_FALSE(CrashPoints::ParsePlace(text).ok()) << text;
  }
}

// Passes `names` in a process of its own that was armed so; how that ended, and its trace.
struct Ended {
  int status = 0;
  std::string trace;
};
Ended PassAll(const char* at, const std::vector<std::string>& names) {
  const TempDir dir;
  const std::string trace = dir.path() / "trace";
  const pid_t child = fork();
  if (child == 0) {
    setenv("SWAGE_CRASH_AT", at, 1);
    setenv("SWAGE_CRASH_TRACE", trace.c_str(), 1);
    auto points = CrashPoints::FromEnvironment();
    if (!points.ok()) _exit(3);
    for (const std::string& name : names) (*points)->Pass(name);
    _exit(0);
  }
  Ended ended;
  waitpid(child, &ended.status, 0);
  ended.trace = *ReadFile(trace);
  return ended;
}

TEST(CrashPoint, EndsTheProcessWhereItWasTold) {
  const Ended any = PassAll("2", {"a", "b", "c"});
  EXPECT_TRUE(WIFSIGNALED(any.status) && WTERMSIG(any.status) == SIGKILL) << any.status;
  EXPECT_EQ(any.trace, "a\nb\n");
  const Ended named = PassAll("a:2", {"a", "b", "a", "c"});
  EXPECT_TRUE(WIFSIGNALED(named.status)) << named.status;
  EXPECT_EQ(named.trace, "a\nb\na\n");
}

TEST(CrashPoint, LetsAProcessLiveThatNeverComesThere) {
  const Ended ended = PassAll("c:2", {"a", "c"});
  EXPECT_TRUE(WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 0) << ended.status;
  EXPECT_EQ(ended.trace, "a\nc\n");
}

TEST(CrashPoint, IsNotThereUnlessTheEnvironmentAsks) {
  const auto points = CrashPoints::FromEnvironment();
  ASSERT_TRUE(points.ok());
  EXPECT_EQ(*points, nullptr);
}

}  // namespace
}  // namespace swage
