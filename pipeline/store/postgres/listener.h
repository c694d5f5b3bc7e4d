// Listener: hints between processes by LISTEN and NOTIFY, on a session of its own.
//
// Only hints: rows are found by polling too, so a hint may be lost, late, or come twice. What this
// process announces goes out after its transaction and gathered (a NOTIFY inside of a transaction
// makes all commits of the database wait for one another); its own hints do not come back. The
// session is made anew whenever it breaks, and then everything counts as news. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "config/base/files.h"
#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/store.h"

namespace swage::postgres {

class Listener {
 public:
  /// At most one round of announcements goes out in this time.
  static constexpr std::chrono::milliseconds kGather{20};

  explicit Listener(Address address);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// `tell` runs on the listener's thread and must not block. Replaces an earlier one.
  void OnNews(std::function<void(Topic)> tell);
  /// Returns at once.
  void Announce(Topic topic);

 private:
  void Loop();
  /// Until the session is lost or the listener stops.
  void Serve(Connection& db);
  /// Waits for news, an announcement or the stop, for at most `limit`.
  void Wait(int socket, std::chrono::milliseconds limit);
  bool SendAnnounced(Connection& db);
  bool ReadNews(Connection& db);
  void Tell(Topic topic);
  void Wake();

  const Address address_;
  const Fd wake_;
  std::mutex mutex_;
  std::function<void(Topic)> tell_;
  std::atomic<unsigned> announced_{0};  // bits by topic
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace swage::postgres
