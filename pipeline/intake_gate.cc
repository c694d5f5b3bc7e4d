#include "pipeline/intake_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "config/repo_allow.h"
#include "pipeline/front_matter.h"
#include "pipeline/intake_access.h"
#include "pipeline/intake_parts.h"
#include "pipeline/reconcile/poll_events.h"
#include "pipeline/takeover.h"

namespace swage {
namespace {

constexpr int kMaxHeld = 1'000;  // of a state, at once; the forge's refusals hold back the others

constexpr std::chrono::hours kQuotaTime{1};

std::int64_t IssueNumber(const Event& event) {
  return std::visit(
      [](const auto& e) -> std::int64_t {
        if constexpr (requires { e.thread; }) {
          return e.thread.kind == ThreadKind::kIssue ? e.thread.number : 0;
        } else if constexpr (requires { e.issue; }) {
          return e.issue.number;
        } else {
          return 0;
        }
      },
      event);
}

std::int64_t PullNumber(const Event& event) {
  if (const auto* e = std::get_if<PullRequestClosed>(&event)) return e->number;
  if (const auto* e = std::get_if<PullRequestPushed>(&event)) return e->number;
  if (const auto* e = std::get_if<ReviewSubmitted>(&event)) return e->number;
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    return e->thread.kind == ThreadKind::kPullRequest ? e->thread.number : 0;
  }
  return 0;
}

// Whose rights count. The others only ever stop work; the forge itself checked who may do them.
const Actor* AskingActor(const Event& event, const IntakeFacts& facts) {
  if (facts.wish) return &facts.wish->act.actor;
  const bool asks = std::holds_alternative<IssueOpened>(event) ||
                    std::holds_alternative<IssueLabeled>(event) ||
                    std::holds_alternative<IssueAssigned>(event) ||
                    std::holds_alternative<IssueReopened>(event) ||
                    std::holds_alternative<CommentCreated>(event) ||
                    std::holds_alternative<ReviewSubmitted>(event) ||
                    std::holds_alternative<ChecksRerequested>(event);
  return asks ? EventActor(event) : nullptr;
}

// What on an issue may ask for work as long as it stands.
enum class Asks { kNothing, kLabel, kAssignment };
Asks AsksBy(const Event& event, const IntakeRules& rules, const Actor& self) {
  const auto labelled = [&](const std::vector<std::string>& labels) {
    return TriggerProfile(labels, rules.triggers.label).has_value();
  };
  if (const auto* e = std::get_if<IssueLabeled>(&event); e && labelled(e->added)) {
    return Asks::kLabel;
  }
  if (const auto* e = std::get_if<IssueAssigned>(&event);
      e && rules.triggers.Means(e->added, self)) {
    return Asks::kAssignment;
  }
  if (const auto* e = std::get_if<IssueOpened>(&event); e && e->tells_all) {
    if (labelled(e->issue.labels)) return Asks::kLabel;
    if (rules.triggers.Means(e->issue.assignees, self)) return Asks::kAssignment;
  }
  return Asks::kNothing;
}

// As the event shows it.
const Issue* TextOf(const Event& event) {
  if (const auto* e = std::get_if<IssueOpened>(&event)) return &e->issue;
  if (const auto* e = std::get_if<IssueLabeled>(&event)) return &e->issue;
  if (const auto* e = std::get_if<IssueAssigned>(&event)) return &e->issue;
  if (const auto* e = std::get_if<IssueReopened>(&event)) return &e->issue;
  if (const auto* e = std::get_if<CommentCreated>(&event)) return e->issue ? &*e->issue : nullptr;
  return nullptr;
}

// What cannot be asked now may be asked later; what is refused is known not to be told.
bool IsRefusal(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kDenied || code == ErrorCode::kInvalid;
}

Error NotConfigured(std::string_view forge) {
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("the forge {} is not configured any more", forge));
}

}  // namespace

IntakeGate::IntakeGate(Store& store, ForgeLookup forges, const Settings& settings)
    : store_(store), forges_(std::move(forges)) {
  for (const ForgeSettings& forge : settings.forges) rules_[forge.name] = RulesFor(settings, forge);
}

Result<Actor> IntakeGate::Self(Forge& forge) {
  const auto known = selves_.find(forge.Name());
  if (known != selves_.end()) return known->second;
  SWAGE_ASSIGN_OR_RETURN(Actor self, forge.GetSelf());
  selves_[forge.Name()] = self;
  return self;
}

