// The pure parts of polling: which change is which event, and which label still stands.
#include "pipeline/reconcile/poll_events.h"

#include <gtest/gtest.h>

#include "pipeline/labelling.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

using Kind = ThreadAct::Kind;

const RepoRef kRepo{"forge", "77", "acme/lib"};

ThreadAct Act(const char* id, Kind kind, const char* label, int at) {
  return {id, kind, {"5", "ada", false}, label, WallTime(std::chrono::seconds(at))};
}

const Actor kSelf{"9", "swage-bot", true};

Issue MakeIssue(bool open, std::vector<std::string> labels) {
  Issue issue;
  issue.number = 12;
  issue.open = open;
  issue.labels = std::move(labels);
  return issue;
}

Task MakeTask(TaskState state) {
  Task task;
  task.repo = kRepo;
  task.issue_number = 12;
  task.state = state;
  task.pr_number = 3;
  task.pushed = {"aaa"};
  return task;
}

std::string EventFor(const Issue& issue, const std::optional<Task>& task, bool by_label) {
  const auto event = EventOfIssue(kRepo, issue, task, by_label, {}, Triggers{}, kSelf);
  return event ? std::string(EventName(*event)) : "";
}

Task MakeClosedTask() {
  Task task = MakeTask(TaskState::kCancelled);
  task.reason = messages::IssueGoneReason(GoneReason::kClosed, "eve");
  return task;
}

TEST(PollEvents, AReopenedIssueIsForWhoeverReopenedIt) {
  const Issue open = MakeIssue(true, {"swage"});
  const std::vector<ThreadAct> acts = {Act("1", Kind::kLabeled, "swage", 1),
                                       Act("2", Kind::kClosed, "", 2),
                                       Act("3", Kind::kReopened, "", 3)};
  const auto event = EventOfIssue(kRepo, open, MakeClosedTask(), true, acts, Triggers{}, kSelf);
  ASSERT_TRUE(event && std::holds_alternative<IssueReopened>(*event));
  EXPECT_EQ(std::get<IssueReopened>(*event).actor.login, "ada");
  EXPECT_EQ(std::get<IssueReopened>(*event).act, "3");
  // Nobody is named: nobody can have asked for work.
  const auto unknown = EventOfIssue(kRepo, open, MakeClosedTask(), true, {}, Triggers{}, kSelf);
  ASSERT_TRUE(unknown && std::holds_alternative<IssueReopened>(*unknown));
  EXPECT_EQ(std::get<IssueReopened>(*unknown).actor.id, "");
}

TEST(PollEvents, AReopenedIssueThatWasEditedOrLabelledSinceIsNoReopening) {
  const Issue open = MakeIssue(true, {"swage"});
  EXPECT_FALSE(EventOfIssue(kRepo, open, MakeClosedTask(), true,
                            {Act("3", Kind::kReopened, "", 3), Act("4", Kind::kTextEdited, "", 4)},
                            Triggers{}, kSelf)
                   .has_value());
  const auto labelled = EventOfIssue(
      kRepo, open, MakeClosedTask(), true,
      {Act("3", Kind::kReopened, "", 3), Act("4", Kind::kLabeled, "swage", 4)}, Triggers{}, kSelf);
  EXPECT_TRUE(labelled && std::holds_alternative<IssueLabeled>(*labelled));
  // What was stopped by a command, or closed without a label, stays as it is.
  EXPECT_EQ(EventFor(open, MakeTask(TaskState::kCancelled), true), "IssueLabeled");
  EXPECT_EQ(EventFor(MakeIssue(true, {}), MakeClosedTask(), true), "");
  EXPECT_EQ(EventFor(MakeIssue(false, {"swage"}), MakeClosedTask(), true), "");
}

TEST(PollEvents, AnAssignmentAsksAsTheLabelDoes) {
  Issue assigned = MakeIssue(true, {});
  assigned.assignees = {kSelf.id};
  EXPECT_EQ(EventFor(assigned, std::nullopt, false), "IssueAssigned");
  EXPECT_EQ(EventFor(assigned, MakeTask(TaskState::kRunning), true), "");
  EXPECT_EQ(EventFor(MakeIssue(true, {}), MakeTask(TaskState::kRunning), true), "IssueUnlabeled");
  ThreadAct taken_back = Act("7", Kind::kUnassigned, "", 7);
  taken_back.whom = kSelf;
  taken_back.actor = {"5", "ada", false};
  const auto unassigned =
      EventOfIssue(kRepo, MakeIssue(true, {}), MakeTask(TaskState::kRunning), true,
                   {Act("6", Kind::kUnlabeled, "swage", 6), taken_back}, Triggers{}, kSelf);
  ASSERT_TRUE(unassigned && std::holds_alternative<IssueUnassigned>(*unassigned));
  EXPECT_EQ(std::get<IssueUnassigned>(*unassigned).actor.login, "ada");
  assigned.assignees = {"1"};
  EXPECT_EQ(EventFor(assigned, std::nullopt, false), "");
}

TEST(Labelling, AnAssignmentStandsUntilItIsTakenBack) {
  const auto act = [](const char* id, Kind kind, const Actor& whom, int at) {
    ThreadAct made = Act(id, kind, "", at);
    made.whom = whom;
    return made;
  };
  const Actor by_name{"", "Swage-Bot", false};
  std::vector<ThreadAct> acts = {act("1", Kind::kAssigned, kSelf, 1),
                                 act("2", Kind::kUnassigned, {"1", "ada", false}, 2)};
  ASSERT_TRUE(CurrentAssignment(acts, kSelf).has_value());
  EXPECT_EQ(CurrentAssignment(acts, kSelf)->act.id, "1");
  acts.push_back(act("3", Kind::kUnassigned, by_name, 3));
  EXPECT_FALSE(CurrentAssignment(acts, kSelf).has_value());
  acts.push_back(act("4", Kind::kAssigned, by_name, 4));
  acts.push_back(act("5", Kind::kTextEdited, {}, 5));
  EXPECT_TRUE(CurrentAssignment(acts, kSelf)->edited_since);
}

