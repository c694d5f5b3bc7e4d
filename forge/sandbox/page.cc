#include "forge/sandbox/page.h"

#include <algorithm>
#include <array>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/assets/embedded.h"

namespace swage::sandbox {
namespace page {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";
constexpr std::string_view kCookie = "sandbox_as=";

Reply Html(int status, std::string body) {
  Reply reply = Reply::Text(status, "text/html; charset=utf-8", std::move(body));
  reply.headers = {{"Content-Security-Policy", std::string(kPolicy)},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Referrer-Policy", "same-origin"},
                   {"Cache-Control", "no-store"}};
  return reply;
}

Reply Redirect(std::string_view to) {
  Reply reply = Reply::Empty(303);
  reply.headers["Location"] = to;
  return reply;
}

/// The page answers to its own name only: a name that somebody points at loopback is not it (T53).
bool IsOwnHost(const Call& call) {
  const std::string host = call.request.Header("host");
  const std::string own = call.base.substr(call.base.find("://") + 3);
  return host == own || host == "localhost" + own.substr(std::min(own.rfind(':'), own.size()));
}

/// A form of another site comes with that site's Origin (T54). Programs send none.
bool IsOwnOrigin(const Call& call) {
  const std::string origin = call.request.Header("origin");
  return origin.empty() || origin == "http://" + call.request.Header("host");
}

/// A place on this site: what a redirect may lead to.
bool IsLocalPath(std::string_view path) {
  return path.starts_with('/') && !path.starts_with("//") &&
         path.find('\\') == std::string_view::npos &&
         path.find_first_of("\r\n") == std::string_view::npos;
}

/// What a path names: a repository and what of it is looked at.
struct Place {
  Repo* repo = nullptr;
  std::string what;         ///< "", "issues", "pulls", "deliveries"
  std::int64_t number = 0;  ///< 0 = the list
};

/// Splits ["acme", "tools", "widget", "-", "issues", "1"] where a repository ends. Group paths are
/// of any depth, so the shortest prefix that is a repository counts.
Place PlaceOf(World& world, std::string_view path) {
  const std::vector<std::string_view> parts = Split(path, '/');
  std::string prefix;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    prefix += (i == 0 ? "" : "/") + std::string(parts[i]);
    Repo* repo = world.FindRepo(prefix);
    if (repo == nullptr) continue;
    std::size_t at = i + 1;
    if (at < parts.size() && parts[at] == "-") ++at;
    Place place{repo, at < parts.size() ? std::string(parts[at]) : "", 0};
    if (place.what == "pull" || place.what == "merge_requests") place.what = "pulls";
    if (at + 1 < parts.size()) place.number = ParseInt(parts[at + 1]).value_or(-1);
    return place;
  }
  return {};
}

Reply ShowList(const Call& call, const Place& place, const WebhookSender& sender) {
  World& world = call.world;
  const User* viewer = ViewerOf(call);
  Json view = Layout(call, viewer, place.repo->Path(), place.repo);
  if (place.what == "deliveries") {
    view["deliveries"] = DeliveryRows(world, *place.repo, sender);
    view["on_deliveries"] = true;
    return Html(200, RenderTemplate("deliveries.mustache", view));
  }
  const bool pulls = place.what == "pulls";
  view[pulls ? "on_pulls" : "on_issues"] = true;
  view["rows"] = pulls ? PullRows(world, *place.repo) : IssueRows(world, *place.repo);
  return Html(200, RenderTemplate("threads.mustache", view));
}

Reply ShowThread(const Call& call, const Place& place) {
  World& world = call.world;
  Repo& repo = *place.repo;
  const bool one_counter = world.dialect() != Dialect::kGitLab;
  const Pull* pull = world.FindPull(repo, place.number);
  // As on GitHub and Gitea: an issue's address leads to the pull request of that number.
  if (place.what == "issues" && one_counter && pull)
    return Redirect(ThreadUrl(world.dialect(), repo, true, place.number));
  const Issue* issue = place.what == "pulls" ? pull : world.FindIssue(repo, place.number);
  if (issue == nullptr) return Message(call, 404, "There is nothing of this number.");
  Json view = Layout(call, ViewerOf(call), issue->title, &repo);
  view.update(place.what == "pulls" ? PullView(world, repo, *pull)
                                    : IssueView(world, repo, *issue));
  view["number"] = place.number;
  view["kind"] = place.what == "pulls" ? "pull" : "issue";
  return Html(200,
              RenderTemplate(place.what == "pulls" ? "pull.mustache" : "issue.mustache", view));
}

Reply Show(const Call& call, const WebhookSender& sender) {
  if (!IsOwnHost(call)) return Reply::Text(421, "text/plain", "this is another host\n");
  const Place place = PlaceOf(call.world, call.Param("path"));
  if (place.repo == nullptr) return Message(call, 404, "There is no such repository.");
  static constexpr std::array<std::string_view, 4> kKnown = {"", "issues", "pulls", "deliveries"};
  if (std::find(kKnown.begin(), kKnown.end(), place.what) == kKnown.end()) {
    return Message(call, 404,
                   "The sandbox has no such page; clone the repository to look at its files.");
  }
  return place.number == 0 ? ShowList(call, place, sender) : ShowThread(call, place);
}

Reply ShowHome(const Call& call) {
  if (!IsOwnHost(call)) return Reply::Text(421, "text/plain", "this is another host\n");
  Json view = Layout(call, ViewerOf(call), "Repositories", nullptr);
  view["repos"] = RepoRows(call.world);
  return Html(200, RenderTemplate("home.mustache", view));
}

Reply Asset(const Call& call) {
  const std::string& name = call.Param("name");
  const std::string_view bytes = forge_sandbox_assets::EmbeddedFile(name);
  const bool style = name.ends_with(".css");
  if (bytes.empty() || (!style && !name.ends_with(".svg")))
    return Reply::Text(404, "text/plain", "not found\n");
  Reply reply =
      Reply::Text(200, style ? "text/css; charset=utf-8" : "image/svg+xml", std::string(bytes));
  reply.headers["X-Content-Type-Options"] = "nosniff";
  return reply;
}

Reply SwitchUser(const Call& call) {
  const User* user = call.world.FindUser(Field(call, "login"));
  if (user == nullptr) return Message(call, 404, "There is no such user.");
  const std::string back = Field(call, "return");
  Reply reply = Redirect(IsLocalPath(back) ? back : "/");
  reply.headers["Set-Cookie"] =
      std::string(kCookie) + PercentEncode(user->login) + "; Path=/; HttpOnly; SameSite=Strict";
  return reply;
}

Handler Guarded(Reply (*action)(const Call&)) {
  return [action](const Call& call) {
    if (!IsOwnHost(call)) return Reply::Text(421, "text/plain", "this is another host\n");
    if (!IsOwnOrigin(call)) return Reply::Text(403, "text/plain", "the form is of another site\n");
    return action(call);
  };
}

}  // namespace