Result<IntakePlan> IntakeGate::ConsiderManual(const ManualRequest& request) {
  Forge* const forge = forges_(request.forge);
  const auto rules = rules_.find(request.forge);
  if (forge == nullptr || rules == rules_.end()) return NotConfigured(request.forge);
  if (!IsRepoAllowed(rules->second.repos, request.repo)) {
    return MakeError(ErrorCode::kDenied, fmt::format("{} is not on the allow-list", request.repo));
  }
  IntakeFacts facts;
  SWAGE_ASSIGN_OR_RETURN(facts.self, Self(*forge));
  SWAGE_ASSIGN_OR_RETURN(const Repo repo, forge->GetRepo(request.repo));
  SWAGE_RETURN_IF_ERROR(GatherIssue(*forge, repo.ref, request.issue, facts));
  return DecideManual(request, repo, facts, rules->second);
}

Result<IntakePlan> IntakeGate::Consider(std::string_view name, const Event& event,
                                        std::string_view digest) {
  Forge* const forge = forges_(name);
  if (forge == nullptr || !rules_.contains(name)) return NotConfigured(name);
  if (const auto* access = std::get_if<AccessChanged>(&event)) {
    return ConsiderAccess(*forge, *access);
  }
  IntakeFacts facts;
  SWAGE_ASSIGN_OR_RETURN(facts.self, Self(*forge));
  facts.body_digest = std::string(digest);
  const Screening screening = Screen(event, Rules(name), facts.self);
  if (!screening.interesting) return Uninteresting(event, screening);
  if (const auto* e = std::get_if<IssueAltered>(&event)) {
    return ConsiderAltered(*forge, *e, digest);
  }
  if (const auto* e = std::get_if<ReviewSubmitted>(&event)) {
    return ConsiderReview(*forge, *e, std::move(facts));
  }
  return ConsiderInteresting(*forge, event, std::move(facts));
}

// As a poll compares them; the forge is asked only when they mean something for the task.
Result<IntakePlan> IntakeGate::ConsiderAltered(Forge& forge, const IssueAltered& e,
                                               std::string_view digest) {
  const Triggers& triggers = Rules(forge.Name()).triggers;
  SWAGE_ASSIGN_OR_RETURN(const Actor self, Self(forge));
  SWAGE_ASSIGN_OR_RETURN(const auto task, store_.FindTaskByIssue(e.repo, e.issue.number));
  bool by_label = false;
  if (task) {
    SWAGE_ASSIGN_OR_RETURN(by_label, store_.IsByLabel(task->id));
  }
  auto event = EventOfIssue(e.repo, e.issue, task, by_label, {}, triggers, self);
  if (event && std::holds_alternative<IssueUnlabeled>(*event) && forge.Feed() != nullptr) {
    const auto acts = forge.Feed()->ListActs(e.repo, {ThreadKind::kIssue, e.issue.number});
    if (!acts.ok() && !IsRefusal(acts.error().code)) return acts.error();
    if (acts.ok()) event = EventOfIssue(e.repo, e.issue, task, by_label, *acts, triggers, self);
  }
  const bool altered = event && (std::holds_alternative<IssueLabeled>(*event) ||
                                 std::holds_alternative<IssueUnlabeled>(*event) ||
                                 std::holds_alternative<IssueAssigned>(*event) ||
                                 std::holds_alternative<IssueUnassigned>(*event));
  if (!altered) return intake::Ignore("nothing new about the trigger label or our assignment");
  if (auto* found = std::get_if<IssueLabeled>(&*event)) found->actor = e.actor;
  return Consider(forge.Name(), *event, digest);
}

// One that asks for changes is taken as a whole, unless it says another command in so many words.
// Of any other, one delivery is one decision: of several commands in it the first one counts.
Result<IntakePlan> IntakeGate::ConsiderReview(Forge& forge, const ReviewSubmitted& e,
                                              IntakeFacts facts) {
  SWAGE_ASSIGN_OR_RETURN(const auto task, store_.FindTaskByPullRequest(e.repo, e.number));
  if (!task) return intake::Ignore("a review of somebody else's pull request");
  auto review = forge.GetReview(e);
  if (!review.ok() && !IsRefusal(review.error().code)) return review.error();
  if (!review.ok()) return intake::Ignore("the review cannot be seen any more");
  const IntakeRules& rules = Rules(forge.Name());
  std::vector<Comment> texts = {review->text};
  if (e.tells_all && !e.asks_for_changes) {
    texts.insert(texts.end(), review->comments.begin(), review->comments.end());
  }
  for (const Comment& text : texts) {
    const auto command = ParseComment(text.body, rules.command_prefix, facts.self.login).command;
    if (e.asks_for_changes && (!command || command->verb == Verb::kFix)) continue;
    const CommentCreated said{e.repo, e.actor,       {ThreadKind::kPullRequest, e.number},
                              text,   e.thread_open, {}};
    SWAGE_ASSIGN_OR_RETURN(IntakePlan plan, Consider(forge.Name(), said, facts.body_digest));
    if (!plan.ignored) return plan;
  }
  if (!e.asks_for_changes) return intake::Ignore("a review without a command");
  facts.review = std::move(review).value();
  return ConsiderInteresting(forge, e, std::move(facts));
}

