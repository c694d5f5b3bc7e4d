// A real bare repository, the real git and the real workspaces in a temporary directory.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "config/base/files.h"
#include "config/base/process.h"
#include "config/base/text.h"
#include "pipeline/workspace/workspace.h"
#include "tests/harness/paths.h"

namespace swage {

class WorkspaceTest : public ::testing::Test {
 protected:
  using Path = std::filesystem::path;

  WorkspaceTest() {
    workspaces_ = NewWorkspaces();
    Git(dir_.path(), {"init", "--quiet", "--bare", "--initial-branch=main", "origin.git"});
    Git(dir_.path(), {"clone", "--quiet", Origin(), "seed"});
    Git(Seed(), {"checkout", "--quiet", "-B", "main"});
    Write(Seed() / "README.md", "one\ntwo\nthree\n");
    Write(Seed() / "src/main.c", "int main(void) { return 0; }\n");
    Write(Seed() / "run.sh", "#!/bin/sh\n");
    std::filesystem::permissions(Seed() / "run.sh", std::filesystem::perms(0755));
    std::filesystem::create_symlink("README.md", Seed() / "link");
    Write(Seed() / ".gitignore", "*.o\n/build/\n");
    base_ = CommitSeed("first");
  }

  std::unique_ptr<Workspaces> NewWorkspaces(std::shared_ptr<const CommitSigner> signer = nullptr) {
    WorkspaceOptions options;
    options.provision = way_;
    options.kept = kept_;
    options.allow_file_remotes = true;
    options.signer = std::move(signer);
    return MakeWorktreeWorkspaces(Data(), *runner_, options);
  }

  KeptTrees kept_;  // of the next NewWorkspaces

  std::string Origin() const { return (dir_.path() / "origin.git").string(); }
  Path Seed() const { return dir_.path() / "seed"; }
  Path Data() const { return dir_.path() / "data"; }
  Path MirrorDir() const { return Data() / "mirrors" / "local-7.git"; }
  GitRemote Remote() const {
    GitRemote remote;
    remote.url = Origin();
    return remote;
  }

  // As a person or an agent would run it: plain git, which reads whatever configuration it finds.
  Result<std::string> TryGit(const Path& cwd, std::vector<std::string> arguments) {
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    spec.argv.insert(spec.argv.begin(), "git");
    spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                {"HOME", dir_.path().string()},
                {"GIT_AUTHOR_NAME", "Ann"},
                {"GIT_AUTHOR_EMAIL", "ann@example.com"},
                {"GIT_COMMITTER_NAME", "Ann"},
                {"GIT_COMMITTER_EMAIL", "ann@example.com"}};
    spec.cwd = cwd;
    return RunAndCapture(*runner_, spec);
  }
  std::string Git(const Path& cwd, std::vector<std::string> arguments) {
    auto output = TryGit(cwd, std::move(arguments));
    EXPECT_TRUE(output.ok()) << (output.ok() ? "" : output.error().message);
    return output.ok() ? std::string(Trim(*output)) : "";
  }

  static void Write(const Path& file, std::string_view bytes) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }
  static std::string Read(const Path& file) { return ReadFile(file).ok() ? *ReadFile(file) : ""; }

  CommitSha CommitSeed(const std::string& message) {
    Git(Seed(), {"add", "-A"});
    Git(Seed(), {"commit", "--quiet", "-m", message});
    Git(Seed(), {"push", "--quiet", "origin", "HEAD"});
    return CommitSha{Git(Seed(), {"rev-parse", "HEAD"})};
  }

  CommitSha Fetch(const std::string& branch = "main") {
    auto fetched = workspaces_->Fetch(repo_, Remote(), branch, {});
    EXPECT_TRUE(fetched.ok()) << (fetched.ok() ? "" : fetched.error().message);
    return fetched.ok() ? *fetched : CommitSha{};
  }

  virtual void BeforeProvision() {}

  ProvisionRequest Request(std::int64_t task = 1) const {
    ProvisionRequest request;
    request.repo = repo_;
    request.task = TaskId{task};
    request.branch = "swage/issue-" + std::to_string(task);
    request.base = base_;
    request.start = base_;
    return request;
  }
  std::unique_ptr<Workspace> Provision(const ProvisionRequest& request) {
    BeforeProvision();
    auto made = workspaces_->Provision(request, {});
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? std::move(*made) : nullptr;
  }
  std::unique_ptr<Workspace> FetchAndProvision(std::int64_t task = 1) {
    Fetch();
    return Provision(Request(task));
  }

  Snapshot Take(Workspace& workspace) {
    warnings_.clear();
    auto taken = workspace.TakeSnapshot("checkpoint", {"Swage", "swage@localhost"}, warnings_);
    EXPECT_TRUE(taken.ok()) << (taken.ok() ? "" : taken.error().message);
    return taken.ok() ? *taken : Snapshot{};
  }

  Result<void> Push(const std::string& branch, const CommitSha& sha, const CommitSha& expected) {
    return workspaces_->Push({repo_, Remote(), branch, sha, expected}, {});
  }

  // "MODE PATH" of every file of a commit in the mirror.
  std::vector<std::string> Files(const CommitSha& commit) {
    std::vector<std::string> files;
    const std::string listing =
        Git(MirrorDir(), {"ls-tree", "-r", "-z", "--format=%(objectmode) %(path)", commit.value});
    for (const auto line : Split(listing, '\0')) {
      if (!line.empty()) files.emplace_back(line);
    }
    return files;
  }

  TempDir dir_;
  ProvisionWay way_ = ProvisionWay::kPlain;
  std::unique_ptr<ProcessRunner> runner_ = MakePosixProcessRunner(test::Program("swage-supervise"));
  std::unique_ptr<Workspaces> workspaces_;
  const RepoRef repo_{"local", "7", "ann/demo"};
  CommitSha base_;
  std::vector<std::string> warnings_;
};

}  // namespace swage
