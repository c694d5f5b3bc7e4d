#include "forge/sandbox/gitea_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/text.h"
#include "forge/origin.h"
#include "forge/sandbox/github_json.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

// How Go writes a time that never was.
constexpr const char* kNever = "0001-01-01T00:00:00Z";

std::string StateName(const Issue& issue) {
  return issue.open ? "open" : "closed";
}

std::size_t LineCount(const Pull& pull, Id review) {
  std::size_t count = 0;
  for (const Discussion& discussion : pull.discussions) {
    count +=
        static_cast<std::size_t>(std::ranges::count(discussion.notes, review, &DiffNote::review));
  }
  return count;
}

}  // namespace

std::string Objects::RepoUrl(const Repo& repo) const {
  return fmt::format("{}/api/v1/repos/{}", base_, repo.Path());
}

std::string Objects::WebUrl(const Repo& repo) const {
  return fmt::format("{}/{}", base_, repo.Path());
}

std::string Objects::ThreadUrl(const Repo& repo, const Issue& issue, bool on_pull) const {
  return fmt::format("{}/{}/{}", WebUrl(repo), on_pull ? "pulls" : "issues", issue.number);
}

const Label* Objects::FindLabel(const Repo& repo, std::string_view name) {
  const auto it = std::ranges::find(repo.labels, name, &Label::name);
  return it == repo.labels.end() ? nullptr : &*it;
}

// --- people and repositories ---

json Objects::UserObject(Id id) const {
  const User& user = world_.UserOf(id);
  return {{"id", user.id},
          {"login", user.login},
          {"login_name", ""},
          {"full_name", ""},
          {"email", fmt::format("{}@noreply.{}", ToLower(user.login), HostOf(base_))},
          {"avatar_url", fmt::format("{}/avatars/u/{}", base_, user.id)},
          {"language", ""},
          {"is_admin", false},
          {"last_login", kNever},
          {"created", FormatUtc(user.created_at)},
          {"restricted", false},
          {"active", false},
          {"prohibit_login", false},
          {"location", ""},
          {"website", ""},
          {"description", ""},
          {"visibility", "public"},
          {"followers_count", 0},
          {"following_count", 0},
          {"starred_repos_count", 0},
          {"username", user.login}};
}

json Objects::RepoObject(const Repo& repo, Role role) const {
  const auto open = [](const auto& threads) {
    return std::ranges::count_if(threads, [](const auto& at) { return at.second.open; });
  };
  Id owner = 0;
  for (const auto& user : world_.users()) {
    if (EqualsIgnoreCase(user->login, repo.owner)) owner = user->id;
  }
  return {{"id", repo.id},
          {"owner", UserObject(owner)},
          {"name", repo.name},
          {"full_name", repo.Path()},
          {"description", repo.description},
          {"empty", false},
          {"private", repo.is_private},
          {"fork", false},
          {"template", false},
          {"parent", json()},
          {"mirror", false},
          {"size", 25},
          {"language", ""},
          {"languages_url", RepoUrl(repo) + "/languages"},
          {"html_url", WebUrl(repo)},
          {"url", RepoUrl(repo)},
          {"link", ""},
          {"ssh_url", fmt::format("git@{}:{}.git", HostOf(base_), repo.Path())},
          {"clone_url", WebUrl(repo) + ".git"},
          {"original_url", ""},
          {"website", ""},
          {"stars_count", 0},
          {"forks_count", 0},
          {"watchers_count", 1},
          {"open_issues_count", open(repo.issues)},
          {"open_pr_counter", open(repo.pulls)},
          {"release_counter", 0},
          {"default_branch", repo.default_branch},
          {"archived", repo.archived},
          {"created_at", FormatUtc(repo.created_at)},
          {"updated_at", FormatUtc(repo.created_at)},
          {"archived_at", "1970-01-01T00:00:00Z"},
          {"permissions",
           {{"admin", role >= Role::kAdmin},
            {"push", role >= Role::kWrite},
            {"pull", role >= Role::kRead}}},
          {"has_issues", true},
          {"has_wiki", true},
          {"has_pull_requests", true},
          {"has_projects", true},
          {"has_releases", true},
          {"has_packages", false},
          {"has_actions", false},
          {"ignore_whitespace_conflicts", false},
          {"allow_merge_commits", true},
          {"allow_rebase", true},
          {"allow_rebase_explicit", true},
          {"allow_squash_merge", true},
          {"allow_rebase_update", true},
          {"default_delete_branch_after_merge", false},
          {"default_merge_style", "merge"},
          {"default_allow_maintainer_edit", false},
          {"avatar_url", ""},
          {"internal", false},
          {"mirror_interval", ""},
          {"mirror_updated", kNever},
          {"repo_transfer", json()}};
}

