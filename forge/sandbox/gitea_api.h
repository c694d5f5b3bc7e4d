// What the files of the Gitea dialect share: permission checks, error bodies, paging.
//
// Each gitea_*.cc file registers the routes of one subject, below /api/v1. Quirks are those that
// were seen on a real 1.21.6. All handlers run with the world's lock held.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/dialect.h"
#include "forge/sandbox/gitea_objects.h"
#include "forge/sandbox/http.h"

namespace swage::sandbox::gitea {

inline constexpr std::string_view kApiRoot = "/api/v1";

/// A call on a repository that the actor may see.
struct RepoCall {
  const Call& call;
  World& world;
  Repo& repo;
  Role role;
  Objects objects;

  /// Only for routes that need a user.
  const User& Actor() const { return *call.actor; }
};
using RepoHandler = std::function<Reply(const RepoCall&)>;

/// Who may call: anybody who sees the repository, or a signed-in user with at least this role.
enum class Needs { kSight, kUser, kWrite, kAdmin };

/// 404 for the invisible, 401 for the anonymous, 403 for the wrong role; then the handler.
Handler InRepo(Needs needs, RepoHandler handler);

Reply Refuse(int status, std::string_view message);
/// A page for people: what some refusals are, also below /api.
Reply RefuseInHtml();
Reply NotFound();

/// The part of a list that `limit` and `page` ask for, with the headers that go with it.
struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string link;  ///< empty when there is one page only
};
Page PageOf(const Call& call, std::size_t total);
Reply PagedReply(const Page& page, const nlohmann::json& list, std::size_t total);

/// "WIP: x" -> "x", true.
bool TakeDraftPrefix(std::string& title);

// --- the subjects ---
void MountRepos(Router& router);
void MountIssues(Router& router);
void MountHistory(Router& router);
void MountPulls(Router& router);
void MountReviews(Router& router);
void MountStatuses(Router& router);
void MountHooks(Router& router);
std::vector<Payload> DescribeEvent(World& world, const Event& event, const std::string& base);

}  // namespace swage::sandbox::gitea
