// Wakeup: "there may be work", from any thread to one that waits. Signals that come while nobody
// waits are kept (once), so none is lost between a look at the rows and the wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace swage {

class Wakeup {
 public:
  void Signal() {
    {
      const std::lock_guard lock(mutex_);
      pending_ = true;
    }
    ready_.notify_one();
  }

  /// Returns after a signal, a stop request, or `at_most`, whichever is first.
  void Wait(std::stop_token stop, std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, stop, at_most, [this] { return pending_; });
    pending_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any ready_;
  bool pending_ = false;
};

}  // namespace swage