json Objects::LabelObject(const Repo& repo, const Label& label) const {
  return {{"id", label.id},
          {"name", label.name},
          {"exclusive", false},
          {"is_archived", false},
          {"color", label.color},
          {"description", label.description},
          {"url", fmt::format("{}/labels/{}", RepoUrl(repo), label.id)}};
}

json Objects::Labels(const Repo& repo, const Issue& issue) const {
  json list = json::array();
  for (const std::string& name : issue.labels) {
    if (const Label* label = FindLabel(repo, name)) list.push_back(LabelObject(repo, *label));
  }
  return list;
}

// --- issues ---

json Objects::IssueObject(const Repo& repo, const Issue& issue, const Pull* pull) const {
  json assignees = json::array();
  for (const Id id : issue.assignees) assignees.push_back(UserObject(id));
  json object = {
      {"id", issue.id},
      {"url", fmt::format("{}/issues/{}", RepoUrl(repo), issue.number)},
      {"html_url", ThreadUrl(repo, issue, pull != nullptr)},
      {"number", issue.number},
      {"user", UserObject(issue.author)},
      {"original_author", ""},
      {"original_author_id", 0},
      {"title", (pull && pull->draft ? "WIP: " : "") + issue.title},
      {"body", issue.body},
      {"ref", ""},
      {"assets", json::array()},
      {"labels", Labels(repo, issue)},
      {"milestone", json()},
      {"assignee", assignees.empty() ? json() : assignees[0]},
      {"assignees", assignees.empty() ? json() : assignees},
      {"state", StateName(issue)},
      {"is_locked", issue.locked},
      {"comments", issue.notes.size()},
      {"created_at", FormatUtc(issue.created_at)},
      {"updated_at", FormatUtc(issue.updated_at)},
      {"closed_at", TimeOrNull(issue.closed_at)},
      {"due_date", json()},
      {"pull_request", json()},
      {"repository",
       {{"id", repo.id}, {"name", repo.name}, {"owner", repo.owner}, {"full_name", repo.Path()}}},
      {"pin_order", 0}};
  if (pull != nullptr) {
    object["pull_request"] = {{"merged", pull->merged}, {"merged_at", TimeOrNull(pull->merged_at)}};
  }
  return object;
}

json Objects::CommentObject(const Repo& repo, const Issue& issue, const Note& note,
                            bool on_pull) const {
  const std::string thread = ThreadUrl(repo, issue, on_pull);
  return {{"id", note.id},
          {"html_url", fmt::format("{}#issuecomment-{}", thread, note.id)},
          {"pull_request_url", on_pull ? thread : ""},
          {"issue_url", on_pull ? "" : thread},
          {"user", UserObject(note.author)},
          {"original_author", ""},
          {"original_author_id", 0},
          {"body", note.body},
          {"assets", json::array()},
          {"created_at", FormatUtc(note.created_at)},
          {"updated_at", FormatUtc(note.updated_at)}};
}

json Objects::ReactionObject(const Award& award) const {
  return {{"user", UserObject(award.user)},
          {"content", award.content},
          {"created_at", FormatUtc(award.created_at)}};
}

// --- pull requests ---

json Objects::Branch(const Repo& repo, std::string_view ref, std::string_view sha) const {
  return {{"label", ref},
          {"ref", ref},
          {"sha", sha},
          {"repo_id", repo.id},
          {"repo", RepoObject(repo, Role::kRead)}};
}

