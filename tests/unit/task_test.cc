#include "pipeline/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "tests/harness/paths.h"

namespace swage {
namespace {

constexpr TaskState kAllStates[] = {TaskState::kQueued,  TaskState::kRunning,  TaskState::kInReview,
                                    TaskState::kWaiting, TaskState::kMerged,   TaskState::kClosed,
                                    TaskState::kFailed,  TaskState::kCancelled};

using Edge = std::pair<std::string, std::string>;

std::set<Edge> EdgesInCode() {
  std::set<Edge> edges;
  for (const TaskState from : kAllStates) {
    for (const TaskState to : kAllStates) {
      if (CanMove(from, to)) edges.emplace(Name(from), Name(to));
    }
  }
  return edges;
}

struct Page {
  std::set<Edge> table;
  std::set<Edge> diagram;
};

std::string Strip(std::string s) {
  s.erase(std::remove(s.begin(), s.end(), ' '), s.end());
  return s;
}

// Rows "| from | to | when |" of the table, and lines "from --> to" of the diagram.
Page ReadLifecycle() {
  std::ifstream in(test::SourcePath("pipeline/lifecycle.md"));
  EXPECT_TRUE(in.good());
  Page page;
  for (std::string line; std::getline(in, line);) {
    const std::size_t arrow = line.find("-->");
    if (arrow != std::string::npos && line.find('*') == std::string::npos) {
      page.diagram.emplace(Strip(line.substr(0, arrow)), Strip(line.substr(arrow + 3)));
    }
    if (!line.starts_with("| ") || line.starts_with("| from ")) continue;
    const std::size_t second = line.find('|', 1);
    const std::size_t third = line.find('|', second + 1);
    page.table.emplace(Strip(line.substr(1, second - 1)),
                       Strip(line.substr(second + 1, third - second - 1)));
  }
  return page;
}

TEST(Lifecycle, TheTableAndTheCodeAreTheSameGraph) {
  EXPECT_EQ(ReadLifecycle().table, EdgesInCode());
}

TEST(Lifecycle, TheDiagramAndTheCodeAreTheSameGraph) {
  EXPECT_EQ(ReadLifecycle().diagram, EdgesInCode());
}

TEST(Lifecycle, NothingLeavesMergedAndClosedAndNothingStaysInPlace) {
  for (const TaskState s : kAllStates) {
    EXPECT_FALSE(CanMove(TaskState::kMerged, s));
    EXPECT_FALSE(CanMove(TaskState::kClosed, s));
    EXPECT_FALSE(CanMove(s, s)) << Name(s);
  }
}

TEST(Lifecycle, OnlyAClaimRunsATask) {
  for (const TaskState s : kAllStates) {
    EXPECT_EQ(CanMove(s, TaskState::kRunning), s == TaskState::kQueued) << Name(s);
  }
}

TEST(TaskNames, EveryStateRoundTrips) {
  for (const TaskState s : kAllStates) EXPECT_EQ(ParseTaskState(Name(s)), s);
  for (const Stage s :
       {Stage::kNone, Stage::kProvision, Stage::kAgent, Stage::kGates, Stage::kPublish}) {
    EXPECT_EQ(ParseStage(Name(s)), s);
  }
  for (const RunKind k : {RunKind::kImplement, RunKind::kFix, RunKind::kGates}) {
    EXPECT_EQ(ParseRunKind(Name(k)), k);
  }
}

TEST(TaskNames, UnknownWordsAreNothing) {
  EXPECT_EQ(ParseTaskState("Queued"), std::nullopt);
  EXPECT_EQ(ParseTaskState(""), std::nullopt);
  EXPECT_EQ(ParseStage("publishing"), std::nullopt);
  EXPECT_EQ(ParseRunKind("implement "), std::nullopt);
}

TEST(TaskKeys, NameTheGenerationFromTheSecondOn) {
  Task task;
  task.repo = {"forge", "77", "acme/lib"};
  task.issue_number = 12;
  EXPECT_EQ(TaskKey(task), "forge/acme/lib#12");
  task.generation = 2;
  EXPECT_EQ(TaskKey(task), "forge/acme/lib#12/g2");
}

TEST(BranchNames, HoldNumberGenerationAndSlug) {
  EXPECT_EQ(BranchName("swage/", 12, 1, "Fix the Parser!"), "swage/12-fix-the-parser");
  EXPECT_EQ(BranchName("swage/", 12, 3, "Fix the Parser!"), "swage/12-g3-fix-the-parser");
  EXPECT_EQ(BranchName("swage", 7, 1, ""), "swage/7");
}

TEST(BranchNames, AreCutAtAWord) {
  const std::string name =
      BranchName("swage/", 1, 1, "The quick brown fox jumps over the incredibly lazy dog");
  EXPECT_EQ(name, "swage/1-the-quick-brown-fox-jumps-over-the");
  EXPECT_EQ(BranchName("swage/", 1, 1, std::string(500, 'x')), "swage/1-" + std::string(40, 'x'));
}

bool IsSafeRef(const std::string& name) {
  if (name.empty() || name.size() > 120) return false;
  for (const char c : name) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '/') return false;
  }
  return name.front() != '-' && name.front() != '/' && name.back() != '-' && name.back() != '/' &&
         name.find("//") == std::string::npos && name.find("/-") == std::string::npos &&
         name.find("-/") == std::string::npos;
}

TEST(BranchNames, Threat_T35_NeverAnOptionOrAnInvalidRef) {
  const std::string nasty[] = {"--upload-pack=x",
                               "\u3000\u3000",
                               "; rm -rf /",
                               "$(touch x)",
                               "../../etc/passwd",
                               "a..b.lock",
                               "HEAD@{1}",
                               "refs/heads/main",
                               "-",
                               "a\nb\rc",
                               std::string("nul\0byte", 8),
                               "\xff\xfe\xc3\x28",
                               "~^:?*[\\",
                               std::string(10'000, '-'),
                               std::string(10'000, 'a')};
  for (const std::string& text : nasty) {
    EXPECT_TRUE(IsSafeRef(BranchName("swage/", 5, 1, text))) << text;
    EXPECT_TRUE(IsSafeRef(BranchName(text, 5, 2, "title"))) << text;
  }
  EXPECT_EQ(BranchName("--upload-pack=x/", 5, 1, "t"), "upload-pack-x/5-t");
}

}  // namespace
}  // namespace swage
