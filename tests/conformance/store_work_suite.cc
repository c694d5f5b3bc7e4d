// Claims, leases and a worker's writes.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using namespace std::chrono_literals;

TEST_P(StoreSuite, AClaimTakesTheOldestQueuedTask) {
  const TaskId a = Create(1);
  clock_.Advance(1ms);
  const TaskId b = Create(2);
  const auto claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  EXPECT_EQ(claimed->task.id, a);
  EXPECT_EQ(claimed->task.state, TaskState::kRunning);
  EXPECT_EQ(claimed->task.stage, Stage::kProvision);
  EXPECT_EQ(claimed->task.attempt, 1);
  EXPECT_EQ(claimed->lease.task, a);
  EXPECT_EQ(claimed->lease.epoch.value, 1);
  EXPECT_EQ(claimed->lease.node, "node");
  EXPECT_EQ(Claim()->task.id, b);
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(StoreSuite, LimitsHoldOverallAndPerRepository) {
  for (int i = 1; i <= 3; ++i) Create(i, 1);
  const TaskId other = Create(9, 2);
  ASSERT_TRUE(Claim({10, 1, 3}).has_value());
  const auto second = Claim({10, 1, 3});
  ASSERT_TRUE(second.has_value()) << "a full repository does not block the others";
  EXPECT_EQ(second->task.id, other);
  EXPECT_FALSE(Claim({10, 1, 3}).has_value());
  EXPECT_FALSE(Claim({2, 10, 3}).has_value()) << "two are running";
  EXPECT_TRUE(Claim({3, 10, 3}).has_value());
}

TEST_P(StoreSuite, AmongRepositoriesWithRoomTheOldestTaskComesFirst) {
  Create(1, 1);
  ASSERT_TRUE(Claim().has_value());
  Create(2, 1);
  clock_.Advance(1ms);
  const TaskId older = Create(3, 3);
  clock_.Advance(1ms);
  Create(4, 2);
  EXPECT_EQ(Claim({10, 1, 3})->task.id, older);
}

TEST_P(StoreSuite, AClaimTakesAllThatThereIsRoomFor) {
  std::vector<TaskId> tasks;
  for (int i = 1; i <= 8; ++i) {
    tasks.push_back(Create(i, i <= 5 ? 1 : 2));
    clock_.Advance(1ms);
  }
  const std::vector<TaskId> three(tasks.begin(), tasks.begin() + 3);
  EXPECT_EQ(ClaimMany({10, 4, 3}, 3), three) << "no more than were asked for, the oldest first";
  const std::vector<TaskId> past_the_full = {tasks[3], tasks[5], tasks[6]};
  EXPECT_EQ(ClaimMany({6, 4, 3}, 10), past_the_full) << "within the caps";
  EXPECT_TRUE(ClaimMany({6, 4, 3}, 10).empty()) << "six are running here";
  EXPECT_TRUE(ClaimMany({10, 4, 3}, 0).empty());
  const std::vector<TaskId> last = {tasks[7]};
  EXPECT_EQ(ClaimMany({10, 4, 3}, 10), last) << "repository 1 is full";
  EXPECT_EQ(Get(tasks[4]).state, TaskState::kQueued);
}

// Tasks that were worked on before wait for nothing that is younger, whatever is claimed with them.
TEST_P(StoreSuite, ClaimsOfManyKeepTheOrderOfTheQueue) {
  std::vector<TaskId> tasks;
  for (int i = 1; i <= 6; ++i) {
    tasks.push_back(Create(i));
    clock_.Advance(1ms);
  }
  const auto first = Claim();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(Change(first->task.id, TaskChangeKind::kRemark, "mind the gap").ok());
  ASSERT_TRUE(store_->FinishRun(first->lease, {TaskState::kQueued, "shutting down", {}, {}}).ok());
  ASSERT_TRUE(Change(tasks[3], TaskChangeKind::kRemark, "and the step").ok());
  std::vector<TaskId> claimed;
  for (auto some = ClaimMany(kNoLimits, 4); !some.empty(); some = ClaimMany(kNoLimits, 4)) {
    claimed.insert(claimed.end(), some.begin(), some.end());
  }
  EXPECT_EQ(claimed, tasks);
  EXPECT_EQ(Get(tasks[3]).attempt, 1);
}

TEST_P(StoreSuite, RunsThatEndTogetherEndEachOnItsOwn) {
  constexpr int kRuns = 24;
  for (int i = 1; i <= kRuns; ++i) Create(i, i % 5);
  std::vector<Claimed> claimed;
  while (auto one = Claim()) claimed.push_back(*std::move(one));
  ASSERT_EQ(std::ssize(claimed), kRuns);
  ASSERT_TRUE(Change(claimed[0].task.id, TaskChangeKind::kCancel).ok());
  ASSERT_TRUE(Change(claimed[1].task.id, TaskChangeKind::kRemark, "one more thing").ok());
  std::vector<Result<void>> results(kRuns, Ok());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRuns; ++i) {
    threads.emplace_back([&, i] {
      const TaskId id = claimed[i].task.id;
      RunOutcome outcome{TaskState::kFailed, "no luck " + std::to_string(i), {}, {}};
      // The third is not of the repository of its task, which only the long way can tell.
      NewEffect effect = MakeEffect(EffectKind::kComment, "run " + std::to_string(i), id);
      effect.repo = i == 2 ? Repo(77) : claimed[i].task.repo;
      outcome.effects.push_back(effect);
      results[i] = store_->FinishRun(claimed[i].lease, outcome);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results[0].error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(claimed[0].task.id).state, TaskState::kCancelled);
  EXPECT_TRUE(results[1].ok());
  EXPECT_EQ(Get(claimed[1].task.id).state, TaskState::kQueued) << "for the remark";
  for (std::size_t i = 2; i < kRuns; ++i) {
    EXPECT_TRUE(results[i].ok()) << i;
    EXPECT_EQ(Get(claimed[i].task.id).reason, "no luck " + std::to_string(i));
  }
  const std::vector<std::string> keys = DueKeys();
  EXPECT_EQ(std::count_if(keys.begin(), keys.end(),
                          [](const std::string& key) { return key.starts_with("run "); }),
            kRuns - 1);
}

TEST_P(StoreSuite, TheEndOfARunClaimsTheOldestForItsPlace) {
  const ClaimLimits full{2, 1, 3};
  const TaskId first = Create(1, 1);
  const TaskId other = Create(2, 2);
  for (const TaskId id : {first, other}) ASSERT_EQ(Claim(full)->task.id, id);
  const TaskId second = Create(3, 2);
  clock_.Advance(1ms);
  const TaskId third = Create(4, 1);
  clock_.Advance(1ms);
  Create(5, 1);
  const auto next = End(Get(first), full);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].task.id, third) << "repository 2 is full, and this one has room again";
  EXPECT_EQ(next[0].task.state, TaskState::kRunning);
  EXPECT_EQ(next[0].task.attempt, 1);
  EXPECT_EQ(next[0].lease.node, "node");
  EXPECT_TRUE(Renew(next[0].lease).ok());
  EXPECT_EQ(Get(first).state, TaskState::kFailed);
  EXPECT_EQ(Get(second).state, TaskState::kQueued);
  EXPECT_FALSE(Claim(full).has_value()) << "the node is full";
}

