// The inbox and intake's half of the Store's contract.
#include <atomic>
#include <set>
#include <thread>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using namespace std::chrono_literals;

NewDelivery Hook(const std::string& key, const std::string& body = "{}") {
  return {"forge", key, "issues", body};
}

TEST_P(StoreSuite, ADeliveryIsStoredOnce) {
  EXPECT_TRUE(*store_->AddDelivery(Hook("a")));
  EXPECT_FALSE(*store_->AddDelivery(Hook("a", "another body")));
  EXPECT_TRUE(*store_->AddDelivery({"other", "a", "issues", "{}"})) << "keys are unique per forge";
  const auto pending = PendingOf(*store_, 10);
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_EQ((*pending)[0].what.body, "{}") << "the first body counts";
}

TEST_P(StoreSuite, ADeliveryKeepsItsBytesAndItsTime) {
  const std::string body = std::string("\0\xff\xfe{}\n", 6) + std::string(200'000, '\x80');
  ASSERT_TRUE(*store_->AddDelivery({"forge", "key'; DROP TABLE tasks; --", "issue_comment", body}));
  const auto pending = PendingOf(*store_, 10);
  ASSERT_EQ(pending->size(), 1u);
  const Delivery& d = pending->front();
  EXPECT_EQ(d.what.body, body);
  EXPECT_EQ(d.what.key, "key'; DROP TABLE tasks; --");
  EXPECT_EQ(d.what.event, "issue_comment");
  EXPECT_EQ(d.received, clock_.Now());
  EXPECT_EQ(d.attempts, 0);
}

TEST_P(StoreSuite, PendingDeliveriesAreOldestFirstAndLimited) {
  for (const char* key : {"c", "a", "b"}) {
    ASSERT_TRUE(*store_->AddDelivery(Hook(key)));
    clock_.Advance(1ms);
  }
  const auto pending = PendingOf(*store_, 2);
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_EQ((*pending)[0].what.key, "c");
  EXPECT_EQ((*pending)[1].what.key, "a");
}

TEST_P(StoreSuite, ADeferredDeliveryComesBackAfterItsDelay) {
  ASSERT_TRUE(*store_->AddDelivery(Hook("a")));
  const DeliveryId id = PendingOf(*store_, 1)->front().id;
  ASSERT_TRUE(store_->DeferDelivery(id, "forge down", 30s, Blame::kItself).ok());
  EXPECT_TRUE(PendingOf(*store_, 1)->empty());
  clock_.Advance(29s);
  EXPECT_TRUE(PendingOf(*store_, 1)->empty());
  clock_.Advance(1s);
  ASSERT_EQ(PendingOf(*store_, 1)->size(), 1u);
  EXPECT_EQ(PendingOf(*store_, 1)->front().attempts, 1);
  EXPECT_EQ(store_->DeferDelivery({999}, "x", 1s, Blame::kItself).error().code,
            ErrorCode::kNotFound);
}

TEST_P(StoreSuite, ADecidedDeliveryIsOverButStillKnown) {
  ASSERT_TRUE(*store_->AddDelivery(Hook("a")));
  IntakePlan plan;
  plan.delivery = PendingOf(*store_, 1)->front().id;
  plan.outcome = "task created";
  plan.task = Issue(12);
  EXPECT_TRUE(Apply(plan).created);
  EXPECT_TRUE(PendingOf(*store_, 1)->empty());
  EXPECT_FALSE(*store_->AddDelivery(Hook("a"))) << "a replay is still told apart";
  EXPECT_EQ(store_->DeferDelivery(plan.delivery, "x", 1s, Blame::kItself).error().code,
            ErrorCode::kNotFound);
}

TEST_P(StoreSuite, APlanIsAppliedOncePerDelivery) {
  ASSERT_TRUE(*store_->AddDelivery(Hook("a")));
  IntakePlan plan;
  plan.delivery = PendingOf(*store_, 1)->front().id;
  plan.task = Issue(12);
  plan.effects.push_back(MakeEffect(EffectKind::kComment, "c", {}));
  EXPECT_TRUE(Apply(plan).created);
  plan.task = Issue(13);
  const IntakeResult again = Apply(plan);
  EXPECT_EQ(again.task.value, 0);
  EXPECT_FALSE(store_->FindTaskByIssue(Repo(), 13)->has_value());
  plan.delivery = {999};
  EXPECT_EQ(store_->ApplyIntake(plan).error().code, ErrorCode::kNotFound);
}

TEST_P(StoreSuite, DelegatesBelongToOneTaskAndAreKnownByTheirAccount) {
  const TaskId id = Create(12);
  const TaskId other = Create(13);
  IntakePlan plan;
  plan.delegates = {{id, {"7", "eve", "alice"}, true}, {id, {"8", "zoe", "alice"}, true}};
  Apply(plan);
  const auto accounts = [&](TaskId task) {
    std::string all;
    for (const Delegate& d : *store_->ListDelegates(task)) {
      all += d.account + ":" + d.login + ":" + d.by + " ";
    }
    return all;
  };
  EXPECT_EQ(accounts(id), "7:eve:alice 8:zoe:alice ");
  EXPECT_EQ(accounts(other), "");
  // Once more, under another name: the account is the same.
  plan.delegates = {{id, {"7", "eva", "bob"}, true}};
  Apply(plan);
  EXPECT_EQ(accounts(id), "7:eva:bob 8:zoe:alice ");
  Reopen();
  plan.delegates = {{id, {"7", "whatever", "bob"}, false}, {id, {"9", "nobody", "bob"}, false}};
  Apply(plan);
  EXPECT_EQ(accounts(id), "8:zoe:alice ");
  EXPECT_EQ(Story(id).at(1), "@eve may command this task, says @alice");
  EXPECT_EQ(Story(id).at(4), "@whatever may no longer command this task, says @bob");
}

TEST_P(StoreSuite, DelegatesOfNoTaskAreRefusedWithTheWholePlan) {
  const TaskId id = Create(12);
  IntakePlan plan;
  plan.delegates = {{id, {"7", "eve", "alice"}, true}, {{999}, {"7", "eve", "alice"}, true}};
  EXPECT_FALSE(store_->ApplyIntake(plan).ok());
  EXPECT_TRUE(store_->ListDelegates(id)->empty());
}

TEST_P(StoreSuite, ConcurrentDeliveriesAreAllDurableAndEachOnce) {
  constexpr int kThreads = 16;
  constexpr int kEach = 50;
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      // Every key is sent by all threads.
      for (int i = 0; i < kEach; ++i) {
        const auto added =
            store_->AddDelivery(Hook("key-" + std::to_string(i), std::string(5'000, 'x')));
        ASSERT_TRUE(added.ok()) << added.error().message;
        if (*added) ++stored;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored.load(), kEach);
  Reopen();
  EXPECT_EQ(PendingOf(*store_, 1000)->size(), static_cast<std::size_t>(kEach));
  EXPECT_EQ(store_->Counts()->deliveries, kEach);
}

TEST_P(StoreSuite, ABatchAnswersInItsOrderAndStoresEachKeyOnce) {
  ASSERT_TRUE(*store_->AddDelivery(Hook("old", "first")));
  const auto fresh = store_->AddDeliveries(
      {Hook("a", "1"), Hook("old", "second"), Hook("b", "2"), Hook("a", "3"), Hook("c", "")});
  ASSERT_TRUE(fresh.ok()) << fresh.error().message;
  EXPECT_EQ(*fresh, (std::vector<bool>{true, false, true, false, true}));
  std::vector<std::string> stored;
  for (const Delivery& d : *PendingOf(*store_, 10)) {
    stored.push_back(d.what.key + "=" + d.what.body);
  }
  EXPECT_EQ(stored, (std::vector<std::string>{"old=first", "a=1", "b=2", "c="}));
}

TEST_P(StoreSuite, AnEmptyBatchIsNothing) {
  const auto fresh = store_->AddDeliveries({});
  ASSERT_TRUE(fresh.ok()) << fresh.error().message;
  EXPECT_TRUE(fresh->empty());
  EXPECT_EQ(store_->Counts()->deliveries, 0);
}

TEST_P(StoreSuite, ABatchIsThereAgainAfterReopening) {
  std::vector<NewDelivery> batch;
  for (int i = 0; i < 700; ++i) {
    const auto size = static_cast<std::size_t>(i * 37);
    batch.push_back(Hook("key-" + std::to_string(i), std::string(size, 'x')));
  }
  ASSERT_TRUE(store_->AddDeliveries(batch).ok());
  Reopen();
  const auto pending = PendingOf(*store_, 1000);
  ASSERT_EQ(pending->size(), batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ((*pending)[i].what.key, batch[i].key);
    EXPECT_EQ((*pending)[i].what.body, batch[i].body);
  }
  EXPECT_FALSE(*store_->AddDelivery(batch.back()));
}

TEST_P(StoreSuite, ANewIssueBecomesAQueuedTask) {
  const TaskId id = Create(12);
  const Task task = Get(id);
  EXPECT_EQ(task.repo, Repo());
  EXPECT_EQ(task.issue_number, 12);
  EXPECT_EQ(task.generation, 1);
  EXPECT_EQ(task.issue_url, "http://forge/issues/12");
  EXPECT_EQ(task.text.title, "Fix the parser");
  EXPECT_EQ(task.text.body, "It fails on empty input.");
  EXPECT_EQ(task.text.hash, "hash");
  EXPECT_EQ(task.requester.id, "42");
  EXPECT_EQ(task.requester.login, "alice");
  EXPECT_FALSE(task.requester.is_bot);
  EXPECT_EQ(task.profile, "docs");
  EXPECT_EQ(task.state, TaskState::kQueued);
  EXPECT_EQ(task.stage, Stage::kNone);
  EXPECT_EQ(task.run_kind, RunKind::kImplement);
  EXPECT_EQ(task.run, 1);
  EXPECT_EQ(task.attempt, 0);
  EXPECT_EQ(task.branch, "swage/12-fix-the-parser");
  EXPECT_EQ(task.created, clock_.Now());
}

TEST_P(StoreSuite, TheSameIssueAgainIsFoundNotMade) {
  const TaskId id = Create(12);
  IntakePlan plan;
  plan.task = Issue(12);
  plan.effects_for_new_task.push_back(MakeEffect(EffectKind::kReaction, "r", {}));
  for (const TaskState state : {TaskState::kQueued, TaskState::kFailed, TaskState::kCancelled}) {
    if (state == TaskState::kFailed) {
      ASSERT_TRUE(store_->FinishRun(Claim()->lease, {TaskState::kFailed, "no", {}, {}}).ok());
    }
    if (state == TaskState::kCancelled) {
      ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
      ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
    }
    ASSERT_EQ(Get(id).state, state);
    const IntakeResult result = Apply(plan);
    EXPECT_EQ(result.task, id);
    EXPECT_FALSE(result.created);
  }
  EXPECT_TRUE(DueKeys().empty()) << "effects for a new task are dropped when there is none";
  EXPECT_EQ(store_->ListTasks({})->size(), 1u);
}

TEST_P(StoreSuite, ANewGenerationBeginsOnlyAfterMergedOrClosedAndWhenAsked) {
  const TaskId first = Create(12);
  IntakePlan again;
  again.task = Issue(12);
  again.task->new_generation = true;
  EXPECT_EQ(Apply(again).task, first) << "the first is still queued";
  ASSERT_TRUE(Change(first, TaskChangeKind::kMerge).ok());
  EXPECT_EQ(Create(12), first) << "not asked for";
  const IntakeResult result = Apply(again);
  EXPECT_TRUE(result.created);
  EXPECT_NE(result.task, first);
  EXPECT_EQ(Get(result.task).generation, 2);
  EXPECT_EQ(Get(result.task).branch, "swage/12-g2-fix-the-parser");
  EXPECT_EQ((*store_->FindTaskByIssue(Repo(), 12))->id, result.task) << "the newest is found";
}

TEST_P(StoreSuite, ARepositoryIsItsIdWhateverItsPath) {
  const TaskId id = Create(12);
  IntakePlan plan;
  plan.task = Issue(12);
  plan.task->repo.path = "acme/renamed";
  EXPECT_EQ(Apply(plan).task, id);
  EXPECT_EQ(Get(id).repo.path, "acme/renamed");
  plan.task->repo.id = "999";
  EXPECT_NE(Apply(plan).task, id) << "the same path of another repository is another issue";
}

TEST_P(StoreSuite, Threat_T19_ACommandIsObeyedOncePerComment) {
  const TaskId id = Create(12);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(*store_->AddDelivery(Hook("d" + std::to_string(i))));
    IntakePlan plan;
    plan.delivery = PendingOf(*store_, 1)->front().id;
    plan.command_key = "forge:comment:77";
    plan.changes.push_back({id, TaskChangeKind::kRemark, RunKind::kFix, "do it", "bob", ""});
    plan.effects.push_back(MakeEffect(EffectKind::kComment, "c" + std::to_string(i), {}));
    plan.task = Issue(100 + i);
    Apply(plan);
    EXPECT_TRUE(PendingOf(*store_, 1)->empty()) << "the delivery is decided all the same";
  }
  EXPECT_EQ(Texts(Claim()->remarks), std::vector<std::string>{"do it"});
  EXPECT_EQ(DueKeys(), std::vector<std::string>{"c0"});
  EXPECT_FALSE(store_->FindTaskByIssue(Repo(), 101)->has_value());
}

TEST_P(StoreSuite, APlanThatCannotBeAppliedChangesNothing) {
  const TaskId id = Create(12);
  ASSERT_TRUE(Change(id, TaskChangeKind::kMerge).ok());
  ASSERT_TRUE(*store_->AddDelivery(Hook("a")));
  IntakePlan plan;
  plan.delivery = PendingOf(*store_, 1)->front().id;
  plan.command_key = "k";
  plan.task = Issue(13);
  plan.effects.push_back(MakeEffect(EffectKind::kComment, "c", {}));
  plan.changes.push_back({id, TaskChangeKind::kCancel, RunKind::kFix, "", "bob", ""});
  EXPECT_EQ(store_->ApplyIntake(plan).error().code, ErrorCode::kConflict);
  EXPECT_FALSE(store_->FindTaskByIssue(Repo(), 13)->has_value());
  EXPECT_TRUE(DueKeys().empty());
  EXPECT_EQ(PendingOf(*store_, 1)->size(), 1u) << "it can be decided anew";
  plan.changes.clear();
  EXPECT_TRUE(Apply(plan).created) << "and the command was not obeyed yet";
}

TEST_P(StoreSuite, EffectsOfAPlanAreTiedToItsTask) {
  IntakePlan plan;
  plan.task = Issue(12);
  plan.effects.push_back(MakeEffect(EffectKind::kReaction, "r", {}));
  plan.effects_for_new_task.push_back(MakeEffect(EffectKind::kSticky, "", {}));
  const TaskId id = Apply(plan).task;
  const auto due = Due();
  ASSERT_EQ(due.size(), 2u);
  for (const Effect& effect : due) EXPECT_EQ(effect.what.task, id);
  EXPECT_EQ(DueByKey(StickyKey(id)).what.kind, EffectKind::kSticky);
}

TEST_P(StoreSuite, ForbiddenMovesAreConflicts) {
  const TaskId merged = Create(1);
  ASSERT_TRUE(Change(merged, TaskChangeKind::kMerge).ok());
  EXPECT_TRUE(Change(merged, TaskChangeKind::kMerge).ok()) << "the same news twice is no move";
  for (const TaskChangeKind kind : {TaskChangeKind::kRequeue, TaskChangeKind::kCancel,
                                    TaskChangeKind::kClose, TaskChangeKind::kRemark}) {
    EXPECT_EQ(Change(merged, kind, "text").error().code, ErrorCode::kConflict);
  }
  EXPECT_EQ(Get(merged).state, TaskState::kMerged);
  EXPECT_EQ(Change({999}, TaskChangeKind::kCancel).error().code, ErrorCode::kNotFound);
}

TEST_P(StoreSuite, CancellingFencesTheWorkerAndNamesTheTask) {
  const TaskId id = Create(12);
  const auto claimed = Claim();
  const auto step = store_->StartStep(claimed->lease, MakeStep(StepKind::kAgent, "agent"));
  ASSERT_TRUE(step.ok());
  Add({MakeEffect(EffectKind::kStatus, "status", id), MakeEffect(EffectKind::kSticky, "", id),
       MakeEffect(EffectKind::kComment, "answer", id)});
  const auto result = Change(id, TaskChangeKind::kCancel);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->cancelled, std::vector<TaskId>{id});
  const Task task = Get(id);
  EXPECT_EQ(task.state, TaskState::kCancelled);
  EXPECT_EQ(task.reason, "bob said so");
  EXPECT_EQ(task.stage, Stage::kNone);
  EXPECT_TRUE(task.lease_node.empty());
  EXPECT_GT(task.epoch, claimed->lease.epoch);
  EXPECT_EQ(Renew(claimed->lease).error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(store_->ListSteps(id)->front().outcome, "interrupted");
  EXPECT_EQ(DueKeys(), (std::vector<std::string>{"answer", StickyKey(id)}))
      << "what waits in line is superseded, answers to people are not";
}

TEST_P(StoreSuite, ARequeueBeginsANewRun) {
  const TaskId id = Publishing(12, {});
  ASSERT_EQ(Get(id).state, TaskState::kInReview);
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue, "use a map").ok());
  const Task task = Get(id);
  EXPECT_EQ(task.state, TaskState::kQueued);
  EXPECT_EQ(task.run, 2);
  EXPECT_EQ(task.attempt, 0);
  EXPECT_EQ(task.run_kind, RunKind::kFix);
  EXPECT_EQ(task.run_first_cycle, task.cycle);
  const auto claimed = Claim();
  EXPECT_EQ(Texts(claimed->remarks), std::vector<std::string>{"use a map"});
  EXPECT_TRUE(claimed->history.empty()) << "the history is of this run";
}

TEST_P(StoreSuite, ARequeueOfARunningTaskIsARemark) {
  const TaskId id = Create(12);
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue, "first").ok());
  EXPECT_EQ(Get(id).run, 1);
  const auto claimed = Claim();
  EXPECT_EQ(Texts(claimed->remarks), std::vector<std::string>{"first"});
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue, "second").ok());
  EXPECT_EQ(Get(id).state, TaskState::kRunning);
  EXPECT_EQ(Get(id).run, 1);
  EXPECT_EQ(Texts(*store_->ListRemarks(claimed->lease)),
            (std::vector<std::string>{"first", "second"}));
}

