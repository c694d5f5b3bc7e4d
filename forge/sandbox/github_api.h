// What the files of the GitHub dialect share: permission checks, error bodies, paging.
//
// Each github_*.cc file registers the routes of one subject. All handlers run with the world's lock
// held.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/dialect.h"
#include "forge/sandbox/github_objects.h"
#include "forge/sandbox/http.h"

namespace swage::sandbox {

/// A call on a repository that the actor may see.
struct RepoCall {
  const Call& call;
  World& world;
  Repo& repo;
  Role role;
  GitHubObjects objects;

  /// Only for routes that need a user.
  const User& Actor() const { return *call.actor; }
};
using RepoHandler = std::function<Reply(const RepoCall&)>;

/// Who may call: anybody who sees the repository, or a signed-in user with at least this role.
enum class Needs { kSight, kUser, kTriage, kWrite, kAdmin };

/// 404 for the invisible, 401 for the anonymous, 403 for the wrong role; then the handler.
Handler InRepo(Needs needs, RepoHandler handler);

Reply GitHubError(int status, std::string_view message);
/// 422 "Validation Failed" with one error object.
Reply ValidationFailed(std::string_view resource, std::string_view code, std::string_view field,
                       std::string_view message = "");
/// 422 "Unprocessable Entity" with plain sentences, as the review endpoints answer.
Reply Unprocessable(const std::vector<std::string>& sentences);
/// Bodies beyond 65,536 characters are refused everywhere.
bool IsTooLong(std::string_view body);
Reply BodyTooLong(std::string_view resource);

/// The page that `per_page` and `page` ask for, with the Link header; Paged() of github_paging.h
/// uses it.
struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string link;  ///< empty when there is one page only
};
Page PageOf(const Call& call, std::size_t total);
Reply PagedReply(const Page& page, const nlohmann::json& list);

// --- the subjects ---
void MountRepos(Router& router);
/// Before issues and pulls: "comments" is no number.
void MountHistory(Router& router);
void MountIssues(Router& router);
void MountPulls(Router& router);
void MountReviews(Router& router);
void MountGit(Router& router);
void MountChecks(Router& router);
void MountHooks(Router& router, WebhookSender& sender);
void MountGraphQl(Router& router);
std::vector<Payload> DescribeForGitHub(World& world, const Event& event, const std::string& base);

}  // namespace swage::sandbox
