// What each kind of effect does at the forge.
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/push_refusal.h"
#include "forge/work_scope.h"
#include "pipeline/checkpoint.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"
#include "pipeline/publisher.h"
#include "pipeline/takeover.h"
#include "pipeline/with_remote.h"

namespace swage {
namespace {

// A rule of the repository is for a person to change; meanwhile asking again helps nothing.
Result<void> TellRules(const PushRequest& request, Result<void> pushed) {
  if (pushed.ok() || pushed.error().code != ErrorCode::kDenied) return pushed;
  const auto why = ReadPushRefusal(pushed.error().message);
  if (!why) return pushed;
  return MakeError(
      ErrorCode::kInvalid,
      messages::PushRefused(*why, request.repo.path, request.branch, pushed.error().message));
}

}  // namespace

Result<Publisher::Done> Publisher::Perform(const Effect& effect, Forge& forge,
                                           std::stop_token stop) {
  switch (effect.what.kind) {
    case EffectKind::kReaction:
      return PerformReaction(effect, forge);
    case EffectKind::kComment:
      return PerformComment(effect, forge);
    case EffectKind::kSticky:
      return PerformSticky(effect, forge);
    case EffectKind::kPush:
      return PerformPush(effect, forge, stop);
    case EffectKind::kPullRequest:
      return PerformPullRequest(effect, forge);
    case EffectKind::kStatus:
      return PerformStatus(effect, forge);
    case EffectKind::kReview:
      return PerformReview(effect, forge);
    case EffectKind::kResolve:
      return PerformResolve(effect, forge);
  }
  return MakeError(ErrorCode::kInvalid, "unknown kind of effect");
}

Result<Publisher::Done> Publisher::PerformReaction(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const ReactionEffect e, DecodeReaction(effect.what.payload));
  SWAGE_RETURN_IF_ERROR(forge.EnsureReaction(effect.what.repo, e.thread, e.comment_id, e.reaction));
  return Done{"{}", {}};
}

Result<Publisher::Done> Publisher::PerformComment(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const CommentEffect e, DecodeComment(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(
      const Comment comment,
      forge.EnsureComment(effect.what.repo, e.thread, e.marker, redactor_.Apply(e.body), ""));
  if (e.closes) {
    SWAGE_RETURN_IF_ERROR(forge.ClosePullRequest(effect.what.repo, e.thread.number));
  }
  return Done{DumpJson({{"comment", comment.id}, {"url", comment.web_url}}), {}};
}

Result<Publisher::Done> Publisher::PerformSticky(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, store_.ListSteps(task.id));
  SWAGE_ASSIGN_OR_RETURN(const std::vector<LevelStep> levels, store_.ListLevels(task.id));
  const std::string body =
      messages::Sticky(task, steps, levels, options_.public_url, options_.command_prefix);
  SWAGE_ASSIGN_OR_RETURN(const Comment comment,
                         forge.EnsureComment(task.repo, {ThreadKind::kIssue, task.issue_number},
                                             messages::StickyMarker(task), redactor_.Apply(body),
                                             task.sticky_comment_id));
  Done done{DumpJson({{"comment", comment.id}}), {}};
  done.facts.sticky_comment_id = comment.id;
  return done;
}

// A branch that is there already, though nobody remembers pushing it, may be the bot's own: from a
// push that a lost database knew of (X29). Its commits say so. Between the look at the forge and
// the push the hold is confirmed, so that a publisher that was asleep cannot undo a newer push.
Result<CommitSha> Publisher::TakeOverBranch(const Effect& effect, const Task& task,
                                            const PushRequest& refused, std::stop_token stop) {
  const OwnMark mark{options_.bot.email, messages::TaskTrailer(task)};
  SWAGE_ASSIGN_OR_RETURN(const std::optional<CommitSha> head,
                         workspaces_.FindOwnBranch(task.repo, refused.remote, refused.branch,
                                                   task.base_branch, task.base_sha, mark, stop));
  if (!head && task.pr_number != 0) {
    return EndTask(task, TaskChangeKind::kPause, messages::HumanTookOver(),
                   {TakenOver(task, options_.command_prefix)});
  }
  if (!head) return MakeError(ErrorCode::kConflict, messages::BranchIsForeign(refused.branch));
  SWAGE_ASSIGN_OR_RETURN(const auto held, store_.RenewHolds({effect}, kHold));
  if (held.empty()) return MakeError(ErrorCode::kLeaseLost, "the hold of the push is over");
  log_.Info("taking over the task's own branch",
            {{"task_id", task.id}, {"branch", refused.branch}, {"head", *head}});
  return *head;
}

// The commit may have been made on another node.
Result<void> Publisher::BringHead(const Task& task, const PushRequest& push, std::stop_token stop) {
  if (workspaces_.HasCommit(task.repo, push.sha)) return Ok();
  SWAGE_RETURN_IF_ERROR(workspaces_.Fetch(task.repo, push.remote, task.base_branch, stop));
  const auto brought = BringCommit(store_, workspaces_, task, push.sha);
  if (brought.ok() || brought.error().code != ErrorCode::kNotFound) return brought;
  // Its own node can push it, if that publishes too; so this is tried again.
  return MakeError(ErrorCode::kUnavailable, brought.error().message);
}

