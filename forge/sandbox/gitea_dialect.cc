#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitea_api.h"

namespace swage::sandbox {
namespace gitea {
namespace {

using nlohmann::json;

constexpr std::int64_t kDefaultLimit = 30;
constexpr std::int64_t kMaxLimit = 50;
constexpr std::string_view kDraftForms[] = {"wip:", "[wip]"};

bool Satisfies(Needs needs, Role role) {
  switch (needs) {
    case Needs::kSight:
    case Needs::kUser:
      return role >= Role::kRead;
    case Needs::kWrite:
      return role >= Role::kWrite;
    case Needs::kAdmin:
      return role >= Role::kAdmin;
  }
  return false;
}

std::string PathOf(const Call& call) {
  return call.Param("owner") + "/" + call.Param("repo");
}

/// Where a renamed repository went, if somebody asks for its old path who may see it.
std::optional<Reply> RedirectToRenamed(const Call& call) {
  const Repo* repo = call.world.FindFormerRepo(PathOf(call));
  if (repo == nullptr || call.world.RoleOf(*repo, call.actor) == Role::kNone) return std::nullopt;
  const std::string old = "/repos/" + PathOf(call);
  const std::size_t at = call.request.target.find(old);
  if (at == std::string::npos) return std::nullopt;
  Reply reply = Reply::Empty(307);
  reply.headers["Location"] =
      fmt::format("{}{}/repos/{}{}", call.base, call.request.target.substr(0, at), repo->Path(),
                  call.request.target.substr(at + old.size()));
  return reply;
}

std::string PageUrl(const Call& call, std::int64_t page) {
  std::string query;
  for (const auto& [name, value] : call.request.query) {
    if (name != "page") query += fmt::format("{}={}&", PercentEncode(name), PercentEncode(value));
  }
  return fmt::format("{}{}?{}page={}", call.base, call.request.path, query, page);
}

/// What X-Gitea-Event-Type says; finer than the event.
std::string TypeOf(const Delivery& delivery) {
  const std::string& event = delivery.event;
  if (delivery.action == "label_updated")
    return event == "issues" ? "issue_label" : event + "_label";
  if (delivery.action == "synchronized") return event + "_sync";
  if (delivery.action == "reviewed") {
    return "pull_request_review_" + event.substr(std::string_view("pull_request_").size());
  }
  const bool on_pull =
      event == "issue_comment" && delivery.payload.find("\"is_pull\":true") != std::string::npos;
  return on_pull ? "pull_request_comment" : event;
}

class GiteaDialect final : public ApiDialect {
 public:
  void Mount(Router& router, WebhookSender&) override {
    MountRepos(router);
    MountHistory(router);
    MountIssues(router);
    MountReviews(router);
    MountPulls(router);
    MountStatuses(router);
    MountHooks(router);
  }

  bool Owns(std::string_view path) const override { return path.starts_with(kApiRoot); }

  std::string TokenOf(const Request& request) const override {
    const std::string header = request.Header("authorization");
    const std::size_t space = header.find(' ');
    if (space == std::string::npos) return "";
    const std::string scheme = ToLower(header.substr(0, space));
    const std::string value(Trim(header.substr(space)));
    if (scheme != "basic") return value;
    const std::string pair = Base64Decode(value).value_or("");
    return pair.substr(pair.find(':') + 1);
  }

  Reply Error(int status, std::string_view message) const override {
    return status == 404 ? NotFound() : Refuse(status, message);
  }

  // No ETag, no word about rate limits.
  void Finish(const Request&, Reply& reply) const override {
    reply.headers["Cache-Control"] = "max-age=0, private, must-revalidate, no-transform";
    reply.headers["X-Content-Type-Options"] = "nosniff";
  }

  std::vector<Payload> Describe(World& world, const Event& event,
                                const std::string& base) const override {
    return DescribeEvent(world, event, base);
  }

