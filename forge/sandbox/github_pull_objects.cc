// Pull requests, reviews and their comments, and changed files, as GitHub writes them.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/text.h"
#include "forge/sandbox/github_json.h"
#include "forge/sandbox/github_objects.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

/// Where the line counts in the patch, as the old "position" did: lines below the first hunk
/// header.
json PositionInPatch(const Position& position) {
  if (position.whole_file || position.hunk.empty()) return 1;
  return std::max<std::int64_t>(1, std::count(position.hunk.begin(), position.hunk.end(), '\n'));
}

}  // namespace

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

}  // namespace swage::sandbox
