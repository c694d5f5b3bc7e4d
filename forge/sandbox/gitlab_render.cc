#include <chrono>
#include <ctime>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

Json NullableTime(const std::optional<WallTime>& time) {
  return time ? Json(IsoTime(*time)) : Json(nullptr);
}

Json UserOrNull(World& world, Id id, const std::string& base) {
  return id == 0 ? Json(nullptr) : UserJson(world.UserOf(id), base);
}

Json UsersJson(World& world, const std::vector<Id>& ids, const std::string& base) {
  Json users = Json::array();
  for (const Id id : ids) users.push_back(UserJson(world.UserOf(id), base));
  return users;
}

std::string ProjectApi(const std::string& base, const Repo& repo) {
  return base + "/api/v4/projects/" + std::to_string(repo.id);
}

Json TimeStats() {
  return {{"time_estimate", 0},
          {"total_time_spent", 0},
          {"human_time_estimate", nullptr},
          {"human_total_time_spent", nullptr}};
}

Json TaskCompletion() {
  return {{"count", 0}, {"completed_count", 0}};
}

Json References(const Repo& repo, char sign, std::int64_t iid) {
  const std::string number = sign + std::to_string(iid);
  return {{"short", number}, {"relative", number}, {"full", repo.Path() + number}};
}

int CountAwards(const Issue& issue, std::string_view name) {
  int n = 0;
  for (const Award& award : issue.awards) n += award.content == name ? 1 : 0;
  return n;
}

/// What issues and merge requests have in common.
Json Common(World& world, const Repo& repo, const Issue& issue, const std::string& base) {
  return {{"id", issue.id},
          {"iid", issue.number},
          {"project_id", repo.id},
          {"description", issue.body},
          {"created_at", IsoTime(issue.created_at)},
          {"updated_at", IsoTime(issue.updated_at)},
          {"closed_at", NullableTime(issue.closed_at)},
          {"closed_by", issue.open ? Json(nullptr) : UserOrNull(world, issue.closed_by, base)},
          {"labels", issue.labels},
          {"milestone", nullptr},
          {"assignees", UsersJson(world, issue.assignees, base)},
          {"assignee", issue.assignees.empty() ? Json(nullptr)
                                               : UserOrNull(world, issue.assignees.front(), base)},
          {"author", UserJson(world.UserOf(issue.author), base)},
          {"user_notes_count", issue.notes.size()},
          {"upvotes", CountAwards(issue, "thumbsup")},
          {"downvotes", CountAwards(issue, "thumbsdown")},
          {"discussion_locked", issue.locked ? Json(true) : Json(nullptr)},
          {"time_stats", TimeStats()},
          {"task_completion_status", TaskCompletion()}};
}

/// What the notes of every kind have in common.
Json NoteCommon(World& world, const Repo& repo, const Issue& issue, bool on_pull, const Note& note,
                const std::string& base) {
  return {{"id", note.id},
          {"type", nullptr},
          {"body", note.body},
          {"author", UserJson(world.UserOf(note.author), base)},
          {"created_at", IsoTime(note.created_at)},
          {"updated_at", IsoTime(note.updated_at)},
          {"system", note.system},
          {"noteable_id", issue.id},
          {"noteable_type", on_pull ? "MergeRequest" : "Issue"},
          {"project_id", repo.id},
          {"noteable_iid", issue.number},
          {"resolvable", false},
          {"confidential", false},
          {"internal", false},
          {"imported", false},
          {"imported_from", "none"},
          {"attachment", nullptr},
          {"commands_changes", Json::object()}};
}

}  // namespace

int AccessLevel(Role role) {
  switch (role) {
    case Role::kNone:
      return 0;
    case Role::kRead:
      return 10;
    case Role::kTriage:
      return 20;
    case Role::kWrite:
      return 30;
    case Role::kMaintain:
      return 40;
    case Role::kAdmin:
      return 50;
  }
  return 0;
}

std::string IsoTime(WallTime time) {
  std::string text = FormatUtc(time);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::string digits = std::to_string(1000 + ms.count() % 1000);
  text.replace(text.size() - 1, 1, "." + digits.substr(1) + "Z");
  return text;
}

