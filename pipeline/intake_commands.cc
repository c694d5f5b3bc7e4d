#include "pipeline/intake_commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/effects.h"
#include "pipeline/intake_parts.h"
#include "pipeline/messages.h"
#include "pipeline/review_remark.h"

namespace swage::intake {
namespace {

constexpr std::size_t kMaxDelegates = 20;  // of a task; more is a team, which has a role

NewEffect Reply(const CommentCreated& e, std::string body, const std::string& marker) {
  return {EffectKind::kComment,
          fmt::format("reply:{}:{}:{}", e.repo.forge, e.repo.id, e.comment.id), e.repo, TaskId{},
          Encode(CommentEffect{e.thread, marker, std::move(body)})};
}

// Builds the plan of one command: what changes, and how the author hears of it.
class CommandDecision {
 public:
  CommandDecision(const CommentCreated& event, const IntakeFacts& facts, const IntakeRules& rules)
      : e_(event), facts_(facts), rules_(rules), marker_(messages::ReplyMarker(event.comment.id)) {
    plan_.command_key = CommandKey(event, facts);
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
    if (command.verb == Verb::kRun) return Start(command.text);
    if (!facts_.task) return Refuse(NoTask());
    const Task& task = *facts_.task;
    switch (command.verb) {
      case Verb::kStatus:
        return Inform("status",
                      messages::Status(marker_, task, facts_.delegates, rules_.public_url));
      case Verb::kStop:
        return Stop(task);
      case Verb::kClose:
        return Close(task);
      case Verb::kRetry:
        return Retry(task);
      case Verb::kFix:
        return Fix(task, command.text);
      case Verb::kGates:
        return Gates(task);
      case Verb::kRebase:
        return Rebase(task);
      case Verb::kTakeover:
        return TakeOver(task);
      case Verb::kHold:
        return Hold(task);
      case Verb::kUnhold:
        return Unhold(task);
      case Verb::kPriority:
        return Prioritize(task, command.priority);
      case Verb::kLogs:
        return Inform("logs", messages::Logs(marker_, task, facts_.steps, rules_.public_url));
      case Verb::kDelegate:
        return LetCommand(task, command.person);
      case Verb::kUndelegate:
        return LetNoMore(task, command.person);
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

  IntakePlan Start(const std::string& remark) {
    if (e_.thread.kind == ThreadKind::kPullRequest) {
      return Refuse(messages::RunNeedsAnIssue(rules_.command_prefix));
    }
    const bool open = facts_.issue && facts_.issue->open && e_.thread_open;
    if (!open) return Refuse(messages::ThreadClosed());
    const Issue& text = e_.issue ? *e_.issue : *facts_.issue;
    // A profile that only reads must not be lost on whoever asks again by a comment.
    const auto profile = TriggerProfile(facts_.issue->labels, rules_.triggers.label);
    switch (PlanStart({e_.repo, e_.actor, text, profile.value_or(""), false, remark}, facts_,
                      rules_, plan_)) {
      case StartOutcome::kWorking:
        return Refuse(messages::AlreadyWorking(*facts_.task));
      case StartOutcome::kInReview:
        return Refuse(messages::AlreadyInReview(*facts_.task, rules_.command_prefix));
      case StartOutcome::kOverQuota:
        return Refuse(plan_.outcome + ".");
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
    if (kind == TaskChangeKind::kRequeue) plan_.changes.back().adopt = HeadToAdopt(facts_);
    plan_.effects.push_back(StickyEffect(task.repo, task.id));
    plan_.outcome = std::move(outcome);
    return std::move(plan_);
  }

  IntakePlan Stop(const Task& task) {
    if (!IsActive(task.state)) return Refuse(messages::NothingToStop(task));
    return Change(task, TaskChangeKind::kCancel, RunKind::kFix, "",
                  messages::StoppedBy(e_.actor.login), "stopped");
  }

  // As if the author had closed it at the forge: final, and another one is another task.
  IntakePlan Close(const Task& task) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (task.pr_number != 0) {
      const std::string marker = messages::ReplyMarker("close-" + e_.comment.id);
      CommentEffect last{{ThreadKind::kPullRequest, task.pr_number},
                         marker,
                         messages::ClosesPullRequest(marker, e_.actor.login, rules_.command_prefix),
                         true};
      plan_.effects.push_back({EffectKind::kComment,
                               fmt::format("close:{}:{}", task.id.value, e_.comment.id), task.repo,
                               task.id, Encode(last)});
    }
    return Change(task, TaskChangeKind::kClose, RunKind::kFix, "",
                  messages::GivenUpBy(e_.actor.login), "closed");
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

  // What is there is judged first: it is somebody else's work.
  IntakePlan TakeOver(const Task& task) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (!HasPullRequest(task)) return Refuse(messages::NoPullRequestYet(task));
    if (task.state != TaskState::kWaiting || HeadToAdopt(facts_).value.empty()) {
      return Refuse(messages::NothingToTakeOver(task));
    }
    return Change(task, TaskChangeKind::kRequeue, RunKind::kGates, "", "", "takes over");
  }

  IntakePlan Hold(const Task& task) {
    const bool can = task.state == TaskState::kQueued || task.state == TaskState::kRunning;
    if (!can) return Refuse(messages::NothingToHold(task));
    return Change(task, TaskChangeKind::kPause, RunKind::kFix, "",
                  messages::HeldBy(e_.actor.login, rules_.command_prefix), "held");
  }

  IntakePlan Unhold(const Task& task) {
    if (task.state != TaskState::kWaiting) return Refuse(messages::NothingToUnhold(task));
    if (!e_.thread_open) return Refuse(messages::ThreadClosed());
    return Change(task, TaskChangeKind::kRequeue, ResumeKind(task), "", "", "goes on");
  }

  // Said of work at rest it counts when it is queued again.
  IntakePlan Prioritize(const Task& task, Priority priority) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    IntakePlan plan = Change(task, TaskChangeKind::kPrioritize, RunKind::kFix, "", "",
                             fmt::format("priority {}", Name(priority)));
    plan.changes.back().priority = priority;
    return plan;
  }

  IntakePlan Fix(const Task& task, const std::string& remark) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (!e_.thread_open) return Refuse(messages::ThreadClosed());
    const bool steering = task.state == TaskState::kQueued || task.state == TaskState::kRunning;
    const TaskChangeKind kind = steering ? TaskChangeKind::kRemark : TaskChangeKind::kRequeue;
    IntakePlan plan = Change(task, kind, ResumeKind(task), remark, "",
                             steering ? "remark for the next cycle" : "continues with a remark");
    if (facts_.place) {
      PlacedRemark placed = RemarkOfComment(e_.comment, *facts_.place, remark, facts_.finding);
      plan.changes.back().remark = std::move(placed.text);
      plan.changes.back().threads = std::move(placed.threads);
    }
    return plan;
  }

