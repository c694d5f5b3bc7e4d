// Several real servers on one real PostgreSQL: whatever becomes of one of them, its tasks go on at
// another, once, and nobody who lost a task changes anything any more (B3, B5; X14 to X16, X18).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/network_namespace.h"
#include "tests/harness/node_process.h"
#include "tests/harness/postgres_server.h"
#include "tests/harness/tcp_proxy.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// A box whose server is the node "front" (it takes webhooks and talks to the forge, and runs no
// agent), and the database that it shares with the nodes of a test.
class Cluster {
 public:
  explicit Cluster(std::string lease = "12s") : lease_(std::move(lease)) {
    url = PostgresServer::Shared().NewDatabase().value();
    BoxOptions options;
    options.files = AnswerRepo();
    options.extra_config = "store: \"" + url + "\"\nnode: {name: front, lease: " + lease_ +
                           ", roles: [web, publisher, housekeeping]}\n";
    box = std::make_unique<Box>(options);
  }

  std::unique_ptr<NodeProcess> MakeNode(NodeOptions options) {
    options.lease = lease_;
    return std::make_unique<NodeProcess>(*box, std::move(options));
  }
  std::unique_ptr<NodeProcess> StartNode(const std::string& name, NodeOptions options = {}) {
    options.name = name;
    if (options.roles.empty()) options.roles = "worker";
    auto node = MakeNode(std::move(options));
    node->Start();
    return node;
  }

  fs::path File(const char* name) const { return box->dir() / name; }
  std::string Q(const char* name) const { return "'" + File(name).string() + "'"; }
  std::string Query(const std::string& sql) const {
    const auto rows = PostgresServer::Shared().Query(url, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? *rows : "";
  }
  bool WaitForQuery(const std::string& sql, const std::string& answer) const {
    return box->WaitFor([&] { return Query(sql) == answer; });
  }

  // Hangs in its second cycle the first time; notes when two live at once.
  std::string AgentThatHangsOnce() const {
    return "if [ -e " + Q("pid") + " ] && kill -0 $(cat " + Q("pid") +
           ") 2>/dev/null; then touch " + Q("overlap") + "; fi\n" +
           "if grep -q 'not 42' \"$1\" && [ ! -e " + Q("hung") + " ]; then\n" + "  echo $$ > " +
           Q("pid") + "; touch " + Q("hung") + "; trap '' TERM\n" +
           "  while :; do sleep 1; done\nfi\n" + TwoCycleAgent();
  }
  /// The process whose id the file holds.
  bool IsAlive(const char* pid_file) const {
    const auto text = ReadFile(File(pid_file));
    if (!text.ok()) return false;
    const auto pid = ParseInt(Trim(*text));
    return pid && kill(static_cast<pid_t>(*pid), 0) == 0;
  }
  void ExpectOneOfEverything(std::int64_t issue) const {
    ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
    ASSERT_THAT(box->Pulls(), SizeIs(1));
    const sandbox::Pull pull = box->Pulls().front();
    EXPECT_EQ(*box->forge().ReadFileAt(box->repo(), pull.head_ref, "answer.txt"), "42\n");
    EXPECT_THAT(box->ReviewBodies(pull), SizeIs(1));
    EXPECT_THAT(box->NotesBy("swage-bot", issue), SizeIs(1));
    EXPECT_FALSE(fs::exists(File("overlap"))) << "two agents of one task at once";
  }

  std::string url;
  std::unique_ptr<Box> box;

 private:
  const std::string lease_;
};

TEST(Fault, B5_AnotherNodeGoesOnFromTheCheckpointOfOneThatWasKilled) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent(c.AgentThatHangsOnce());
  auto one = c.StartNode("one");
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  EXPECT_EQ(c.Query("SELECT commit_sha = (SELECT checkpoint FROM tasks) FROM checkpoints"), "t");
  const auto two = c.StartNode("two");
  one->Kill();
  c.ExpectOneOfEverything(issue);
  EXPECT_FALSE(c.IsAlive("pid"));
  // The first cycle's work came along, and was not done again.
  EXPECT_EQ(c.Query("SELECT node, cycle, outcome FROM steps WHERE kind = 'agent' ORDER BY id"),
            "one|1|ok\none|2|interrupted\ntwo|2|ok");
  EXPECT_TRUE(c.WaitForQuery("SELECT count(*) FROM checkpoints", "0"));
  // The dead one's files go when it is back.
  EXPECT_FALSE(fs::is_empty(one->data_dir() / "workspaces"));
  one->Start();
  EXPECT_TRUE(c.box->WaitFor([&] { return fs::is_empty(one->data_dir() / "workspaces"); }));
}

