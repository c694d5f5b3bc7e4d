// The Gitea adapter's inside: what its duties share. Split by duty: reads, roles, rights,
// comments, pull_requests, reviews, conversation, statuses; GiteaForge puts them behind the Forge
// seam.
//
// Forgejo speaks the same. Sources: the server's own OpenAPI description (1.21), and what a real
// 1.21.6 was seen to do. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "forge/forge.h"
#include "forge/rest.h"

namespace swage::gitea {

/// How the text of a review is named: "review:12". Its line comments share the ids of all other
/// comments, and are named by them.
inline constexpr std::string_view kReviewPrefix = "review:";

class Api {
 public:
  Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep);

  const ForgeSettings& settings() const { return settings_; }
  const RestClient& rest() const { return rest_; }
  const ForgeLimits& limits() const { return limits_; }

  /// The account behind the token; asked once.
  Result<Actor> Self();

  /// Where hidden addresses of accounts are: "noreply.HOST" until an account showed its own.
  std::string NoReplyHost() const;
  /// Learns it from an account that hides its address: "ann@noreply.git.example.com".
  void LearnNoReplyHost(const nlohmann::json& user);

 private:
  const ForgeSettings settings_;
  const RestClient rest_;
  const ForgeLimits limits_;
  mutable std::mutex mutex_;
  std::optional<Actor> self_;
  std::string no_reply_host_;
};

/// "/repos/owner/name" and what follows.
std::string RepoPath(const RepoRef& repo, std::string_view rest);
/// The bot's own actions and deleted accounts have ids below one: nobody.
Actor ReadUser(const nlohmann::json& user);
Repo ReadRepo(const Api& api, const nlohmann::json& j);
Issue ReadIssue(const nlohmann::json& j);
Comment ReadComment(const nlohmann::json& j, std::string id);
PullRequest ReadPullRequest(const nlohmann::json& j);
/// Gitea marks a draft by its title alone; the words of a default configuration.
bool IsDraftTitle(std::string_view title);

// --- reads
Result<Repo> GetRepo(Api& api, std::string_view path);
Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number);
Result<Actor> FindAccount(Api& api, std::string_view login);

// --- roles
Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor);

// --- rights
/// What is wanting in the repositories that the settings allow, a sentence each.
Result<std::vector<std::string>> FindMissingRights(Api& api);

// --- comments
Result<void> EnsureReaction(Api& api, const RepoRef& repo, const Thread& thread,
                            std::string_view comment_id, Reaction reaction);
Result<Comment> EnsureComment(Api& api, const RepoRef& repo, const Thread& thread,
                              std::string_view marker, std::string_view body,
                              std::string_view known_id);

// --- pull requests
Result<PullRequest> GetPullRequest(Api& api, const RepoRef& repo, std::int64_t number);
Result<std::optional<PullRequest>> FindPullRequest(Api& api, const RepoRef& repo,
                                                   std::string_view head_branch);
Result<PullRequest> EnsurePullRequest(Api& api, const RepoRef& repo, const PullRequestDraft& draft);
Result<void> ClosePullRequest(Api& api, const RepoRef& repo, std::int64_t number);

// --- reviews
Result<PostedReview> EnsureReview(Api& api, const RepoRef& repo, std::int64_t number,
                                  const ReviewDraft& review);
Result<void> ResolveThread(Api& api, const RepoRef& repo, std::int64_t number,
                           std::string_view thread_id, std::string_view note);

// --- conversation
Result<Review> GetReview(Api& api, const ReviewSubmitted& event);
/// Those that ask for changes.
Result<std::vector<Review>> ListReviews(Api& api, const RepoRef& repo, std::int64_t number);
Result<std::optional<DiffPlace>> FindPlace(Api& api, const RepoRef& repo, std::int64_t number,
                                           const Comment& comment);
Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies);

// --- statuses
Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status);

}  // namespace swage::gitea
