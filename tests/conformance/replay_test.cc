// Workspaces::Replay: a branch's commits on another base, beside what git itself would make of
// them.
#include <gmock/gmock.h>

#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReplayTest : public WorkspaceTest {
 protected:
  /// The branch of a task with these commits, one file each.
  struct Change {
    std::string path, text, message;
  };
  CommitSha Work(const std::vector<Change>& changes) {
    auto workspace = FetchAndProvision();
    CommitSha head = base_;
    for (const Change& change : changes) {
      Write(workspace->Root() / change.path, change.text);
      const auto taken =
          workspace->TakeSnapshot(change.message, {"Swage", "swage@localhost"}, warnings_);
      EXPECT_TRUE(taken.ok());
      if (taken.ok()) head = taken->commit;
    }
    return head;
  }
  CommitSha MoveMain(const std::string& path, const std::string& text) {
    Write(Seed() / path, text);
    CommitSeed("main moves on");
    return Fetch();
  }
  Replayed Replay(const CommitSha& head, const CommitSha& onto) {
    auto replayed = workspaces_->Replay(repo_, base_, head, onto);
    EXPECT_TRUE(replayed.ok()) << replayed.error().message;
    return replayed.ok() ? *std::move(replayed) : Replayed{};
  }
  std::string Show(const CommitSha& commit, const std::string& path) {
    return Git(MirrorDir(), {"show", commit.value + ":" + path});
  }
  std::string Log(const CommitSha& from, const CommitSha& to, const std::string& format) {
    return Git(MirrorDir(),
               {"log", "--reverse", "--format=" + format, from.value + ".." + to.value});
  }
};

TEST_F(ReplayTest, PutsEachCommitOntoTheNewBase) {
  const CommitSha head =
      Work({{"a.txt", "a\n", "First\n\nBecause."}, {"README.md", "one\ntwo\nthree!\n", "Second"}});
  const CommitSha tip = MoveMain("src/other.c", "int x;\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_THAT(replayed.left_out, IsEmpty());
  EXPECT_EQ(Log(tip, replayed.head, "%s by %an <%ae>"),
            "First by Swage <swage@localhost>\nSecond by Swage <swage@localhost>");
  EXPECT_EQ(Git(MirrorDir(), {"log", "-1", "--format=%b", replayed.head.value + "~1"}), "Because.");
  EXPECT_EQ(Show(replayed.head, "README.md"), "one\ntwo\nthree!");
  EXPECT_EQ(Show(replayed.head, "src/other.c"), "int x;");
  // As git says, too.
  Git(Seed(), {"fetch", "--quiet", MirrorDir().string(), head.value});
  Git(Seed(), {"checkout", "--quiet", "--detach", head.value});
  Git(Seed(), {"rebase", "--quiet", "--onto", tip.value, base_.value});
  EXPECT_EQ(Git(Seed(), {"rev-parse", "HEAD^{tree}"}),
            Git(MirrorDir(), {"rev-parse", replayed.head.value + "^{tree}"}));
}

TEST_F(ReplayTest, MergesChangesOfOneFile) {
  const CommitSha head = Work({{"README.md", "ONE\ntwo\nthree\n", "Top"}});
  const CommitSha tip = MoveMain("README.md", "one\ntwo\nthree\nfour\nfive\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_THAT(replayed.left_out, IsEmpty());
  EXPECT_EQ(Show(replayed.head, "README.md"), "ONE\ntwo\nthree\nfour\nfive");
}

TEST_F(ReplayTest, WhatIsThereAlreadyIsNotMadeAgain) {
  const CommitSha head = Work({{"a.txt", "a\n", "First"}, {"b.txt", "b\n", "Second"}});
  const CommitSha half = MoveMain("a.txt", "a\n");
  EXPECT_EQ(Log(half, Replay(head, half).head, "%s"), "Second");
  const CommitSha all = MoveMain("b.txt", "b\n");
  EXPECT_EQ(Replay(head, all).head, all);
}

TEST_F(ReplayTest, WhatDoesNotFitIsLeftOutAndNamed) {
  const CommitSha head = Work(
      {{"a.txt", "a\n", "First"}, {"README.md", "mine\n", "Second"}, {"b.txt", "b\n", "Third"}});
  const CommitSha tip = MoveMain("README.md", "theirs\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_THAT(replayed.left_out, ElementsAre("README.md"));
  EXPECT_EQ(Log(tip, replayed.head, "%s"), "Third") << "what fits is one commit";
  EXPECT_EQ(Show(replayed.head, "README.md"), "theirs");
  EXPECT_EQ(Show(replayed.head, "a.txt"), "a");
  EXPECT_EQ(Show(replayed.head, "b.txt"), "b");
}

TEST_F(ReplayTest, WhereNothingFitsTheNewBaseStaysAsItIs) {
  const CommitSha head = Work({{"README.md", "mine\n", "First"}});
  const CommitSha tip = MoveMain("README.md", "theirs\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_THAT(replayed.left_out, ElementsAre("README.md"));
  EXPECT_EQ(replayed.head, tip);
}

TEST_F(ReplayTest, AFileThatTheBaseRemovedStaysAway) {
  const CommitSha head = Work({{"README.md", "mine\n", "First"}, {"a.txt", "a\n", "Second"}});
  std::filesystem::remove(Seed() / "README.md");
  const CommitSha tip = MoveMain("src/other.c", "int x;\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_THAT(replayed.left_out, ElementsAre("README.md"));
  EXPECT_THAT(Files(replayed.head), testing::Not(testing::Contains(HasSubstr("README.md"))));
  EXPECT_EQ(Show(replayed.head, "a.txt"), "a");
}

TEST_F(ReplayTest, BinaryFilesAndBitsAndLinksComeAlong) {
  auto workspace = FetchAndProvision();
  const std::string bytes("\0\xff\r\n\x80", 5);
  Write(workspace->Root() / "data.bin", bytes);
  Write(workspace->Root() / "tool", "#!/bin/sh\n");
  std::filesystem::permissions(workspace->Root() / "tool", std::filesystem::perms(0755));
  std::filesystem::create_symlink("README.md", workspace->Root() / "ln");
  const CommitSha head = Take(*workspace).commit;
  const CommitSha tip = MoveMain("src/other.c", "int x;\n");
  const Replayed replayed = Replay(head, tip);
  EXPECT_EQ(Git(MirrorDir(), {"diff", "--raw", "--no-abbrev", base_.value, head.value}),
            Git(MirrorDir(), {"diff", "--raw", "--no-abbrev", tip.value, replayed.head.value}));
}

TEST_F(ReplayTest, NeedsItsCommits) {
  const CommitSha head = Work({{"a.txt", "a\n", "First"}});
  const CommitSha nowhere{std::string(40, 'a')};
  EXPECT_EQ(workspaces_->Replay(repo_, base_, head, nowhere).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(workspaces_->Replay(repo_, nowhere, head, base_).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace swage
