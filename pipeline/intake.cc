#include "pipeline/intake.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "config/repo_allow.h"
#include "pipeline/command.h"
#include "pipeline/effects.h"
#include "pipeline/intake_access.h"
#include "pipeline/intake_commands.h"
#include "pipeline/intake_parts.h"
#include "pipeline/intake_review.h"
#include "pipeline/messages.h"
#include "pipeline/takeover.h"

namespace swage {
namespace {

using intake::AnswerOnIssue;
using intake::Deny;
using intake::Ignore;
using intake::PlanStart;
using intake::ReactionTo;
using intake::StartOutcome;
using intake::StartRequest;

IntakePlan Cancel(const Task& task, const Actor& actor, std::string reason) {
  IntakePlan plan;
  plan.outcome = reason;
  plan.changes.push_back(
      {task.id, TaskChangeKind::kCancel, RunKind::kFix, "", actor.login, std::move(reason)});
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  return plan;
}

// What asked for the work was taken back.
IntakePlan DecideTakenBack(const Actor& actor, std::string reason, const IntakeFacts& facts,
                           const IntakeRules& rules) {
  if (!facts.task || !IsActive(facts.task->state)) return Ignore("nothing to stop");
  if (facts.issue && IsWanted(*facts.issue, rules.triggers, facts.self)) {
    return Ignore("the issue still asks for it");
  }
  return Cancel(*facts.task, actor, std::move(reason));
}

IntakePlan DecideUnlabeled(const IssueUnlabeled& e, const IntakeFacts& facts,
                           const IntakeRules& rules) {
  if (!TriggerProfile(e.removed, rules.triggers.label)) return Ignore("not the trigger label");
  return DecideTakenBack(e.actor, messages::LabelRemovedBy(e.actor.login), facts, rules);
}

IntakePlan DecideUnassigned(const IssueUnassigned& e, const IntakeFacts& facts,
                            const IntakeRules& rules) {
  if (!rules.triggers.Means(e.removed, facts.self)) return Ignore("not our account");
  return DecideTakenBack(e.actor, messages::UnassignedBy(e.actor.login), facts, rules);
}

// A refusal that its author hears of once per issue, however often the label comes and goes.
IntakePlan TellOnIssue(const RepoRef& repo, const Actor& actor, std::int64_t number,
                       const Admission& admission, const IntakeFacts& facts,
                       const IntakeRules& rules) {
  IntakePlan plan = Deny(admission.why);
  if (!admission.tell) return plan;
  plan.effects.push_back(AnswerOnIssue(repo, actor, number,
                                       fmt::format("label-refused-{}-{}", number, actor.id),
                                       messages::MayNot(facts.role, rules.min_role)));
  return plan;
}

// Once for each time that it is asked for.
void TellOverQuota(const RepoRef& repo, const Actor& actor, std::int64_t number, IntakePlan& plan) {
  const std::string key =
      fmt::format("quota-{}-{}", number, Sha256Hex(plan.command_key).substr(0, 16));
  plan.effects.push_back(AnswerOnIssue(repo, actor, number, key, plan.outcome + "."));
}

/// A label, an assignment or a new issue's mention.
struct Asking {
  const Event& event;
  const RepoRef& repo;
  const Actor& actor;  ///< of the event
  const Issue& issue;  ///< as the event shows it
  bool found;          ///< by a poll
  bool stands;         ///< the work is wanted only as long as the issue asks for it
  std::optional<std::string> profile = {};  ///< none: as the issue's labels say now
};

// Nobody approved a text that was edited after it was asked for: whoever asked is asked again
// (T18).
IntakePlan AskAgain(const Asking& e, const IntakeFacts& facts, const IntakeRules& rules) {
  IntakePlan plan = Deny("the text was edited after it was asked for");
  plan.command_key = CommandKey(e.event, facts);
  const ThreadAct& act = facts.wish->act;
  const std::string sentence =
      act.kind == ThreadAct::Kind::kAssigned
          ? messages::EditedSinceAssigned(rules.command_prefix)
          : messages::EditedSinceLabelled(rules.triggers.label, rules.command_prefix);
  plan.effects.push_back(AnswerOnIssue(e.repo, act.actor, e.issue.number,
                                       fmt::format("label-edited-{}-{}", e.issue.number, act.id),
                                       sentence));
  return plan;
}

IntakePlan DecideAsking(const Asking& e, const IntakeFacts& facts, const IntakeRules& rules) {
  // I14: what a poll found has an author only if the forge names one.
  if (e.found && !facts.wish) return Ignore("the forge does not say who asked");
  const Actor& actor = facts.wish ? facts.wish->act.actor : e.actor;
  const Admission admission = Admit(e.repo, actor, {facts.role}, rules.min_role, facts.self, rules);
  if (!admission.admitted) {
    IntakePlan plan = TellOnIssue(e.repo, actor, e.issue.number, admission, facts, rules);
    // One setting of the label, one decision.
    if (admission.tell && facts.wish) plan.command_key = CommandKey(e.event, facts);
    return plan;
  }
  // Deliveries come late and out of order: what counts is whether the issue still asks for work.
  if (!facts.issue || !facts.issue->open) return Ignore("the issue is closed or gone");
  if (e.stands && !IsWanted(*facts.issue, rules.triggers, facts.self)) {
    return Ignore("what asked for it was taken back again");
  }
  // A webhook shows the text that its author saw; of any other asking it is what stands now.
  const bool of_this = !e.found || (facts.wish && facts.wish->last_of_setter);
  const bool told = of_this && !actor.id.empty() && actor.id == e.actor.id;
  if (!told && facts.wish->edited_since) return AskAgain(e, facts, rules);
  IntakePlan plan;
  plan.command_key = CommandKey(e.event, facts);
  const auto profile =
      e.profile ? e.profile : TriggerProfile(facts.issue->labels, rules.triggers.label);
  const StartRequest request{e.repo, actor, told ? e.issue : *facts.issue, profile.value_or(""),
                             e.stands};
  switch (PlanStart(request, facts, rules, plan)) {
    case StartOutcome::kStarted:
      plan.effects.push_back(
          ReactionTo(e.repo, {ThreadKind::kIssue, e.issue.number}, "", Reaction::kEyes));
      break;
    case StartOutcome::kOverQuota:
      TellOverQuota(e.repo, actor, e.issue.number, plan);
      break;
    case StartOutcome::kWorking:
    case StartOutcome::kInReview:
      break;
  }
  return plan;
}

IntakePlan DecideLabeled(const IssueLabeled& e, const IntakeFacts& facts,
                         const IntakeRules& rules) {
  auto profile = TriggerProfile(e.added, rules.triggers.label);
  if (!profile) return DecideUnlabeled({e.repo, e.actor, e.issue, e.removed}, facts, rules);
  return DecideAsking({e, e.repo, e.actor, e.issue, e.found, true, std::move(profile)}, facts,
                      rules);
}

IntakePlan DecideAssigned(const IssueAssigned& e, const IntakeFacts& facts,
                          const IntakeRules& rules) {
  if (!rules.triggers.Means(e.added, facts.self)) {
    return DecideUnassigned({e.repo, e.actor, e.issue, e.removed}, facts, rules);
  }
  return DecideAsking({e, e.repo, e.actor, e.issue, e.found, true}, facts, rules);
}

// Below the first line, too: an issue is no chat.
bool MentionsUs(const Issue& issue, const Actor& self, const IntakeRules& rules) {
  return rules.triggers.mention && Mentions(issue.body, self.login);
}

IntakePlan DecideOpened(const IssueOpened& e, const IntakeFacts& facts, const IntakeRules& rules) {
  const bool stands = e.tells_all && IsWanted(e.issue, rules.triggers, facts.self);
  if (!stands && !MentionsUs(e.issue, facts.self, rules)) return Ignore("asks for nothing");
  return DecideAsking({e, e.repo, e.actor, e.issue, false, stands}, facts, rules);
}

IntakePlan DecideGone(const IssueGone& e, const IntakeFacts& facts) {
  if (!facts.task || !IsActive(facts.task->state)) return Ignore("nothing to stop");
  if (facts.issue && facts.issue->open) return Ignore("the issue is open again");
  return Cancel(*facts.task, e.actor, messages::IssueGoneReason(e.reason, e.actor.login));
}

// The label still asks for the work. What was stopped because the issue was closed goes on, and
// what was labelled while it was closed begins; what ended in any other way stays as it is.
IntakePlan DecideReopened(const IssueReopened& e, const IntakeFacts& facts,
                          const IntakeRules& rules) {
  if (!facts.issue || !facts.issue->open) return Ignore("the issue is closed again or gone");
  if (!IsWanted(*facts.issue, rules.triggers, facts.self)) return Ignore("no trigger label");
  const bool stopped_by_close = facts.task && facts.task->state == TaskState::kCancelled &&
                                messages::TellsOfClosing(facts.task->reason);
  if (facts.task && !stopped_by_close) return Ignore("its task did not end with the issue");
  const std::string& seen = e.issue.updated_at.empty() ? facts.body_digest : e.issue.updated_at;
  const std::string key = fmt::format("reopen:{}:{}:{}:{}", e.repo.forge, e.repo.id, e.issue.number,
                                      e.act.empty() ? seen : e.act);
  const Admission admission =
      Admit(e.repo, e.actor, {facts.role}, rules.min_role, facts.self, rules);
  if (!admission.admitted) {
    IntakePlan plan = TellOnIssue(e.repo, e.actor, e.issue.number, admission, facts, rules);
    // A poll finds it again and again.
    if (admission.tell) plan.command_key = key;
    return plan;
  }
  IntakePlan plan;
  plan.command_key = key;
  const auto profile = TriggerProfile(facts.issue->labels, rules.triggers.label);
  const StartRequest request{e.repo, e.actor, e.issue, profile.value_or(""), true};
  if (PlanStart(request, facts, rules, plan) == StartOutcome::kOverQuota) {
    TellOverQuota(e.repo, e.actor, e.issue.number, plan);
    return plan;
  }
  plan.effects.push_back(
      ReactionTo(e.repo, {ThreadKind::kIssue, e.issue.number}, "", Reaction::kEyes));
  return plan;
}

// F8: the branch is theirs until somebody asks the bot to go on. In the middle of publishing it is
// the bot's own push that shows, unless the forge names somebody else.
IntakePlan DecidePushed(const PullRequestPushed& e, const IntakeFacts& facts,
                        const IntakeRules& rules) {
  if (!facts.task || facts.task->pr_number != e.number) return Ignore("not our pull request");
  const Task& task = *facts.task;
  if (!facts.pull || facts.pull->state != PullRequestState::kOpen) {
    return Ignore("the pull request is closed");
  }
  if (facts.pull->head_sha == task.pushed) return Ignore("our own push");
  const bool at_rest = task.state == TaskState::kInReview;
  const bool at_work = task.state == TaskState::kQueued || task.state == TaskState::kRunning;
  if (!at_rest && !(at_work && !e.actor.id.empty())) return Ignore("nothing to pause");
  IntakePlan plan;
  plan.outcome = messages::HumanTookOver();
  plan.changes.push_back(
      {task.id, TaskChangeKind::kPause, RunKind::kFix, "", e.actor.login, plan.outcome});
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  plan.effects.push_back(TakenOver(task, rules.command_prefix));
  return plan;
}

IntakePlan DecidePullClosed(const PullRequestClosed& e, const IntakeFacts& facts) {
  if (!facts.task || facts.task->pr_number != e.number) return Ignore("not our pull request");
  const TaskState state = facts.task->state;
  if (state == TaskState::kMerged || state == TaskState::kClosed) return Ignore("known already");
  IntakePlan plan;
  plan.outcome = messages::PullRequestClosedBy(e.actor.login, e.merged);
  plan.changes.push_back({facts.task->id,
                          e.merged ? TaskChangeKind::kMerge : TaskChangeKind::kClose, RunKind::kFix,
                          "", e.actor.login, plan.outcome});
  plan.effects.push_back(StickyEffect(e.repo, facts.task->id));
  return plan;
}

// Of the key under which both a new issue and what is found on it later are one request.
std::string_view WordOf(ThreadAct::Kind kind) {
  return kind == ThreadAct::Kind::kAssigned ? "assign" : "label";
}

Screening Boring(std::string why) {
  return {false, std::move(why), false};
}

}  // namespace

IntakeRules RulesFor(const Settings& settings, const ForgeSettings& forge) {
  IntakeRules rules;
  rules.repos = forge.repos;
  rules.allowed_bots = forge.allowed_bots;
  rules.triggers = TriggersFor(settings);
  rules.command_prefix = settings.command_prefix;
  rules.min_role = ParseRole(settings.min_role).value_or(Role::kWrite);
  for (const VerbInfo& info : Verbs()) {
    const auto set = settings.command_roles.find(std::string(info.name));
    if (set == settings.command_roles.end()) continue;
    rules.command_roles[info.verb] = ParseRole(set->second).value_or(rules.min_role);
  }
  rules.branch_prefix = settings.branch_prefix;
  rules.public_url = settings.public_url;
  rules.agent = settings.agent.name;
  rules.quota_repo = settings.quota_repo;
  rules.quota_account = settings.quota_account;
  return rules;
}

Role IntakeRules::RoleFor(Verb verb) const {
  const auto set = command_roles.find(verb);
  return set == command_roles.end() ? min_role : set->second;
}

std::optional<Role> ParseRole(std::string_view name) {
  if (name == "none") return Role::kNone;
  if (name == "read") return Role::kRead;
  if (name == "triage") return Role::kTriage;
  if (name == "write") return Role::kWrite;
  if (name == "maintain") return Role::kMaintain;
  if (name == "admin") return Role::kAdmin;
  return std::nullopt;
}

IntakePlan DecideManual(const ManualRequest& request, const Repo& repo, const IntakeFacts& facts,
                        const IntakeRules& rules) {
  IntakePlan plan;
  const auto refuse = [&](std::string why) {
    plan.refused = plan.parked = true;
    plan.outcome = std::move(why);
  };
  const Actor actor{"", request.actor, false};
  if (repo.archived) {
    refuse(messages::RepoArchived(repo.ref.path));
  } else if (!facts.issue || !facts.issue->open) {
    refuse(messages::IssueIsNotOpen(repo.ref.path, request.issue));
  } else {
    switch (
        PlanStart({repo.ref, actor, *facts.issue, request.profile, false}, facts, rules, plan)) {
      case StartOutcome::kStarted:
        break;
      case StartOutcome::kWorking:
        refuse(messages::AlreadyWorking(*facts.task));
        break;
      case StartOutcome::kInReview:
        refuse(messages::AlreadyInReview(*facts.task, rules.command_prefix));
        break;
      case StartOutcome::kOverQuota:
        refuse(plan.outcome);
        break;
    }
  }
  plan.actor = request.actor;
  plan.command = "swage run";
  return plan;
}

std::string CommandKey(const Event& event, const IntakeFacts& facts) {
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    return fmt::format("comment:{}:{}:{}", e->repo.forge, e->repo.id, e->comment.id);
  }
  if (const auto* e = std::get_if<ReviewSubmitted>(&event); e && facts.review) {
    return ReviewKey(e->repo, e->number, facts.review->id);
  }
  const auto key = [&](std::string_view what, const RepoRef& repo, const Issue& issue) {
    const std::string& told = issue.updated_at.empty() ? facts.body_digest : issue.updated_at;
    return fmt::format("{}:{}:{}:{}:{}", what, repo.forge, repo.id, issue.number,
                       facts.wish ? "#" + facts.wish->act.id : told);
  };
  if (const auto* e = std::get_if<IssueLabeled>(&event)) return key("label", e->repo, e->issue);
  if (const auto* e = std::get_if<IssueAssigned>(&event)) return key("assign", e->repo, e->issue);
  if (const auto* e = std::get_if<IssueOpened>(&event)) {
    if (facts.wish) return key(WordOf(facts.wish->act.kind), e->repo, e->issue);
    return fmt::format("open:{}:{}:{}", e->repo.forge, e->repo.id, e->issue.number);
  }
  return "";
}

