#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/github/api.h"
#include "forge/one_pull_request.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;

// Where a plan has no drafts, the title says what the state cannot (F9).
constexpr std::string_view kDraftTitle = "Draft: ";

std::string PullPath(const RepoRef& repo, std::int64_t number) {
  return RepoPath(repo, "/pulls/" + std::to_string(number));
}

std::string Title(const Api& api, const PullRequestDraft& draft, bool in_title) {
  return Truncate(std::string(in_title ? kDraftTitle : "") + draft.title, api.limits().title_bytes);
}

// A title belongs to people once it is there; only our own word about the draft comes and goes.
std::string TitleNow(const Api& api, const PullRequestDraft& draft, const std::string& had,
                     bool in_title) {
  if (in_title && draft.draft && !had.starts_with(kDraftTitle)) {
    return Truncate(std::string(kDraftTitle) + had, api.limits().title_bytes);
  }
  const bool ours = had == Title(api, draft, true);
  return ours && !draft.draft ? Title(api, draft, false) : had;
}

// A branch that was pushed a moment ago may not be known to the API yet.
bool HeadIsUnknown(const json& refusal) {
  const json& errors = JsonAt(refusal, "errors");
  for (const json& e : errors.is_array() ? errors : json::array()) {
    if (JsonString(e, "field") == "head" && JsonString(e, "code") == "invalid") return true;
  }
  return false;
}

bool Mentions(const json& refusal, std::string_view words) {
  return ToLower(RefusalText(refusal)).find(words) != std::string::npos;
}

// One attempt; nothing when there is one already.
Result<std::optional<PullRequest>> Create(Api& api, const RepoRef& repo,
                                          const PullRequestDraft& draft, bool drafts_supported) {
  const HttpRequest request{
      "POST", RepoPath(repo, "/pulls"),
      DumpJson({{"head", draft.head_branch},
                {"base", draft.base_branch},
                {"title", Title(api, draft, draft.draft && !drafts_supported)},
                {"body", FitOwnBlock(draft.body, api.limits().comment_bytes)},
                {"draft", draft.draft && drafts_supported}}),
      false};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.ok()) return std::optional(ReadPullRequest(reply.body));
  const bool refused = reply.status == 422 || reply.status == 409;
  if (refused && Mentions(reply.body, "already exists")) return std::optional<PullRequest>();
  if (refused && drafts_supported && draft.draft && Mentions(reply.body, "draft pull requests")) {
    return Create(api, repo, draft, false);
  }
  Error error = StatusError(request, reply.status, reply.body);
  if (refused && HeadIsUnknown(reply.body)) error.code = ErrorCode::kUnavailable;
  return error;
}

// REST cannot change the draft state.
Result<void> SetDraft(Api& api, const RepoRef& repo, const std::string& node_id, bool draft) {
  constexpr std::string_view kToDraft =
      "mutation($id:ID!){convertPullRequestToDraft(input:{pullRequestId:$id}){clientMutationId}}";
  constexpr std::string_view kToReady =
      "mutation($id:ID!){markPullRequestReadyForReview(input:{pullRequestId:$id})"
      "{clientMutationId}}";
  SWAGE_RETURN_IF_ERROR(api.GraphQl(repo, draft ? kToDraft : kToReady, {{"id", node_id}}));
  return Ok();
}

Result<PullRequest> BringUpToDate(Api& api, const RepoRef& repo, const PullRequest& pull,
                                  const PullRequestDraft& draft) {
  SWAGE_ASSIGN_OR_RETURN(json now, api.rest().Get(PullPath(repo, pull.number)));
  bool in_title = false;
  if (JsonBool(now, "draft") != draft.draft) {
    const auto changed = SetDraft(api, repo, JsonString(now, "node_id"), draft.draft);
    const bool unsupported = !changed.ok() && (changed.error().code == ErrorCode::kInvalid ||
                                               changed.error().code == ErrorCode::kDenied);
    if (!changed.ok() && !(unsupported && draft.draft)) return changed.error();
    in_title = unsupported;
  }
  json change = json::object();
  const std::string had = JsonString(now, "title");
  const std::string title = TitleNow(api, draft, had, in_title);
  if (title != had) change["title"] = title;
  const std::string text = JsonString(now, "body");
  const std::string body = WithOwnBlock(text, draft.body, api.limits().comment_bytes);
  if (!SameText(text, body)) change["body"] = body;
  if (!change.empty()) {
    SWAGE_ASSIGN_OR_RETURN(now, api.rest().Write("PATCH", PullPath(repo, pull.number), change));
  }
  PullRequest updated = ReadPullRequest(now);
  updated.draft = draft.draft && !in_title;
  return updated;
}

}  // namespace

Result<PullRequest> GetPullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(PullPath(repo, number)));
  return ReadPullRequest(j);
}

Result<std::optional<PullRequest>> FindPullRequest(Api& api, const RepoRef& repo,
                                                   std::string_view head_branch) {
  // Without "OWNER:" the filter is ignored in silence; the answer is checked all the same.
  const std::string owner = repo.path.substr(0, repo.path.find('/'));
  const std::string head = PercentEncode(owner + ":" + std::string(head_branch));
  NewestOfBranch newest(head_branch);
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(
      RepoPath(repo, "/pulls?head=" + head + "&state=all&sort=created&direction=desc"),
      [&](const json& j) {
        newest.Look(ReadPullRequest(j));
        return true;
      }));
  return newest.Take();
}

Result<PullRequest> EnsurePullRequest(Api& api, const RepoRef& repo,
                                      const PullRequestDraft& draft) {
  return EnsureOnePullRequest(
      {"pull request #", [&] { return api.Self(); },
       [&] { return FindPullRequest(api, repo, draft.head_branch); },
       [&] { return Create(api, repo, draft, true); },
       [&](const PullRequest& pull) { return BringUpToDate(api, repo, pull, draft); }});
}

Result<void> ClosePullRequest(Api& api, const RepoRef& repo, std::int64_t number) {
  return CloseIfOpen(GetPullRequest(api, repo, number), [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(api.rest().Write("PATCH", PullPath(repo, number), {{"state", "closed"}}));
    return Ok();
  });
}

}  // namespace swage::github