  IntakePlan Gates(const Task& task) {
    return OnThePullRequest(task, RunKind::kGates, "gates run again");
  }

  // Commits of other people are not written anew.
  IntakePlan Rebase(const Task& task) {
    if (!HeadToAdopt(facts_).value.empty()) return Refuse(messages::CannotRebaseOthersWork());
    return OnThePullRequest(task, RunKind::kRebase, "put onto the newest base");
  }

  IntakePlan OnThePullRequest(const Task& task, RunKind kind, std::string outcome) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (IsActive(task.state)) return Refuse(messages::AlreadyWorking(task));
    if (!HasPullRequest(task)) return Refuse(messages::NoPullRequestYet(task));
    return Change(task, TaskChangeKind::kRequeue, kind, "", "", std::move(outcome));
  }

  IntakePlan LetCommand(const Task& task, const std::string& login) {
    if (IsOver(task.state)) {
      return Refuse(messages::ClosedIsFinal(task, rules_.command_prefix));
    }
    if (!facts_.named) return Refuse(messages::NoSuchAccount(login));
    const Actor& named = *facts_.named;
    if (named.id == facts_.self.id || IsForeignBot(named, rules_)) {
      return Refuse(messages::BotIsNotListed(named.login));
    }
    if (facts_.delegates.size() >= kMaxDelegates) {
      return Refuse(messages::TooManyDelegates(kMaxDelegates));
    }
    plan_.delegates.push_back({task.id, {named.id, named.login, e_.actor.login}, true});
    return Inform(fmt::format("{} may command the task", named.login),
                  messages::Delegated(marker_, e_.actor.login, named.login, rules_.command_prefix));
  }

  // By the account, or by the name under which it was let in: taking back too much harms nobody.
  IntakePlan LetNoMore(const Task& task, const std::string& login) {
    std::vector<Delegate> gone;
    for (const Delegate& delegate : facts_.delegates) {
      const bool meant = login.empty() || EqualsIgnoreCase(delegate.login, login) ||
                         (facts_.named && facts_.named->id == delegate.account);
      if (meant) gone.push_back(delegate);
    }
    if (gone.empty()) return Refuse(messages::NoSuchDelegate(login, facts_.delegates));
    for (Delegate delegate : gone) {
      delegate.by = e_.actor.login;
      plan_.delegates.push_back({task.id, delegate, false});
    }
    return Inform(fmt::format("{} may not command the task any more",
                              gone.size() == 1 ? gone.front().login : "the delegates"),
                  messages::Undelegated(marker_, e_.actor.login, gone));
  }

