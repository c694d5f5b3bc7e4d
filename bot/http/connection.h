// Connection: one client's socket, what was read of its request, and when to lose patience.
//
// Owned by the server's table. Everything but the two atomics belongs to the thread that was handed
// the connection's event; the thread that keeps the deadlines reads those and may shut the socket
// down.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "bot/http/request_reader.h"
#include "config/base/clock.h"
#include "config/base/files.h"

namespace swage {

struct Connection {
  /// The deadline of a connection that a thread is working on: that thread keeps its own.
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  Connection(Fd fd, std::string peer, const HttpLimits& limits)
      : socket(std::move(fd)), address(std::move(peer)), reader(limits) {}

  const Fd socket;
  const std::string address;
  RequestReader reader;
  MonotonicTime request_began{};  ///< when the first byte of the request at hand came
  bool continued = false;         ///< "100 Continue" was sent for it
  bool unread = false;            ///< the reader has bytes that it was not yet asked about
  bool draining = false;  ///< refused: what still comes is thrown away until the client stops
  std::size_t drain_left = 0;
  std::size_t charged = 0;  ///< what it holds of the server's memory for large bodies

  /// Monotonic(), in its own ticks. Stored last by the thread that lets go, exchanged first by the
  /// one that takes over.
  std::atomic<std::int64_t> deadline{kNever};
  std::atomic<bool> expired{false};
};

inline std::int64_t Ticks(MonotonicTime t) {
  return t.time_since_epoch().count();
}

/// Sends all of both parts, waiting for the client until `give_up`. False when the client is gone
/// or too slow.
bool SendAll(int fd, std::string_view head, std::string_view body, const Clock& clock,
             MonotonicTime give_up);

}  // namespace swage
