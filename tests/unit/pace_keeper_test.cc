// The gate before a forge, over the real store: no request while the forge is paused, and each
// write at its turn.
#include "pipeline/pace_keeper.h"

#include <gtest/gtest.h>

#include "config/base/files.h"
#include "config/base/redact.h"
#include "forge/work_scope.h"
#include "pipeline/store/store_filter.h"
#include "tests/harness/fake_transport.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using namespace std::chrono_literals;

class PaceKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto transport = std::make_unique<FakeTransport>();
    fake_ = transport.get();
    fake_->On("GET", "/", 200, "{}");
    fake_->On("POST", "/", 201, "{}");
    forge_ = MakeGatedTransport(std::move(transport), keeper_);
  }

  Result<HttpResponse> Send(const std::string& method) {
    return forge_->Send({method, "/thing", "", false});
  }
  std::size_t Sent() const { return fake_->requests.size(); }
  static Error Limited(std::chrono::milliseconds wait) {
    Error error = MakeError(ErrorCode::kRateLimited, "403");
    error.retry_after = wait;
    return error;
  }

  TempDir dir_{"swage-pace-"};
  ManualClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<Store> store_ = OpenSqliteStore(dir_.path() / "swage.db", clock_).value();
  std::vector<std::chrono::milliseconds> slept_;
  std::function<void()> while_asleep_ = [] {};
  const PaceKeeper::Sleep sleep_ = [this](std::chrono::milliseconds time, std::stop_token stop) {
    slept_.push_back(time);
    clock_.Advance(time);
    while_asleep_();
    return !stop.stop_requested();
  };
  PaceKeeper keeper_{*store_, log_, clock_, "forge", {}, {.write_gap = 1s}, sleep_};
  std::unique_ptr<HttpTransport> forge_;
  FakeTransport* fake_ = nullptr;
};

TEST_F(PaceKeeperTest, ReadsPassAndWritesWaitForTheirTurn) {
  for (const char* method : {"POST", "GET", "POST", "GET", "POST"}) {
    EXPECT_TRUE(Send(method).ok());
  }
  EXPECT_EQ(slept_, (std::vector<std::chrono::milliseconds>{1s, 1s}));
  EXPECT_EQ(Sent(), 5u);
  HttpRequest query{"POST", "/graphql", "", false};
  query.only_reads = true;
  EXPECT_TRUE(forge_->Send(query).ok());
  EXPECT_EQ(slept_.size(), 2u) << "a query is no write";
}

TEST_F(PaceKeeperTest, NothingIsSentBeforeAnOrderedTime) {
  fake_->Fail("POST", "/", Limited(90s));
  EXPECT_FALSE(Send("POST").ok());
  clock_.Advance(30s);
  for (const char* method : {"GET", "POST"}) {
    const auto held = Send(method);
    ASSERT_FALSE(held.ok());
    EXPECT_EQ(held.error().code, ErrorCode::kRateLimited);
    EXPECT_EQ(held.error().retry_after, 60s);
  }
  EXPECT_EQ(Sent(), 1u);
  clock_.Advance(60s);
  EXPECT_TRUE(Send("POST").ok());
  EXPECT_EQ(store_->GetPace("forge")->pace.breaker, Breaker::kClosed);
}

