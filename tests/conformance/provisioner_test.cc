// What a workspace's files owe whichever way they come to be: nothing of a former task, git's own
// answers, and a base that no task can change for another.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <random>
#include <thread>

#include "pipeline/workspace/overlay_mount.h"
#include "tests/conformance/provisioned_test.h"
#include "tests/harness/as_user.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// As mv does: without root's rights an overlay cannot rename a directory of its base, and says so
// before it looks whether the other one is empty.
void Move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error != std::errc::cross_device_link) return;
  if (fs::is_directory(to, error) && !fs::is_empty(to, error)) return;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  fs::remove_all(from, error);
}

class Provisioners : public ProvisionedTest {
 protected:
  // TYPE MODE PATH and content of everything below a tree, its `.git` left out.
  std::string Everything(const Path& root) {
    ProcessSpec spec;
    spec.argv = {"sh", "-c",
                 "find . -path ./.git -prune -o -type f -printf '%y %m %n %p ' -exec md5sum {} ';' "
                 "-o -printf '%y %p %l\\n' | sort; getfattr -R -d . 2>/dev/null || true"};
    spec.env = {{"PATH", "/usr/bin:/bin"}};
    spec.cwd = root;
    auto listed = RunAndCapture(*runner_, spec);
    return listed.ok() ? *listed : listed.error().message;
  }
  // As the bot's own git sees the files.
  std::string BotsGit(const Workspace& workspace, std::vector<std::string> arguments) {
    const std::string name = workspace.Root().parent_path().filename();
    arguments.insert(arguments.begin(), {"--git-dir=" + (MirrorDir() / "worktrees" / name).string(),
                                         "--work-tree=" + workspace.Root().string()});
    return Git(workspace.Root(), std::move(arguments));
  }
  std::string BotsStatus(const Workspace& workspace) {
    return BotsGit(workspace, {"status", "--porcelain", "--", ".", ":!.git"});
  }
  std::string BotsFiles(const Workspace& workspace) {
    return BotsGit(workspace, {"ls-files", "-s"});
  }
  CommitSha CommitBeside(const std::string& file, const std::string& text) {
    Write(Seed() / file, text);
    const CommitSha commit = CommitSeed(file);
    Fetch();
    return commit;
  }
  // Names that meet those of the editor, ignored ones and a submodule among them.
  void CommitManyKinds() {
    for (const char* file : {"a", "dir/a", "dir/deep/b", "dir/deep/deep/a", "Dir/a", "b/keep.log",
                             "deep/a", "deep/b", "build2/x"}) {
      Write(Seed() / file, file);
    }
    Write(Seed() / "tracked.o", "tracked although ignored\n");
    Write(Seed() / ".gitattributes",
          "*.txt text eol=crlf\nkeep.log text\n*.bin filter=lfs -text\n");
    Write(Seed() / "win.txt", "crlf\r\n");
    Git(Seed(), {"add", "-f", "tracked.o"});
    Git(Seed(), {"update-index", "--add", "--cacheinfo", "160000," + base_.value + ",s"});
    fs::create_directory(Seed() / "s");
    base_ = CommitSeed("many");
  }
  ProvisionRequest RequestAt(std::int64_t task, const CommitSha& commit) {
    ProvisionRequest request = Request(task);
    request.base = request.start = commit;
    return request;
  }
};

TEST_P(Provisioners, NothingOfAFormerTaskRemains) {
  auto workspace = FetchAndProvision();
  EXPECT_EQ(Everything(workspace->Root()), Everything(Seed()));
}

TEST_P(Provisioners, GitSeesNoChangeAtTheStartAndEachChangeAfterwards) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");
  EXPECT_EQ(BotsStatus(*workspace), "");
  // At once, and of the same length: nothing but the content tells it apart.
  Write(root / "README.md", "one\ntwo\nTHREE\n");
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "M README.md");
  EXPECT_EQ(BotsStatus(*workspace), "M README.md");
  Write(root / "README.md", "one\ntwo\nthree\n");
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");
  Move(root / "src", root / "moved");
  EXPECT_THAT(Git(root, {"status", "--porcelain"}), HasSubstr("?? moved/"));
  Take(*workspace);
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");
}

TEST_P(Provisioners, TheIndexIsNotReadAnewForFilesThatNobodyChanged) {
  auto workspace = FetchAndProvision();
  const std::string before = Git(workspace->Root(), {"ls-files", "--debug"});
  Git(workspace->Root(), {"update-index", "--refresh"});
  EXPECT_EQ(Git(workspace->Root(), {"ls-files", "--debug"}), before);
}

// Every kind of change, in any order and number, over several checkpoints: plain git beside it on a
// clone says what is right.
class Editor {
 public:
  explicit Editor(unsigned seed) : random_(seed) {}

  /// The same acts on each root, whatever lies there.
  void Edit(const std::vector<fs::path>& roots) {
    const int act = Pick(14);
    const std::string name = Name(), other = Name(), text = std::to_string(Pick(1000)) + "\r\n";
    for (const fs::path& root : roots) {
      std::error_code ignored;
      Act(act, root / name, root / other, text, ignored);
    }
  }

 private:
  int Pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  std::string Name() {
    static const char* const kParts[] = {"a",        "b",          "dir",      "Dir", "x.o",
                                         "build",    "deep",       "keep.log", "*.c", ":(top)z",
                                         "new\nrow", "r\xC3\xBCn", "-f",       "s"};
    std::string name = kParts[Pick(14)];
    for (int depth = Pick(3); depth > 0; --depth) name += std::string("/") + kParts[Pick(14)];
    return name;
  }

  static void Put(const fs::path& file, const std::string& text) {
    std::error_code ignored;
    fs::create_directories(file.parent_path(), ignored);
    if (!ignored) std::ofstream(file, std::ios::binary) << text;
  }

  static void Act(int act, const fs::path& path, const fs::path& other, const std::string& text,
                  std::error_code& ignored) {
    switch (act) {
      case 0:
      case 1:
      case 2:
      case 3:
        return Put(path, text);
      case 4:
        fs::remove_all(path, ignored);
        return;
      case 5:
        fs::remove_all(path, ignored);
        return Put(path, text);
      case 6:
        fs::remove_all(path, ignored);
        return Put(path / "below", text);
      case 7:
        fs::remove_all(path, ignored);
        fs::create_directories(path.parent_path(), ignored);
        fs::create_symlink("dir", path, ignored);
        return;
      case 8:
      case 9:
      case 10:
        return Move(path, other);
      case 11:
        if (fs::is_regular_file(path, ignored) && !fs::is_symlink(path, ignored)) {
          fs::permissions(path, fs::perms(0755), ignored);
        }
        return;
      case 12:
        fs::create_directories(path, ignored);
        return;
      default:
        return Put(path.parent_path() / ".gitignore", "*.o\n!x.o\nb\n/dir/build/\n");
    }
  }

  std::mt19937 random_;
};

TEST_P(Provisioners, CheckpointsAreWhatGitAddWouldMakeOfTheFiles) {
  CommitManyKinds();
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Path clone = dir_.path() / ("clone-" + std::to_string(seed));
    Git(dir_.path(), {"clone", "--quiet", Origin(), clone});
    auto workspace = FetchAndProvision(seed);
    Editor editor(seed);
    for (int checkpoint = 0; checkpoint < 3; ++checkpoint) {
      for (int i = 0; i < 25; ++i) editor.Edit({workspace->Root(), clone});
      const Snapshot snapshot = Take(*workspace);
      Git(clone, {"add", "--all"});
      ASSERT_EQ(snapshot.tree.value, Git(clone, {"write-tree"}))
          << Git(MirrorDir(), {"ls-tree", "-r", snapshot.commit.value}) << "\n--- right is\n"
          << Git(clone, {"ls-files", "-s"});
      ASSERT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
    }
    ASSERT_TRUE(workspace->Reset(base_).ok());
    EXPECT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
    EXPECT_FALSE(Take(*workspace).changed);
    ASSERT_TRUE(workspace->Release().ok());
  }
}

// Of long paths, so that few files make it so: more than ReadFile takes by itself.
TEST_P(Provisioners, ACheckpointWorksHoweverLargeTheIndexIs) {
  constexpr std::size_t kFiles = 5'000, kPath = 3'500;
  std::string deep;
  while (deep.size() < kPath) deep += std::string(200, 'd') + "/";
  fs::create_directories(Seed() / deep);
  for (std::size_t i = 0; i < kFiles; ++i) {
    std::ofstream(Seed() / (deep + std::to_string(i))) << "x";
  }
  base_ = CommitSeed("deep");
  ASSERT_GT(fs::file_size(Seed() / ".git/index"), std::size_t{16} << 20);
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / deep / "7", "changed");
  Write(workspace->Root() / "new", "new");
  const Snapshot snapshot = Take(*workspace);
  Write(Seed() / deep / "7", "changed");
  Write(Seed() / "new", "new");
  Git(Seed(), {"add", "--all"});
  EXPECT_EQ(snapshot.tree.value, Git(Seed(), {"write-tree"}));
  ASSERT_TRUE(workspace->Release().ok());
}

