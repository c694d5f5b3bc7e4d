#include "forge/github/github_forge.h"

#include "config/base/rsa.h"
#include "forge/git_remote.h"
#include "forge/github/api.h"
#include "forge/github/app_transport.h"
#include "forge/github/feed.h"
#include "forge/github/traffic.h"
#include "forge/origin.h"

namespace swage {
namespace {

class GitHubForge final : public Forge {
 public:
  GitHubForge(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep,
              std::shared_ptr<github::AppTokens> app = nullptr)
      : api_(std::move(settings), std::move(transport), std::move(sleep), std::move(app)),
        feed_(api_) {}

  const std::string& Name() const override { return api_.settings().name; }
  const ForgeLimits& Limits() const override { return api_.limits(); }

  Result<Actor> GetSelf() override { return api_.Self(); }
  Result<Repo> GetRepo(std::string_view path) override { return github::GetRepo(api_, path); }
  Result<Issue> GetIssue(const RepoRef& repo, std::int64_t number) override {
    return github::GetIssue(api_, repo, number);
  }
  Result<Actor> FindAccount(std::string_view login) override {
    return github::FindAccount(api_, login);
  }
  Result<Role> GetRole(const RepoRef& repo, const Actor& actor) override {
    return github::GetRole(api_, repo, actor);
  }
  Result<PullRequest> GetPullRequest(const RepoRef& repo, std::int64_t number) override {
    return github::GetPullRequest(api_, repo, number);
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef& repo,
                                                     std::string_view head_branch) override {
    return github::FindPullRequest(api_, repo, head_branch);
  }
  ForgeFeed* Feed() override { return &feed_; }
  Result<GitRemote> Remote(const RepoRef& repo, GitAccess access) override {
    GitRemote remote = RemoteOf(api_.settings(), repo, "x-access-token");
    if (api_.app() == nullptr) return remote;
    const auto scope =
        access == GitAccess::kWrite ? github::AppScope::kPush : github::AppScope::kFetch;
    SWAGE_ASSIGN_OR_RETURN(remote.password, api_.app()->TokenFor(api_.rest(), repo.path, scope));
    return remote;
  }
  Result<std::vector<std::string>> FindMissingRights() override {
    return github::FindMissingRights(api_);
  }
  void ForgetRights() override {
    if (api_.app() != nullptr) api_.app()->Forget();
  }

  // docs.github.com, "Setting your commit email address": ID+USERNAME@users.noreply.HOST.
  std::string CommitEmail(const Actor& actor) const override {
    return actor.id + "+" + actor.login + "@users.noreply." + HostOf(api_.settings().git_url);
  }

  Result<void> EnsureReaction(const RepoRef& repo, const Thread& thread,
                              std::string_view comment_id, Reaction reaction) override {
    return github::EnsureReaction(api_, repo, thread, comment_id, reaction);
  }
  Result<Comment> EnsureComment(const RepoRef& repo, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view known_id) override {
    return github::EnsureComment(api_, repo, thread, marker, body, known_id);
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef& repo,
                                        const PullRequestDraft& draft) override {
    return github::EnsurePullRequest(api_, repo, draft);
  }
  Result<void> ClosePullRequest(const RepoRef& repo, std::int64_t number) override {
    return github::ClosePullRequest(api_, repo, number);
  }
  Result<PostedReview> EnsureReview(const RepoRef& repo, std::int64_t number,
                                    const ReviewDraft& review) override {
    return github::EnsureReview(api_, repo, number, review);
  }
  Result<void> ResolveThread(const RepoRef& repo, std::int64_t number, std::string_view thread_id,
                             std::string_view note) override {
    return github::ResolveThread(api_, repo, number, thread_id, note);
  }
  Result<Review> GetReview(const ReviewSubmitted& event) override {
    return github::GetReview(api_, event);
  }
  Result<void> EnsureReplies(const RepoRef& repo, std::int64_t number,
                             const std::vector<ThreadReply>& replies) override {
    return github::EnsureReplies(api_, repo, number, replies);
  }
  Result<void> EnsureStatus(const RepoRef& repo, const CommitStatus& status) override {
    return api_.app() != nullptr ? github::EnsureCheck(api_, repo, status)
                                 : github::EnsureStatus(api_, repo, status);
  }

 private:
  github::Api api_;
  github::Feed feed_;
};

}  // namespace

TransportOptions GitHubTransportOptions(const ForgeSettings& settings) {
  TransportOptions options;
  options.base_url = settings.api_url;
  options.ca_file = settings.ca_file;
  options.proxy = settings.proxy;
  options.total_timeout = settings.timeout;
  options.headers = {{"Accept", "application/vnd.github+json"},
                     {"X-GitHub-Api-Version", "2022-11-28"},
                     {"User-Agent", "swage/" SWAGE_VERSION}};
  // An App's differ between requests.
  if (!settings.app.Given()) options.headers["Authorization"] = "Bearer " + settings.token.value;
  return options;
}

TrafficOf GitHubTrafficOf(const ForgeSettings& settings) {
  return settings.app.Given() ? github::AppTraffic : github::AccountTraffic;
}

std::unique_ptr<Forge> MakeGitHubForge(ForgeSettings settings,
                                       std::unique_ptr<HttpTransport> transport,
                                       SleepFunction sleep) {
  return std::make_unique<GitHubForge>(std::move(settings), std::move(transport), std::move(sleep));
}

Result<std::unique_ptr<Forge>> MakeGitHubAppForge(ForgeSettings settings,
                                                  std::unique_ptr<HttpTransport> transport,
                                                  const TransportWrap& gate, const Clock& clock,
                                                  Redactor& redactor, SleepFunction sleep) {
  auto key = RsaKey::ReadPrivate(settings.app.private_key.value);
  if (!key.ok()) return key.error().With("the private key of the App");
  auto tokens = std::make_shared<github::AppTokens>(settings.app.id, *std::move(key),
                                                    settings.app.installation_id, clock, redactor);
  transport = gate(github::MakeAppTransport(std::move(transport), tokens));
  return std::unique_ptr<Forge>(std::make_unique<GitHubForge>(
      std::move(settings), std::move(transport), std::move(sleep), std::move(tokens)));
}

}  // namespace swage