TEST_P(StoreSuite, TheEndOfARunClaimsNothingWhereThereIsNothing) {
  const TaskId id = Create(1);
  ASSERT_TRUE(Claim().has_value());
  EXPECT_TRUE(End(Get(id)).empty());
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
}

TEST_P(StoreSuite, AnEndWhoseLeaseIsLostClaimsNothing) {
  const TaskId id = Create(1);
  const TaskId next = Create(2);
  const auto claimed = Claim();
  ASSERT_EQ(claimed->task.id, id);
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  const auto ended = store_->FinishRunAndClaim(
      claimed->lease, {TaskState::kFailed, "no luck", {}, {}}, kLease, {1, 1, 3});
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(id).state, TaskState::kCancelled);
  EXPECT_EQ(Get(next).state, TaskState::kQueued);
  EXPECT_EQ(Get(next).attempt, 0);
}

// As slots of a node do, on and on until the queue is empty.
TEST_P(StoreSuite, RunsThatEndTogetherClaimEachTaskOnceAndKeepTheCaps) {
  constexpr int kTasks = 60;
  constexpr int kSlots = 6;
  const ClaimLimits limits{kSlots, 2, 3};
  for (int i = 1; i <= kTasks; ++i) Create(i, i % 7);
  const auto begun = store_->ClaimTasks("node", kLease, limits, kSlots);
  ASSERT_TRUE(begun.ok());
  std::mutex mutex;
  std::multiset<std::int64_t> done;
  std::map<std::string, int> running;
  const auto count = [&](const Claimed& one, int change) {
    const std::lock_guard lock(mutex);
    const int now = running[one.task.repo.id] += change;
    EXPECT_LE(now, limits.concurrent_per_repo);
    if (change > 0) done.insert(one.task.id.value);
  };
  std::vector<std::thread> slots;
  for (const Claimed& first : *begun) {
    count(first, 1);
    slots.emplace_back([&, task = first]() mutable {
      while (true) {
        count(task, -1);  // before: another may have its place before this one hears of it
        auto next = store_->FinishRunAndClaim(task.lease, {TaskState::kFailed, "no luck", {}, {}},
                                              kLease, limits);
        ASSERT_TRUE(next.ok()) << next.error().message;
        ASSERT_LE(next->size(), 1u);
        if (next->empty()) *next = store_->ClaimTasks("node", kLease, limits, 1).value();
        if (next->empty()) return;
        task = next->front();
        count(task, 1);
      }
    });
  }
  for (std::thread& slot : slots) slot.join();
  // A slot may have found the last ones in full repositories, and gone.
  for (const TaskId left : ClaimMany(kNoLimits, kTasks)) done.insert(left.value);
  EXPECT_EQ(std::ssize(done), kTasks);
  EXPECT_EQ(std::set<std::int64_t>(done.begin(), done.end()).size(), done.size());
}

