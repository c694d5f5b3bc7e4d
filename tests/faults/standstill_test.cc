// A publisher that stands still between its look at the forge and its write (X15): another one
// looks, writes and is done meanwhile, and the first, when it goes on, writes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "pipeline/publisher.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/node_process.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

constexpr auto kTurn = 20s;  ///< how long the first write has to wait
constexpr int kSlowLookMs = 8'000;

class Standstill : public DialectTest {
 protected:
  /// A box that takes webhooks and leaves the forge to others.
  std::unique_ptr<Box> MakeBox() {
    url_ = PostgresServer::Shared().NewDatabase().value();
    BoxOptions options = Options(AnswerRepo(), TwoCycleAgent(),
                                 "store: \"" + url_ +
                                     "\"\n"
                                     "node: {name: front, roles: [web, housekeeping]}\n");
    options.write_interval = "100ms";
    return std::make_unique<Box>(options);
  }
  /// Writes queue up: the next one's turn is only then.
  void NextWriteIn(std::chrono::seconds time) const {
    const std::string at = std::to_string(ToMicros(SystemClock().Now() + time));
    const auto done = PostgresServer::Shared().Query(
        url_, "INSERT INTO paces (scope, next_write_at_us) SELECT forge, " + at +
                  " FROM repos LIMIT 1 ON CONFLICT (scope) DO UPDATE SET next_write_at_us = " + at);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  std::string Pending() const {
    return *PostgresServer::Shared().Query(url_,
                                           "SELECT count(*) FROM effects WHERE state = 'pending'");
  }
  static std::string Look(std::int64_t issue) {
    return "/issues/" + std::to_string(issue) + "/(comments|notes)";
  }
  static bool HasLooked(Box& box, std::int64_t issue) {
    const RE2 look(Look(issue));
    for (const auto& request : box.forge().Requests()) {
      if (request.method == "GET" && RE2::PartialMatch(request.target, look)) return true;
    }
    return false;
  }

  std::string url_;
};

TEST_P(Standstill, X15_WhoStoodStillBetweenItsLookAndItsWriteWritesNothing) {
  SWAGE_NEEDS_POSTGRES();
  const auto box = MakeBox();
  NodeProcess one(*box, {.name = "one", .roles = "publisher"});
  one.Start();
  // One effect has looked and waits for its turn, another's look is under way.
  const std::int64_t waits = box->forge().CreateIssue(box->repo(), "ada", "A", "a");
  const std::int64_t looks = box->forge().CreateIssue(box->repo(), "ada", "B", "b");
  box->forge().Comment(box->repo(), "ada", waits, "/swage help");
  ASSERT_TRUE(box->WaitFor([&] { return box->NotesBy("swage-bot", waits).size() == 1; }));
  ASSERT_TRUE(box->WaitFor([&] { return Pending() == "0"; }));
  NextWriteIn(kTurn);
  sandbox::FaultRule slow;
  slow.action = sandbox::FaultAction::kDelay;
  slow.method = "GET";
  slow.path = Look(looks);
  slow.delay_ms = kSlowLookMs;
  ASSERT_TRUE(box->forge().faults().Add(slow).ok());
  const std::string untouched = box->forge().faults().ToJson();
  box->forge().ClearRequests();
  box->forge().Comment(box->repo(), "ada", waits, "/swage help");
  ASSERT_TRUE(box->WaitFor([&] { return HasLooked(*box, waits); }));
  box->forge().Comment(box->repo(), "ada", looks, "/swage help");
  ASSERT_TRUE(box->WaitFor([&] { return box->forge().faults().ToJson() != untouched; }));
  one.Freeze();
  ASSERT_THAT(box->NotesBy("swage-bot", waits), SizeIs(1));
  ASSERT_THAT(box->NotesBy("swage-bot", looks), SizeIs(0));

  NodeProcess two(*box, {.name = "two", .roles = "publisher"});
  two.Start();
  ASSERT_TRUE(box->WaitFor([&] { return Pending() == "0"; })) << two.Log();
  one.Thaw();
  EXPECT_TRUE(box->WaitFor([&] {
    const std::string log = one.Log();
    return log.find("goes back unwritten") != std::string::npos ||
           log.find("its hold is over") != std::string::npos;
  }));
  EXPECT_EQ(one.Stop(), 0);
  EXPECT_THAT(box->NotesBy("swage-bot", waits), SizeIs(2));
  EXPECT_THAT(box->NotesBy("swage-bot", looks), SizeIs(1));
}

SWAGE_EVERY_DIALECT(Standstill);

}  // namespace
}  // namespace swage::test