TEST(Labelling, TheNewestThatStillStandsCounts) {
  EXPECT_FALSE(CurrentLabelling({}, "swage").has_value());
  EXPECT_EQ(CurrentLabelling({Act("1", Kind::kLabeled, "Swage", 1)}, "swage")->act.id, "1");
  EXPECT_FALSE(
      CurrentLabelling(
          {Act("1", Kind::kLabeled, "swage", 1), Act("2", Kind::kUnlabeled, "swage", 2)}, "swage")
          .has_value());
  EXPECT_EQ(CurrentLabelling(
                {Act("1", Kind::kLabeled, "swage", 1), Act("2", Kind::kUnlabeled, "swage", 2),
                 Act("3", Kind::kLabeled, "swage:docs", 3)},
                "swage")
                ->act.id,
            "3");
  EXPECT_FALSE(CurrentLabelling({Act("1", Kind::kLabeled, "swagger", 1)}, "swage").has_value());
  // Another label's going changes nothing.
  EXPECT_TRUE(
      CurrentLabelling({Act("1", Kind::kLabeled, "swage", 1), Act("2", Kind::kUnlabeled, "bug", 2)},
                       "swage")
          .has_value());
}

TEST(Labelling, Threat_T18_OnlyEditsBehindItCount) {
  const auto before = CurrentLabelling(
      {Act("", Kind::kTextEdited, "", 1), Act("1", Kind::kLabeled, "swage", 2)}, "swage");
  EXPECT_FALSE(before->edited_since);
  const auto after = CurrentLabelling(
      {Act("1", Kind::kLabeled, "swage", 2), Act("", Kind::kTextEdited, "", 3)}, "swage");
  EXPECT_TRUE(after->edited_since);
}

TEST(PollEvents, AnIssueSaysWhatItsTaskDoesNotKnow) {
  const Issue labelled = MakeIssue(true, {"bug", "swage:docs"});
  const Issue plain = MakeIssue(true, {"bug"});
  const Issue closed = MakeIssue(false, {"swage"});
  EXPECT_EQ(EventFor(labelled, std::nullopt, false), "IssueLabeled");
  EXPECT_EQ(EventFor(plain, std::nullopt, false), "");
  EXPECT_EQ(EventFor(closed, std::nullopt, false), "");
  for (const TaskState state : {TaskState::kQueued, TaskState::kRunning, TaskState::kWaiting}) {
    EXPECT_EQ(EventFor(labelled, MakeTask(state), true), "") << Name(state);
    EXPECT_EQ(EventFor(plain, MakeTask(state), true), "IssueUnlabeled") << Name(state);
    EXPECT_EQ(EventFor(plain, MakeTask(state), false), "") << Name(state);
    EXPECT_EQ(EventFor(closed, MakeTask(state), true), "IssueGone") << Name(state);
  }
  for (const TaskState state :
       {TaskState::kFailed, TaskState::kCancelled, TaskState::kMerged, TaskState::kClosed}) {
    EXPECT_EQ(EventFor(labelled, MakeTask(state), true), "IssueLabeled") << Name(state);
    EXPECT_EQ(EventFor(closed, MakeTask(state), true), "") << Name(state);
  }
  for (const Issue& issue : {labelled, plain, closed}) {
    EXPECT_EQ(EventFor(issue, MakeTask(TaskState::kInReview), true), "");
  }
}

TEST(PollEvents, APullRequestSaysThatItIsOverOrTakenOver) {
  PullRequest pull;
  pull.number = 3;
  pull.head_sha = {"bbb"};
  const auto name = [&](TaskState state) {
    const auto event = EventOfPull(kRepo, pull, MakeTask(state), {});
    return event ? std::string(EventName(*event)) : "";
  };
  EXPECT_EQ(name(TaskState::kInReview), "PullRequestPushed");
  // In the middle of a run it may be the bot's own push.
  EXPECT_EQ(name(TaskState::kRunning), "");
  pull.head_sha = {"aaa"};
  EXPECT_EQ(name(TaskState::kInReview), "");
  pull.state = PullRequestState::kClosed;
  for (const TaskState state : {TaskState::kInReview, TaskState::kRunning, TaskState::kFailed,
                                TaskState::kCancelled, TaskState::kWaiting}) {
    EXPECT_EQ(name(state), "PullRequestClosed") << Name(state);
  }
  EXPECT_EQ(name(TaskState::kClosed), "");
  EXPECT_EQ(name(TaskState::kMerged), "");
}

TEST(PollEvents, ACommentCarriesTheIssueThatItStandsUnder) {
  FoundComment found{
      {ThreadKind::kIssue, 12}, {"9", "/swage run", "", {"5", "ada", false}}, {}, false};
  const std::vector<ThreadChange> changed = {
      {{ThreadKind::kPullRequest, 12}, {}, {}},
      {{ThreadKind::kIssue, 12}, {}, MakeIssue(false, {})},
  };
  const auto event = EventOfComment(kRepo, found, changed);
  ASSERT_TRUE(event.has_value());
  const auto& comment = std::get<CommentCreated>(*event);
  EXPECT_EQ(comment.actor.id, "5");
  EXPECT_FALSE(comment.thread_open);
  ASSERT_TRUE(comment.issue.has_value());
  found.edited = true;
  EXPECT_FALSE(EventOfComment(kRepo, found, changed).has_value());
}

}  // namespace
}  // namespace swage