// Back to the base and to each checkpoint, and on from there, in any order.
TEST_P(Provisioners, TheWayBackIsThatOfGitWhateverWasDone) {
  CommitManyKinds();
  for (unsigned seed = 101; seed <= 106; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Path clone = dir_.path() / ("clone-" + std::to_string(seed));
    Git(dir_.path(), {"clone", "--quiet", Origin(), clone});
    Git(clone, {"remote", "add", "mirror", MirrorDir()});
    auto workspace = FetchAndProvision(seed);
    Editor editor(seed);
    std::vector<CommitSha> commits = {base_};
    for (unsigned step = 0; step < 8; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      for (int i = 0; i < 12; ++i) editor.Edit({workspace->Root(), clone});
      if (step % 3 == 0) {
        const Snapshot snapshot = Take(*workspace);
        commits.push_back(snapshot.commit);
        Git(clone, {"add", "--all"});
        ASSERT_EQ(snapshot.tree.value, Git(clone, {"write-tree"}));
        continue;
      }
      const CommitSha to = commits[(seed + step) % commits.size()];
      Git(clone, {"fetch", "--quiet", "mirror", to.value});
      Git(clone, {"read-tree", "--reset", "-u", to.value});
      if (step % 3 == 1) {
        ASSERT_TRUE(workspace->Restore(to).ok());
      } else {
        ASSERT_TRUE(workspace->Reset(to).ok());
        Git(clone, {"clean", "--quiet", "-d", "--force"});
      }
      ASSERT_EQ(Everything(workspace->Root()), Everything(clone));
      EXPECT_EQ(BotsFiles(*workspace), Git(clone, {"ls-files", "-s"}));
    }
    ASSERT_TRUE(workspace->Release().ok());
  }
}

// Agents move directories all the time. Where the kernel cannot, the tool has to hear it: half a
// move would be worse.
TEST_P(Provisioners, DirectoriesCanBeMovedOrItIsToldThatTheyCannot) {
  CommitManyKinds();
  auto workspace = FetchAndProvision();
  const bool renames =
      way_ != ProvisionWay::kOverlay || ProbeOverlay(Data() / "bases").value().renames_directories;
  const auto moved = TryGit(workspace->Root(), {"mv", "dir", "dir2"});
  EXPECT_EQ(moved.ok(), renames);
  if (!moved.ok()) {
    EXPECT_THAT(moved.error().message, HasSubstr("cross-device"));
    EXPECT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
    ProcessSpec spec;
    spec.argv = {"mv", "dir", "dir2"};
    spec.env = {{"PATH", "/usr/bin:/bin"}};
    spec.cwd = workspace->Root();
    ASSERT_TRUE(RunAndCapture(*runner_, spec).ok());
  }
  const Snapshot snapshot = Take(*workspace);
  Git(Seed(), {"mv", "dir", "dir2"});
  EXPECT_EQ(snapshot.tree.value, Git(Seed(), {"write-tree"}));
}

TEST_P(Provisioners, LfsFilesStayPointersAndSubmodulesStayEmpty) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') +
      "\nsize 12345\n";
  Write(Seed() / ".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n");
  for (const char* name : {"kept.psd", "changed.psd"}) Write(Seed() / name, pointer);
  Write(Seed() / ".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = https://127.0.0.1:1/s\n");
  Git(Seed(), {"update-index", "--add", "--cacheinfo", "160000," + base_.value + ",s"});
  fs::create_directory(Seed() / "s");
  base_ = CommitSeed("lfs and a submodule");
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  EXPECT_EQ(Read(root / "kept.psd"), pointer);
  EXPECT_TRUE(fs::is_empty(root / "s"));
  EXPECT_EQ(Git(root, {"status", "--porcelain"}), "");

  Write(root / "changed.psd", "real bytes");
  Write(root / "s/inside", "of no commit");
  const Snapshot snapshot = Take(*workspace);
  EXPECT_THAT(Files(snapshot.commit), ::testing::Contains("160000 s"));
  EXPECT_THAT(Files(snapshot.commit), Not(::testing::Contains("100644 s/inside")));
  const auto blob = [&](const std::string& name) {
    return Git(MirrorDir(), {"cat-file", "blob", snapshot.commit.value + ":" + name});
  };
  EXPECT_EQ(blob("kept.psd") + "\n", pointer);
  EXPECT_EQ(blob("changed.psd"), "real bytes");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  EXPECT_EQ(Read(root / "changed.psd"), pointer);
  EXPECT_TRUE(fs::is_directory(root / "s"));
}

