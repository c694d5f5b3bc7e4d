// Health: what /healthz and /readyz answer.
//
//   GET /healthz   200 "ok" while the store answers: restart the process when it does not for long
//   GET /readyz    200 when the store and every role of this process are well and it is not
//                  stopping, else 503; one line each: "worker: ok"
//
// Anybody may ask, so an answer names roles and fixed phrases only, and the store is asked at most
// once a second. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bot/http/message.h"
#include "config/base/clock.h"
#include "config/base/result.h"
#include "pipeline/store/store.h"

namespace swage {

class Health {
 public:
  using Check = std::function<Result<void>()>;

  Health(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// Before the first question. `check` is called from any thread and must not block.
  void AddRole(std::string_view role, Check check) { roles_.emplace_back(role, std::move(check)); }
  /// From now on /readyz says 503, so that a load balancer sends nothing more; what comes all the
  /// same is stored as ever, and decided by another node or after the next start.
  void SetStopping() { stopping_ = true; }

  static bool Answers(std::string_view path) { return path == "/healthz" || path == "/readyz"; }
  WebResponse Answer(std::string_view path);

 private:
  bool StoreAnswers();
  std::string AlarmLines();

  Store& store_;
  const Clock& clock_;
  std::vector<std::pair<std::string, Check>> roles_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  MonotonicTime checked_{};  // guarded by mutex_
  std::string alarms_;       // guarded by mutex_
  std::atomic<bool> healthy_{true};
};

}  // namespace swage
