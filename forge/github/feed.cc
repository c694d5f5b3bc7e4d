#include "forge/github/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/webhook.h"
#include "forge/paging.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;

constexpr int kMaxRepoPages = 30;  // of a hundred
constexpr int kMaxReviewReads = 20;

// The number at the end of "https://api.github.com/repos/o/r/issues/12".
std::int64_t NumberOfUrl(std::string_view url) {
  return ParseInt(url.substr(url.rfind('/') + 1)).value_or(0);
}

FoundComment ReadFound(const json& j, ThreadKind kind, std::int64_t number, Comment comment) {
  FoundComment found;
  found.thread = {kind, number};
  found.comment = std::move(comment);
  found.created = JsonTime(j, "created_at");
  found.edited = JsonTime(j, "updated_at") != found.created;
  return found;
}

FoundComment ReadIssueComment(const json& j) {
  const bool on_pull = JsonString(j, "html_url").find("/pull/") != std::string::npos;
  return ReadFound(j, on_pull ? ThreadKind::kPullRequest : ThreadKind::kIssue,
                   NumberOfUrl(JsonString(j, "issue_url")), ReadComment(j, JsonId(j, "id")));
}

FoundComment ReadReviewComment(const json& j) {
  return ReadFound(j, ThreadKind::kPullRequest, NumberOfUrl(JsonString(j, "pull_request_url")),
                   ReadLineComment(j));
}

// Reviews do not tell whether they were edited.
FoundComment ReadReview(const json& j, std::int64_t number) {
  FoundComment found =
      ReadFound(j, ThreadKind::kPullRequest, number,
                ReadComment(j, std::string(kReviewPrefix) + JsonString(j, "node_id")));
  found.created = JsonTime(j, "submitted_at");
  found.edited = false;
  return found;
}

std::string HookPath(const Api& api, const RepoRef& repo, std::int64_t hook) {
  return api.app() != nullptr ? "/app/hook" : RepoPath(repo, fmt::format("/hooks/{}", hook));
}

std::optional<ThreadAct::Kind> KindOf(std::string_view event) {
  using enum ThreadAct::Kind;
  if (event == "labeled") return kLabeled;
  if (event == "unlabeled") return kUnlabeled;
  if (event == "assigned") return kAssigned;
  if (event == "unassigned") return kUnassigned;
  if (event == "closed") return kClosed;
  if (event == "reopened") return kReopened;
  if (event == "merged") return kMerged;
  if (event == "renamed") return kTextEdited;
  return std::nullopt;
}

// REST does not tell that an issue's body was edited; GraphQL tells when it last was.
Result<std::optional<WallTime>> LastEdited(Api& api, const RepoRef& repo, std::int64_t number) {
  constexpr std::string_view kQuery =
      "query($owner:String!,$name:String!,$number:Int!){"
      "repository(owner:$owner,name:$name){issue(number:$number){lastEditedAt}}}";
  const std::size_t slash = repo.path.find('/');
  SWAGE_ASSIGN_OR_RETURN(const json data, api.GraphQl(repo, kQuery,
                                                      {{"owner", repo.path.substr(0, slash)},
                                                       {"name", repo.path.substr(slash + 1)},
                                                       {"number", number}}));
  return ParseUtc(JsonString(data, "repository/issue/lastEditedAt"));
}

}  // namespace

Result<WallTime> Feed::GetTime(const RepoRef& repo) {
  return api_.rest().GetTime(RepoPath(repo, "/labels?per_page=1"));
}

// What the owners let the App see, installation by installation.
Result<void> Feed::ListRepos(const Installation& installation, std::vector<Repo>& repos) {
  for (int page = 1; page <= kMaxRepoPages; ++page) {
    HttpRequest request{
        "GET",
        fmt::format("/installation/repositories?per_page={}&page={}", RestClient::kPageSize, page),
        ""};
    SWAGE_ASSIGN_OR_RETURN(const std::string token,
                           api_.app()->LookToken(api_.rest(), installation.id));
    request.authorization = "Bearer " + token;
    request.repo = installation.account + "/";
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api_.rest().Exchange(request));
    if (reply.status == 401) api_.app()->Drop(token);
    if (!reply.ok()) return StatusError(request, reply.status, reply.body);
    const json& list = JsonAt(reply.body, "repositories");
    for (const json& j : list.is_array() ? list : json::array()) repos.push_back(ReadRepo(api_, j));
    if (!list.is_array() || list.size() < static_cast<std::size_t>(RestClient::kPageSize)) {
      return Ok();
    }
  }
  return MakeError(ErrorCode::kTooLarge, "GET /installation/repositories: too many repositories");
}

