#include "pipeline/intake_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/effects.h"

namespace swage::intake {

IntakePlan Ignore(std::string why) {
  IntakePlan plan;
  plan.outcome = std::move(why);
  plan.ignored = true;
  return plan;
}

IntakePlan Deny(std::string why) {
  IntakePlan plan = Ignore(std::move(why));
  plan.refused = true;
  return plan;
}

NewEffect ReactionTo(const RepoRef& repo, const Thread& thread, std::string_view comment_id,
                     Reaction reaction) {
  const std::string where =
      comment_id.empty()
          ? fmt::format("{}{}", thread.kind == ThreadKind::kIssue ? "i" : "p", thread.number)
          : fmt::format("c{}", comment_id);
  return {
      EffectKind::kReaction,
      fmt::format("reaction:{}:{}:{}:{}", repo.forge, repo.id, where, static_cast<int>(reaction)),
      repo, TaskId{}, Encode(ReactionEffect{thread, std::string(comment_id), reaction})};
}

bool IsForeignBot(const Actor& actor, const IntakeRules& rules) {
  const auto& bots = rules.allowed_bots;
  return actor.is_bot && std::find(bots.begin(), bots.end(), actor.id) == bots.end();
}

bool IsOver(TaskState s) {
  return s == TaskState::kMerged || s == TaskState::kClosed;
}

bool HasPullRequest(const Task& task) {
  return task.pr_number != 0;
}

RunKind ResumeKind(const Task& task) {
  return HasPullRequest(task) ? RunKind::kFix : RunKind::kImplement;
}

CommitSha HeadToAdopt(const IntakeFacts& facts) {
  const bool theirs = facts.task && facts.pull && facts.task->pr_number == facts.pull->number &&
                      facts.pull->state == PullRequestState::kOpen && !facts.pull->from_fork &&
                      facts.pull->head_sha != facts.task->pushed;
  return theirs ? facts.pull->head_sha : CommitSha{};
}

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
                            request.actor.login, "", Freeze(request.text), HeadToAdopt(facts),
                            request.by_label});
    plan.effects.push_back(StickyEffect(request.repo, task->id));
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
  fresh.by_label = request.by_label;
  fresh.new_generation = task.has_value();  // merged or closed before: a human asks for another one
  plan.task = std::move(fresh);
  plan.effects_for_new_task.push_back(StickyEffect(request.repo, TaskId{}));
  plan.outcome = task ? "task created (new generation)" : "task created";
  return StartOutcome::kStarted;
}

}  // namespace swage::intake