std::string ReviewKey(const RepoRef& repo, std::int64_t pull, std::string_view review) {
  return fmt::format("review:{}:{}:{}:{}", repo.forge, repo.id, pull, review);
}

FrozenText Freeze(const Issue& issue) {
  FrozenText text;
  text.title = StripHidden(StripControl(ToValidUtf8(issue.title)));
  text.body = StripHidden(StripControl(ToValidUtf8(issue.body)));
  text.hash = Sha256Hex(text.title + "\n" + text.body);
  return text;
}

Screening Screen(const Event& event, const IntakeRules& rules, const Actor& self) {
  if (const auto* ignored = std::get_if<Ignored>(&event)) return Boring(ignored->why);
  const RepoRef* repo = EventRepo(event);
  if (repo == nullptr || repo->id.empty() || repo->path.empty()) {
    return Boring("the payload names no repository");
  }
  if (!IsRepoAllowed(rules.repos, repo->path)) {
    return {false, fmt::format("{} is not on the allow-list", repo->path), true};
  }
  const Actor* actor = EventActor(event);
  const auto* labeled = std::get_if<IssueLabeled>(&event);
  const auto* assigned = std::get_if<IssueAssigned>(&event);
  const bool nameless = (labeled != nullptr && labeled->found) ||
                        (assigned != nullptr && assigned->found) ||
                        std::holds_alternative<PullRequestPushed>(event);
  if (actor == nullptr || (actor->id.empty() && !nameless)) {
    return Boring("the payload names no actor");
  }
  const bool own = actor->id == self.id;
  // Our own pull request may be merged with our own token by a human's tool; every other echo is
  // noise.
  if (own && !std::holds_alternative<PullRequestClosed>(event)) return Boring("our own act");
  if (labeled != nullptr) {
    const bool ours = TriggerProfile(labeled->added, rules.triggers.label) ||
                      TriggerProfile(labeled->removed, rules.triggers.label);
    if (!ours) return Boring("not the trigger label");
  }
  if (const auto* e = std::get_if<IssueUnlabeled>(&event)) {
    if (!TriggerProfile(e->removed, rules.triggers.label)) return Boring("not the trigger label");
  }
  if (assigned != nullptr) {
    const bool ours = rules.triggers.Means(assigned->added, self) ||
                      rules.triggers.Means(assigned->removed, self);
    if (!ours) return Boring("not our account");
  }
  if (const auto* e = std::get_if<IssueUnassigned>(&event)) {
    if (!rules.triggers.Means(e->removed, self)) return Boring("not our account");
  }
  if (const auto* e = std::get_if<IssueOpened>(&event)) {
    const bool asks = (e->tells_all && IsWanted(e->issue, rules.triggers, self)) ||
                      MentionsUs(e->issue, self, rules);
    if (!asks) return Boring("asks for nothing");
  }
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    const ParsedComment parsed = ParseComment(e->comment.body, rules.command_prefix, self.login);
    if (!parsed.command && !parsed.bad) return Boring("no command");
  }
  return {true, "", false};
}

