#include "forge/sandbox/github_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_json.h"
#include "forge/sandbox/github_paging.h"
#include "forge/sandbox/webhooks.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr seconds kLongestClaim{600};
constexpr std::string_view kNotAccessible = "Resource not accessible by integration";

std::optional<std::string> Base64UrlDecode(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (plain.size() % 4 != 0) plain += '=';
  return Base64Decode(plain);
}

bool IsClaim(std::string_view token) {
  return token.starts_with("ey") && std::count(token.begin(), token.end(), '.') == 2;
}

// What is wrong with a claim, as GitHub says it; empty = it is the App's.
std::string ClaimFault(const Apps& apps, std::string_view claim, WallTime now) {
  constexpr std::string_view kBad = "A JSON web token could not be decoded";
  const auto parts = Split(claim, '.');
  if (!apps.app || parts.size() != 3) return std::string(kBad);
  const auto head = ParseJson(Base64UrlDecode(parts[0]).value_or(""));
  const auto body = ParseJson(Base64UrlDecode(parts[1]).value_or(""));
  const auto signature = Base64UrlDecode(parts[2]);
  if (!head.ok() || !body.ok() || !signature) return std::string(kBad);
  const std::string_view text = claim.substr(0, parts[0].size() + 1 + parts[1].size());
  if (JsonString(*head, "alg") != "RS256" || !apps.app->key->Verify(text, *signature)) {
    return std::string(kBad);
  }
  const std::string issuer = JsonId(*body, "iss");
  if (issuer != std::to_string(apps.app->id)) return "Integration not found";
  const std::int64_t clock = ToMicros(now) / 1'000'000;
  const std::int64_t exp = JsonInt(*body, "exp");
  if (JsonInt(*body, "iat") > clock) {
    return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion "
           "was issued";
  }
  if (exp <= clock)
    return "'Expiration time' claim ('exp') must be a numeric value representing "
           "the future time at which the assertion expires";
  if (exp > clock + kLongestClaim.count()) {
    return "'Expiration time' claim ('exp') is too far in the future";
  }
  return "";
}

struct Needed {
  std::string_view permission;
  bool write = false;
};

// What a route below /repos/OWNER/NAME asks of a token, by its first and last word.
Needed NeededFor(std::string_view method, std::string_view rest) {
  const std::string_view first = rest.substr(0, rest.find('/'));
  const std::string_view last = rest.substr(rest.rfind('/') + 1);
  const bool write = method != "GET";
  if (first == "issues" || first == "labels") return {"issues", write};
  if (first == "pulls") return {"pull_requests", write};
  if (first == "check-runs" || last == "check-runs") return {"checks", write};
  if (first == "statuses" || last == "statuses" || last == "status") return {"statuses", write};
  if (first == "hooks") return {"repository_hooks", write};
  if (first == "commits" || first == "contents" || first == "git" || first == "compare" ||
      first == "branches") {
    return {"contents", write};
  }
  return write ? Needed{"administration", true} : Needed{"metadata", false};
}

bool IsForTheAppItself(std::string_view path) {
  return path == "/app" || path.starts_with("/app/") ||
         (path.starts_with("/repos/") && path.ends_with("/installation"));
}

// "owner/name", or the form of a repository's id that MountedPath makes.
const Repo* RepoAt(World& world, std::string_view path) {
  constexpr std::string_view kById = "~id/";
  if (path.starts_with(kById))
    return world.FindRepo(ParseInt(path.substr(kById.size())).value_or(0));
  return world.FindRepo(path);
}

// As far as a query names its repository, and a mutation writes at all.
std::optional<Reply> RefuseGraphQl(World& world, const Request& request, std::string_view token,
                                   const AppToken& known) {
  const auto refuse = [](std::string_view type) {
    const json error = {{"type", type}, {"message", kNotAccessible}};
    return Reply::Json(200, {{"data", json()}, {"errors", json::array({error})}});
  };
  const Result<json> body = ParseJson(request.body);
  if (!body.ok()) return std::nullopt;
  const std::string path =
      JsonString(*body, "variables/owner") + "/" + JsonString(*body, "variables/name");
  const Repo* const repo = world.FindRepo(path);
  if (repo != nullptr && !world.apps().Allows(token, *repo, "metadata", false, world.Now())) {
    return refuse("NOT_FOUND");
  }
  const auto writes = [&](const char* name) {
    const auto level = known.permissions.find(name);
    return level != known.permissions.end() && level->second == "write";
  };
  const bool mutation = JsonString(*body, "query").starts_with("mutation");
  if (mutation && !writes("issues") && !writes("pull_requests")) return refuse("FORBIDDEN");
  return std::nullopt;
}

