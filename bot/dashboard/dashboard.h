// Dashboard: plain pages over the store, for people, and the API. Pages only read; never
// authoritative.
//
//   GET /                     tasks: what waits for a human first
//   GET /tasks/ID             one task: timeline, cycles, gate verdicts, hand-off, findings, logs
//   GET /tasks/ID/logs/STEP   the log of a step, as text
//   GET /tasks/ID/events      server-sent events: timeline and new log output of running steps
//   GET /events               server-sent events: the timeline of all tasks, from its beginning or
//                             from Last-Event-ID on; each is `event: timeline`, `id: N` and one
//                             line of JSON {"id", "task", "at", "kind", "detail"}; `swage demo`
//                             prints it
//   GET /nodes                the processes that share the store
//   GET /assets/...           embedded, no third-party host
//
//   POST /api/v1/tasks        see api.h
//
// Server-rendered from templates with escaping, under a strict Content-Security-Policy; Host must
// be one of the names it is reached by (T53). Binds to loopback only (T56).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/result.h"
#include "config/settings.h"
#include "pipeline/store/store.h"

namespace swage {

class Dashboard {
 public:
  /// References must outlive the dashboard. `node` is this process's name: logs of other nodes are
  /// linked there.
  /// `on_stored`: see Api.
  Dashboard(const Settings& settings, std::string node, Store& store, const Clock& clock, Log& log,
            std::function<void()> on_stored);
  ~Dashboard();
  /// Binds settings.dashboard and serves from its own threads and pool (a viewer of a live log
  /// holds a thread). Errors: kInvalid (not loopback), kConflict (address in use).
  Result<void> Start();
  int Port() const;
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage
