#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitlab/api.h"
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

Result<PullRequest> Adopt(Api& api, const RepoRef& repo, const PullRequest& pull,
                          const PullRequestDraft& draft) {
  if (pull.state != PullRequestState::kOpen) {
    return MakeError(ErrorCode::kConflict,
                     fmt::format("merge request !{} of this branch was {} by somebody", pull.number,
                                 pull.state == PullRequestState::kMerged ? "merged" : "closed"));
  }
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  // What a person wrote about our branch stays as it is.
  if (pull.author_id != self.id) return pull;
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
  std::optional<PullRequest> newest;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(
      ProjectPath(repo, "/merge_requests?state=all&order_by=created_at&sort=desc&source_branch=" +
                            PercentEncode(head_branch)),
      [&](const json& j) {
        PullRequest pull = ReadMergeRequest(j);
        const bool ours = pull.head_branch == head_branch && !pull.from_fork;
        if (ours && (!newest || pull.number > newest->number)) newest = std::move(pull);
        return true;
      }));
  return newest;
}

// Found first: most calls are updates, and a lost reply to the
// creation shows as found at the retry.
Result<PullRequest> EnsurePullRequest(Api& api, const RepoRef& repo,
                                      const PullRequestDraft& draft) {
  SWAGE_ASSIGN_OR_RETURN(auto found, FindPullRequest(api, repo, draft.head_branch));
  if (found) return Adopt(api, repo, *found, draft);
  SWAGE_ASSIGN_OR_RETURN(auto created, Create(api, repo, draft));
  if (created) return *created;
  SWAGE_ASSIGN_OR_RETURN(found, FindPullRequest(api, repo, draft.head_branch));
  if (found) return Adopt(api, repo, *found, draft);
  return MakeError(ErrorCode::kUnavailable,
                   "the forge says the merge request exists, but does not list it yet");
}

}  // namespace swage::gitlab
