#include "pipeline/intake_review.h"

#include <fmt/format.h>

#include "pipeline/effects.h"
#include "pipeline/intake_parts.h"
#include "pipeline/messages.h"
#include "pipeline/review_remark.h"

namespace swage::intake {
namespace {

// What a text of the review says to the work. A command in it is obeyed by itself where an event of
// its own tells of it; what it says behind `fix` is as good as any other word of the review.
std::string WordsOf(const Comment& comment, bool told_elsewhere, const IntakeFacts& facts,
                    const IntakeRules& rules) {
  const ParsedComment parsed = ParseComment(comment.body, rules.command_prefix, facts.self.login);
  if (!parsed.command && !parsed.bad) return comment.body;
  if (told_elsewhere) return {};
  if (parsed.request) return *parsed.request;
  return parsed.command && parsed.command->verb == Verb::kFix ? parsed.command->text : "";
}

PlacedRemark Read(const ReviewSubmitted& e, const IntakeFacts& facts, const IntakeRules& rules) {
  std::vector<Comment> comments = facts.review->comments;
  for (Comment& comment : comments) {
    comment.body = WordsOf(comment, !e.tells_all, facts, rules);
  }
  return RemarkOfReview(e.actor.login, WordsOf(facts.review->text, false, facts, rules), comments);
}

// Whoever reviews speaks to the pull request, not to the bot: work that people have put aside or
// taken over stays so, and they are told how it goes on.
IntakePlan NotTakenUp(const ReviewSubmitted& e, const IntakeFacts& facts,
                      const IntakeRules& rules) {
  const Task& task = *facts.task;
  IntakePlan plan = Deny("the task rests");
  plan.command_key = CommandKey(e, facts);
  const std::string key = fmt::format("review-{}-{}", e.number, facts.review->id);
  plan.effects.push_back(
      CommentOnce(task, {ThreadKind::kPullRequest, e.number}, key, [&](auto marker) {
        return messages::Answer(marker, e.actor.login,
                                messages::ReviewNotTakenUp(task, rules.command_prefix));
      }));
  return plan;
}

}  // namespace

IntakePlan DecideReview(const ReviewSubmitted& e, const IntakeFacts& facts,
                        const IntakeRules& rules) {
  if (!facts.task || !facts.review) return Ignore("a review of somebody else's pull request");
  if (!facts.review->asks_for_changes) return Ignore("the review asks for no changes");
  const Task& task = *facts.task;
  const Standing standing{facts.role, MayAsDelegate(Verb::kFix, e.actor, facts)};
  const Admission admission =
      Admit(e.repo, e.actor, standing, rules.RoleFor(Verb::kFix), facts.self, rules);
  if (!admission.admitted) {
    IntakePlan plan = Deny(admission.why);
    plan.command_key = CommandKey(e, facts);  // a poll finds it again and again
    return plan;
  }
  const bool open = e.thread_open && facts.pull && facts.pull->state == PullRequestState::kOpen;
  if (IsOver(task.state) || !open) return Ignore("the pull request is closed");
  PlacedRemark remark = Read(e, facts, rules);
  if (remark.text.empty()) return Ignore("a review without words");
  const bool at_work = task.state == TaskState::kQueued || task.state == TaskState::kRunning;
  const bool at_rest = task.state == TaskState::kInReview || task.state == TaskState::kFailed;
  const bool taken_over = at_rest && !HeadToAdopt(facts).value.empty();
  if (!(at_work || at_rest) || taken_over) return NotTakenUp(e, facts, rules);
  IntakePlan plan;
  plan.command_key = CommandKey(e, facts);
  plan.outcome = at_work ? "a review for the next cycle" : "continues with a review";
  plan.changes.push_back({task.id, at_work ? TaskChangeKind::kRemark : TaskChangeKind::kRequeue,
                          RunKind::kFix, std::move(remark.text), e.actor.login, ""});
  plan.changes.back().threads = std::move(remark.threads);
  if (const std::string& id = facts.review->text.id; !id.empty()) {
    plan.effects.push_back(
        ReactionTo(e.repo, {ThreadKind::kPullRequest, e.number}, id, Reaction::kRocket));
  }
  plan.effects.push_back(StickyEffect(task.repo, task.id));
  return plan;
}

}  // namespace swage::intake
