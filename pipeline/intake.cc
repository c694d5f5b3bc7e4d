#include "pipeline/intake.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "config/repo_allow.h"
#include "pipeline/command.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

IntakePlan Ignore(std::string why) {
  IntakePlan plan;
  plan.outcome = std::move(why);
  plan.ignored = true;
  return plan;
}

// Turned away, which the audit log keeps.
IntakePlan Deny(std::string why) {
  IntakePlan plan = Ignore(std::move(why));
  plan.refused = true;
  return plan;
}

// "swage" -> "", "swage:docs" -> "docs"; nothing for other labels.
std::optional<std::string> TriggerProfile(const std::vector<std::string>& labels,
                                          std::string_view trigger) {
  for (const std::string& label : labels) {
    if (EqualsIgnoreCase(label, trigger)) return "";
    if (label.size() > trigger.size() + 1 && label[trigger.size()] == ':' &&
        EqualsIgnoreCase(std::string_view(label).substr(0, trigger.size()), trigger)) {
      return label.substr(trigger.size() + 1);
    }
  }
  return std::nullopt;
}

NewEffect ReactionTo(const RepoRef& repo, const Thread& thread, std::string_view comment_id,
                     Reaction reaction, TaskId task = {}) {
  const std::string where =
      comment_id.empty()
          ? fmt::format("{}{}", thread.kind == ThreadKind::kIssue ? "i" : "p", thread.number)
          : fmt::format("c{}", comment_id);
  return {
      EffectKind::kReaction,
      fmt::format("reaction:{}:{}:{}:{}", repo.forge, repo.id, where, static_cast<int>(reaction)),
      repo, task, Encode(ReactionEffect{thread, std::string(comment_id), reaction})};
}

NewEffect StickyFor(const RepoRef& repo, TaskId task) {
  return {EffectKind::kSticky, task.value == 0 ? "" : StickyKey(task), repo, task, "{}"};
}

NewEffect Reply(const CommentCreated& e, std::string body, const std::string& marker) {
  return {EffectKind::kComment,
          fmt::format("reply:{}:{}:{}", e.repo.forge, e.repo.id, e.comment.id), e.repo, TaskId{},
          Encode(CommentEffect{e.thread, marker, std::move(body)})};
}

bool IsActive(TaskState s) {
  return s == TaskState::kQueued || s == TaskState::kRunning || s == TaskState::kWaiting;
}

bool HasPullRequest(const Task& task) {
  return task.pr_number != 0;
}

// A run that continues an open pull request is a fix; one without is the implementation again.
RunKind ResumeKind(const Task& task) {
  return HasPullRequest(task) ? RunKind::kFix : RunKind::kImplement;
}

// --- starting: shared by the label and by `run`
// ------------------------------------------------------------

struct StartRequest {
  const RepoRef& repo;
  const Actor& actor;
  const Issue& text;  ///< as it was when the actor asked
  std::string profile;
};

enum class StartOutcome { kStarted, kWorking, kInReview };

StartOutcome PlanStart(const StartRequest& request, const IntakeFacts& facts,
                       const IntakeRules& rules, IntakePlan& plan) {
  const auto& task = facts.task;
  if (task && IsActive(task->state)) {
    plan.outcome = "already being worked on";
    return StartOutcome::kWorking;
  }
  if (task && task->state == TaskState::kInReview) {
    plan.outcome = "already in review";
    return StartOutcome::kInReview;
  }
  if (task && (task->state == TaskState::kFailed || task->state == TaskState::kCancelled)) {
    plan.changes.push_back({task->id, TaskChangeKind::kRequeue, ResumeKind(*task), "",
                            request.actor.login, "", Freeze(request.text)});
    plan.effects.push_back(StickyFor(request.repo, task->id));
    plan.outcome = "started again";
    return StartOutcome::kStarted;
  }
  NewTask fresh;
  fresh.repo = request.repo;
  fresh.issue_number = request.text.number;
  fresh.issue_url = request.text.web_url;
  fresh.text = Freeze(request.text);
  fresh.requester = request.actor;
  fresh.profile = request.profile;
  fresh.branch_prefix = rules.branch_prefix;
  fresh.new_generation = task.has_value();  // merged or closed before: a human asks for another one
  plan.task = std::move(fresh);
  plan.effects_for_new_task.push_back(StickyFor(request.repo, TaskId{}));
  plan.outcome = task ? "task created (new generation)" : "task created";
  return StartOutcome::kStarted;
}

IntakePlan Cancel(const Task& task, const Actor& actor, std::string reason) {
  IntakePlan plan;
  plan.outcome = reason;
  plan.changes.push_back(
      {task.id, TaskChangeKind::kCancel, RunKind::kFix, "", actor.login, std::move(reason)});
  plan.effects.push_back(StickyFor(task.repo, task.id));
  return plan;
}

IntakePlan DecideUnlabeled(const IssueUnlabeled& e, const IntakeFacts& facts,
                           const IntakeRules& rules) {
  if (!TriggerProfile(e.removed, rules.trigger_label)) return Ignore("not the trigger label");
  if (!facts.task || !IsActive(facts.task->state)) return Ignore("nothing to stop");
  if (facts.issue && TriggerProfile(facts.issue->labels, rules.trigger_label)) {
    return Ignore("the label was added again");
  }
  return Cancel(*facts.task, e.actor, messages::LabelRemovedBy(e.actor.login));
}

IntakePlan DecideLabeled(const IssueLabeled& e, const IntakeFacts& facts,
                         const IntakeRules& rules) {
  const auto profile = TriggerProfile(e.added, rules.trigger_label);
  if (!profile) return DecideUnlabeled({e.repo, e.actor, e.issue, e.removed}, facts, rules);
  const Admission admission = Admit(e.repo, e.actor, facts.role, facts.self, rules);
  if (!admission.admitted) {
    IntakePlan plan = Deny(admission.why);
    if (admission.tell) {
      const Thread thread{ThreadKind::kIssue, e.issue.number};
      const std::string key = fmt::format("label-refused-{}-{}", e.issue.number, e.actor.id);
      const std::string marker = messages::ReplyMarker(key);
      plan.effects.push_back(
          {EffectKind::kComment, fmt::format("reply:{}:{}:{}", e.repo.forge, e.repo.id, key),
           e.repo, TaskId{},
           Encode(CommentEffect{thread, marker,
                                messages::Answer(marker, e.actor.login,
                                                 messages::MayNot(facts.role, rules.min_role))})});
    }
    return plan;
  }
  // Deliveries come late and out of order: what counts is whether the issue still asks for work.
  if (!facts.issue || !facts.issue->open) return Ignore("the issue is closed or gone");
  if (!TriggerProfile(facts.issue->labels, rules.trigger_label)) {
    return Ignore("the label was removed again");
  }
  IntakePlan plan;
  const std::string& when = e.issue.updated_at.empty() ? facts.body_digest : e.issue.updated_at;
  plan.command_key =
      fmt::format("label:{}:{}:{}:{}", e.repo.forge, e.repo.id, e.issue.number, when);
  const StartRequest request{e.repo, e.actor, e.issue, *profile};
  if (PlanStart(request, facts, rules, plan) == StartOutcome::kStarted) {
    plan.effects.push_back(
        ReactionTo(e.repo, {ThreadKind::kIssue, e.issue.number}, "", Reaction::kEyes));
  }
  return plan;
}

IntakePlan DecideGone(const IssueGone& e, const IntakeFacts& facts) {
  if (!facts.task || !IsActive(facts.task->state)) return Ignore("nothing to stop");
  if (facts.issue && facts.issue->open) return Ignore("the issue is open again");
  return Cancel(*facts.task, e.actor, messages::IssueGoneReason(e.reason, e.actor.login));
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
  plan.effects.push_back(StickyFor(e.repo, facts.task->id));
  return plan;
}

// --- commands
// ----------------------------------------------------------------------------------------------

// Builds the plan of one command: what changes, and how the author hears of it.
class CommandDecision {
 public:
  CommandDecision(const CommentCreated& event, const IntakeFacts& facts, const IntakeRules& rules)
      : e_(event), facts_(facts), rules_(rules), marker_(messages::ReplyMarker(event.comment.id)) {
    plan_.command_key = fmt::format("comment:{}:{}:{}", e_.repo.forge, e_.repo.id, e_.comment.id);
  }

  IntakePlan Refuse(std::string_view sentence) {
    React(Reaction::kConfused);
    plan_.effects.push_back(
        Reply(e_, messages::Answer(marker_, e_.actor.login, sentence), marker_));
    plan_.outcome = fmt::format("refused: {}", sentence);
    plan_.refused = true;
    return std::move(plan_);
  }

  IntakePlan Run(const Command& command) {
    if (command.verb == Verb::kHelp) {
      return Inform("help", messages::Help(marker_, rules_.command_prefix));
    }
    if (command.verb == Verb::kRun) return Start();
    if (!facts_.task) return Refuse(NoTask());
    const Task& task = *facts_.task;
    switch (command.verb) {
      case Verb::kStatus:
        return Inform("status", messages::Status(marker_, task, rules_.public_url));
      case Verb::kStop:
        return Stop(task);
      case Verb::kRetry:
        return Retry(task);
      case Verb::kFix:
        return Fix(task, command.text);
      case Verb::kGates:
        return Gates(task);
      case Verb::kHelp:
      case Verb::kRun:
        break;
    }
    return Refuse(NoTask());
  }

 private:
  void React(Reaction reaction) {
    plan_.effects.push_back(ReactionTo(e_.repo, e_.thread, e_.comment.id, reaction));
  }

  std::string NoTask() const {
    if (e_.thread.kind == ThreadKind::kPullRequest) {
      return messages::NotMyPullRequest(facts_.pull && facts_.pull->from_fork);
    }
    return messages::NoTaskHere(rules_.command_prefix);
  }

  IntakePlan Inform(std::string_view what, std::string body) {
    React(Reaction::kThumbsUp);
    plan_.effects.push_back(Reply(e_, std::move(body), marker_));
    plan_.outcome = fmt::format("answered {}", what);
    return std::move(plan_);
  }

  IntakePlan Start() {
    if (e_.thread.kind == ThreadKind::kPullRequest) {
      return Refuse(messages::RunNeedsAnIssue(rules_.command_prefix));
    }
    const bool open = facts_.issue && facts_.issue->open && e_.thread_open;
    if (!open) return Refuse(messages::ThreadClosed());
    const Issue& text = e_.issue ? *e_.issue : *facts_.issue;
    switch (PlanStart({e_.repo, e_.actor, text, ""}, facts_, rules_, plan_)) {
      case StartOutcome::kWorking:
        return Refuse(messages::AlreadyWorking(*facts_.task));
      case StartOutcome::kInReview:
        return Refuse(messages::AlreadyInReview(*facts_.task, rules_.command_prefix));
      case StartOutcome::kStarted:
        React(Reaction::kRocket);
        break;
    }
    return std::move(plan_);
  }

  IntakePlan Change(const Task& task, TaskChangeKind kind, RunKind run_kind, std::string remark,
                    std::string reason, std::string outcome) {
    React(Reaction::kRocket);
    plan_.changes.push_back(
        {task.id, kind, run_kind, std::move(remark), e_.actor.login, std::move(reason)});
    plan_.effects.push_back(StickyFor(task.repo, task.id));
    plan_.outcome = std::move(outcome);
    return std::move(plan_);
  }

  IntakePlan Stop(const Task& task) {
    if (!IsActive(task.state)) return Refuse(messages::NothingToStop(task));
    return Change(task, TaskChangeKind::kCancel, RunKind::kFix, "",
                  messages::StoppedBy(e_.actor.login), "stopped");
  }

  IntakePlan Retry(const Task& task) {
    const bool can = task.state == TaskState::kFailed || task.state == TaskState::kCancelled ||
                     task.state == TaskState::kWaiting;
    if (!can) return Refuse(messages::NothingToRetry(task, rules_.command_prefix));
    if (!e_.thread_open) return Refuse(messages::ThreadClosed());
    IntakePlan plan = Change(task, TaskChangeKind::kRequeue, ResumeKind(task), "", "", "retried");
    // Who asks again asks for the issue as it reads now: "say more in the issue, then retry".
    if (e_.issue) plan.changes.back().text = Freeze(*e_.issue);
    return plan;
  }

  IntakePlan Fix(const Task& task, const std::string& remark) {
    if (task.state == TaskState::kMerged || task.state == TaskState::kClosed) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (!e_.thread_open) return Refuse(messages::ThreadClosed());
    const bool steering = task.state == TaskState::kQueued || task.state == TaskState::kRunning;
    const TaskChangeKind kind = steering ? TaskChangeKind::kRemark : TaskChangeKind::kRequeue;
    return Change(task, kind, ResumeKind(task), remark, "",
                  steering ? "remark for the next cycle" : "continues with a remark");
  }

  IntakePlan Gates(const Task& task) {
    if (task.state == TaskState::kMerged || task.state == TaskState::kClosed) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (IsActive(task.state)) return Refuse(messages::AlreadyWorking(task));
    if (!HasPullRequest(task)) return Refuse(messages::NoPullRequestYet(task));
    return Change(task, TaskChangeKind::kRequeue, RunKind::kGates, "", "", "gates run again");
  }

  const CommentCreated& e_;
  const IntakeFacts& facts_;
  const IntakeRules& rules_;
  const std::string marker_;
  IntakePlan plan_;
};

