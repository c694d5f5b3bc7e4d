// The only place that names concrete forges and engines.
#include <fmt/format.h>

#include <iostream>

#include "bot/cli.h"
#include "bot/demo/demo.h"
#include "bot/serve.h"
#include "forge/github/github_forge.h"
#include "forge/github/webhook.h"
#include "forge/gitlab/gitlab_forge.h"
#include "forge/gitlab/webhook.h"
#include "forge/traffic_gate.h"

namespace swage {
namespace {

Result<ForgeParts> MakeForge(const ForgeSettings& settings, const Clock& clock, TrafficGate& gate) {
  ForgeParts parts;
  if (settings.kind == "github") {
    SWAGE_ASSIGN_OR_RETURN(auto transport,
                           MakeHttpTransport(GitHubTransportOptions(settings), clock));
    parts.forge = MakeGitHubForge(settings, MakeGatedTransport(std::move(transport), gate));
    parts.dialect = MakeGitHubDialect();
    return parts;
  }
  if (settings.kind == "gitlab") {
    SWAGE_ASSIGN_OR_RETURN(auto transport,
                           MakeHttpTransport(GitLabTransportOptions(settings), clock));
    parts.forge = MakeGitLabForge(settings, MakeGatedTransport(std::move(transport), gate));
    parts.dialect = MakeGitLabDialect();
    return parts;
  }
  return MakeError(ErrorCode::kInvalid, "no adapter for forges of the kind " + settings.kind);
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

}  // namespace
}  // namespace swage

int main(int argc, char** argv) {
  swage::CliActions actions;
  actions.serve = [](const swage::ServeOptions& options) {
    return swage::RunServe(options, {swage::MakeForge, swage::OpenStore});
  };
  actions.look_at_store = swage::LookAtStore;
  actions.store = {swage::ObserveStore, swage::EditStore};
  actions.demo = swage::RunDemo;
  actions.demo_forges = {"github", "gitlab"};
  return swage::RunCli(argc, argv, actions, std::cout, std::cerr);
}
