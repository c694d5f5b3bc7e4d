#include "forge/sandbox/github_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

json OrNull(const std::string& text) {
  return text.empty() ? json() : json(text);
}
json TimeOrNull(const std::optional<WallTime>& at) {
  return at ? json(FormatUtc(*at)) : json();
}
json Link(const std::string& url) {
  return {{"href", url}};
}

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

/// Where the line counts in the patch, as the old "position" did: lines below the first hunk
/// header.
json PositionInPatch(const Position& position) {
  if (position.whole_file || position.hunk.empty()) return 1;
  return std::max<std::int64_t>(1, std::count(position.hunk.begin(), position.hunk.end(), '\n'));
}

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

// --- people and repositories
// -------------------------------------------------------------------------

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

// --- issues
// ------------------------------------------------------------------------------------------

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

// --- pull requests
// -----------------------------------------------------------------------------------

json GitHubObjects::Branch(const Repo& repo, std::string_view ref, std::string_view sha) const {
  json object = RepoObject(repo);
  json owner = object["owner"];
  return {{"label", fmt::format("{}:{}", repo.owner, ref)},
          {"ref", ref},
          {"sha", sha},
          {"user", std::move(owner)},
          {"repo", std::move(object)}};
}

json GitHubObjects::PullSimple(const Repo& repo, const Pull& pull) const {
  const std::string url = fmt::format("{}/pulls/{}", RepoUrl(repo), pull.number);
  const std::string issue_url = fmt::format("{}/issues/{}", RepoUrl(repo), pull.number);
  const std::string web = fmt::format("{}/pull/{}", WebUrl(repo), pull.number);
  const std::string statuses = fmt::format("{}/statuses/{}", RepoUrl(repo), pull.head_sha);
  const Result<std::string> tip = ReadRef(repo.git_dir, "refs/heads/" + pull.base_ref);
  const std::string base_sha = pull.open && tip.ok() ? *tip : pull.base_sha;
  json object = IssueObject(repo, pull, true);
  for (const char* not_here :
       {"pull_request", "repository_url", "labels_url", "events_url", "timeline_url", "reactions",
        "closed_by", "state_reason", "performed_via_github_app", "comments"}) {
    object.erase(not_here);
  }
  object["url"] = url;
  object["diff_url"] = web + ".diff";
  object["patch_url"] = web + ".patch";
  object["issue_url"] = issue_url;
  object["commits_url"] = url + "/commits";
  object["review_comments_url"] = url + "/comments";
  object["review_comment_url"] = RepoUrl(repo) + "/pulls/comments{/number}";
  object["comments_url"] = issue_url + "/comments";
  object["statuses_url"] = statuses;
  object["merged_at"] = TimeOrNull(pull.merged_at);
  object["merge_commit_sha"] = OrNull(pull.merge_sha);
  object["requested_reviewers"] = json::array();
  object["requested_teams"] = json::array();
  object["head"] = Branch(repo, pull.head_ref, pull.head_sha);
  object["base"] = Branch(repo, pull.base_ref, base_sha);
  object["auto_merge"] = json();
  object["_links"] = {{"self", Link(url)},
                      {"html", Link(web)},
                      {"issue", Link(issue_url)},
                      {"comments", Link(issue_url + "/comments")},
                      {"review_comments", Link(url + "/comments")},
                      {"review_comment", Link(RepoUrl(repo) + "/pulls/comments{/number}")},
                      {"commits", Link(url + "/commits")},
                      {"statuses", Link(statuses)}};
  return object;
}

json GitHubObjects::PullObject(const Repo& repo, const Pull& pull) const {
  json object = PullSimple(repo, pull);
  const std::string base = object["base"]["sha"];
  int additions = 0;
  int deletions = 0;
  const auto files = DiffOf(repo.git_dir, base, pull.head_sha);
  if (files.ok()) {
    for (const FileDiff& file : *files) {
      additions += file.additions;
      deletions += file.deletions;
    }
  }
  const auto commits = CommitsBetween(repo.git_dir, base, pull.head_sha);
  std::size_t review_comments = 0;
  for (const Discussion& discussion : pull.discussions) review_comments += discussion.notes.size();
  const bool mergeable = world_.IsMergeable(repo, pull);
  object["merged"] = pull.merged;
  object["mergeable"] = pull.open ? json(mergeable) : json();
  object["rebaseable"] = pull.open ? json(mergeable) : json();
  object["mergeable_state"] = !pull.open   ? "unknown"
                              : pull.draft ? "draft"
                              : mergeable  ? "clean"
                                           : "dirty";
  object["merged_by"] = pull.merged_by == 0 ? json() : UserObject(pull.merged_by);
  object["comments"] = pull.notes.size();
  object["review_comments"] = review_comments;
  object["maintainer_can_modify"] = false;
  object["commits"] = commits.ok() ? commits->size() : 0;
  object["additions"] = additions;
  object["deletions"] = deletions;
  object["changed_files"] = files.ok() ? files->size() : 0;
  return object;
}

