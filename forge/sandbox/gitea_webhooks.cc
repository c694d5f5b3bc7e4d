// What Gitea's webhooks say about each event, and what they leave out: which label it was, and
// which review.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/sandbox/gitea_api.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxPushCommits = 5;
constexpr std::string_view kHeads = "refs/heads/";

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
      case Happening::kLabelsChanged:
        return event_.on_pull ? AboutPull("label_updated") : AboutIssue("label_updated");
      case Happening::kAssigneesChanged:
        return AboutIssue(event_.assignees_after.size() < event_.assignees_before.size()
                              ? "unassigned"
                              : "assigned");
      case Happening::kNoteCreated:
        return AboutNote("created");
      case Happening::kNoteEdited:
        return AboutNote("edited");
      case Happening::kNoteDeleted:
        return AboutNote("deleted");
      case Happening::kPullOpened:
        return AboutOpenedPull();
      case Happening::kPullEdited:
        return AboutPull("edited", {{"changes", Changes()}});
      case Happening::kPullReadyForReview:
      case Happening::kPullConvertedToDraft:
        // Only the title tells.
        return AboutPull("edited", {{"changes", {{"title", {{"from", ""}}}}}});
      case Happening::kPullSynchronized:
        return AboutPull("synchronized");
      case Happening::kPullClosed:
        return AboutPull("closed");
      case Happening::kPullReopened:
        return AboutPull("reopened");
      case Happening::kReviewSubmitted:
        return AboutReview();
      case Happening::kDiffNoteCreated:
        return AboutDiffNote();
      case Happening::kPush:
        return AboutPush();
      case Happening::kPing:
        return AboutPing();
      case Happening::kIssueDeleted:
      case Happening::kIssueTransferred:
      case Happening::kStatus:
        return {};  // nobody is told
    }
    return {};
  }

 private:
  Payload Make(std::string_view event, std::string_view action, json body) const {
    if (!action.empty()) body["action"] = action;
    body["repository"] = objects_.RepoObject(*repo_, Role::kRead);
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
    extra["number"] = issue_->number;
    extra["issue"] = objects_.IssueObject(*repo_, *issue_, nullptr);
    extra["commit_id"] = "";
    return {Make("issues", action, std::move(extra))};
  }

  Payload MakePull(std::string_view event, std::string_view action, json extra) const {
    extra["number"] = pull_->number;
    extra["pull_request"] = objects_.PullObject(*repo_, *pull_, false);
    extra["requested_reviewer"] = json();
    extra["commit_id"] = "";
    if (!extra.contains("review")) extra["review"] = json();
    return Make(event, action, std::move(extra));
  }

  std::vector<Payload> AboutPull(std::string_view action, json extra = json::object()) const {
    if (pull_ == nullptr) return {};
    return {MakePull("pull_request", action, std::move(extra))};
  }

  // Its first commits count as a push to it.
  std::vector<Payload> AboutOpenedPull() const {
    std::vector<Payload> payloads = AboutPull("opened");
    for (Payload& payload : AboutPull("synchronized")) payloads.push_back(std::move(payload));
    return payloads;
  }

  json NoteBody(const Issue& issue, const Note& note, const Pull* pull) const {
    return {{"issue", objects_.IssueObject(*repo_, issue, pull)},
            {"comment", objects_.CommentObject(*repo_, issue, note, pull != nullptr)},
            {"is_pull", pull != nullptr}};
  }

  std::vector<Payload> AboutNote(std::string_view action) const {
    const World::NoteAt at = world_.FindNote(*repo_, event_.note);
    if (at.note == nullptr) return {};
    const Pull* pull = at.on_pull ? world_.FindPull(*repo_, at.issue->number) : nullptr;
    json body = NoteBody(*at.issue, *at.note, pull);
    if (action == "edited") body["changes"] = {{"body", {{"from", event_.body_before}}}};
    return {Make("issue_comment", action, std::move(body))};
  }

  std::vector<Payload> AboutReview() const {
    if (pull_ == nullptr) return {};
    for (const Review& review : pull_->reviews) {
      if (review.id != event_.review || review.state == "PENDING") continue;
      const std::string_view word = review.state == "APPROVED"            ? "approved"
                                    : review.state == "CHANGES_REQUESTED" ? "rejected"
                                                                          : "comment";
      const json said = {{"type", fmt::format("pull_request_review_{}", word)},
                         {"content", review.body}};
      return {MakePull(fmt::format("pull_request_{}", word), "reviewed", {{"review", said}})};
    }
    return {};
  }

  // A line comment of a review is not told; an answer to one is, as any other comment.
  std::vector<Payload> AboutDiffNote() const {
    const World::DiffNoteAt at = world_.FindDiffNote(*repo_, event_.note);
    if (at.note == nullptr || at.note->in_reply_to == 0) return {};
    return {Make("issue_comment", "created", NoteBody(*at.pull, *at.note, at.pull))};
  }

  std::vector<Payload> AboutPush() const {
    if (!event_.ref.starts_with(kHeads) || event_.sha_after == kZeroSha) return {};
    std::vector<Payload> payloads;
    const bool created = event_.sha_before == kZeroSha;
    if (created) {
      payloads.push_back(Make("create", "",
                              {{"sha", event_.sha_after},
                               {"ref", event_.ref.substr(kHeads.size())},
                               {"ref_type", "branch"}}));
    }
    json commits = json::array();
    const auto list = created ? History(repo_->git_dir, event_.sha_after, 1)
                              : CommitsBetween(repo_->git_dir, event_.sha_before, event_.sha_after,
                                               kMaxPushCommits);
    for (const CommitInfo& commit : list.ok() ? *list : std::vector<CommitInfo>()) {
      commits.push_back(objects_.PushCommit(*repo_, commit));
    }
    const auto tip = ReadCommit(repo_->git_dir, event_.sha_after);
    payloads.push_back(
        Make("push", "",
             {{"ref", event_.ref},
              {"before", event_.sha_before},
              {"after", event_.sha_after},
              {"compare_url", fmt::format("{}/compare/{}...{}", objects_.WebUrl(*repo_),
                                          event_.sha_before, event_.sha_after)},
              {"total_commits", commits.size()},
              {"commits", std::move(commits)},
              {"head_commit", tip.ok() ? objects_.PushCommit(*repo_, *tip) : json()},
              {"pusher", objects_.UserObject(event_.actor)}}));
    return payloads;
  }

  // The button "Test delivery" sends a push that moved nothing.
  std::vector<Payload> AboutPing() const {
    const auto tip = ReadRef(repo_->git_dir, std::string(kHeads) + repo_->default_branch);
    if (!tip.ok()) return {};
    return {Make("push", "",
                 {{"ref", std::string(kHeads) + repo_->default_branch},
                  {"before", *tip},
                  {"after", *tip},
                  {"total_commits", 0},
                  {"commits", json::array()},
                  {"pusher", objects_.UserObject(event_.actor)}})};
  }

  World& world_;
  const Event& event_;
  const Objects objects_;
  Repo* const repo_;
  const Pull* pull_ = nullptr;
  const Issue* issue_ = nullptr;
};

}  // namespace

std::vector<Payload> DescribeEvent(World& world, const Event& event, const std::string& base) {
  return Describer(world, event, base).Describe();
}

}  // namespace swage::sandbox::gitea
