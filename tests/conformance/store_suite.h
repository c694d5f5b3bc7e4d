// StoreSuite: every promise of pipeline/store/store.h, stated once for all engines.
//
// An engine joins by instantiating StoreSuite with a factory (see sqlite_store_test.cc). A
// StoreEngine is one empty database made for one test; opening it again after closing finds the
// same rows.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/effects.h"
#include "pipeline/store/store.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/pending.h"

namespace swage {

class StoreEngine {
 public:
  virtual ~StoreEngine() = default;
  virtual Result<std::unique_ptr<Store>> Open(const Clock& clock) = 0;
  /// Runs SQL behind the store's back, as somebody with the database's password could.
  virtual Result<void> Exec(const std::string& sql) = 0;
};

struct StoreEngineFactory {
  std::string name;
  std::function<std::unique_ptr<StoreEngine>()> make;
};

inline void PrintTo(const StoreEngineFactory& engine, std::ostream* out) {
  *out << engine.name;
}

inline constexpr std::chrono::seconds kLease{60};
inline constexpr std::chrono::seconds kHold{30};
inline constexpr ClaimLimits kNoLimits{1000, 1000, 100};

class StoreSuite : public ::testing::TestWithParam<StoreEngineFactory> {
 protected:
  void SetUp() override {
    engine_ = GetParam().make();
    if (engine_ == nullptr) GTEST_SKIP() << GetParam().name << " is not installed";
    Reopen();
  }