Admission Admit(const RepoRef& repo, const Actor& actor, const Standing& standing, Role needs,
                const Actor& self, const IntakeRules& rules) {
  if (!IsRepoAllowed(rules.repos, repo.path)) {
    return {false, false, fmt::format("{} is not on the allow-list", repo.path)};
  }
  if (actor.id.empty()) return {false, false, "the payload names no actor"};
  if (actor.id == self.id) return {false, false, "our own act"};
  if (intake::IsForeignBot(actor, rules)) {
    return {false, false, fmt::format("{} is a bot that is not on the list", actor.login)};
  }
  if (standing.role < needs && !standing.is_delegate) {
    return {false, true, fmt::format("{} may not: the role is too low", actor.login)};
  }
  return {true, false, ""};
}

IntakePlan Uninteresting(const Event& event, const Screening& screening) {
  IntakePlan plan = screening.refused ? Deny(screening.why) : Ignore(screening.why);
  if (const Actor* actor = EventActor(event)) plan.actor = actor->login;
  return plan;
}

IntakePlan Decide(const Event& event, const IntakeFacts& facts, const IntakeRules& rules) {
  const Screening screening = Screen(event, rules, facts.self);
  if (!screening.interesting) return Uninteresting(event, screening);
  struct Visitor {
    const IntakeFacts& facts;
    const IntakeRules& rules;
    IntakePlan operator()(const IssueOpened& e) { return DecideOpened(e, facts, rules); }
    IntakePlan operator()(const IssueLabeled& e) { return DecideLabeled(e, facts, rules); }
    IntakePlan operator()(const IssueUnlabeled& e) { return DecideUnlabeled(e, facts, rules); }
    // Looked up first, and decided by what it turns out to be (IntakeGate).
    IntakePlan operator()(const IssueAltered&) { return Ignore("nothing is known of it"); }
    IntakePlan operator()(const ReviewSubmitted& e) {
      return intake::DecideReview(e, facts, rules);
    }
    IntakePlan operator()(const IssueAssigned& e) { return DecideAssigned(e, facts, rules); }
    IntakePlan operator()(const IssueUnassigned& e) { return DecideUnassigned(e, facts, rules); }
    IntakePlan operator()(const IssueGone& e) { return DecideGone(e, facts); }
    IntakePlan operator()(const PullRequestClosed& e) { return DecidePullClosed(e, facts); }
    IntakePlan operator()(const PullRequestPushed& e) { return DecidePushed(e, facts, rules); }
    IntakePlan operator()(const IssueReopened& e) { return DecideReopened(e, facts, rules); }
    IntakePlan operator()(const CommentCreated& e) {
      return intake::DecideComment(e, facts, rules);
    }
    IntakePlan operator()(const ChecksRerequested& e) {
      return intake::DecideRerequested(e, facts, rules);
    }
    IntakePlan operator()(const AccessChanged& e) { return intake::DecideAccess(e, {}); }
    IntakePlan operator()(const Ignored& e) { return Ignore(e.why); }
  };
  IntakePlan plan = std::visit(Visitor{facts, rules}, event);
  const Actor* actor = facts.wish ? &facts.wish->act.actor : EventActor(event);
  if (actor != nullptr) plan.actor = actor->login;
  return plan;
}

}  // namespace swage