TEST_P(StoreSuite, ARemarkKnowsTheThreadsItCameFromAndTheRunThatSawItFirst) {
  const TaskId id = Create(12);
  IntakePlan plan;
  plan.changes.push_back({id, TaskChangeKind::kRemark, RunKind::kFix, "on a line", "bob", ""});
  plan.changes.back().threads = {{"501", "bob", {"77", "a.cc", 3, 5, false, {"abc"}}}};
  Apply(plan);
  EXPECT_TRUE(store_->ListSeenRemarks(id)->empty()) << "nobody has";
  const auto claimed = Claim();
  ASSERT_EQ(claimed->remarks.size(), 1u);
  EXPECT_EQ(claimed->remarks[0].run, 1);
  ASSERT_EQ(claimed->remarks[0].threads.size(), 1u);
  EXPECT_EQ(claimed->remarks[0].threads[0].comment_id, "501");
  EXPECT_EQ(claimed->remarks[0].threads[0].place.last_line, 5);
  ASSERT_TRUE(Change(id, TaskChangeKind::kRemark, "too late").ok());
  EXPECT_EQ(Texts(*store_->ListSeenRemarks(id)), std::vector<std::string>{"on a line"});

  // The next run is the first to see that one.
  ASSERT_TRUE(store_->FinishRun(claimed->lease, {TaskState::kFailed, "no luck", {}, {}}).ok());
  if (Get(id).state == TaskState::kFailed) {
    ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
  }
  const auto again = Claim();
  ASSERT_EQ(again->remarks.size(), 2u);
  EXPECT_EQ(again->remarks[0].run, 1);
  EXPECT_EQ(again->remarks[1].run, 2);
  EXPECT_NE(again->remarks[0].id, again->remarks[1].id);
}

TEST_P(StoreSuite, ARemarkThatNoWorkerSawGetsARunOfItsOwn) {
  const TaskId id = Publishing(12, {EffectKind::kPush});
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue, "too late for this run").ok());
  EXPECT_EQ(Get(id).state, TaskState::kRunning);
  Finish("push:12");
  const Task task = Get(id);
  EXPECT_EQ(task.state, TaskState::kQueued);
  EXPECT_EQ(task.run, 2);
  EXPECT_EQ(task.run_kind, RunKind::kFix);
  EXPECT_EQ(Texts(Claim()->remarks), std::vector<std::string>{"too late for this run"});
}

TEST_P(StoreSuite, TasksAreListedNewestFirstWithFilterAndLimit) {
  const TaskId a = Create(1, 1);
  const TaskId b = Create(2, 2);
  const TaskId c = Create(3, 1);
  ASSERT_TRUE(Change(a, TaskChangeKind::kCancel).ok());
  const auto ids = [&](const TaskFilter& filter) {
    std::vector<TaskId> result;
    for (const Task& task : *store_->ListTasks(filter)) result.push_back(task.id);
    return result;
  };
  EXPECT_EQ(ids({}), (std::vector<TaskId>{c, b, a}));
  EXPECT_EQ(ids({std::nullopt, "", 2}), (std::vector<TaskId>{c, b}));
  EXPECT_EQ(ids({TaskState::kQueued, "", 10}), (std::vector<TaskId>{c, b}));
  EXPECT_EQ(ids({std::nullopt, "acme/lib1", 10}), (std::vector<TaskId>{c, a}));
  EXPECT_EQ(ids({TaskState::kCancelled, "acme/lib1", 10}), (std::vector<TaskId>{a}));
  EXPECT_TRUE(ids({TaskState::kCancelled, "acme/lib2", 10}).empty());
  EXPECT_EQ(store_->GetTask({999}).error().code, ErrorCode::kNotFound);
}

