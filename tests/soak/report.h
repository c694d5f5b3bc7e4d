// What a soak went through, counted: that it held says little when nothing happened.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/soak/disturber.h"
#include "tests/soak/field.h"

namespace swage::soak {

using Counters = std::map<std::string, std::int64_t>;

/// From the disturber, the forge, the store and the nodes' logs.
Counters Count(Field& field, const DisturbanceCounts& disturbances);
/// With so many tasks a soak comes to every rare path, whatever the processes' turns.
inline constexpr int kEnoughForAll = 400;
/// The counters that must not be zero after a soak of so many tasks.
std::vector<std::string> RarePaths(int tasks);

/// A line to stdout from time to time, for whoever waits for a long one.
class Progress {
 public:
  explicit Progress(int tasks) : tasks_(tasks) {}
  void Tell(std::int64_t done);
  std::chrono::steady_clock::duration elapsed() const {
    return std::chrono::steady_clock::now() - begun_;
  }

 private:
  const int tasks_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration told_{};
};

}  // namespace swage::soak
