// What `.worktreeinclude` brings into a workspace, what is put back behind a task's commands, and
// when work counts as merged.
#include "pipeline/workspace/include.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/workspace/merged.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class IncludeTest : public WorkspaceTest {
 protected:
  std::unique_ptr<Workspace> ProvisionWith(std::string patterns) {
    Fetch();
    ProvisionRequest request = Request();
    request.include = IncludeSpec{dir_.path() / "files", std::move(patterns)};
    auto made = workspaces_->Provision(request, {});
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? *std::move(made) : nullptr;
  }
  void Offer(const std::string& name, std::string_view bytes = "offered") {
    Write(dir_.path() / "files" / name, bytes);
  }
  Snapshot Take(Workspace& workspace) {
    std::vector<std::string> warnings;
    auto taken = workspace.TakeSnapshot("work", {"Swage", "s@x"}, warnings);
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    return taken.ok() ? *taken : Snapshot{};
  }
};

TEST_F(IncludeTest, CopiesWhatIsNamedAndIgnored) {
  Offer("a.o");
  Offer("build/deep/cache.bin");
  Offer("README.md");
  Offer("named-only.txt");
  Offer("ignored-only.o.o");
  const auto workspace = ProvisionWith("a.o\n/build/\nREADME.md\nnamed-only.txt\n");
  ASSERT_NE(workspace, nullptr);
  EXPECT_EQ(Read(workspace->Root() / "a.o"), "offered");
  EXPECT_EQ(Read(workspace->Root() / "build/deep/cache.bin"), "offered");
  EXPECT_EQ(Read(workspace->Root() / "README.md"), "one\ntwo\nthree\n") << "tracked files stay";
  EXPECT_FALSE(fs::exists(workspace->Root() / "named-only.txt")) << "git would take it";
  EXPECT_FALSE(fs::exists(workspace->Root() / "ignored-only.o.o")) << "nobody asked for it";
}

TEST_F(IncludeTest, UnderstandsPatternsAsGitDoes) {
  Offer("keep.o");
  Offer("drop.o");
  Offer("sub/keep.o");
  const auto workspace = ProvisionWith("# comment\n\n*.o\n!drop.o\n!/sub/\n");
  ASSERT_NE(workspace, nullptr);
  EXPECT_TRUE(fs::exists(workspace->Root() / "keep.o"));
  EXPECT_FALSE(fs::exists(workspace->Root() / "drop.o"));
}

TEST_F(IncludeTest, NoSnapshotTakesThemWhateverIsIgnored) {
  Offer("secret.o");
  const auto workspace = ProvisionWith("*.o\n");
  ASSERT_NE(workspace, nullptr);
  Write(workspace->Root() / ".gitignore", "");
  Write(workspace->Root() / "own.o", "the agent's");
  const Snapshot first = Take(*workspace);
  Write(workspace->Root() / "secret.o", "changed");
  Write(workspace->Root() / "more.txt", "x");
  const Snapshot second = Take(*workspace);
  for (const CommitSha& commit : {first.commit, second.commit}) {
    EXPECT_FALSE(workspaces_->ReadCommitted(repo_, commit, "secret.o").ok());
    EXPECT_TRUE(workspaces_->ReadCommitted(repo_, commit, "own.o").ok());
  }
  EXPECT_EQ(Read(workspace->Root() / "secret.o"), "changed");
}

TEST_F(IncludeTest, NeverFollowsALinkOnEitherSide) {
  Write(dir_.path() / "outside/x.o", "outside");
  Offer("fine.o");
  fs::create_symlink(dir_.path() / "outside/x.o", dir_.path() / "files/link.o");
  fs::create_directory_symlink(dir_.path() / "outside", dir_.path() / "files/dir");
  Offer("trap/x.o");
  fs::create_directory_symlink(dir_.path() / "outside", Seed() / "trap");
  base_ = CommitSeed("a link where the folder would be");
  const auto workspace = ProvisionWith("*.o\n");
  ASSERT_NE(workspace, nullptr);
  EXPECT_TRUE(fs::exists(workspace->Root() / "fine.o"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(workspace->Root() / "link.o")));
  EXPECT_FALSE(fs::exists(fs::symlink_status(workspace->Root() / "dir")));
  EXPECT_EQ(Read(dir_.path() / "outside/x.o"), "outside") << "nothing was written through it";
}

TEST_F(IncludeTest, AFolderThatIsNotThereIsNamed) {
  Fetch();
  ProvisionRequest request = Request();
  request.include = IncludeSpec{dir_.path() / "nothing", "*.o\n"};
  const auto made = workspaces_->Provision(request, {});
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, HasSubstr("workspaces.include names"));
  EXPECT_TRUE(fs::is_empty(Data() / "workspaces"));
}