Result<std::vector<Repo>> Feed::ListRepos() {
  std::vector<Repo> repos;
  if (api_.app() != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(const auto installations, api_.app()->ListInstallations(api_.rest()));
    for (const Installation& installation : installations) {
      // Those of a suspended one are as good as gone until it is lifted.
      if (!installation.suspended) SWAGE_RETURN_IF_ERROR(ListRepos(installation, repos));
    }
    return repos;
  }
  SWAGE_ASSIGN_OR_RETURN(const PagedRead read, ReadPages(api_.rest(), "/user/repos?sort=full_name",
                                                         "", kMaxRepoPages, [&](const json& j) {
                                                           repos.push_back(ReadRepo(api_, j));
                                                           return true;
                                                         }));
  if (read.more) return MakeError(ErrorCode::kTooLarge, "GET /user/repos: too many repositories");
  return repos;
}

Result<std::vector<std::string>> Feed::ListLabels(const RepoRef& repo) {
  std::vector<std::string> labels;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(RepoPath(repo, "/labels"), [&](const json& j) {
    labels.push_back(JsonString(j, "name"));
    return true;
  }));
  return labels;
}

Result<std::vector<Issue>> Feed::ListLabelled(const RepoRef& repo, std::string_view label) {
  std::vector<Issue> issues;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(
      RepoPath(repo, "/issues?state=open&labels=" + PercentEncode(label)), [&](const json& j) {
        if (!JsonAt(j, "pull_request").is_object()) issues.push_back(ReadIssue(j));
        return true;
      }));
  return issues;
}

Result<ChangePage> Feed::ListChanges(const RepoRef& repo, WallTime since, std::string_view etag) {
  ChangePage page;
  const std::string path = RepoPath(repo, "/issues?state=all&sort=updated&direction=asc&since=" +
                                              PercentEncode(FormatUtc(since)));
  SWAGE_ASSIGN_OR_RETURN(const PagedRead read,
                         ReadPages(api_.rest(), path, etag, kMaxPages, [&](const json& j) {
                           ThreadChange change;
                           const bool is_pull = JsonAt(j, "pull_request").is_object();
                           change.thread = {is_pull ? ThreadKind::kPullRequest : ThreadKind::kIssue,
                                            JsonInt(j, "number")};
                           change.updated = JsonTime(j, "updated_at");
                           if (!is_pull) change.issue = ReadIssue(j);
                           page.up_to = std::max(page.up_to.value_or(WallTime{}), change.updated);
                           page.changes.push_back(std::move(change));
                           return true;
                         }));
  page.unchanged = read.unchanged;
  page.etag = read.etag;
  page.now = read.now;
  page.more = read.more;
  return page;
}

Result<CommentPage> Feed::ListComments(const RepoRef& repo, WallTime since,
                                       const std::vector<ThreadChange>& changed) {
  CommentPage page;
  const std::string query = "?sort=updated&direction=asc&since=" + PercentEncode(FormatUtc(since));
  std::optional<WallTime> complete;  // until when, of a list that did not fit
  const auto read = [&](std::string_view list, FoundComment (*parse)(const json&)) -> Result<void> {
    WallTime last{};
    SWAGE_ASSIGN_OR_RETURN(const PagedRead done,
                           ReadPages(api_.rest(), RepoPath(repo, std::string(list) + query), "",
                                     kMaxPages, [&](const json& j) {
                                       last = std::max(last, JsonTime(j, "updated_at"));
                                       page.comments.push_back(parse(j));
                                       return true;
                                     }));
    page.up_to = std::max(page.up_to.value_or(last), last);
    if (done.more) complete = std::min(complete.value_or(last), last);
    page.more |= done.more;
    return Ok();
  };
  SWAGE_RETURN_IF_ERROR(read("/issues/comments", ReadIssueComment));
  std::vector<std::int64_t> pulls;
  for (const ThreadChange& change : changed) {
    if (change.thread.kind == ThreadKind::kPullRequest) pulls.push_back(change.thread.number);
  }
  if (!pulls.empty()) SWAGE_RETURN_IF_ERROR(read("/pulls/comments", ReadReviewComment));
  // The newest changes last: these are the ones that a flood of older ones must not hide.
  if (pulls.size() > kMaxReviewReads) pulls.erase(pulls.begin(), pulls.end() - kMaxReviewReads);
  for (const std::int64_t number : pulls) {
    SWAGE_RETURN_IF_ERROR(
        ReadPages(api_.rest(), RepoPath(repo, fmt::format("/pulls/{}/reviews", number)), "",
                  kMaxPages, [&](const json& j) {
                    FoundComment found = ReadReview(j, number);
                    const bool says = !Trim(found.comment.body).empty() && found.created >= since;
                    if (says) page.comments.push_back(std::move(found));
                    return true;
                  }));
  }
  if (complete) page.up_to = complete;
  std::stable_sort(page.comments.begin(), page.comments.end(),
                   [](const auto& a, const auto& b) { return a.created < b.created; });
  return page;
}