std::string WebUrl(const std::string& base, const Repo& repo) {
  return base + "/" + repo.Path();
}

std::string IssueUrl(const std::string& base, const Repo& repo, std::int64_t iid) {
  return WebUrl(base, repo) + "/-/issues/" + std::to_string(iid);
}

std::string PullUrl(const std::string& base, const Repo& repo, std::int64_t iid) {
  return WebUrl(base, repo) + "/-/merge_requests/" + std::to_string(iid);
}

Json UserJson(const User& user, const std::string& base) {
  return {{"id", user.id},
          {"username", user.login},
          {"name", user.name},
          {"state", "active"},
          {"locked", false},
          {"avatar_url", nullptr},
          {"web_url", base + "/" + user.login}};
}

Json ProjectJson(World& world, const Repo& repo, const User* viewer, const std::string& base) {
  const std::string url = WebUrl(base, repo);
  const std::string group = repo.owner.substr(repo.owner.rfind('/') + 1);
  const int level = AccessLevel(world.RoleOf(repo, viewer));
  const Json access = viewer && repo.members.contains(viewer->id)
                          ? Json{{"access_level", level}, {"notification_level", 3}}
                          : Json(nullptr);
  int open_issues = 0;
  for (const auto& [number, issue] : repo.issues) open_issues += issue.open ? 1 : 0;
  const std::string host = base.substr(base.find("://") + 3);
  return {{"id", repo.id},
          {"description", repo.description},
          {"name", repo.name},
          {"name_with_namespace", ReplaceAll(repo.owner, "/", " / ") + " / " + repo.name},
          {"path", repo.name},
          {"path_with_namespace", repo.Path()},
          {"created_at", IsoTime(repo.created_at)},
          {"default_branch", repo.default_branch},
          {"tag_list", Json::array()},
          {"topics", Json::array()},
          {"ssh_url_to_repo", "git@" + host.substr(0, host.find(':')) + ":" + repo.Path() + ".git"},
          {"http_url_to_repo", url + ".git"},
          {"web_url", url},
          {"readme_url", nullptr},
          {"forks_count", 0},
          {"avatar_url", nullptr},
          {"star_count", 0},
          {"last_activity_at", IsoTime(repo.pushed_at)},
          {"namespace",
           {{"id", repo.id + 1'000'000},
            {"name", group},
            {"path", group},
            {"kind", "group"},
            {"full_path", repo.owner},
            {"parent_id", nullptr},
            {"avatar_url", nullptr},
            {"web_url", base + "/groups/" + repo.owner}}},
          {"visibility", repo.is_private ? "private" : "public"},
          {"archived", repo.archived},
          {"empty_repo", false},
          {"issues_enabled", true},
          {"merge_requests_enabled", true},
          {"merge_method", "merge"},
          {"squash_option", "default_off"},
          {"open_issues_count", open_issues},
          {"permissions", {{"project_access", access}, {"group_access", nullptr}}}};
}

Json LabelJson(const Label& label) {
  return {{"id", label.id},
          {"name", label.name},
          {"color", "#" + label.color},
          {"text_color", "#1F1E24"},
          {"description", label.description},
          {"description_html", ""},
          {"open_issues_count", 0},
          {"closed_issues_count", 0},
          {"open_merge_requests_count", 0},
          {"subscribed", false},
          {"priority", nullptr},
          {"is_project_label", true}};
}

Json IssueJson(World& world, const Repo& repo, const Issue& issue, const std::string& base) {
  Json json = Common(world, repo, issue, base);
  const std::string api = ProjectApi(base, repo);
  const std::string self = api + "/issues/" + std::to_string(issue.number);
  json.update({{"title", issue.title},
               {"state", issue.open ? "opened" : "closed"},
               {"type", "ISSUE"},
               {"issue_type", "issue"},
               {"severity", "UNKNOWN"},
               {"due_date", nullptr},
               {"confidential", false},
               {"moved_to_id", issue.moved_to == 0 ? Json(nullptr) : Json(issue.moved_to)},
               {"has_tasks", false},
               {"merge_requests_count", 0},
               {"web_url", IssueUrl(base, repo, issue.number)},
               {"references", References(repo, '#', issue.number)},
               {"_links",
                {{"self", self},
                 {"notes", self + "/notes"},
                 {"award_emoji", self + "/award_emoji"},
                 {"project", api},
                 {"closed_as_duplicate_of", nullptr}}}});
  return json;
}