// C12: what a command does to the bot's side is put back and told, also after the last snapshot.
TEST_F(IncludeTest, WhatTheLastCommandLeakedIsPutBackAndTold) {
  Fetch();
  const auto workspace = std::move(workspaces_->Provision(Request(), {})).value();
  EXPECT_THAT(workspace->TakeRepairs(), IsEmpty());
  Git(MirrorDir(), {"--git-dir=.", "config", "core.worktree", "/tmp"});
  for (const char* leak : {"config.worktree", "commondir", "hooks/post-checkout",
                           "refs/replace/0123456789012345678901234567890123456789"}) {
    Write(MirrorDir() / leak, "x");
  }
  Write(MirrorDir() / "HEAD", "ref: refs/heads/main\n");
  const auto repairs = workspace->TakeRepairs();
  EXPECT_THAT(repairs, Contains(HasSubstr("git configuration had been changed")));
  EXPECT_THAT(repairs, Contains(HasSubstr("HEAD had been changed")));
  for (const char* leak : {"config.worktree", "commondir", "hooks", "refs/replace"}) {
    EXPECT_THAT(repairs, Contains(HasSubstr(std::string("put ") + leak))) << leak;
    EXPECT_FALSE(fs::exists(MirrorDir() / leak));
  }
  EXPECT_THAT(workspace->TakeRepairs(), IsEmpty()) << "told once";
}

class MergedTest : public IncludeTest {
 protected:
  // The task's work: two commits on top of the base.
  void SetUp() override {
    Fetch();
    const auto workspace = std::move(workspaces_->Provision(Request(), {})).value();
    Write(workspace->Root() / "feature.txt", "one\n");
    Take(*workspace);
    Write(workspace->Root() / "feature.txt", "one\ntwo\n");
    Write(workspace->Root() / "README.md", "one\n2\nthree\n");
    head_ = Take(*workspace).commit;
  }
  bool IsMerged() {
    const auto merged = IsMergedInto(MirrorDir(), head_, Fetch());
    EXPECT_TRUE(merged.ok()) << merged.error().message;
    return merged.ok() && *merged;
  }
  void BringHead() { Git(Seed(), {"fetch", "--quiet", MirrorDir().string(), head_.value}); }

  CommitSha head_;
};

TEST_F(MergedTest, NotBeforeItIs) {
  EXPECT_FALSE(IsMerged());
  Write(Seed() / "other.txt", "x");
  CommitSeed("something else");
  EXPECT_FALSE(IsMerged());
}

TEST_F(MergedTest, AsItIs) {
  BringHead();
  Git(Seed(), {"merge", "--quiet", "--no-ff", "-m", "merge", "FETCH_HEAD"});
  Git(Seed(), {"push", "--quiet", "origin", "HEAD"});
  EXPECT_TRUE(IsMerged());
}

TEST_F(MergedTest, Squashed) {
  Write(Seed() / "before.txt", "x");
  CommitSeed("the base moved on");
  BringHead();
  Git(Seed(), {"merge", "--quiet", "--squash", "FETCH_HEAD"});
  CommitSeed("squashed");
  EXPECT_TRUE(IsMerged());
}

TEST_F(MergedTest, SquashedAndChangedAgainAfterwards) {
  BringHead();
  Git(Seed(), {"merge", "--quiet", "--squash", "FETCH_HEAD"});
  CommitSeed("squashed");
  Write(Seed() / "feature.txt", "rewritten\n");
  Write(Seed() / "README.md", "all new\n");
  CommitSeed("somebody went on");
  EXPECT_TRUE(IsMerged());
}

TEST_F(MergedTest, ABranchIsForgottenOnlyWhenItsWorkIsSomewhereElse) {
  const auto forget = [&](const CommitSha& pushed) {
    return workspaces_->ForgetBranch(repo_, Request().branch, "main", pushed).value();
  };
  const auto branches = [&] { return Git(MirrorDir(), {"--git-dir=.", "branch", "--list"}); };
  EXPECT_FALSE(forget(base_)) << "what was pushed is older";
  EXPECT_THAT(branches(), HasSubstr(Request().branch));
  EXPECT_TRUE(forget(head_));
  EXPECT_FALSE(forget(head_)) << "it is gone already";
  EXPECT_THAT(branches(), IsEmpty());
  EXPECT_TRUE(workspaces_->HasCommit(repo_, head_)) << "for whoever takes the task up again";
}

TEST_F(MergedTest, ASquashedBranchIsForgotten) {
  BringHead();
  Git(Seed(), {"merge", "--quiet", "--squash", "FETCH_HEAD"});
  CommitSeed("squashed");
  Fetch();
  EXPECT_TRUE(workspaces_->ForgetBranch(repo_, Request().branch, "main", base_).value());
}

TEST_F(MergedTest, NotWhenOnlyPartOfItWas) {
  Write(Seed() / "feature.txt", "one\n");
  CommitSeed("the first half");
  EXPECT_FALSE(IsMerged());
}

}  // namespace
}  // namespace swage
