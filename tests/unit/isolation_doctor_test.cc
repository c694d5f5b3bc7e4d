#include "bot/isolation_doctor.h"

#include <gtest/gtest.h>

namespace swage {
namespace {

const Attempt kWrite{"write", "write a file beside the workspace", Guarantee::kNoWriteOutside};
const Attempt kRead{"read", "read a file of another task", Guarantee::kNoReadOtherTasks};

LevelFindings Worktree(AttemptEnd write, AttemptEnd read) {
  LevelFindings level{IsolationLevel::kWorktree, {true, "", {Guarantee::kNoWriteOutside}}, {}};
  level.attempts = {{&kWrite, {write, ""}}, {&kRead, {read, ""}}};
  return level;
}

LevelFindings NoContainer() {
  return {
      IsolationLevel::kContainer, {false, "podman is not installed; apt install podman", {}}, {}};
}

TEST(IsolationDoctor, WhatIsNotPromisedMayGetThrough) {
  EXPECT_TRUE(KeepsItsWord(Worktree(AttemptEnd::kStopped, AttemptEnd::kThrough)));
  EXPECT_FALSE(KeepsItsWord(Worktree(AttemptEnd::kThrough, AttemptEnd::kStopped)));
  EXPECT_FALSE(KeepsItsWord(Worktree(AttemptEnd::kFailed, AttemptEnd::kStopped)));
  EXPECT_TRUE(KeepsItsWord(NoContainer()));
}

TEST(IsolationDoctor, TheTableSaysWhatHeldAndWhatIsMissing) {
  const std::string shown =
      ShowFindings({Worktree(AttemptEnd::kThrough, AttemptEnd::kThrough), NoContainer()}, false);
  EXPECT_EQ(shown,
            "a task's commands cannot        worktree   container  \n"
            "write outside of the workspace  NO         not here   \n"
            "read files of other tasks       -          not here   \n"
            "read the bot's memory           -          not here   \n"
            "reach the network               -          not here   \n"
            "reach the bot's ports           -          not here   \n"
            "outlive the task                -          not here   \n"
            "exceed the memory limit         -          not here   \n"
            "exceed the process limit        -          not here   \n"
            "exceed the disk limit           -          not here   \n"
            "\nyes: tried, and stopped; of limits, by what; -: not promised at this level; NO: "
            "promised, and not kept\n"
            "container: podman is not installed; apt install podman\n"
            "\n  worktree   NO  write a file beside the workspace: got through\n");
}

TEST(IsolationDoctor, OfALimitTheTableSaysWhoKeepsIt) {
  const Attempt take{"take-memory", "take more memory", Guarantee::kMemoryLimit};
  LevelFindings level{IsolationLevel::kWorktree, {true, "", {Guarantee::kMemoryLimit}}, {}};
  level.attempts = {{&take, {AttemptEnd::kStopped, ""}}};
  level.keepers = {{Guarantee::kMemoryLimit, "counting"}, {Guarantee::kDiskLimit, "counting"}};
  const std::string kept = ShowFindings({level}, false);
  EXPECT_NE(kept.find("exceed the memory limit         counting   \n"), std::string::npos) << kept;
  EXPECT_NE(kept.find("exceed the disk limit           -          \n"), std::string::npos) << kept;
  level.attempts[0].second.end = AttemptEnd::kThrough;
  const std::string broken = ShowFindings({level}, false);
  EXPECT_NE(broken.find("exceed the memory limit         NO         \n"), std::string::npos);
}

TEST(IsolationDoctor, AllAttemptsAreListedOnRequest) {
  const std::string shown =
      ShowFindings({Worktree(AttemptEnd::kStopped, AttemptEnd::kThrough)}, true);
  EXPECT_NE(shown.find("write a file beside the workspace: stopped\n"), std::string::npos);
  EXPECT_NE(shown.find("    read a file of another task: got through\n"), std::string::npos);
  EXPECT_EQ(shown.find("   NO "), std::string::npos);
}

}  // namespace
}  // namespace swage
