// One run of the simulation: a few nodes, people and a hostile world, all chosen by a seed. After a
// while the faults stop, and the world must come to rest in a state that its people asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/harness/memory_store.h"
#include "tests/simulation/machine.h"

namespace swage::simulation {

struct Outcome {
  std::uint64_t hash = 0;  ///< of everything that happened, in its order (I15)
  std::vector<std::string> violations;
};

/// What runs share, so that one costs milliseconds. Hand-offs and logs are synced files: below
/// /dev/shm, where there is one, that is free.
class Simulator {
 public:
  Simulator();
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;
  /// `tell`: print what happens.
  Outcome Run(std::uint64_t seed, bool tell = false);
  const Counters& counters() const { return counters_; }

 private:
  const std::filesystem::path dir_;
  ManualClock clock_;
  test::MemoryStore store_;
  Counters counters_;
};

/// What must have happened at least once over many seeds.
const std::vector<std::string>& RarePaths();

}  // namespace swage::simulation