std::string Field(const Call& call, std::string_view name) {
  return JsonString(call.body, name);
}

User* ViewerOf(const Call& call) {
  const std::string cookies = call.request.Header("cookie");
  for (const std::string_view cookie : Split(cookies, ';')) {
    const std::string_view pair = Trim(cookie);
    if (!pair.starts_with(kCookie)) continue;
    const auto login = PercentDecode(pair.substr(kCookie.size()));
    if (User* user = login ? call.world.FindUser(*login) : nullptr) return user;
  }
  for (const auto& user : call.world.users()) {
    if (!user->is_bot && !IsGroup(*user)) return user.get();
  }
  return nullptr;
}

Reply Message(const Call& call, int status, std::string_view text) {
  Json view = Layout(call, ViewerOf(call), "Sandbox forge", nullptr);
  view["text"] = text;
  return Html(status, RenderTemplate("message.mustache", view));
}

}  // namespace page

void MountPage(Router& router, const WebhookSender& sender) {
  router.Add("GET", "/_page/{name}", page::Asset);
  router.Add("POST", "/_page/as", page::Guarded(page::SwitchUser));
  router.Add("POST", "/_page/act", page::Guarded(page::Act));
  router.Add("GET", "/", page::ShowHome);
  router.Add("GET", "/{path*}", [&sender](const Call& call) { return page::Show(call, sender); });
}

}  // namespace swage::sandbox
