// WaitFor: how a test waits for what another thread or process does. The limit is only there so
// that a failure ends; nothing may hang on its length.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace swage::test {

inline constexpr std::chrono::seconds kWaitLimit{60};
inline constexpr std::chrono::milliseconds kWaitProbe{5};

/// False when the limit passes before `condition` holds, which is asked for every `probe`.
inline bool WaitFor(const std::function<bool()>& condition,
                    std::chrono::milliseconds limit = kWaitLimit,
                    std::chrono::milliseconds probe = kWaitProbe) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(probe);
  }
  return true;
}

}  // namespace swage::test
