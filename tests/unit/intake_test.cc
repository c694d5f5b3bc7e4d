// The pure decision: what each event leads to, given the facts. One test per rule, so that taking a
// rule away fails a test (T17).
#include "pipeline/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/effects.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const RepoRef kRepo{"forge", "77", "acme/lib"};
const Actor kAda{"5", "ada", false};
const Actor kSelf{"9", "swage-bot", true};

IntakeRules Rules() {
  IntakeRules rules;
  rules.repos = {"acme/*"};
  rules.triggers.label = "swage";
  rules.command_prefix = "/swage";
  rules.min_role = Role::kWrite;
  rules.branch_prefix = "swage/";
  return rules;
}

Issue OpenIssue() {
  Issue issue;
  issue.id = "1001";
  issue.number = 12;
  issue.title = "Parser drops the last line";
  issue.body = "Steps...";
  issue.author = kAda;
  issue.labels = {"bug", "swage"};
  issue.updated_at = "2026-03-01T12:00:00Z";
  return issue;
}

IntakeFacts Facts() {
  IntakeFacts facts;
  facts.self = kSelf;
  facts.role = Role::kWrite;
  facts.issue = OpenIssue();
  facts.body_digest = "digest";
  return facts;
}

Task TaskIn(TaskState state) {
  Task task;
  task.id = {4};
  task.repo = kRepo;
  task.issue_number = 12;
  task.state = state;
  if (state == TaskState::kInReview || state == TaskState::kClosed || state == TaskState::kMerged) {
    task.pr_number = 20;
    task.pr_url = "https://forge/acme/lib/pull/20";
  }
  return task;
}

IntakeFacts FactsWith(TaskState state) {
  IntakeFacts facts = Facts();
  facts.task = TaskIn(state);
  return facts;
}

IssueLabeled Labeled() {
  return {kRepo, kAda, OpenIssue(), {"swage"}};
}

CommentCreated Said(std::string body, ThreadKind kind = ThreadKind::kIssue) {
  CommentCreated e;
  e.repo = kRepo;
  e.actor = kAda;
  e.thread = {kind, kind == ThreadKind::kIssue ? 12 : 20};
  e.comment = {"501", std::move(body), "", kAda};
  return e;
}

std::vector<EffectKind> Kinds(const std::vector<NewEffect>& effects) {
  std::vector<EffectKind> kinds;
  for (const NewEffect& e : effects) kinds.push_back(e.kind);
  return kinds;
}

std::string ReplyText(const IntakePlan& plan) {
  for (const NewEffect& e : plan.effects) {
    if (e.kind == EffectKind::kComment) return DecodeComment(e.payload)->body;
  }
  return "";
}

void ExpectNoWork(const IntakePlan& plan) {
  EXPECT_FALSE(plan.task.has_value());
  EXPECT_THAT(plan.changes, IsEmpty());
}

// --- the label
// ---------------------------------------------------------------------------------------------

TEST(Intake, LabelMakesATaskWithFrozenText) {
  const IntakePlan plan = Decide(Labeled(), Facts(), Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->issue_number, 12);
  EXPECT_EQ(plan.task->text.title, "Parser drops the last line");
  EXPECT_EQ(plan.task->requester.login, "ada");
  EXPECT_FALSE(plan.task->new_generation);
  EXPECT_THAT(Kinds(plan.effects), testing::ElementsAre(EffectKind::kReaction));
  EXPECT_THAT(Kinds(plan.effects_for_new_task), testing::ElementsAre(EffectKind::kSticky));
}

TEST(Intake, LabelSuffixNamesTheProfile) {
  IssueLabeled e = Labeled();
  e.added = {"swage:docs"};
  IntakeFacts facts = Facts();
  facts.issue->labels = {"swage:docs"};
  EXPECT_EQ(Decide(e, facts, Rules()).task->profile, "docs");
}

TEST(Intake, OtherLabelsAreIgnored) {
  IssueLabeled e = Labeled();
  e.added = {"swagger", "bug"};
  const IntakePlan plan = Decide(e, Facts(), Rules());
  ExpectNoWork(plan);
  EXPECT_TRUE(plan.ignored);
}

TEST(Intake, Threat_T7_UnlistedRepositoryIsRefusedInSilence) {
  IssueLabeled e = Labeled();
  e.repo.path = "evil/lib";
  const IntakePlan plan = Decide(e, Facts(), Rules());
  ExpectNoWork(plan);
  EXPECT_THAT(plan.effects, IsEmpty());
  EXPECT_THAT(plan.outcome, HasSubstr("allow-list"));
}

TEST(Intake, Threat_T15_OutsidersAreToldNo) {
  for (const Role role : {Role::kNone, Role::kRead, Role::kTriage}) {
    IntakeFacts facts = Facts();
    facts.role = role;
    for (const Event& event : {Event(Labeled()), Event(Said("/swage run"))}) {
      const IntakePlan plan = Decide(event, facts, Rules());
      ExpectNoWork(plan);
      EXPECT_THAT(ReplyText(plan), HasSubstr("needs the role write"));
    }
  }
}

TEST(Intake, Threat_T16_BotsAreIgnoredUnlessListedById) {
  IssueLabeled e = Labeled();
  e.actor = {"66", "evil[bot]", true};
  EXPECT_TRUE(Decide(e, Facts(), Rules()).ignored);
  EXPECT_THAT(Decide(e, Facts(), Rules()).effects, IsEmpty());
  IntakeRules rules = Rules();
  rules.allowed_bots = {"66"};
  EXPECT_TRUE(Decide(e, Facts(), rules).task.has_value());
}

TEST(Intake, Threat_T20_OwnActsAreIgnored) {
  CommentCreated e = Said("/swage retry");
  e.actor = kSelf;
  const IntakePlan plan = Decide(e, FactsWith(TaskState::kFailed), Rules());
  ExpectNoWork(plan);
  EXPECT_THAT(plan.effects, IsEmpty());
}

