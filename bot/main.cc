// The only place that names concrete forges and engines.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "bot/cli.h"
#include "bot/demo/demo.h"
#include "bot/serve.h"
#include "config/base/crash_point.h"
#include "forge/crash_transport.h"
#include "forge/etag_cache.h"
#include "forge/gitea/gitea_forge.h"
#include "forge/gitea/webhook.h"
#include "forge/github/github_forge.h"
#include "forge/github/webhook.h"
#include "forge/gitlab/gitlab_forge.h"
#include "forge/gitlab/webhook.h"
#include "forge/traffic_gate.h"
#include "pipeline/store/crash_store.h"
#include "pipeline/workspace/crash_workspaces.h"

namespace swage {
namespace {

// `points` is null but in a server that a test has armed.
Result<std::unique_ptr<HttpTransport>> MakeTransport(TransportOptions options, const Clock& clock,
                                                     CrashPoints* points) {
  SWAGE_ASSIGN_OR_RETURN(auto transport, MakeHttpTransport(std::move(options), clock));
  if (points != nullptr) transport = WithCrashPoints(std::move(transport), *points);
  return transport;
}

Result<ForgeParts> MakeForge(const ForgeSettings& settings, const Clock& clock, TrafficGate& gate,
                             Redactor& redactor, CrashPoints* points) {
  ForgeParts parts;
  if (settings.kind == "github") {
    SWAGE_ASSIGN_OR_RETURN(auto transport,
                           MakeTransport(GitHubTransportOptions(settings), clock, points));
    const auto gated = [&](std::unique_ptr<HttpTransport> inner) {
      return MakeCachingTransport(
          MakeGatedTransport(std::move(inner), gate, GitHubTrafficOf(settings)));
    };
    if (settings.app.Given()) {
      SWAGE_ASSIGN_OR_RETURN(
          parts.forge, MakeGitHubAppForge(settings, std::move(transport), gated, clock, redactor));
    } else {
      parts.forge = MakeGitHubForge(settings, gated(std::move(transport)));
    }
    parts.dialect = MakeGitHubDialect();
    return parts;
  }
  if (settings.kind == "gitlab") {
    SWAGE_ASSIGN_OR_RETURN(auto transport,
                           MakeTransport(GitLabTransportOptions(settings), clock, points));
    parts.forge = MakeGitLabForge(
        settings, MakeCachingTransport(MakeGatedTransport(std::move(transport), gate)));
    parts.dialect = MakeGitLabDialect();
    return parts;
  }
  if (settings.kind == "gitea" || settings.kind == "forgejo") {
    SWAGE_ASSIGN_OR_RETURN(auto transport,
                           MakeTransport(GiteaTransportOptions(settings), clock, points));
    parts.forge = MakeGiteaForge(settings, MakeGatedTransport(std::move(transport), gate));
    parts.dialect = MakeGiteaDialect();
    return parts;
  }
  return MakeError(ErrorCode::kInvalid, "no adapter for forges of the kind " + settings.kind);
}

// For a look from the command line: no server shares its pace with it.
class OpenGate final : public TrafficGate {
  Result<void> Enter(const Traffic&, std::stop_token) override { return Ok(); }
  void Leave(const Traffic&, const Result<void>&, const std::optional<Quota>&) override {}
};

Result<std::unique_ptr<Forge>> MakeForgeToLookAt(const ForgeSettings& settings, const Clock& clock,
                                                 Redactor& redactor) {
  static OpenGate gate;
  SWAGE_ASSIGN_OR_RETURN(ForgeParts parts, MakeForge(settings, clock, gate, redactor, nullptr));
  return std::move(parts.forge);
}

PostgresOptions DatabaseOf(const Settings& settings) {
  PostgresOptions options;
  options.url = settings.store.value;
  options.password = settings.store_password.value;
  options.pgbouncer = settings.store_pgbouncer;
  return options;
}

Result<std::unique_ptr<Store>> OpenStore(const Settings& settings, const Clock& clock) {
  if (settings.store.value != "sqlite") return OpenPostgresStore(DatabaseOf(settings), clock);
  return OpenSqliteStore(settings.data_dir / "swage.db", clock);
}

Result<std::string> LookAtStore(const Settings& settings) {
  if (settings.store.value != "sqlite") return LookAtPostgres(DatabaseOf(settings));
  return fmt::format("sqlite, {}", (settings.data_dir / "swage.db").string());
}

// Beside servers that may be of another version: the schema is theirs.
Result<std::unique_ptr<Store>> VisitPostgres(const Settings& settings, const Clock& clock) {
  PostgresOptions options = DatabaseOf(settings);
  options.migrate = false;
  return OpenPostgresStore(options, clock);
}

Result<std::unique_ptr<Store>> ObserveStore(const Settings& settings, const Clock& clock) {
  if (settings.store.value != "sqlite") return VisitPostgres(settings, clock);
  return ObserveSqliteStore(settings.data_dir / "swage.db", clock);
}

Result<std::unique_ptr<Store>> EditStore(const Settings& settings, const Clock& clock) {
  if (settings.store.value != "sqlite") return VisitPostgres(settings, clock);
  auto store = OpenStore(settings, clock);
  if (store.ok() || store.error().code != ErrorCode::kConflict) return store;
  return MakeError(ErrorCode::kConflict,
                   store.error().message + ", or comment /swage stop or retry on the issue");
}

std::unique_ptr<Workspaces> MakeWorkspaces(const Settings& settings, ProcessRunner& processes,
                                           const WorkspaceOptions& options) {
  return MakeWorktreeWorkspaces(settings.data_dir, processes, options);
}

Concretes MakeConcretes(CrashPoints* points) {
  Concretes concretes;
  concretes.make_forge = [points](const ForgeSettings& settings, const Clock& clock,
                                  TrafficGate& gate, Redactor& redactor) {
    return MakeForge(settings, clock, gate, redactor, points);
  };
  concretes.open_store = [points](const Settings& settings,
                                  const Clock& clock) -> Result<std::unique_ptr<Store>> {
    SWAGE_ASSIGN_OR_RETURN(auto store, OpenStore(settings, clock));
    if (points != nullptr) store = WithCrashPoints(std::move(store), *points);
    return store;
  };
  concretes.make_workspaces = [points](const Settings& settings, ProcessRunner& processes,
                                       const WorkspaceOptions& options) {
    auto workspaces = MakeWorkspaces(settings, processes, options);
    if (points != nullptr) workspaces = WithCrashPoints(std::move(workspaces), *points);
    return workspaces;
  };
  return concretes;
}

int Serve(const ServeOptions& options) {
  const auto points = CrashPoints::FromEnvironment();
  if (!points.ok()) {
    std::fprintf(stderr, "swage: %s\n", points.error().message.c_str());
    return 2;
  }
  return RunServe(options, MakeConcretes(points->get()));
}

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  swage::CliActions actions;
  actions.serve = swage::Serve;
  actions.look_at_store = swage::LookAtStore;
  actions.store = {swage::ObserveStore, swage::EditStore};
  actions.make_workspaces = swage::MakeWorkspaces;
  actions.make_forge = swage::MakeForgeToLookAt;
  actions.demo = swage::RunDemo;
  actions.demo_forges = {"github", "gitlab", "gitea"};
  return swage::RunCli(argc, argv, actions, std::cout, std::cerr);
}
