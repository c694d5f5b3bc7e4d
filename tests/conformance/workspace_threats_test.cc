// What an agent, a forge or a name may try on the bot's own git. Each attack is first shown to work
// on plain git, so that its absence afterwards means something.
#include <gmock/gmock.h>
#include <httplib.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/conformance/provisioned_test.h"
#include "tests/harness/trap_server.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class WorkspaceThreats : public ProvisionedTest {
 protected:
  Path Marker() const { return dir_.path() / "marker"; }
  bool Marked() {
    const bool marked = fs::exists(Marker());
    fs::remove(Marker());
    return marked;
  }
  std::string PlantScript() {
    const Path script = dir_.path() / "plant.sh";
    Write(script, "#!/bin/sh\ntouch " + Marker().string() + "\ncat\n");
    fs::permissions(script, fs::perms(0755));
    return script;
  }
  // Everything in a git directory that can make git run a program.
  void PlantIn(const Path& git_dir) {
    const std::string script = PlantScript();
    Write(git_dir / "config",
          "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = " + script +
              "\n\tsshCommand = " + script + "\n\tpager = " + script + "\n\teditor = " + script +
              "\n[filter \"x\"]\n\tclean = " + script + "\n\tsmudge = " + script +
              "\n\trequired = true\n[diff \"x\"]\n\ttextconv = " + script +
              "\n[credential]\n\thelper = " + script + "\n[gpg]\n\tprogram = " + script +
              "\n[commit]\n\tgpgsign = true\n");
    for (const char* hook :
         {"pre-commit", "post-checkout", "post-commit", "pre-push", "reference-transaction",
          "post-index-change", "post-merge", "update"}) {
      fs::create_directories(git_dir / "hooks");
      fs::copy_file(script, git_dir / "hooks" / hook, fs::copy_options::overwrite_existing);
    }
  }
  // All that the bot does with a workspace after the agent.
  Snapshot UseAndRelease(Workspace& workspace) {
    const Snapshot snapshot = Take(workspace);
    EXPECT_TRUE(workspace.DiffFromBase(snapshot.commit).ok());
    EXPECT_TRUE(Push("swage/issue-1", snapshot.commit, {}).ok());
    EXPECT_TRUE(workspace.Reset(base_).ok());
    EXPECT_TRUE(workspace.Reset(snapshot.commit).ok());
    EXPECT_TRUE(workspace.Release().ok());
    Fetch();
    return snapshot;
  }
};

TEST_P(WorkspaceThreats, Threat_T31_ProgramsPlantedInTheAgentsGitNeverRun) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Write(root / ".gitattributes", "* filter=x diff=x\n");
  Write(root / "a.txt", "a\n");
  PlantIn(root / ".git");
  Write(Path(workspace->Commands().env.at("HOME")) / ".gitconfig",
        "[core]\n\tfsmonitor = " + PlantScript() + "\n");
  (void)TryGit(root, {"add", "-A"}).ok();
  EXPECT_TRUE(Marked()) << "the trap must work on plain git";

  const Snapshot snapshot = UseAndRelease(*workspace);
  EXPECT_FALSE(Marked());
  EXPECT_THAT(Files(snapshot.commit), Contains("100644 a.txt"));
}

TEST_P(WorkspaceThreats, Threat_T31_AFilterWithoutADriverStoresTheFileAsItIs) {
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
  Write(workspace->Root() / "x.bin", "bytes\r\n");
  const Snapshot snapshot = Take(*workspace);
  EXPECT_EQ(workspaces_->ReadCommitted(repo_, snapshot.commit, "x.bin").value(), "bytes\r\n");
}

TEST_P(WorkspaceThreats, Threat_T32_PlantedUrlsProxiesAndHelpersAreNeverAsked) {
  TrapServer trap;
  auto workspace = FetchAndProvision();
  const std::string evil = "[url \"" + trap.Url() + "/x\"]\n\tinsteadOf = " + Origin() +
                           "\n\tpushInsteadOf = " + Origin() + "\n[http]\n\tproxy = " + trap.Url() +
                           "\n[credential]\n\thelper = " + PlantScript() + "\n";
  Write(workspace->Root() / ".git/config", "[core]\n\trepositoryformatversion = 0\n" + evil);
  Write(Path(workspace->Commands().env.at("HOME")) / ".gitconfig", evil);
  Write(dir_.path() / ".gitconfig", evil);
  EXPECT_FALSE(TryGit(workspace->Root(), {"ls-remote", Origin()}).ok());
  EXPECT_GT(trap.Requests(), 0) << "the trap must work on plain git";

  const int before = trap.Requests();
  Marked();
  for (const auto& [name, value] : {std::pair<const char*, std::string>{"HOME", dir_.path()},
                                    {"GIT_CONFIG_GLOBAL", dir_.path() / ".gitconfig"},
                                    {"http_proxy", trap.Url()},
                                    {"GIT_DIR", workspace->Root() / ".git"}}) {
    setenv(name, value.c_str(), 1);
  }
  Write(workspace->Root() / "a", "1");
  UseAndRelease(*workspace);
  for (const char* name : {"HOME", "GIT_CONFIG_GLOBAL", "http_proxy", "GIT_DIR"}) unsetenv(name);
  EXPECT_EQ(trap.Requests(), before);
  EXPECT_FALSE(Marked());
}