TEST_P(StoreSuite, EightThreadsClaimTwoHundredTasksEachOnce) {
  constexpr int kTasks = 200;
  for (int i = 1; i <= kTasks; ++i) Create(i, i % 7);
  std::mutex mutex;
  std::multiset<std::int64_t> claimed;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      while (true) {
        const auto next = store_->ClaimTask("node-" + std::to_string(t), kLease, kNoLimits);
        ASSERT_TRUE(next.ok()) << next.error().message;
        if (!next->has_value()) return;
        const std::lock_guard lock(mutex);
        claimed.insert((*next)->task.id.value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed.size(), static_cast<std::size_t>(kTasks));
  EXPECT_EQ(std::set<std::int64_t>(claimed.begin(), claimed.end()).size(),
            static_cast<std::size_t>(kTasks));
}

TEST_P(StoreSuite, AnOrphanIsClaimedAgainOnceItsLeaseIsOver) {
  const TaskId id = Create(1);
  const auto first = Claim(kNoLimits, "a");
  clock_.Advance(kLease - 1s);
  EXPECT_FALSE(Claim(kNoLimits, "b").has_value());
  clock_.Advance(1s);
  const auto second = Claim(kNoLimits, "b");
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->task.id, id);
  EXPECT_GT(second->lease.epoch, first->lease.epoch);
  EXPECT_EQ(second->task.attempt, 2);
}

