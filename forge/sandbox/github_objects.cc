#include "forge/sandbox/github_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/text.h"
#include "forge/sandbox/github_json.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

// The addresses that every repository object carries: name in the reply, path below the repository.
constexpr std::array<std::pair<const char*, const char*>, 38> kRepoUrls = {{
    {"archive_url", "/{archive_format}{/ref}"},
    {"assignees_url", "/assignees{/user}"},
    {"blobs_url", "/git/blobs{/sha}"},
    {"branches_url", "/branches{/branch}"},
    {"collaborators_url", "/collaborators{/collaborator}"},
    {"comments_url", "/comments{/number}"},
    {"commits_url", "/commits{/sha}"},
    {"compare_url", "/compare/{base}...{head}"},
    {"contents_url", "/contents/{+path}"},
    {"contributors_url", "/contributors"},
    {"deployments_url", "/deployments"},
    {"downloads_url", "/downloads"},
    {"events_url", "/events"},
    {"forks_url", "/forks"},
    {"git_commits_url", "/git/commits{/sha}"},
    {"git_refs_url", "/git/refs{/sha}"},
    {"git_tags_url", "/git/tags{/sha}"},
    {"hooks_url", "/hooks"},
    {"issue_comment_url", "/issues/comments{/number}"},
    {"issue_events_url", "/issues/events{/number}"},
    {"issues_url", "/issues{/number}"},
    {"keys_url", "/keys{/key_id}"},
    {"labels_url", "/labels{/name}"},
    {"languages_url", "/languages"},
    {"merges_url", "/merges"},
    {"milestones_url", "/milestones{/number}"},
    {"notifications_url", "/notifications{?since,all,participating}"},
    {"pulls_url", "/pulls{/number}"},
    {"releases_url", "/releases{/id}"},
    {"stargazers_url", "/stargazers"},
    {"statuses_url", "/statuses/{sha}"},
    {"subscribers_url", "/subscribers"},
    {"subscription_url", "/subscription"},
    {"tags_url", "/tags"},
    {"teams_url", "/teams"},
    {"trees_url", "/git/trees{/sha}"},
    {"url", ""},
    {"svn_url", ""},
}};

constexpr std::array<std::pair<const char*, const char*>, 9> kUserUrls = {{
    {"followers_url", "/followers"},
    {"following_url", "/following{/other_user}"},
    {"gists_url", "/gists{/gist_id}"},
    {"starred_url", "/starred{/owner}{/repo}"},
    {"subscriptions_url", "/subscriptions"},
    {"organizations_url", "/orgs"},
    {"repos_url", "/repos"},
    {"events_url", "/events{/privacy}"},
    {"received_events_url", "/received_events"},
}};

constexpr std::array<const char*, 8> kReactions = {"+1",       "-1",    "laugh",  "hooray",
                                                   "confused", "heart", "rocket", "eyes"};

std::string StateName(const Issue& issue) {
  return issue.open ? "open" : "closed";
}

}  // namespace

std::string GitHubObjects::NodeId(std::string_view kind, Id id) {
  return fmt::format("{}_{}", kind, id);
}

std::string GitHubObjects::ThreadNodeId(const Discussion& discussion) {
  return "PRRT_" + discussion.id;
}

std::string GitHubObjects::RepoUrl(const Repo& repo) const {
  return fmt::format("{}/repos/{}", base_, repo.Path());
}

std::string GitHubObjects::WebUrl(const Repo& repo) const {
  return fmt::format("{}/{}", base_, repo.Path());
}

std::string_view GitHubObjects::RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kRead:
      return "read";
    case Role::kTriage:
      return "triage";
    case Role::kWrite:
      return "write";
    case Role::kMaintain:
      return "maintain";
    case Role::kAdmin:
      return "admin";
  }
  return "none";
}

std::string_view GitHubObjects::Association(const Repo& repo, Id user) const {
  if (EqualsIgnoreCase(world_.UserOf(user).login, repo.owner)) return "OWNER";
  return repo.members.contains(user) ? "COLLABORATOR" : "NONE";
}

// --- people and repositories ---

