// What GitHub's webhooks say about each event.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxPushCommits = 20;

/// One event on its way to payloads.
class Describer {
 public:
  Describer(World& world, const Event& event, const std::string& base)
      : world_(world), event_(event), objects_(world, base), repo_(world.FindRepo(event.repo)) {
    if (repo_ == nullptr) return;
    pull_ = event.on_pull ? world.FindPull(*repo_, event.number) : nullptr;
    issue_ = event.on_pull ? pull_ : world.FindIssue(*repo_, event.number);
  }

  std::vector<Payload> Describe() {
    if (repo_ == nullptr) return {};
    switch (event_.what) {
      case Happening::kIssueOpened:
        return AboutIssue("opened");
      case Happening::kIssueEdited:
        return AboutIssue("edited", {{"changes", Changes()}});
      case Happening::kIssueClosed:
        return AboutIssue("closed");
      case Happening::kIssueReopened:
        return AboutIssue("reopened");
      case Happening::kIssueDeleted:
        return AboutIssue("deleted");
      case Happening::kIssueTransferred:
        return AboutTransfer();
      case Happening::kLabelsChanged:
        return AboutLabels();
      case Happening::kAssigneesChanged:
        return AboutAssignees();
      case Happening::kNoteCreated:
        return AboutNote("created");
      case Happening::kNoteEdited:
        return AboutNote("edited");
      case Happening::kNoteDeleted:
        return AboutNote("deleted");
      case Happening::kPullOpened:
        return AboutPull("opened");
      case Happening::kPullEdited:
        return AboutPull("edited", {{"changes", Changes()}});
      case Happening::kPullSynchronized:
        return AboutPull("synchronize",
                         {{"before", event_.sha_before}, {"after", event_.sha_after}});
      case Happening::kPullClosed:
        return AboutPull("closed");
      case Happening::kPullReopened:
        return AboutPull("reopened");
      case Happening::kPullReadyForReview:
        return AboutPull("ready_for_review");
      case Happening::kPullConvertedToDraft:
        return AboutPull("converted_to_draft");
      case Happening::kReviewSubmitted:
        return AboutReview();
      case Happening::kDiffNoteCreated:
        return AboutDiffNote();
      case Happening::kPush:
        return AboutPush();
      case Happening::kStatus:
        return AboutStatus();
      case Happening::kPing:
        return AboutPing();
    }
    return {};
  }

 private:
  Payload Make(std::string_view event, std::string_view action, json body) const {
    if (!action.empty()) body["action"] = action;
    body["repository"] = objects_.RepoObject(*repo_);
    if (event == "push") {  // the one event that gives these two as numbers
      body["repository"]["created_at"] = ToMicros(repo_->created_at) / 1'000'000;
      body["repository"]["pushed_at"] = ToMicros(repo_->pushed_at) / 1'000'000;
    }
    body["sender"] = objects_.UserObject(event_.actor);
    return {std::string(event), std::string(action), std::string(event), DumpJson(body)};
  }

  json Changes() const {
    json changes = json::object();
    if (issue_ != nullptr && issue_->title != event_.title_before) {
      changes["title"] = {{"from", event_.title_before}};
    }
    if (issue_ != nullptr && issue_->body != event_.body_before) {
      changes["body"] = {{"from", event_.body_before}};
    }
    return changes;
  }

  std::vector<Payload> AboutIssue(std::string_view action, json extra = json::object()) const {
    if (issue_ == nullptr) return {};
    extra["issue"] = objects_.IssueObject(*repo_, *issue_, false);
    return {Make("issues", action, std::move(extra))};
  }

  std::vector<Payload> AboutTransfer() const {
    Repo* const target = world_.FindRepo(event_.target_repo);
    const Issue* const moved =
        target == nullptr ? nullptr : world_.FindIssue(*target, event_.target_number);
    if (moved == nullptr) return {};
    return AboutIssue("transferred", {{"changes",
                                       {{"new_issue", objects_.IssueObject(*target, *moved, false)},
                                        {"new_repository", objects_.RepoObject(*target)}}}});
  }

  std::vector<Payload> AboutPull(std::string_view action, json extra = json::object()) const {
    if (pull_ == nullptr) return {};
    extra["number"] = pull_->number;
    extra["pull_request"] = objects_.PullObject(*repo_, *pull_);
    return {Make("pull_request", action, std::move(extra))};
  }

  /// One payload per account.
  std::vector<Payload> AboutAssignees() const {
    std::vector<Payload> payloads;
    const auto each = [&](const std::vector<Id>& from, const std::vector<Id>& without,
                          std::string_view action) {
      for (const Id user : from) {
        if (std::ranges::find(without, user) != without.end()) continue;
        for (Payload& payload : AboutIssue(action, {{"assignee", objects_.UserObject(user)}})) {
          payloads.push_back(std::move(payload));
        }
      }
    };
    each(event_.assignees_before, event_.assignees_after, "unassigned");
    each(event_.assignees_after, event_.assignees_before, "assigned");
    return payloads;
  }

  /// One payload per label: "labeled" for the new ones, "unlabeled" for the gone ones.
  std::vector<Payload> AboutLabels() const {
    std::vector<Payload> payloads;
    const auto each = [&](const std::vector<std::string>& from,
                          const std::vector<std::string>& without, std::string_view action) {
      for (const std::string& name : from) {
        if (std::find(without.begin(), without.end(), name) != without.end()) continue;
        const json extra = {{"label", objects_.LabelNamed(*repo_, name)}};
        for (Payload& payload :
             event_.on_pull ? AboutPull(action, extra) : AboutIssue(action, extra)) {
          payloads.push_back(std::move(payload));
        }
      }
    };
    each(event_.labels_before, event_.labels_after, "unlabeled");
    each(event_.labels_after, event_.labels_before, "labeled");
    return payloads;
  }

