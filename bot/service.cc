#include "bot/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "bot/isolation_options.h"
#include "bot/roles/housekeeping_role.h"
#include "bot/roles/publisher_role.h"
#include "bot/roles/web_role.h"
#include "bot/roles/worker_role.h"
#include "config/base/cgroup.h"
#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/limits.h"
#include "config/base/text.h"
#include "pipeline/isolation/supply.h"
#include "pipeline/lease_keeper.h"
#include "pipeline/maintenance/seal_audit.h"
#include "pipeline/workspace/commit_signer.h"

namespace swage {
namespace {

constexpr std::size_t kMaxHostName = 256;
constexpr std::size_t kMaxSettingsBytes = 4 << 20;

std::string HostName() {
  char host[kMaxHostName] = "node";
  gethostname(host, sizeof host - 1);
  return host;
}

// Secrets are in it as references only.
std::string SettingsDigest(const Settings& settings) {
  const auto text = ReadFile(settings.source, kMaxSettingsBytes);
  return text.ok() ? Sha256Hex(*text) : "unknown";
}

}  // namespace

Service::Service(Settings settings, ProvisionWay provision, Redactor& redactor, Log& log)
    : settings_(std::move(settings)),
      node_(settings_.node.name.empty() ? HostName() : settings_.node.name),
      provision_(provision),
      redactor_(redactor),
      log_(log) {}

Service::~Service() {
  Stop();
}

Result<std::unique_ptr<Service>> Service::Create(Settings settings, const Concretes& concretes,
                                                 ProvisionWay provision, Redactor& redactor,
                                                 Log& log) {
  std::unique_ptr<Service> service(new Service(std::move(settings), provision, redactor, log));
  SWAGE_RETURN_IF_ERROR(service->Build(concretes));
  return service;
}

Forge* Service::FindForge(std::string_view name) {
  const auto it = forges_.find(name);
  return it == forges_.end() ? nullptr : it->second.forge.get();
}

Result<void> Service::Build(const Concretes& concretes) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(settings_.data_dir));
  SWAGE_ASSIGN_OR_RETURN(store_, concretes.open_store(settings_, clock_));
  std::map<std::string, const WebhookDialect*> dialects;
  for (const ForgeSettings& forge : settings_.forges) {
    const Allowance allowance{forge.write_interval, forge.points_per_minute,
                              forge.content_per_hour};
    paces_.push_back(std::make_unique<PaceKeeper>(*store_, log_, clock_, forge.name,
                                                  PaceRules{forge.pause}, allowance));
    SWAGE_ASSIGN_OR_RETURN(ForgeParts parts,
                           concretes.make_forge(forge, clock_, *paces_.back(), redactor_));
    dialects[forge.name] = parts.dialect.get();
    forges_[forge.name] = std::move(parts);
  }
  SWAGE_RETURN_IF_ERROR(BuildProcesses());
  SWAGE_RETURN_IF_ERROR(BuildWorkspaces(concretes));
  const HoldSource holds = [this](std::string_view duty) {
    return store_->TryHold("duty:" + std::string(duty));
  };
  SWAGE_RETURN_IF_ERROR(BuildRoles({settings_, node_, redactor_, log_, clock_, *store_, *processes_,
                                    isolations_.get(), *workspaces_,
                                    [this](std::string_view name) { return FindForge(name); },
                                    dialects, hints_, holds}));

  own_duties_ = std::make_unique<Housekeeper>(holds, log_);
  health_ = std::make_unique<Health>(*store_, clock_);
  for (const auto& role : roles_) {
    health_->AddRole(role->Name(), [&role = *role] { return role.Health(); });
  }
  health_->AddRole("node", [this] { return own_duties_->Health(); });
  if (web_ == nullptr) dialects.clear();  // health alone
  webhooks_ = std::make_unique<WebhookServer>(settings_, dialects, *store_, *health_, clock_, log_,
                                              [this] { hints_.Give(HintTopic::kDeliveries); });
  return Ok();
}

// Who runs no tasks needs nothing of what encloses them.
Result<void> Service::BuildProcesses() {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const bool worker = settings_.node.Has(kRoleWorker);
  const auto groups = worker ? CommandGroups::Open() : nullptr;
  processes_ = MakePosixProcessRunner(supervisor, groups);
  if (groups) TellOfLimits(*groups);
  if (!worker) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const IsolationOptions options,
                         IsolationOptionsOf(settings_, groups.get()));
  isolations_ = MakeIsolations(options, *processes_);
  return Ok();
}

// Whoever wonders whether a limit holds here finds it in the log; `swage doctor isolation` tries.
void Service::TellOfLimits(const CommandGroups& groups) {
  std::vector<std::string> keepers;
  for (const LimitKeeper& keeper : LimitKeepers(&groups)) keepers.push_back(keeper.Describe());
  log_.Info("limits of commands", {{"kept_by", Join(keepers, ", ")}});
}

