// Mirrors and worktrees over a real repository: what pipeline/workspace/workspace.h promises.
#include "pipeline/workspace/workspace.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>

#include "tests/conformance/provisioned_test.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_P(ProvisionedTest, FetchClonesThenFollowsTheRemote) {
  EXPECT_EQ(Fetch(), base_);
  EXPECT_EQ(workspaces_->ReadCommitted(repo_, base_, "README.md").value(), "one\ntwo\nthree\n");
  Write(Seed() / "README.md", "changed\n");
  const CommitSha second = CommitSeed("second");
  EXPECT_EQ(Fetch(), second);
  EXPECT_EQ(workspaces_->ReadCommitted(repo_, second, "README.md").value(), "changed\n");
}

TEST_P(ProvisionedTest, FetchSaysWhichBranchIsMissing) {
  const auto missing = workspaces_->Fetch(repo_, Remote(), "nowhere", {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("nowhere"));
  GitRemote gone = Remote();
  gone.url += "-gone";
  EXPECT_EQ(workspaces_->Fetch(repo_, gone, "main", {}).error().code, ErrorCode::kNotFound);
}

TEST_P(ProvisionedTest, FetchFollowsBranchesThatGoAndChangePlaces) {
  Git(Seed(), {"push", "--quiet", "origin", "HEAD:refs/heads/topic"});
  EXPECT_EQ(Fetch("topic"), base_);
  Git(Seed(), {"push", "--quiet", "origin", ":topic"});
  Git(Seed(), {"push", "--quiet", "origin", "HEAD:refs/heads/topic/sub"});
  EXPECT_EQ(Fetch("topic/sub"), base_);
  EXPECT_EQ(workspaces_->Fetch(repo_, Remote(), "topic", {}).error().code, ErrorCode::kNotFound);
}

TEST_P(ProvisionedTest, FetchAfterAKilledFetchStillWorks) {
  Fetch();
  Write(MirrorDir() / "refs/remotes/origin/main.lock", "");
  Write(MirrorDir() / "packed-refs.lock", "");
  Write(MirrorDir() / "objects/pack/tmp_pack_abc", "half");
  Write(Seed() / "README.md", "changed\n");
  const CommitSha second = CommitSeed("second");
  EXPECT_EQ(Fetch(), second);
  EXPECT_FALSE(fs::exists(MirrorDir() / "objects/pack/tmp_pack_abc"));
}

// As a power cut leaves them: objects are not synced one by one.
TEST_F(WorkspaceTest, Fault_X2_FetchGetsPastTaskBranchesWhoseCommitsAreLost) {
  Fetch();
  const Path heads = MirrorDir() / "refs" / "heads" / "swage";
  Write(heads / "1-lost", std::string(40, 'a') + "\n");
  Write(heads / "2-torn", std::string(41, '\0'));
  Write(heads / "3-empty", "");
  Write(heads / "4-good", base_.value + "\n");
  Write(Seed() / "more.txt", "more\n");
  const CommitSha second = CommitSeed("second");
  EXPECT_EQ(Fetch(), second);
  EXPECT_FALSE(std::filesystem::exists(heads / "1-lost"));
  EXPECT_EQ(Read(heads / "4-good"), base_.value + "\n");
}

// X1: killed while a checkpoint's branch was written.
TEST_P(ProvisionedTest, ABranchLockOfADeadProcessDoesNotStay) {
  (void)FetchAndProvision()->Release().ok();
  const fs::path lock = MirrorDir() / "refs/heads/swage/issue-1.lock";
  Write(lock, "half");
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "new", "x");
  const Snapshot snapshot = Take(*workspace);
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "refs/heads/swage/issue-1"}), snapshot.commit.value);
  EXPECT_FALSE(fs::exists(lock));
}

TEST_P(ProvisionedTest, AFetchNeverMovesATaskBranch) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "new", "x");
  const Snapshot snapshot = Take(*workspace);
  // A branch of the same name on the forge, elsewhere.
  Git(Seed(), {"push", "--quiet", "origin", "HEAD:refs/heads/swage/issue-1"});
  Fetch();
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "refs/heads/swage/issue-1"}), snapshot.commit.value);
}