  std::vector<Payload> AboutNote(std::string_view action) const {
    const World::NoteAt at = world_.FindNote(*repo_, event_.note);
    if (at.note == nullptr) return {};
    json body = {{"issue", objects_.IssueObject(*repo_, *at.issue, at.on_pull)},
                 {"comment", objects_.CommentObject(*repo_, *at.issue, *at.note, at.on_pull)}};
    if (action == "edited") body["changes"] = {{"body", {{"from", event_.body_before}}}};
    return {Make("issue_comment", action, std::move(body))};
  }

  std::vector<Payload> AboutReview() const {
    if (pull_ == nullptr) return {};
    for (const Review& review : pull_->reviews) {
      if (review.id != event_.review || review.state == "PENDING") continue;
      json object = objects_.ReviewObject(*repo_, *pull_, review);
      object["state"] = ToLower(review.state);  // the webhook writes it small
      return {Make(
          "pull_request_review", "submitted",
          {{"review", std::move(object)}, {"pull_request", objects_.PullSimple(*repo_, *pull_)}})};
    }
    return {};
  }

  std::vector<Payload> AboutDiffNote() const {
    const World::DiffNoteAt at = world_.FindDiffNote(*repo_, event_.note);
    if (at.note == nullptr) return {};
    return {Make("pull_request_review_comment", "created",
                 {{"comment", objects_.ReviewComment(*repo_, *at.pull, *at.discussion, *at.note)},
                  {"pull_request", objects_.PullSimple(*repo_, *at.pull)}})};
  }

  json PushCommit(const CommitInfo& commit) const {
    const auto person = [](const Person& who) {
      return json{{"name", who.name}, {"email", who.email}};  // no account is matched to it
    };
    return {{"id", commit.sha},
            {"tree_id", commit.tree},
            {"distinct", true},
            {"message", ToValidUtf8(commit.message)},
            {"timestamp", FormatUtc(commit.committer.at)},
            {"url", fmt::format("{}/commit/{}", objects_.WebUrl(*repo_), commit.sha)},
            {"author", person(commit.author)},
            {"committer", person(commit.committer)},
            {"added", json::array()},
            {"removed", json::array()},
            {"modified", json::array()}};
  }

  std::vector<Payload> AboutPush() const {
    const bool created = event_.sha_before == kZeroSha;
    const bool deleted = event_.sha_after == kZeroSha;
    json commits = json::array();
    json head;
    if (!deleted) {
      const auto list = created ? History(repo_->git_dir, event_.sha_after, 1)
                                : CommitsBetween(repo_->git_dir, event_.sha_before,
                                                 event_.sha_after, kMaxPushCommits);
      for (const CommitInfo& commit : list.ok() ? *list : std::vector<CommitInfo>()) {
        commits.push_back(PushCommit(commit));
      }
      const auto tip = ReadCommit(repo_->git_dir, event_.sha_after);
      if (tip.ok()) head = PushCommit(*tip);
    }
    const bool forced =
        !created && !deleted && !IsAncestor(repo_->git_dir, event_.sha_before, event_.sha_after);
    const User& actor = world_.UserOf(event_.actor);
    return {Make(
        "push", "",
        {{"ref", event_.ref},
         {"before", event_.sha_before},
         {"after", event_.sha_after},
         {"created", created},
         {"deleted", deleted},
         {"forced", forced},
         {"base_ref", json()},
         {"compare", fmt::format("{}/compare/{}...{}", objects_.WebUrl(*repo_),
                                 event_.sha_before.substr(0, 12), event_.sha_after.substr(0, 12))},
         {"commits", std::move(commits)},
         {"head_commit", std::move(head)},
         {"pusher", {{"name", actor.login}, {"email", PersonOf(actor, WallTime{}).email}}}})};
  }

  std::vector<Payload> AboutStatus() const {
    for (const Status& status : repo_->statuses) {
      if (status.id != event_.status) continue;
      json body = objects_.StatusObject(*repo_, status);
      for (const char* key : {"creator", "node_id", "url"})
        body.erase(key);  // only the API has them
      body["sha"] = status.sha;
      body["name"] = repo_->Path();
      body["branches"] = json::array();
      const auto commit = ReadCommit(repo_->git_dir, status.sha);
      body["commit"] = commit.ok() ? objects_.CommitObject(*repo_, *commit) : json();
      return {Make("status", "", std::move(body))};
    }
    return {};
  }

  std::vector<Payload> AboutPing() const {
    const Hook* hook = world_.FindHook(*repo_, event_.hook);
    if (hook == nullptr) return {};
    return {Make("ping", "",
                 {{"zen", "Practicality beats purity."},
                  {"hook_id", hook->id},
                  {"hook", objects_.HookObject(*repo_, *hook)}})};
  }

  World& world_;
  const Event& event_;
  const GitHubObjects objects_;
  Repo* const repo_;
  const Pull* pull_ = nullptr;
  const Issue* issue_ = nullptr;
};

}  // namespace

std::vector<Payload> DescribeForGitHub(World& world, const Event& event, const std::string& base) {
  return Describer(world, event, base).Describe();
}

}  // namespace swage::sandbox
