// ApiDialect: what makes the sandbox forge look like a GitHub, a GitLab or a Gitea.
//
// One object per running forge. Everything but Headers() is called with the world's lock held.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/http.h"
#include "forge/sandbox/state.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {

class WebhookSender;

struct Payload {
  std::string event;   ///< the dialect's name: "issues", "Issue Hook"
  std::string action;  ///< for the deliveries list; may be empty
  std::string kind;    ///< matched against Hook::events: "issues", "issues_events"
  std::string body;    ///< JSON text
};

class ApiDialect {
 public:
  virtual ~ApiDialect() = default;

  /// Adds the routes. `sender` keeps the deliveries (list, redeliver) and outlives the router.
  virtual void Mount(Router& router, WebhookSender& sender) = 0;
  /// Whether a path (encoded, no query) belongs to this API, so that unknown ones get its error
  /// body.
  virtual bool Owns(std::string_view path) const = 0;
  /// The path under which the routes know a path: GitHub's /api/v3 is an alias.
  virtual std::string MountedPath(std::string_view path) const { return std::string(path); }
  /// The token of a request as this forge takes it, empty when there is none.
  virtual std::string TokenOf(const Request& request) const = 0;
  /// The answer to a request whose credential is not good for it; nothing = it may go on. `actor`:
  /// whose the token is, nullptr when it is nobody's.
  virtual std::optional<Reply> RefuseCredential(World&, const Request&, std::string_view token,
                                                const User* actor) const {
    if (token.empty() || actor != nullptr) return std::nullopt;
    return Error(401, "Bad credentials");
  }
  /// The error body of this forge: {"message": ...}. 401, 404, 405, 400 and 500 come from the
  /// server.
  virtual Reply Error(int status, std::string_view message) const = 0;
  /// Last touch on every reply of a path it owns (rate limit headers, ETag).
  virtual void Finish(const Request& request, Reply& reply) const = 0;
  /// The payloads of an event: none, one, or several (GitHub sends one per label).
  virtual std::vector<Payload> Describe(World& world, const Event& event,
                                        const std::string& base) const = 0;
  /// The headers of a delivery, signature included.
  virtual std::map<std::string, std::string> Headers(const Hook& hook, const Delivery& delivery,
                                                     WallTime now) const = 0;
};

std::unique_ptr<ApiDialect> MakeGitHubDialect();
std::unique_ptr<ApiDialect> MakeGitLabDialect();
std::unique_ptr<ApiDialect> MakeGiteaDialect();

/// The page for reading and writing by hand: "/", "/{owner}/{repo}/...". Mounted last. `sender`
/// outlives the router.
void MountPage(Router& router, const WebhookSender& sender);

}  // namespace swage::sandbox
