// The GitHub adapter's inside: what its duties share. Split by duty: reads, comments,
// pull_requests, reviews, conversation, statuses, checks, rights; GitHubForge puts them behind the
// Forge seam.
//
// Sources: docs.github.com/rest and /graphql. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "forge/forge.h"
#include "forge/github/app_tokens.h"
#include "forge/rest.h"

namespace swage::github {

class Api {
 public:
  /// `app` is null for the account of a token. With an App, `transport` finds the credentials.
  Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep,
      std::shared_ptr<AppTokens> app);

  const ForgeSettings& settings() const { return settings_; }
  const RestClient& rest() const { return rest_; }
  const ForgeLimits& limits() const { return limits_; }

  AppTokens* app() const { return app_.get(); }

  /// The account behind the token, or the App's bot; asked once.
  Result<Actor> Self();
  /// The "data" of an answer about `repo`. Errors: kDenied, kNotFound by GraphQL's error types,
  /// else kInvalid.
  Result<nlohmann::json> GraphQl(const RepoRef& repo, std::string_view query,
                                 const nlohmann::json& variables) const;

 private:
  const ForgeSettings settings_;
  const RestClient rest_;
  const ForgeLimits limits_;
  const std::shared_ptr<AppTokens> app_;
  std::mutex mutex_;
  std::optional<Actor> self_;
};

/// "/repos/owner/name" and what follows.
std::string RepoPath(const RepoRef& repo, std::string_view rest);
Actor ReadActor(const nlohmann::json& user);
Repo ReadRepo(const Api& api, const nlohmann::json& j);
Issue ReadIssue(const nlohmann::json& j);
Comment ReadComment(const nlohmann::json& j, std::string id);
/// A comment on the diff, with its place; `id` as it is named in events.
Comment ReadLineComment(const nlohmann::json& j);
PullRequest ReadPullRequest(const nlohmann::json& j);

// --- reads
Result<Repo> GetRepo(Api& api, std::string_view path);
Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number);
Result<Actor> FindAccount(Api& api, std::string_view login);
Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor);

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
Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies);

// --- statuses, and what an App has in their place
Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status);
/// The button of a check run that asks for it once more.
inline constexpr std::string_view kRerunAction = "rerun";
Result<void> EnsureCheck(Api& api, const RepoRef& repo, const CommitStatus& status);

// --- the App
/// What the App's page and its installations do not grant.
Result<std::vector<std::string>> FindMissingRights(Api& api);

}  // namespace swage::github
