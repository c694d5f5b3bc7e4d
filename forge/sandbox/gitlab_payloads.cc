// GitLab's webhooks: "Issue Hook", "Note Hook", "Merge Request Hook", "Push Hook", "Tag Push Hook".
//
// The shapes follow the samples in GitLab's documentation; tests/contract compares them field by
// field.
#include <algorithm>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::size_t kMaxPushedCommits = 20;  // GitLab's limit

/// What all payloads of one event share.
struct Scene {
  World& world;
  Repo& repo;
  const User& actor;
  const Event& event;
  const std::string& base;
};

std::string HookTime(WallTime time) {
  // "2026-03-01 12:00:00 UTC"
  std::string text = FormatUtc(time);
  text[10] = ' ';
  return text.substr(0, 19) + " UTC";
}

Json UserJson(const User& user) {
  return {{"id", user.id},
          {"name", user.name},
          {"username", user.login},
          {"avatar_url", ""},
          {"email", "[REDACTED]"}};
}

Json Actor(const Scene& scene) {
  return UserJson(scene.actor);
}

Json UsersJson(const Scene& scene, const std::vector<Id>& ids) {
  Json users = Json::array();
  for (const Id id : ids) users.push_back(UserJson(scene.world.UserOf(id)));
  return users;
}

Json Project(const Scene& scene) {
  const std::string url = WebUrl(scene.base, scene.repo);
  const std::string ssh =
      "git@" + scene.base.substr(scene.base.find("://") + 3) + ":" + scene.repo.Path() + ".git";
  return {{"id", scene.repo.id},
          {"name", scene.repo.name},
          {"description", scene.repo.description},
          {"web_url", url},
          {"avatar_url", nullptr},
          {"git_ssh_url", ssh},
          {"git_http_url", url + ".git"},
          {"namespace", scene.repo.owner},
          {"visibility_level", scene.repo.is_private ? 0 : 20},
          {"path_with_namespace", scene.repo.Path()},
          {"default_branch", scene.repo.default_branch},
          {"ci_config_path", ""},
          {"homepage", url},
          {"url", ssh},
          {"ssh_url", ssh},
          {"http_url", url + ".git"}};
}

Json Repository(const Scene& scene) {
  const std::string url = WebUrl(scene.base, scene.repo);
  return {{"name", scene.repo.name},
          {"url", url + ".git"},
          {"description", scene.repo.description},
          {"homepage", url}};
}

Json LabelsJson(const Scene& scene, const std::vector<std::string>& names) {
  Json labels = Json::array();
  for (const std::string& name : names) {
    const Label& label = scene.world.EnsureLabel(scene.repo, name);
    labels.push_back({{"id", label.id},
                      {"title", label.name},
                      {"color", "#" + label.color},
                      {"project_id", scene.repo.id},
                      {"created_at", HookTime(scene.repo.created_at)},
                      {"updated_at", HookTime(scene.repo.created_at)},
                      {"template", false},
                      {"description", label.description},
                      {"type", "ProjectLabel"},
                      {"group_id", nullptr}});
  }
  return labels;
}

Json Changed(const Json& previous, const Json& current) {
  return {{"previous", previous}, {"current", current}};
}

/// A reviewer as merge request hooks list it, with the state that it has come to.
Json Reviewers(const Scene& scene, const char* state) {
  Json reviewer = UserJson(scene.actor);
  reviewer["state"] = state;
  reviewer["re_requested"] = false;
  return Json::array({reviewer});
}

/// The review that the event is about.
const Review* ReviewOf(const Scene& scene) {
  const Pull* pull = scene.world.FindPull(scene.repo, scene.event.number);
  if (pull == nullptr) return nullptr;
  const auto review = std::find_if(pull->reviews.begin(), pull->reviews.end(),
                                   [&](const Review& r) { return r.id == scene.event.review; });
  return review == pull->reviews.end() ? nullptr : &*review;
}

bool AsksForChanges(const Scene& scene) {
  const Review* review =
      scene.event.what == Happening::kReviewSubmitted ? ReviewOf(scene) : nullptr;
  return review != nullptr && review->state == "CHANGES_REQUESTED";
}

