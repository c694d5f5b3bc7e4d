#include "pipeline/intake_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/effects.h"
#include "pipeline/front_matter.h"
#include "pipeline/messages.h"

namespace swage::intake {
namespace {

bool IsOverQuota(const IntakeFacts& facts, const IntakeRules& rules) {
  const bool repo = rules.quota_repo > 0 && facts.starts.in_repo >= rules.quota_repo;
  return repo || (rules.quota_account > 0 && facts.starts.of_account >= rules.quota_account);
}

NewTask FreshTask(const StartRequest& request, FrozenText text, const FrontMatter& front,
                  const IntakeFacts& facts, const IntakeRules& rules) {
  NewTask fresh;
  fresh.repo = request.repo;
  fresh.issue_number = request.text.number;
  fresh.issue_url = request.text.web_url;
  fresh.text = std::move(text);
  fresh.requester = request.actor;
  fresh.branch_prefix = rules.branch_prefix;
  fresh.by_label = request.by_label;
  fresh.remark = request.remark;
  fresh.new_generation = facts.task.has_value();  // merged or closed: a human asks for another one
  fresh.profile = request.profile.empty() ? front.profile : request.profile;
  fresh.base_branch = front.base;
  fresh.priority = front.priority;
  for (const std::int64_t issue : front.depends_on) {
    if (facts.open_dependencies.contains(issue)) fresh.waits_for.push_back(issue);
  }
  if (!fresh.waits_for.empty()) fresh.waits_reason = messages::WaitsForIssues(fresh.waits_for);
  return fresh;
}

// Said once for each text: what is not understood has no effect, and its author should not wonder.
void TellOfFaults(const StartRequest& request, FrontMatter front, IntakePlan& plan,
                  const IntakeRules& rules) {
  if (!front.agent.empty() && front.agent != rules.agent) {
    front.faults.push_back(messages::NoSuchAgent(front.agent, rules.agent));
  }
  if (front.faults.empty()) return;
  const std::string key =
      fmt::format("front-matter-{}-{}", request.text.number, plan.task->text.hash.substr(0, 16));
  plan.effects.push_back(AnswerOnIssue(request.repo, request.actor, request.text.number, key,
                                       messages::FrontMatterFaults(front.faults)));
}

}  // namespace

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

NewEffect AnswerOnIssue(const RepoRef& repo, const Actor& actor, std::int64_t number,
                        const std::string& key, std::string_view sentence) {
  const std::string marker = messages::ReplyMarker(key);
  const std::string answer = messages::Answer(marker, actor.login, sentence);
  return {EffectKind::kComment, fmt::format("reply:{}:{}:{}", repo.forge, repo.id, key), repo,
          TaskId{}, Encode(CommentEffect{{ThreadKind::kIssue, number}, marker, answer})};
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

bool MayAsDelegate(Verb verb, const Actor& actor, const IntakeFacts& facts) {
  if (!facts.task || verb == Verb::kDelegate || verb == Verb::kUndelegate) return false;
  if (verb == Verb::kRun && IsOver(facts.task->state)) return false;
  return std::any_of(facts.delegates.begin(), facts.delegates.end(),
                     [&](const Delegate& d) { return d.account == actor.id; });
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
    plan.changes.push_back({task->id, TaskChangeKind::kRequeue, ResumeKind(*task), request.remark,
                            request.actor.login, "", Freeze(request.text), HeadToAdopt(facts),
                            request.by_label});
    plan.effects.push_back(StickyEffect(request.repo, task->id));
    plan.outcome = "started again";
    return StartOutcome::kStarted;
  }
  if (IsOverQuota(facts, rules)) {
    plan.outcome = messages::OverQuota(facts.starts, rules.quota_repo, rules.quota_account);
    plan.refused = true;
    return StartOutcome::kOverQuota;
  }
  FrozenText text = Freeze(request.text);
  FrontMatter front = ReadFrontMatter(text.body);
  plan.task = FreshTask(request, std::move(text), front, facts, rules);
  plan.effects_for_new_task.push_back(StickyEffect(request.repo, TaskId{}));
  TellOfFaults(request, std::move(front), plan, rules);
  plan.outcome = task ? "task created (new generation)" : "task created";
  return StartOutcome::kStarted;
}

}  // namespace swage::intake
