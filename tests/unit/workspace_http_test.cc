// Fetch and push over smart HTTP, as in production: no file remotes, a token, a forge that
// misbehaves.
#include <gtest/gtest.h>

#include <fstream>

#include "config/base/process.h"
#include "pipeline/workspace/workspace.h"
#include "tests/harness/connect_proxy.h"
#include "tests/harness/paths.h"
#include "tests/harness/tls_front.h"
#include "tests/unit/sandbox_fixture.h"

namespace swage {
namespace {

using sandbox::FaultAction;

class WorkspaceHttp : public sandbox::SandboxTest {
 protected:
  WorkspaceHttp() { forge_->SetPrivate(repo_, true); }

  GitRemote Remote(const std::string& token) const {
    return {forge_->GitUrl(repo_), "x-access-token", token, ""};
  }
  Result<CommitSha> Fetch(const std::string& token) {
    return workspaces_->Fetch(ref_, Remote(token), "main", {});
  }
  Result<void> Push(const CommitSha& sha, const CommitSha& expected, const std::string& token) {
    return workspaces_->Push({ref_, Remote(token), kBranch, sha, expected}, {});
  }
  // A checkpoint on the task branch with this text in a file.
  CommitSha Checkpoint(const CommitSha& base, const std::string& text) {
    ProvisionRequest request{ref_, TaskId{1}, kBranch, base, base, {}, {}};
    auto workspace = workspaces_->Provision(request, {}).value();
    std::ofstream(workspace->Root() / "fix.txt") << text;
    std::vector<std::string> warnings;
    const Snapshot taken =
        workspace->TakeSnapshot("fix", {"Swage", "swage@localhost"}, warnings).value();
    EXPECT_TRUE(taken.changed);
    EXPECT_TRUE(workspace->Release().ok());
    return taken.commit;
  }
  void Misbehave(FaultAction action, int status = 500) {
    sandbox::FaultRule rule;
    rule.action = action;
    rule.path = "git-receive-pack$";
    rule.method = "POST";
    rule.status = status;
    ASSERT_TRUE(forge_->faults().Add(rule).ok());
  }
  std::string RemoteHead() const {
    const auto branches = forge_->Branches(repo_);
    const auto found = branches.find(kBranch);
    return found == branches.end() ? "" : found->second;
  }

  static constexpr const char* kBranch = "swage/issue-1";
  const RepoRef ref_{"sandbox", "1", "acme/widget"};
  std::unique_ptr<ProcessRunner> runner_ = MakePosixProcessRunner(test::Program("swage-supervise"));
  std::unique_ptr<Workspaces> workspaces_ =
      MakeWorktreeWorkspaces(dir_.path() / "workspaces-data", *runner_);
};

TEST_F(WorkspaceHttp, FetchesAndPushesWithTheToken) {
  const auto base = Fetch(bot_);
  ASSERT_TRUE(base.ok()) << base.error().message;
  EXPECT_EQ(base->value, forge_->Branches(repo_).at("main"));
  const CommitSha commit = Checkpoint(*base, "fixed\n");
  const auto pushed = Push(commit, {}, bot_);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message;
  EXPECT_EQ(RemoteHead(), commit.value);
  EXPECT_EQ(forge_->ReadFileAt(repo_, kBranch, "fix.txt").value(), "fixed\n");
}

TEST_F(WorkspaceHttp, SaysWhichCredentialFailsHow) {
  const auto wrong = Fetch("no-such-token");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kUnauthenticated) << wrong.error().message;
  EXPECT_EQ(wrong.error().message.find("no-such-token"), std::string::npos);
  const CommitSha base = Fetch(bot_).value();
  const auto reader = Push(base, {}, reader_);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, ErrorCode::kDenied) << reader.error().message;
  EXPECT_EQ(RemoteHead(), "");
}

TEST_F(WorkspaceHttp, Fault_X8_APushWhoseAnswerWasLostSucceedsWhenRepeated) {
  const CommitSha base = Fetch(bot_).value();
  const CommitSha first = Checkpoint(base, "1\n");
  Misbehave(FaultAction::kResetAfter);
  const auto lost = Push(first, {}, bot_);
  EXPECT_EQ(RemoteHead(), first.value);
  EXPECT_TRUE(lost.ok() || lost.error().code == ErrorCode::kUnavailable) << lost.error().message;
  EXPECT_TRUE(Push(first, {}, bot_).ok());
}

TEST_F(WorkspaceHttp, Fault_X6_AForgeThatFailsIsUnavailableAndNothingMoves) {
  const CommitSha base = Fetch(bot_).value();
  Misbehave(FaultAction::kStatus, 503);
  const auto failed = Push(base, {}, bot_);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable) << failed.error().message;
  EXPECT_EQ(RemoteHead(), "");
  EXPECT_TRUE(Push(base, {}, bot_).ok());
}

TEST_F(WorkspaceHttp, APersonsCommitOnTheBranchIsNeverOverwritten) {
  const CommitSha base = Fetch(bot_).value();
  const CommitSha first = Checkpoint(base, "1\n");
  ASSERT_TRUE(Push(first, {}, bot_).ok());
  const std::string theirs =
      forge_->CommitToBranch(repo_, "acme", kBranch, {{"theirs.txt", "x\n"}}, "theirs").value();
  const CommitSha second = Checkpoint(base, "2\n");
  const auto refused = Push(second, first, bot_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict) << refused.error().message;
  EXPECT_EQ(RemoteHead(), theirs);
}

TEST_F(WorkspaceHttp, GoesThroughTheProxyWithItsOwnCredential) {
  const std::string url = forge_->Url();
  test::TlsFront front(std::stoi(url.substr(url.rfind(':') + 1)));
  test::ConnectProxy proxy(front.port());
  proxy.Require("swage:p@ss/word");
  GitRemote remote = Remote(bot_);
  remote.url = "https://forge.test/acme/widget.git";
  remote.ca_file = front.ca_file();
  const std::string address = proxy.Url();
  remote.proxy.server = {"127.0.0.1", std::stoi(address.substr(address.rfind(':') + 1))};
  remote.proxy.username = "swage";
  remote.proxy.password.value = "p@ss/word";
  const auto base = workspaces_->Fetch(ref_, remote, "main", {});
  ASSERT_TRUE(base.ok()) << base.error().message;
  const CommitSha commit = Checkpoint(*base, "fixed\n");
  const auto pushed = workspaces_->Push({ref_, remote, kBranch, commit, {}}, {});
  ASSERT_TRUE(pushed.ok()) << pushed.error().message;
  EXPECT_EQ(RemoteHead(), commit.value);
  for (const std::string& head : proxy.Seen()) {
    EXPECT_TRUE(head.starts_with("CONNECT forge.test:443 ")) << head;
  }

  remote.proxy.password.value = "wr@ng/word";
  const auto refused = workspaces_->Fetch(ref_, remote, "main", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << refused.error().message;
  EXPECT_EQ(refused.error().message.find("ng/word"), std::string::npos);
  remote.proxy.server.port = front.port();  // speaks TLS, so it is no proxy
  EXPECT_EQ(workspaces_->Fetch(ref_, remote, "main", {}).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace swage