json GitHubObjects::UserObject(Id id) const {
  const User& user = world_.UserOf(id);
  const std::string url = fmt::format("{}/users/{}", base_, PercentEncode(user.login));
  json object = {{"login", user.login},
                 {"id", user.id},
                 {"node_id", NodeId("U", user.id)},
                 {"avatar_url", fmt::format("{}/avatars/u/{}", base_, user.id)},
                 {"gravatar_id", ""},
                 {"url", url},
                 {"html_url", fmt::format("{}/{}", base_, PercentEncode(user.login))},
                 {"type", user.is_bot ? "Bot" : "User"},
                 {"user_view_type", "public"},
                 {"site_admin", false}};
  for (const auto& [name, path] : kUserUrls) object[name] = url + path;
  return object;
}

json GitHubObjects::FullUser(const User& user) const {
  json object = UserObject(user.id);
  object["name"] = user.name;
  for (const char* unknown :
       {"company", "location", "email", "hireable", "bio", "twitter_username"}) {
    object[unknown] = json();
  }
  object["blog"] = "";
  for (const char* count : {"public_repos", "public_gists", "followers", "following"}) {
    object[count] = 0;
  }
  object["created_at"] = FormatUtc(user.created_at);
  object["updated_at"] = FormatUtc(user.created_at);
  return object;
}

json GitHubObjects::RepoObject(const Repo& repo) const {
  const std::string url = RepoUrl(repo);
  const std::string web = WebUrl(repo);
  const auto is_open = [](const auto& entry) { return entry.second.open; };
  const auto open = std::count_if(repo.issues.begin(), repo.issues.end(), is_open) +
                    std::count_if(repo.pulls.begin(), repo.pulls.end(), is_open);
  Id owner = 0;
  for (const auto& user : world_.users()) {
    if (EqualsIgnoreCase(user->login, repo.owner)) owner = user->id;
  }
  json object = {{"id", repo.id},
                 {"node_id", NodeId("R", repo.id)},
                 {"name", repo.name},
                 {"full_name", repo.Path()},
                 {"private", repo.is_private},
                 {"visibility", repo.is_private ? "private" : "public"},
                 {"owner", UserObject(owner)},
                 {"html_url", web},
                 {"description", OrNull(repo.description)},
                 {"fork", false},
                 {"git_url", web + ".git"},
                 {"ssh_url", web + ".git"},
                 {"clone_url", web + ".git"},
                 {"mirror_url", json()},
                 {"homepage", json()},
                 {"language", json()},
                 {"license", json()},
                 {"size", 0},
                 {"default_branch", repo.default_branch},
                 {"open_issues_count", open},
                 {"open_issues", open},
                 {"is_template", false},
                 {"topics", json::array()},
                 {"archived", repo.archived},
                 {"disabled", false},
                 {"web_commit_signoff_required", false},
                 {"created_at", FormatUtc(repo.created_at)},
                 {"updated_at", FormatUtc(repo.pushed_at)},
                 {"pushed_at", FormatUtc(repo.pushed_at)}};
  for (const auto& [name, path] : kRepoUrls) object[name] = url + path;
  object["svn_url"] = web;
  for (const char* count :
       {"forks", "forks_count", "stargazers_count", "watchers", "watchers_count"}) {
    object[count] = 0;
  }
  for (const char* no : {"has_pages", "has_wiki", "has_discussions", "has_downloads"}) {
    object[no] = false;
  }
  object["has_issues"] = true;
  object["has_projects"] = false;
  return object;
}

json GitHubObjects::FullRepo(const Repo& repo, Role role) const {
  json object = RepoObject(repo);
  object["network_count"] = 0;
  object["subscribers_count"] = 0;
  object["allow_merge_commit"] = true;
  object["allow_squash_merge"] = true;
  object["allow_rebase_merge"] = false;
  object["allow_auto_merge"] = false;
  object["delete_branch_on_merge"] = false;
  object["permissions"] = {{"admin", role >= Role::kAdmin},
                           {"maintain", role >= Role::kMaintain},
                           {"push", role >= Role::kWrite},
                           {"triage", role >= Role::kTriage},
                           {"pull", role >= Role::kRead}};
  return object;
}

// --- issues ---

json GitHubObjects::LabelObject(const Repo& repo, const Label& label) const {
  return {{"id", label.id},
          {"node_id", NodeId("LA", label.id)},
          {"url", fmt::format("{}/labels/{}", RepoUrl(repo), PercentEncode(label.name))},
          {"name", label.name},
          {"color", label.color},
          {"default", false},
          {"description", OrNull(label.description)}};
}