std::string_view VerbName(Verb verb) {
  const auto& verbs = Verbs();
  const auto info =
      std::find_if(verbs.begin(), verbs.end(), [&](const VerbInfo& v) { return v.verb == verb; });
  SWAGE_CHECK(info != verbs.end());
  return info->name;
}

IntakePlan DecideComment(const CommentCreated& e, const IntakeFacts& facts,
                         const IntakeRules& rules) {
  const ParsedComment parsed = ParseComment(e.comment.body, rules.command_prefix, facts.self.login);
  if (!parsed.command && !parsed.bad) return Ignore("no command");
  const Admission admission = Admit(e.repo, e.actor, facts.role, facts.self, rules);
  if (!admission.admitted && !admission.tell) return Deny(admission.why);
  CommandDecision decision(e, facts, rules);
  IntakePlan plan;
  if (!admission.admitted) {
    plan = decision.Refuse(messages::MayNot(facts.role, rules.min_role));
  } else if (parsed.bad) {
    plan = decision.Refuse(messages::UnknownCommand(*parsed.bad, rules.command_prefix));
    plan.outcome = "refused: not a command";  // what was typed instead may be anything
  } else {
    plan = decision.Run(*parsed.command);
  }
  plan.command = rules.command_prefix;
  if (parsed.command) plan.command += fmt::format(" {}", VerbName(parsed.command->verb));
  return plan;
}

Screening Boring(std::string why) {
  return {false, std::move(why), false};
}

}  // namespace

IntakeRules RulesFor(const Settings& settings, const ForgeSettings& forge) {
  IntakeRules rules;
  rules.repos = forge.repos;
  rules.allowed_bots = forge.allowed_bots;
  rules.trigger_label = settings.trigger_label;
  rules.command_prefix = settings.command_prefix;
  rules.min_role = ParseRole(settings.min_role).value_or(Role::kWrite);
  rules.branch_prefix = settings.branch_prefix;
  rules.public_url = settings.public_url;
  return rules;
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
  if (actor == nullptr || actor->id.empty()) return Boring("the payload names no actor");
  const bool own = actor->id == self.id;
  // Our own pull request may be merged with our own token by a human's tool; every other echo is
  // noise.
  if (own && !std::holds_alternative<PullRequestClosed>(event)) return Boring("our own act");
  if (const auto* e = std::get_if<IssueLabeled>(&event)) {
    const bool ours = TriggerProfile(e->added, rules.trigger_label) ||
                      TriggerProfile(e->removed, rules.trigger_label);
    if (!ours) return Boring("not the trigger label");
  }
  if (const auto* e = std::get_if<IssueUnlabeled>(&event)) {
    if (!TriggerProfile(e->removed, rules.trigger_label)) return Boring("not the trigger label");
  }
  if (const auto* e = std::get_if<CommentCreated>(&event)) {
    const ParsedComment parsed = ParseComment(e->comment.body, rules.command_prefix, self.login);
    if (!parsed.command && !parsed.bad) return Boring("no command");
  }
  return {true, "", false};
}

Admission Admit(const RepoRef& repo, const Actor& actor, Role role, const Actor& self,
                const IntakeRules& rules) {
  if (!IsRepoAllowed(rules.repos, repo.path)) {
    return {false, false, fmt::format("{} is not on the allow-list", repo.path)};
  }
  if (actor.id.empty()) return {false, false, "the payload names no actor"};
  if (actor.id == self.id) return {false, false, "our own act"};
  const auto& bots = rules.allowed_bots;
  if (actor.is_bot && std::find(bots.begin(), bots.end(), actor.id) == bots.end()) {
    return {false, false, fmt::format("{} is a bot that is not on the list", actor.login)};
  }
  if (role < rules.min_role) {
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
    IntakePlan operator()(const IssueLabeled& e) { return DecideLabeled(e, facts, rules); }
    IntakePlan operator()(const IssueUnlabeled& e) { return DecideUnlabeled(e, facts, rules); }
    IntakePlan operator()(const IssueGone& e) { return DecideGone(e, facts); }
    IntakePlan operator()(const PullRequestClosed& e) { return DecidePullClosed(e, facts); }
    IntakePlan operator()(const CommentCreated& e) { return DecideComment(e, facts, rules); }
    IntakePlan operator()(const Ignored& e) { return Ignore(e.why); }
  };
  IntakePlan plan = std::visit(Visitor{facts, rules}, event);
  if (const Actor* actor = EventActor(event)) plan.actor = actor->login;
  return plan;
}

}  // namespace swage
