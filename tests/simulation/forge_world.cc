#include "tests/simulation/forge_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace swage::simulation {
namespace {

constexpr std::int64_t kFirstPull = 1001;
constexpr std::string_view kPrefix = "swage/";

}  // namespace

std::int64_t IssueOfBranch(std::string_view branch) {
  std::int64_t number = 0;
  if (!branch.starts_with(kPrefix)) return 0;
  branch.remove_prefix(kPrefix.size());
  std::from_chars(branch.data(), branch.data() + branch.size(), number);
  return number;
}

ForgeWorld::ForgeWorld(Machine& machine, std::function<void(Event)> emit)
    : machine_(machine), emit_(std::move(emit)) {
  branches[std::string(kBase)] = {CommitSha{std::string(40, '0')}, false};
}

Role ForgeWorld::RoleOf(const Actor& actor) {
  if (actor.id == kAda.id) return Role::kMaintain;
  if (actor.id == kBot.id || actor.id == kRobot.id) return Role::kWrite;
  return actor.id == kEve.id ? Role::kRead : Role::kNone;
}

WorldPull* ForgeWorld::FindPull(std::int64_t number) {
  const std::int64_t at = number - kFirstPull;
  return at < 0 || at >= std::ssize(pulls) ? nullptr : &pulls[static_cast<std::size_t>(at)];
}

WorldPull* ForgeWorld::NewestPull(std::string_view branch) {
  for (auto it = pulls.rbegin(); it != pulls.rend(); ++it) {
    if (it->pull.head_branch == branch) return &*it;
  }
  return nullptr;
}

Issue& ForgeWorld::Touch(std::int64_t number) {
  Issue& issue = issues.at(number).issue;
  issue.updated_at = NewId();
  return issue;
}

std::int64_t ForgeWorld::OpenIssue(const Actor& actor) {
  const std::int64_t number = std::ssize(issues) + 1;
  Issue& issue = issues[number].issue;
  issue.id = NewId();
  issue.number = number;
  issue.title = "Issue " + std::to_string(number);
  issue.body = "Please.";
  issue.web_url = "https://sim/acme/lib/issues/" + std::to_string(number);
  issue.author = actor;
  Touch(number);
  return number;
}

void ForgeWorld::Label(const Actor& actor, std::int64_t number) {
  Issue& issue = Touch(number);
  if (!issue.labels.empty()) return;
  issue.labels.emplace_back(kLabel);
  WorldIssue& in = issues.at(number);
  in.asked = RoleOf(actor) >= Role::kWrite && !actor.is_bot;
  if (in.asked) ++in.generations;
  emit_(IssueLabeled{repo, actor, issue, {std::string(kLabel)}});
}

void ForgeWorld::Unlabel(const Actor& actor, std::int64_t number) {
  Issue& issue = Touch(number);
  if (issue.labels.empty()) return;
  issue.labels.clear();
  issues.at(number).asked = false;
  emit_(IssueUnlabeled{repo, actor, issue, {std::string(kLabel)}});
}

void ForgeWorld::CloseIssue(const Actor& actor, std::int64_t number) {
  Issue& issue = Touch(number);
  if (!issue.open) return;
  issue.open = false;
  issues.at(number).ineligible_since = machine_.Now();
  issues.at(number).asked = false;  // until it is opened again, with its label
  emit_(IssueGone{repo, actor, issue, GoneReason::kClosed});
}

void ForgeWorld::ReopenIssue(const Actor& actor, std::int64_t number) {
  Issue& issue = Touch(number);
  if (issue.open) return;
  issue.open = true;
  WorldIssue& in = issues.at(number);
  in.ineligible_since = {};
  in.asked = !issue.labels.empty() && RoleOf(actor) >= Role::kWrite && !actor.is_bot;
  if (in.asked) ++in.generations;
  emit_(IssueReopened{repo, actor, issue});
}

void ForgeWorld::Comment(const Actor& actor, const Thread& thread, const std::string& body) {
  CommentCreated event;
  event.repo = repo;
  event.actor = actor;
  event.thread = thread;
  event.comment = {NewId(), body, "", actor};
  if (thread.kind == ThreadKind::kIssue) {
    event.issue = issues.at(thread.number).issue;
    event.thread_open = event.issue->open;
    if (body.find("run") != std::string::npos && RoleOf(actor) >= Role::kWrite) {
      ++issues.at(thread.number).generations;
    }
  } else if (const WorldPull* pull = FindPull(thread.number)) {
    event.thread_open = pull->pull.state == PullRequestState::kOpen;
  }
  emit_(std::move(event));
}

void ForgeWorld::EndPull(const Actor& actor, std::int64_t number, bool merge) {
  WorldPull* in = FindPull(number);
  if (in == nullptr || in->pull.state != PullRequestState::kOpen) return;
  in->pull.state = merge ? PullRequestState::kMerged : PullRequestState::kClosed;
  emit_(PullRequestClosed{repo, actor, number, in->pull.head_branch, merge});
}

void ForgeWorld::PushByPerson(const std::string& branch) {
  branches[branch] = {CommitSha{fmt::format("{:0>40}", "a" + NewId())}, false};
}

const WorldComment* ForgeWorld::FindComment(const Thread& thread, std::string_view marker) const {
  for (const WorldComment& comment : comments) {
    if (comment.marker == marker && comment.thread.number == thread.number) return &comment;
  }
  return nullptr;
}

const WorldComment& ForgeWorld::CreateComment(const Thread& thread, std::string_view marker,
                                              std::string_view body) {
  if (FindComment(thread, marker) != nullptr) {
    machine_.Violated("I4", fmt::format("a second comment {}", marker));
  }
  comments.push_back({NewId(), thread, std::string(marker), std::string(body)});
  return comments.back();
}

PullRequest ForgeWorld::CreatePull(const PullRequestDraft& draft) {
  const std::int64_t issue = IssueOfBranch(draft.head_branch);
  const auto of_issue = std::ranges::count_if(
      pulls, [&](const WorldPull& p) { return IssueOfBranch(p.pull.head_branch) == issue; });
  if (NewestPull(draft.head_branch) != nullptr || !issues.contains(issue) ||
      of_issue >= issues.at(issue).generations) {
    machine_.Violated("I1", "one pull request too many: " + draft.head_branch);
  }
  WorldPull& in = pulls.emplace_back();
  in.pull.number = kFirstPull + std::ssize(pulls) - 1;
  in.pull.web_url = "https://sim/acme/lib/pull/" + std::to_string(in.pull.number);
  in.pull.title = draft.title;
  in.pull.head_branch = draft.head_branch;
  in.pull.base_branch = draft.base_branch;
  in.pull.head_sha = branches[draft.head_branch].sha;
  in.pull.draft = draft.draft;
  in.pull.author_id = kBot.id;
  return in.pull;
}

Result<void> ForgeWorld::Push(const std::string& branch, const CommitSha& sha,
                              const CommitSha& expected) {
  const auto it = branches.find(branch);
  const CommitSha now = it == branches.end() ? CommitSha{} : it->second.sha;
  if (now == sha) return Ok();
  if (now != expected) return MakeError(ErrorCode::kConflict, "stale info");
  if (it != branches.end() && !it->second.by_bot) {
    machine_.Violated("I11", "moved a branch of somebody else: " + branch);
  }
  branches[branch] = {sha, true};
  pushed.insert(sha.value);
  return Ok();
}

}  // namespace swage::simulation
