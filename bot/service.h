// Service: the whole bot in one process. Owns every part, starts them in order, stops them in
// reverse.
//
//   webhook server -> inbox -> intake thread -> queue -> scheduler -> workers -> outbox ->
//   publisher thread
//
// Parts meet only in the store; the wake-ups between them save a poll and carry nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bot/dashboard/dashboard.h"
#include "bot/webhook/webhook_server.h"
#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/process.h"
#include "config/base/redact.h"
#include "config/base/wakeup.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/agent.h"
#include "pipeline/intake_runner.h"
#include "pipeline/publisher.h"
#include "pipeline/scheduler.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// One configured forge: how to speak to it and how to understand it.
struct ForgeParts {
  std::unique_ptr<Forge> forge;
  std::unique_ptr<WebhookDialect> dialect;
};

/// The concrete parts, chosen in main.cc.
struct Concretes {
  std::function<Result<ForgeParts>(const ForgeSettings&, const Clock&)> make_forge;
  std::function<Result<std::unique_ptr<Store>>(const Settings&, const Clock&)> open_store;
};

class Service {
 public:
  /// Opens the store, checks git and the agent's command, builds every part. Nothing runs yet.
  /// `redactor` and `log` must outlive the service.
  static Result<std::unique_ptr<Service>> Create(Settings settings, const Concretes& concretes,
                                                 Redactor& redactor, Log& log);
  ~Service();

  /// Takes up what an earlier process left (leases, workspaces), then starts every part.
  Result<void> Start();
  /// Claims nothing more and waits for the runs under way, at most settings.drain_limit; /readyz is
  /// red from its beginning. Everything else goes on: deliveries are stored and decided, effects
  /// published, so that runs can be stopped by people and end well.
  void Drain();
  /// Graceful: no new deliveries, no new claims, agents stopped and their tasks given back.
  void Stop();

  int WebhookPort() const { return webhooks_->Port(); }
  int DashboardPort() const { return dashboard_->Port(); }

 private:
  Service(Settings settings, Redactor& redactor, Log& log);
  Result<void> Build(const Concretes& concretes);
  Result<void> TakeUp();
  Forge* FindForge(std::string_view name);

  const Settings settings_;
  Redactor& redactor_;
  Log& log_;
  SystemClock clock_;
  Wakeup intake_wakeup_;
  Wakeup publisher_wakeup_;
  Wakeup drain_wakeup_;
  std::map<std::string, ForgeParts, std::less<>> forges_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ProcessRunner> processes_;
  std::unique_ptr<Workspaces> workspaces_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<IntakeRunner> intake_;
  std::unique_ptr<WebhookServer> webhooks_;
  std::unique_ptr<Dashboard> dashboard_;
  std::jthread publisher_thread_;
  std::jthread intake_thread_;
};

/// `swage serve`: runs until SIGTERM or SIGINT. Returns the exit code.
int RunServe(const std::string& config_file, const Concretes& concretes);

}  // namespace swage
