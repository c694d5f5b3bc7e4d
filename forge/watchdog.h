// Watchdog: ends a network call that outlives its total deadline, whatever the call is waiting for.
//
// The HTTP client knows timeouts per read, so a server that sends a byte now and then could hold a
// thread for ever. The watchdog shuts the socket down instead; the blocked call then fails at once.
// One thread for all calls, started with the first. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#include "config/base/clock.h"

namespace swage {

/// A duplicate of a connection's descriptor. It keeps the number from being reused by another file
/// between the look and the shutdown.
class SocketHandle {
 public:
  SocketHandle() = default;
  ~SocketHandle() { Reset(); }
  SocketHandle(const SocketHandle&) = delete;
  SocketHandle& operator=(const SocketHandle&) = delete;

  /// Takes a duplicate of `fd` and lets go of the one before it.
  void Adopt(int fd);
  void Reset();
  /// Both directions: whoever reads or writes there fails now.
  void Shutdown();

 private:
  std::mutex mutex_;
  int fd_ = -1;
};

class Watchdog {
 public:
  explicit Watchdog(const Clock& clock) : clock_(clock) {}
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Watches one call while it lives; `socket` must outlive it.
  class Guard {
   public:
    Guard(Watchdog& dog, SocketHandle& socket, MonotonicTime deadline);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    /// Whether the deadline passed and the socket was shut down.
    bool Fired() const;

   private:
    Watchdog& dog_;
    std::uint64_t id_ = 0;
  };

 private:
  struct Watched {
    SocketHandle* socket = nullptr;
    MonotonicTime deadline;
    bool fired = false;
  };
  void Run();
  /// The time until something is due; shuts down what is.
  std::chrono::nanoseconds FireDue();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Watched> watched_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace swage