TEST_P(StoreSuite, ARunAskedForAgainMayBringTheIssuesNewText) {
  const TaskId id = Create(12);
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  IntakePlan plan;
  plan.changes.push_back({id, TaskChangeKind::kRequeue, RunKind::kImplement, "", "bob", "",
                          FrozenText{"New title", "New body", "new hash"}});
  Apply(plan);
  EXPECT_EQ(Get(id).text.title, "New title");
  EXPECT_EQ(Get(id).text.body, "New body");
  EXPECT_EQ(Get(id).text.hash, "new hash");
  // A run that is under way keeps the text that it began with.
  plan.changes.front().text->title = "Too late";
  Apply(plan);
  EXPECT_EQ(Get(id).text.title, "New title");
}

TEST_P(StoreSuite, EverythingIsThereAfterOpeningAgain) {
  const TaskId id = Publishing(12, {EffectKind::kPush, EffectKind::kReview});
  ASSERT_TRUE(*store_->AddDelivery(Hook("a")));
  const Task before = Get(id);
  const auto story = Story(id);
  Reopen();
  const Task after = Get(id);
  EXPECT_EQ(after.state, before.state);
  EXPECT_EQ(after.stage, Stage::kPublish);
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(Story(id), story);
  EXPECT_EQ(DueKeys(), std::vector<std::string>{"push:12"});
  EXPECT_FALSE(*store_->AddDelivery(Hook("a")));
}

}  // namespace
}  // namespace swage