TEST_P(StoreSuite, ARenewedLeaseLastsLonger) {
  Create(1);
  const auto claimed = Claim();
  clock_.Advance(kLease - 1s);
  ASSERT_TRUE(Renew(claimed->lease).ok());
  clock_.Advance(kLease - 1s);
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(StoreSuite, Fault_X14_AWallClockThatJumpsEndsNoLease) {
  Create(1);
  ASSERT_TRUE(Claim().has_value());
  clock_.SetWall(clock_.Now() + 24h);
  EXPECT_FALSE(Claim().has_value());
  clock_.SetWall(clock_.Now() - 48h);
  EXPECT_FALSE(Claim().has_value());
  clock_.Advance(kLease);
  EXPECT_TRUE(Claim().has_value());
}

TEST_P(StoreSuite, Fault_X15_AZombieWritesNothing) {
  const TaskId id = Create(1);
  const auto zombie = Claim(kNoLimits, "a");
  const auto step = store_->StartStep(zombie->lease, MakeStep(StepKind::kAgent, "agent"));
  ASSERT_TRUE(step.ok());
  clock_.Advance(kLease);
  const auto heir = Claim(kNoLimits, "b");
  ASSERT_TRUE(heir.has_value());
  const Task before = Get(id);
  const auto story = Story(id);

  const Lease& old = zombie->lease;
  const auto lost = ErrorCode::kLeaseLost;
  EXPECT_EQ(Renew(old).error().code, lost);
  EXPECT_EQ(store_->SetBase(old, "main", {"bad"}).error().code, lost);
  EXPECT_EQ(store_->SetStage(old, Stage::kGates, 7).error().code, lost);
  EXPECT_EQ(store_->SaveCheckpoint(old, {"bad"}).error().code, lost);
  EXPECT_EQ(store_->StartStep(old, MakeStep(StepKind::kGate, "x")).error().code, lost);
  EXPECT_EQ(store_->FinishStep(old, *step, "ok", "", {}).error().code, lost);
  EXPECT_EQ(store_->FinishCycle(old, {1, {"bad"}, {}, true, "", ""}).error().code, lost);
  EXPECT_EQ(store_->ListRemarks(old).error().code, lost);
  RunOutcome outcome{TaskState::kInReview, "", {}, {MakeEffect(EffectKind::kPush, "push", id)}};
  outcome.findings.push_back({"tests", Severity::kError, "r", "p", 1, "m", "f"});
  EXPECT_EQ(store_->FinishRun(old, outcome).error().code, lost);

  const Task after = Get(id);
  EXPECT_EQ(after.base_branch, before.base_branch);
  EXPECT_EQ(after.checkpoint, before.checkpoint);
  EXPECT_EQ(after.cycle, before.cycle);
  EXPECT_EQ(after.stage, before.stage);
  EXPECT_EQ(after.lease_expires, before.lease_expires);
  EXPECT_EQ(Story(id), story);
  EXPECT_TRUE(store_->ListFindings(id)->empty());
  EXPECT_TRUE(DueKeys().empty());
  EXPECT_EQ(store_->ListSteps(id)->size(), 1u);
  EXPECT_TRUE(Renew(heir->lease).ok());
  const Lease forged{id, heir->lease.epoch, "another node"};
  EXPECT_EQ(Renew(forged).error().code, lost);
}

TEST_P(StoreSuite, Fault_X28_APoisonTaskFailsWithAReason) {
  const TaskId id = Create(1);
  const TaskId next = Create(2, 2);
  const ClaimLimits limits{10, 10, 2};
  for (int attempt = 1; attempt <= 2; ++attempt) {
    EXPECT_EQ(Claim(limits)->task.id, id);
    clock_.Advance(kLease);
  }
  EXPECT_EQ(Claim(limits)->task.id, next) << "the poison task is passed over";
  const Task task = Get(id);
  EXPECT_EQ(task.state, TaskState::kFailed);
  EXPECT_NE(task.reason.find("2 attempts"), std::string::npos) << task.reason;
  EXPECT_TRUE(task.lease_node.empty());
  EXPECT_TRUE(DueKeys().empty());
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
  EXPECT_EQ(Get(id).attempt, 0) << "a human may ask again";
}

TEST_P(StoreSuite, ExpireAllLeasesOrphansEveryRunningTaskAtOnce) {
  const TaskId a = Create(1);
  Create(2);
  Create(3);
  const auto first = Claim();
  ASSERT_TRUE(store_->StartStep(first->lease, MakeStep(StepKind::kAgent, "agent")).ok());
  Claim();
  EXPECT_EQ(*store_->ExpireAllLeases(), 2);
  EXPECT_EQ(store_->ListSteps(a)->front().outcome, "interrupted");
  EXPECT_TRUE(store_->ListSteps(a)->front().finished.has_value());
  EXPECT_EQ(Renew(first->lease).error().code, ErrorCode::kLeaseLost);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Claim().has_value());
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(StoreSuite, ExpireAllLeasesLeavesWhatIsBeingPublished) {
  Publishing(1, {EffectKind::kPush});
  EXPECT_EQ(*store_->ExpireAllLeases(), 0);
  EXPECT_FALSE(Claim().has_value());
}

TEST_P(StoreSuite, AWorkerThatDiesWhilePreparingTheResultsIsReplaced) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(store_->SetStage(claimed->lease, Stage::kPublish, 1).ok());
  clock_.Advance(kLease);
  EXPECT_EQ(Claim()->task.id, id);
}

