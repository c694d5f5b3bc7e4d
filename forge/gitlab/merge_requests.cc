#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitlab/api.h"
#include "forge/one_pull_request.h"
#include "forge/rest_reply.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

// The title is the draft state: GitLab reads it from there.
constexpr std::string_view kDraftTitle = "Draft: ";

std::string Title(const Api& api, const PullRequestDraft& draft) {
  return Truncate(std::string(draft.draft ? kDraftTitle : "") + draft.title,
                  api.limits().title_bytes);
}

// A title belongs to people once it is there; only the word about the draft comes and goes.
std::string TitleNow(const Api& api, const PullRequest& pull, bool draft) {
  if (pull.draft == draft) return pull.title;
  if (draft) return Truncate(std::string(kDraftTitle) + pull.title, api.limits().title_bytes);
  const std::string lower = ToLower(pull.title);
  for (const std::string_view form : {"draft:", "[draft]", "(draft)"}) {
    if (lower.starts_with(form)) return std::string(Trim(pull.title.substr(form.size())));
  }
  return pull.title;
}

PullRequestState StateOf(std::string_view name) {
  if (name == "merged") return PullRequestState::kMerged;
  // "locked" is a merge in progress.
  if (name == "opened" || name == "locked") return PullRequestState::kOpen;
  return PullRequestState::kClosed;
}

PullRequest ReadMergeRequest(const json& j) {
  PullRequest pull;
  pull.number = JsonInt(j, "iid");
  pull.web_url = JsonString(j, "web_url");
  pull.title = JsonString(j, "title");
  pull.body = JsonString(j, "description");
  pull.head_branch = JsonString(j, "source_branch");
  pull.base_branch = JsonString(j, "target_branch");
  pull.head_sha.value = JsonString(j, "sha");
  pull.state = StateOf(JsonString(j, "state", "opened"));
  pull.draft = JsonBool(j, "draft") || JsonBool(j, "work_in_progress");
  pull.from_fork = JsonId(j, "source_project_id") != JsonId(j, "target_project_id");
  pull.author_id = JsonId(j, "author/id");
  return pull;
}

std::string MergeRequestPath(const RepoRef& repo, std::int64_t number) {
  return ProjectPath(repo, "/merge_requests/" + std::to_string(number));
}

// One attempt; nothing when there is one already.
Result<std::optional<PullRequest>> Create(Api& api, const RepoRef& repo,
                                          const PullRequestDraft& draft) {
  const HttpRequest request{
      "POST", ProjectPath(repo, "/merge_requests"),
      DumpJson({{"source_branch", draft.head_branch},
                {"target_branch", draft.base_branch},
                {"title", Title(api, draft)},
                {"description", FitOwnBlock(draft.body, api.limits().comment_bytes)},
                {"remove_source_branch", true}}),
      false};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.ok()) return std::optional(ReadMergeRequest(reply.body));
  // "Another open merge request already exists for this source branch: !38"
  if (reply.status == 409) return std::optional<PullRequest>();
  return StatusError(request, reply.status, reply.body);
}

Result<PullRequest> BringUpToDate(Api& api, const RepoRef& repo, const PullRequest& pull,
                                  const PullRequestDraft& draft) {
  const std::string title = TitleNow(api, pull, draft.draft);
  const std::string body = WithOwnBlock(pull.body, draft.body, api.limits().comment_bytes);
  json change = json::object();
  if (pull.title != title) change["title"] = title;
  if (!SameText(pull.body, body)) change["description"] = body;
  if (change.empty()) return pull;
  SWAGE_ASSIGN_OR_RETURN(const json j,
                         api.rest().Write("PUT", MergeRequestPath(repo, pull.number), change));
  return ReadMergeRequest(j);
}

}  // namespace

Result<PullRequest> GetPullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(MergeRequestPath(repo, number)));
  return ReadMergeRequest(j);
}

Result<std::optional<PullRequest>> FindPullRequest(Api& api, const RepoRef& repo,
                                                   std::string_view head_branch) {
  NewestOfBranch newest(head_branch);
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(
      ProjectPath(repo, "/merge_requests?state=all&order_by=created_at&sort=desc&source_branch=" +
                            PercentEncode(head_branch)),
      [&](const json& j) {
        newest.Look(ReadMergeRequest(j));
        return true;
      }));
  return newest.Take();
}

Result<PullRequest> EnsurePullRequest(Api& api, const RepoRef& repo,
                                      const PullRequestDraft& draft) {
  return EnsureOnePullRequest(
      {"merge request !", [&] { return api.Self(); },
       [&] { return FindPullRequest(api, repo, draft.head_branch); },
       [&] { return Create(api, repo, draft); },
       [&](const PullRequest& pull) { return BringUpToDate(api, repo, pull, draft); }});
}

Result<void> ClosePullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  return CloseIfOpen(GetPullRequest(api, repo, number), [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(
        api.rest().Write("PUT", MergeRequestPath(repo, number), {{"state_event", "close"}}));
    return Ok();
  });
}

}  // namespace swage::gitlab
