#include "forge/gitea/gitea_forge.h"

#include "config/base/text.h"
#include "forge/git_remote.h"
#include "forge/gitea/api.h"
#include "forge/gitea/feed.h"

namespace swage {
namespace {

// Any name will do beside a token.
constexpr const char* kGitUser = "swage";

class GiteaForge final : public Forge {
 public:
  GiteaForge(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep)
      : api_(std::move(settings), std::move(transport), std::move(sleep)), feed_(api_) {}

  const std::string& Name() const override { return api_.settings().name; }
  const ForgeLimits& Limits() const override { return api_.limits(); }

  Result<Actor> GetSelf() override { return api_.Self(); }
  Result<Repo> GetRepo(std::string_view path) override { return gitea::GetRepo(api_, path); }
  Result<Issue> GetIssue(const RepoRef& repo, std::int64_t number) override {
    return gitea::GetIssue(api_, repo, number);
  }
  Result<Actor> FindAccount(std::string_view login) override {
    return gitea::FindAccount(api_, login);
  }
  Result<Role> GetRole(const RepoRef& repo, const Actor& actor) override {
    return gitea::GetRole(api_, repo, actor);
  }
  Result<PullRequest> GetPullRequest(const RepoRef& repo, std::int64_t number) override {
    return gitea::GetPullRequest(api_, repo, number);
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef& repo,
                                                     std::string_view head_branch) override {
    return gitea::FindPullRequest(api_, repo, head_branch);
  }
  Result<Review> GetReview(const ReviewSubmitted& event) override {
    return gitea::GetReview(api_, event);
  }
  Result<std::optional<DiffPlace>> FindPlace(const RepoRef& repo, std::int64_t number,
                                             const Comment& comment) override {
    return gitea::FindPlace(api_, repo, number, comment);
  }
  ForgeFeed* Feed() override { return &feed_; }
  Result<GitRemote> Remote(const RepoRef& repo, GitAccess) override {
    return RemoteOf(api_.settings(), repo, kGitUser);
  }

  Result<std::vector<std::string>> FindMissingRights() override {
    return gitea::FindMissingRights(api_);
  }

  // What the server itself writes for those who hide their address: LOGIN@noreply.HOST.
  std::string CommitEmail(const Actor& actor) const override {
    return ToLower(actor.login) + "@" + api_.NoReplyHost();
  }

  Result<void> EnsureReaction(const RepoRef& repo, const Thread& thread,
                              std::string_view comment_id, Reaction reaction) override {
    return gitea::EnsureReaction(api_, repo, thread, comment_id, reaction);
  }
  Result<Comment> EnsureComment(const RepoRef& repo, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view known_id) override {
    return gitea::EnsureComment(api_, repo, thread, marker, body, known_id);
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef& repo,
                                        const PullRequestDraft& draft) override {
    return gitea::EnsurePullRequest(api_, repo, draft);
  }
  Result<void> ClosePullRequest(const RepoRef& repo, std::int64_t number) override {
    return gitea::ClosePullRequest(api_, repo, number);
  }
  Result<PostedReview> EnsureReview(const RepoRef& repo, std::int64_t number,
                                    const ReviewDraft& review) override {
    return gitea::EnsureReview(api_, repo, number, review);
  }
  Result<void> ResolveThread(const RepoRef& repo, std::int64_t number, std::string_view thread_id,
                             std::string_view note) override {
    return gitea::ResolveThread(api_, repo, number, thread_id, note);
  }
  Result<void> EnsureReplies(const RepoRef& repo, std::int64_t number,
                             const std::vector<ThreadReply>& replies) override {
    return gitea::EnsureReplies(api_, repo, number, replies);
  }
  Result<void> EnsureStatus(const RepoRef& repo, const CommitStatus& status) override {
    return gitea::EnsureStatus(api_, repo, status);
  }

 private:
  gitea::Api api_;
  gitea::Feed feed_;
};

}  // namespace

TransportOptions GiteaTransportOptions(const ForgeSettings& settings) {
  TransportOptions options;
  options.base_url = settings.api_url;
  options.ca_file = settings.ca_file;
  options.proxy = settings.proxy;
  options.total_timeout = settings.timeout;
  options.headers = {{"Authorization", "token " + settings.token.value},
                     {"Accept", "application/json"},
                     {"User-Agent", "swage/" SWAGE_VERSION}};
  return options;
}

std::unique_ptr<Forge> MakeGiteaForge(ForgeSettings settings,
                                      std::unique_ptr<HttpTransport> transport,
                                      SleepFunction sleep) {
  return std::make_unique<GiteaForge>(std::move(settings), std::move(transport), std::move(sleep));
}

}  // namespace swage
