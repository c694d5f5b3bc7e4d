#include "forge/gitlab/gitlab_forge.h"

#include "forge/git_remote.h"
#include "forge/gitlab/api.h"
#include "forge/gitlab/feed.h"
#include "forge/origin.h"

namespace swage {
namespace {

class GitLabForge final : public Forge {
 public:
  GitLabForge(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep)
      : api_(std::move(settings), std::move(transport), std::move(sleep)), feed_(api_) {}

  const std::string& Name() const override { return api_.settings().name; }
  const ForgeLimits& Limits() const override { return api_.limits(); }

  Result<Actor> GetSelf() override { return api_.Self(); }
  Result<Repo> GetRepo(std::string_view path) override { return gitlab::GetRepo(api_, path); }
  Result<Issue> GetIssue(const RepoRef& repo, std::int64_t number) override {
    return gitlab::GetIssue(api_, repo, number);
  }
  Result<Actor> FindAccount(std::string_view login) override {
    return gitlab::FindAccount(api_, login);
  }
  Result<Role> GetRole(const RepoRef& repo, const Actor& actor) override {
    return gitlab::GetRole(api_, repo, actor);
  }
  Result<PullRequest> GetPullRequest(const RepoRef& repo, std::int64_t number) override {
    return gitlab::GetPullRequest(api_, repo, number);
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef& repo,
                                                     std::string_view head_branch) override {
    return gitlab::FindPullRequest(api_, repo, head_branch);
  }
  ForgeFeed* Feed() override { return &feed_; }
  Result<GitRemote> Remote(const RepoRef& repo, GitAccess) override {
    return RemoteOf(api_.settings(), repo, "oauth2");
  }
  Result<std::vector<std::string>> FindMissingRights() override {
    return gitlab::FindMissingRights(api_);
  }

  // docs.gitlab.com, "Private commit email": ID-USERNAME@users.noreply.HOST.
  std::string CommitEmail(const Actor& actor) const override {
    return actor.id + "-" + actor.login + "@users.noreply." + HostOf(api_.settings().git_url);
  }

  Result<void> EnsureReaction(const RepoRef& repo, const Thread& thread,
                              std::string_view comment_id, Reaction reaction) override {
    return gitlab::EnsureReaction(api_, repo, thread, comment_id, reaction);
  }
  Result<Comment> EnsureComment(const RepoRef& repo, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view known_id) override {
    return gitlab::EnsureComment(api_, repo, thread, marker, body, known_id);
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef& repo,
                                        const PullRequestDraft& draft) override {
    return gitlab::EnsurePullRequest(api_, repo, draft);
  }
  Result<void> ClosePullRequest(const RepoRef& repo, std::int64_t number) override {
    return gitlab::ClosePullRequest(api_, repo, number);
  }
  Result<PostedReview> EnsureReview(const RepoRef& repo, std::int64_t number,
                                    const ReviewDraft& review) override {
    return gitlab::EnsureReview(api_, repo, number, review);
  }
  Result<void> ResolveThread(const RepoRef& repo, std::int64_t number, std::string_view thread_id,
                             std::string_view note) override {
    return gitlab::ResolveThread(api_, repo, number, thread_id, note);
  }
  Result<Review> GetReview(const ReviewSubmitted& event) override {
    return gitlab::GetReview(api_, event);
  }
  Result<std::optional<DiffPlace>> FindPlace(const RepoRef& repo, std::int64_t number,
                                             const Comment& comment) override {
    return gitlab::FindPlace(api_, repo, number, comment);
  }
  Result<void> EnsureReplies(const RepoRef& repo, std::int64_t number,
                             const std::vector<ThreadReply>& replies) override {
    return gitlab::EnsureReplies(api_, repo, number, replies);
  }
  Result<void> EnsureStatus(const RepoRef& repo, const CommitStatus& status) override {
    return gitlab::EnsureStatus(api_, repo, status);
  }

 private:
  gitlab::Api api_;
  gitlab::Feed feed_;
};

}  // namespace

TransportOptions GitLabTransportOptions(const ForgeSettings& settings) {
  TransportOptions options;
  options.base_url = settings.api_url;
  options.ca_file = settings.ca_file;
  options.proxy = settings.proxy;
  options.total_timeout = settings.timeout;
  options.headers = {{"PRIVATE-TOKEN", settings.token.value},
                     {"Accept", "application/json"},
                     {"User-Agent", "swage/" SWAGE_VERSION}};
  return options;
}

std::unique_ptr<Forge> MakeGitLabForge(ForgeSettings settings,
                                       std::unique_ptr<HttpTransport> transport,
                                       SleepFunction sleep) {
  return std::make_unique<GitLabForge>(std::move(settings), std::move(transport), std::move(sleep));
}

}  // namespace swage
