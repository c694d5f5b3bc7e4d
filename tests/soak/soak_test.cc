// The soak: many tasks through four nodes that are killed and frozen at random, on a forge of which
// every tenth reply is faulty and every tenth webhook lost or doubled. At the end each issue has
// one pull request, and nothing is left behind.
//
//   SWAGE_SOAK_TASKS=2000 build/bin/swage_soak_tests     so many tasks on each kind of forge
//   SWAGE_SOAK_SEED=7 build/bin/swage_soak_tests         other plans of disturbances
//
// The seed decides what each node suffers and which throws of the dice come, not how the processes
// interleave: a failing seed is worth a few runs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "config/base/text.h"
#include "tests/harness/postgres_server.h"
#include "tests/harness/wait.h"
#include "tests/soak/checks.h"
#include "tests/soak/disturber.h"
#include "tests/soak/report.h"

namespace swage::soak {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kTasks = 50;  // of each of two forges: half a minute
constexpr std::int64_t kSeed = 1;
constexpr int kAhead = 25;  // issues that are open and not yet in review
constexpr milliseconds kProbe{50};
// What only a broken build reaches.
constexpr seconds kLimit{240};
constexpr milliseconds kLimitPerTask{3'000};
constexpr int kMaxShown = 20;

std::int64_t Number(const char* variable, std::int64_t otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : ParseInt(value).value_or(otherwise);
}

std::string DialectName(sandbox::Dialect dialect) {
  return dialect == sandbox::Dialect::kGitHub ? "GitHub" : "GitLab";
}

class Soak : public testing::TestWithParam<sandbox::Dialect> {
 protected:
  Plan ThePlan() const {
    Plan plan;
    plan.dialect = GetParam();
    plan.tasks = static_cast<int>(Number("SWAGE_SOAK_TASKS", kTasks));
    plan.seed = static_cast<std::uint64_t>(Number("SWAGE_SOAK_SEED", kSeed));
    return plan;
  }
  void TearDown() override {
    if (!HasFailure()) return;
    const Plan plan = ThePlan();
    std::printf(
        "again: SWAGE_SOAK_TASKS=%d SWAGE_SOAK_SEED=%lu build/bin/swage_soak_tests "
        "--gtest_filter='*/%s'\n",
        plan.tasks, static_cast<unsigned long>(plan.seed), DialectName(plan.dialect).c_str());
  }
};

void Show(const Problems& problems) {
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (i < kMaxShown) ADD_FAILURE() << problems[i];
    if (i == kMaxShown) ADD_FAILURE() << "and " << problems.size() - i << " more";
  }
}

// Opens one issue after the other, so that there is always something to do but never all of it.
bool Feed(Field& field, const Plan& plan, Progress& progress) {
  return test::WaitFor(
      [&] {
        const auto done = field.Count("count(*) FROM tasks WHERE state = 'in_review'");
        progress.Tell(done);
        while (field.opened() < plan.tasks && field.opened() - done < kAhead) field.OpenIssue();
        field.Tend();
        return field.opened() == plan.tasks;
      },
      kLimit + plan.tasks * kLimitPerTask, kProbe);
}

TEST_P(Soak, OnePullRequestEachAndNothingLeft) {
  SWAGE_NEEDS_POSTGRES();
  const Plan plan = ThePlan();
  Field field(plan);
  field.Start();
  ASSERT_FALSE(HasFatalFailure());
  Progress progress(plan.tasks);
  Disturber disturber(field, plan.seed);
  field.BeginFaults();
  EXPECT_TRUE(Feed(field, plan, progress)) << WhyNotAtRest(field);
  disturber.Stop();
  field.EndFaults();
  ASSERT_TRUE(test::WaitFor([&] { return AtRest(field); }, kLimit + plan.tasks * kLimitPerTask / 10,
                            kProbe))
      << WhyNotAtRest(field);
  const auto rested = progress.elapsed();
  Show(CheckForge(field));
  Show(CheckStore(field));
  field.Stop();
  Show(CheckNothingLeft(field));

  const Counters counters = Count(field, disturber.counts());
  std::printf("%d tasks at rest after %.0f s, seed %lu; meanwhile:\n", plan.tasks,
              std::chrono::duration<double>(rested).count(), static_cast<unsigned long>(plan.seed));
  for (const auto& [what, times] : counters) {
    std::printf("  %8ld  %s\n", static_cast<long>(times), what.c_str());
  }
  std::fflush(stdout);
  for (const std::string& path : RarePaths(plan.tasks)) {
    EXPECT_GT(counters.at(path), 0) << "it never came to: " << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Dialects, Soak,
                         testing::Values(sandbox::Dialect::kGitHub, sandbox::Dialect::kGitLab),
                         [](const auto& param) { return DialectName(param.param); });

}  // namespace
}  // namespace swage::soak