json GitHubObjects::LabelNamed(const Repo& repo, std::string_view name) const {
  for (const Label& label : repo.labels) {
    if (EqualsIgnoreCase(label.name, name)) return LabelObject(repo, label);
  }
  return LabelObject(repo, Label{0, std::string(name), "ededed", ""});  // deleted since
}

json GitHubObjects::Labels(const Repo& repo, const Issue& issue) const {
  json labels = json::array();
  for (const std::string& name : issue.labels) labels.push_back(LabelNamed(repo, name));
  return labels;
}

json GitHubObjects::Rollup(const std::vector<Award>& awards, const std::string& url) const {
  json object = {{"url", url + "/reactions"}, {"total_count", awards.size()}};
  for (const char* content : kReactions) {
    object[content] = std::count_if(awards.begin(), awards.end(), [content](const Award& award) {
      return award.content == content;
    });
  }
  return object;
}

json GitHubObjects::IssueObject(const Repo& repo, const Issue& issue, bool is_pull) const {
  const std::string url = fmt::format("{}/issues/{}", RepoUrl(repo), issue.number);
  const std::string web =
      fmt::format("{}/{}/{}", WebUrl(repo), is_pull ? "pull" : "issues", issue.number);
  json assignees = json::array();
  for (const Id user : issue.assignees) assignees.push_back(UserObject(user));
  json object = {{"id", issue.id},
                 {"node_id", NodeId(is_pull ? "PR" : "I", issue.id)},
                 {"url", url},
                 {"repository_url", RepoUrl(repo)},
                 {"labels_url", url + "/labels{/name}"},
                 {"comments_url", url + "/comments"},
                 {"events_url", url + "/events"},
                 {"html_url", web},
                 {"number", issue.number},
                 {"state", StateName(issue)},
                 {"state_reason", OrNull(issue.state_reason)},
                 {"title", issue.title},
                 {"body", OrNull(issue.body)},
                 {"user", UserObject(issue.author)},
                 {"labels", Labels(repo, issue)},
                 {"assignee", assignees.empty() ? json() : assignees[0]},
                 {"assignees", assignees},
                 {"milestone", json()},
                 {"locked", issue.locked},
                 {"active_lock_reason", json()},
                 {"comments", issue.notes.size()},
                 {"closed_at", TimeOrNull(issue.closed_at)},
                 {"closed_by", issue.closed_by == 0 ? json() : UserObject(issue.closed_by)},
                 {"created_at", FormatUtc(issue.created_at)},
                 {"updated_at", FormatUtc(issue.updated_at)},
                 {"author_association", Association(repo, issue.author)},
                 {"performed_via_github_app", json()},
                 {"timeline_url", url + "/timeline"},
                 {"reactions", Rollup(issue.awards, url)}};
  if (is_pull) {
    const auto& pull = static_cast<const Pull&>(issue);
    object["draft"] = pull.draft;
    object["pull_request"] = {{"url", fmt::format("{}/pulls/{}", RepoUrl(repo), issue.number)},
                              {"html_url", web},
                              {"diff_url", web + ".diff"},
                              {"patch_url", web + ".patch"},
                              {"merged_at", TimeOrNull(pull.merged_at)}};
  }
  return object;
}

json GitHubObjects::CommentObject(const Repo& repo, const Issue& issue, const Note& note,
                                  bool on_pull) const {
  const std::string url = fmt::format("{}/issues/comments/{}", RepoUrl(repo), note.id);
  return {{"id", note.id},
          {"node_id", NodeId("IC", note.id)},
          {"url", url},
          {"html_url", fmt::format("{}/{}/{}#issuecomment-{}", WebUrl(repo),
                                   on_pull ? "pull" : "issues", issue.number, note.id)},
          {"issue_url", fmt::format("{}/issues/{}", RepoUrl(repo), issue.number)},
          {"user", UserObject(note.author)},
          {"body", note.body},
          {"created_at", FormatUtc(note.created_at)},
          {"updated_at", FormatUtc(note.updated_at)},
          {"author_association", Association(repo, note.author)},
          {"performed_via_github_app", json()},
          {"reactions", Rollup(note.awards, url)}};
}

json GitHubObjects::ReactionObject(const Award& award) const {
  return {{"id", award.id},
          {"node_id", NodeId("REA", award.id)},
          {"user", UserObject(award.user)},
          {"content", award.content},
          {"created_at", FormatUtc(award.created_at)}};
}

}  // namespace swage::sandbox
