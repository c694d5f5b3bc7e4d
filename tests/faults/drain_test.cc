// X30: a server that is told to stop in mid-run drains: the run ends within the limit, or goes back
// to the queue and on from its checkpoint after the next start (B8).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <csignal>

#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

/// A box whose agent waits in its first life for the file `go`, and says by `begun` that it does.
class Drained {
 public:
  explicit Drained(const std::string& limit) : box(Options(limit)) {
    const std::string begun_file = begun().string();
    const std::string agent = "if [ ! -e " + begun_file + " ]; then touch " + begun_file +
                              "; until [ -e " + go().string() + " ]; do sleep 0.05; done; fi\n" +
                              TwoCycleAgent();
    box.SetAgent(agent);
    issue = box.LabelledIssue("The answer is wrong");
    EXPECT_TRUE(box.WaitForFile(begun()));
  }

  std::filesystem::path begun() { return box.dir() / "begun"; }
  std::filesystem::path go() { return box.dir() / "go"; }
  int Get(const char* path) {
    httplib::Client client("127.0.0.1", box.hooks_port());
    const auto response = client.Get(path);
    return response ? response->status : 0;
  }

  Box box;
  std::int64_t issue = 0;

 private:
  static BoxOptions Options(const std::string& limit) {
    BoxOptions options;
    options.files = AnswerRepo();
    options.extra_config = "drain_limit: " + limit + "\n";
    return options;
  }
};

TEST(Fault, X30_ARunThatEndsWithinTheLimitIsFinished) {
  Drained d("1h");
  EXPECT_EQ(d.Get("/readyz"), 200);
  d.box.Signal(SIGTERM);
  EXPECT_TRUE(d.box.WaitForLog("waiting for runs"));
  EXPECT_EQ(d.Get("/readyz"), 503);
  EXPECT_EQ(d.Get("/healthz"), 200);
  // What comes meanwhile is kept, and not begun.
  const std::int64_t late = d.box.LabelledIssue("Another one");
  EXPECT_TRUE(d.box.WaitFor([&] { return d.box.Query("SELECT count(*) FROM tasks") == "2"; }));
  ASSERT_TRUE(WriteFileAtomic(d.go(), "").ok());
  EXPECT_EQ(d.box.AwaitExit(), 0);
  EXPECT_EQ(d.box.Query("SELECT attempt, stage IN ('publish', 'none') FROM tasks WHERE id = 1"),
            "1|1");
  EXPECT_EQ(d.box.Query("SELECT state, attempt FROM tasks WHERE id = 2"), "queued|0");
  EXPECT_EQ(d.box.Query("SELECT count(*) FROM steps WHERE outcome = 'interrupted'"), "0");
  d.box.StartServer();
  EXPECT_TRUE(d.box.WaitForSticky(d.issue, "in review"));
  EXPECT_TRUE(d.box.WaitForSticky(late, "in review"));
  EXPECT_THAT(d.box.Pulls(), SizeIs(2));
}

TEST(Fault, X30_ARunThatDoesNotEndGoesBackToTheQueueAtNoCost) {
  Drained d("300ms");
  EXPECT_EQ(d.box.StopServer(), 0);
  EXPECT_THAT(d.box.ServerLog(), HasSubstr("waiting for runs"));
  EXPECT_EQ(d.box.Query("SELECT state, attempt FROM tasks"), "queued|0");
  EXPECT_TRUE(std::filesystem::is_empty(d.box.data_dir() / "workspaces"));
  d.box.StartServer();
  EXPECT_TRUE(d.box.WaitForSticky(d.issue, "in review"));
  EXPECT_THAT(d.box.Pulls(), SizeIs(1));
  EXPECT_EQ(d.box.Query("SELECT attempt FROM tasks"), "1");
}

// Told to stop in the second cycle: the first one's work is not done again.
TEST(Fault, X30_TheNextStartGoesOnFromTheCheckpoint) {
  Drained d("0s");
  const std::string second = (d.box.dir() / "second").string();
  d.box.SetAgent("if grep -q 'not 42' \"$1\" && [ ! -e " + second + " ]; then touch " + second +
                 "; sleep 600; fi\n" + TwoCycleAgent());
  ASSERT_TRUE(WriteFileAtomic(d.go(), "").ok());
  ASSERT_TRUE(d.box.WaitForFile(second));
  EXPECT_EQ(d.box.StopServer(), 0);
  EXPECT_EQ(d.box.Query("SELECT state, attempt, cycle, checkpoint <> '' FROM tasks"),
            "queued|0|2|1");
  d.box.StartServer();
  EXPECT_TRUE(d.box.WaitForSticky(d.issue, "in review"));
  EXPECT_EQ(d.box.Query("SELECT count(*) FROM steps WHERE kind = 'agent' AND cycle = 1"), "1");
}

TEST(Fault, X30_ASecondSignalEndsAtOnce) {
  Drained d("1h");
  d.box.Signal(SIGTERM);
  EXPECT_TRUE(d.box.WaitForLog("waiting for runs"));
  d.box.Signal(SIGTERM);
  EXPECT_EQ(d.box.AwaitExit(), 128 + SIGTERM);
  d.box.StartServer();
  EXPECT_TRUE(d.box.WaitForSticky(d.issue, "in review"));
  EXPECT_THAT(d.box.Pulls(), SizeIs(1));
}

}  // namespace
}  // namespace swage::test