TEST(Intake, Threat_T18_TextIsTheOneOfTheLabelNotALaterOne) {
  IntakeFacts facts = Facts();
  facts.issue->body = "swapped in the gap";
  EXPECT_EQ(Decide(Labeled(), facts, Rules()).task->text.body, "Steps...");
}

TEST(Intake, Threat_T27_HiddenTextIsStripped) {
  IssueLabeled e = Labeled();
  e.issue.title = "T\xE2\x80\xAEitle";
  e.issue.body = "a<!-- secret -->b\xE2\x80\x8B\xF3\xA0\x81\x81";
  const IntakePlan plan = Decide(e, Facts(), Rules());
  EXPECT_EQ(plan.task->text.title, "Title");
  EXPECT_EQ(plan.task->text.body, "ab");
}

TEST(Intake, Threat_T4_OneLabelHasOneKeyWhateverTheDelivery) {
  const IntakePlan a = Decide(Labeled(), Facts(), Rules());
  const IntakePlan b = Decide(Labeled(), Facts(), Rules());
  EXPECT_FALSE(a.command_key.empty());
  EXPECT_EQ(a.command_key, b.command_key);
  IssueLabeled later = Labeled();
  later.issue.updated_at = "2026-03-02T12:00:00Z";
  EXPECT_NE(Decide(later, Facts(), Rules()).command_key, a.command_key);
}

TEST(Intake, AnEditThatSwapsTheLabelForAnotherStopsTheWork) {
  IssueLabeled e = Labeled();
  e.added = {"later"};
  e.removed = {"swage"};
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.issue->labels = {"later"};
  const IntakePlan plan = Decide(e, facts, Rules());
  ASSERT_EQ(plan.changes.size(), 1u);
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kCancel);
  // From one profile to another the issue still asks for the work.
  e.added = {"swage:docs"};
  facts.issue->labels = {"swage:docs"};
  ExpectNoWork(Decide(e, facts, Rules()));
}

TEST(Intake, AskingAgainFreezesTheIssueAnew) {
  IssueLabeled label = Labeled();
  label.issue.body = "Now with steps.";
  const IntakePlan again = Decide(label, FactsWith(TaskState::kFailed), Rules());
  ASSERT_EQ(again.changes.size(), 1u);
  EXPECT_EQ(again.changes[0].text->body, "Now with steps.");
  CommentCreated retry = Said("/swage retry");
  retry.issue = label.issue;
  const IntakePlan retried = Decide(retry, FactsWith(TaskState::kFailed), Rules());
  ASSERT_EQ(retried.changes.size(), 1u);
  EXPECT_EQ(retried.changes[0].text->body, "Now with steps.");
  // Under the pull request nobody saw the issue.
  EXPECT_FALSE(
      Decide(Said("/swage retry", ThreadKind::kPullRequest), FactsWith(TaskState::kFailed), Rules())
          .changes[0]
          .text);
}

TEST(Intake, NothingIsContinuedInAClosedThread) {
  for (const char* command : {"/swage retry", "/swage fix more"}) {
    CommentCreated e = Said(command);
    e.thread_open = false;
    const IntakePlan plan = Decide(e, FactsWith(TaskState::kFailed), Rules());
    ExpectNoWork(plan);
    EXPECT_THAT(ReplyText(plan), HasSubstr("is closed"));
  }
}

TEST(Intake, LateLabelEventsDoNotStartWhatNobodyWantsAnyMore) {
  IntakeFacts facts = Facts();
  facts.issue->labels = {"bug"};
  ExpectNoWork(Decide(Labeled(), facts, Rules()));
  facts = Facts();
  facts.issue->open = false;
  ExpectNoWork(Decide(Labeled(), facts, Rules()));
  facts.issue.reset();
  ExpectNoWork(Decide(Labeled(), facts, Rules()));
}

TEST(Intake, LabelOnAKnownIssueDependsOnItsTask) {
  for (const TaskState s :
       {TaskState::kQueued, TaskState::kRunning, TaskState::kWaiting, TaskState::kInReview}) {
    ExpectNoWork(Decide(Labeled(), FactsWith(s), Rules()));
  }
  for (const TaskState s : {TaskState::kFailed, TaskState::kCancelled}) {
    const IntakePlan plan = Decide(Labeled(), FactsWith(s), Rules());
    ASSERT_EQ(plan.changes.size(), 1u);
    EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kRequeue);
  }
  for (const TaskState s : {TaskState::kMerged, TaskState::kClosed}) {
    const IntakePlan plan = Decide(Labeled(), FactsWith(s), Rules());
    ASSERT_TRUE(plan.task.has_value());
    EXPECT_TRUE(plan.task->new_generation);
  }
}

TEST(Intake, UnlabelAndCloseStopActiveWorkOnly) {
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.issue->labels = {"bug"};
  const IssueUnlabeled unlabeled{kRepo, kAda, OpenIssue(), {"swage"}};
  ASSERT_EQ(Decide(unlabeled, facts, Rules()).changes.size(), 1u);
  EXPECT_EQ(Decide(unlabeled, facts, Rules()).changes[0].kind, TaskChangeKind::kCancel);
  facts.issue->open = false;
  const IssueGone gone{kRepo, kAda, OpenIssue(), GoneReason::kClosed};
  EXPECT_EQ(Decide(gone, facts, Rules()).changes.size(), 1u);
  facts.task = TaskIn(TaskState::kInReview);
  ExpectNoWork(Decide(gone, facts, Rules()));
  ExpectNoWork(Decide(unlabeled, facts, Rules()));
}

TEST(Intake, ReopeningALabelledIssueTakesItUpAgain) {
  const IssueReopened reopened{kRepo, kAda, OpenIssue()};
  IntakeFacts facts = FactsWith(TaskState::kCancelled);
  facts.task->reason = messages::IssueGoneReason(GoneReason::kClosed, "zoe");
  const IntakePlan plan = Decide(reopened, facts, Rules());
  ASSERT_EQ(plan.changes.size(), 1u);
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kRequeue);
  EXPECT_EQ(plan.changes[0].text->body, "Steps...");
  EXPECT_EQ(plan.command_key, "reopen:forge:77:12:2026-03-01T12:00:00Z");
  // Labelled while it was closed: it begins now.
  EXPECT_TRUE(Decide(reopened, Facts(), Rules()).task.has_value());
}

