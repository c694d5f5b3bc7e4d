#include "forge/sandbox/github_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/clock.h"
#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_app.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBodyCharacters = 65'536;
constexpr std::int64_t kDefaultPerPage = 30;
constexpr std::int64_t kMaxPerPage = 100;
constexpr std::string_view kEnterprisePrefix = "/api/v3";
constexpr std::string_view kRoots[] = {"/repos/", "/repositories/", "/user",
                                       "/users/", "/graphql",       "/rate_limit",
                                       "/api/",   "/app/",          "/installation/"};
// A repository by its id, which is where the old paths of renamed ones redirect to. Mounted under
// an owner that no account can have.
constexpr std::string_view kById = "/repositories/";
constexpr std::string_view kIdOwner = "~id";

bool Satisfies(Needs needs, Role role) {
  switch (needs) {
    case Needs::kSight:
    case Needs::kUser:
      return role >= Role::kRead;
    case Needs::kTriage:
      return role >= Role::kTriage;
    case Needs::kWrite:
      return role >= Role::kWrite;
    case Needs::kAdmin:
      return role >= Role::kAdmin;
  }
  return false;
}

/// The URL of another page of the same list.
std::string PageUrl(const Call& call, std::int64_t page, std::int64_t per_page) {
  std::string query;
  for (const auto& [name, value] : call.request.query) {
    if (name == "page" || name == "per_page") continue;
    query += fmt::format("{}={}&", PercentEncode(name), PercentEncode(value));
  }
  return fmt::format("{}{}?{}per_page={}&page={}", call.base, call.request.path, query, per_page,
                     page);
}

class GitHubDialect final : public ApiDialect {
 public:
  void Mount(Router& router, WebhookSender& sender) override {
    MountRepos(router);
    MountHistory(router);
    MountIssues(router);
    MountPulls(router);
    MountReviews(router);
    MountGit(router);
    MountChecks(router);
    MountHooks(router, sender);
    MountApp(router, sender);
    MountGraphQl(router);
  }

  bool Owns(std::string_view path) const override {
    return path == "/app" ||
           std::any_of(std::begin(kRoots), std::end(kRoots),
                       [&](std::string_view root) { return path.starts_with(root); });
  }

  std::string MountedPath(std::string_view path) const override {
    if (path.starts_with(kEnterprisePrefix)) path.remove_prefix(kEnterprisePrefix.size());
    if (path.starts_with(kById)) {
      return fmt::format("/repos/{}/{}", kIdOwner, path.substr(kById.size()));
    }
    return path == "/api/graphql" ? "/graphql" : std::string(path);
  }

  std::string TokenOf(const Request& request) const override {
    const std::string header = request.Header("authorization");
    const std::size_t space = header.find(' ');
    const std::string scheme = ToLower(header.substr(0, space));
    if (space == std::string::npos) return header;
    if (scheme == "basic") {
      const std::string pair = Base64Decode(Trim(header.substr(space))).value_or("");
      return pair.substr(pair.find(':') + 1);
    }
    return std::string(Trim(header.substr(space)));
  }

  std::optional<Reply> RefuseCredential(World& world, const Request& request,
                                        std::string_view token, const User* actor) const override {
    return sandbox::RefuseCredential(world, request, MountedPath(request.path), token, actor);
  }

  Reply Error(int status, std::string_view message) const override {
    return GitHubError(status == 405 ? 404 : status, message);
  }

  void Finish(const Request& request, Reply& reply) const override {
    const auto now = std::chrono::floor<std::chrono::seconds>(clock_.Now()).time_since_epoch();
    reply.headers["X-RateLimit-Limit"] = "5000";
    reply.headers["X-RateLimit-Remaining"] = "4999";
    reply.headers["X-RateLimit-Used"] = "1";
    reply.headers["X-RateLimit-Resource"] = "core";
    reply.headers["X-RateLimit-Reset"] = std::to_string(now.count() + 3'600);
    reply.headers["X-GitHub-Request-Id"] = RandomHex(10);
    reply.headers["X-GitHub-Media-Type"] = "github.v3; format=json";
    if (request.method != "GET" || reply.status != 200) return;
    const std::string etag = fmt::format("W/\"{}\"", Sha256Hex(reply.body));
    reply.headers["ETag"] = etag;
    if (request.Header("if-none-match") != etag) return;
    reply.status = 304;
    reply.body.clear();
    reply.content_type.clear();
  }

  std::vector<Payload> Describe(World& world, const Event& event,
                                const std::string& base) const override {
    return DescribeForGitHub(world, event, base);
  }

  std::map<std::string, std::string> Headers(const Hook& hook, const Delivery& delivery,
                                             WallTime) const override {
    std::map<std::string, std::string> headers = {
        {"Accept", "*/*"},
        {"Content-Type", "application/json"},
        {"User-Agent", "GitHub-Hookshot/5a0d0b0"},
        {"X-GitHub-Event", delivery.event},
        {"X-GitHub-Delivery", delivery.guid},
        {"X-GitHub-Hook-ID", std::to_string(hook.id)},
        {"X-GitHub-Hook-Installation-Target-ID", std::to_string(delivery.repo)},
        {"X-GitHub-Hook-Installation-Target-Type", "repository"},
    };
    if (!hook.secret.empty()) {
      headers["X-Hub-Signature-256"] =
          "sha256=" + HexEncode(HmacSha256(hook.secret, delivery.payload));
    }
    return headers;
  }

 private:
  const SystemClock clock_{};
};

}  // namespace

