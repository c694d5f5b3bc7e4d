// The GitLab dialect as the sandbox forge sees it: who calls, how errors look, how webhooks are
// signed.
#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox {
namespace gitlab {
namespace {

constexpr std::string_view kSigningPrefix = "whsec_";

/// A UUID (version 4 in form) that depends on `seed` alone.
std::string UuidOf(std::string_view seed) {
  std::string hex = Sha256Hex(seed).substr(0, 32);
  hex[12] = '4';
  hex[16] = 'a';
  for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, "-");
  return hex;
}

std::string_view DefaultMessage(int status) {
  switch (status) {
    case 400:
      return "400 Bad request";
    case 401:
      return "401 Unauthorized";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    default:
      return "500 Internal Server Error";
  }
}

class GitLabDialect final : public ApiDialect {
 public:
  void Mount(Router& router, WebhookSender& sender) override {
    MountProjects(router);
    MountHistory(router);
    MountHooks(router, sender);
    MountIssues(router);
    MountNotes(router);
    MountAwards(router);
    MountRepository(router);
    MountStatuses(router);
    MountMergeRequests(router);
    MountMerge(router);
    MountDiscussions(router);
  }

  bool Owns(std::string_view path) const override { return path.starts_with("/api/v4"); }

  std::string TokenOf(const Request& request) const override {
    if (const std::string token = request.Header("private-token"); !token.empty()) return token;
    const std::string header = request.Header("authorization");
    if (EqualsIgnoreCase(header.substr(0, 7), "bearer "))
      return std::string(Trim(header.substr(7)));
    return request.Query("private_token");
  }

  Reply Error(int status, std::string_view message) const override {
    return Refuse(status,
                  message.empty() ? std::string(DefaultMessage(status)) : std::string(message));
  }

  void Finish(const Request& request, Reply& reply) const override {
    reply.headers["x-request-id"] = RandomHex(13);
    reply.headers["x-gitlab-meta"] = R"({"correlation_id":"sandbox","version":"1"})";
    reply.headers["ratelimit-limit"] = "2000";
    reply.headers["ratelimit-remaining"] = "1999";
    if (request.method != "GET" || reply.status != 200) return;
    const std::string etag = "W/\"" + Sha256Hex(reply.body).substr(0, 32) + "\"";
    reply.headers["etag"] = etag;
    if (request.Header("if-none-match") != etag) return;
    reply.status = 304;
    reply.body.clear();
  }

  std::vector<Payload> Describe(World& world, const Event& event,
                                const std::string& base) const override {
    return DescribeEvent(world, event, base);
  }

  std::map<std::string, std::string> Headers(const Hook& hook, const Delivery& delivery,
                                             WallTime now) const override {
    std::map<std::string, std::string> headers = {
        {"Content-Type", "application/json"},
        {"User-Agent", "GitLab/17.9.0"},
        {"Idempotency-Key", delivery.guid},
        {"X-Gitlab-Event", delivery.event},
        {"X-Gitlab-Webhook-UUID", UuidOf("hook " + std::to_string(hook.id))},
        // One event that two hooks tell has one UUID, as with GitLab's recursive hooks.
        {"X-Gitlab-Event-UUID", UuidOf(delivery.event + delivery.payload)},
    };
    if (!hook.secret.empty()) headers["X-Gitlab-Token"] = hook.secret;
    if (!hook.signing_token.empty()) Sign(hook, delivery, now, headers);
    return headers;
  }

 private:
  /// The signed form (Standard Webhooks): HMAC-SHA256 over "id.timestamp.body", keyed with the
  /// decoded secret.
  static void Sign(const Hook& hook, const Delivery& delivery, WallTime now,
                   std::map<std::string, std::string>& headers) {
    std::string_view token = hook.signing_token;
    if (token.starts_with(kSigningPrefix)) token.remove_prefix(kSigningPrefix.size());
    const std::string key = Base64Decode(token).value_or(std::string(token));
    const std::string stamp = std::to_string(ToMicros(now) / 1'000'000);
    const std::string over = delivery.guid + "." + stamp + "." + delivery.payload;
    headers["webhook-id"] = delivery.guid;
    headers["webhook-timestamp"] = stamp;
    headers["webhook-signature"] = "v1," + Base64Encode(HmacSha256(key, over));
  }
};

}  // namespace

User& Ctx::Actor() const {
  SWAGE_CHECK(call.actor != nullptr);
  return *call.actor;
}

bool Ctx::AtLeast(Role role) const {
  return world.RoleOf(repo, call.actor) >= role;
}

Reply Refuse(int status, const Json& message) {
  return Reply::Json(status, {{"message", message}});
}

Reply FromError(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return Refuse(404, error.message);
    case ErrorCode::kInvalid:
    case ErrorCode::kTooLarge:
      return Refuse(400, error.message);
    case ErrorCode::kConflict:
      return Refuse(409, error.message);
    case ErrorCode::kDenied:
      return Refuse(403, error.message);
    case ErrorCode::kUnauthenticated:
      return Refuse(401, error.message);
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return Refuse(500, error.message);
  }
  return Refuse(500, error.message);
}

