// ForgeFeed over GitHub's REST API: one conditional request tells what changed in a repository,
// because pull requests are listed as issues. Thread-safe.
#pragma once

#include "forge/feed.h"
#include "forge/github/api.h"

namespace swage::github {

class Feed final : public ForgeFeed {
 public:
  /// `api` outlives this.
  explicit Feed(Api& api) : api_(api) {}

  Result<WallTime> GetTime(const RepoRef& repo) override;
  Result<std::vector<Repo>> ListRepos() override;
  Result<std::vector<std::string>> ListLabels(const RepoRef& repo) override;
  Result<std::vector<Issue>> ListLabelled(const RepoRef& repo, std::string_view label) override;
  Result<ChangePage> ListChanges(const RepoRef& repo, WallTime since,
                                 std::string_view etag) override;
  Result<CommentPage> ListComments(const RepoRef& repo, WallTime since,
                                   const std::vector<ThreadChange>& changed) override;
  Result<std::vector<Review>> ListReviews(const RepoRef& repo, std::int64_t number) override;
  Result<std::vector<ThreadAct>> ListActs(const RepoRef& repo, const Thread& thread) override;
  bool KeepsDeliveries() const override { return true; }
  Result<std::vector<Hook>> ListHooks(const RepoRef& repo) override;
  Result<std::vector<HookDelivery>> ListDeliveries(const RepoRef& repo, std::int64_t hook,
                                                   std::int64_t after) override;
  Result<std::string> GetDeliveryBody(const RepoRef& repo, std::int64_t hook,
                                      std::int64_t delivery) override;

 private:
  Result<void> ListRepos(const Installation& installation, std::vector<Repo>& repos);
  Result<RestClient::Reply> AskOfHooks(const std::string& path);

  Api& api_;
};

}  // namespace swage::github
