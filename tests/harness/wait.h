// WaitFor: how a test waits for what another thread or process does. The limit is only there so
// that a failure ends; nothing may hang on its length.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace swage::test {

inline constexpr std::chrono::seconds kWaitLimit{60};
inline constexpr std::chrono::milliseconds kWaitProbe{5};

/// False when the limit passes before `condition` holds.
inline bool WaitFor(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kWaitLimit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kWaitProbe);
  }
  return true;
}

}  // namespace swage::test