TEST_P(ProvisionedTest, ReadsOnlyRegularCommittedFiles) {
  Fetch();
  const auto code = [&](std::string_view path) {
    const auto read = workspaces_->ReadCommitted(repo_, base_, path);
    return read.ok() ? ErrorCode::kInternal : read.error().code;
  };
  EXPECT_EQ(code("absent"), ErrorCode::kNotFound);
  EXPECT_EQ(code("src"), ErrorCode::kInvalid);
  EXPECT_EQ(code("link"), ErrorCode::kInvalid);
  EXPECT_EQ(code("../HEAD"), ErrorCode::kNotFound);
  EXPECT_EQ(workspaces_->ReadCommitted(repo_, {std::string(40, '1')}, "x").error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(workspaces_->ReadCommitted({"local", "8", "ann/other"}, base_, "x").error().code,
            ErrorCode::kNotFound);
}

TEST_P(ProvisionedTest, ProvisionGivesTheFilesAndAWorkingGit) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  EXPECT_EQ(Read(root / "src/main.c"), "int main(void) { return 0; }\n");
  EXPECT_NE(fs::status(root / "run.sh").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(fs::read_symlink(root / "link"), "README.md");
  EXPECT_TRUE(fs::is_directory(workspace->HandOffDir()));

  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");
  EXPECT_EQ(Git(root, {"branch", "--show-current"}), "swage/issue-1");
  EXPECT_EQ(Git(root, {"log", "--format=%s"}), "first");
  Write(root / "README.md", "one\n2\nthree\n");
  EXPECT_THAT(Git(root, {"diff"}), HasSubstr("+2"));
  EXPECT_EQ(Git(root, {"commit", "--quiet", "-am", "the agent's own"}), "");
  EXPECT_EQ(Git(root, {"log", "--format=%s"}), "the agent's own\nfirst");
}

TEST_P(ProvisionedTest, CommandsSeeTheirOwnEnvironmentOnly) {
  Fetch();
  ProvisionRequest request = Request();
  request.extra_env = {{"SWAGE_TASK", "1"}};
  request.extra_path = {"/opt/tools"};
  auto workspace = Provision(request);
  const auto& env = workspace->Commands().env;
  std::vector<std::string> names;
  for (const auto& [name, value] : env) names.push_back(name);
  EXPECT_THAT(names,
              ElementsAre("GIT_AUTHOR_EMAIL", "GIT_AUTHOR_NAME", "GIT_CEILING_DIRECTORIES",
                          "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_NAME", "GIT_CONFIG_NOSYSTEM",
                          "GIT_TERMINAL_PROMPT", "HOME", "LANG", "PATH", "SWAGE_TASK", "TMPDIR"));
  EXPECT_EQ(env.at("PATH"), "/opt/tools:/usr/local/bin:/usr/bin:/bin");
  EXPECT_TRUE(fs::is_directory(env.at("HOME")));
  EXPECT_TRUE(fs::is_directory(env.at("TMPDIR")));
  EXPECT_EQ(workspace->Commands().workspace, workspace->Root());
}

TEST_P(ProvisionedTest, ProvisionRefusesUnknownCommitsAndLeavesNothing) {
  Fetch();
  ProvisionRequest request = Request();
  request.start = CommitSha{std::string(40, '1')};
  const auto made = workspaces_->Provision(request, {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(fs::is_empty(Data() / "workspaces"));
  EXPECT_TRUE(fs::is_empty(MirrorDir() / "worktrees"));
}

TEST_P(ProvisionedTest, SnapshotTakesEveryKindOfChangeAsPlainGitDoes) {
  Write(Seed() / "dir/a", "a\n");
  Write(Seed() / "dir/b", "b\n");
  Write(Seed() / "todir", "x\n");
  Write(Seed() / "tolink/x", "x\n");
  Write(Seed() / "plain", "x\n");
  base_ = CommitSeed("more");
  auto workspace = FetchAndProvision();

  const auto change = [](const Path& root) {
    Write(root / "README.md", "one\ntwo and a half\nthree\n");
    fs::remove(root / "src/main.c");                      // deleted
    fs::rename(root / "run.sh", root / "r\xC3\xBCn.sh");  // renamed, unicode
    fs::permissions(root / "plain", fs::perms(0755));     // mode only
    fs::remove_all(root / "dir");
    Write(root / "dir", "a file now\n");  // directory -> file
    fs::remove(root / "todir");
    Write(root / "todir/deep/file", "x\n");  // file -> directory
    fs::remove_all(root / "tolink");
    fs::create_directory_symlink("todir/deep", root / "tolink");  // directory -> link
    fs::create_symlink("/etc/passwd", root / "absolute");
    Write(root / "Case", "1\n");
    Write(root / "case", "2\n");
    Write(root / "bytes", std::string("\0\xff\r\n", 4));
    Write(root / "new line\nname", "x\n");
    Write(root / "skipped.o", "ignored\n");
    Write(root / "build/out", "ignored\n");
  };
  change(workspace->Root());
  change(Seed());
  const Snapshot snapshot = Take(*workspace);
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_TRUE(snapshot.changed);
  Git(Seed(), {"add", "-A"});
  EXPECT_EQ(snapshot.tree.value, Git(Seed(), {"write-tree"}));
  EXPECT_EQ(Git(MirrorDir(), {"log", "-1", "--format=%an <%ae> %s %P", snapshot.commit.value}),
            "Swage <swage@localhost> checkpoint " + base_.value);
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "swage/issue-1"}), snapshot.commit.value);
}

