// Seeds of the simulation. A violated seed is printed with the command that shows what happened:
//
//   SWAGE_SIM_SEED=123 build/bin/swage_simulation_tests       one seed, told line by line
//   SWAGE_SIM_SEEDS=1000000 build/bin/swage_simulation_tests  as many, from SWAGE_SIM_FIRST (0) on
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "config/base/text.h"
#include "tests/simulation/simulation.h"

namespace swage::simulation {
namespace {

// Less than a minute on two cores.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kSeeds = 2'000;
#else
constexpr std::int64_t kSeeds = 10'000;
#endif
constexpr std::int64_t kBlocks = 20;  // tests, so that two processes can share them
constexpr std::int64_t kEnoughForRarePaths = 4'000;
constexpr std::uint64_t kRepeatOneIn = 50;
constexpr int kMaxShown = 5;

std::int64_t Number(const char* variable, std::int64_t otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : std::atoll(value);
}

// One for the whole process: its counters are about all seeds.
Simulator& TheSimulator() {
  static Simulator simulator;
  return simulator;
}
std::int64_t g_seeds_run = 0;

class Simulation : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "one thread with many stacks: nothing for ThreadSanitizer to see";
#endif
  }

  static void TearDownTestSuite() {
    if (g_seeds_run == 0) return;
    const Counters& counters = TheSimulator().counters();
    std::printf("%ld seeds; sometimes:\n", static_cast<long>(g_seeds_run));
    for (const auto& [what, times] : counters) {
      std::printf("  %8ld  %s\n", static_cast<long>(times), what.c_str());
    }
    if (g_seeds_run < kEnoughForRarePaths) return;
    for (const std::string& path : RarePaths()) {
      EXPECT_TRUE(counters.contains(path)) << "never over all seeds: " << path;
    }
  }
};

TEST_P(Simulation, HoldsForSeeds) {
  if (std::getenv("SWAGE_SIM_SEED") != nullptr) GTEST_SKIP() << "one seed is told alone";
  const std::int64_t first = Number("SWAGE_SIM_FIRST", 0);
  const std::int64_t last = first + Number("SWAGE_SIM_SEEDS", kSeeds);
  int shown = 0;
  for (std::int64_t i = first + GetParam(); i < last && shown < kMaxShown; i += kBlocks) {
    const auto seed = static_cast<std::uint64_t>(i);
    const Outcome outcome = TheSimulator().Run(seed);
    ++g_seeds_run;
    if (!outcome.violations.empty()) {
      ++shown;
      ADD_FAILURE() << Join(outcome.violations, "\n") << "\nseen with SWAGE_SIM_SEED=" << seed
                    << " build/bin/swage_simulation_tests";
    } else if (seed % kRepeatOneIn == 0) {
      EXPECT_EQ(TheSimulator().Run(seed).hash, outcome.hash) << "I15: seed " << seed;
    }
  }
}

std::vector<std::int64_t> Blocks() {
  std::vector<std::int64_t> blocks;
  for (std::int64_t i = 0; i < kBlocks; ++i) blocks.push_back(i);
  return blocks;
}

INSTANTIATE_TEST_SUITE_P(Block, Simulation, testing::ValuesIn(Blocks()));

TEST(Replay, TellsOneSeed) {
  const char* seed = std::getenv("SWAGE_SIM_SEED");
  if (seed == nullptr) return;
  const Outcome outcome = TheSimulator().Run(std::strtoull(seed, nullptr, 10), true);
  std::printf("hash %016lx\n", static_cast<unsigned long>(outcome.hash));
  EXPECT_EQ(Join(outcome.violations, "\n"), "");
}

}  // namespace
}  // namespace swage::simulation
