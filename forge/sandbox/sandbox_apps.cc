// SandboxForge's App: made, installed, suspended; and the webhooks that only Apps get.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_app.h"
#include "forge/sandbox/sandbox_state.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

// Making one takes a while, and no test is about which it is.
std::shared_ptr<const RsaKey> SandboxKey() {
  static const auto kKey = std::make_shared<const RsaKey>(RsaKey::Generate());
  return kKey;
}

json RepoList(World& world, const std::vector<Id>& repos) {
  json list = json::array();
  for (const Id id : repos) {
    const Repo& repo = *world.FindRepo(id);
    list.push_back({{"id", repo.id},
                    {"node_id", GitHubObjects::NodeId("R", repo.id)},
                    {"name", repo.name},
                    {"full_name", repo.Path()},
                    {"private", repo.is_private}});
  }
  return list;
}

std::vector<Id> CoveredBy(World& world, const Installation& installation) {
  std::vector<Id> covered;
  for (const auto& repo : world.repos()) {
    if (installation.Covers(*repo)) covered.push_back(repo->id);
  }
  return covered;
}

std::vector<Id> IdsOf(World& world, const std::vector<std::string>& paths) {
  std::vector<Id> ids;
  for (const std::string& path : paths) {
    const Repo* const repo = world.FindRepo(path);
    SWAGE_CHECK(repo != nullptr);
    ids.push_back(repo->id);
  }
  return ids;
}

// The pull requests of a commit, as checks name them.
json PullsOf(const Repo& repo, const std::string& sha) {
  json pulls = json::array();
  for (const auto& [number, pull] : repo.pulls) {
    if (pull.head_sha != sha || !pull.open) continue;
    pulls.push_back({{"id", pull.id},
                     {"number", number},
                     {"head", {{"ref", pull.head_ref}, {"sha", sha}}},
                     {"base", {{"ref", pull.base_ref}, {"sha", pull.base_sha}}}});
  }
  return pulls;
}

json SuiteObject(const Repo& repo, const std::string& sha) {
  const json pulls = PullsOf(repo, sha);
  return {{"id", repo.id},
          {"head_sha", sha},
          {"head_branch", pulls.empty() ? json() : pulls[0]["head"]["ref"]},
          {"status", "queued"},
          {"conclusion", json()},
          {"pull_requests", pulls}};
}

CheckRun& RunOf(Repo& repo, Id id) {
  for (CheckRun& run : repo.check_runs) {
    if (run.id == id) return run;
  }
  SWAGE_CHECK(false);
}

json RunObject(World& world, const std::string& base, const Repo& repo, const CheckRun& run) {
  json object = GitHubObjects(world, base).CheckRunObject(repo, run);
  object["check_suite"] = SuiteObject(repo, run.head_sha);
  object["pull_requests"] = PullsOf(repo, run.head_sha);
  return object;
}

}  // namespace

// Sent whatever the App subscribes to.
void SandboxForge::State::TellApp(std::string_view event, std::string_view action,
                                  const Installation& installation, Id sender_id, const Repo* repo,
                                  json body) {
  const App& app = *world.apps().app;
  if (app.hook.url.empty()) return;
  const GitHubObjects objects(world, base);
  body["action"] = action;
  body["installation"] = repo == nullptr ? InstallationObject(world, base, installation)
                                         : json{{"id", installation.id}};
  body["sender"] = objects.UserObject(sender_id);
  if (repo != nullptr) body["repository"] = objects.RepoObject(*repo);
  sender->Send(app.hook, repo == nullptr ? 0 : repo->id,
               {std::string(event), std::string(action), std::string(event), DumpJson(body)});
}

SandboxForge::AppIdentity SandboxForge::CreateApp(std::string_view slug) {
  const std::string bot = fmt::format("{}[bot]", slug);
  CreateUser(bot, true);
  return state_->Change([&](World& world) {
    App app;
    app.id = world.NextId();
    app.slug = slug;
    app.key = SandboxKey();
    app.bot = world.FindUser(bot)->id;
    app.permissions = {{"metadata", "read"},
                       {"contents", "write"},
                       {"issues", "write"},
                       {"pull_requests", "write"},
                       {"checks", "write"}};
    app.events = {"issues", "issue_comment", "pull_request", "pull_request_review",
                  "pull_request_review_comment"};
    app.hook.id = world.NextId();
    world.apps().app = app;
    return AppIdentity{std::to_string(app.id), app.key->PrivatePem(), bot};
  });
}

void SandboxForge::SetAppWebhook(std::string_view url, std::string_view secret) {
  state_->Change([&](World& world) {
    world.apps().app->hook.url = url;
    world.apps().app->hook.secret = secret;
    return true;
  });
}

