// The bot's own share of a task, on the sandbox forge with a trivial agent and gate: how long from
// the label to the pull request without the agent and the gates, how many tasks a minute, how much
// memory. Called by task.sh; prints its report lines.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/harness/box.h"

namespace swage::test {
namespace {

using Steady = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kOverheadTasks = 15;
constexpr int kThroughputTasks = 24;

const char kAgent[] = "echo \"$RANDOM $RANDOM\" > answer-$SWAGE_ISSUE.txt\necho done\n";

std::map<std::string, std::string> Repo() {
  return {{"README.md", "bench\n"},
          {".swage.yml", "gates:\n  - name: tests\n    run: [\"true\"]\n"}};
}

BoxOptions Options(int tasks_at_once, const std::string& agent) {
  BoxOptions options;
  options.files = Repo();
  options.agent = agent;
  options.extra_config =
      fmt::format("limits: {{tasks: {0}, tasks_per_repo: {0}}}\n", tasks_at_once);
  return options;
}

double RssMb(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Figure(const char* name, double value, const char* unit) {
  std::printf("figure %s %.1f %s\n", name, value, unit);
  std::fflush(stdout);
}

// One task after the other: label to pull request, less what the agent and the gate took.
void Overhead() {
  Box box(Options(1, kAgent));
  std::vector<double> overheads;
  for (int i = 0; i < kOverheadTasks; ++i) {
    const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Bench", "Please.");
    const Steady::time_point begun = Steady::now();
    box.forge().AddLabel(box.repo(), "ada", issue, "swage");
    const std::size_t expected = static_cast<std::size_t>(i) + 1;
    while (box.Pulls().size() < expected) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const double total = Milliseconds(Steady::now() - begun).count();
    box.WaitForSticky(issue, "in review");
    const std::string spent = box.Query(fmt::format(
        "SELECT sum(finished_at_us - started_at_us) FROM steps WHERE kind IN ('agent', 'gate') AND "
        "task_id = (SELECT id FROM tasks WHERE issue_number = {})",
        issue));
    overheads.push_back(total - std::stod(spent) / 1000);
  }
  Figure("overhead_ms", Median(overheads), "ms");
}

void Throughput(int at_once) {
  Box box(Options(at_once, kAgent));
  const Steady::time_point begun = Steady::now();
  for (int i = 0; i < kThroughputTasks; ++i) box.LabelledIssue(fmt::format("Bench {}", i));
  double peak = 0;
  while (box.Query("SELECT count(*) FROM tasks WHERE state = 'in_review'") !=
         std::to_string(kThroughputTasks)) {
    peak = std::max(peak, RssMb(box.server_pid()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const double minutes = Milliseconds(Steady::now() - begun).count() / 60'000;
  Figure(fmt::format("tasks_per_min_{}", at_once).c_str(), kThroughputTasks / minutes, "1/min");
  if (at_once > 1) Figure("rss_mb_8_tasks", peak, "MB");
}

void BigLog() {
  Box box(Options(
      1, "head -c 1000000000 /dev/zero | tr '\\0' 'x' | fold -w 100\n" + std::string(kAgent)));
  const std::int64_t issue = box.LabelledIssue("Talks a lot");
  box.WaitForSticky(issue, "in review");
  Figure("rss_mb_1gb_log", RssMb(box.server_pid()), "MB");
}

}  // namespace
}  // namespace swage::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  swage::test::Overhead();
  swage::test::Throughput(1);
  swage::test::Throughput(8);
  swage::test::BigLog();
  return testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed() ? 1 : 0;
}