  void Reopen() {
    store_.reset();
    auto opened = engine_->Open(clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
  }

  static RepoRef Repo(int n = 1) {
    return {"forge", std::to_string(n), "acme/lib" + std::to_string(n)};
  }

  static NewTask Issue(std::int64_t number, int repo = 1) {
    NewTask task;
    task.repo = Repo(repo);
    task.issue_number = number;
    task.issue_url = "http://forge/issues/" + std::to_string(number);
    task.text = {"Fix the parser", "It fails on empty input.", "hash"};
    task.requester = {"42", "alice", false};
    task.profile = "docs";
    task.branch_prefix = "swage/";
    return task;
  }

  IntakeResult Apply(const IntakePlan& plan) {
    auto result = store_->ApplyIntake(plan);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : IntakeResult{};
  }

  TaskId Create(std::int64_t number, int repo = 1) {
    return Create(Priority::kNormal, number, repo);
  }
  TaskId Create(Priority priority, std::int64_t number, int repo = 1) {
    IntakePlan plan;
    plan.task = Issue(number, repo);
    plan.task->priority = priority;
    return Apply(plan).task;
  }

  Result<IntakeResult> Change(TaskId task, TaskChangeKind kind, std::string remark = "") {
    IntakePlan plan;
    plan.changes.push_back({task, kind, RunKind::kFix, std::move(remark), "bob", "bob said so"});
    return store_->ApplyIntake(plan);
  }

  std::optional<Claimed> Claim(const ClaimLimits& limits = kNoLimits,
                               std::string_view node = "node") {
    auto claimed = store_->ClaimTask(node, kLease, limits);
    EXPECT_TRUE(claimed.ok()) << claimed.error().message;
    return claimed.ok() ? *claimed : std::nullopt;
  }

  std::vector<TaskId> ClaimMany(const ClaimLimits& limits, int most) {
    const auto claimed = store_->ClaimTasks("node", kLease, limits, most);
    EXPECT_TRUE(claimed.ok()) << claimed.error().message;
    std::vector<TaskId> tasks;
    for (const Claimed& one : claimed.ok() ? *claimed : std::vector<Claimed>()) {
      tasks.push_back(one.task.id);
    }
    return tasks;
  }

  /// Ends the run of a task that "node" has, without a result; what was claimed with that.
  std::vector<Claimed> End(const Task& task, const ClaimLimits& limits = kNoLimits) {
    const auto next = store_->FinishRunAndClaim(
        {task.id, task.epoch, "node"}, {TaskState::kFailed, "no luck", {}, {}}, kLease, limits);
    EXPECT_TRUE(next.ok()) << next.error().message;
    return next.ok() ? *next : std::vector<Claimed>();
  }

  /// kLeaseLost when it is.
  Result<void> Renew(const Lease& lease) {
    SWAGE_ASSIGN_OR_RETURN(const auto lost, store_->RenewLeases({lease}, kLease));
    if (lost.empty()) return Ok();
    EXPECT_EQ(lost, std::vector<TaskId>{lease.task});
    return MakeError(ErrorCode::kLeaseLost, "lost");
  }

  Task Get(TaskId id) {
    auto task = store_->GetTask(id);
    EXPECT_TRUE(task.ok()) << task.error().message;
    return task.ok() ? *task : Task{};
  }

  static std::vector<std::string> Texts(const std::vector<Remark>& remarks) {
    std::vector<std::string> texts;
    for (const Remark& remark : remarks) texts.push_back(remark.text);
    return texts;
  }

  static NewEffect MakeEffect(EffectKind kind, std::string key, TaskId task) {
    return {kind, std::move(key), Repo(), task, "{}"};
  }

  static Step MakeStep(StepKind kind, std::string name, int cycle = 1, bool required = true) {
    Step step;
    step.kind = kind;
    step.name = std::move(name);
    step.cycle = cycle;
    step.required = required;
    return step;
  }

  void Add(const std::vector<NewEffect>& effects) {
    const auto added = store_->AddEffects(effects);
    EXPECT_TRUE(added.ok()) << added.error().message;
  }

  std::vector<Effect> Due(int limit = 100) {
    auto due = DueOf(*store_, limit);
    EXPECT_TRUE(due.ok()) << due.error().message;
    return due.ok() ? *due : std::vector<Effect>{};
  }

  std::vector<Effect> Take(const std::string& node, int limit = 100, int pushes = 100) {
    auto taken = store_->TakeEffects({node, limit, kHold, pushes});
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    return taken.ok() ? *taken : std::vector<Effect>{};
  }

  std::vector<Delivery> TakeInbox(const std::string& node, int limit = 100) {
    auto taken = store_->TakeDeliveries({node, limit, kHold});
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    return taken.ok() ? *taken : std::vector<Delivery>{};
  }

  static NewEffect CommentAt(const std::string& forge, const std::string& key) {
    NewEffect effect = MakeEffect(EffectKind::kComment, key, {});
    effect.repo = {forge, "1", "acme/lib1"};
    return effect;
  }

  /// The forge asked to wait.
  void Pause(const std::string& scope, std::chrono::milliseconds time) {
    const auto change =
        store_->NoteForgeFailure(scope, {PauseCause::kLimit, time, "429", false}, {}, 0);
    ASSERT_TRUE(change.ok()) << change.error().message;
  }

  std::vector<std::string> DueKeys(int limit = 100) {
    std::vector<std::string> keys;
    for (const Effect& effect : Due(limit)) keys.push_back(effect.what.key);
    std::sort(keys.begin(), keys.end());
    return keys;
  }

  Effect DueByKey(const std::string& key) {
    for (const Effect& effect : Due()) {
      if (effect.what.key == key) return effect;
    }
    ADD_FAILURE() << "no due effect " << key;
    return {};
  }

  void Finish(const std::string& key, const PublishedFacts& facts = {}) {
    const auto finished = store_->FinishEffect(DueByKey(key), "{}", facts);
    EXPECT_TRUE(finished.ok()) << key << ": " << finished.error().message;
  }

  /// A task that was worked on and now publishes `effects`.
  TaskId Publishing(std::int64_t number, const std::vector<EffectKind>& kinds,
                    std::vector<Finding> findings = {}) {
    const TaskId id = Create(number);
    const auto claimed = Claim();
    EXPECT_TRUE(claimed.has_value());
    RunOutcome outcome;
    outcome.state = TaskState::kInReview;
    outcome.findings = std::move(findings);
    for (const EffectKind kind : kinds) {
      outcome.effects.push_back(
          MakeEffect(kind, std::string(Name(kind)) + ":" + std::to_string(number), id));
    }
    const auto finished = store_->FinishRun(claimed->lease, outcome);
    EXPECT_TRUE(finished.ok()) << finished.error().message;
    return id;
  }

  static LevelStep LevelTo(IsolationLevel level, std::vector<std::string> reasons = {"because"},
                           int cycle = 0) {
    LevelStep step;
    step.level = level;
    step.reasons = std::move(reasons);
    step.cycle = cycle;
    return step;
  }

  /// Claimed once, and queued again at that level.
  TaskId Begun(std::int64_t number, IsolationLevel level, int repo = 1) {
    RunOutcome outcome;
    outcome.state = TaskState::kQueued;
    outcome.reason = "for another node";
    return RunAtLevel(number, level, outcome, repo);
  }
  /// Claimed once; waits for a node that gives level sandbox.
  TaskId WaitingForSandbox(std::int64_t number) {
    RunOutcome outcome;
    outcome.state = TaskState::kWaiting;
    outcome.reason = "no node gives level sandbox";
    outcome.for_level = true;
    return RunAtLevel(number, IsolationLevel::kSandbox, outcome);
  }
  TaskId RunAtLevel(std::int64_t number, IsolationLevel level, const RunOutcome& outcome,
                    int repo = 1) {
    const TaskId id = Create(number, repo);
    ClaimLimits fresh_ones = kNoLimits;
    fresh_ones.levels = {};
    const std::optional<Claimed> claimed = Claim(fresh_ones);
    EXPECT_TRUE(claimed && claimed->task.id == id);
    EXPECT_TRUE(store_->RaiseLevel(claimed->lease, LevelTo(level)).ok());
    const auto finished = store_->FinishRun(claimed->lease, outcome);
    EXPECT_TRUE(finished.ok()) << finished.error().message;
    return id;
  }
  SettledLevels Settle(LevelSet given) {
    LevelSupply supply{given, {}};
    if (!given.Has(IsolationLevel::kSandbox)) {
      supply.why_not[IsolationLevel::kSandbox] = "no node gives level sandbox; install bubblewrap";
    }
    auto settled = store_->SettleLevels(supply);
    EXPECT_TRUE(settled.ok()) << settled.error().message;
    return settled.ok() ? *settled : SettledLevels{};
  }

  std::vector<TimelineEntry> Timeline(TaskId id) {
    auto entries = store_->ListTimeline(id, 0, 1000);
    EXPECT_TRUE(entries.ok());
    return entries.ok() ? *entries : std::vector<TimelineEntry>{};
  }

  std::vector<std::string> Story(TaskId id) {
    std::vector<std::string> details;
    for (const TimelineEntry& entry : Timeline(id)) details.push_back(entry.detail);
    return details;
  }

  ManualClock clock_;
  std::unique_ptr<StoreEngine> engine_;
  std::unique_ptr<Store> store_;
};

}  // namespace swage