json GitHubObjects::ReviewObject(const Repo& repo, const Pull& pull, const Review& review) const {
  const std::string web =
      fmt::format("{}/pull/{}#pullrequestreview-{}", WebUrl(repo), pull.number, review.id);
  const std::string pull_url = fmt::format("{}/pulls/{}", RepoUrl(repo), pull.number);
  json object = {{"id", review.id},
                 {"node_id", NodeId("PRR", review.id)},
                 {"user", UserObject(review.author)},
                 {"body", review.body},
                 {"state", review.state},
                 {"html_url", web},
                 {"pull_request_url", pull_url},
                 {"author_association", Association(repo, review.author)},
                 {"commit_id", review.commit_sha},
                 {"_links", {{"html", Link(web)}, {"pull_request", Link(pull_url)}}}};
  if (review.state != "PENDING") object["submitted_at"] = FormatUtc(review.submitted_at);
  return object;
}

json GitHubObjects::ReviewComment(const Repo& repo, const Pull& pull, const Discussion& discussion,
                                  const DiffNote& note) const {
  const Position position = discussion.position.value_or(Position{});
  const std::string url = fmt::format("{}/pulls/comments/{}", RepoUrl(repo), note.id);
  const std::string web =
      fmt::format("{}/pull/{}#discussion_r{}", WebUrl(repo), pull.number, note.id);
  const std::string pull_url = fmt::format("{}/pulls/{}", RepoUrl(repo), pull.number);
  const std::string& original = discussion.notes.front().commit_sha;
  // Outdated once the file differs from the one that was commented on.
  const auto then = ReadBlobAt(repo.git_dir, original, position.path);
  const auto now = ReadBlobAt(repo.git_dir, pull.head_sha, position.path);
  const bool current =
      original == pull.head_sha || (then.ok() && now.ok() && then->sha == now->sha);
  const json line = position.line == 0 ? json() : json(position.line);
  const json start = position.start_line == 0 ? json() : json(position.start_line);
  const json at = PositionInPatch(position);
  json object = {
      {"id", note.id},
      {"node_id", NodeId("PRRC", note.id)},
      {"url", url},
      {"html_url", web},
      {"pull_request_url", pull_url},
      {"pull_request_review_id", note.review == 0 ? json() : json(note.review)},
      {"diff_hunk", position.hunk},
      {"path", position.path},
      {"position", current ? at : json()},
      {"original_position", at},
      {"commit_id", current ? pull.head_sha : original},
      {"original_commit_id", original},
      {"user", UserObject(note.author)},
      {"body", note.body},
      {"created_at", FormatUtc(note.created_at)},
      {"updated_at", FormatUtc(note.updated_at)},
      {"author_association", Association(repo, note.author)},
      {"subject_type", position.whole_file ? "file" : "line"},
      {"side", position.side},
      {"line", current ? line : json()},
      {"original_line", line},
      {"start_line", current ? start : json()},
      {"original_start_line", start},
      {"start_side", OrNull(position.start_side)},
      {"reactions", Rollup(note.awards, url)},
      {"_links", {{"self", Link(url)}, {"html", Link(web)}, {"pull_request", Link(pull_url)}}}};
  if (position.whole_file) {
    for (const char* absent : {"line", "original_line", "start_line", "original_start_line"}) {
      object.erase(absent);
    }
  }
  if (note.in_reply_to != 0) object["in_reply_to_id"] = note.in_reply_to;
  return object;
}

json GitHubObjects::FileObject(const Repo& repo, const FileDiff& file, std::string_view sha) const {
  const std::string path = ReplaceAll(PercentEncode(file.path), "%2F", "/");
  json object = {{"sha", file.blob_sha},
                 {"filename", file.path},
                 {"status", file.status},
                 {"additions", file.additions},
                 {"deletions", file.deletions},
                 {"changes", file.additions + file.deletions},
                 {"blob_url", fmt::format("{}/blob/{}/{}", WebUrl(repo), sha, path)},
                 {"raw_url", fmt::format("{}/raw/{}/{}", WebUrl(repo), sha, path)},
                 {"contents_url", fmt::format("{}/contents/{}?ref={}", RepoUrl(repo), path, sha)}};
  if (!file.binary && !file.patch.empty()) object["patch"] = ToValidUtf8(file.patch);
  if (file.status == "renamed") object["previous_filename"] = file.old_path;
  return object;
}

// --- commits, statuses, checks
// -----------------------------------------------------------------------

json GitHubObjects::PersonObject(const Person& person) const {
  return {{"name", person.name}, {"email", person.email}, {"date", FormatUtc(person.at)}};
}

