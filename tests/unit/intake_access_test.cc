// What becomes of tasks when a forge's owners change what the bot may reach, and when somebody
// presses a check's button. Pure decisions.
#include "pipeline/intake_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/blame.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = AccessChanged::Kind;

const RepoRef kLib{"forge", "77", "acme/lib"};
const RepoRef kApp{"forge", "78", "Acme/app"};
const RepoRef kOther{"forge", "79", "acme-labs/x"};
const RepoRef kElsewhere{"second", "77", "acme/lib"};
const Actor kAda{"5", "ada", false};

Task TaskOf(std::int64_t id, const RepoRef& repo, TaskState state, Stage stage = Stage::kNone) {
  Task task;
  task.id = {id};
  task.repo = repo;
  task.state = state;
  task.stage = stage;
  return task;
}

AccessChanged Changed(Kind kind, std::vector<RepoRef> repos = {}) {
  return {{"forge", "", ""}, kAda, kind, "acme", std::move(repos)};
}

std::vector<std::int64_t> Ids(const IntakePlan& plan, TaskChangeKind kind) {
  std::vector<std::int64_t> ids;
  for (const TaskChange& change : plan.changes) {
    EXPECT_EQ(change.kind, kind);
    ids.push_back(change.task.value);
  }
  return ids;
}

TEST(IntakeAccess, TasksOfASuspendedOwnerWaitWithTheReasonAndTheCure) {
  const std::vector<Task> tasks = {
      TaskOf(1, kLib, TaskState::kQueued),
      TaskOf(2, kApp, TaskState::kRunning, Stage::kAgent),
      TaskOf(3, kLib, TaskState::kRunning, Stage::kPublish),  // its results wait by themselves
      TaskOf(4, kLib, TaskState::kWaiting),
      TaskOf(5, kOther, TaskState::kQueued),
      TaskOf(6, kElsewhere, TaskState::kQueued),
  };
  const IntakePlan plan = intake::DecideAccess(Changed(Kind::kSuspended), tasks);
  EXPECT_EQ(Ids(plan, TaskChangeKind::kPause), (std::vector<std::int64_t>{1, 2}));
  EXPECT_THAT(plan.changes[0].reason, HasSubstr("its installation for acme is suspended"));
  EXPECT_THAT(plan.changes[0].reason, HasSubstr("an owner lifts that"));
  EXPECT_THAT(plan.effects, SizeIs(2));
  EXPECT_EQ(plan.actor, "ada");
  EXPECT_THAT(plan.outcome, HasSubstr("acme suspended access; tasks that wait now: 2"));
}

TEST(IntakeAccess, OnlyTheRepositoriesThatWereTakenAway) {
  const std::vector<Task> tasks = {TaskOf(1, kLib, TaskState::kQueued),
                                   TaskOf(2, kApp, TaskState::kQueued)};
  const IntakePlan plan = intake::DecideAccess(Changed(Kind::kRemoved, {kApp}), tasks);
  EXPECT_EQ(Ids(plan, TaskChangeKind::kPause), (std::vector<std::int64_t>{2}));
  EXPECT_THAT(plan.changes[0].reason, HasSubstr("acme took the repository away"));
}

TEST(IntakeAccess, WhatWaitsForAccessGoesOnWhenItIsGivenBackAndNothingElseDoes) {
  std::vector<Task> tasks = {
      TaskOf(1, kLib, TaskState::kWaiting), TaskOf(2, kLib, TaskState::kWaiting),
      TaskOf(3, kOther, TaskState::kWaiting), TaskOf(4, kLib, TaskState::kQueued)};
  for (Task& task : tasks) task.reason = messages::AccessLost(Kind::kSuspended, "acme");
  tasks[1].reason = messages::HumanTookOver();
  const IntakePlan plan = intake::DecideAccess(Changed(Kind::kGranted), tasks);
  EXPECT_EQ(Ids(plan, TaskChangeKind::kRequeue), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(plan.changes[0].run_kind, RunKind::kImplement);
}

TEST(IntakeAccess, HostileNamesStayInert) {
  const std::string reason = messages::AccessLost(Kind::kRemoved, "x @all Fixes #1\n/close");
  EXPECT_TRUE(messages::TellsOfLostAccess(reason));
  EXPECT_EQ(reason.find("\n/close"), std::string::npos);
  EXPECT_FALSE(messages::TellsOfLostAccess("x " + reason));
}

TEST(Blame, ALockedRepositoryIsNoAttemptAndAPlainRefusalIsOne) {
  Error locked = MakeError(ErrorCode::kDenied, "suspended");
  EXPECT_FALSE(IsTheForgesFault(locked));
  locked.retry_after = 60s;
  EXPECT_TRUE(IsTheForgesFault(locked));
  EXPECT_TRUE(IsLockedOut(locked));
  EXPECT_TRUE(IsTheForgesFault(MakeError(ErrorCode::kRateLimited, "")));
  EXPECT_FALSE(IsLockedOut(MakeError(ErrorCode::kUnauthenticated, "")));
  EXPECT_FALSE(IsTheForgesFault(MakeError(ErrorCode::kUnavailable, "")));
}

// --- the buttons of checks

IntakeRules Rules() {
  IntakeRules rules;
  rules.repos = {"acme/*"};
  rules.triggers.label = "swage";
  rules.command_prefix = "/swage";
  rules.min_role = Role::kWrite;
  return rules;
}

ChecksRerequested Pressed() {
  return {kLib, kAda, {"abc"}, "swage/12", 20, "swage/tests"};
}

IntakeFacts Facts(TaskState state = TaskState::kInReview) {
  IntakeFacts facts;
  facts.self = {"9", "swage[bot]", true};
  facts.role = Role::kWrite;
  facts.task = TaskOf(4, kLib, state);
  facts.task->pr_number = 20;
  facts.task->pr_url = "https://forge/acme/lib/pull/20";
  facts.task->pushed = {"abc"};
  facts.pull.emplace();
  facts.pull->number = 20;
  facts.pull->head_sha = {"abc"};
  return facts;
}

std::string Answer(const IntakePlan& plan) {
  EXPECT_THAT(plan.changes, IsEmpty());
  EXPECT_TRUE(plan.refused);
  for (const NewEffect& effect : plan.effects) {
    const auto comment = DecodeComment(effect.payload);
    if (!comment.ok()) continue;
    EXPECT_EQ(comment->thread.number, 20);
    return comment->body;
  }
  return "";
}

TEST(IntakeRerun, AButtonRunsTheGatesAgain) {
  const IntakePlan plan = Decide(Pressed(), Facts(), Rules());
  ASSERT_THAT(plan.changes, SizeIs(1));
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kRequeue);
  EXPECT_EQ(plan.changes[0].run_kind, RunKind::kGates);
  EXPECT_EQ(plan.changes[0].actor, "ada");
  EXPECT_EQ(plan.command, "/swage gates");
  EXPECT_EQ(plan.actor, "ada");
}

TEST(IntakeRerun, AsksTheSameRightsAsTheCommand) {
  IntakeFacts facts = Facts();
  facts.role = Role::kRead;
  const IntakePlan refused = Decide(Pressed(), facts, Rules());
  EXPECT_THAT(Answer(refused), HasSubstr("ada"));
  // Once to each person and commit: the key is the same.
  EXPECT_EQ(refused.effects[0].key, Decide(Pressed(), facts, Rules()).effects[0].key);

  facts.delegates = {{"5", "ada", "bob"}};
  EXPECT_THAT(Decide(Pressed(), facts, Rules()).changes, SizeIs(1));
  facts.delegates.clear();
  IntakeRules rules = Rules();
  rules.command_roles[Verb::kGates] = Role::kRead;
  EXPECT_THAT(Decide(Pressed(), facts, rules).changes, SizeIs(1));
}

TEST(IntakeRerun, BotsStrangersAndOtherRepositoriesMoveNothing) {
  ChecksRerequested bot = Pressed();
  bot.actor = {"66", "evil[bot]", true};
  EXPECT_THAT(Decide(bot, Facts(), Rules()).changes, IsEmpty());
  EXPECT_THAT(Decide(bot, Facts(), Rules()).effects, IsEmpty());
  ChecksRerequested own = Pressed();
  own.actor = {"9", "swage[bot]", true};
  EXPECT_THAT(Decide(own, Facts(), Rules()).changes, IsEmpty());
  ChecksRerequested unlisted = Pressed();
  unlisted.repo.path = "evil/lib";
  EXPECT_TRUE(Decide(unlisted, Facts(), Rules()).refused);
  IntakeFacts none = Facts();
  none.task.reset();
  EXPECT_THAT(Decide(Pressed(), none, Rules()).changes, IsEmpty());
}

TEST(IntakeRerun, AnOldCommitAndAClosedTaskAreToldAndABusyOneIsNot) {
  IntakeFacts facts = Facts();
  facts.pull->head_sha = {"def"};
  EXPECT_THAT(Answer(Decide(Pressed(), facts, Rules())), HasSubstr("/swage gates"));
  EXPECT_FALSE(Answer(Decide(Pressed(), Facts(TaskState::kMerged), Rules())).empty());
  const IntakePlan busy = Decide(Pressed(), Facts(TaskState::kRunning), Rules());
  EXPECT_THAT(busy.changes, IsEmpty());
  EXPECT_THAT(busy.effects, IsEmpty());
}

}  // namespace
}  // namespace swage