/// What an update changed, as GitLab lists it.
Json Changes(const Scene& scene, const Issue& issue) {
  const Event& event = scene.event;
  Json changes = {{"updated_at", Changed(HookTime(issue.created_at), HookTime(issue.updated_at))}};
  if (event.what == Happening::kLabelsChanged) {
    changes["labels"] =
        Changed(LabelsJson(scene, event.labels_before), LabelsJson(scene, event.labels_after));
  }
  if (event.what == Happening::kAssigneesChanged) {
    changes["assignees"] =
        Changed(UsersJson(scene, event.assignees_before), UsersJson(scene, event.assignees_after));
  }
  if (event.what == Happening::kIssueEdited || event.what == Happening::kPullEdited) {
    if (event.title_before != issue.title)
      changes["title"] = Changed(event.title_before, issue.title);
    if (event.body_before != issue.body)
      changes["description"] = Changed(event.body_before, issue.body);
  }
  if (AsksForChanges(scene)) {
    changes["reviewers"] =
        Changed(Reviewers(scene, "unreviewed"), Reviewers(scene, "requested_changes"));
  }
  if (event.what == Happening::kIssueClosed) changes["state_id"] = Changed(1, 2);
  if (event.what == Happening::kIssueReopened) changes["state_id"] = Changed(2, 1);
  return changes;
}

Json CommitAuthor(const CommitInfo& commit) {
  return {{"name", commit.author.name}, {"email", commit.author.email}};
}

Json LastCommit(const Scene& scene, const Pull& pull) {
  const auto commit = ReadCommit(scene.repo.git_dir, pull.head_sha);
  if (!commit.ok()) return nullptr;
  return {{"id", commit->sha},
          {"message", commit->message},
          {"title", commit->message.substr(0, commit->message.find('\n'))},
          {"timestamp", FormatUtc(commit->author.at)},
          {"url", WebUrl(scene.base, scene.repo) + "/-/commit/" + commit->sha},
          {"author", CommitAuthor(*commit)}};
}

/// What the attributes of issues and merge requests have in common.
Json Attributes(const Scene& scene, const Issue& issue) {
  return {{"id", issue.id},
          {"iid", issue.number},
          {"title", issue.title},
          {"description", issue.body},
          {"author_id", issue.author},
          {"assignee_ids", issue.assignees},
          {"assignee_id", issue.assignees.empty() ? Json(nullptr) : Json(issue.assignees.front())},
          {"created_at", HookTime(issue.created_at)},
          {"updated_at", HookTime(issue.updated_at)},
          {"milestone_id", nullptr},
          {"time_estimate", 0},
          {"total_time_spent", 0},
          {"labels", LabelsJson(scene, issue.labels)}};
}

Json IssueAttributes(const Scene& scene, const Issue& issue) {
  Json json = Attributes(scene, issue);
  json.update({{"project_id", scene.repo.id},
               {"state", issue.open ? "opened" : "closed"},
               {"state_id", issue.open ? 1 : 2},
               {"confidential", false},
               {"moved_to_id", issue.moved_to == 0 ? Json(nullptr) : Json(issue.moved_to)},
               {"url", IssueUrl(scene.base, scene.repo, issue.number)}});
  return json;
}

Json PullAttributes(const Scene& scene, const Pull& pull) {
  const bool mergeable = pull.open && scene.world.IsMergeable(scene.repo, pull);
  const int state_id = pull.merged ? 3 : pull.open ? 1 : 2;
  Json json = Attributes(scene, pull);
  json.update({{"title", ShownTitle(pull)},
               {"source_branch", pull.head_ref},
               {"target_branch", pull.base_ref},
               {"source_project_id", scene.repo.id},
               {"target_project_id", scene.repo.id},
               {"source", Project(scene)},
               {"target", Project(scene)},
               {"state", pull.merged ? "merged"
                         : pull.open ? "opened"
                                     : "closed"},
               {"state_id", state_id},
               {"work_in_progress", pull.draft},
               {"merge_status", pull.merged ? "merged"
                                : mergeable ? "can_be_merged"
                                            : "cannot_be_merged"},
               {"detailed_merge_status", !pull.open  ? "not_open"
                                         : mergeable ? "mergeable"
                                                     : "conflict"},
               {"merge_commit_sha", pull.merge_sha.empty() ? Json(nullptr) : Json(pull.merge_sha)},
               {"blocking_discussions_resolved", true},
               {"last_commit", LastCommit(scene, pull)},
               {"url", PullUrl(scene.base, scene.repo, pull.number)}});
  return json;
}

Payload Make(std::string event, std::string action, std::string kind, const Json& body) {
  return {std::move(event), std::move(action), std::move(kind), DumpJson(body)};
}