TEST(Fault, X15_AZombieChangesNothing) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent(c.AgentThatHangsOnce());
  const auto one = c.StartNode("one");
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  one->Freeze();
  fs::remove(c.File("pid"));  // it lives on while its server stands still; nobody can help that
  const auto two = c.StartNode("two");
  c.ExpectOneOfEverything(issue);
  const std::string rows = "SELECT state, epoch, run, attempt, checkpoint, pushed FROM tasks";
  const std::string before = c.Query(rows);
  const std::string steps = c.Query("SELECT id, outcome FROM steps ORDER BY id");
  one->Thaw();
  ASSERT_TRUE(one->WaitForLog("stopping a worker"));
  ASSERT_TRUE(one->WaitForLog("the run's result was not taken"));
  EXPECT_EQ(c.Query(rows), before);
  EXPECT_EQ(c.Query("SELECT id, outcome FROM steps ORDER BY id"), steps);
  EXPECT_THAT(c.box->Pulls(), SizeIs(1));
}

TEST(Fault, X16_ANodeThatIsCutOffStopsItsAgentBeforeAnotherBegins) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent(c.AgentThatHangsOnce());
  TcpProxy proxy(PostgresServer::Shared().port());
  NodeOptions behind;
  behind.store = ReplaceAll(c.url, ":" + std::to_string(PostgresServer::Shared().port()),
                            ":" + std::to_string(proxy.port()));
  const auto one = c.StartNode("one", behind);
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  const auto two = c.StartNode("two");
  proxy.Cut();
  ASSERT_TRUE(c.box->WaitFor([&] { return !c.IsAlive("pid"); }));
  EXPECT_THAT(one->Log(), HasSubstr("stopping a worker that cannot renew its lease"));
  c.ExpectOneOfEverything(issue);
  proxy.Heal();
  // It is of use again afterwards.
  EXPECT_TRUE(c.box->WaitFor([&] {
    return one->Get(one->hooks_port(), "/readyz").find("worker: ok") != std::string::npos;
  }));
}

TEST(Fault, X16_ANodeWhoseNetworkIsGoneStopsItsAgentBeforeAnotherBegins) {
  SWAGE_NEEDS_POSTGRES();
  SWAGE_NEEDS_NETWORK_NAMESPACE();
  Cluster c;
  c.box->SetAgent(c.AgentThatHangsOnce());
  const NetworkNamespace network;
  const int database_port = PostgresServer::Shared().port();
  const TcpProxy database(database_port, network.Listen(database_port));
  const std::string forge_url = c.box->forge().Url();
  const auto forge_port = static_cast<int>(*ParseInt(forge_url.substr(forge_url.rfind(':') + 1)));
  const TcpProxy forge(forge_port, network.Listen(forge_port));
  NodeOptions options;
  options.name = "one";
  options.roles = "worker";
  const auto one = c.MakeNode(options);
  network.Run([&] { one->Start(); });
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  const auto two = c.StartNode("two");
  network.CutLink();
  ASSERT_TRUE(c.box->WaitFor([&] { return !c.IsAlive("pid"); }));
  EXPECT_THAT(one->Log(), HasSubstr("stopping a worker that cannot renew its lease"));
  c.ExpectOneOfEverything(issue);
  network.HealLink();
  network.Run([&] {
    EXPECT_TRUE(c.box->WaitFor([&] {
      return one->Get(one->hooks_port(), "/readyz").find("worker: ok") != std::string::npos;
    }));
  });
}

TEST(Fault, X18_AnAgentThatDaemonisesIsDeadAtTheEnd) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  ASSERT_TRUE(WriteFileAtomic(c.File("daemon.sh"),
                              "trap '' TERM HUP\necho $$ > " + c.Q("daemon") + "\nexec sleep 600\n")
                  .ok());
  const std::string daemon = "setsid sh -c 'sh \"" + c.File("daemon.sh").string() +
                             "\" >/dev/null 2>&1 </dev/null &'\nwhile [ ! -s " + c.Q("daemon") +
                             " ]; do sleep 0.05; done\n";
  c.box->SetAgent(daemon + "echo 42 > answer.txt\n");
  auto one = c.StartNode("one");
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForSticky(issue, "in review"));
  EXPECT_FALSE(c.IsAlive("daemon"));
  // And when the node is killed in the middle.
  fs::remove(c.File("daemon"));
  c.box->SetAgent(daemon + "touch " + c.Q("hung") + "; sleep 600\n");
  c.box->LabelledIssue("Another one");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  EXPECT_TRUE(c.IsAlive("daemon"));
  one->Kill();
  EXPECT_TRUE(c.box->WaitFor([&] { return !c.IsAlive("daemon"); }));
}