std::optional<Reply> RefuseToken(World& world, const Request& request, std::string_view path,
                                 std::string_view token, const AppToken& known) {
  if (world.apps().IsSuspended(known)) {
    return GitHubError(403, "This installation has been suspended");
  }
  constexpr std::string_view kRepos = "/repos/";
  if (path == "/user" || path.starts_with("/user/")) return GitHubError(403, kNotAccessible);
  if (path == "/graphql") return RefuseGraphQl(world, request, token, known);
  if (!path.starts_with(kRepos)) return std::nullopt;
  const std::string_view below = path.substr(kRepos.size());
  const std::size_t owner_end = std::min(below.find('/'), below.size());
  const std::size_t name_end = std::min(below.find('/', owner_end + 1), below.size());
  const Repo* const repo = RepoAt(world, PercentDecode(below.substr(0, name_end)).value_or(""));
  if (repo == nullptr) return std::nullopt;
  const std::string_view rest = name_end < below.size() ? below.substr(name_end + 1) : "";
  const Needed needed = NeededFor(request.method, rest);
  if (world.apps().Allows(token, *repo, needed.permission, needed.write, world.Now())) {
    return std::nullopt;
  }
  const bool sees = world.apps().Allows(token, *repo, "metadata", false, world.Now());
  return sees || needed.write ? GitHubError(403, kNotAccessible) : GitHubError(404, "Not Found");
}

json GrantsObject(const Grants& grants) {
  json object = json::object();
  for (const auto& [name, level] : grants) object[name] = level;
  return object;
}

GitHubObjects ObjectsOf(const Call& call) {
  return GitHubObjects(call.world, call.base);
}

Reply GetApp(const Call& call) {
  const App& app = *call.world.apps().app;
  json events = json::array();
  for (const std::string& event : app.events) events.push_back(event);
  return Reply::Json(200, {{"id", app.id},
                           {"slug", app.slug},
                           {"node_id", fmt::format("A_{}", app.id)},
                           {"name", app.slug},
                           {"owner", ObjectsOf(call).UserObject(app.bot)},
                           {"description", json()},
                           {"external_url", call.base},
                           {"html_url", fmt::format("{}/apps/{}", call.base, app.slug)},
                           {"created_at", FormatUtc(call.world.UserOf(app.bot).created_at)},
                           {"updated_at", FormatUtc(call.world.UserOf(app.bot).created_at)},
                           {"permissions", GrantsObject(app.permissions)},
                           {"events", events},
                           {"installations_count", call.world.apps().installations.size()}});
}

Reply ListInstallations(const Call& call) {
  std::vector<const Installation*> all;
  for (const auto& [id, one] : call.world.apps().installations) all.push_back(&one);
  return Paged(call, all, [&](const Installation* one) {
    return InstallationObject(call.world, call.base, *one);
  });
}

Reply GetRepoInstallation(const Call& call) {
  const std::string path = call.Param("owner") + "/" + call.Param("repo");
  const Repo* repo = call.world.FindRepo(path);
  if (repo == nullptr) repo = call.world.FindFormerRepo(path);
  const Installation* const one =
      repo == nullptr ? nullptr : call.world.apps().InstallationOf(*repo);
  if (one == nullptr) return GitHubError(404, "Not Found");
  return Reply::Json(200, InstallationObject(call.world, call.base, *one));
}

// The repositories that a request for a token names; nothing: one is not the installation's.
std::optional<std::set<Id>> NamedRepos(const Call& call, const Installation& installation) {
  std::set<Id> named;
  for (const auto& repo : call.world.repos()) {
    if (!installation.Covers(*repo)) continue;
    for (const json& id : JsonAt(call.body, "repository_ids")) {
      if (id.is_number_integer() && id.get<Id>() == repo->id) named.insert(repo->id);
    }
    for (const json& name : JsonAt(call.body, "repositories")) {
      if (name.is_string() && EqualsIgnoreCase(name.get<std::string>(), repo->name)) {
        named.insert(repo->id);
      }
    }
  }
  const std::size_t wanted =
      JsonAt(call.body, "repository_ids").size() + JsonAt(call.body, "repositories").size();
  if (named.size() != wanted) return std::nullopt;
  return named;
}

bool Grant(const Grants& have, const json& wanted, Grants& given) {
  if (!wanted.is_object()) {
    given = have;
    return true;
  }
  for (const auto& [name, level] : wanted.items()) {
    const auto it = have.find(name);
    const std::string asked = level.is_string() ? level.get<std::string>() : "";
    const bool enough = it != have.end() && (it->second == "write" || it->second == asked);
    if (!enough) return false;
    given[name] = asked;
  }
  return true;
}

Reply CreateToken(const Call& call) {
  Apps& apps = call.world.apps();
  const auto it = apps.installations.find(call.Number("installation"));
  if (it == apps.installations.end()) return GitHubError(404, "Not Found");
  const Installation& installation = it->second;
  if (installation.suspended_at) return GitHubError(403, "This installation has been suspended");
  AppToken token;
  token.installation = installation.id;
  const auto repos = NamedRepos(call, installation);
  if (!repos) {
    return GitHubError(422,
                       "There is at least one repository that does not exist or is not accessible "
                       "to the parent installation.");
  }
  if (!repos->empty()) token.repos = *repos;
  if (!Grant(installation.permissions, JsonAt(call.body, "permissions"), token.permissions)) {
    return GitHubError(422, "The permissions requested are not granted to this installation.");
  }
  token.expires_at = call.world.Now() + apps.ahead + Apps::kTokenLife;
  const std::string value = "ghs_" + RandomHex(18);
  json object = {{"token", value},
                 {"expires_at", FormatUtc(call.world.Now() + Apps::kTokenLife)},
                 {"permissions", GrantsObject(token.permissions)},
                 {"repository_selection", repos->empty() ? "all" : "selected"}};
  for (const Id id : *repos) {
    object["repositories"].push_back(ObjectsOf(call).RepoObject(*call.world.FindRepo(id)));
  }
  if (apps.tokens.size() >= Apps::kMaxTokens) apps.tokens.clear();
  apps.tokens.emplace(value, std::move(token));
  return Reply::Json(201, object);
}