TEST_P(ProvisionedTest, NothingChangedIsNoCommit) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "x.o", "ignored");
  Write(workspace->Root() / "README.md", "one\ntwo\nthree\n");  // rewritten, the same
  const Snapshot snapshot = Take(*workspace);
  EXPECT_FALSE(snapshot.changed);
  EXPECT_EQ(snapshot.commit, base_);
  EXPECT_EQ(snapshot.tree.value, Git(MirrorDir(), {"rev-parse", base_.value + "^{tree}"}));
}

TEST_P(ProvisionedTest, CheckpointsFollowEachOtherWhateverTheAgentCommits) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", "1");
  const Snapshot first = Take(*workspace);
  // The agent's git starts from the checkpoint, clean.
  EXPECT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
  EXPECT_EQ(Git(workspace->Root(), {"rev-parse", "HEAD"}), first.commit.value);
  Write(workspace->Root() / "b", "2");
  Git(workspace->Root(), {"checkout", "--quiet", "-b", "elsewhere"});
  Git(workspace->Root(), {"add", "b"});
  Git(workspace->Root(), {"commit", "--quiet", "-m", "mine"});
  const Snapshot second = Take(*workspace);
  EXPECT_TRUE(second.changed);
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", second.commit.value + "^"}), first.commit.value);
  EXPECT_EQ(Git(MirrorDir(), {"for-each-ref", "--format=%(refname)", "refs/heads"}),
            "refs/heads/swage/issue-1");
}

TEST_P(ProvisionedTest, ATaskBranchMovedBySomebodyElseIsAConflict) {
  auto workspace = FetchAndProvision();
  auto rival = Provision(Request());
  Write(rival->Root() / "theirs", "x");
  const Snapshot theirs = Take(*rival);
  Write(workspace->Root() / "ours", "x");
  const auto ours = workspace->TakeSnapshot("m", {"S", "s@l"}, warnings_);
  ASSERT_FALSE(ours.ok());
  EXPECT_EQ(ours.error().code, ErrorCode::kConflict) << ours.error().message;
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "swage/issue-1"}), theirs.commit.value);
}

TEST_P(ProvisionedTest, LargeFilesAreRefusedByNameUnlessIgnored) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "core.o", "");
  fs::resize_file(workspace->Root() / "core.o", (100 << 20) + 1);
  EXPECT_FALSE(Take(*workspace).changed);
  Write(workspace->Root() / "data/dump.bin", "");
  fs::resize_file(workspace->Root() / "data/dump.bin", (100 << 20) + 1);
  const auto refused = workspace->TakeSnapshot("m", {"S", "s@l"}, warnings_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(refused.error().message, HasSubstr("data/dump.bin"));
  fs::remove(workspace->Root() / "data/dump.bin");
  EXPECT_FALSE(Take(*workspace).changed);
}

TEST_P(ProvisionedTest, UnreadableFilesAndDirectoriesAreTakenAllTheSame) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "shut/file", "x");
  fs::permissions(workspace->Root() / "shut/file", fs::perms::none);
  fs::permissions(workspace->Root() / "shut", fs::perms::none);
  const Snapshot snapshot = Take(*workspace);
  EXPECT_THAT(Files(snapshot.commit), ::testing::Contains("100644 shut/file"));
}

TEST_P(ProvisionedTest, PipesAndSocketsAreRemovedWithAWarning) {
  auto workspace = FetchAndProvision();
  fs::remove(workspace->Root() / "README.md");
  ASSERT_EQ(mkfifo((workspace->Root() / "README.md").c_str(), 0600), 0);
  const Snapshot snapshot = Take(*workspace);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("README.md")));
  EXPECT_THAT(Files(snapshot.commit), ::testing::Not(::testing::Contains("100644 README.md")));
}

TEST_P(ProvisionedTest, DiffShowsTheLinesThatAForgeShows) {
  std::string text;
  for (int i = 1; i <= 40; ++i) text += "line " + std::to_string(i) + "\n";
  Write(Seed() / "long", text);
  Write(Seed() / "moved-from", "keep\nthis\ncontent\nas it is\n");
  base_ = CommitSeed("long");
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Write(root / "long",
        ReplaceAll(ReplaceAll(text, "line 10\n", "ten\nand more\n"), "line 30\n", ""));
  fs::rename(root / "moved-from", root / "moved-to");
  fs::remove(root / "run.sh");
  Write(root / "image", std::string("\x89PNG\0\0\1", 7));
  Write(root / "fresh", "1\n2\n");
  fs::remove(root / "link");
  Write(root / "link", "a file now\n");
  const Snapshot snapshot = Take(*workspace);
  const DiffSummary diff = workspace->DiffFromBase(snapshot.commit).value();
  const auto file = [&](const std::string& path) {
    for (const FileDiff& f : diff.files) {
      if (f.path == path) return f;
    }
    ADD_FAILURE() << path;
    return FileDiff{};
  };
  EXPECT_EQ(diff.files.size(), 6u);
  const FileDiff longer = file("long");
  EXPECT_EQ(longer.change, 'M');
  EXPECT_EQ(longer.added, 2);
  EXPECT_EQ(longer.removed, 2);
  ASSERT_EQ(longer.hunks.size(), 2u);
  EXPECT_EQ(longer.hunks[0].first_line, 7);
  EXPECT_EQ(longer.hunks[0].line_count, 8);
  EXPECT_EQ(longer.hunks[1].first_line, 28);
  EXPECT_EQ(longer.hunks[1].line_count, 6);
  EXPECT_EQ(file("moved-to").change, 'R');
  EXPECT_EQ(file("moved-to").old_path, "moved-from");
  EXPECT_EQ(file("run.sh").change, 'D');
  EXPECT_THAT(file("run.sh").hunks, IsEmpty());
  EXPECT_TRUE(file("image").binary);
  EXPECT_EQ(file("fresh").change, 'A');
  ASSERT_EQ(file("fresh").hunks.size(), 1u);
  EXPECT_EQ(file("fresh").hunks[0].first_line, 1);
  EXPECT_EQ(file("fresh").hunks[0].line_count, 2);
  EXPECT_EQ(file("link").change, 'M');
  EXPECT_TRUE(workspace->DiffFromBase(base_).value().Empty());
}

TEST_P(ProvisionedTest, RestorePutsTrackedFilesBackAndKeepsWhatABuildLeft) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Write(root / "README.md", "changed\n");
  const CommitSha commit = Take(*workspace).commit;
  Write(root / "README.md", "formatted\n");
  fs::remove(root / "run.sh");
  Write(root / "out/result", "built");
  ASSERT_TRUE(workspace->Restore(commit).ok());
  EXPECT_EQ(Read(root / "README.md"), "changed\n");
  EXPECT_TRUE(fs::exists(root / "run.sh"));
  EXPECT_TRUE(fs::exists(root / "out/result"));
}

TEST_P(ProvisionedTest, ResetPutsTheFilesBackAndKeepsIgnoredOnes) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Write(root / "README.md", "changed\n");
  Take(*workspace);
  Write(root / "stray/deep/file", "x");
  Write(root / "stray/.git/HEAD", "ref: refs/heads/x\n");
  Write(root / "cache.o", "ignored");
  fs::remove(root / "run.sh");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  EXPECT_EQ(Read(root / "README.md"), "one\ntwo\nthree\n");
  EXPECT_TRUE(fs::exists(root / "run.sh"));
  EXPECT_FALSE(fs::exists(root / "stray"));
  EXPECT_TRUE(fs::exists(root / "cache.o"));
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");
  EXPECT_FALSE(Take(*workspace).changed);
}