TEST(Fault, X10_DuplicatesAtTwoNodesAreOneTask) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent("echo 42 > answer.txt\n");
  NodeOptions everything;
  everything.roles = "web, worker, publisher, housekeeping";
  const auto two = c.StartNode("two", everything);
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->forge().WaitForWebhooks());
  const Webhook labelled = SentWebhook(*c.box, "\"swage\"");
  constexpr int kSenders = 4, kEach = 25;
  std::vector<std::thread> senders;
  std::atomic<int> refused{0};
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kEach; ++i) {
        // Every other one under an id of its own, as a person's "redeliver" would.
        const Webhook webhook =
            i % 2 == 0 ? labelled : WithId(labelled, std::to_string(sender * 100 + i));
        const int port = (sender + i) % 2 == 0 ? c.box->hooks_port() : two->hooks_port();
        RawHttp connection(port);
        if (Post(connection, webhook) / 100 != 2) ++refused;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(refused, 0);
  EXPECT_TRUE(c.WaitForQuery("SELECT count(*) FROM deliveries WHERE state = 'pending'", "0"));
  c.ExpectOneOfEverything(issue);
  EXPECT_EQ(c.Query("SELECT count(*), max(generation), max(run) FROM tasks"), "1|1|1");
}

TEST(Fault, X24_ACancelReachesTheWorkerOnAnotherNode) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c("60s");
  c.box->SetAgent("echo $$ > " + c.Q("pid") + "; touch " + c.Q("hung") + "; sleep 600\n");
  const auto one = c.StartNode("one");
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  c.box->forge().Comment(c.box->repo(), "ada", issue, "/swage stop");
  ASSERT_TRUE(c.WaitForQuery("SELECT state FROM tasks", "cancelled"));
  const auto cancelled = std::chrono::steady_clock::now();
  ASSERT_TRUE(c.box->WaitFor([&] { return !c.IsAlive("pid"); }));
  EXPECT_LT(std::chrono::steady_clock::now() - cancelled, std::chrono::seconds(30));
}

TEST(Fault, X14_AClockThatJumpsADayEndsNoLease) {
  constexpr const char* kLibrary = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
  if (!fs::exists(kLibrary)) GTEST_SKIP() << "Debian's package libfaketime is not installed";
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent("touch " + c.Q("hung") + "\nwhile [ ! -e " + c.Q("go") +
                  " ]; do sleep 0.1; done\necho 42 > answer.txt\n");
  ASSERT_TRUE(WriteFileAtomic(c.File("clock"), "+0\n").ok());
  NodeOptions jumping;
  jumping.env = {{"LD_PRELOAD", kLibrary},
                 {"FAKETIME_TIMESTAMP_FILE", c.File("clock").string()},
                 {"FAKETIME_NO_CACHE", "1"},
                 {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
  const auto one = c.StartNode("one", jumping);
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForFile(c.File("hung")));
  const auto two = c.StartNode("two");
  for (const char* jump : {"+1d\n", "-1d\n"}) {
    ASSERT_TRUE(WriteFileAtomic(c.File("clock"), jump).ok());
    // Its renewals go on: the end of its lease, by the database's clock, moves twice.
    for (int i = 0; i < 2; ++i) {
      const std::string ends = c.Query("SELECT lease_expires_at_us FROM tasks");
      EXPECT_TRUE(
          c.box->WaitFor([&] { return c.Query("SELECT lease_expires_at_us FROM tasks") != ends; }));
    }
    EXPECT_EQ(c.Query("SELECT lease_node, attempt FROM tasks"), "one|1");
  }
  ASSERT_TRUE(WriteFileAtomic(c.File("go"), "").ok());
  c.ExpectOneOfEverything(issue);
  EXPECT_EQ(c.Query("SELECT attempt FROM tasks"), "1");
  EXPECT_THAT(one->Log(), Not(HasSubstr("stopping a worker")));
}

TEST(Nodes, ASecondProcessWithTheSameNameIsRefusedByName) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  const auto one = c.StartNode("one");
  NodeOptions twin;
  twin.name = "one";
  twin.folder = "twin";
  twin.roles = "worker";
  const auto second = c.MakeNode(twin);
  EXPECT_EQ(second->ServeToExit(), 1);
  EXPECT_THAT(second->Log(), HasSubstr("another process is node one already"));
  EXPECT_THAT(second->Log(), HasSubstr("--node"));
  EXPECT_EQ(c.Query("SELECT name FROM nodes ORDER BY name"), "front\none");
}

TEST(Nodes, ThePagesShowTheNodesAndWhereALogIs) {
  SWAGE_NEEDS_POSTGRES();
  Cluster c;
  c.box->SetAgent("echo 42 > answer.txt\n");
  const auto one = c.StartNode("one");
  const std::int64_t issue = c.box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(c.box->WaitForSticky(issue, "in review"));
  const std::string nodes = one->Get(c.box->dashboard_port(), "/nodes");
  EXPECT_THAT(nodes, HasSubstr("front"));
  EXPECT_THAT(nodes, HasSubstr("one"));
  EXPECT_THAT(nodes, HasSubstr("web, publisher, housekeeping"));
  EXPECT_THAT(one->Get(c.box->dashboard_port(), "/tasks/1"), HasSubstr("on node one"));
  EXPECT_THAT(one->Get(one->hooks_port(), "/readyz"), HasSubstr("worker: ok"));
}

}  // namespace
}  // namespace swage::test