json Objects::PullObject(const Repo& repo, const Pull& pull, bool mergeable) const {
  const std::string url = ThreadUrl(repo, pull, true);
  const Result<std::string> tip = ReadRef(repo.git_dir, "refs/heads/" + pull.base_ref);
  const std::string base = pull.open && tip.ok() ? *tip : pull.base_sha;
  const Result<std::string> merge_base = MergeBase(repo.git_dir, base, pull.head_sha);
  return {{"id", pull.id},
          {"url", url},
          {"number", pull.number},
          {"user", UserObject(pull.author)},
          {"title", (pull.draft ? "WIP: " : "") + pull.title},
          {"body", pull.body},
          {"labels", Labels(repo, pull)},
          {"milestone", json()},
          {"assignee", json()},
          {"assignees", json()},
          {"requested_reviewers", json()},
          {"state", StateName(pull)},
          {"is_locked", pull.locked},
          {"comments", pull.notes.size()},
          {"html_url", url},
          {"diff_url", url + ".diff"},
          {"patch_url", url + ".patch"},
          {"mergeable", mergeable},
          {"merged", pull.merged},
          {"merged_at", TimeOrNull(pull.merged_at)},
          {"merge_commit_sha", OrNull(pull.merge_sha)},
          {"merged_by", pull.merged ? UserObject(pull.merged_by) : json()},
          {"allow_maintainer_edit", false},
          {"base", Branch(repo, pull.base_ref, base)},
          {"head", Branch(repo, pull.head_ref, pull.head_sha)},
          {"merge_base", merge_base.ok() ? *merge_base : base},
          {"due_date", json()},
          {"created_at", FormatUtc(pull.created_at)},
          {"updated_at", FormatUtc(pull.updated_at)},
          {"closed_at", TimeOrNull(pull.closed_at)},
          {"pin_order", 0}};
}

json Objects::ReviewObject(const Repo& repo, const Pull& pull, const Review& review) const {
  const std::string url = ThreadUrl(repo, pull, true);
  // Gitea has two words of its own.
  const std::string state = review.state == "CHANGES_REQUESTED" ? "REQUEST_CHANGES"
                            : review.state == "COMMENTED"       ? "COMMENT"
                                                                : review.state;
  return {{"id", review.id},
          {"user", UserObject(review.author)},
          {"team", json()},
          {"state", state},
          {"body", review.body},
          {"commit_id", review.commit_sha},
          {"stale", review.commit_sha != pull.head_sha},
          {"official", false},
          {"dismissed", review.state == "DISMISSED"},
          {"comments_count", LineCount(pull, review.id)},
          {"submitted_at", FormatUtc(review.submitted_at)},
          {"updated_at", FormatUtc(review.submitted_at)},
          {"html_url", fmt::format("{}#issuecomment-{}", url, review.id + kReviewTextIds)},
          {"pull_request_url", url}};
}

json Objects::LineComment(const Repo& repo, const Pull& pull, const Discussion& discussion,
                          const DiffNote& note) const {
  const std::string url = ThreadUrl(repo, pull, true);
  const Position at = discussion.position.value_or(Position{});
  return {{"id", note.id},
          {"body", note.body},
          {"user", UserObject(note.author)},
          {"resolver", discussion.resolved ? UserObject(discussion.resolved_by) : json()},
          {"pull_request_review_id", note.review},
          {"created_at", FormatUtc(note.created_at)},
          {"updated_at", FormatUtc(note.updated_at)},
          {"path", at.path},
          {"commit_id", note.commit_sha},
          {"original_commit_id", ""},
          {"diff_hunk", at.hunk},
          {"position", at.new_line},
          {"original_position", at.old_line},
          {"html_url", fmt::format("{}#issuecomment-{}", url, note.id)},
          {"pull_request_url", url}};
}

// --- the rest ---

json Objects::StatusObject(const Repo& repo, const Status& status) const {
  return {{"id", status.id},
          {"status", status.state},
          {"target_url", status.target_url},
          {"description", status.description},
          {"url", fmt::format("{}/statuses/{}", RepoUrl(repo), status.sha)},
          {"context", status.context},
          {"creator", UserObject(status.creator)},
          {"created_at", FormatUtc(status.created_at)},
          {"updated_at", FormatUtc(status.updated_at)}};
}

json Objects::HookObject(const Hook& hook) const {
  return {{"id", hook.id},
          {"type", "gitea"},
          {"branch_filter", "*"},
          {"config", {{"content_type", "json"}, {"url", hook.url}}},
          {"events", hook.events},
          {"authorization_header", ""},
          {"active", hook.active},
          {"updated_at", FormatUtc(hook.updated_at)},
          {"created_at", FormatUtc(hook.created_at)}};
}

json Objects::PushCommit(const Repo& repo, const CommitInfo& commit) const {
  const auto person = [](const Person& who) {
    return json{{"name", who.name}, {"email", who.email}, {"username", ""}};
  };
  return {{"id", commit.sha},
          {"message", ToValidUtf8(commit.message)},
          {"url", fmt::format("{}/commit/{}", WebUrl(repo), commit.sha)},
          {"author", person(commit.author)},
          {"committer", person(commit.committer)},
          {"verification", json()},
          {"timestamp", FormatUtc(commit.committer.at)},
          {"added", json::array()},
          {"removed", json::array()},
          {"modified", json::array()}};
}

}  // namespace swage::sandbox::gitea