TEST(Intake, ReopeningStartsNothingThatEndedOtherwise) {
  const IssueReopened reopened{kRepo, kAda, OpenIssue()};
  for (const std::string& reason :
       {messages::StoppedBy("ada"), messages::LabelRemovedBy("ada"), std::string()}) {
    IntakeFacts facts = FactsWith(TaskState::kCancelled);
    facts.task->reason = reason;
    ExpectNoWork(Decide(reopened, facts, Rules()));
  }
  for (const TaskState state : {TaskState::kRunning, TaskState::kInReview, TaskState::kMerged,
                                TaskState::kClosed, TaskState::kFailed}) {
    ExpectNoWork(Decide(reopened, FactsWith(state), Rules()));
  }
  IntakeFacts unlabelled = Facts();
  unlabelled.issue->labels = {"bug"};
  ExpectNoWork(Decide(reopened, unlabelled, Rules()));
  IntakeFacts closed_again = Facts();
  closed_again.issue->open = false;
  ExpectNoWork(Decide(reopened, closed_again, Rules()));
}

TEST(Intake, Threat_T15_ReopeningNeedsTheRole) {
  const IssueReopened reopened{kRepo, kAda, OpenIssue()};
  IntakeFacts facts = FactsWith(TaskState::kCancelled);
  facts.task->reason = messages::IssueGoneReason(GoneReason::kClosed, "zoe");
  facts.role = Role::kTriage;
  const IntakePlan plan = Decide(reopened, facts, Rules());
  ExpectNoWork(plan);
  EXPECT_THAT(ReplyText(plan), HasSubstr("needs the role write"));
}

TEST(Intake, ClosedPullRequestEndsTheTask) {
  const IntakeFacts facts = FactsWith(TaskState::kInReview);
  PullRequestClosed e{kRepo, kAda, 20, "swage/12", true};
  EXPECT_EQ(Decide(e, facts, Rules()).changes.at(0).kind, TaskChangeKind::kMerge);
  e.merged = false;
  EXPECT_EQ(Decide(e, facts, Rules()).changes.at(0).kind, TaskChangeKind::kClose);
  e.number = 21;
  ExpectNoWork(Decide(e, facts, Rules()));
}

// --- commands
// ----------------------------------------------------------------------------------------------

TEST(Intake, RunStartsWhatTheLabelStarts) {
  CommentCreated e = Said("/swage run");
  e.issue = OpenIssue();
  e.issue->body = "text at the time of the comment";
  const IntakePlan plan = Decide(e, Facts(), Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->text.body, "text at the time of the comment");
  EXPECT_EQ(plan.command_key, "comment:forge:77:501");
}

TEST(Intake, RunIsRefusedOnPullRequestsAndClosedIssues) {
  EXPECT_THAT(ReplyText(Decide(Said("/swage run", ThreadKind::kPullRequest), Facts(), Rules())),
              HasSubstr("belongs on an issue"));
  IntakeFacts facts = Facts();
  facts.issue->open = false;
  EXPECT_THAT(ReplyText(Decide(Said("/swage run"), facts, Rules())), HasSubstr("is closed"));
}

TEST(Intake, FixContinuesOrSteers) {
  const auto decide = [](TaskState s) {
    return Decide(Said("/swage fix use a map", ThreadKind::kPullRequest), FactsWith(s), Rules());
  };
  for (const TaskState s : {TaskState::kInReview, TaskState::kFailed, TaskState::kCancelled}) {
    const IntakePlan plan = decide(s);
    ASSERT_EQ(plan.changes.size(), 1u);
    EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kRequeue);
    EXPECT_EQ(plan.changes[0].remark, "use a map");
  }
  EXPECT_EQ(decide(TaskState::kInReview).changes[0].run_kind, RunKind::kFix);
  EXPECT_EQ(decide(TaskState::kFailed).changes[0].run_kind, RunKind::kImplement);
  EXPECT_EQ(decide(TaskState::kRunning).changes.at(0).kind, TaskChangeKind::kRemark);
  for (const TaskState s : {TaskState::kMerged, TaskState::kClosed}) {
    ExpectNoWork(decide(s));
    EXPECT_THAT(ReplyText(decide(s)), HasSubstr("that is final"));
  }
}

TEST(Intake, GatesNeedAPullRequestAndNoWork) {
  EXPECT_EQ(
      Decide(Said("/swage gates"), FactsWith(TaskState::kInReview), Rules()).changes.at(0).run_kind,
      RunKind::kGates);
  ExpectNoWork(Decide(Said("/swage gates"), FactsWith(TaskState::kRunning), Rules()));
  ExpectNoWork(Decide(Said("/swage gates"), FactsWith(TaskState::kFailed), Rules()));
}

TEST(Intake, StopAndRetryFitTheState) {
  EXPECT_EQ(Decide(Said("/swage stop"), FactsWith(TaskState::kRunning), Rules()).changes.at(0).kind,
            TaskChangeKind::kCancel);
  ExpectNoWork(Decide(Said("/swage stop"), FactsWith(TaskState::kInReview), Rules()));
  EXPECT_EQ(
      Decide(Said("/swage retry"), FactsWith(TaskState::kCancelled), Rules()).changes.at(0).kind,
      TaskChangeKind::kRequeue);
  ExpectNoWork(Decide(Said("/swage retry"), FactsWith(TaskState::kRunning), Rules()));
}