  // Every delivery claims to be of three forges.
  std::map<std::string, std::string> Headers(const Hook& hook, const Delivery& delivery,
                                             WallTime) const override {
    std::map<std::string, std::string> headers = {{"User-Agent", "Go-http-client/1.1"},
                                                  {"Content-Type", "application/json"},
                                                  {"Accept-Encoding", "gzip"}};
    for (const std::string brand : {"GitHub", "Gitea", "Gogs"}) {
      headers["X-" + brand + "-Delivery"] = delivery.guid;
      headers["X-" + brand + "-Event"] = delivery.event;
      headers["X-" + brand + "-Event-Type"] = TypeOf(delivery);
    }
    if (hook.secret.empty()) return headers;
    const std::string signature = HexEncode(HmacSha256(hook.secret, delivery.payload));
    headers["X-Gitea-Signature"] = headers["X-Gogs-Signature"] = signature;
    headers["X-Hub-Signature-256"] = "sha256=" + signature;
    return headers;
  }
};

}  // namespace

Handler InRepo(Needs needs, RepoHandler handler) {
  return [needs, handler = std::move(handler)](const Call& call) -> Reply {
    Repo* repo = call.world.FindRepo(PathOf(call));
    if (repo == nullptr) {
      if (auto moved = RedirectToRenamed(call)) return *moved;
    }
    const Role role = repo == nullptr ? Role::kNone : call.world.RoleOf(*repo, call.actor);
    if (role == Role::kNone) return NotFound();
    if (needs != Needs::kSight && call.actor == nullptr) return Refuse(401, "token is required");
    if (!Satisfies(needs, role)) return RefuseInHtml();
    if (needs != Needs::kSight && call.request.method != "GET" && repo->archived) {
      return Refuse(423, fmt::format("{} is archived", repo->Path()));
    }
    return handler({call, call.world, *repo, role, Objects(call.world, call.base)});
  };
}

Reply Refuse(int status, std::string_view message) {
  return Reply::Json(status, {{"message", message}, {"url", "http://localhost/api/swagger"}});
}

Reply RefuseInHtml() {
  return Reply::Text(403, "text/html; charset=utf-8",
                     "<!DOCTYPE html>\n<html><head><title>403</title></head><body>"
                     "<p>Forbidden</p></body></html>\n");
}

Reply NotFound() {
  return Reply::Json(404, {{"errors", json::array()},
                           {"message", "The target couldn't be found."},
                           {"url", "http://localhost/api/swagger"}});
}

Page PageOf(const Call& call, std::size_t total) {
  const auto number = [&](std::string_view name, std::int64_t fallback) {
    return std::max<std::int64_t>(1, ParseInt(call.request.Query(name)).value_or(fallback));
  };
  const std::int64_t limit = std::min(number("limit", kDefaultLimit), kMaxLimit);
  const auto size = static_cast<std::int64_t>(total);
  const std::int64_t last = std::max<std::int64_t>(1, (size + limit - 1) / limit);
  const std::int64_t at = std::min(number("page", 1), last + 1);
  Page page;
  page.begin = static_cast<std::size_t>(std::min(size, (at - 1) * limit));
  page.end = static_cast<std::size_t>(std::min(size, at * limit));
  std::vector<std::string> links;
  if (at < last) {
    links.push_back(fmt::format("<{}>; rel=\"next\"", PageUrl(call, at + 1)));
    links.push_back(fmt::format("<{}>; rel=\"last\"", PageUrl(call, last)));
  }
  if (at > 1) {
    links.push_back(fmt::format("<{}>; rel=\"first\"", PageUrl(call, 1)));
    links.push_back(fmt::format("<{}>; rel=\"prev\"", PageUrl(call, at - 1)));
  }
  page.link = Join(links, ",");
  return page;
}

Reply PagedReply(const Page& page, const json& list, std::size_t total) {
  Reply reply = Reply::Json(200, list);
  reply.headers["X-Total-Count"] = std::to_string(total);
  if (!page.link.empty()) reply.headers["Link"] = page.link;
  return reply;
}

bool TakeDraftPrefix(std::string& title) {
  bool draft = false;
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view form : kDraftForms) {
      if (!ToLower(title).starts_with(form)) continue;
      title = Trim(title.substr(form.size()));
      draft = again = true;
    }
  }
  return draft;
}

}  // namespace gitea

std::unique_ptr<ApiDialect> MakeGiteaDialect() {
  return std::make_unique<gitea::GiteaDialect>();
}

}  // namespace swage::sandbox