Payload IssuePayload(const Scene& scene, const Issue& issue, const char* action) {
  Json attributes = IssueAttributes(scene, issue);
  attributes["action"] = action;
  const Json body = {{"object_kind", "issue"},
                     {"event_type", "issue"},
                     {"user", Actor(scene)},
                     {"project", Project(scene)},
                     {"object_attributes", attributes},
                     {"labels", attributes["labels"]},
                     {"changes", Changes(scene, issue)},
                     {"repository", Repository(scene)}};
  return Make("Issue Hook", action, "issues_events", body);
}

Payload PullPayload(const Scene& scene, const Pull& pull, const char* action) {
  Json attributes = PullAttributes(scene, pull);
  attributes["action"] = action;
  if (scene.event.what == Happening::kPullSynchronized)
    attributes["oldrev"] = scene.event.sha_before;
  const Json body = {{"object_kind", "merge_request"},
                     {"event_type", "merge_request"},
                     {"user", Actor(scene)},
                     {"project", Project(scene)},
                     {"object_attributes", attributes},
                     {"labels", attributes["labels"]},
                     {"changes", Changes(scene, pull)},
                     {"repository", Repository(scene)}};
  return Make("Merge Request Hook", action, "merge_requests_events", body);
}

Payload NotePayload(const Scene& scene, const Issue& thread, const Pull* pull, const Note& note,
                    const Discussion* discussion, const char* action) {
  const std::string url = pull ? PullUrl(scene.base, scene.repo, thread.number)
                               : IssueUrl(scene.base, scene.repo, thread.number);
  Json attributes = {{"id", note.id},
                     {"note", note.body},
                     {"description", note.body},
                     {"noteable_type", pull ? "MergeRequest" : "Issue"},
                     {"noteable_id", thread.id},
                     {"author_id", note.author},
                     {"created_at", HookTime(note.created_at)},
                     {"updated_at", HookTime(note.updated_at)},
                     {"project_id", scene.repo.id},
                     {"attachment", nullptr},
                     {"line_code", nullptr},
                     {"commit_id", ""},
                     {"system", note.system},
                     {"st_diff", nullptr},
                     {"action", action},
                     {"url", url + "#note_" + std::to_string(note.id)}};
  if (discussion && discussion->position)
    attributes["position"] = PositionJson(*discussion->position);
  if (discussion) attributes["discussion_id"] = discussion->id;
  Json body = {{"object_kind", "note"},          {"event_type", "note"},
               {"user", Actor(scene)},           {"project_id", scene.repo.id},
               {"project", Project(scene)},      {"repository", Repository(scene)},
               {"object_attributes", attributes}};
  if (pull) {
    body["merge_request"] = PullAttributes(scene, *pull);
  } else {
    body["issue"] = IssueAttributes(scene, thread);
  }
  return Make("Note Hook", action, "note_events", body);
}

Json PushedCommit(const Scene& scene, const CommitInfo& commit) {
  Json json = {{"id", commit.sha},
               {"message", commit.message},
               {"title", commit.message.substr(0, commit.message.find('\n'))},
               {"timestamp", FormatUtc(commit.author.at)},
               {"url", WebUrl(scene.base, scene.repo) + "/-/commit/" + commit.sha},
               {"author", CommitAuthor(commit)},
               {"added", Json::array()},
               {"modified", Json::array()},
               {"removed", Json::array()}};
  if (commit.parents.empty()) return json;
  const auto files = DiffOf(scene.repo.git_dir, commit.parents.front(), commit.sha);
  if (!files.ok()) return json;
  for (const FileDiff& file : *files) {
    json[file.status == "added" || file.status == "removed" ? file.status : "modified"].push_back(
        file.path);
  }
  return json;
}