TEST(Intake, TakeoverJudgesWhatSomebodyElsePushed) {
  IntakeFacts facts = FactsWith(TaskState::kWaiting);
  facts.task->pr_number = 20;
  facts.task->pushed = {"ours"};
  facts.pull = PullRequest{};
  facts.pull->number = 20;
  facts.pull->head_sha = {"theirs"};
  const CommentCreated said = Said("/swage takeover", ThreadKind::kPullRequest);
  const IntakePlan plan = Decide(said, facts, Rules());
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kRequeue);
  EXPECT_EQ(plan.changes[0].run_kind, RunKind::kGates);
  EXPECT_EQ(plan.changes[0].adopt.value, "theirs");
  facts.pull->head_sha = {"ours"};
  EXPECT_THAT(ReplyText(Decide(said, facts, Rules())), HasSubstr("nobody else has pushed"));
  EXPECT_THAT(ReplyText(Decide(Said("/swage takeover"), FactsWith(TaskState::kRunning), Rules())),
              HasSubstr("there is no pull request yet"));
}

TEST(Intake, HoldPutsWorkAsideAndUnholdGoesOn) {
  for (const TaskState state : {TaskState::kQueued, TaskState::kRunning}) {
    const IntakePlan plan = Decide(Said("/swage hold"), FactsWith(state), Rules());
    ASSERT_EQ(plan.changes.size(), 1U);
    EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kPause);
    EXPECT_EQ(plan.changes[0].reason, "ada put it aside; `/swage unhold` goes on");
  }
  EXPECT_THAT(ReplyText(Decide(Said("/swage hold"), FactsWith(TaskState::kInReview), Rules())),
              HasSubstr("only queued and running work"));
  const IntakePlan on = Decide(Said("/swage unhold"), FactsWith(TaskState::kWaiting), Rules());
  ASSERT_EQ(on.changes.size(), 1U);
  EXPECT_EQ(on.changes[0].kind, TaskChangeKind::kRequeue);
  EXPECT_THAT(ReplyText(Decide(Said("/swage unhold"), FactsWith(TaskState::kRunning), Rules())),
              HasSubstr("was not put aside"));
}

TEST(Intake, CloseEndsTheTaskAndItsPullRequest) {
  for (const TaskState state : {TaskState::kRunning, TaskState::kInReview, TaskState::kFailed}) {
    IntakeFacts facts = FactsWith(state);
    facts.task->pr_number = 7;
    const IntakePlan plan = Decide(Said("/swage close"), facts, Rules());
    ASSERT_EQ(plan.changes.size(), 1U);
    EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kClose);
    EXPECT_EQ(plan.changes[0].reason, "ada closed it");
    const auto last = std::ranges::find(plan.effects, EffectKind::kComment, &NewEffect::kind);
    ASSERT_NE(last, plan.effects.end());
    const auto comment = DecodeComment(last->payload);
    ASSERT_TRUE(comment.ok());
    EXPECT_TRUE(comment->closes);
    EXPECT_EQ(comment->thread.number, 7);
    EXPECT_EQ(comment->thread.kind, ThreadKind::kPullRequest);
    EXPECT_THAT(comment->body, HasSubstr("closed without merging, as `ada` asked"));
  }
  IntakeFacts none = FactsWith(TaskState::kQueued);
  none.task->pr_number = 0;
  const IntakePlan plan = Decide(Said("/swage close"), none, Rules());
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_THAT(plan.effects,
              testing::Each(testing::Field(&NewEffect::kind, testing::Ne(EffectKind::kComment))));
  const IntakePlan over = Decide(Said("/swage close"), FactsWith(TaskState::kClosed), Rules());
  EXPECT_THAT(over.changes, IsEmpty());
}

TEST(Intake, PriorityIsChangedWhateverTheTaskDoesUntilItIsOver) {
  for (const TaskState state : {TaskState::kQueued, TaskState::kRunning, TaskState::kInReview}) {
    const IntakePlan plan = Decide(Said("/swage priority low"), FactsWith(state), Rules());
    ASSERT_EQ(plan.changes.size(), 1U);
    EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kPrioritize);
    EXPECT_EQ(plan.changes[0].priority, Priority::kLow);
    EXPECT_EQ(plan.outcome, "priority low");
  }
  const IntakePlan over =
      Decide(Said("/swage priority low"), FactsWith(TaskState::kMerged), Rules());
  EXPECT_THAT(over.changes, IsEmpty());
}

TEST(Intake, LogsNameTheStepsOfTheLastRun) {
  IntakeFacts facts = FactsWith(TaskState::kInReview);
  facts.task->run = 2;
  Step step;
  step.task = facts.task->id;
  step.id = 7;
  step.run = 1;
  step.kind = StepKind::kGate;
  step.name = "old";
  step.log_path = "logs/4/7.log";
  facts.steps = {step};
  step.run = 2;
  step.id = 8;
  step.name = "tests";
  step.outcome = "failed";
  step.summary = "2 of 3 | failed";
  facts.steps.push_back(step);
  IntakeRules rules = Rules();
  rules.public_url = "https://swage.example.com/";
  const std::string text = ReplyText(Decide(Said("/swage logs"), facts, rules));
  EXPECT_THAT(text, HasSubstr("[log](https://swage.example.com/tasks/4/logs/8)"));
  EXPECT_THAT(text, HasSubstr("| `tests` | failed |"));
  EXPECT_THAT(text, testing::Not(HasSubstr("old")));
  EXPECT_THAT(ReplyText(Decide(Said("/swage logs"), facts, Rules())), HasSubstr("swage show 4"));
}

TEST(Intake, HelpAndStatusOnlyAnswer) {
  const IntakePlan help = Decide(Said("/swage help"), Facts(), Rules());
  ExpectNoWork(help);
  EXPECT_THAT(ReplyText(help), HasSubstr("/swage fix <what to change>"));
  EXPECT_THAT(ReplyText(Decide(Said("/swage status"), FactsWith(TaskState::kQueued), Rules())),
              HasSubstr("queued"));
}