std::string ShownTitle(const Pull& pull) {
  return pull.draft ? "Draft: " + pull.title : pull.title;
}

bool TakeDraftPrefix(std::string& title) {
  bool draft = false;
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : {"draft:", "[draft]", "(draft)"}) {
      if (!EqualsIgnoreCase(title.substr(0, prefix.size()), prefix)) continue;
      title = std::string(Trim(title.substr(prefix.size())));
      draft = again = true;
    }
  }
  return draft;
}

DiffRefs RefsOf(const Repo& repo, const Pull& pull) {
  auto merge_base = MergeBase(repo.git_dir, pull.base_sha, pull.head_sha);
  return {merge_base.ok() ? *merge_base : pull.base_sha, pull.base_sha, pull.head_sha};
}

Json PullJson(World& world, const Repo& repo, const Pull& pull, const std::string& base) {
  Json json = Common(world, repo, pull, base);
  const DiffRefs refs = RefsOf(repo, pull);
  const bool mergeable = pull.open && world.IsMergeable(repo, pull);
  const char* detailed = !pull.open   ? "not_open"
                         : pull.draft ? "draft_status"
                         : mergeable  ? "mergeable"
                                      : "conflict";
  json.update({{"title", ShownTitle(pull)},
               {"state", pull.merged ? "merged"
                         : pull.open ? "opened"
                                     : "closed"},
               {"imported", false},
               {"imported_from", "none"},
               {"merged_by", UserOrNull(world, pull.merged_by, base)},
               {"merge_user", UserOrNull(world, pull.merged_by, base)},
               {"merged_at", NullableTime(pull.merged_at)},
               {"target_branch", pull.base_ref},
               {"source_branch", pull.head_ref},
               {"reviewers", Json::array()},
               {"source_project_id", repo.id},
               {"target_project_id", repo.id},
               {"draft", pull.draft},
               {"work_in_progress", pull.draft},
               {"merge_when_pipeline_succeeds", false},
               {"merge_status", mergeable ? "can_be_merged" : "cannot_be_merged"},
               {"detailed_merge_status", detailed},
               {"sha", pull.head_sha},
               {"merge_commit_sha", pull.merge_sha.empty() ? Json(nullptr) : Json(pull.merge_sha)},
               {"squash_commit_sha", nullptr},
               {"should_remove_source_branch", nullptr},
               {"force_remove_source_branch", pull.remove_source_branch},
               {"prepared_at", IsoTime(pull.created_at)},
               {"reference", "!" + std::to_string(pull.number)},
               {"references", References(repo, '!', pull.number)},
               {"web_url", PullUrl(base, repo, pull.number)},
               {"squash", false},
               {"squash_on_merge", false},
               {"has_conflicts", pull.open && !mergeable && !pull.draft},
               {"blocking_discussions_resolved", true},
               {"subscribed", false},
               {"changes_count", "1"},
               {"merge_error", nullptr},
               {"user", {{"can_merge", true}}},
               {"diff_refs",
                {{"base_sha", refs.base_sha},
                 {"head_sha", refs.head_sha},
                 {"start_sha", refs.start_sha}}}});
  json["user_notes_count"] = pull.notes.size() + pull.discussions.size();
  return json;
}

Json AwardJson(World& world, const Award& award, const Issue& on, std::string_view type,
               const std::string& base) {
  return {{"id", award.id},
          {"name", award.content},
          {"user", UserJson(world.UserOf(award.user), base)},
          {"created_at", IsoTime(award.created_at)},
          {"updated_at", IsoTime(award.created_at)},
          {"awardable_id", on.id},
          {"awardable_type", type},
          {"url", nullptr}};
}

Json NoteJson(World& world, const Repo& repo, const Issue& issue, bool on_pull, const Note& note,
              const std::string& base) {
  return NoteCommon(world, repo, issue, on_pull, note, base);
}