namespace {

std::string PathOf(const Call& call) {
  return call.Param("owner") + "/" + call.Param("repo");
}

Repo* RepoOf(const Call& call) {
  if (call.Param("owner") == kIdOwner) return call.world.FindRepo(call.Number("repo"));
  return call.world.FindRepo(PathOf(call));
}

/// Where a renamed repository went, if somebody asks for its old path who may see it.
std::optional<Reply> RedirectToRenamed(const Call& call) {
  const Repo* repo = call.world.FindFormerRepo(PathOf(call));
  if (repo == nullptr || call.world.RoleOf(*repo, call.actor) == Role::kNone) return std::nullopt;
  const std::string old = "/repos/" + PathOf(call);
  const std::size_t at = call.request.target.find(old);
  if (at == std::string::npos) return std::nullopt;
  const std::string url = fmt::format("{}{}{}{}{}", call.base, call.request.target.substr(0, at),
                                      kById, repo->id, call.request.target.substr(at + old.size()));
  Reply reply = Reply::Json(301, {{"message", "Moved Permanently"},
                                  {"url", url},
                                  {"documentation_url", "https://docs.github.com/rest"}});
  reply.headers["Location"] = url;
  return reply;
}

}  // namespace

Handler InRepo(Needs needs, RepoHandler handler) {
  return [needs, handler = std::move(handler)](const Call& call) -> Reply {
    Repo* repo = RepoOf(call);
    if (repo == nullptr) {
      if (auto moved = RedirectToRenamed(call)) return *moved;
    }
    const Role role = repo == nullptr ? Role::kNone : call.world.RoleOf(*repo, call.actor);
    if (role == Role::kNone) return GitHubError(404, "Not Found");
    if (needs != Needs::kSight && call.actor == nullptr) {
      return GitHubError(401, "Requires authentication");
    }
    if (!Satisfies(needs, role)) {
      return GitHubError(403, needs == Needs::kAdmin
                                  ? "Must have admin rights to Repository."
                                  : "Resource not accessible by personal access token");
    }
    if (needs != Needs::kSight && call.request.method != "GET" && repo->archived) {
      return GitHubError(403, "Repository was archived so is read-only.");
    }
    return handler({call, call.world, *repo, role, GitHubObjects(call.world, call.base)});
  };
}

Reply GitHubError(int status, std::string_view message) {
  return Reply::Json(status, {{"message", message},
                              {"documentation_url", "https://docs.github.com/rest"},
                              {"status", std::to_string(status)}});
}

Reply ValidationFailed(std::string_view resource, std::string_view code, std::string_view field,
                       std::string_view message) {
  json error = {{"resource", resource}, {"code", code}};
  if (!field.empty()) error["field"] = field;
  if (!message.empty()) error["message"] = message;
  return Reply::Json(422, {{"message", "Validation Failed"},
                           {"errors", json::array({error})},
                           {"documentation_url", "https://docs.github.com/rest"},
                           {"status", "422"}});
}

Reply Unprocessable(const std::vector<std::string>& sentences) {
  return Reply::Json(422, {{"message", "Unprocessable Entity"},
                           {"errors", sentences},
                           {"documentation_url", "https://docs.github.com/rest"},
                           {"status", "422"}});
}

bool IsTooLong(std::string_view body) {
  if (body.size() <= kMaxBodyCharacters) return false;
  const auto starts = std::count_if(body.begin(), body.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return static_cast<std::size_t>(starts) > kMaxBodyCharacters;
}

Reply BodyTooLong(std::string_view resource) {
  return ValidationFailed(resource, "unprocessable", "body",
                          "body is too long (maximum is 65536 characters)");
}

Page PageOf(const Call& call, std::size_t total) {
  const auto number = [&](std::string_view name, std::int64_t fallback) {
    return std::max<std::int64_t>(1, ParseInt(call.request.Query(name)).value_or(fallback));
  };
  const std::int64_t per_page = std::min(number("per_page", kDefaultPerPage), kMaxPerPage);
  const std::int64_t size = static_cast<std::int64_t>(total);
  const std::int64_t last = std::max<std::int64_t>(1, (size + per_page - 1) / per_page);
  const std::int64_t at = std::min(number("page", 1), last + 1);
  Page page;
  page.begin = static_cast<std::size_t>(std::min(size, (at - 1) * per_page));
  page.end = static_cast<std::size_t>(std::min(size, at * per_page));
  std::vector<std::string> links;
  const auto link = [&](std::int64_t to, std::string_view relation) {
    links.push_back(fmt::format("<{}>; rel=\"{}\"", PageUrl(call, to, per_page), relation));
  };
  if (at > 1) link(at - 1, "prev");
  if (at < last) link(at + 1, "next");
  if (at < last) link(last, "last");
  if (at > 1) link(1, "first");
  page.link = Join(links, ", ");
  return page;
}

Reply PagedReply(const Page& page, const json& list) {
  Reply reply = Reply::Json(200, list);
  if (!page.link.empty()) reply.headers["Link"] = page.link;
  return reply;
}

std::unique_ptr<ApiDialect> MakeGitHubDialect() {
  return std::make_unique<GitHubDialect>();
}

}  // namespace swage::sandbox