Result<IntakePlan> IntakeGate::ConsiderInteresting(Forge& forge, const Event& event,
                                                   IntakeFacts facts) {
  const RepoRef& repo = *EventRepo(event);
  const IntakeRules& rules = Rules(forge.Name());
  const std::int64_t issue = IssueNumber(event);
  const Asks asks = AsksBy(event, rules, facts.self);
  if (forge.Feed() != nullptr && asks != Asks::kNothing) {
    const auto acts = forge.Feed()->ListActs(repo, {ThreadKind::kIssue, issue});
    if (!acts.ok() && !IsRefusal(acts.error().code)) return acts.error();
    if (acts.ok()) {
      facts.wish = asks == Asks::kLabel ? CurrentLabelling(*acts, rules.triggers.label)
                                        : CurrentAssignment(*acts, facts.self);
    }
  }
  SWAGE_ASSIGN_OR_RETURN(const bool obeyed, WasObeyed(event, facts));
  if (obeyed) return intake::Ignore("obeyed before");
  if (const Actor* actor = AskingActor(event, facts)) {
    SWAGE_ASSIGN_OR_RETURN(facts.role, forge.GetRole(repo, *actor));
  }
  if (issue != 0) SWAGE_RETURN_IF_ERROR(GatherIssue(forge, repo, issue, facts));
  if (const Actor* actor = AskingActor(event, facts); actor != nullptr && issue != 0) {
    SWAGE_RETURN_IF_ERROR(GatherStart(forge, event, *actor, facts));
  }
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t pull, FindPullNumber(forge, event));
  if (pull != 0) SWAGE_RETURN_IF_ERROR(GatherPull(forge, repo, pull, event, facts));
  const bool is_request = std::holds_alternative<ChecksRerequested>(event) ||
                          std::holds_alternative<ReviewSubmitted>(event);
  if (is_request && facts.task) {
    SWAGE_ASSIGN_OR_RETURN(facts.delegates, store_.ListDelegates(facts.task->id));
  }
  if (const auto* comment = std::get_if<CommentCreated>(&event); comment && facts.task) {
    SWAGE_RETURN_IF_ERROR(GatherPeople(*comment, forge, facts));
    SWAGE_RETURN_IF_ERROR(GatherPlace(*comment, forge, facts));
  }
  return Decide(event, facts, rules);
}

// A commit may have got its checks before its pull request.
Result<std::int64_t> IntakeGate::FindPullNumber(Forge& forge, const Event& event) {
  const auto* e = std::get_if<ChecksRerequested>(&event);
  if (e == nullptr) return PullNumber(event);
  if (e->number != 0 || e->head_branch.empty()) return e->number;
  SWAGE_ASSIGN_OR_RETURN(const auto pull, forge.FindPullRequest(e->repo, e->head_branch));
  return pull ? pull->number : 0;
}

// Not of one repository, so there is no allow-list to pass: it can only stop work, or let go on
// what was admitted before.
Result<IntakePlan> IntakeGate::ConsiderAccess(Forge& forge, const AccessChanged& event) {
  forge.ForgetRights();
  std::vector<Task> tasks;
  for (const TaskState state : {TaskState::kQueued, TaskState::kRunning, TaskState::kWaiting}) {
    SWAGE_ASSIGN_OR_RETURN(auto some, store_.ListTasks({state, "", kMaxHeld}));
    std::ranges::move(some, std::back_inserter(tasks));
  }
  return intake::DecideAccess(event, tasks);
}