Result<void> Publisher::Push(const Effect& effect, const Task& task, PushRequest request,
                             std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(BringHead(task, request, stop));
  SWAGE_RETURN_IF_ERROR(WorkScope::Check(true));
  Result<void> pushed = workspaces_.Push(request, stop);
  if (pushed.ok() || pushed.error().code != ErrorCode::kConflict) {
    return TellRules(request, std::move(pushed));
  }
  SWAGE_ASSIGN_OR_RETURN(request.expected, TakeOverBranch(effect, task, request, stop));
  SWAGE_RETURN_IF_ERROR(WorkScope::Check(true));
  return TellRules(request, workspaces_.Push(request, stop));
}

Result<Publisher::Done> Publisher::PerformPush(const Effect& effect, Forge& forge,
                                               std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const PushEffect e, DecodePush(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  SWAGE_RETURN_IF_ERROR(
      WithRemote(forge, task.repo, GitAccess::kWrite, [&](const GitRemote& remote) {
        return Push(effect, task, {task.repo, remote, e.branch, e.sha, task.pushed}, stop);
      }));
  Done done{DumpJson({{"sha", e.sha.value}}), {}};
  done.facts.pushed = e.sha;
  return done;
}

// The last look before a pull request appears: the word that nobody wants it any more may have been
// lost (I6). What is open already is updated whatever became of the issue.
Result<void> Publisher::CheckStillWanted(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  if (task.pr_number != 0) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const auto objection,
                         FindObjection(forge, store_, task, options_.triggers));
  if (!objection) return Ok();
  return EndTask(task, TaskChangeKind::kCancel, objection->reason, {});
}

// Ends the task that an effect belongs to, and with it the effect, which is no failure.
Error Publisher::EndTask(const Task& task, TaskChangeKind kind, const std::string& reason,
                         std::vector<NewEffect> effects) {
  IntakePlan plan;
  plan.outcome = reason;
  plan.changes.push_back({task.id, kind, RunKind::kFix, "", "", reason});
  plan.effects = std::move(effects);
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  const auto applied = store_.ApplyIntake(plan);
  if (!applied.ok()) return applied.error();
  return MakeError(ErrorCode::kLeaseLost, reason);
}

Result<Publisher::Done> Publisher::PerformPullRequest(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(PullRequestEffect e, DecodePullRequest(effect.what.payload));
  e.draft.title = redactor_.Apply(e.draft.title);
  e.draft.body = redactor_.Apply(e.draft.body);
  SWAGE_RETURN_IF_ERROR(CheckStillWanted(effect, forge));
  SWAGE_ASSIGN_OR_RETURN(const PullRequest pr, forge.EnsurePullRequest(effect.what.repo, e.draft));
  Done done{DumpJson({{"number", pr.number}, {"url", pr.web_url}}), {}};
  done.facts.pr_number = pr.number;
  done.facts.pr_url = pr.web_url;
  return done;
}

Result<Publisher::Done> Publisher::PerformStatus(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(StatusEffect e, DecodeStatus(effect.what.payload));
  e.status.description = redactor_.Apply(e.status.description);
  e.status.summary = redactor_.Apply(e.status.summary);
  for (Annotation& annotation : e.status.annotations) {
    annotation.title = redactor_.Apply(annotation.title);
    annotation.message = redactor_.Apply(annotation.message);
  }
  SWAGE_RETURN_IF_ERROR(forge.EnsureStatus(effect.what.repo, e.status));
  return Done{"{}", {}};
}

Result<Publisher::Done> Publisher::PerformReview(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(ReviewEffect e, DecodeReview(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  e.review.body = redactor_.Apply(e.review.body);
  for (LineComment& comment : e.review.comments) comment.body = redactor_.Apply(comment.body);
  SWAGE_ASSIGN_OR_RETURN(const PostedReview posted,
                         forge.EnsureReview(task.repo, task.pr_number, e.review));
  Done done{DumpJson({{"review", posted.id}, {"url", posted.web_url}}), {}};
  for (const PostedComment& comment : posted.comments) {
    done.facts.posted_findings.emplace_back(comment.fingerprint, comment.thread_id);
  }
  return done;
}

Result<Publisher::Done> Publisher::PerformResolve(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(ResolveEffect e, DecodeResolve(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  if (!e.answers.empty()) {
    for (ThreadReply& answer : e.answers) answer.body = redactor_.Apply(answer.body);
    SWAGE_RETURN_IF_ERROR(forge.EnsureReplies(task.repo, task.pr_number, e.answers));
  }
  Done done{"{}", {}};
  for (const PostedComment& thread : e.threads) {
    const auto resolved = forge.ResolveThread(task.repo, task.pr_number, thread.thread_id,
                                              messages::ResolvedNote(e.head));
    // A person may have deleted the comment: then there is nothing left to resolve.
    if (!resolved.ok() && resolved.error().code != ErrorCode::kNotFound) return resolved.error();
    done.facts.resolved_findings.push_back(thread.fingerprint);
  }
  return done;
}

}  // namespace swage