Reply ListTokenRepos(const Call& call) {
  const Apps& apps = call.world.apps();
  const std::string header = call.request.Header("authorization");
  const std::string token(Trim(header.substr(std::min(header.find(' '), header.size()))));
  if (apps.FindToken(token, call.world.Now()) == nullptr) return GitHubError(403, kNotAccessible);
  std::vector<const Repo*> covered;
  for (const auto& repo : call.world.repos()) {
    if (apps.Allows(token, *repo, "metadata", false, call.world.Now())) {
      covered.push_back(repo.get());
    }
  }
  const Page page = PageOf(call, covered.size());
  json list = json::array();
  for (std::size_t i = page.begin; i < page.end; ++i) {
    list.push_back(ObjectsOf(call).RepoObject(*covered[i]));
  }
  return PagedReply(page, {{"total_count", covered.size()}, {"repositories", list}});
}

Reply GetHookConfig(const Call& call) {
  const Hook& hook = call.world.apps().app->hook;
  return Reply::Json(200, {{"url", hook.url}, {"content_type", "json"}, {"insecure_ssl", "0"}});
}

}  // namespace

std::optional<Reply> RefuseCredential(World& world, const Request& request, std::string_view path,
                                      std::string_view token, const User* actor) {
  if (IsForTheAppItself(path)) {
    const std::string fault = ClaimFault(world.apps(), token, world.Now());
    if (fault.empty()) return std::nullopt;
    return GitHubError(401, fault);
  }
  if (token.empty()) return std::nullopt;
  if (IsClaim(token) || actor == nullptr) return GitHubError(401, "Bad credentials");
  const AppToken* const known = world.apps().FindToken(token, world.Now());
  if (known == nullptr) return std::nullopt;
  return RefuseToken(world, request, path, token, *known);
}

json InstallationObject(World& world, const std::string& base, const Installation& installation) {
  const App& app = *world.apps().app;
  json events = json::array();
  for (const std::string& event : app.events) events.push_back(event);
  const User* const account = world.FindUser(installation.account);
  const Id target = account == nullptr ? 0 : account->id;
  return {{"id", installation.id},
          {"account", GitHubObjects(world, base).UserObject(target)},
          {"app_id", app.id},
          {"app_slug", app.slug},
          {"target_id", target},
          {"target_type", "Organization"},
          {"permissions", GrantsObject(installation.permissions)},
          {"events", events},
          {"repository_selection", installation.repos ? "selected" : "all"},
          {"single_file_name", json()},
          {"html_url", fmt::format("{}/settings/installations/{}", base, installation.id)},
          {"access_tokens_url",
           fmt::format("{}/app/installations/{}/access_tokens", base, installation.id)},
          {"repositories_url", base + "/installation/repositories"},
          {"suspended_at", TimeOrNull(installation.suspended_at)},
          {"suspended_by", json()},
          {"created_at", FormatUtc(installation.created_at)},
          {"updated_at", FormatUtc(installation.created_at)}};
}

void MountApp(Router& router, WebhookSender& sender) {
  const std::string deliveries = "/app/hook/deliveries";
  WebhookSender* const to = &sender;
  const auto hook = [](const Call& call) -> const Hook& { return call.world.apps().app->hook; };
  router.Add("GET", "/app", GetApp);
  router.Add("GET", "/app/installations", ListInstallations);
  router.Add("POST", "/app/installations/{installation}/access_tokens", CreateToken);
  router.Add("GET", "/repos/{owner}/{repo}/installation", GetRepoInstallation);
  router.Add("GET", "/installation/repositories", ListTokenRepos);
  router.Add("GET", "/app/hook/config", GetHookConfig);
  router.Add("GET", deliveries,
             [to, hook](const Call& call) { return DeliveriesPage(call, hook(call).id, *to); });
  router.Add("GET", deliveries + "/{delivery}", [to, hook](const Call& call) {
    const std::optional<Delivery> found = to->Find(call.Number("delivery"));
    if (!found || found->hook != hook(call).id) return GitHubError(404, "Not Found");
    return Reply::Json(200, ObjectsOf(call).DeliveryObject(*found));
  });
  router.Add("POST", deliveries + "/{delivery}/attempts", [to, hook](const Call& call) {
    const Id id = call.Number("delivery");
    const std::optional<Delivery> found = to->Find(id);
    const bool known = found && found->hook == hook(call).id && to->Redeliver(hook(call), id);
    return known ? Reply::Json(202, json::object()) : GitHubError(404, "Not Found");
  });
}

}  // namespace swage::sandbox
