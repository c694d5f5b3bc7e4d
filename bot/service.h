// Service: one process of the bot. Opens what every role needs, builds the roles that the settings
// name, starts them, stops them in good order.
//
// Roles meet only in the store (see roles/node_role.h). Every process, whatever its roles, has the
// server on settings.listen for its health; it takes deliveries only with the role web.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bot/roles/hints.h"
#include "bot/roles/node_role.h"
#include "bot/webhook/health.h"
#include "bot/webhook/webhook_server.h"
#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/process.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/isolation/isolations.h"
#include "pipeline/maintenance/housekeeper.h"
#include "pipeline/maintenance/presence.h"
#include "pipeline/pace_keeper.h"
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
  /// Every request of the forge goes through the gate; credentials that it gets on the way are told
  /// to the redactor.
  std::function<Result<ForgeParts>(const ForgeSettings&, const Clock&, TrafficGate&, Redactor&)>
      make_forge;
  std::function<Result<std::unique_ptr<Store>>(const Settings&, const Clock&)> open_store;
  std::function<std::unique_ptr<Workspaces>(const Settings&, ProcessRunner&,
                                            const WorkspaceOptions&)>
      make_workspaces;
};

class WebRole;

class Service {
 public:
  /// Opens the store, checks git and the agent's command, builds every part. Nothing runs yet.
  /// `redactor` and `log` must outlive the service.
  static Result<std::unique_ptr<Service>> Create(Settings settings, const Concretes& concretes,
                                                 ProvisionWay provision, Redactor& redactor,
                                                 Log& log);
  ~Service();

  /// Takes up what an earlier process left, then starts every role.
  Result<void> Start();
  /// Claims nothing more and waits for the runs under way, at most settings.drain_limit; /readyz is
  /// red from its beginning. Everything else goes on: deliveries are stored and decided, effects
  /// published, so that runs can be stopped by people and end well.
  void Drain();
  /// Graceful: no new deliveries, no new claims, agents stopped and their tasks given back.
  void Stop();

  int WebhookPort() const { return webhooks_->Port(); }
  /// 0 without the role web.
  int DashboardPort() const;

 private:
  Service(Settings settings, ProvisionWay provision, Redactor& redactor, Log& log);
  Result<void> Build(const Concretes& concretes);
  Result<void> BuildProcesses();
  void TellOfLimits(const CommandGroups& groups);
  Result<void> BuildWorkspaces(const Concretes& concretes);
  Result<void> BuildRoles(const NodeParts& parts);
  Result<void> Enter();
  Result<void> TakeUp();
  /// What this process does, into the audit log.
  Result<void> Audit(std::string_view action, std::string detail = "");
  void SealLast();
  Forge* FindForge(std::string_view name);

  const Settings settings_;
  const std::string node_;
  const ProvisionWay provision_;
  Redactor& redactor_;
  Log& log_;
  SystemClock clock_;
  Hints hints_;
  std::unique_ptr<Store> store_;
  std::vector<std::unique_ptr<PaceKeeper>> paces_;
  std::map<std::string, ForgeParts, std::less<>> forges_;
  std::unique_ptr<ProcessRunner> processes_;  ///< of the bot's own commands
  std::unique_ptr<Isolations> isolations_;    ///< of the tasks'; with the role worker only
  std::unique_ptr<Workspaces> workspaces_;
  Presence* presence_ = nullptr;  ///< one of own_duties_
  std::unique_ptr<Housekeeper> own_duties_;
  std::unique_ptr<Health> health_;
  std::vector<std::unique_ptr<NodeRole>> roles_;  ///< in the order in which they stop
  WebRole* web_ = nullptr;                        ///< one of roles_, if it is there
  bool started_ = false;
  std::unique_ptr<WebhookServer> webhooks_;
};

}  // namespace swage