TEST_P(ProvisionedTest, ReleaseRemovesEverythingButTheBranch) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "locked/dir/file", "x");
  const Snapshot snapshot = Take(*workspace);
  fs::permissions(workspace->Root() / "locked/dir", fs::perms::none);
  fs::permissions(workspace->Root() / "locked", fs::perms::owner_read);
  ASSERT_TRUE(workspace->Release().ok());
  EXPECT_TRUE(fs::is_empty(Data() / "workspaces"));
  EXPECT_TRUE(fs::is_empty(MirrorDir() / "worktrees"));
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "swage/issue-1"}), snapshot.commit.value);
  EXPECT_TRUE(workspace->Release().ok()) << "twice is harmless";
}

TEST_P(ProvisionedTest, ATaskResumesFromItsCheckpointInANewProcess) {
  Snapshot snapshot;
  {
    auto workspace = FetchAndProvision();
    Write(workspace->Root() / "work", "half done\n");
    snapshot = Take(*workspace);
    Write(workspace->Root() / "lost", "after the checkpoint\n");
  }
  workspaces_ = NewWorkspaces();
  ProvisionRequest request = Request();
  request.start = snapshot.commit;
  auto resumed = Provision(request);
  EXPECT_EQ(Read(resumed->Root() / "work"), "half done\n");
  EXPECT_FALSE(fs::exists(resumed->Root() / "lost"));
  Write(resumed->Root() / "work", "done\n");
  const Snapshot next = Take(*resumed);
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", next.commit.value + "^"}), snapshot.commit.value);
  EXPECT_EQ(resumed->DiffFromBase(next.commit).value().files.size(), 1u);
}

TEST_P(ProvisionedTest, SweepRemovesOrphansAndNothingElse) {
  Fetch();
  const std::string orphan = Provision(Request(1))->Root().parent_path().filename();
  const std::string resumed = Provision(Request(2))->Root().parent_path().filename();
  Write(Data() / "workspaces/notes/file", "not ours");
  workspaces_ = NewWorkspaces();  // a new process: nothing is open
  auto open = Provision(Request(3));
  const auto removed = workspaces_->SweepOrphans({TaskId{2}});
  ASSERT_TRUE(removed.ok());
  EXPECT_THAT(*removed, ElementsAre(orphan));
  EXPECT_TRUE(fs::exists(open->Root())) << "in use, although not in the list";
  EXPECT_TRUE(fs::exists(Data() / "workspaces" / resumed));
  EXPECT_TRUE(fs::exists(Data() / "workspaces/notes/file"));
  EXPECT_FALSE(fs::exists(MirrorDir() / "worktrees" / orphan));
  EXPECT_TRUE(fs::exists(MirrorDir() / "worktrees" / resumed));

  auto again = Provision(Request(2));  // the task runs again: its old workspace is of no use
  EXPECT_THAT(workspaces_->SweepOrphans({TaskId{2}}).value(), ElementsAre(resumed));
  EXPECT_TRUE(fs::exists(again->Root()));
}

TEST_P(ProvisionedTest, TwoTasksOnOneRepositoryDoNotSeeEachOther) {
  Fetch();
  constexpr int kTasks = 4;
  std::vector<std::vector<std::string>> files(kTasks);
  {
    std::vector<std::jthread> threads;
    for (int task = 0; task < kTasks; ++task) {
      threads.emplace_back([&, task] {
        auto workspace = workspaces_->Provision(Request(task), {});
        ASSERT_TRUE(workspace.ok()) << workspace.error().message;
        for (int round = 0; round < 5; ++round) {
          Write((*workspace)->Root() / ("task-" + std::to_string(task)), std::to_string(round));
          std::vector<std::string> warnings;
          const auto taken = (*workspace)->TakeSnapshot("m", {"S", "s@l"}, warnings);
          ASSERT_TRUE(taken.ok()) << taken.error().message;
          ASSERT_TRUE(taken->changed);
          const DiffSummary diff = (*workspace)->DiffFromBase(taken->commit).value();
          for (const FileDiff& f : diff.files) {
            files[task].push_back(f.path);
          }
        }
        EXPECT_TRUE((*workspace)->Release().ok());
      });
    }
  }
  for (int task = 0; task < kTasks; ++task) {
    EXPECT_EQ(files[task], std::vector<std::string>(5, "task-" + std::to_string(task)));
  }
  EXPECT_TRUE(TryGit(MirrorDir(), {"fsck", "--strict", "--no-dangling"}).ok());
}