// After the store, which tells whether another process uses the folder that the key is loaded into.
Result<void> Service::BuildWorkspaces(const Concretes& concretes) {
  WorkspaceOptions options;
  options.provision = provision_;
  options.kept = {settings_.kept_trees, settings_.kept_trees_unused, settings_.kept_trees_bytes};
  if (settings_.signing_key.Given() && settings_.node.Has(kRoleWorker)) {
    SWAGE_ASSIGN_OR_RETURN(
        options.signer,
        MakeCommitSigner(settings_.signing_key, settings_.data_dir / "signing", *processes_));
    log_.Info("commits are signed", {{"key", options.signer->KeyName()}});
  }
  workspaces_ = concretes.make_workspaces(settings_, *processes_, options);
  return Ok();
}

Result<void> Service::BuildRoles(const NodeParts& parts) {
  const NodeSettings& node = settings_.node;
  if (node.Has(kRoleWorker)) {
    SWAGE_ASSIGN_OR_RETURN(auto worker, WorkerRole::Create(parts));
    roles_.push_back(std::move(worker));
  }
  if (node.Has(kRolePublisher)) {
    SWAGE_ASSIGN_OR_RETURN(auto publisher, PublisherRole::Create(parts));
    roles_.push_back(std::move(publisher));
  }
  if (node.Has(kRoleHousekeeping)) roles_.push_back(std::make_unique<HousekeepingRole>(parts));
  if (node.Has(kRoleWeb)) {
    auto web = std::make_unique<WebRole>(parts);
    web_ = web.get();
    roles_.push_back(std::move(web));
  }
  return Ok();
}

// Takes the node's name, before anything is done in it.
Result<void> Service::Enter() {
  NodeInfo self;
  self.name = node_;
  self.instance = RandomHex(8);
  self.host = HostName();
  self.roles = Join(settings_.node.roles, ", ");
  self.version = SWAGE_VERSION;
  if (web_ != nullptr) self.url = settings_.public_url;
  self.started = clock_.Now();
  if (settings_.node.Has(kRoleWorker)) {
    NodeLevels here = LevelsHere(*isolations_, settings_.node.levels);
    self.levels = here.given;
    self.lacks = std::move(here.lacks);
  }
  SWAGE_ASSIGN_OR_RETURN(auto presence, Presence::Enter(*store_, clock_, std::move(self)));
  presence_ = presence.get();
  DutyPlan plan;
  plan.duty = std::move(presence);
  plan.every = LeaseTimes(settings_.node.lease).heartbeat;
  plan.single = false;
  own_duties_->Add(std::move(plan));
  own_duties_->Start();
  return Ok();
}

Result<void> Service::TakeUp() {
  // Whoever held these leases is dead: nobody else has this node's name, and an embedded store is
  // this process's alone.
  SWAGE_ASSIGN_OR_RETURN(const int orphans, store_->SharedByNodes() ? store_->ExpireLeases(node_)
                                                                    : store_->ExpireAllLeases());
  if (orphans > 0) log_.Info("taking up tasks of an earlier process", {{"tasks", orphans}});
  return Ok();
}

Result<void> Service::Audit(std::string_view action, std::string detail) {
  return store_->AppendAudit({audit::Node(node_), std::string(action), "", "", std::move(detail)});
}

// Whatever the roles of this process: what it did is numbered when it is gone.
void Service::SealLast() {
  Result<void> done = Audit(audit::kNodeStopped);
  if (done.ok()) done = SealAll(*store_, {});
  if (!done.ok()) {
    log_.Warn("the audit log's last entries have no number yet; the next start gives it to them",
              {{"error", done.error().message}});
  }
  NoteAuditHead(*store_, log_);
}

Result<void> Service::Start() {
  SWAGE_RETURN_IF_ERROR(Enter());
  SWAGE_RETURN_IF_ERROR(TakeUp());
  SWAGE_RETURN_IF_ERROR(
      Audit(audit::kNodeStarted,
            fmt::format("swage {}, roles {}, settings sha256 {}", SWAGE_VERSION,
                        Join(settings_.node.roles, ","), SettingsDigest(settings_))));
  NoteAuditHead(*store_, log_);
  started_ = true;
  // The ports first: a server that cannot have them must not begin any work.
  if (web_ != nullptr) SWAGE_RETURN_IF_ERROR(web_->Start());
  SWAGE_RETURN_IF_ERROR(webhooks_->Start());
  for (const auto& role : roles_) {
    if (role.get() == web_) continue;
    if (auto started = role->Start(); !started.ok()) {
      return started.error().With("role " + std::string(role->Name()));
    }
  }
  store_->OnNews([this](Topic topic) { hints_.Give(topic); });
  return Ok();
}

void Service::Drain() {
  health_->SetStopping();
  if (auto noted = Audit(audit::kNodeDrains); !noted.ok()) {
    log_.Warn("cannot write to the audit log", {{"error", noted.error().message}});
  }
  for (const auto& role : roles_) role->Drain(settings_.drain_limit);
}

void Service::Stop() {
  if (store_) store_->OnNews({});
  if (webhooks_) webhooks_->Stop();
  for (const auto& role : roles_) role->BeginStop();
  for (const auto& role : roles_) role->Stop();
  if (own_duties_) own_duties_->Stop();
  if (presence_ != nullptr) presence_->Leave();
  if (std::exchange(started_, false)) SealLast();
}

int Service::DashboardPort() const {
  return web_ == nullptr ? 0 : web_->Port();
}

}  // namespace swage
