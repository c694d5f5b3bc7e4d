#include "bot/service.h"

#include <unistd.h>

#include "bot/roles/housekeeping_role.h"
#include "bot/roles/publisher_role.h"
#include "bot/roles/web_role.h"
#include "bot/roles/worker_role.h"
#include "config/base/files.h"

namespace swage {
namespace {

constexpr std::size_t kMaxHostName = 256;

std::string NodeName(const NodeSettings& node) {
  if (!node.name.empty()) return node.name;
  char host[kMaxHostName] = "node";
  gethostname(host, sizeof host - 1);
  return host;
}

}  // namespace

Service::Service(Settings settings, Redactor& redactor, Log& log)
    : settings_(std::move(settings)),
      node_(NodeName(settings_.node)),
      redactor_(redactor),
      log_(log) {}

Service::~Service() {
  Stop();
}

Result<std::unique_ptr<Service>> Service::Create(Settings settings, const Concretes& concretes,
                                                 Redactor& redactor, Log& log) {
  std::unique_ptr<Service> service(new Service(std::move(settings), redactor, log));
  SWAGE_RETURN_IF_ERROR(service->Build(concretes));
  return service;
}

Forge* Service::FindForge(std::string_view name) {
  const auto it = forges_.find(name);
  return it == forges_.end() ? nullptr : it->second.forge.get();
}

Result<void> Service::Build(const Concretes& concretes) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(settings_.data_dir));
  std::map<std::string, const WebhookDialect*> dialects;
  for (const ForgeSettings& forge : settings_.forges) {
    SWAGE_ASSIGN_OR_RETURN(ForgeParts parts, concretes.make_forge(forge, clock_));
    dialects[forge.name] = parts.dialect.get();
    forges_[forge.name] = std::move(parts);
  }
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  processes_ = MakePosixProcessRunner(supervisor);
  workspaces_ = concretes.make_workspaces(settings_, *processes_);
  SWAGE_ASSIGN_OR_RETURN(store_, concretes.open_store(settings_, clock_));
  SWAGE_RETURN_IF_ERROR(
      BuildRoles({settings_, node_, redactor_, log_, clock_, *store_, *processes_, *workspaces_,
                  [this](std::string_view name) { return FindForge(name); }, dialects, hints_,
                  [this](std::string_view duty) -> Result<std::unique_ptr<Hold>> {
                    return holds_.TryHold(duty);
                  }}));

  health_ = std::make_unique<Health>(*store_, clock_);
  for (const auto& role : roles_) {
    health_->AddRole(role->Name(), [&role = *role] { return role.Health(); });
  }
  if (web_ == nullptr) dialects.clear();  // health alone
  webhooks_ = std::make_unique<WebhookServer>(settings_, dialects, *store_, *health_, clock_, log_,
                                              [this] { hints_.Give(HintTopic::kDeliveries); });
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

Result<void> Service::TakeUp() {
  // This process alone holds the embedded store, so whoever held these leases is dead.
  SWAGE_ASSIGN_OR_RETURN(const int orphans, store_->ExpireAllLeases());
  if (orphans > 0) log_.Info("taking up tasks of an earlier process", {{"tasks", orphans}});
  return Ok();
}

Result<void> Service::Start() {
  SWAGE_RETURN_IF_ERROR(TakeUp());
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
  for (const auto& role : roles_) role->Drain(settings_.drain_limit);
}

void Service::Stop() {
  if (store_) store_->OnNews({});
  if (webhooks_) webhooks_->Stop();
  for (const auto& role : roles_) role->BeginStop();
  for (const auto& role : roles_) role->Stop();
}

int Service::DashboardPort() const {
  return web_ == nullptr ? 0 : web_->Port();
}

}  // namespace swage