Result<std::vector<Review>> Feed::ListReviews(const RepoRef& repo, std::int64_t number) {
  return github::ListReviews(api_, repo, number);
}

Result<std::vector<ThreadAct>> Feed::ListActs(const RepoRef& repo, const Thread& thread) {
  std::vector<ThreadAct> acts;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(
      RepoPath(repo, fmt::format("/issues/{}/events", thread.number)), [&](const json& j) {
        const auto kind = KindOf(JsonString(j, "event"));
        if (!kind) return true;
        // Of an assignment `actor` is whom it made the assignee.
        const json& assigner = JsonAt(j, "assigner");
        acts.push_back({JsonId(j, "id"), *kind,
                        ReadActor(assigner.is_object() ? assigner : JsonAt(j, "actor")),
                        JsonString(j, "label/name"), JsonTime(j, "created_at"),
                        ReadActor(JsonAt(j, "assignee"))});
        return true;
      }));
  if (thread.kind != ThreadKind::kIssue) return acts;
  SWAGE_ASSIGN_OR_RETURN(const auto edited, LastEdited(api_, repo, thread.number));
  if (edited) acts.push_back({"", ThreadAct::Kind::kTextEdited, {}, "", *edited, {}});
  std::stable_sort(acts.begin(), acts.end(),
                   [](const ThreadAct& a, const ThreadAct& b) { return a.at < b.at; });
  return acts;
}

// An App has one webhook for all repositories, which only the App itself may look at.
Result<RestClient::Reply> Feed::AskOfHooks(const std::string& path) {
  if (api_.app() != nullptr) return api_.app()->Ask(api_.rest(), {"GET", path, ""});
  return api_.rest().GetIfChanged(path, "");
}

Result<std::vector<Hook>> Feed::ListHooks(const RepoRef& repo) {
  std::vector<Hook> hooks;
  if (api_.app() != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, AskOfHooks("/app/hook/config"));
    return std::vector<Hook>{{0, JsonString(reply.body, "url"), true}};
  }
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(RepoPath(repo, "/hooks"), [&](const json& j) {
    hooks.push_back({JsonInt(j, "id"), JsonString(j, "config/url")});
    return true;
  }));
  return hooks;
}

// Pages are found by a cursor that only the Link header tells.
Result<std::vector<HookDelivery>> Feed::ListDeliveries(const RepoRef& repo, std::int64_t hook,
                                                       std::int64_t after) {
  std::vector<HookDelivery> found;
  std::string cursor;
  for (int page = 0; page < kMaxPages; ++page) {
    std::string path =
        fmt::format("{}/deliveries?per_page={}", HookPath(api_, repo, hook), RestClient::kPageSize);
    if (!cursor.empty()) path += "&cursor=" + PercentEncode(cursor);
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, AskOfHooks(path));
    for (const json& j : reply.body.is_array() ? reply.body : json::array()) {
      const HookDelivery delivery{JsonInt(j, "id"), JsonString(j, "guid"), JsonString(j, "event"),
                                  static_cast<int>(JsonInt(j, "status_code"))};
      if (delivery.id <= after) return found;
      found.push_back(delivery);
    }
    cursor = NextParameter(reply.link, "cursor");
    if (cursor.empty()) break;
  }
  return found;
}

Result<std::string> Feed::GetDeliveryBody(const RepoRef& repo, std::int64_t hook,
                                          std::int64_t delivery) {
  SWAGE_ASSIGN_OR_RETURN(
      const RestClient::Reply reply,
      AskOfHooks(fmt::format("{}/deliveries/{}", HookPath(api_, repo, hook), delivery)));
  const json& payload = JsonAt(reply.body, "request/payload");
  if (!payload.is_object()) return MakeError(ErrorCode::kNotFound, "the payload is gone");
  return DumpJson(payload);
}

}  // namespace swage::github
