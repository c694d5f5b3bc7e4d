// WebhookServer: the door to the forges. Verifies a delivery, makes it durable, answers; nothing
// more.
//
//   POST /hooks/NAME   202 stored, 200 seen before or not for us, 400 malformed, 401 signature,
//                      404 no such forge, 413, 415, 431, 503 not stored (the forge will come again)
//   GET  /healthz, /readyz   see health.h; served also where no deliveries are taken
//
// A 2xx is sent only after the delivery's row is on disk (B1). The server bounds everything that a
// stranger controls: head size and count, body size, time per request, connections, threads (T10 to
// T14).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bot/webhook/health.h"
#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/result.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/store/store.h"

namespace swage {

class WebhookServer {
 public:
  /// `dialects` by forge name; a forge without one takes no deliveries here. `on_stored` is called
  /// after new rows came, from a server thread; it must not block. References must outlive the
  /// server.
  WebhookServer(const Settings& settings, std::map<std::string, const WebhookDialect*> dialects,
                Store& store, Health& health, const Clock& clock, Log& log,
                std::function<void()> on_stored);
  ~WebhookServer();

  /// Binds settings.listen and serves from its own threads. Errors: kConflict (address in use).
  Result<void> Start();
  /// The bound port (settings may say port 0).
  int Port() const;
  /// Stops accepting, answers what is in flight, returns.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage
