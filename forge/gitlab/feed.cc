#include "forge/gitlab/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/paging.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

constexpr int kMaxProjectPages = 30;  // of a hundred
constexpr char kEtagJoint = ' ';      // an ETag holds no blank (RFC 9110)

// Two lists, one answer: complete until where the shorter of those that did not fit ends.
struct Merged {
  ChangePage page;
  std::optional<WallTime> complete;

  void Add(const PagedRead& read, WallTime last) {
    page.up_to = std::max(page.up_to.value_or(last), last);
    page.more |= read.more;
    if (read.more) complete = std::min(complete.value_or(last), last);
  }
};

Result<PagedRead> ReadChanges(Api& api, const RepoRef& repo, ThreadKind kind, WallTime since,
                              std::string_view etag, Merged& merged) {
  const std::string_view list = kind == ThreadKind::kIssue ? "/issues" : "/merge_requests";
  const std::string path = ProjectPath(
      repo, fmt::format("{}?scope=all&state=all&order_by=updated_at&sort=asc&updated_after={}",
                        list, PercentEncode(FormatUtc(since))));
  WallTime last{};
  SWAGE_ASSIGN_OR_RETURN(
      const PagedRead read,
      ReadPages(api.rest(), path, etag, ForgeFeed::kMaxPages, [&](const json& j) {
        ThreadChange change;
        change.thread = {kind, JsonInt(j, "iid")};
        change.updated = last = JsonTime(j, "updated_at");
        if (kind == ThreadKind::kIssue) change.issue = ReadIssue(j);
        merged.page.changes.push_back(std::move(change));
        return true;
      }));
  if (!read.unchanged && last != WallTime{}) merged.Add(read, last);
  return read;
}

FoundComment ReadFound(const json& note, const Thread& thread) {
  FoundComment found;
  found.thread = thread;
  found.comment = ReadNote(note, "");
  found.comment.place = ReadPlace(JsonAt(note, "position"), JsonString(note, "discussion_id"));
  found.created = JsonTime(note, "created_at");
  found.edited = JsonTime(note, "updated_at") != found.created;
  return found;
}

// GitLab writes these itself, in English, whatever the language of the instance.
bool TellsOfAnEdit(const json& note) {
  const std::string body = JsonString(note, "body");
  return JsonBool(note, "system") &&
         (body.starts_with("changed title") || body.starts_with("changed the description"));
}

/// Whom a note of GitLab's own says to be assigned, or not any more: "assigned to @a and @b and
/// unassigned @c".
std::vector<std::pair<ThreadAct::Kind, std::string>> AssignmentsIn(const json& note) {
  std::vector<std::pair<ThreadAct::Kind, std::string>> found;
  if (!JsonBool(note, "system")) return found;
  std::optional<ThreadAct::Kind> kind;
  const std::string body = JsonString(note, "body");
  for (std::string_view word : Split(body, ' ')) {
    if (word == "assigned") kind = ThreadAct::Kind::kAssigned;
    if (word == "unassigned") kind = ThreadAct::Kind::kUnassigned;
    if (!kind) return {};  // it begins with either
    if (word.ends_with(',')) word.remove_suffix(1);
    if (word.starts_with('@')) found.emplace_back(*kind, word.substr(1));
  }
  return found;
}

ThreadAct ReadAct(const json& j, ThreadAct::Kind kind) {
  ThreadAct act;
  act.id = JsonId(j, "id");
  act.kind = kind;
  act.actor = ReadUser(JsonAt(j, "user"));
  act.label = JsonString(j, "label/name");
  act.at = JsonTime(j, "created_at");
  return act;
}

void AddActsOf(const json& note, std::vector<ThreadAct>& acts) {
  const auto add = [&](ThreadAct::Kind kind, std::string login) {
    ThreadAct act = ReadAct(note, kind);
    act.actor = ReadUser(JsonAt(note, "author"));
    act.whom.login = std::move(login);
    acts.push_back(std::move(act));
  };
  if (TellsOfAnEdit(note)) add(ThreadAct::Kind::kTextEdited, "");
  for (auto& [kind, login] : AssignmentsIn(note)) add(kind, std::move(login));
}

std::optional<ThreadAct::Kind> KindOfState(std::string_view state) {
  using enum ThreadAct::Kind;
  if (state == "closed") return kClosed;
  if (state == "reopened") return kReopened;
  if (state == "merged") return kMerged;
  return std::nullopt;
}

Error NoDeliveries() {
  return MakeError(ErrorCode::kInvalid, "this forge keeps no list of deliveries");
}

}  // namespace

Result<WallTime> Feed::GetTime(const RepoRef& repo) {
  return api_.rest().GetTime(ProjectPath(repo, "/labels?per_page=1"));
}

Result<std::vector<Repo>> Feed::ListRepos() {
  std::vector<Repo> repos;
  SWAGE_ASSIGN_OR_RETURN(
      const PagedRead read,
      ReadPages(api_.rest(), "/projects?membership=true&simple=true&order_by=id&sort=asc", "",
                kMaxProjectPages, [&](const json& j) {
                  repos.push_back(ReadProject(api_, j));
                  return true;
                }));
  if (read.more) return MakeError(ErrorCode::kTooLarge, "GET /projects: too many projects");
  return repos;
}

Result<std::vector<std::string>> Feed::ListLabels(const RepoRef& repo) {
  std::vector<std::string> labels;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(ProjectPath(repo, "/labels"), [&](const json& j) {
    labels.push_back(JsonString(j, "name"));
    return true;
  }));
  return labels;
}

Result<std::vector<Issue>> Feed::ListLabelled(const RepoRef& repo, std::string_view label) {
  std::vector<Issue> issues;
  SWAGE_RETURN_IF_ERROR(api_.rest().ForEach(
      ProjectPath(repo, "/issues?scope=all&state=opened&labels=" + PercentEncode(label)),
      [&](const json& j) {
        issues.push_back(ReadIssue(j));
        return true;
      }));
  return issues;
}

Result<ChangePage> Feed::ListChanges(const RepoRef& repo, WallTime since, std::string_view etag) {
  const std::string_view first = etag.substr(0, etag.find(kEtagJoint));
  const std::string_view second =
      first.size() < etag.size() ? etag.substr(first.size() + 1) : std::string_view();
  Merged merged;
  SWAGE_ASSIGN_OR_RETURN(const PagedRead issues,
                         ReadChanges(api_, repo, ThreadKind::kIssue, since, first, merged));
  SWAGE_ASSIGN_OR_RETURN(const PagedRead pulls,
                         ReadChanges(api_, repo, ThreadKind::kPullRequest, since, second, merged));
  ChangePage page = std::move(merged.page);
  page.unchanged = issues.unchanged && pulls.unchanged;
  const bool conditional = !issues.etag.empty() && !pulls.etag.empty() &&
                           (issues.etag + pulls.etag).find(kEtagJoint) == std::string::npos;
  if (conditional) page.etag = issues.etag + kEtagJoint + pulls.etag;
  if (merged.complete) page.up_to = merged.complete;
  page.now = issues.now ? issues.now : pulls.now;
  std::stable_sort(page.changes.begin(), page.changes.end(),
                   [](const auto& a, const auto& b) { return a.updated < b.updated; });
  return page;
}

Result<CommentPage> Feed::ListComments(const RepoRef& repo, WallTime since,
                                       const std::vector<ThreadChange>& changed) {
  CommentPage page;
  for (const ThreadChange& change : changed) {
    const std::string notes =
        ThreadPath(repo, change.thread, "/notes?sort=desc&order_by=created_at");
    SWAGE_RETURN_IF_ERROR(ReadPages(api_.rest(), notes, "", kMaxPages, [&](const json& note) {
      FoundComment found = ReadFound(note, change.thread);
      if (found.created < since) return false;
      page.up_to = std::max(page.up_to.value_or(found.created), found.created);
      if (!JsonBool(note, "system")) page.comments.push_back(std::move(found));
      return true;
    }));
  }
  std::stable_sort(page.comments.begin(), page.comments.end(),
                   [](const auto& a, const auto& b) { return a.created < b.created; });
  return page;
}

Result<std::vector<Review>> Feed::ListReviews(const RepoRef& repo, std::int64_t number) {
  return gitlab::ListReviews(api_, repo, number);
}

Result<std::vector<ThreadAct>> Feed::ListActs(const RepoRef& repo, const Thread& thread) {
  std::vector<ThreadAct> acts;
  using enum ThreadAct::Kind;
  SWAGE_RETURN_IF_ERROR(
      api_.rest().ForEach(ThreadPath(repo, thread, "/resource_label_events"), [&](const json& j) {
        const bool added = JsonString(j, "action") == "add";
        acts.push_back(ReadAct(j, added ? kLabeled : kUnlabeled));
        return true;
      }));
  SWAGE_RETURN_IF_ERROR(
      api_.rest().ForEach(ThreadPath(repo, thread, "/resource_state_events"), [&](const json& j) {
        if (const auto kind = KindOfState(JsonString(j, "state"))) {
          acts.push_back(ReadAct(j, *kind));
        }
        return true;
      }));
  if (thread.kind == ThreadKind::kIssue) {
    std::vector<ThreadAct> noted;
    SWAGE_RETURN_IF_ERROR(
        ReadPages(api_.rest(), ThreadPath(repo, thread, "/notes?sort=desc&order_by=created_at"), "",
                  kMaxPages, [&](const json& note) {
                    AddActsOf(note, noted);
                    return true;
                  }));
    // The newest came first; of one instant, too.
    acts.insert(acts.end(), noted.rbegin(), noted.rend());
  }
  std::stable_sort(acts.begin(), acts.end(),
                   [](const ThreadAct& a, const ThreadAct& b) { return a.at < b.at; });
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

}  // namespace swage::gitlab