Json PositionJson(const Position& position) {
  const auto line = [](int n) { return n > 0 ? Json(n) : Json(nullptr); };
  return {{"base_sha", position.base_sha},
          {"start_sha", position.start_sha},
          {"head_sha", position.head_sha},
          {"old_path", position.old_path},
          {"new_path", position.path},
          {"position_type", position.whole_file ? "file" : "text"},
          {"old_line", line(position.old_line)},
          {"new_line", line(position.new_line)},
          {"line_range", nullptr}};
}

Json ThreadNoteJson(World& world, const Repo& repo, const Pull& pull, const Discussion& discussion,
                    const DiffNote& note, const std::string& base) {
  Json json = NoteCommon(world, repo, pull, true, note, base);
  json["type"] = discussion.position ? "DiffNote" : "DiscussionNote";
  json["resolvable"] = true;
  json["resolved"] = discussion.resolved;
  json["resolved_by"] =
      discussion.resolved ? UserOrNull(world, discussion.resolved_by, base) : Json(nullptr);
  json["resolved_at"] = discussion.resolved ? Json(IsoTime(note.updated_at)) : Json(nullptr);
  if (discussion.position) {
    json["position"] = PositionJson(*discussion.position);
    json["commit_id"] = nullptr;
  }
  return json;
}

Json DiscussionJson(World& world, const Repo& repo, const Pull& pull, const Discussion& discussion,
                    const std::string& base) {
  Json notes = Json::array();
  for (const DiffNote& note : discussion.notes) {
    notes.push_back(ThreadNoteJson(world, repo, pull, discussion, note, base));
  }
  return {{"id", discussion.id}, {"individual_note", false}, {"notes", notes}};
}

Json LoneDiscussionJson(World& world, const Repo& repo, const Pull& pull, const Note& note,
                        const std::string& base) {
  const std::string id = Sha256Hex("note " + std::to_string(note.id)).substr(0, 40);
  return {{"id", id},
          {"individual_note", true},
          {"notes", {NoteJson(world, repo, pull, true, note, base)}}};
}

Json CommitJson(const Repo& repo, const CommitInfo& commit, const std::string& base) {
  const std::string title = commit.message.substr(0, commit.message.find('\n'));
  return {{"id", commit.sha},
          {"short_id", commit.sha.substr(0, 8)},
          {"created_at", IsoTime(commit.committer.at)},
          {"parent_ids", commit.parents},
          {"title", title},
          {"message", commit.message},
          {"author_name", commit.author.name},
          {"author_email", commit.author.email},
          {"authored_date", IsoTime(commit.author.at)},
          {"committer_name", commit.committer.name},
          {"committer_email", commit.committer.email},
          {"committed_date", IsoTime(commit.committer.at)},
          {"trailers", Json::object()},
          {"extended_trailers", Json::object()},
          {"web_url", WebUrl(base, repo) + "/-/commit/" + commit.sha}};
}

Json DiffJson(const FileDiff& file) {
  return {{"diff", file.patch},
          {"new_path", file.path},
          {"old_path", file.old_path.empty() ? file.path : file.old_path},
          {"a_mode", file.old_mode},
          {"b_mode", file.new_mode},
          {"new_file", file.status == "added"},
          {"renamed_file", file.status == "renamed"},
          {"deleted_file", file.status == "removed"},
          {"generated_file", false},
          {"too_large", false},
          {"collapsed", false}};
}

Json StatusJson(World& world, const Repo& repo, const Status& status, const std::string& base) {
  const bool running = status.state == "pending" || status.state == "running";
  const auto text = [](const std::string& s) { return s.empty() ? Json(nullptr) : Json(s); };
  return {{"id", status.id},
          {"sha", status.sha},
          {"ref", status.ref.empty() ? repo.default_branch : status.ref},
          {"status", status.state},
          {"name", status.context},
          {"target_url", text(status.target_url)},
          {"description", text(status.description)},
          {"created_at", IsoTime(status.created_at)},
          {"started_at", IsoTime(status.created_at)},
          {"finished_at", running ? Json(nullptr) : Json(IsoTime(status.updated_at))},
          {"allow_failure", false},
          {"coverage", nullptr},
          {"pipeline_id", repo.id},
          {"author", UserJson(world.UserOf(status.creator), base)}};
}

}  // namespace swage::sandbox::gitlab