namespace {

Role RoleFor(Need need) {
  switch (need) {
    case Need::kPublic:
    case Need::kUser:
      return Role::kRead;
    case Need::kReporter:
      return Role::kTriage;
    case Need::kDeveloper:
      return Role::kWrite;
    case Need::kMaintainer:
      return Role::kMaintain;
  }
  return Role::kAdmin;
}

Repo* ProjectNamed(World& world, const std::string& id) {
  if (const auto number = ParseInt(id)) return world.FindRepo(*number);
  return world.FindRepo(id);
}

/// The old path of a renamed project leads to its id.
std::optional<Reply> RedirectToRenamed(const Call& call) {
  const std::string& id = call.Param("id");
  const Repo* repo = call.world.FindFormerRepo(id);
  if (repo == nullptr || call.world.RoleOf(*repo, call.actor) == Role::kNone) return std::nullopt;
  const std::string target =
      ReplaceAll(call.request.target, PercentEncode(id), std::to_string(repo->id));
  Reply reply = Reply::Json(301, {{"message", "301 Moved Permanently"}});
  reply.headers["Location"] = call.base + target;
  return reply;
}

Reply ServeProject(const Call& call, Need need, const ProjectHandler& handler) {
  if (need != Need::kPublic && call.actor == nullptr) return Refuse(401, "401 Unauthorized");
  Repo* repo = ProjectNamed(call.world, call.Param("id"));
  if (repo == nullptr) {
    if (auto moved = RedirectToRenamed(call)) return *moved;
  }
  // A project that the caller may not see does not exist for them.
  if (repo == nullptr || call.world.RoleOf(*repo, call.actor) == Role::kNone) {
    return Refuse(404, "404 Project Not Found");
  }
  if (call.world.RoleOf(*repo, call.actor) < RoleFor(need)) return Refuse(403, "403 Forbidden");
  Ctx ctx{call, call.world, *repo, Params(call)};
  auto reply = handler(ctx);
  return reply.ok() ? std::move(reply).value() : FromError(reply.error());
}

}  // namespace

void AddProjectRoute(Router& router, const char* method, std::string_view rest, Need need,
                     ProjectHandler handler) {
  router.Add(method, "/api/v4/projects/{id}" + std::string(rest),
             [need, handler = std::move(handler)](const Call& call) {
               return ServeProject(call, need, handler);
             });
}

void AddUserRoute(Router& router, const char* method, std::string_view path, Handler handler) {
  router.Add(method, "/api/v4" + std::string(path),
             [handler = std::move(handler)](const Call& call) {
               return call.actor == nullptr ? Refuse(401, "401 Unauthorized") : handler(call);
             });
}

namespace {

/// The URL of another page of the same list.
std::string PageUrl(const Call& call, std::size_t page, std::size_t per_page) {
  std::string query;
  for (const auto& [name, value] : call.request.query) {
    if (name == "page" || name == "per_page" || name == "private_token") continue;
    query += PercentEncode(name) + "=" + PercentEncode(value) + "&";
  }
  return call.base + call.request.path + "?" + query + "page=" + std::to_string(page) +
         "&per_page=" + std::to_string(per_page);
}

}  // namespace

Reply Page(const Ctx& ctx, const Json& all) {
  return PageOf(ctx.call, all);
}

Reply PageOf(const Call& call, const Json& all) {
  const Params params(call);
  const auto per_page = static_cast<std::size_t>(std::clamp<std::int64_t>(
      params.Int("per_page", kPageSize), 1, static_cast<std::int64_t>(kMaxPageSize)));
  const auto page =
      static_cast<std::size_t>(std::clamp<std::int64_t>(params.Int("page", 1), 1, 1'000'000));
  const std::size_t total = all.size();
  const std::size_t pages = std::max<std::size_t>(1, (total + per_page - 1) / per_page);
  Json items = Json::array();
  for (std::size_t i = (page - 1) * per_page; i < std::min(total, page * per_page); ++i) {
    items.push_back(all[i]);
  }
  Reply reply = Reply::Json(200, items);
  const auto link = [&](std::size_t to, std::string_view rel) {
    return "<" + PageUrl(call, to, per_page) + ">; rel=\"" + std::string(rel) + "\"";
  };
  std::vector<std::string> links;
  if (page > 1) links.push_back(link(page - 1, "prev"));
  if (page < pages) links.push_back(link(page + 1, "next"));
  links.push_back(link(1, "first"));
  links.push_back(link(pages, "last"));
  reply.headers = {{"x-page", std::to_string(page)},
                   {"x-per-page", std::to_string(per_page)},
                   {"x-total", std::to_string(total)},
                   {"x-total-pages", std::to_string(pages)},
                   {"x-prev-page", page > 1 ? std::to_string(page - 1) : ""},
                   {"x-next-page", page < pages ? std::to_string(page + 1) : ""},
                   {"link", Join(links, ", ")}};
  return reply;
}

Result<Issue*> IssueOf(Ctx& ctx) {
  Issue* issue = ctx.world.FindIssue(ctx.repo, ctx.call.Number("iid"));
  if (issue == nullptr) return NotFound("Issue");
  return issue;
}

Result<Pull*> PullOf(Ctx& ctx) {
  Pull* pull = ctx.world.FindPull(ctx.repo, ctx.call.Number("iid"));
  if (pull == nullptr) return NotFound("Merge request");
  return pull;
}

}  // namespace gitlab

std::unique_ptr<ApiDialect> MakeGitLabDialect() {
  return std::make_unique<gitlab::GitLabDialect>();
}

}  // namespace swage::sandbox
