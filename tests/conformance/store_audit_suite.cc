// The audit log: one entry for each thing that happens, in its own transaction; one chain, whoever
// seals (B10, I12).
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "pipeline/audit.h"
#include "tests/conformance/store_suite.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void SealAll(Store& store) {
  while (true) {
    const auto sealed = store.SealAudit(100);
    ASSERT_TRUE(sealed.ok()) << sealed.error().message;
    if (*sealed == 0) return;
  }
}

std::vector<AuditRecord> Records(Store& store) {
  auto records = store.ListAudit(0, 100'000);
  EXPECT_TRUE(records.ok()) << records.error().message;
  return records.ok() ? *records : std::vector<AuditRecord>{};
}

/// "actor action subject" of each, after sealing them all.
std::vector<std::string> AuditStory(Store& store) {
  SealAll(store);
  std::vector<std::string> story;
  for (const AuditRecord& record : Records(store)) {
    story.push_back(record.what.actor + " " + record.what.action + " " + record.what.subject);
  }
  return story;
}

AuditState State(Store& store) {
  const auto state = store.GetAuditState();
  EXPECT_TRUE(state.ok()) << state.error().message;
  return state.ok() ? *state : AuditState{};
}

void ExpectGoodChain(Store& store, std::size_t size) {
  AuditVerifier verifier;
  const auto records = Records(store);
  EXPECT_EQ(records.size(), size);
  for (const AuditRecord& record : records) verifier.Add(record);
  verifier.Finish(State(store).head);
  EXPECT_FALSE(verifier.broken().has_value()) << verifier.broken()->sentence;
}

void Append(Store& store, int n) {
  for (int i = 0; i < n; ++i) {
    const auto added = store.AppendAudit({"node/a", "node.started", "", "", "note"});
    ASSERT_TRUE(added.ok()) << added.error().message;
  }
}

TEST_P(StoreSuite, AuditSaysWhichTaskWhichRunAndWhy) {
  const TaskId id = Create(7);
  RunOutcome outcome;
  outcome.state = TaskState::kFailed;
  outcome.reason = "two gates\nfailed";
  auto claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  ASSERT_TRUE(Change(id, TaskChangeKind::kRequeue).ok());
  claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  ASSERT_TRUE(Change(id, TaskChangeKind::kMerge).ok());
  IntakePlan plan;
  plan.task = Issue(7);
  plan.task->new_generation = true;
  ASSERT_TRUE(Apply(plan).created);
  claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  SealAll(*store_);
  std::vector<std::string> story;
  for (const AuditRecord& record : Records(*store_)) {
    if (!record.what.actor.starts_with("node/")) continue;
    story.push_back(record.what.task + " " + record.what.detail);
  }
  const std::string first = "forge/acme/lib1#7 ", second = "forge/acme/lib1#7/g2 ";
  EXPECT_THAT(story, ElementsAre(first + "attempt 1 of run 1", first + "two gates failed",
                                 first + "attempt 1 of run 2", first + "two gates failed",
                                 second + "attempt 1 of run 1", second + "two gates failed"));
}

TEST_P(StoreSuite, AuditTellsWhenAForgeWasLeftAlone) {
  const ForgeFailure order{PauseCause::kLimit, std::chrono::seconds(5), "429", true};
  ASSERT_TRUE(store_->NoteForgeFailure("north", order, {}, 0).ok());
  ASSERT_TRUE(store_->NoteForgeFailure("north", order, {}, 0).ok());
  ASSERT_TRUE(store_->NoteForgeSuccess("north", true).ok());  // was on its way before
  clock_.Advance(std::chrono::seconds(5));
  ASSERT_TRUE(store_->NoteForgeSuccess("north", true).ok());
  ASSERT_TRUE(store_->NoteForgeSuccess("north", true).ok());
  EXPECT_THAT(AuditStory(*store_),
              ElementsAre("swage forge.paused north", "swage forge.resumed north"));
  EXPECT_EQ(Records(*store_)[0].what.detail, "limit: 429");
}

TEST_P(StoreSuite, AuditTellsTheWholeLifeOfATask) {
  const TaskId id = Create(7);
  auto claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  RunOutcome back;
  back.state = TaskState::kQueued;
  back.reason = "the server stops";
  ASSERT_TRUE(store_->FinishRun(claimed->lease, back).ok());
  claimed = Claim(kNoLimits, "other");
  ASSERT_TRUE(claimed.has_value());
  RunOutcome outcome;
  outcome.state = TaskState::kInReview;
  outcome.effects.push_back(MakeEffect(EffectKind::kPush, "push:7", id));
  ASSERT_TRUE(store_->FinishRun(claimed->lease, outcome).ok());
  Finish("push:7");
  ASSERT_TRUE(Change(id, TaskChangeKind::kMerge).ok());
  EXPECT_THAT(AuditStory(*store_),
              ElementsAre("person/alice task.created queued",         //
                          "swage delivery.decided ",                  //
                          "node/node task.claimed queued > running",  //
                          "node/node task.moved running > queued",
                          "node/other task.claimed queued > running",
                          "node/other run.finished run 1",  //
                          "swage effect.done push", "swage task.moved running > in_review",
                          "person/bob task.moved in_review > merged", "swage delivery.decided "));
  for (const AuditRecord& record : Records(*store_)) {
    EXPECT_EQ(record.what.task, "forge/acme/lib1#7") << record.what.action;
  }
  ExpectGoodChain(*store_, 10);
}

TEST_P(StoreSuite, AuditAnOrphanSaysWhoseItWasAndWhoHasItNow) {
  Create(1);
  ASSERT_TRUE(Claim().has_value());
  clock_.Advance(kLease + std::chrono::seconds(1));
  ASSERT_TRUE(Claim(kNoLimits, "other").has_value());
  const auto story = AuditStory(*store_);
  EXPECT_EQ(story.back(), "node/other task.claimed running > running");
  ASSERT_TRUE(store_->ExpireAllLeases().ok());
  EXPECT_EQ(AuditStory(*store_).back(), "swage task.orphaned node/other");
}

TEST_P(StoreSuite, AuditWhatIsIgnoredIsNoEntryAndWhatIsRefusedIsOne) {
  IntakePlan plan;
  plan.ignored = true;
  plan.outcome = "push event";
  Apply(plan);
  EXPECT_EQ(State(*store_).unsealed, 0);
  plan.refused = true;
  plan.actor = "eve";
  plan.outcome = "evil/lib is not on the allow-list";
  Apply(plan);
  EXPECT_THAT(AuditStory(*store_), ElementsAre("person/eve delivery.decided "));
  EXPECT_EQ(Records(*store_).back().what.detail, plan.outcome);
}

TEST_P(StoreSuite, AuditACommandSaysWhoGaveItAndWhetherItWasObeyed) {
  const TaskId id = Create(1);
  IntakePlan plan;
  plan.actor = "ada";
  plan.command = "/swage stop";
  plan.command_key = "comment:1";
  plan.outcome = "stopped";
  plan.changes.push_back({id, TaskChangeKind::kCancel, RunKind::kFix, "", "ada", "stopped by ada"});
  Apply(plan);
  EXPECT_EQ(AuditStory(*store_).back(), "person/ada command /swage stop");
  EXPECT_EQ(Records(*store_).back().what.detail, "obeyed: stopped");
  EXPECT_EQ(Records(*store_).back().what.task, "forge/acme/lib1#1");
  // The same comment, delivered again.
  Apply(plan);
  EXPECT_EQ(AuditStory(*store_).back(), "person/ada command /swage stop");
  EXPECT_THAT(Records(*store_).back().what.detail, HasSubstr("nothing was done"));
}

TEST_P(StoreSuite, AuditHasNothingOfWhatFailsLeavesNoEntry) {
  const TaskId id = Create(1);
  const auto claimed = Claim();
  ASSERT_TRUE(claimed.has_value());
  ASSERT_TRUE(Change(id, TaskChangeKind::kCancel).ok());
  const auto before = AuditStory(*store_);
  RunOutcome outcome;
  outcome.state = TaskState::kFailed;
  EXPECT_FALSE(store_->FinishRun(claimed->lease, outcome).ok());
  EXPECT_FALSE(Change(id, TaskChangeKind::kRemark, "more").ok());
  EXPECT_EQ(AuditStory(*store_), before);
}

TEST_P(StoreSuite, AuditARemarkIsNotInIt) {
  const TaskId id = Create(1);
  ASSERT_TRUE(Change(id, TaskChangeKind::kRemark, "the password is hunter2").ok());
  SealAll(*store_);
  for (const AuditRecord& record : Records(*store_)) {
    EXPECT_EQ(CanonicalText(record).find("hunter2"), std::string::npos);
  }
}

TEST_P(StoreSuite, AuditEntriesAreBounded) {
  const std::string long_text(100'000, 'x');
  ASSERT_TRUE(
      store_->AppendAudit({long_text, "node.started", long_text, "a\nb", long_text + "\xff"}).ok());
  SealAll(*store_);
  const AuditEntry what = Records(*store_).back().what;
  EXPECT_LE(what.actor.size(), audit::kMaxName);
  EXPECT_LE(what.detail.size(), audit::kMaxDetail);
  EXPECT_EQ(what.subject, "a b");
  ExpectGoodChain(*store_, 1);
}

TEST_P(StoreSuite, AuditSealsInPiecesAndGoesOnAfterTheNextStart) {
  Append(*store_, 5);
  EXPECT_EQ(State(*store_).unsealed, 5);
  EXPECT_EQ(*store_->SealAudit(2), 2);
  EXPECT_EQ(State(*store_).head.seq, 2);
  EXPECT_EQ(State(*store_).unsealed, 3);
  Reopen();
  EXPECT_EQ(*store_->SealAudit(2), 2);
  EXPECT_EQ(*store_->SealAudit(2), 1);
  EXPECT_EQ(*store_->SealAudit(2), 0);
  EXPECT_EQ(State(*store_).unsealed, 0);
  ExpectGoodChain(*store_, 5);
  EXPECT_EQ(store_->ListAudit(3, 1)->front().seq, 4);
}

TEST_P(StoreSuite, AuditManySealersAndWritersMakeOneChain) {
  constexpr int kWriters = 3;
  constexpr int kEntries = 60;
  std::atomic<int> writing{kWriters};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&] {
        Append(*store_, kEntries);
        --writing;
      });
    }
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (writing > 0) EXPECT_TRUE(store_->SealAudit(7).ok());
      });
    }
  }
  SealAll(*store_);
  ExpectGoodChain(*store_, kWriters * kEntries);
}