TEST_P(ProvisionedTest, PushMovesOnlyWhatItExpects) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", "1");
  const CommitSha first = Take(*workspace).commit;
  const std::string branch = "swage/issue-1";
  const auto remote_head = [&] { return Git(Origin(), {"rev-parse", "refs/heads/" + branch}); };

  ASSERT_TRUE(Push(branch, first, {}).ok());
  EXPECT_EQ(remote_head(), first.value);
  EXPECT_TRUE(Push(branch, first, {}).ok()) << "already there, lost answer";
  EXPECT_TRUE(Push(branch, first, first).ok());

  Write(workspace->Root() / "a", "2");
  const CommitSha second = Take(*workspace).commit;
  EXPECT_EQ(Push(branch, second, {}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(Push(branch, second, base_).error().code, ErrorCode::kConflict);
  EXPECT_EQ(remote_head(), first.value);
  ASSERT_TRUE(Push(branch, second, first).ok());
  EXPECT_EQ(remote_head(), second.value);

  ASSERT_TRUE(workspace->Reset(base_).ok());  // history rewritten: not a fast-forward
  Write(workspace->Root() / "a", "3");
  const CommitSha third = Take(*workspace).commit;
  ASSERT_TRUE(Push(branch, third, second).ok());
  EXPECT_EQ(remote_head(), third.value);
  EXPECT_EQ(Git(Origin(), {"for-each-ref", "--format=%(refname)"}),
            "refs/heads/main\nrefs/heads/" + branch);
}

TEST_P(ProvisionedTest, APushThatAHookDeclinesIsDenied) {
  Fetch();
  Write(Path(Origin()) / "hooks/pre-receive", "#!/bin/sh\necho no entry >&2\nexit 1\n");
  fs::permissions(Path(Origin()) / "hooks/pre-receive", fs::perms(0755));
  const auto pushed = Push("swage/issue-1", base_, {});
  ASSERT_FALSE(pushed.ok());
  EXPECT_EQ(pushed.error().code, ErrorCode::kDenied) << pushed.error().message;
}

TEST_P(ProvisionedTest, StopEndsAFetch) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(workspaces_->Fetch(repo_, Remote(), "main", stop.get_token()).error().code,
            ErrorCode::kCancelled);
}

TEST_P(ProvisionedTest, ChangedMirrorConfigurationIsPutBackAndReported) {
  auto workspace = FetchAndProvision();
  const std::string before = Read(MirrorDir() / "config");
  Git(MirrorDir(), {"config", "core.fsmonitor", "touch /tmp/never"});
  Write(MirrorDir() / "info/attributes", "* filter=x\n");
  Write(workspace->Root() / "a", "1");
  Take(*workspace);
  EXPECT_THAT(warnings_,
              UnorderedElementsAre(HasSubstr("configuration"), HasSubstr("info/attributes")));
  EXPECT_EQ(Read(MirrorDir() / "config"), before);
}

TEST_P(ProvisionedTest, CheckGitAcceptsTheInstalledOneAndRefusesOldOrMissingOnes) {
  EXPECT_TRUE(workspaces_->CheckGit().ok());
  const Path stub = dir_.path() / "old-git";
  Write(stub, "#!/bin/sh\necho git version 2.17.1\n");
  fs::permissions(stub, fs::perms(0755));
  const auto old = MakeWorktreeWorkspaces(Data(), *runner_, {stub, false})->CheckGit();
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(old.error().message, HasSubstr("2.17.1"));
  const auto none = MakeWorktreeWorkspaces(Data(), *runner_, {"no-such-git", false})->CheckGit();
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("install git"));
}

INSTANTIATE_TEST_SUITE_P(Each, ProvisionedTest, ::testing::ValuesIn(kProvisionWays), NameOfWay);

}  // namespace
}  // namespace swage