Payload PushPayload(const Scene& scene) {
  const Event& event = scene.event;
  const bool branch = event.ref.starts_with(kHeads);
  const bool gone = event.sha_after == kZeroSha;
  Json commits = Json::array();
  std::size_t total = 0;
  if (!gone) {
    const std::string from = event.sha_before == kZeroSha ? event.sha_after : event.sha_before;
    const auto between = CommitsBetween(scene.repo.git_dir, from, event.sha_after);
    if (between.ok()) {
      total = between->size();
      const std::size_t skip = total > kMaxPushedCommits ? total - kMaxPushedCommits : 0;
      for (std::size_t i = skip; i < total; ++i)
        commits.push_back(PushedCommit(scene, (*between)[i]));
    }
  }
  Json repository = Repository(scene);
  repository["git_http_url"] = WebUrl(scene.base, scene.repo) + ".git";
  repository["visibility_level"] = scene.repo.is_private ? 0 : 20;
  const Json body = {{"object_kind", branch ? "push" : "tag_push"},
                     {"event_name", branch ? "push" : "tag_push"},
                     {"before", event.sha_before},
                     {"after", event.sha_after},
                     {"ref", event.ref},
                     {"checkout_sha", gone ? Json(nullptr) : Json(event.sha_after)},
                     {"user_id", scene.actor.id},
                     {"user_name", scene.actor.name},
                     {"user_username", scene.actor.login},
                     {"user_email", ""},
                     {"user_avatar", ""},
                     {"project_id", scene.repo.id},
                     {"project", Project(scene)},
                     {"repository", repository},
                     {"commits", commits},
                     {"total_commits_count", total}};
  return Make(branch ? "Push Hook" : "Tag Push Hook", "",
              branch ? "push_events" : "tag_push_events", body);
}

/// The note that an event speaks of, wherever it stands.
std::vector<Payload> NotePayloads(const Scene& scene, const char* action) {
  const Id id = scene.event.note;
  if (const auto at = scene.world.FindNote(scene.repo, id); at.note) {
    const Pull* pull = at.on_pull ? static_cast<const Pull*>(at.issue) : nullptr;
    return {NotePayload(scene, *at.issue, pull, *at.note, nullptr, action)};
  }
  if (const auto at = scene.world.FindDiffNote(scene.repo, id); at.note) {
    return {NotePayload(scene, *at.pull, at.pull, *at.note, at.discussion, action)};
  }
  return {};
}

std::vector<Payload> ThreadPayloads(const Scene& scene, const char* action) {
  const std::int64_t number = scene.event.number;
  if (scene.event.on_pull) {
    const Pull* pull = scene.world.FindPull(scene.repo, number);
    return pull ? std::vector{PullPayload(scene, *pull, action)} : std::vector<Payload>();
  }
  const Issue* issue = scene.world.FindIssue(scene.repo, number);
  return issue ? std::vector{IssuePayload(scene, *issue, action)} : std::vector<Payload>();
}

// GitLab has no reviews; it tells of approvals, and of reviewers who ask for changes.
std::vector<Payload> ReviewPayloads(const Scene& scene) {
  const Pull* pull = scene.world.FindPull(scene.repo, scene.event.number);
  const Review* review = ReviewOf(scene);
  if (review == nullptr) return {};
  if (review->state == "APPROVED") return {PullPayload(scene, *pull, "approved")};
  return AsksForChanges(scene) ? std::vector{PullPayload(scene, *pull, "update")}
                               : std::vector<Payload>();
}

}  // namespace

std::vector<Payload> DescribeEvent(World& world, const Event& event, const std::string& base) {
  Repo* repo = world.FindRepo(event.repo);
  if (repo == nullptr) return {};
  const Scene scene{world, *repo, world.UserOf(event.actor), event, base};
  switch (event.what) {
    case Happening::kIssueOpened:
    case Happening::kPullOpened:
      return ThreadPayloads(scene, "open");
    case Happening::kIssueEdited:
    case Happening::kLabelsChanged:
    case Happening::kAssigneesChanged:
    case Happening::kPullEdited:
    case Happening::kPullSynchronized:
    case Happening::kPullReadyForReview:
    case Happening::kPullConvertedToDraft:
      return ThreadPayloads(scene, "update");
    case Happening::kIssueClosed:
      return ThreadPayloads(scene, "close");
    case Happening::kIssueReopened:
    case Happening::kPullReopened:
      return ThreadPayloads(scene, "reopen");
    case Happening::kPullClosed: {
      const Pull* pull = world.FindPull(*repo, event.number);
      return ThreadPayloads(scene, pull && pull->merged ? "merge" : "close");
    }
    case Happening::kNoteCreated:
    case Happening::kDiffNoteCreated:
      return NotePayloads(scene, "create");
    case Happening::kNoteEdited:
      return NotePayloads(scene, "update");
    case Happening::kReviewSubmitted:
      return ReviewPayloads(scene);
    case Happening::kPush:
      return {PushPayload(scene)};
    case Happening::kIssueDeleted:  // GitLab sends no hook for these
    case Happening::kIssueTransferred:
    case Happening::kNoteDeleted:
    case Happening::kStatus:
    case Happening::kPing:
      return {};
  }
  return {};
}

}  // namespace swage::sandbox::gitlab
