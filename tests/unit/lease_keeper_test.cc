#include "pipeline/lease_keeper.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "config/base/redact.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Answers renewals as a test says; may hang like a connection that nobody answers any more.
class LeaseStore final : public StubStore {
 public:
  Result<std::vector<TaskId>> RenewLeases(const std::vector<Lease>& leases,
                                          milliseconds duration) override {
    std::unique_lock lock(mutex_);
    ++renewals_;
    asked_ = leases;
    duration_ = duration;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hangs_; });
    if (broken_) return MakeError(ErrorCode::kUnavailable, "no connection");
    return lost_;
  }

  bool AwaitRenewals(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [&] { return renewals_ >= count; });
  }
  int Renewals() {
    const std::lock_guard lock(mutex_);
    return renewals_;
  }
  std::vector<Lease> Asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void Set(bool broken, bool hangs, std::vector<TaskId> lost = {}) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
    hangs_ = hangs;
    lost_ = std::move(lost);
    changed_.notify_all();
  }
  milliseconds duration() {
    const std::lock_guard lock(mutex_);
    return duration_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int renewals_ = 0;
  bool broken_ = false;
  bool hangs_ = false;
  std::vector<TaskId> lost_;
  std::vector<Lease> asked_;
  milliseconds duration_{0};
};

// Lets a test wait until a worker is told to stop.
class Stopped {
 public:
  bool Await(std::stop_source& source) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    changed.wait_until(lock, source.get_token(), deadline, [] { return false; });
    return source.stop_requested();
  }
};

class LeaseKeeperTest : public testing::Test {
 protected:
  LeaseKeeperTest() : keeper_(store_, clock_, log_, times_) { keeper_.Start(); }
  ~LeaseKeeperTest() override { store_.Set(true, false); }

  static Lease LeaseOf(std::int64_t task) { return {TaskId{task}, Epoch{1}, "node"}; }
  bool StopsSoon(std::stop_source& source) { return Stopped().Await(source); }

  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  LeaseStore store_;
  // Renewals follow the real clock, and are quick; the fence follows the test's.
  LeaseTimes times_ = [] {
    LeaseTimes times(seconds(60));
    times.heartbeat = milliseconds(5);
    return times;
  }();
  LeaseKeeper keeper_;
};

TEST(LeaseTimes, LeaveTimeToKillBeforeTheLeaseEnds) {
  const LeaseTimes usual(seconds(60));
  EXPECT_EQ(usual.heartbeat, seconds(10));
  EXPECT_EQ(usual.fence, seconds(45));
  const LeaseTimes shortest(seconds(8));
  EXPECT_EQ(shortest.fence, seconds(4));
  EXPECT_LT(shortest.heartbeat * 2, shortest.fence) << "one renewal may fail";
}

TEST_F(LeaseKeeperTest, RenewsAllLeasesInOneWrite) {
  std::stop_source first, second;
  keeper_.Add(LeaseOf(1), clock_.Monotonic(), first);
  keeper_.Add(LeaseOf(2), clock_.Monotonic(), second);
  const int before = store_.Renewals();
  ASSERT_TRUE(store_.AwaitRenewals(before + 2));
  EXPECT_EQ(store_.Asked().size(), 2U);
  EXPECT_EQ(store_.duration(), times_.lease);
  keeper_.Remove(LeaseOf(1));
  ASSERT_TRUE(store_.AwaitRenewals(store_.Renewals() + 2));
  ASSERT_EQ(store_.Asked().size(), 1U);
  EXPECT_EQ(store_.Asked().front().task.value, 2);
  EXPECT_FALSE(first.stop_requested());
  EXPECT_TRUE(keeper_.Health().ok());
}

TEST_F(LeaseKeeperTest, ALostLeaseStopsItsWorkerAlone) {
  std::stop_source kept, lost;
  store_.Set(false, false, {TaskId{2}});
  keeper_.Add(LeaseOf(1), clock_.Monotonic(), kept);
  keeper_.Add(LeaseOf(2), clock_.Monotonic(), lost);
  EXPECT_TRUE(StopsSoon(lost));
  EXPECT_FALSE(kept.stop_requested());
}

TEST_F(LeaseKeeperTest, Fault_X16_WithoutRenewalsTheWorkerIsStoppedBeforeTheLeaseEnds) {
  store_.Set(true, false);
  std::stop_source worker;
  keeper_.Add(LeaseOf(1), clock_.Monotonic(), worker);
  clock_.Advance(times_.fence - milliseconds(1));
  ASSERT_TRUE(store_.AwaitRenewals(store_.Renewals() + 3));
  EXPECT_FALSE(worker.stop_requested());
  EXPECT_FALSE(keeper_.Health().ok());
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(StopsSoon(worker));
}

TEST_F(LeaseKeeperTest, Fault_X16_ARenewalThatHangsDelaysNoFence) {
  store_.Set(false, true);
  std::stop_source worker;
  keeper_.Add(LeaseOf(1), clock_.Monotonic(), worker);
  ASSERT_TRUE(store_.AwaitRenewals(1));
  clock_.Advance(times_.fence);
  EXPECT_TRUE(StopsSoon(worker));
}

TEST_F(LeaseKeeperTest, Fault_X15_ALeaseCountsFromBeforeItsClaimWasSent) {
  store_.Set(true, false);
  std::stop_source worker;
  const MonotonicTime asked = clock_.Monotonic();
  clock_.Advance(times_.fence);  // the process stood still while the answer came
  keeper_.Add(LeaseOf(1), asked, worker);
  EXPECT_TRUE(StopsSoon(worker));
}

TEST_F(LeaseKeeperTest, Fault_X16_EveryLeaseIsFencedAlsoAfterATimeWithoutAny) {
  store_.Set(true, false);
  for (int round = 0; round < 3; ++round) {
    std::stop_source first, second;
    keeper_.Add(LeaseOf(1), clock_.Monotonic(), first);
    keeper_.Add(LeaseOf(2), clock_.Monotonic(), second);
    clock_.Advance(times_.fence);
    EXPECT_TRUE(StopsSoon(first)) << round;
    EXPECT_TRUE(StopsSoon(second)) << round;
  }
}

TEST_F(LeaseKeeperTest, ARenewalMovesTheFence) {
  std::stop_source worker;
  keeper_.Add(LeaseOf(1), clock_.Monotonic(), worker);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(times_.fence - seconds(1));
    ASSERT_TRUE(store_.AwaitRenewals(store_.Renewals() + 2));
  }
  EXPECT_FALSE(worker.stop_requested());
}

}  // namespace
}  // namespace swage