TEST(Intake, UnknownCommandsSuggestAndStrangersGetNoHint) {
  EXPECT_THAT(ReplyText(Decide(Said("/swage rnu"), Facts(), Rules())),
              HasSubstr("Did you mean `/swage run`?"));
  IntakeFacts outsider = Facts();
  outsider.role = Role::kRead;
  EXPECT_THAT(ReplyText(Decide(Said("/swage rnu"), outsider, Rules())),
              HasSubstr("needs the role"));
}

// --- delegates and roles of single commands (G3)
// ----------------------------------------------------------------------------------------------

const Actor kEve{"7", "eve", false};

CommentCreated EveSaid(std::string body) {
  CommentCreated e = Said(std::move(body));
  e.actor = kEve;
  return e;
}

IntakeFacts FactsOfDelegate(TaskState state) {
  IntakeFacts facts = FactsWith(state);
  facts.role = Role::kRead;
  facts.delegates = {{kEve.id, "eve-as-she-was", "ada"}};
  return facts;
}

TEST(Intake, DelegateLetsAnAccountCommandTheTask) {
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.named = kEve;
  const IntakePlan plan = Decide(Said("/swage delegate @eve"), facts, Rules());
  ASSERT_EQ(plan.delegates.size(), 1u);
  EXPECT_EQ(plan.delegates[0].task.value, 4);
  EXPECT_EQ(plan.delegates[0].who.account, "7");
  EXPECT_EQ(plan.delegates[0].who.by, "ada");
  EXPECT_TRUE(plan.delegates[0].may);
  ExpectNoWork(plan);
  EXPECT_THAT(ReplyText(plan), HasSubstr("`eve` may use the commands on this task now"));
}

TEST(Intake, DelegatesAreKnownByTheirAccountNotTheirName) {
  const IntakeFacts facts = FactsOfDelegate(TaskState::kFailed);
  EXPECT_EQ(Decide(EveSaid("/swage retry"), facts, Rules()).changes.size(), 1u);
  CommentCreated impostor = EveSaid("/swage retry");
  impostor.actor = {"8", "eve-as-she-was", false};
  const IntakePlan refused = Decide(impostor, facts, Rules());
  ExpectNoWork(refused);
  EXPECT_THAT(ReplyText(refused), HasSubstr("needs the role write"));
  EXPECT_THAT(ReplyText(refused), HasSubstr("`/swage delegate @eve-as-she-was`"));
}

TEST(Intake, DelegatesUseTheCommandsOfTheirTask) {
  const auto decide = [](const char* command, TaskState state) {
    return Decide(EveSaid(command), FactsOfDelegate(state), Rules());
  };
  EXPECT_EQ(decide("/swage fix use a map", TaskState::kInReview).changes.at(0).remark, "use a map");
  EXPECT_EQ(decide("/swage stop", TaskState::kRunning).changes.size(), 1u);
  EXPECT_EQ(decide("/swage run", TaskState::kCancelled).changes.size(), 1u);
  EXPECT_THAT(ReplyText(decide("/swage status", TaskState::kRunning)),
              HasSubstr("`eve-as-she-was`"));
}

TEST(Intake, DelegatesMayNeitherDelegateNorBeginAnotherTask) {
  for (const char* command :
       {"/swage delegate @zoe", "/swage undelegate @zoe", "/swage undelegate"}) {
    IntakeFacts facts = FactsOfDelegate(TaskState::kRunning);
    facts.named = Actor{"8", "zoe", false};
    const IntakePlan plan = Decide(EveSaid(command), facts, Rules());
    EXPECT_THAT(plan.delegates, IsEmpty()) << command;
    EXPECT_THAT(ReplyText(plan), HasSubstr("needs the role write"));
  }
  for (const TaskState ended : {TaskState::kMerged, TaskState::kClosed}) {
    const IntakePlan plan = Decide(EveSaid("/swage run"), FactsOfDelegate(ended), Rules());
    ExpectNoWork(plan);
    EXPECT_THAT(ReplyText(plan), HasSubstr("needs the role write"));
  }
  IssueLabeled label = Labeled();
  label.actor = kEve;
  ExpectNoWork(Decide(label, FactsOfDelegate(TaskState::kFailed), Rules()));
}

TEST(Intake, DelegatingNeedsATaskAndAPerson) {
  EXPECT_THAT(ReplyText(Decide(Said("/swage delegate @eve"), Facts(), Rules())),
              HasSubstr("no task for this issue yet"));
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  EXPECT_THAT(ReplyText(Decide(Said("/swage delegate @evelyn"), facts, Rules())),
              HasSubstr("nobody here has the name `evelyn`"));
  facts.delegates.assign(20, {"1", "x", "ada"});
  facts.named = kEve;
  EXPECT_THAT(ReplyText(Decide(Said("/swage delegate @eve"), facts, Rules())),
              HasSubstr("at most 20"));
  facts = FactsWith(TaskState::kMerged);
  facts.named = kEve;
  EXPECT_THAT(ReplyText(Decide(Said("/swage delegate @eve"), facts, Rules())), HasSubstr("final"));
}

TEST(Intake, Threat_T16_BotsAreNoDelegatesUnlessListed) {
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  for (const Actor& bot : {Actor{"66", "helper[bot]", true}, kSelf}) {
    facts.named = bot;
    const IntakePlan plan = Decide(Said("/swage delegate @helper[bot]"), facts, Rules());
    EXPECT_THAT(plan.delegates, IsEmpty());
    EXPECT_THAT(ReplyText(plan), HasSubstr("is a bot"));
  }
  // One that became a delegate while it was listed.
  facts.delegates = {{"66", "helper[bot]", "ada"}};
  facts.role = Role::kNone;
  CommentCreated e = Said("/swage stop");
  e.actor = {"66", "helper[bot]", true};
  EXPECT_TRUE(Decide(e, facts, Rules()).ignored);
  IntakeRules listed = Rules();
  listed.allowed_bots = {"66"};
  EXPECT_EQ(Decide(e, facts, listed).changes.size(), 1u);
}

