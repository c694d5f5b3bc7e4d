// X1: the server is killed at every durable step of the main job, one after the other; the next
// start, or another node, ends the job as if nothing had been (I1, I3, I4, I7, I8, I11).
//
// A first run writes down which points it passes. A point is a name and how often it was passed
// before: threads interleave anew in every run, but each passes its own points. Every sixth is
// tried, others each day, and after six days all. Environment: SWAGE_CRASH_EVERY=1 tries all,
// SWAGE_CRASH_SEED=N begins elsewhere, SWAGE_CRASH_AT=NAME:COUNT tries this point alone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <tuple>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/crash/matrix_job.h"
#include "tests/harness/box.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

constexpr int kEvery = 6;
constexpr int kEveryOfPairs = 18;  // each waits for a lease to end
constexpr int kBoxesAtOnce = 4;    // a job waits more than it works
constexpr int kPairsAtOnce = 6;    // and longest for what a dead node held
// Threads do not always take the same turns: a few points of the first run may not come again.
constexpr int kMissedInHundred = 10;
constexpr int kMissedOfFew = 2;

int Number(const char* variable, int otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : std::atoi(value);
}

using Combination = std::tuple<sandbox::Dialect, Cluster>;

// Days since 1970.
int Today() {
  const auto now = std::chrono::system_clock::now();
  return static_cast<int>(std::chrono::floor<std::chrono::days>(now).time_since_epoch().count());
}

class CrashMatrix : public testing::TestWithParam<Combination> {
 protected:
  static JobResult Run(const std::map<std::string, std::string>& env) {
    return RunMainJob(std::get<0>(GetParam()), std::get<1>(GetParam()), env);
  }

  // "NAME:COUNT" of every point that a run passes.
  static std::vector<std::string> Points() {
    const TempDir dir;
    const std::string file = dir.path() / "trace";
    const JobResult whole = Run({{"SWAGE_CRASH_TRACE", file}});
    EXPECT_EQ(Join(whole.problems, "\n"), "") << whole.server_log;
    const auto trace = ReadFile(file);
    EXPECT_TRUE(trace.ok());
    std::map<std::string, int> passed;
    std::vector<std::string> points;
    const std::string lines = trace.ok() ? *trace : "";
    for (const std::string_view name : Split(lines, '\n')) {
      if (!name.empty()) {
        points.push_back(fmt::format("{}:{}", name, ++passed[std::string(name)]));
      }
    }
    return points;
  }

  static bool IsPair() { return std::get<1>(GetParam()) == Cluster::kPostgresTwoNodes; }

  static std::vector<std::string> Chosen(std::vector<std::string> points) {
    if (const char* one = std::getenv("SWAGE_CRASH_AT")) return {one};
    const int every = std::max(1, Number("SWAGE_CRASH_EVERY", IsPair() ? kEveryOfPairs : kEvery));
    const int first = Number("SWAGE_CRASH_SEED", Today()) % every;
    std::printf("every %d. crash point from number %d on; SWAGE_CRASH_EVERY=1 tries all\n", every,
                first + 1);
    std::vector<std::string> chosen;
    for (int i = first; i < std::ssize(points); i += every) {
      chosen.push_back(std::move(points[static_cast<std::size_t>(i)]));
    }
    return chosen;
  }
};

TEST_P(CrashMatrix, Fault_X1_EveryDurableStepMayBeTheLast) {
  if (std::get<1>(GetParam()) != Cluster::kSqlite) SWAGE_NEEDS_POSTGRES();
  const std::vector<std::string> all = Points();
  ASSERT_GT(all.size(), 50U);
  const std::vector<std::string> points = Chosen(all);
  std::atomic<std::size_t> next{0};
  std::atomic<int> crashed{0};
  std::mutex mutex;
  std::vector<std::jthread> threads;
  for (int i = 0; i < (IsPair() ? kPairsAtOnce : kBoxesAtOnce); ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < points.size(); at = next++) {
        const JobResult result = Run({{"SWAGE_CRASH_AT", points[at]}});
        crashed += result.crashed ? 1 : 0;
        if (result.problems.empty()) continue;
        const std::lock_guard lock(mutex);
        ADD_FAILURE() << "SWAGE_CRASH_AT='" << points[at] << "': " << Join(result.problems, "\n  ")
                      << "\n--- server log ---\n"
                      << result.server_log;
      }
    });
  }
  threads.clear();
  const int missed = static_cast<int>(points.size()) - crashed;
  std::printf("crash points: %zu of %zu tried, %d not reached\n", points.size(), all.size(),
              missed);
  const int tried = static_cast<int>(points.size());
  EXPECT_LE(missed, std::max(kMissedOfFew, tried * kMissedInHundred / 100));
}

std::string CombinationName(const testing::TestParamInfo<Combination>& info) {
  const auto store = [&] {
    switch (std::get<1>(info.param)) {
      case Cluster::kSqlite:
        return "Sqlite";
      case Cluster::kPostgres:
        return "Postgres";
      case Cluster::kPostgresTwoNodes:
        return "PostgresTwoNodes";
    }
    return "";
  };
  return fmt::format("{}On{}", NameOf(std::get<0>(info.param)), store());
}

INSTANTIATE_TEST_SUITE_P(All, CrashMatrix,
                         testing::Combine(testing::Values(sandbox::Dialect::kGitHub,
                                                          sandbox::Dialect::kGitLab),
                                          testing::Values(Cluster::kSqlite, Cluster::kPostgres,
                                                          Cluster::kPostgresTwoNodes)),
                         CombinationName);
// What is of the dialect is the same on every store.
INSTANTIATE_TEST_SUITE_P(Third, CrashMatrix,
                         testing::Combine(testing::Values(sandbox::Dialect::kGitea),
                                          testing::Values(Cluster::kSqlite)),
                         CombinationName);

}  // namespace
}  // namespace swage::test