TEST_F(PaceKeeperTest, APauseThatBeginsWhileAWriteWaitsHoldsItToo) {
  EXPECT_TRUE(Send("POST").ok());
  while_asleep_ = [this] {
    ASSERT_TRUE(
        store_->NoteForgeFailure("forge", {PauseCause::kLimit, 90s, "429", true}, {}, 0).ok());
  };
  EXPECT_EQ(Send("POST").error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(Sent(), 1u);
}

TEST_F(PaceKeeperTest, ARefusedCredentialPausesTheForge) {
  fake_->On("GET", "/", 401, R"({"message": "Bad credentials"})", 1);
  EXPECT_EQ(Send("GET")->status, 401);
  EXPECT_EQ(Send("GET").error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(store_->GetPace("forge")->pace.cause, PauseCause::kRefused);
  clock_.Advance(2min);
  EXPECT_TRUE(Send("GET").ok());
  EXPECT_TRUE(store_->ListPaces()->empty());
}

TEST_F(PaceKeeperTest, FiveFailuresOfTheHostOpenTheBreakerAndRefusalsDoNot) {
  fake_->Fail("GET", "/", MakeError(ErrorCode::kUnavailable, "503"), 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Send("GET").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Send("GET").error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(Sent(), 5u);
  clock_.Advance(10s);
  EXPECT_TRUE(Send("GET").ok());
  fake_->On("POST", "/", 422, "{}", 9);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(Send("POST")->status, 422);
}

TEST_F(PaceKeeperTest, WorkThatIsCalledOffSendsNothingMore) {
  std::stop_source stop;
  const WorkScope scope({stop.get_token()});
  EXPECT_TRUE(Send("POST").ok());
  while_asleep_ = [&] { stop.request_stop(); };
  EXPECT_EQ(Send("POST").error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Send("GET").error().code, ErrorCode::kCancelled);
  {
    const WorkScope other({});
    EXPECT_TRUE(Send("GET").ok());
  }
  EXPECT_EQ(Sent(), 2u);
}

// The wait for its turn is when a write's leave runs out.
TEST_F(PaceKeeperTest, AWriteThatMayNotLeaveAnyMoreAfterItsWaitIsNotSent) {
  bool mine = true;
  const WorkScope scope(
      {{}, [&] { return mine ? Ok() : Result<void>(MakeError(ErrorCode::kLeaseLost, "x")); }});
  EXPECT_TRUE(Send("POST").ok());
  while_asleep_ = [&] { mine = false; };
  EXPECT_EQ(Send("POST").error().code, ErrorCode::kLeaseLost);
  EXPECT_TRUE(Send("GET").ok()) << "a look changes nothing";
  EXPECT_EQ(Sent(), 2u);
}

TEST_F(PaceKeeperTest, WhatWasNotSentAfterAllSaysNothingOfTheForge) {
  ASSERT_TRUE(store_->NoteForgeFailure("forge", {PauseCause::kDown, 0s, "503", true}, {}, 0).ok());
  fake_->Fail("POST", "/", MakeError(ErrorCode::kLeaseLost, "too late"), 1);
  EXPECT_FALSE(Send("POST").ok());
  EXPECT_EQ(store_->GetPace("forge")->pace.failures, 1);
  EXPECT_TRUE(Send("POST").ok());
  EXPECT_EQ(store_->GetPace("forge")->pace.failures, 0);
}

TEST_F(PaceKeeperTest, WithoutItsRowNobodyKnowsSoNothingIsSent) {
  StubStore broken;
  PaceKeeper keeper(broken, log_, clock_, "forge", {}, {});
  EXPECT_FALSE(keeper.Enter({}, {}).ok());
}

// Takes no note of failures while it is busy.
class BusyStore final : public StoreFilter {
 public:
  using StoreFilter::StoreFilter;
  bool busy = true;

 private:
  std::optional<Error> Before(const Operation& operation) override {
    if (!busy || operation.name != "NoteForgeFailure") return std::nullopt;
    return MakeError(ErrorCode::kUnavailable, "busy");
  }
};

TEST_F(PaceKeeperTest, APauseThatCouldNotBeNotedIsNotForgotten) {
  BusyStore store(*store_);
  PaceKeeper keeper(store, log_, clock_, "forge", {}, {});
  const Traffic write{.writes = true};
  keeper.Leave(write, Limited(30s), std::nullopt);
  EXPECT_EQ(keeper.Enter({}, {}).error().code, ErrorCode::kUnavailable);
  store.busy = false;
  EXPECT_EQ(keeper.Enter(write, {}).error().code, ErrorCode::kRateLimited);
  clock_.Advance(30s);
  EXPECT_TRUE(keeper.Enter(write, {}).ok());
}

// --- what a forge allows

class AllowanceTest : public PaceKeeperTest {
 protected:
  /// As on another node: what it remembers is its own.
  std::unique_ptr<PaceKeeper> Node(Allowance allowance) {
    return std::make_unique<PaceKeeper>(*store_, log_, clock_, "forge", PaceRules{}, allowance,
                                        sleep_);
  }
  std::chrono::milliseconds Slept() const {
    std::chrono::milliseconds sum{0};
    for (const auto time : slept_) sum += time;
    return sum;
  }
  Result<void> EnterFor(PaceKeeper& keeper, const std::string& account, bool writes = false) {
    return keeper.Enter({.writes = writes, .makes_content = writes, .account = account}, {});
  }
};

TEST_F(AllowanceTest, NodesShareTheirPointsAndAStoreIsWrittenOncePerScore) {
  const auto north = Node({.points_per_minute = 900});
  const auto south = Node({.points_per_minute = 900});
  const WallTime begin = clock_.Now();
  for (int i = 0; i < 900; ++i) {
    PaceKeeper& node = i % 2 == 0 ? *north : *south;
    ASSERT_TRUE(EnterFor(node, "").ok());
  }
  EXPECT_GE(clock_.Now() - begin, 55s) << "225 at once, the others 89 ms apart each";
  EXPECT_LE(clock_.Now() - begin, 70s);
  EXPECT_LE(slept_.size(), 45u);
}

TEST_F(AllowanceTest, PointsThatWereBoughtAndNotSpentAreGoodForAWhile) {
  const auto node = Node({.points_per_minute = 40});
  ASSERT_TRUE(EnterFor(*node, "").ok());
  const WallTime until = store_->GetPace("forge")->pace.points_until;
  clock_.Advance(PaceKeeper::kReadsKeep - 1s);
  ASSERT_TRUE(EnterFor(*node, "").ok());
  EXPECT_EQ(store_->GetPace("forge")->pace.points_until, until);
  clock_.Advance(1s);
  ASSERT_TRUE(EnterFor(*node, "").ok());
  EXPECT_GT(store_->GetPace("forge")->pace.points_until, until);
}

TEST_F(AllowanceTest, WhoeverWouldWaitForLongIsToldWhenToComeBack) {
  const auto node = Node({.content_per_hour = 4});
  EXPECT_TRUE(EnterFor(*node, "", true).ok());
  const auto told = EnterFor(*node, "", true);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(told.error().retry_after, 20min);
  EXPECT_TRUE(slept_.empty());
  EXPECT_TRUE(node->Enter({.writes = true}, {}).ok()) << "a status is no content";
  EXPECT_TRUE(EnterFor(*node, "").ok());
  clock_.Advance(20min);
  EXPECT_TRUE(EnterFor(*node, "", true).ok()) << "asking in vain has cost nothing";
}

TEST_F(AllowanceTest, AnAccountsLimitIsItsOwnAndTheHostsTroubleIsEverybodys) {
  const auto node = Node({});
  const Traffic acme{.account = "acme"};
  node->Leave(acme, Limited(60s), std::nullopt);
  EXPECT_EQ(EnterFor(*node, "acme").error().retry_after, 60s);
  EXPECT_EQ(EnterFor(*Node({}), "acme").error().retry_after, 60s) << "on every node";
  EXPECT_TRUE(EnterFor(*node, "beta").ok());
  EXPECT_TRUE(EnterFor(*node, "").ok());
  ASSERT_EQ(store_->ListPaces()->size(), 1u);
  EXPECT_EQ(store_->ListPaces()->front().pace.scope, "forge@acme");
  clock_.Advance(60s);
  EXPECT_TRUE(EnterFor(*node, "acme").ok());
  node->Leave(acme, Ok(), std::nullopt);
  EXPECT_TRUE(store_->ListPaces()->empty());

  for (int i = 0; i < PaceRules::kFailuresToOpen; ++i) {
    node->Leave(acme, MakeError(ErrorCode::kUnavailable, "503"), std::nullopt);
  }
  EXPECT_FALSE(EnterFor(*node, "beta").ok());
  EXPECT_FALSE(EnterFor(*node, "").ok());
}

TEST_F(AllowanceTest, AccountsSpendApart) {
  const auto node = Node({.content_per_hour = 4});
  EXPECT_TRUE(EnterFor(*node, "acme", true).ok());
  EXPECT_FALSE(EnterFor(*node, "acme", true).ok());
  EXPECT_TRUE(EnterFor(*node, "beta", true).ok());
}

TEST_F(AllowanceTest, ReadsInTheBackgroundGiveWayBeforeTheQuotaIsUsedUp) {
  const auto node = Node({});
  const Traffic poll{.background = true};
  node->Leave({}, Ok(), Quota{5'000, 1'000, 1'000s});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(node->Enter(poll, {}).ok());
  EXPECT_EQ(Slept(), 4s) << "two seconds between them";
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(node->Enter({}, {}).ok());
  EXPECT_TRUE(node->Enter({.writes = true, .background = true}, {}).ok());
  EXPECT_EQ(Slept(), 4s) << "nobody else waits";

  node->Leave({}, Ok(), Quota{5'000, 100, 1'000s});
  const auto held = node->Enter(poll, {});
  ASSERT_FALSE(held.ok());
  EXPECT_EQ(held.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(held.error().retry_after, 1'000s);
  EXPECT_TRUE(node->Enter({}, {}).ok());
  clock_.Advance(1'000s);
  EXPECT_TRUE(node->Enter(poll, {}).ok());
}

TEST_F(AllowanceTest, DutiesAreBackgroundAndTheGateKnows) {
  fake_->headers = {{"x-ratelimit-limit", "5000"},
                    {"x-ratelimit-remaining", "10"},
                    {"x-ratelimit-reset", "784111877"},
                    {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  EXPECT_TRUE(Send("GET").ok());
  {
    const WorkScope duty({.background = true});
    EXPECT_EQ(Send("GET").error().retry_after, 100s);
  }
  EXPECT_TRUE(Send("GET").ok());
}

}  // namespace
}  // namespace swage