TEST_P(Provisioners, ManyChangesAreTakenLikeFewOnes) {
  for (int i = 0; i < 3000; ++i) {
    Write(
        Seed() / fmt::format("many/{}/{}", i % 30, std::string(200, 'n') + std::to_string(i % 200)),
        std::to_string(i));
  }
  base_ = CommitSeed("many");
  auto workspace = FetchAndProvision();
  const auto change = [](const Path& root) {
    Move(root / "many", root / "moved");
    for (int i = 0; i < 4000; ++i) {
      Write(root / fmt::format("new/{}{}", std::string(240, 'x'), i), std::to_string(i));
    }
  };
  change(workspace->Root());
  change(Seed());
  Git(Seed(), {"add", "-A"});
  EXPECT_EQ(Take(*workspace).tree.value, Git(Seed(), {"write-tree"}));
}

TEST_P(Provisioners, TasksOnDifferentCommitsDoNotSeeEachOther) {
  auto first = FetchAndProvision(1);
  const CommitSha later = CommitBeside("README.md", "later\n");
  auto second = Provision(RequestAt(2, later));
  EXPECT_EQ(Read(first->Root() / "README.md"), "one\ntwo\nthree\n");
  EXPECT_EQ(Read(second->Root() / "README.md"), "later\n");
  EXPECT_EQ(Git(second->Root(), {"status", "--porcelain"}), "");
  Write(second->Root() / "README.md", "second's\n");
  fs::remove_all(second->Root() / "src");
  auto third = Provision(RequestAt(3, later));
  EXPECT_EQ(Read(third->Root() / "README.md"), "later\n");
  EXPECT_TRUE(fs::exists(third->Root() / "src/main.c"));
  EXPECT_EQ(Read(first->Root() / "README.md"), "one\ntwo\nthree\n");
}

TEST_P(Provisioners, WhatLiesReadyFollowsTheBranch) {
  ASSERT_TRUE(FetchAndProvision(1)->Release().ok());
  for (int i = 0; i < 4; ++i) {
    const CommitSha later = CommitBeside("later", std::to_string(i));
    auto workspace = Provision(RequestAt(2 + i, later));
    EXPECT_EQ(Everything(workspace->Root()), Everything(Seed()));
    EXPECT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
    EXPECT_TRUE(workspace->Release().ok());
  }
  const Path kept = way_ == ProvisionWay::kOverlay ? Data() / "bases/local-7" : Data() / "pool";
  const auto entries = fs::exists(kept) ? std::distance(fs::directory_iterator(kept), {}) : 0;
  EXPECT_LE(entries, 2) << "it was moved, not made anew (a lock file may lie beside it)";
}

TEST_P(Provisioners, AResetLeavesAnIgnoredDirectoryAsGitDoes) {
  auto workspace = FetchAndProvision(1);
  const Path root = workspace->Root();
  fs::create_directories(root / "build");
  fs::create_directories(root / "empty");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  EXPECT_TRUE(fs::exists(root / "build")) << "as `git clean -d` would";
  EXPECT_FALSE(fs::exists(root / "empty"));
}

TEST_P(Provisioners, WhatLiesReadyGoesWhenItWeighsTooMuch) {
  kept_.bytes = 1;
  workspaces_ = NewWorkspaces();
  ASSERT_TRUE(FetchAndProvision(1)->Release().ok());
  const Path kept = way_ == ProvisionWay::kOverlay ? Data() / "bases/local-7" : Data() / "pool";
  ASSERT_EQ(fs::exists(kept), way_ != ProvisionWay::kPlain);
  ASSERT_TRUE(workspaces_->TidyKept().ok());
  for (const Path& entry : EntriesOf(kept)) {
    EXPECT_FALSE(fs::is_directory(entry)) << entry << " weighs more than a byte";
  }
  auto workspace = FetchAndProvision(2);
  EXPECT_EQ(Everything(workspace->Root()), Everything(Seed()));
}

TEST_P(Provisioners, ManyTasksMayBeginAtOnce) {
  Fetch();
  std::vector<std::jthread> threads;
  for (int task = 1; task <= 6; ++task) {
    threads.emplace_back([&, task] {
      auto workspace = workspaces_->Provision(Request(task), {});
      ASSERT_TRUE(workspace.ok()) << workspace.error().message;
      EXPECT_EQ(Read((*workspace)->Root() / "README.md"), "one\ntwo\nthree\n");
      EXPECT_TRUE((*workspace)->Release().ok());
    });
  }
}