TEST_P(StoreSuite, AWorkersProgressIsKeptForItsHeir) {
  const TaskId id = Create(1);
  const auto first = Claim();
  const Lease& lease = first->lease;
  ASSERT_TRUE(store_->SetBase(lease, "main", {"base"}).ok());
  ASSERT_TRUE(store_->SetStage(lease, Stage::kAgent, 1).ok());
  ASSERT_TRUE(store_->SaveCheckpoint(lease, {"c1"}).ok());
  ASSERT_TRUE(store_->FinishCycle(lease, {1, {"c1"}, {"t1"}, false, "tests failed", "s"}).ok());
  ASSERT_TRUE(store_->SetStage(lease, Stage::kGates, 2).ok());
  clock_.Advance(kLease);
  const auto heir = Claim();
  EXPECT_EQ(heir->task.base_branch, "main");
  EXPECT_EQ(heir->task.base_sha.value, "base");
  EXPECT_EQ(heir->task.checkpoint.value, "c1");
  EXPECT_EQ(heir->task.cycle, 2);
  ASSERT_EQ(heir->history.size(), 1u);
  EXPECT_EQ(heir->history[0].cycle, 1);
  EXPECT_EQ(heir->history[0].commit.value, "c1");
  EXPECT_FALSE(heir->history[0].passed);
  EXPECT_EQ(heir->history[0].digest, "tests failed");
  ASSERT_TRUE(store_->FinishCycle(heir->lease, {1, {"c2"}, {"t2"}, true, "", "s"}).ok())
      << "a cycle that is done again replaces what was known of it";
  ASSERT_EQ(Get(id).cycle, 2);
}

TEST_P(StoreSuite, StepsAreStartedAndFinished) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  Step step = MakeStep(StepKind::kGate, "tests", 1, false);
  step.log_path = "logs/1.log";
  const auto step_id = store_->StartStep(claimed->lease, step);
  ASSERT_TRUE(step_id.ok());
  auto steps = store_->ListSteps(id);
  ASSERT_EQ(steps->size(), 1u);
  EXPECT_EQ(steps->front().outcome, "running");
  EXPECT_FALSE(steps->front().finished.has_value());
  clock_.Advance(5s);
  ASSERT_TRUE(
      store_->FinishStep(claimed->lease, *step_id, "failed", "2 of 3 failed", {"abc"}).ok());
  const Step done = store_->ListSteps(id)->front();
  EXPECT_EQ(done.id, *step_id);
  EXPECT_EQ(done.task, id);
  EXPECT_EQ(done.run, 1);
  EXPECT_EQ(done.cycle, 1);
  EXPECT_EQ(done.kind, StepKind::kGate);
  EXPECT_EQ(done.name, "tests");
  EXPECT_FALSE(done.required);
  EXPECT_EQ(done.outcome, "failed");
  EXPECT_EQ(done.summary, "2 of 3 failed");
  EXPECT_EQ(done.commit.value, "abc");
  EXPECT_EQ(done.log_path, "logs/1.log");
  EXPECT_EQ(*done.finished - done.started, 5s);
  EXPECT_EQ(store_->FinishStep(claimed->lease, *step_id, "ok", "", {}).error().code,
            ErrorCode::kNotFound)
      << "a step ends once";
}

TEST_P(StoreSuite, ARunThatIsGivenBackIsQueuedAndNotCounted) {
  const TaskId id = Create(1);
  for (int i = 0; i < 5; ++i) {
    const auto claimed = Claim({10, 10, 2});
    ASSERT_TRUE(claimed.has_value()) << "giving back is not what makes a task poison";
    ASSERT_TRUE(
        store_->FinishRun(claimed->lease, {TaskState::kQueued, "shutting down", {}, {}}).ok());
  }
  const Task task = Get(id);
  EXPECT_EQ(task.state, TaskState::kQueued);
  EXPECT_EQ(task.attempt, 0);
  EXPECT_TRUE(task.lease_node.empty());
}

