// How long work stands still when a server with tasks in flight is killed as by a power cut:
// swage_recovery_bench restart            one server on SQLite, killed and started again
// swage_recovery_bench takeover LEASE     two nodes on PostgreSQL with leases of so long; the one
//                                         that works is killed for good and the other takes over
//
// Called by recovery.sh; prints its report lines. What is killed runs kTasks agents that never end;
// an agent notes when it begins. Times are from the SIGKILL.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/box.h"
#include "tests/harness/node_process.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kTasks = 4;
constexpr int kRestarts = 5;
constexpr std::chrono::minutes kPatience{5};

bool Failed() {
  return testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed();
}

/// What the agents of one box have noted: one file for each begin.
class Begun {
 public:
  explicit Begun(std::filesystem::path dir) : dir_(std::move(dir)) {
    SWAGE_CHECK(MakeDirs(dir_).ok());
  }
  std::string Agent() const {
    return fmt::format("mktemp '{}/begun.XXXXXX'\nwhile :; do sleep 1; done\n", dir_.string());
  }
  /// False if it takes far too long.
  bool Await(int count) const {
    for (const auto limit = Steady::now() + kPatience; Steady::now() < limit && !Failed();) {
      const auto all = std::filesystem::directory_iterator(dir_);
      if (std::distance(begin(all), end(all)) >= count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::fprintf(stderr, "the agents did not begin\n");
    return false;
  }

 private:
  const std::filesystem::path dir_;
};

bool AwaitReady(int port) {
  for (const auto limit = Steady::now() + kPatience; Steady::now() < limit;) {
    const auto answer = httplib::Client("127.0.0.1", port).Get("/readyz");
    if (answer && answer->status == 200) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::fprintf(stderr, "the server does not become ready\n");
  return false;
}

BoxOptions Options() {
  BoxOptions options;
  options.files = {{"README.md", "bench\n"},
                   {".swage.yml", "gates:\n  - name: tests\n    run: [\"true\"]\n"}};
  options.start = false;
  options.extra_config = fmt::format(
      "limits: {{tasks: {0}, tasks_per_repo: {0}, attempts: 20, attempt_delay: 0s}}\n", kTasks);
  return options;
}

void Figure(const char* name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::printf("figure %s_s %.2f s\n", name, values[values.size() / 2]);
  std::printf("figure %s_worst_s %.2f s\n", name, values.back());
  std::fflush(stdout);
}

double Since(Steady::time_point begin) {
  return Seconds(Steady::now() - begin).count();
}

bool Restart() {
  Box box(Options());
  const Begun begun(box.dir() / "begun");
  box.SetAgent(begun.Agent());
  box.StartServer();
  for (int i = 0; i < kTasks; ++i) box.LabelledIssue(fmt::format("Bench {}", i));
  std::vector<double> ready, running;
  for (int round = 1; round <= kRestarts; ++round) {
    if (!begun.Await(kTasks * round)) return false;
    const Steady::time_point killed = Steady::now();
    box.KillServer();
    box.LaunchServer();
    if (!AwaitReady(box.hooks_port())) return false;
    ready.push_back(Since(killed));
    if (!begun.Await(kTasks * (round + 1))) return false;
    running.push_back(Since(killed));
  }
  Figure("recovery_restart_ready", ready);
  Figure("recovery_restart_running", running);
  return true;
}

bool Takeover(const std::string& lease) {
  BoxOptions options = Options();
  options.extra_config +=
      fmt::format("store: \"{}\"\nnode: {{name: front, roles: [web, publisher, housekeeping]}}\n",
                  PostgresServer::Shared().NewDatabase().value());
  Box box(options);
  const Begun begun(box.dir() / "begun");
  box.SetAgent(begun.Agent());
  box.StartServer();
  const auto make = [&](const char* name) {
    NodeOptions node;
    node.name = name;
    node.roles = "worker";
    node.lease = lease;
    return std::make_unique<NodeProcess>(box, node);
  };
  const auto one = make("one");
  const auto two = make("two");
  one->Start();
  for (int i = 0; i < kTasks; ++i) box.LabelledIssue(fmt::format("Bench {}", i));
  if (!begun.Await(kTasks)) return false;
  two->Start();
  const Steady::time_point killed = Steady::now();
  one->Kill();
  std::vector<double> running;
  for (int i = 1; i <= kTasks; ++i) {
    if (!begun.Await(kTasks + i)) return false;
    running.push_back(Since(killed));
  }
  Figure("recovery_takeover", running);
  return true;
}

}  // namespace
}  // namespace swage::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::string what = argc > 1 ? argv[1] : "";
  bool done = false;
  if (what == "restart" && argc == 2) {
    done = swage::test::Restart();
  } else if (what == "takeover" && argc == 3) {
    if (!swage::test::PostgresServer::Installed()) {
      std::fprintf(stderr, "PostgreSQL's server is not installed (Debian's package postgresql)\n");
      return 3;
    }
    done = swage::test::Takeover(argv[2]);
  } else {
    std::fprintf(stderr, "usage: swage_recovery_bench restart | takeover LEASE\n");
    return 2;
  }
  return done && !swage::test::Failed() ? 0 : 1;
}