// kill -9 in the middle of sealing, many times: at each start there is a whole chain, and what was
// written is not lost.
TEST_P(StoreSuite, AuditASealerThatIsKilledLeavesAWholeChain) {
  store_.reset();
  for (int round = 0; round < 5; ++round) {
    int begun[2];
    ASSERT_EQ(pipe(begun), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto store = engine_->Open(clock_);
      if (!store.ok()) _exit(1);
      for (int i = 0;; ++i) {
        for (int n = 0; n < 5; ++n) {
          (void)(*store)->AppendAudit({"node/a", "node.started", "", "", "note"});
        }
        (void)(*store)->SealAudit(3);
        if (i == round) (void)!write(begun[1], "y", 1);
      }
    }
    close(begun[1]);
    char word = 0;
    EXPECT_EQ(read(begun[0], &word, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(begun[0]);
    Reopen();
    SealAll(*store_);
    const std::int64_t all = State(*store_).head.seq;
    EXPECT_GE(all, 5 * (round + 1));
    ExpectGoodChain(*store_, static_cast<std::size_t>(all));
    store_.reset();
  }
}

TEST_P(StoreSuite, AuditTheDatabaseRefusesToChangeIt) {
  Append(*store_, 3);
  ASSERT_EQ(*store_->SealAudit(2), 2);
  for (const char* sql :
       {"UPDATE audit SET detail = 'other' WHERE seq = 1", "UPDATE audit SET seq = 9 WHERE seq = 2",
        "UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 1", "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq IS NULL", "UPDATE audit SET actor = 'x' WHERE seq IS NULL",
        "UPDATE audit_head SET seq = 1", "DELETE FROM audit_head"}) {
    EXPECT_FALSE(engine_->Exec(sql).ok()) << sql;
  }
  SealAll(*store_);
  ExpectGoodChain(*store_, 3);
}

}  // namespace
}  // namespace swage