TEST(Intake, UndelegateTakesItBackFromOneOrAll) {
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.delegates = {{"7", "eve", "ada"}, {"8", "zoe", "ada"}};
  const auto gone = [&](const char* command) {
    std::vector<std::string> accounts;
    for (const DelegateChange& change : Decide(Said(command), facts, Rules()).delegates) {
      EXPECT_FALSE(change.may);
      accounts.push_back(change.who.account);
    }
    return accounts;
  };
  EXPECT_THAT(gone("/swage undelegate @zoe"), testing::ElementsAre("8"));
  EXPECT_THAT(gone("/swage undelegate"), testing::ElementsAre("7", "8"));
  // Renamed since: the account is the same.
  facts.named = Actor{"7", "eva", false};
  EXPECT_THAT(gone("/swage undelegate @eva"), testing::ElementsAre("7"));
  facts.named.reset();
  EXPECT_THAT(gone("/swage undelegate @nobody"), IsEmpty());
  EXPECT_THAT(ReplyText(Decide(Said("/swage undelegate @nobody"), facts, Rules())),
              HasSubstr("`nobody` is no delegate of this task; there are `eve`, `zoe`"));
}

TEST(Intake, CommandsCanHaveRolesOfTheirOwn) {
  IntakeRules rules = Rules();
  rules.command_roles = {{Verb::kStop, Role::kTriage}, {Verb::kFix, Role::kMaintain}};
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.role = Role::kTriage;
  EXPECT_EQ(Decide(Said("/swage stop"), facts, rules).changes.size(), 1u);
  ExpectNoWork(Decide(Said("/swage retry"), facts, rules));
  facts.role = Role::kWrite;
  EXPECT_THAT(ReplyText(Decide(Said("/swage fix x"), facts, rules)),
              HasSubstr("needs the role maintain"));
  facts.role = Role::kMaintain;
  EXPECT_EQ(Decide(Said("/swage fix x"), facts, rules).changes.size(), 1u);
}

TEST(Intake, RolesOfCommandsComeFromTheSettings) {
  Settings settings;
  settings.min_role = "maintain";
  settings.command_roles = {{"status", "read"}};
  const IntakeRules rules = RulesFor(settings, ForgeSettings{});
  EXPECT_EQ(rules.RoleFor(Verb::kStatus), Role::kRead);
  EXPECT_EQ(rules.RoleFor(Verb::kStop), Role::kMaintain);
}

TEST(Intake, Threat_T22_ForeignAndForkPullRequestsAreRefused) {
  IntakeFacts facts = Facts();
  facts.pull = PullRequest{};
  const auto reply = [&] {
    return ReplyText(Decide(Said("/swage fix x", ThreadKind::kPullRequest), facts, Rules()));
  };
  EXPECT_THAT(reply(), HasSubstr("only work on pull requests that I opened"));
  facts.pull->from_fork = true;
  EXPECT_THAT(reply(), HasSubstr("comes from a fork"));
}

TEST(Intake, ConversationIsIgnored) {
  EXPECT_TRUE(Decide(Said("Looks good to me"), Facts(), Rules()).ignored);
}

// --- the assignee and the mention

Issue Unlabelled() {
  Issue issue = OpenIssue();
  issue.labels = {"bug"};
  return issue;
}

IssueAssigned Assigned(const Actor& actor = kAda) {
  Issue issue = Unlabelled();
  issue.assignees = {"3", kSelf.id};
  return {kRepo, actor, issue, {kSelf.id}};
}

IntakeFacts AssignedFacts() {
  IntakeFacts facts = Facts();
  facts.issue = Assigned().issue;
  return facts;
}

TEST(Intake, AnAssignmentToTheBotIsARequest) {
  const IntakePlan plan = Decide(Assigned(), AssignedFacts(), Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->requester.login, "ada");
  EXPECT_EQ(plan.task->text.body, "Steps...");
  EXPECT_TRUE(plan.task->by_label) << "wanted as long as it stands";
  EXPECT_THAT(Kinds(plan.effects), testing::ElementsAre(EffectKind::kReaction));
  IssueAssigned other = Assigned();
  other.added = {"3"};
  ExpectNoWork(Decide(other, AssignedFacts(), Rules()));
  IntakeRules rules = Rules();
  rules.triggers.assignee = false;
  ExpectNoWork(Decide(Assigned(), AssignedFacts(), rules));
  IntakeFacts taken_back = AssignedFacts();
  taken_back.issue->assignees = {"3"};
  ExpectNoWork(Decide(Assigned(), taken_back, Rules()));
}

TEST(Intake, Threat_T15_AnAssignmentNeedsTheRole) {
  IntakeFacts facts = AssignedFacts();
  facts.role = Role::kTriage;
  const IntakePlan plan = Decide(Assigned(), facts, Rules());
  ExpectNoWork(plan);
  EXPECT_THAT(ReplyText(plan), HasSubstr("needs the role"));
  ExpectNoWork(Decide(Assigned({"7", "evil[bot]", true}), AssignedFacts(), Rules()));
  ExpectNoWork(Decide(Assigned(kSelf), AssignedFacts(), Rules()));
}

TEST(Intake, TakingTheAssignmentBackStopsTheWorkUnlessTheLabelStands) {
  const IssueUnassigned event{kRepo, kAda, Unlabelled(), {kSelf.id}};
  IntakeFacts facts = FactsWith(TaskState::kRunning);
  facts.issue = Unlabelled();
  const IntakePlan plan = Decide(event, facts, Rules());
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kCancel);
  EXPECT_EQ(plan.outcome, "the assignment was taken back by ada");
  facts.issue = OpenIssue();
  ExpectNoWork(Decide(event, facts, Rules()));
  // And the other way round.
  facts.issue = Assigned().issue;
  ExpectNoWork(Decide(IssueUnlabeled{kRepo, kAda, Unlabelled(), {"swage"}}, facts, Rules()));
}