Result<void> IntakeGate::GatherStart(Forge& forge, const Event& event, const Actor& actor,
                                     IntakeFacts& facts) {
  if (facts.task && !intake::IsOver(facts.task->state)) return Ok();  // no other one begins
  const RepoRef& repo = *EventRepo(event);
  const IntakeRules& rules = Rules(forge.Name());
  if (rules.quota_repo > 0 || rules.quota_account > 0) {
    SWAGE_ASSIGN_OR_RETURN(facts.starts, store_.CountStarts(repo, actor.id, kQuotaTime));
  }
  // Whichever of the two texts will count.
  std::set<std::int64_t> wanted;
  const auto look = [&](const Issue& issue) {
    const auto depends_on = ReadFrontMatter(issue.body).depends_on;
    wanted.insert(depends_on.begin(), depends_on.end());
    wanted.erase(issue.number);
  };
  if (const Issue* const told = TextOf(event)) look(*told);
  if (facts.issue) look(*facts.issue);
  for (const std::int64_t number : wanted) {
    SWAGE_ASSIGN_OR_RETURN(const bool open, IsIssueOpen(forge, repo, number));
    if (open) facts.open_dependencies.insert(number);
  }
  return Ok();
}

// Who may command the task, and the account behind a name. Names of people who may not ask are not
// looked up.
Result<void> IntakeGate::GatherPeople(const CommentCreated& event, Forge& forge,
                                      IntakeFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(facts.delegates, store_.ListDelegates(facts.task->id));
  const IntakeRules& rules = Rules(forge.Name());
  const auto command =
      ParseComment(event.comment.body, rules.command_prefix, facts.self.login).command;
  if (!command) return Ok();
  if (command->verb == Verb::kLogs) {
    SWAGE_ASSIGN_OR_RETURN(facts.steps, store_.ListSteps(facts.task->id));
  }
  const std::string& login = command->person;
  const Role needs = std::min(rules.RoleFor(Verb::kDelegate), rules.RoleFor(Verb::kUndelegate));
  if (login.empty() || facts.role < needs) return Ok();
  Result<Actor> named = forge.FindAccount(login);
  if (named.ok()) {
    facts.named = std::move(named).value();
  } else if (named.error().code != ErrorCode::kNotFound) {
    return named.error();
  }
  return Ok();
}

// Of a remark on a line: where, and what the bot has said there before.
Result<void> IntakeGate::GatherPlace(const CommentCreated& event, Forge& forge,
                                     IntakeFacts& facts) {
  if (event.thread.kind != ThreadKind::kPullRequest) return Ok();
  const ParsedComment parsed =
      ParseComment(event.comment.body, Rules(forge.Name()).command_prefix, facts.self.login);
  const bool is_remark = parsed.request || (parsed.command && parsed.command->verb == Verb::kFix);
  if (!is_remark) return Ok();
  auto place = forge.FindPlace(event.repo, event.thread.number, event.comment);
  if (!place.ok() && !IsRefusal(place.error().code)) return place.error();
  if (place.ok()) facts.place = std::move(place).value();
  if (!facts.place) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const auto ledger, store_.ListFindings(facts.task->id));
  const auto head = [](std::string_view thread) { return thread.substr(0, thread.find(':')); };
  for (const LedgerFinding& known : ledger) {
    const bool here = head(known.thread_id) == head(facts.place->thread_id) &&
                      known.finding.path == facts.place->path &&
                      known.finding.line == facts.place->last_line;
    if (known.posted && here) facts.finding = known.finding.message;
  }
  return Ok();
}

// The store refuses a second time all the same; asked here, it spares the forge the questions.
Result<bool> IntakeGate::WasObeyed(const Event& event, const IntakeFacts& facts) {
  const std::string key = CommandKey(event, facts);
  if (key.empty()) return false;
  return store_.IsObeyed(key);
}

Result<void> IntakeGate::GatherIssue(Forge& forge, const RepoRef& repo, std::int64_t number,
                                     IntakeFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(facts.task, store_.FindTaskByIssue(repo, number));
  Result<Issue> issue = forge.GetIssue(repo, number);
  if (issue.ok()) {
    facts.issue = std::move(issue).value();
  } else if (issue.error().code != ErrorCode::kNotFound) {
    return issue.error();
  }
  // Who asks to go on goes on from what is there, whoever pushed it.
  if (facts.task && facts.task->pr_number != 0) {
    Result<PullRequest> pull = forge.GetPullRequest(repo, facts.task->pr_number);
    if (pull.ok()) facts.pull = std::move(pull).value();
  }
  return Ok();
}

Result<void> IntakeGate::GatherPull(Forge& forge, const RepoRef& repo, std::int64_t number,
                                    const Event& event, IntakeFacts& facts) {
  SWAGE_ASSIGN_OR_RETURN(facts.task, store_.FindTaskByPullRequest(repo, number));
  if (std::holds_alternative<PullRequestClosed>(event)) return Ok();
  Result<PullRequest> pull = forge.GetPullRequest(repo, number);
  if (pull.ok()) facts.pull = std::move(pull).value();
  return Ok();
}

}  // namespace swage