TEST_P(StoreSuite, AFailedRunFailsTheTaskAndKeepsItsEffects) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  RunOutcome outcome{TaskState::kFailed, "the agent changed nothing", {}, {}};
  outcome.effects.push_back(MakeEffect(EffectKind::kSticky, "", id));
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  EXPECT_EQ(Get(id).state, TaskState::kFailed);
  EXPECT_EQ(Get(id).reason, "the agent changed nothing");
  EXPECT_EQ(DueKeys(), std::vector<std::string>{StickyKey(id)});
  EXPECT_FALSE(Claim().has_value());
  EXPECT_EQ(store_->FinishRun(claimed->lease, outcome).error().code, ErrorCode::kLeaseLost);
}

TEST_P(StoreSuite, ARunEndsOnlyInStatesThatARunHas) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  RunOutcome running{TaskState::kRunning, "", {}, {MakeEffect(EffectKind::kComment, "c", id)}};
  EXPECT_EQ(store_->FinishRun(claimed->lease, running).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(DueKeys().empty());
  EXPECT_TRUE(store_->FinishRun(claimed->lease, {TaskState::kWaiting, "quota", {}, {}}).ok());
  EXPECT_EQ(Get(id).state, TaskState::kWaiting);
  EXPECT_EQ(Get(id).reason, "quota");
}

TEST_P(StoreSuite, TheTimelineTellsTheStory) {
  const TaskId id = Create(12);
  auto lease = Claim()->lease;
  const auto gate = [&](int cycle, const char* name, const char* outcome, bool required = true) {
    const auto step_id = store_->StartStep(lease, MakeStep(StepKind::kGate, name, cycle, required));
    ASSERT_TRUE(step_id.ok());
    ASSERT_TRUE(store_->FinishStep(lease, *step_id, outcome, "", {}).ok());
  };
  ASSERT_TRUE(store_->SetStage(lease, Stage::kAgent, 1).ok());
  gate(1, "build", "passed");
  gate(1, "tests", "failed");
  gate(1, "style", "timed_out");
  gate(1, "docs", "failed", false);
  gate(1, "flaky", "failed");
  gate(1, "flaky", "passed");  // a rerun: the last word counts
  ASSERT_TRUE(store_->FinishCycle(lease, {1, {"c1"}, {}, false, "", ""}).ok());
  gate(2, "tests", "passed");
  ASSERT_TRUE(store_->FinishCycle(lease, {2, {"c2"}, {}, true, "", ""}).ok());
  RunOutcome outcome{TaskState::kInReview, "", {}, {}};
  for (const EffectKind kind : {EffectKind::kPush, EffectKind::kPullRequest, EffectKind::kReview}) {
    outcome.effects.push_back(MakeEffect(kind, std::string(Name(kind)), id));
  }
  ASSERT_TRUE(store_->FinishRun(lease, outcome).ok());
  PublishedFacts pushed;
  pushed.pushed = CommitSha{"0123456789abcdef"};
  Finish("push", pushed);
  PublishedFacts opened;
  opened.pr_number = 2;
  opened.pr_url = "http://forge/pull/2";
  Finish("pull_request", opened);
  Finish("review");
  EXPECT_EQ(Story(id),
            (std::vector<std::string>{
                "received from @alice", "claimed by node", "cycle 1: the agent is at work",
                "cycle 1: 2 gates failed (tests, style)", "cycle 2: all gates passed",
                "publishing the results", "pushed 0123456", "pull request #2 opened",
                "review posted", "in review"}));
}

TEST_P(StoreSuite, TheTimelineIsReadInPieces) {
  const TaskId a = Create(1);
  const TaskId b = Create(2);
  Claim();
  const auto all = store_->ListTimeline({}, 0, 100);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].task, a);
  EXPECT_EQ((*all)[0].kind, "received");
  EXPECT_EQ((*all)[1].task, b);
  const auto rest = store_->ListTimeline({}, (*all)[0].id, 1);
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->front().id, (*all)[1].id);
  EXPECT_EQ(store_->ListTimeline(a, 0, 100)->size(), 2u);
  EXPECT_TRUE(store_->ListTimeline(a, all->back().id, 100)->empty());
}

}  // namespace
}  // namespace swage
