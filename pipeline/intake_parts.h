// Parts of plans that every kind of event shares: what intake decides by, and what it is made of.
// Pure; only intake*.cc use it.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/intake.h"

namespace swage::intake {

IntakePlan Ignore(std::string why);
/// Turned away, which the audit log keeps.
IntakePlan Deny(std::string why);

NewEffect ReactionTo(const RepoRef& repo, const Thread& thread, std::string_view comment_id,
                     Reaction reaction);

/// A comment on the issue for `actor`: once, ever, under this key.
NewEffect AnswerOnIssue(const RepoRef& repo, const Actor& actor, std::int64_t number,
                        const std::string& key, std::string_view sentence);

/// A bot that the settings do not list.
bool IsForeignBot(const Actor& actor, const IntakeRules& rules);
/// Merged or closed: another pull request is another task.
bool IsOver(TaskState state);
/// A delegate commands this task: not who else may, and not a next one when this one has ended.
bool MayAsDelegate(Verb verb, const Actor& actor, const IntakeFacts& facts);
bool HasPullRequest(const Task& task);
/// A run that continues an open pull request is a fix; one without is the implementation again.
RunKind ResumeKind(const Task& task);
/// Somebody pushed to our branch and then asks us to go on: from there. Empty = from our own.
CommitSha HeadToAdopt(const IntakeFacts& facts);

struct StartRequest {
  const RepoRef& repo;
  const Actor& actor;
  const Issue& text;  ///< as it was when the actor asked
  std::string profile;
  bool by_label = false;    ///< wanted only as long as the label or the assignment stands
  std::string remark = {};  ///< what the actor said beside it
};

enum class StartOutcome { kStarted, kWorking, kInReview, kOverQuota };

/// What a label, an assignment, a reopening and `run` ask for: a task, or another run of one that
/// was stopped.
StartOutcome PlanStart(const StartRequest& request, const IntakeFacts& facts,
                       const IntakeRules& rules, IntakePlan& plan);

}  // namespace swage::intake
