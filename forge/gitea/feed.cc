#include "forge/gitea/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/gitea/review_state.h"
#include "forge/paging.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

constexpr int kMaxRepoPages = 60;  // of fifty
constexpr int kMaxReviewReads = 20;
constexpr int kMaxWindows = 6;
// An act and what it does to its issue are written in one breath, not in one instant.
constexpr std::chrono::seconds kOneBreath{1};

// The number at the end of "https://git.example.com/o/r/issues/12".
std::int64_t NumberOfUrl(std::string_view url) {
  return ParseInt(url.substr(url.rfind('/') + 1)).value_or(0);
}

FoundComment ReadFound(const json& j, const Thread& thread) {
  FoundComment found;
  found.thread = thread;
  found.comment = ReadComment(j, JsonId(j, "id"));
  found.created = JsonTime(j, "created_at");
  found.edited = JsonTime(j, "updated_at") != found.created;
  return found;
}

FoundComment ReadIssueComment(const json& j) {
  const std::string pull = JsonString(j, "pull_request_url");
  if (!pull.empty()) return ReadFound(j, {ThreadKind::kPullRequest, NumberOfUrl(pull)});
  return ReadFound(j, {ThreadKind::kIssue, NumberOfUrl(JsonString(j, "issue_url"))});
}

// Reviews do not tell whether they were edited.
FoundComment ReadReview(const json& j, const Thread& thread) {
  FoundComment found = ReadFound(j, thread);
  found.comment.id.insert(0, kReviewPrefix);
  found.created = JsonTime(j, "submitted_at");
  found.edited = false;
  return found;
}

std::optional<ThreadAct::Kind> KindOf(const json& entry) {
  using enum ThreadAct::Kind;
  const std::string type = JsonString(entry, "type");
  // A label that came has "1" for a text, one that went has none.
  if (type == "label") return JsonString(entry, "body").empty() ? kUnlabeled : kLabeled;
  if (type == "assignees") {
    return JsonBool(entry, "removed_assignee") ? kUnassigned : kAssigned;
  }
  if (type == "close") return kClosed;
  if (type == "reopen") return kReopened;
  if (type == "merge_pull") return kMerged;
  if (type == "change_title") return kTextEdited;
  return std::nullopt;
}

ThreadChange ReadChange(const json& j) {
  ThreadChange change;
  const bool is_pull = JsonAt(j, "pull_request").is_object();
  change.thread = {is_pull ? ThreadKind::kPullRequest : ThreadKind::kIssue, JsonInt(j, "number")};
  change.updated = JsonTime(j, "updated_at");
  if (!is_pull) change.issue = ReadIssue(j);
  return change;
}

Error NoDeliveries() {
  return MakeError(ErrorCode::kInvalid, "this forge keeps no list of deliveries");
}

}  // namespace

Result<WallTime> Feed::GetTime(const RepoRef& repo) {
  return api_.rest().GetTime(RepoPath(repo, "/labels?limit=1"));
}