TEST(Intake, ANewIssueThatCallsTheBotIsARequest) {
  IssueOpened event{kRepo, kAda, Unlabelled()};
  event.issue.body = "It is broken.\n\n@swage-bot please mend it.";
  IntakeFacts facts = Facts();
  facts.issue = event.issue;
  const IntakePlan plan = Decide(event, facts, Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->text.body, event.issue.body);
  EXPECT_FALSE(plan.task->by_label);
  EXPECT_EQ(plan.command_key, Decide(event, facts, Rules()).command_key);
  IntakeRules rules = Rules();
  rules.triggers.mention = false;
  ExpectNoWork(Decide(event, facts, rules));
  event.issue.body = "Written by @swage-bot once.";
  ExpectNoWork(Decide(event, facts, Rules()));
  event.issue.body = "@swage-bot-dev please mend it.";
  ExpectNoWork(Decide(event, facts, Rules()));
  event.issue.body = "@swage-bot";
  facts.role = Role::kRead;
  ExpectNoWork(Decide(event, facts, Rules()));
}

TEST(Intake, ANewIssueAsksByItsLabelsWhereNothingElseTellsOfThem) {
  IssueOpened event{kRepo, kAda, OpenIssue()};
  ExpectNoWork(Decide(event, Facts(), Rules()));
  event.tells_all = true;
  EXPECT_TRUE(Decide(event, Facts(), Rules()).task.has_value());
  event.issue = Assigned().issue;
  EXPECT_TRUE(Decide(event, AssignedFacts(), Rules()).task.has_value());
}

TEST(Intake, PlainWordsBeginTheWorkOrSteerIt) {
  const CommentCreated words = Said("@swage-bot please mend the parser");
  const IntakePlan begun = Decide(words, Facts(), Rules());
  ASSERT_TRUE(begun.task.has_value());
  EXPECT_EQ(begun.task->remark, "please mend the parser");
  EXPECT_EQ(begun.command, "/swage run");
  const IntakePlan steered = Decide(words, FactsWith(TaskState::kRunning), Rules());
  ASSERT_EQ(steered.changes.size(), 1U);
  EXPECT_EQ(steered.changes[0].kind, TaskChangeKind::kRemark);
  EXPECT_EQ(steered.changes[0].remark, "please mend the parser");
  const IntakePlan again = Decide(words, FactsWith(TaskState::kInReview), Rules());
  ASSERT_EQ(again.changes.size(), 1U);
  EXPECT_EQ(again.changes[0].kind, TaskChangeKind::kRequeue);
  IntakeRules rules = Rules();
  rules.triggers.mention = false;
  EXPECT_THAT(ReplyText(Decide(words, Facts(), rules)), HasSubstr("unknown command"));
  IntakeFacts facts = Facts();
  facts.role = Role::kRead;
  ExpectNoWork(Decide(words, facts, Rules()));
}

// --- what the issue's first lines ask for, and quotas

IssueLabeled LabeledWith(const std::string& front) {
  IssueLabeled event = Labeled();
  event.issue.body = "---\n" + front + "\n---\nSteps...";
  return event;
}

TEST(Intake, TheFirstLinesChooseBaseAndProfile) {
  const IntakePlan plan = Decide(LabeledWith("base: release/2\nprofile: docs"), Facts(), Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->base_branch, "release/2");
  EXPECT_EQ(plan.task->profile, "docs");
  IssueLabeled by_label = LabeledWith("profile: docs");
  by_label.added = {"swage:tests"};
  EXPECT_EQ(Decide(by_label, Facts(), Rules()).task->profile, "tests") << "the label wins";
}

TEST(Intake, WhatTheFirstLinesGetWrongIsSaidOnceAndTheWorkBegins) {
  IntakeRules rules = Rules();
  rules.agent = "claude";
  const IssueLabeled event = LabeledWith("prioritie: high\nagent: codex");
  const IntakePlan plan = Decide(event, Facts(), rules);
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_THAT(ReplyText(plan), HasSubstr("line 2: there is no"));
  EXPECT_THAT(ReplyText(plan), HasSubstr("this server has no `codex`, only `claude`"));
  EXPECT_EQ(ReplyText(Decide(LabeledWith("agent: claude"), Facts(), rules)), "");
}

TEST(Intake, ATaskWaitsForOpenIssuesOnly) {
  IntakeFacts facts = Facts();
  facts.open_dependencies = {34};
  const IntakePlan plan = Decide(LabeledWith("depends-on: [12, 33, 34]"), facts, Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_THAT(plan.task->waits_for, testing::ElementsAre(34));
  EXPECT_EQ(plan.task->waits_reason, "it waits for #34 to be closed");
  EXPECT_THAT(Decide(LabeledWith("depends-on: 33"), Facts(), Rules()).task->waits_for, IsEmpty());
}

TEST(Intake, BeyondTheQuotaNothingBeginsAndWhoAskedIsTold) {
  IntakeRules rules = Rules();
  rules.quota_repo = 3;
  rules.quota_account = 2;
  IntakeFacts facts = Facts();
  facts.starts = {2, 1};
  EXPECT_TRUE(Decide(Labeled(), facts, rules).task.has_value());
  facts.starts = {3, 0};
  IntakePlan plan = Decide(Labeled(), facts, rules);
  ExpectNoWork(plan);
  EXPECT_TRUE(plan.refused);
  EXPECT_FALSE(plan.command_key.empty()) << "said once";
  EXPECT_THAT(ReplyText(plan), HasSubstr("3 tasks began here in the last hour"));
  facts.starts = {2, 2};
  EXPECT_THAT(ReplyText(Decide(Labeled(), facts, rules)), HasSubstr("no more than 2 for one"));
  EXPECT_THAT(ReplyText(Decide(Said("/swage run"), facts, rules)), HasSubstr("Ask again later"));
  // What was begun before goes on.
  IntakeFacts failed = FactsWith(TaskState::kFailed);
  failed.starts = facts.starts;
  EXPECT_EQ(Decide(Said("/swage run"), failed, rules).changes.size(), 1U);
}

// --- what a poll found

IssueLabeled FoundLabel() {
  IssueLabeled e;
  e.repo = kRepo;
  e.issue = OpenIssue();
  e.issue.body = "as listed";
  e.added = {"swage"};
  e.found = true;
  return e;
}

Wish LabelledBy(const Actor& actor, const char* id = "501") {
  Wish labelling;
  labelling.act.id = id;
  labelling.act.actor = actor;
  labelling.act.label = "swage";
  return labelling;
}

TEST(IntakePolled, Threat_T15_TheForgeSaysWhoSetTheLabel) {
  IntakeFacts facts = Facts();
  EXPECT_FALSE(Decide(FoundLabel(), facts, Rules()).task.has_value());
  facts.wish = LabelledBy({"6", "eve", false});
  const IntakePlan plan = Decide(FoundLabel(), facts, Rules());
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->requester.login, "eve");
  EXPECT_EQ(plan.task->text.body, "Steps...");  // as it reads now
  EXPECT_TRUE(plan.task->by_label);
  facts.wish = LabelledBy(kSelf);
  EXPECT_FALSE(Decide(FoundLabel(), facts, Rules()).task.has_value());
  facts.wish = LabelledBy({"7", "evil[bot]", true});
  EXPECT_FALSE(Decide(FoundLabel(), facts, Rules()).task.has_value());
  facts.wish = LabelledBy({"6", "eve", false});
  facts.role = Role::kTriage;
  EXPECT_FALSE(Decide(FoundLabel(), facts, Rules()).task.has_value());
}

