#include "pipeline/maintenance/seal_audit.h"

#include <gtest/gtest.h>

#include "config/base/redact.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

class Unsealed final : public StubStore {
 public:
  Result<int> SealAudit(int limit) override {
    ++calls;
    if (broken) return MakeError(ErrorCode::kUnavailable, "disk full");
    const int sealed = std::min(limit, left);
    left -= sealed;
    return sealed;
  }
  Result<AuditState> GetAuditState() override {
    ++looks;
    return AuditState{};
  }
  int left = 0;
  int calls = 0;
  int looks = 0;
  bool broken = false;
};

class SealAuditTest : public testing::Test {
 protected:
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  ManualClock clock_;
  Unsealed store_;
  SealAudit duty_{store_, log_, clock_};
};

TEST_F(SealAuditTest, ARoundSealsAllThatIsThere) {
  store_.left = 2 * SealAudit::kBatch + 1;
  EXPECT_TRUE(duty_.RunOnce({}).ok());
  EXPECT_EQ(store_.left, 0);
  EXPECT_EQ(store_.calls, 3);
}

TEST_F(SealAuditTest, AStopEndsARoundAfterAPiece) {
  store_.left = 100 * SealAudit::kBatch;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(duty_.RunOnce(stop.get_token()).ok());
  EXPECT_EQ(store_.calls, 1);
}

TEST_F(SealAuditTest, AStoreThatFailsIsTheRoundsError) {
  store_.broken = true;
  EXPECT_EQ(duty_.RunOnce({}).error().code, ErrorCode::kUnavailable);
}

TEST_F(SealAuditTest, TheHeadIsNotedOnceAnHour) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(duty_.RunOnce({}).ok());
    clock_.Advance(std::chrono::minutes(10));
  }
  EXPECT_EQ(store_.looks, 1);
}

}  // namespace
}  // namespace swage
