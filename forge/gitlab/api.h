// The GitLab adapter's inside: what its duties share. Split by duty: reads, notes, merge_requests,
// reviews, conversation, statuses; GitLabForge puts them behind the Forge seam.
//
// Projects are addressed by their immutable id. Source: docs.gitlab.com/api. Thread-safe.
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

namespace swage::gitlab {

class Api {
 public:
  Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep);

  const ForgeSettings& settings() const { return settings_; }
  const RestClient& rest() const { return rest_; }
  const ForgeLimits& limits() const { return limits_; }

  /// The account behind the token; asked once.
  Result<Actor> Self();

 private:
  const ForgeSettings settings_;
  const RestClient rest_;
  const ForgeLimits limits_;
  std::mutex mutex_;
  std::optional<Actor> self_;
};

/// "/projects/12" and what follows.
std::string ProjectPath(const RepoRef& repo, std::string_view rest);
/// "/projects/12/issues/3" or "/projects/12/merge_requests/3" and what follows.
std::string ThreadPath(const RepoRef& repo, const Thread& thread, std::string_view rest);

Actor ReadUser(const nlohmann::json& user);
Repo ReadProject(const Api& api, const nlohmann::json& j);
Issue ReadIssue(const nlohmann::json& j);
/// Notes do not tell their own page: `thread_url` makes it up; empty = none.
Comment ReadNote(const nlohmann::json& j, const std::string& thread_url);
/// Where a note on a diff hangs; nothing for one that is on none. `position` as the API and the
/// webhooks write it.
std::optional<DiffPlace> ReadPlace(const nlohmann::json& position, std::string discussion);

// --- reads
Result<Repo> GetRepo(Api& api, std::string_view path);
Result<Issue> GetIssue(Api& api, const RepoRef& repo, std::int64_t number);
Result<Actor> FindAccount(Api& api, std::string_view login);
Result<Role> GetRole(Api& api, const RepoRef& repo, const Actor& actor);

// --- rights
Result<std::vector<std::string>> FindMissingRights(Api& api);

// --- notes
Result<void> EnsureReaction(Api& api, const RepoRef& repo, const Thread& thread,
                            std::string_view comment_id, Reaction reaction);
Result<Comment> EnsureComment(Api& api, const RepoRef& repo, const Thread& thread,
                              std::string_view marker, std::string_view body,
                              std::string_view known_id);

// --- merge requests
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
/// Of what the event's actor says and the bot has not answered: GitLab keeps no reviews.
Result<Review> GetReview(Api& api, const ReviewSubmitted& event);
/// Those that ask for changes.
Result<std::vector<Review>> ListReviews(Api& api, const RepoRef& repo, std::int64_t number);
/// The list of notes says where they hang, and not in which thread.
Result<std::optional<DiffPlace>> FindPlace(Api& api, const RepoRef& repo, std::int64_t number,
                                           const Comment& comment);
Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies);

// --- statuses
Result<void> EnsureStatus(Api& api, const RepoRef& repo, const CommitStatus& status);

}  // namespace swage::gitlab