TEST(IntakePolled, AWebhookAndAPollOfOneLabelAreOneRequest) {
  IntakeFacts facts = Facts();
  facts.wish = LabelledBy(kAda);
  IssueLabeled told = FoundLabel();
  told.found = false;
  told.actor = kAda;
  const IntakePlan by_webhook = Decide(told, facts, Rules());
  const IntakePlan by_poll = Decide(FoundLabel(), facts, Rules());
  EXPECT_FALSE(by_webhook.command_key.empty());
  EXPECT_EQ(by_webhook.command_key, by_poll.command_key);
  EXPECT_EQ(by_webhook.task->text.body, "as listed");  // what its author saw
  facts.wish = LabelledBy(kAda, "502");
  EXPECT_NE(Decide(FoundLabel(), facts, Rules()).command_key, by_poll.command_key);
}

TEST(IntakePolled, Threat_T18_AnEditBehindTheLabelIsAskedAboutOnce) {
  IntakeFacts facts = Facts();
  facts.wish = LabelledBy(kAda);
  facts.wish->edited_since = true;
  const IntakePlan plan = Decide(FoundLabel(), facts, Rules());
  EXPECT_FALSE(plan.task.has_value());
  ASSERT_EQ(plan.effects.size(), 1U);
  EXPECT_THAT(plan.effects[0].payload, HasSubstr("edited after the label"));
  EXPECT_FALSE(plan.command_key.empty());
  // Its own author's webhook brings the text of that moment.
  IssueLabeled told = FoundLabel();
  told.found = false;
  told.actor = kAda;
  EXPECT_TRUE(Decide(told, facts, Rules()).task.has_value());
}

PullRequestPushed Pushed(const Actor& actor) {
  return {kRepo, actor, 20, "swage/12-x", {"theirs"}};
}

IntakeFacts PushedFacts(TaskState state) {
  IntakeFacts facts = Facts();
  facts.task = TaskIn(state);
  facts.task->pr_number = 20;
  facts.task->pushed = {"ours"};
  facts.pull = PullRequest{};
  facts.pull->number = 20;
  facts.pull->head_sha = {"theirs"};
  return facts;
}

TEST(IntakePolled, Fault_X25_APushOfSomebodyElsePausesTheTask) {
  const IntakePlan plan = Decide(Pushed(kAda), PushedFacts(TaskState::kInReview), Rules());
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_EQ(plan.changes[0].kind, TaskChangeKind::kPause);
  EXPECT_EQ(plan.effects.size(), 2U);  // status and one remark
  // A running task only when the forge says who it was: else it may be the bot's own push.
  EXPECT_EQ(Decide(Pushed(kAda), PushedFacts(TaskState::kRunning), Rules()).changes.size(), 1U);
  EXPECT_THAT(Decide(Pushed({}), PushedFacts(TaskState::kRunning), Rules()).changes, IsEmpty());
  EXPECT_EQ(Decide(Pushed({}), PushedFacts(TaskState::kInReview), Rules()).changes.size(), 1U);
  EXPECT_THAT(Decide(Pushed(kSelf), PushedFacts(TaskState::kInReview), Rules()).changes, IsEmpty());
  IntakeFacts own = PushedFacts(TaskState::kInReview);
  own.pull->head_sha = {"ours"};
  EXPECT_THAT(Decide(Pushed(kAda), own, Rules()).changes, IsEmpty());
  for (const TaskState state : {TaskState::kWaiting, TaskState::kMerged, TaskState::kClosed,
                                TaskState::kFailed, TaskState::kCancelled}) {
    EXPECT_THAT(Decide(Pushed(kAda), PushedFacts(state), Rules()).changes, IsEmpty());
  }
}

TEST(IntakePolled, WhoAsksToGoOnGoesOnFromWhatIsThere) {
  CommentCreated e;
  e.repo = kRepo;
  e.actor = kAda;
  e.thread = {ThreadKind::kPullRequest, 20};
  e.comment = {"900", "/swage fix and tidy up", "", kAda};
  for (const TaskState state : {TaskState::kWaiting, TaskState::kInReview, TaskState::kFailed}) {
    const IntakePlan plan = Decide(e, PushedFacts(state), Rules());
    ASSERT_EQ(plan.changes.size(), 1U);
    EXPECT_EQ(plan.changes[0].adopt.value, "theirs");
  }
  IntakeFacts own = PushedFacts(TaskState::kInReview);
  own.pull->head_sha = {"ours"};
  EXPECT_EQ(Decide(e, own, Rules()).changes[0].adopt.value, "");
}

}  // namespace
}  // namespace swage
