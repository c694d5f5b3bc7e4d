#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitea/api.h"
#include "forge/one_pull_request.h"
#include "forge/paging.h"
#include "forge/rest_reply.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

constexpr std::string_view kDraftTitle = "WIP: ";
// The list takes no branch. Open ones are few; of the closed ones those are looked through that
// changed last.
constexpr int kMaxClosedPages = 20;

std::string PullPath(const RepoRef& repo, std::int64_t number) {
  return RepoPath(repo, "/pulls/" + std::to_string(number));
}

std::string Title(const Api& api, const PullRequestDraft& draft) {
  return Truncate(std::string(draft.draft ? kDraftTitle : "") + draft.title,
                  api.limits().title_bytes);
}

// A title belongs to people once it is there; only the word about the draft comes and goes.
std::string TitleNow(const Api& api, const std::string& had, bool draft) {
  if (IsDraftTitle(had) == draft) return had;
  if (draft) return Truncate(std::string(kDraftTitle) + had, api.limits().title_bytes);
  std::string_view title = had;
  while (IsDraftTitle(title)) title = Trim(title.substr(title.find_first_of(":]") + 1));
  return std::string(title.empty() ? had : title);
}

// One attempt; nothing when there is one already.
Result<std::optional<PullRequest>> Create(Api& api, const RepoRef& repo,
                                          const PullRequestDraft& draft) {
  const HttpRequest request{
      "POST", RepoPath(repo, "/pulls"),
      DumpJson({{"head", draft.head_branch},
                {"base", draft.base_branch},
                {"title", Title(api, draft)},
                {"body", FitOwnBlock(draft.body, api.limits().comment_bytes)}}),
      false};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.ok()) return std::optional(ReadPullRequest(reply.body));
  // Of the same head and base, and open.
  if (reply.status == 409) return std::optional<PullRequest>();
  Error error = StatusError(request, reply.status, reply.body);
  // A branch that was pushed a moment ago may not be known to the API yet.
  if (reply.status == 404) error.code = ErrorCode::kUnavailable;
  return error;
}

Result<PullRequest> BringUpToDate(Api& api, const RepoRef& repo, const PullRequest& pull,
                                  const PullRequestDraft& draft) {
  json change = json::object();
  const std::string title = TitleNow(api, pull.title, draft.draft);
  if (title != pull.title) change["title"] = title;
  const std::string body = WithOwnBlock(pull.body, draft.body, api.limits().comment_bytes);
  if (!SameText(pull.body, body)) change["body"] = body;
  if (change.empty()) return pull;
  SWAGE_ASSIGN_OR_RETURN(const json now,
                         api.rest().Write("PATCH", PullPath(repo, pull.number), change));
  return ReadPullRequest(now);
}

}  // namespace

Result<PullRequest> GetPullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(PullPath(repo, number)));
  return ReadPullRequest(j);
}

// The filter by head is ignored in silence, so every answer is looked at.
Result<std::optional<PullRequest>> FindPullRequest(Api& api, const RepoRef& repo,
                                                   std::string_view head_branch) {
  NewestOfBranch newest(head_branch);
  const auto look = [&](const json& j) {
    newest.Look(ReadPullRequest(j));
    return true;
  };
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(RepoPath(repo, "/pulls?state=open"), look));
  if (auto open = newest.Take()) return open;
  SWAGE_RETURN_IF_ERROR(ReadPages(api.rest(),
                                  RepoPath(repo, "/pulls?state=closed&sort=recentupdate"), "",
                                  kMaxClosedPages, look));
  return newest.Take();
}

Result<PullRequest> EnsurePullRequest(Api& api, const RepoRef& repo,
                                      const PullRequestDraft& draft) {
  return EnsureOnePullRequest(
      {"pull request #", [&] { return api.Self(); },
       [&] { return FindPullRequest(api, repo, draft.head_branch); },
       [&] { return Create(api, repo, draft); },
       [&](const PullRequest& pull) { return BringUpToDate(api, repo, pull, draft); }});
}

Result<void> ClosePullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  return CloseIfOpen(GetPullRequest(api, repo, number), [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(api.rest().Write("PATCH", PullPath(repo, number), {{"state", "closed"}}));
    return Ok();
  });
}

}  // namespace swage::gitea