TEST_P(WorkspaceThreats, Threat_T33_AnExchangedDotGitIsNeverConsulted) {
  const Path evil = dir_.path() / "evil";
  Git(dir_.path(), {"clone", "--quiet", Origin(), "evil"});
  PlantIn(evil / ".git");
  std::int64_t task = 10;
  for (const bool as_link : {false, true}) {
    auto workspace = FetchAndProvision(++task);
    const Path root = workspace->Root();
    fs::remove_all(root / ".git");
    if (as_link) {
      fs::create_directory_symlink(evil / ".git", root / ".git");
    } else {
      Write(root / ".git", "gitdir: " + (evil / ".git").string() + "\n");
    }
    Write(root / "a", "1");
    (void)TryGit(root, {"status"}).ok();
    EXPECT_TRUE(Marked()) << "the trap must work on plain git";
    const Snapshot snapshot = Take(*workspace);
    EXPECT_FALSE(Marked());
    EXPECT_THAT(Files(snapshot.commit), Contains("100644 a"));
    EXPECT_EQ(Git(root, {"rev-parse", "HEAD"}), snapshot.commit.value) << "a .git of the bot again";
    EXPECT_TRUE(fs::exists(evil / ".git/config")) << "the link was not followed";
    EXPECT_TRUE(workspace->Release().ok());
    EXPECT_TRUE(fs::exists(evil / ".git/config"));
  }
}

TEST_P(WorkspaceThreats, Threat_T33_NestedRepositoriesBecomePlainFiles) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Git(root, {"clone", "--quiet", Origin(), "vendor/lib"});
  PlantIn(root / "vendor/lib/.git");
  Git(root, {"init", "--quiet", "empty"});
  Write(root / "empty/file", "x\n");
  Write(root / "filelike/.git", "gitdir: ../vendor/lib/.git\n");
  Write(root / "filelike/x", "x\n");
  Write(root / "upper/.GIT/config", "[core]\n");
  Write(root / "upper/y", "y\n");
  (void)TryGit(root / "vendor/lib", {"status"}).ok();
  EXPECT_TRUE(Marked());

  const Snapshot snapshot = Take(*workspace);
  EXPECT_FALSE(Marked());
  const auto files = Files(snapshot.commit);
  for (const char* name : {"vendor/lib/README.md", "empty/file", "filelike/x", "upper/y"}) {
    EXPECT_THAT(files, Contains("100644 " + std::string(name)));
  }
  for (const std::string& file : files) {
    EXPECT_THAT(file, Not(HasSubstr("160000"))) << "a submodule";
    EXPECT_THAT(ToLower(file), Not(HasSubstr("/.git/")));
  }
  EXPECT_EQ(warnings_.size(), 4u);
  EXPECT_THAT(warnings_, Contains(HasSubstr("vendor/lib/.git")));
}

