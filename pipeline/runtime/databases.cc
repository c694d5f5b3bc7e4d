#include "pipeline/runtime/databases.h"

#include <fmt/format.h>

#include "config/base/crypto.h"

namespace swage {
namespace {

constexpr std::size_t kTokenBytes = 4;

}  // namespace

DatabaseLease::~DatabaseLease() {
  if (const auto dropped = Drop(); !dropped.ok()) {
    all_.log_.Warn("a task's database was not dropped; the next sweep tries again",
                   {{"name", name_}, {"error", dropped.error().message}});
  }
  // Not before: what the task's last step printed is still on its way.
  all_.redactor_.Forget(database_.password);
}

const DatabaseSettings& DatabaseLease::settings() const {
  return all_.settings_[server_];
}

Result<void> DatabaseLease::BringInto(const std::filesystem::path& folder,
                                      const std::optional<FileOwner>& owner) {
  if (!database_.socket_dir.empty()) return Ok();
  if (database_.needs_tls) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("the database {} asks for TLS, which a task without a network "
                                 "cannot have; let its server be reached without on this machine",
                                 settings().name));
  }
  SWAGE_ASSIGN_OR_RETURN(
      relay_, SocketRelay::Start(folder / postgres::kSocketName, {database_.host, database_.port},
                                 settings().connections, owner));
  database_.url = database_.UrlBySocketIn(folder.string());
  return Ok();
}

Result<void> DatabaseLease::Drop() {
  if (dropped_) return Ok();
  dropped_ = true;
  relay_.reset();
  SWAGE_ASSIGN_OR_RETURN(postgres::TaskServer* const server, all_.ServerOf(server_));
  const auto done = server->Drop(name_);
  all_.Forget(name_);
  return done;
}

Databases::Databases(const std::vector<DatabaseSettings>& settings, std::string owner,
                     std::string node, Redactor& redactor, Log& log)
    : settings_(settings),
      prefix_(fmt::format("swage_{}_", owner)),
      node_(std::move(node)),
      redactor_(redactor),
      log_(log),
      servers_(settings.size()) {}

Result<postgres::TaskServer*> Databases::ServerOf(std::size_t index) {
  const std::lock_guard lock(mutex_);
  if (servers_[index] == nullptr) {
    auto server = postgres::TaskServer::FromUrl(settings_[index].admin.value);
    if (!server.ok()) return server.error().With("databases." + settings_[index].name);
    servers_[index] = std::make_unique<postgres::TaskServer>(std::move(server).value());
  }
  return servers_[index].get();
}

bool Databases::IsHeld(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return held_.contains(name);
}

void Databases::Forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  held_.erase(name);
}

Result<std::unique_ptr<DatabaseLease>> Databases::Make(const DatabaseSettings& settings,
                                                       const Task& task) {
  const auto index = static_cast<std::size_t>(&settings - settings_.data());
  SWAGE_CHECK(index < settings_.size());
  SWAGE_ASSIGN_OR_RETURN(postgres::TaskServer* const server, ServerOf(index));
  postgres::TaskDatabaseSpec spec;
  spec.name = fmt::format("{}{}_{}", prefix_, task.id.value, RandomHex(kTokenBytes));
  spec.comment = fmt::format("swage: task {} ({}) on node {}", task.id.value, TaskKey(task), node_);
  spec.schema = settings.scope == "schema";
  spec.source = settings.source;
  spec.connections = settings.connections;
  {
    const std::lock_guard lock(mutex_);
    held_.insert(spec.name);  // first: a sweep must not take it for an orphan
  }
  auto made = server->Make(spec);
  if (!made.ok()) {
    Forget(spec.name);
    return made.error().With(fmt::format("make the database {}", settings.name));
  }
  (void)redactor_.Add(made->password);
  std::unique_ptr<DatabaseLease> lease(new DatabaseLease(*this, index, spec.name));
  lease->database_ = *std::move(made);
  return lease;
}

Result<std::vector<std::string>> Databases::SweepOrphans() {
  std::vector<std::string> removed;
  Result<void> outcome;
  const auto note = [&](const Error& error) {
    if (outcome.ok()) outcome = error;
  };
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    if (settings_[i].kind != "postgres") continue;
    const auto server = ServerOf(i);
    const auto names = server.ok() ? (*server)->List(prefix_) : server.error();
    if (!names.ok()) {
      note(names.error());
      continue;
    }
    for (const std::string& name : *names) {
      if (IsHeld(name)) continue;
      if (const auto dropped = (*server)->Drop(name); dropped.ok()) {
        removed.push_back(name);
      } else {
        note(dropped.error());
      }
    }
  }
  SWAGE_RETURN_IF_ERROR(std::move(outcome));
  return removed;
}

}  // namespace swage