Result<std::vector<Repo>> Feed::ListRepos() {
  std::vector<Repo> repos;
  SWAGE_ASSIGN_OR_RETURN(const PagedRead read, ReadPages(api_.rest(), "/user/repos", "",
                                                         kMaxRepoPages, [&](const json& j) {
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

// A name that no label has filters nothing; so does a name with a comma.
Result<std::vector<Issue>> Feed::ListLabelled(const RepoRef& repo, std::string_view label) {
  std::vector<Issue> issues;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(
      RepoPath(repo, "/issues?type=issues&state=open&labels=" + PercentEncode(label)),
      [&](const json& j) {
        Issue issue = ReadIssue(j);
        const bool has = std::ranges::find(issue.labels, label) != issue.labels.end();
        if (has) issues.push_back(std::move(issue));
        return true;
      }));
  return issues;
}

// The list is by age, not by change: what does not fit cannot be gone on with from where it ended.
// Instead the time asked about is cut until its changes fit.
Result<ChangePage> Feed::ListChanges(const RepoRef& repo, WallTime since, std::string_view etag) {
  const std::string path =
      RepoPath(repo, "/issues?state=all&since=" + PercentEncode(FormatUtc(since)));
  std::optional<WallTime> until;
  for (int window = 1;; ++window) {
    ChangePage page;
    const std::string cut = until ? "&before=" + PercentEncode(FormatUtc(*until)) : "";
    SWAGE_ASSIGN_OR_RETURN(
        const PagedRead read,
        ReadPages(api_.rest(), path + cut, until ? "" : etag, kMaxPages, [&](const json& j) {
          page.changes.push_back(ReadChange(j));
          return true;
        }));
    page.unchanged = read.unchanged;
    page.etag = read.etag;
    page.now = read.now;
    page.more = read.more || until.has_value();
    std::ranges::stable_sort(page.changes, {}, &ThreadChange::updated);
    if (!page.changes.empty()) page.up_to = page.changes.back().updated;
    const bool narrower = read.more && page.changes.front().updated < page.changes.back().updated;
    if (!narrower || window == kMaxWindows) return page;
    until = page.changes[page.changes.size() / 2].updated;
  }
}

// Every line comment belongs to a review, an answer to the one that it answers; so all that have
// any are read, however old.
Result<void> Feed::ReadReviews(const RepoRef& repo, std::int64_t number, WallTime since,
                               CommentPage& page) {
  const Thread thread{ThreadKind::kPullRequest, number};
  std::vector<std::string> with_lines;
  SWAGE_RETURN_IF_ERROR(
      ReadPages(api_.rest(), ReviewsPath(repo, number, ""), "", kMaxPages, [&](const json& j) {
        if (JsonString(j, "state") == "PENDING") return true;
        if (JsonInt(j, "comments_count") > 0) with_lines.push_back(JsonId(j, "id"));
        FoundComment found = ReadReview(j, thread);
        const bool says = !Trim(found.comment.body).empty() && found.created >= since;
        if (says) page.comments.push_back(std::move(found));
        return true;
      }));
  // The newest are last.
  if (with_lines.size() > kMaxReviewReads) {
    with_lines.erase(with_lines.begin(), with_lines.end() - kMaxReviewReads);
  }
  for (const std::string& review : with_lines) {
    SWAGE_RETURN_IF_ERROR(ForEachLineComment(api_, repo, number, review, [&](const json& j) {
      FoundComment found = ReadFound(j, thread);
      if (found.created >= since) page.comments.push_back(std::move(found));
    }));
  }
  return Ok();
}

Result<CommentPage> Feed::ListComments(const RepoRef& repo, WallTime since,
                                       const std::vector<ThreadChange>& changed) {
  CommentPage page;
  SWAGE_ASSIGN_OR_RETURN(
      const PagedRead read,
      ReadPages(api_.rest(),
                RepoPath(repo, "/issues/comments?since=" + PercentEncode(FormatUtc(since))), "",
                kMaxPages, [&](const json& j) {
                  page.comments.push_back(ReadIssueComment(j));
                  const WallTime at = page.comments.back().created;
                  page.up_to = std::max(page.up_to.value_or(at), at);
                  return true;
                }));
  page.more = read.more;
  std::vector<std::int64_t> pulls;
  for (const ThreadChange& change : changed) {
    if (change.thread.kind == ThreadKind::kPullRequest) pulls.push_back(change.thread.number);
  }
  // The newest changes last: these are the ones that a flood of older ones must not hide.
  if (pulls.size() > kMaxReviewReads) pulls.erase(pulls.begin(), pulls.end() - kMaxReviewReads);
  for (const std::int64_t number : pulls) {
    SWAGE_RETURN_IF_ERROR(ReadReviews(repo, number, since, page));
  }
  std::ranges::stable_sort(page.comments, {}, &FoundComment::created);
  return page;
}

Result<std::vector<Review>> Feed::ListReviews(const RepoRef& repo, std::int64_t number) {
  return gitea::ListReviews(api_, repo, number);
}

// Nothing tells of an edited text. It shows where the issue changed later than any act that is told
// of, and it may hide behind a comment: both count, because who set a label stands for the text.
Result<std::vector<ThreadAct>> Feed::ListActs(const RepoRef& repo, const Thread& thread) {
  std::vector<ThreadAct> acts;
  std::optional<ThreadAct> hidden;
  WallTime last{};
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(
      RepoPath(repo, fmt::format("/issues/{}/timeline", thread.number)), [&](const json& entry) {
        const WallTime at = JsonTime(entry, "created_at");
        last = std::max(last, at);
        if (const auto kind = KindOf(entry)) {
          acts.push_back({JsonId(entry, "id"), *kind, ReadUser(JsonAt(entry, "user")),
                          JsonString(entry, "label/name"), at,
                          ReadUser(JsonAt(entry, "assignee"))});
        } else if (JsonString(entry, "type") == "comment") {
          hidden = ThreadAct{"", ThreadAct::Kind::kTextEdited, {}, "", at, {}};
        }
        return true;
      }));
  if (thread.kind == ThreadKind::kIssue) {
    SWAGE_ASSIGN_OR_RETURN(
        const json issue,
        api_.rest().Get(RepoPath(repo, "/issues/" + std::to_string(thread.number))));
    const WallTime updated = JsonTime(issue, "updated_at");
    const WallTime told = std::max(last, JsonTime(issue, "created_at"));
    if (updated > told + kOneBreath) {
      hidden = ThreadAct{"", ThreadAct::Kind::kTextEdited, {}, "", updated, {}};
    }
    if (hidden) acts.push_back(*hidden);
  }
  std::ranges::stable_sort(acts, {}, &ThreadAct::at);
  return acts;
}

Result<std::vector<Hook>> Feed::ListHooks(const RepoRef&) {
  return NoDeliveries();
}

Result<std::vector<HookDelivery>> Feed::ListDeliveries(const RepoRef&, std::int64_t, std::int64_t) {
  return NoDeliveries();
}

Result<std::string> Feed::GetDeliveryBody(const RepoRef&, std::int64_t, std::int64_t) {
  return NoDeliveries();
}

}  // namespace swage::gitea