TEST_P(WorkspaceThreats, Threat_T35_OptionLikeBranchesReachNoCommand) {
  Fetch();
  for (const std::string& branch :
       {"--upload-pack=touch " + Marker().string(), std::string("--receive-pack=x"),
        std::string("main\xE3\x80\x80"), std::string("a;b"),
        std::string("main:refs/heads/other")}) {
    EXPECT_EQ(workspaces_->Fetch(repo_, Remote(), branch, {}).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(Push(branch, base_, {}).error().code, ErrorCode::kInvalid);
    ProvisionRequest request = Request();
    request.branch = branch;
    EXPECT_EQ(workspaces_->Provision(request, {}).error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(Push("ok", CommitSha{"--all"}, {}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(Push("ok", base_, CommitSha{"x"}).error().code, ErrorCode::kInvalid);
  EXPECT_FALSE(Marked());
  EXPECT_EQ(Git(Origin(), {"for-each-ref", "--format=%(refname)"}), "refs/heads/main");
  EXPECT_FALSE(fs::exists(Data() / "workspaces"));
}

TEST_P(WorkspaceThreats, Threat_T36_ForeignTransportsAreRefused) {
  GitRemote remote;
  remote.url = "ext::sh -c touch% " + Marker().string();
  EXPECT_EQ(workspaces_->Fetch(repo_, remote, "main", {}).error().code, ErrorCode::kInvalid);
  const auto strict = MakeWorktreeWorkspaces(Data(), *runner_);
  EXPECT_EQ(strict->Fetch(repo_, Remote(), "main", {}).error().code, ErrorCode::kInvalid);
  EXPECT_FALSE(Marked());
}

TEST_P(WorkspaceThreats, Threat_T34_SubmodulesAreNotFollowed) {
  Write(Seed() / ".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c touch% " +
                                    Marker().string() + "\n\tupdate = !touch " + Marker().string() +
                                    "\n");
  Git(Seed(), {"update-index", "--add", "--cacheinfo", "160000," + base_.value + ",s"});
  fs::create_directory(Seed() / "s");
  Git(Seed(), {"add", ".gitmodules"});
  Git(Seed(), {"commit", "--quiet", "-m", "submodule"});
  Git(Seed(), {"push", "--quiet", "origin", "HEAD"});
  base_ = CommitSha{Git(Seed(), {"rev-parse", "HEAD"})};
  auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", "1");
  const Snapshot snapshot = UseAndRelease(*workspace);
  EXPECT_FALSE(Marked());
  EXPECT_THAT(Files(snapshot.commit), Contains("160000 s")) << "kept as it was";
}

TEST_P(WorkspaceThreats, Threat_T37_LinksOutOfTheWorkspaceAreStoredAndNeverFollowed) {
  const Path outside = dir_.path() / "outside";
  Write(outside / "secret", "canary");
  Write(outside / "deep/file", "precious");
  Write(Seed() / "tracked/deep/file", "theirs\n");
  base_ = CommitSeed("tracked");
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  fs::create_directory_symlink(outside, root / "out");
  fs::create_symlink(outside / "secret", root / "report.xml");
  fs::remove_all(root / "tracked");
  fs::create_directory_symlink(outside, root / "tracked");
  fs::create_directory_symlink(outside, Path(workspace->Commands().env.at("HOME")) / "h");

  EXPECT_FALSE(ReadFileBeneath(root, "report.xml").ok());
  EXPECT_FALSE(ReadFileBeneath(root, "out/secret").ok());
  const Snapshot snapshot = Take(*workspace);
  const auto files = Files(snapshot.commit);
  for (const char* link : {"120000 out", "120000 report.xml", "120000 tracked"}) {
    EXPECT_THAT(files, Contains(link));
  }
  EXPECT_THAT(files, Not(Contains(HasSubstr("secret"))));
  ASSERT_TRUE(workspace->Reset(base_).ok());
  EXPECT_EQ(Read(root / "tracked/deep/file"), "theirs\n");
  EXPECT_FALSE(fs::is_symlink(root / "tracked"));
  fs::create_directory_symlink(outside, root / "again");
  ASSERT_TRUE(workspace->Release().ok());
  EXPECT_EQ(Read(outside / "secret"), "canary");
  EXPECT_EQ(Read(outside / "deep/file"), "precious");
}

TEST_P(WorkspaceThreats, Threat_T37_AWorkTreeExchangedForALinkIsRefused) {
  const Path outside = dir_.path() / "outside";
  Write(outside / "secret", "canary");
  auto workspace = FetchAndProvision();
  std::error_code busy;
  fs::remove_all(workspace->Root(), busy);
  if (way_ == ProvisionWay::kOverlay) {
    EXPECT_TRUE(busy) << "what is mounted cannot be exchanged";
    return;
  }
  fs::create_directory_symlink(outside, workspace->Root());
  EXPECT_FALSE(workspace->TakeSnapshot("m", {"S", "s@l"}, warnings_).ok());
  EXPECT_FALSE(workspace->Reset(base_).ok());
  EXPECT_TRUE(workspace->Release().ok());
  EXPECT_EQ(Read(outside / "secret"), "canary");
  EXPECT_FALSE(fs::exists(outside / ".git"));
}

TEST_P(WorkspaceThreats, Threat_T49_TheTokenReachesTheRemoteAndNothingElse) {
  const std::string token = "canary-token-0123456789";
  const std::string header = "Basic " + Base64Encode("x-access-token:" + token);
  std::string seen, argv;
  TrapServer server([&](const httplib::Request& request, httplib::Response& response) {
    seen = request.get_header_value("Authorization");
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto command = ReadFile(entry.path() / "cmdline");
      if (command.ok()) argv += *command;
    }
    response.status = 403;
    response.set_content("no " + token + " for you", "text/plain");
  });
  GitRemote remote{server.Url() + "/o/r.git", "x-access-token", token, ""};
  const auto fetched = workspaces_->Fetch(repo_, remote, "main", {});
  server.Stop();
  ASSERT_FALSE(fetched.ok());
  EXPECT_EQ(fetched.error().code, ErrorCode::kDenied) << fetched.error().message;
  EXPECT_EQ(seen, header);
  for (const std::string& canary : {token, Base64Encode("x-access-token:" + token)}) {
    EXPECT_EQ(argv.find(canary), std::string::npos);
    EXPECT_EQ(fetched.error().message.find(canary), std::string::npos);
    for (const auto& file : fs::recursive_directory_iterator(Data())) {
      if (!file.is_regular_file()) continue;
      EXPECT_EQ(Read(file.path()).find(canary), std::string::npos) << file.path();
    }
  }
}

TEST_P(WorkspaceThreats, Threat_T50_ARedirectIsNotFollowed) {
  TrapServer trap;
  TrapServer server([&](const httplib::Request&, httplib::Response& response) {
    response.set_redirect(trap.Url() + "/o/r.git/info/refs?service=git-upload-pack");
  });
  const auto fetched =
      workspaces_->Fetch(repo_, {server.Url() + "/o/r.git", "bot", "canary-token", ""}, "main", {});
  ASSERT_FALSE(fetched.ok());
  EXPECT_EQ(fetched.error().code, ErrorCode::kInvalid) << fetched.error().message;
  EXPECT_GT(server.Requests(), 0);
  EXPECT_EQ(trap.Requests(), 0);
}

TEST_P(WorkspaceThreats, HttpFailuresSayWhoseFaultTheyAre) {
  std::atomic<int> status = 0;
  TrapServer server(
      [&](const httplib::Request&, httplib::Response& response) { response.status = status; });
  const auto code_for = [&](int answer) {
    status = answer;
    const auto fetched = workspaces_->Fetch(
        repo_, {server.Url() + "/o/r.git", "bot", "canary-token", ""}, "main", {});
    EXPECT_FALSE(fetched.ok());
    return fetched.ok() ? ErrorCode::kInternal : fetched.error().code;
  };
  EXPECT_EQ(code_for(401), ErrorCode::kUnauthenticated);
  EXPECT_EQ(code_for(403), ErrorCode::kDenied);
  EXPECT_EQ(code_for(404), ErrorCode::kNotFound);
  EXPECT_EQ(code_for(429), ErrorCode::kRateLimited);
  EXPECT_EQ(code_for(503), ErrorCode::kUnavailable);
  EXPECT_EQ(workspaces_->Fetch(repo_, {"http://127.0.0.1:1/o/r.git", "", "", ""}, "main", {})
                .error()
                .code,
            ErrorCode::kUnavailable);
}

// What a push publishes is every commit on the way, not the last tree alone.
TEST_P(WorkspaceThreats, Threat_T39_ASecretIsFoundWhereverAPushWouldPublishIt) {
  const auto holds = [](std::string_view text) {
    return text.find("canary-5ec3e7") != std::string_view::npos;
  };
  const auto found = [&](const CommitSha& head) {
    const auto result = workspaces_->FindInHistory(repo_, base_, head, holds);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? result->value_or("nothing") : "an error";
  };
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  const auto take = [&](const std::string& message) {
    std::vector<std::string> warnings;
    return workspace->TakeSnapshot(message, {"Swage", "swage@localhost"}, warnings)->commit;
  };
  Write(root / "clean.txt", "nothing");
  fs::create_symlink("clean.txt", root / "harmless");
  EXPECT_EQ(found(take("one")), "nothing");

  Write(root / "notes.bin", std::string("\0\1binary canary-5ec3e7", 22));
  take("two");
  fs::remove(root / "notes.bin");
  EXPECT_EQ(found(take("three")), "notes.bin") << "taken away again, but in the history";

  ASSERT_TRUE(workspace->Reset(base_).ok());
  fs::create_symlink("/canary-5ec3e7", root / "pointer");
  EXPECT_EQ(found(take("four")), "pointer");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  Write(root / "canary-5ec3e7.txt", "x");
  EXPECT_EQ(found(take("five")), "a file name");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  Write(root / "a.txt", "x");
  EXPECT_EQ(found(take("canary-5ec3e7")), "a commit message");
  ASSERT_TRUE(workspace->Reset(base_).ok());
  Write(root / "large.dat", std::string(17 << 20, '.') + "canary-5ec3e7");
  EXPECT_EQ(found(take("six")), "large.dat");
}

INSTANTIATE_TEST_SUITE_P(Each, WorkspaceThreats, ::testing::ValuesIn(kProvisionWays), NameOfWay);

}  // namespace
}  // namespace swage
