#include "tests/simulation/forge_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace swage::simulation {
namespace {

constexpr std::int64_t kFirstPull = 1001;
constexpr std::string_view kPrefix = "swage/";
const std::string kFirstCommit(40, '0');

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
  branches[std::string(kBase)] = {CommitSha{kFirstCommit}, false};
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

WorldHistory* ForgeWorld::Touch(const Thread& thread) {
  ++revision;
  WorldHistory* history = nullptr;
  if (thread.kind == ThreadKind::kIssue) {
    history = &issues.at(thread.number).history;
  } else if (WorldPull* pull = FindPull(thread.number)) {
    history = &pull->history;
  }
  if (history != nullptr) history->changed = machine_.clock().Now();
  return history;
}

Issue& ForgeWorld::TouchIssue(std::int64_t number) {
  Touch({ThreadKind::kIssue, number});
  Issue& issue = issues.at(number).issue;
  issue.updated_at = NewId();
  return issue;
}

void ForgeWorld::Note(const Thread& thread, ThreadAct::Kind kind, const Actor& actor) {
  WorldHistory* history = Touch(thread);
  const bool label = kind == ThreadAct::Kind::kLabeled || kind == ThreadAct::Kind::kUnlabeled;
  history->acts.push_back(
      {NewId(), kind, actor, std::string(label ? kLabel : ""), machine_.clock().Now()});
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
  TouchIssue(number);
  return number;
}

void ForgeWorld::Label(const Actor& actor, std::int64_t number) {
  Issue& issue = TouchIssue(number);
  if (!issue.labels.empty()) return;
  issue.labels.emplace_back(kLabel);
  Note({ThreadKind::kIssue, number}, ThreadAct::Kind::kLabeled, actor);
  WorldIssue& in = issues.at(number);
  in.asked = in.rightly = RoleOf(actor) >= Role::kWrite && !actor.is_bot;
  if (in.asked) ++in.generations;
  emit_(IssueLabeled{repo, actor, issue, {std::string(kLabel)}});
}

void ForgeWorld::Unlabel(const Actor& actor, std::int64_t number) {
  Issue& issue = TouchIssue(number);
  if (issue.labels.empty()) return;
  issue.labels.clear();
  Note({ThreadKind::kIssue, number}, ThreadAct::Kind::kUnlabeled, actor);
  issues.at(number).asked = false;
  emit_(IssueUnlabeled{repo, actor, issue, {std::string(kLabel)}});
}

void ForgeWorld::CloseIssue(const Actor& actor, std::int64_t number) {
  Issue& issue = TouchIssue(number);
  if (!issue.open) return;
  issue.open = false;
  Note({ThreadKind::kIssue, number}, ThreadAct::Kind::kClosed, actor);
  issues.at(number).ineligible_since = machine_.Now();
  issues.at(number).asked = false;  // until it is opened again, with its label
  emit_(IssueGone{repo, actor, issue, GoneReason::kClosed});
}

void ForgeWorld::ReopenIssue(const Actor& actor, std::int64_t number) {
  Issue& issue = TouchIssue(number);
  if (issue.open) return;
  issue.open = true;
  Note({ThreadKind::kIssue, number}, ThreadAct::Kind::kReopened, actor);
  WorldIssue& in = issues.at(number);
  in.ineligible_since = {};
  in.asked = !issue.labels.empty() && in.rightly;
  // Who opens it again may ask by that, too; a poll does not see who that was.
  if (!issue.labels.empty()) ++in.generations;
  emit_(IssueReopened{repo, actor, issue});
}

void ForgeWorld::Comment(const Actor& actor, const Thread& thread, const std::string& body) {
  CommentCreated event;
  event.repo = repo;
  event.actor = actor;
  event.thread = thread;
  event.comment = {NewId(), body, "", actor};
  Touch(thread);
  said.push_back({thread, event.comment, machine_.clock().Now(), false});
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
  Note({ThreadKind::kPullRequest, number},
       merge ? ThreadAct::Kind::kMerged : ThreadAct::Kind::kClosed, actor);
  emit_(PullRequestClosed{repo, actor, number, in->pull.head_branch, merge});
}

// The pull request that is open shows its branch's head.
void ForgeWorld::MoveHead(const std::string& branch, const CommitSha& sha) {
  branches[branch].sha = sha;
  WorldPull* pull = NewestPull(branch);
  if (pull == nullptr || pull->pull.state != PullRequestState::kOpen) return;
  pull->pull.head_sha = sha;
  Touch({ThreadKind::kPullRequest, pull->pull.number});
}

CommitSha ForgeWorld::CommitByPerson(const std::string& parent) {
  const CommitSha sha{fmt::format("{:0>40}", "a" + NewId())};
  parents[sha.value] = parent;
  return sha;
}

void ForgeWorld::PushByPerson(const std::string& branch) {
  TakeByPerson(branch, branches[branch].sha.value);
}

void ForgeWorld::ForcePushByPerson(const std::string& branch) {
  const bool newest = machine_.rng().OneIn(2);
  TakeByPerson(branch, newest ? branches[std::string(kBase)].sha.value : kFirstCommit);
}

void ForgeWorld::MoveBase() {
  CommitSha& head = branches[std::string(kBase)].sha;
  head = CommitByPerson(head.value);
  ++revision;
}

void ForgeWorld::RewriteBase() {
  CommitSha& head = branches[std::string(kBase)].sha;
  const auto parent = parents.find(head.value);
  if (parent == parents.end()) return;
  head = CommitByPerson(parent->second);
  ++revision;
}

void ForgeWorld::TakeByPerson(const std::string& branch, const std::string& parent) {
  const CommitSha sha = CommitByPerson(parent);
  branches[branch].by_bot = false;
  pushed.insert(sha.value);
  MoveHead(branch, sha);
  const WorldPull* pull = NewestPull(branch);
  if (pull == nullptr) return;
  emit_(PullRequestPushed{repo, kAda, pull->pull.number, branch, sha});
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
  Touch(thread);
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
  Touch({ThreadKind::kPullRequest, in.pull.number});
  return in.pull;
}

bool ForgeWorld::Follows(std::string commit, const std::string& ancestor) const {
  while (commit != ancestor) {
    const auto it = parents.find(commit);
    if (it == parents.end()) return false;
    commit = it->second;
  }
  return true;
}

Result<void> ForgeWorld::Push(const std::string& branch, const CommitSha& sha,
                              const CommitSha& expected) {
  const auto it = branches.find(branch);
  const CommitSha now = it == branches.end() ? CommitSha{} : it->second.sha;
  if (now == sha) return Ok();
  if (now != expected) return MakeError(ErrorCode::kConflict, "stale info");
  if (it != branches.end() && !it->second.by_bot && !Follows(sha.value, expected.value)) {
    machine_.Violated("I11", "threw away what somebody else pushed to " + branch);
  }
  branches[branch].by_bot = true;
  MoveHead(branch, sha);
  pushed.insert(sha.value);
  return Ok();
}

}  // namespace swage::simulation