json GitHubObjects::CommitObject(const Repo& repo, const CommitInfo& commit) const {
  const std::string url = fmt::format("{}/commits/{}", RepoUrl(repo), commit.sha);
  const std::string web = fmt::format("{}/commit/{}", WebUrl(repo), commit.sha);
  json parents = json::array();
  for (const std::string& parent : commit.parents) {
    parents.push_back({{"sha", parent},
                       {"url", fmt::format("{}/commits/{}", RepoUrl(repo), parent)},
                       {"html_url", fmt::format("{}/commit/{}", WebUrl(repo), parent)}});
  }
  const json verification = {{"verified", false},
                             {"reason", "unsigned"},
                             {"payload", json()},
                             {"signature", json()},
                             {"verified_at", json()}};
  return {{"sha", commit.sha},
          {"node_id", "C_" + commit.sha},
          {"url", url},
          {"html_url", web},
          {"comments_url", url + "/comments"},
          {"author", json()},  // no account is matched to an address
          {"committer", json()},
          {"parents", parents},
          {"commit",
           {{"url", fmt::format("{}/git/commits/{}", RepoUrl(repo), commit.sha)},
            {"author", PersonObject(commit.author)},
            {"committer", PersonObject(commit.committer)},
            {"message", ToValidUtf8(commit.message)},
            {"comment_count", 0},
            {"tree",
             {{"sha", commit.tree},
              {"url", fmt::format("{}/git/trees/{}", RepoUrl(repo), commit.tree)}}},
            {"verification", verification}}}};
}

json GitHubObjects::StatusObject(const Repo& repo, const Status& status) const {
  return {{"id", status.id},
          {"node_id", NodeId("SC", status.id)},
          {"url", fmt::format("{}/statuses/{}", RepoUrl(repo), status.sha)},
          {"avatar_url", fmt::format("{}/avatars/u/{}", base_, status.creator)},
          {"state", status.state},
          {"description", OrNull(status.description)},
          {"target_url", OrNull(status.target_url)},
          {"context", status.context},
          {"created_at", FormatUtc(status.created_at)},
          {"updated_at", FormatUtc(status.updated_at)},
          {"creator", UserObject(status.creator)}};
}

json GitHubObjects::CheckRunObject(const Repo& repo, const CheckRun& run) const {
  const std::string url = fmt::format("{}/check-runs/{}", RepoUrl(repo), run.id);
  return {{"id", run.id},
          {"node_id", NodeId("CR", run.id)},
          {"name", run.name},
          {"head_sha", run.head_sha},
          {"external_id", run.external_id},
          {"url", url},
          {"html_url", fmt::format("{}/runs/{}", WebUrl(repo), run.id)},
          {"details_url", OrNull(run.details_url)},
          {"status", run.status},
          {"conclusion", OrNull(run.conclusion)},
          {"started_at", TimeOrNull(run.started_at)},
          {"completed_at", TimeOrNull(run.completed_at)},
          {"output",
           {{"title", OrNull(run.title)},
            {"summary", OrNull(run.summary)},
            {"text", OrNull(run.text)},
            {"annotations_count", run.annotations.size()},
            {"annotations_url", url + "/annotations"}}},
          {"check_suite", json()},
          {"app", json()},
          {"pull_requests", json::array()}};
}

// --- webhooks
// ----------------------------------------------------------------------------------------

json GitHubObjects::HookObject(const Repo& repo, const Hook& hook) const {
  const std::string url = fmt::format("{}/hooks/{}", RepoUrl(repo), hook.id);
  json config = {{"url", hook.url}, {"content_type", "json"}, {"insecure_ssl", "0"}};
  if (!hook.secret.empty()) config["secret"] = "********";
  json events = json::array();
  for (const std::string& event : hook.events) events.push_back(event);
  if (events.empty()) events.push_back("*");
  return {{"type", "Repository"},
          {"id", hook.id},
          {"name", "web"},
          {"active", hook.active},
          {"events", events},
          {"config", config},
          {"created_at", FormatUtc(hook.created_at)},
          {"updated_at", FormatUtc(hook.updated_at)},
          {"url", url},
          {"test_url", url + "/test"},
          {"ping_url", url + "/pings"},
          {"deliveries_url", url + "/deliveries"},
          {"last_response", {{"code", json()}, {"status", "unused"}, {"message", json()}}}};
}

json GitHubObjects::DeliveryItem(const Delivery& delivery) const {
  const bool fine = delivery.status >= 200 && delivery.status < 300;
  return {{"id", delivery.id},
          {"guid", delivery.guid},
          {"delivered_at", FormatUtc(delivery.delivered_at)},
          {"redelivery", delivery.redelivery},
          {"duration", static_cast<double>(delivery.duration_ms) / 1000.0},
          {"status", fine ? "OK"
                     : delivery.status == 0
                         ? "failed to connect to host"
                         : fmt::format("Invalid HTTP Response: {}", delivery.status)},
          {"status_code", delivery.status},
          {"event", delivery.event},
          {"action", OrNull(delivery.action)},
          {"installation_id", json()},
          {"repository_id", delivery.repo},
          {"throttled_at", json()}};
}

json GitHubObjects::DeliveryObject(const Delivery& delivery) const {
  json object = DeliveryItem(delivery);
  const Result<json> payload = ParseJson(delivery.payload);
  object["url"] = delivery.url;
  object["request"] = {{"headers", delivery.headers},
                       {"payload", payload.ok() ? *payload : json()}};
  object["response"] = {{"headers", json::object()}, {"payload", ToValidUtf8(delivery.response)}};
  return object;
}

}  // namespace swage::sandbox