TEST_P(Provisioners, WhatAKilledProcessLeftIsSweptAndNothingIsMounted) {
  Fetch();
  const pid_t child = fork();
  if (child == 0) {
    (void)EnterMountNamespace().ok();  // as each process of the bot does
    auto workspaces = NewWorkspaces();
    auto workspace = workspaces->Provision(Request(1), {});
    if (workspace.ok()) Write((*workspace)->Root() / "README.md", "half done");
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_FALSE(fs::is_empty(Data() / "workspaces"));
  EXPECT_EQ(workspaces_->SweepOrphans({}).value().size(), 1u);
  EXPECT_TRUE(fs::is_empty(Data() / "workspaces"));
  auto workspace = FetchAndProvision(2);
  EXPECT_EQ(Everything(workspace->Root()), Everything(Seed()));
}

TEST_P(Provisioners, FilesThatTheHostMustSeeAreNotMounted) {
  Fetch();
  ProvisionRequest request = Request();
  request.seen_by_host = true;
  auto workspace = Provision(request);
  struct stat work {
  }, place{};
  ASSERT_EQ(stat(workspace->Root().c_str(), &work), 0);
  ASSERT_EQ(stat(workspace->Root().parent_path().c_str(), &place), 0);
  EXPECT_EQ(work.st_dev, place.st_dev);
  EXPECT_EQ(Git(workspace->Root(), {"status", "--porcelain"}), "");
}

TEST_P(Provisioners, FilesCanBelongToAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kUser = 60'123;
  fs::permissions(dir_.path(), fs::perms(0711));
  Fetch();
  ProvisionRequest request = Request();
  request.owner = FileOwner{kUser, kUser};
  auto workspace = Provision(request);
  ASSERT_NE(workspace, nullptr);
  const auto as_user = [&](const std::string& command) {
    ProcessSpec spec;
    spec.argv = {"setpriv",
                 fmt::format("--reuid={}", kUser),
                 fmt::format("--regid={}", kUser),
                 "--clear-groups",
                 "sh",
                 "-ec",
                 command};
    spec.env = workspace->Commands().env;
    spec.cwd = workspace->Root();
    const auto ran = RunAndCapture(*runner_, spec);
    return ran.ok() ? std::string(Trim(*ran)) : "failed: " + ran.error().message;
  };
  EXPECT_EQ(as_user("git status --porcelain"), "");
  EXPECT_EQ(as_user("find . -not -user $(id -u) -not -path ./.git/index"), "");
  EXPECT_EQ(as_user("echo mine >>README.md; rm -r src; git status --porcelain"),
            "M README.md\n D src/main.c");
  EXPECT_EQ(as_user("touch \"$HOME/x\" \"$TMPDIR/x\" && echo done"), "done");
  EXPECT_THAT(as_user("ls ../.."), HasSubstr("ermission denied"));
  EXPECT_THAT(as_user("ls " + MirrorDir().parent_path().string()), HasSubstr("ermission denied"));

  const Snapshot snapshot = Take(*workspace);
  EXPECT_THAT(Files(snapshot.commit), Not(::testing::Contains("100644 src/main.c")));
  EXPECT_EQ(as_user("git status --porcelain; git log --format=%s -1"), "checkpoint");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  EXPECT_EQ(as_user("find . -not -user $(id -u) -not -path ./.git/index"), "");
  EXPECT_EQ(as_user("git status --porcelain"), "");
  ASSERT_TRUE(workspace->Release().ok());
  request.task = TaskId{2};
  request.branch = "swage/issue-2";
  request.owner.reset();
  auto own = Provision(request);
  EXPECT_EQ(Git(own->Root(), {"status", "--porcelain"}), "");
}

// Over again with what the kernel gives to everybody: a user namespace, and marks that are user
// attributes.
TEST(ProvisionersOfAUser, OverlaysHoldAsTheyDoForRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "the tests run as a user already";
  const auto runner = MakePosixProcessRunner(FindSupervisor().value());
  const auto ran = test::RunSelfAsPlainUser(*runner, "Each/Provisioners.*/Overlay");
  ASSERT_TRUE(ran.ok()) << ran.error().message;
  if (ran->find("allow unprivileged user namespaces") != std::string::npos) GTEST_SKIP() << *ran;
  const std::string_view proof =
      "[       OK ] Each/Provisioners.DirectoriesCanBeMovedOrItIsToldThatTheyCannot/Overlay";
  EXPECT_NE(ran->find(proof), std::string::npos) << *ran;
}

INSTANTIATE_TEST_SUITE_P(Each, Provisioners, ::testing::ValuesIn(kProvisionWays), NameOfWay);

}  // namespace
}  // namespace swage