void SandboxForge::SetAppPermission(std::string_view name, std::string_view level) {
  state_->Change([&](World& world) {
    const auto set = [&](Grants& grants) {
      grants.erase(std::string(name));
      if (!level.empty()) grants.emplace(name, level);
    };
    set(world.apps().app->permissions);
    for (auto& [id, installation] : world.apps().installations) set(installation.permissions);
    return true;
  });
}

Id SandboxForge::InstallApp(std::string_view account, const std::vector<std::string>& repos) {
  return state_->Change([&](World& world) {
    Installation installation;
    installation.id = world.NextId();
    installation.account = account;
    if (!repos.empty()) {
      const auto ids = IdsOf(world, repos);
      installation.repos = std::set<Id>(ids.begin(), ids.end());
    }
    installation.permissions = world.apps().app->permissions;
    installation.created_at = world.Now();
    const Installation& made =
        world.apps().installations.emplace(installation.id, installation).first->second;
    state_->TellApp("installation", "created", made, world.FindUser(account)->id, nullptr,
                    {{"repositories", RepoList(world, CoveredBy(world, made))}});
    return made.id;
  });
}

void SandboxForge::UninstallApp(std::string_view account) {
  state_->Change([&](World& world) {
    const Installation gone = *world.apps().FindInstallation(account);
    world.apps().installations.erase(gone.id);
    state_->TellApp("installation", "deleted", gone, world.FindUser(account)->id, nullptr,
                    {{"repositories", RepoList(world, CoveredBy(world, gone))}});
    return true;
  });
}

void SandboxForge::SuspendApp(std::string_view account, bool suspended) {
  state_->Change([&](World& world) {
    Installation& installation = *world.apps().FindInstallation(account);
    installation.suspended_at.reset();
    if (suspended) installation.suspended_at = world.Now();
    state_->TellApp("installation", suspended ? "suspend" : "unsuspend", installation,
                    world.FindUser(account)->id, nullptr,
                    {{"repositories", RepoList(world, CoveredBy(world, installation))}});
    return true;
  });
}

void SandboxForge::ChangeAppRepos(std::string_view account, const std::vector<std::string>& added,
                                  const std::vector<std::string>& removed) {
  state_->Change([&](World& world) {
    Installation& installation = *world.apps().FindInstallation(account);
    const auto covered = CoveredBy(world, installation);
    if (!installation.repos) installation.repos = std::set<Id>(covered.begin(), covered.end());
    for (const Id id : IdsOf(world, added)) installation.repos->insert(id);
    for (const Id id : IdsOf(world, removed)) installation.repos->erase(id);
    state_->TellApp("installation_repositories", removed.empty() ? "added" : "removed",
                    installation, world.FindUser(account)->id, nullptr,
                    {{"repository_selection", "selected"},
                     {"repositories_added", RepoList(world, IdsOf(world, added))},
                     {"repositories_removed", RepoList(world, IdsOf(world, removed))}});
    return true;
  });
}

void SandboxForge::AgeAppTokens(std::chrono::seconds time) {
  state_->Change([&](World& world) { return (world.apps().ahead += time).count(); });
}

std::size_t SandboxForge::AppTokensMade() const {
  return state_->Change([](World& world) { return world.apps().tokens.size(); });
}

void SandboxForge::RerequestRun(std::string_view repo, std::string_view login, Id run) {
  state_->In(repo, login, [&](World& world, Repo& in, User& user) {
    CheckRun& asked = RunOf(in, run);
    asked.status = "queued";
    asked.conclusion.clear();
    state_->TellApp("check_run", "rerequested", *world.apps().InstallationOf(in), user.id, &in,
                    {{"check_run", RunObject(world, state_->base, in, asked)}});
    return true;
  });
}

void SandboxForge::RerequestSuite(std::string_view repo, std::string_view login,
                                  std::string_view sha) {
  state_->In(repo, login, [&](World& world, Repo& in, User& user) {
    state_->TellApp("check_suite", "rerequested", *world.apps().InstallationOf(in), user.id, &in,
                    {{"check_suite", SuiteObject(in, std::string(sha))}});
    return true;
  });
}

void SandboxForge::RequestAction(std::string_view repo, std::string_view login, Id run,
                                 std::string_view identifier) {
  state_->In(repo, login, [&](World& world, Repo& in, User& user) {
    state_->TellApp("check_run", "requested_action", *world.apps().InstallationOf(in), user.id, &in,
                    {{"check_run", RunObject(world, state_->base, in, RunOf(in, run))},
                     {"requested_action", {{"identifier", identifier}}}});
    return true;
  });
}

}  // namespace swage::sandbox
