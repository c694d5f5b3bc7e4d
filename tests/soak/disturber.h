// Disturber: kills and freezes the nodes of a field, each after a plan of its own that follows from
// the seed, for as long as it lives.
//
// At its end every node runs. The plan is a node's sequence of acts and pauses; when each of them
// comes is up to how long the acts before it took.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/soak/field.h"

namespace swage::soak {

struct DisturbanceCounts {
  std::atomic<int> kills{0};
  std::atomic<int> short_stops{0};
  std::atomic<int> long_stops{0};  ///< longer than a lease
};

class Disturber {
 public:
  Disturber(Field& field, std::uint64_t seed);
  ~Disturber();
  /// Returns when every node was disturbed at least once and runs again.
  void Stop();
  const DisturbanceCounts& counts() const { return counts_; }

 private:
  void Disturb(test::NodeProcess& node, std::size_t first_act, std::uint64_t seed,
               std::stop_token stop);

  DisturbanceCounts counts_;
  std::vector<std::jthread> threads_;
};

}  // namespace swage::soak