  const CommentCreated& e_;
  const IntakeFacts& facts_;
  const IntakeRules& rules_;
  const std::string marker_;
  IntakePlan plan_;
};

std::string NotAdmitted(Verb verb, Role needs, const Actor& actor, const IntakeFacts& facts,
                        const IntakeRules& rules) {
  std::string sentence = messages::MayNot(facts.role, needs);
  const bool could_be_let = facts.task && verb != Verb::kDelegate && verb != Verb::kUndelegate;
  if (could_be_let) sentence += messages::OrBeDelegated(actor.login, rules.command_prefix);
  return sentence;
}

// Plain words to the bot: a remark on its work where there is some, else a wish for it.
Command RequestedBy(const std::string& words, const IntakeFacts& facts) {
  const bool begun = facts.task && !IsOver(facts.task->state);
  return {begun ? Verb::kFix : Verb::kRun, words};
}

}  // namespace

IntakePlan DecideComment(const CommentCreated& e, const IntakeFacts& facts,
                         const IntakeRules& rules) {
  const ParsedComment parsed = ParseComment(e.comment.body, rules.command_prefix, facts.self.login);
  if (!parsed.command && !parsed.bad) return Ignore("no command");
  std::optional<Command> command = parsed.command;
  if (parsed.request && rules.triggers.mention) command = RequestedBy(*parsed.request, facts);
  const Verb verb = command ? command->verb : Verb::kHelp;
  const Role needs = rules.RoleFor(verb);
  const Standing standing{facts.role, MayAsDelegate(verb, e.actor, facts)};
  const Admission admission = Admit(e.repo, e.actor, standing, needs, facts.self, rules);
  if (!admission.admitted && !admission.tell) return Deny(admission.why);
  CommandDecision decision(e, facts, rules);
  IntakePlan plan;
  if (!admission.admitted) {
    plan = decision.Refuse(NotAdmitted(verb, needs, e.actor, facts, rules));
  } else if (!command) {
    plan = decision.Refuse(messages::UnknownCommand(*parsed.bad, rules.command_prefix));
    plan.outcome = "refused: not a command";  // what was typed instead may be anything
  } else {
    plan = decision.Run(*command);
  }
  plan.command = rules.command_prefix;
  if (command) plan.command += fmt::format(" {}", InfoOf(command->verb).name);
  return plan;
}

IntakePlan DecideRerequested(const ChecksRerequested& e, const IntakeFacts& facts,
                             const IntakeRules& rules) {
  if (!facts.task || !HasPullRequest(*facts.task) || !facts.pull) {
    return Ignore("not our pull request");
  }
  const Task& task = *facts.task;
  const Standing standing{facts.role, MayAsDelegate(Verb::kGates, e.actor, facts)};
  const Role needs = rules.RoleFor(Verb::kGates);
  const Admission admission = Admit(e.repo, e.actor, standing, needs, facts.self, rules);
  if (!admission.admitted && !admission.tell) return Deny(admission.why);
  // There is no comment to answer on; it is said once to each person and commit.
  const auto refuse = [&](std::string_view sentence) {
    const std::string key = fmt::format("rerun-{}-{}-{}", task.pr_number, e.head.value, e.actor.id);
    const std::string marker = messages::ReplyMarker(key);
    IntakePlan plan = Deny(fmt::format("refused: {}", sentence));
    plan.effects.push_back(
        {EffectKind::kComment, fmt::format("reply:{}:{}:{}", e.repo.forge, e.repo.id, key), e.repo,
         TaskId{},
         Encode(CommentEffect{{ThreadKind::kPullRequest, task.pr_number},
                              marker,
                              messages::Answer(marker, e.actor.login, sentence)})});
    return plan;
  };
  if (!admission.admitted) {
    return refuse(NotAdmitted(Verb::kGates, needs, e.actor, facts, rules));
  }
  if (IsOver(task.state)) return refuse(messages::ClosedIsFinal(task, rules.command_prefix));
  if (facts.pull->head_sha != e.head) {
    return refuse(messages::ChecksOfOldHead(rules.command_prefix));
  }
  if (IsActive(task.state)) return Ignore("the task is at work already");
  IntakePlan plan;
  plan.outcome = "gates run again";
  plan.command = fmt::format("{} {}", rules.command_prefix, InfoOf(Verb::kGates).name);
  plan.changes.push_back(
      {task.id, TaskChangeKind::kRequeue, RunKind::kGates, "", e.actor.login, ""});
  plan.changes.back().adopt = HeadToAdopt(facts);
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  return plan;
}

}  // namespace swage::intake
