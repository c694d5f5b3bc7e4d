// git clone, fetch and push against the sandbox forge with the real git.
#include <fstream>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {
namespace {

class SandboxGit : public SandboxTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(Git({"clone", "-q", CloneUrl(bot_), Work()}, &said_), 0) << said_;
  }
  std::string Work() const { return (dir_.path() / "work").string(); }
  int In(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-C", Work()});
    return Git(arguments, &said_);
  }
  void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(Work() + "/" + path, std::ios::binary) << bytes;
  }
  std::string Head() {
    EXPECT_EQ(In({"rev-parse", "HEAD"}), 0);
    return std::string(Trim(said_));
  }
  void CommitAll(const std::string& message) {
    ASSERT_EQ(In({"add", "-A"}), 0) << said_;
    ASSERT_EQ(In({"commit", "-q", "-m", message}), 0) << said_;
  }

  std::string said_;
};

TEST_F(SandboxGit, CloneGivesTheFiles) {
  const Result<std::string> readme = ReadFile(Work() + "/README.md");
  ASSERT_TRUE(readme.ok());
  EXPECT_EQ(*readme, "# widget\n");
}

TEST_F(SandboxGit, PushMakesABranchThatTheForgeSees) {
  ASSERT_EQ(In({"checkout", "-q", "-b", "fix"}), 0);
  Write("new.txt", "new\n");
  CommitAll("Add");
  ASSERT_EQ(In({"push", "-q", "origin", "fix"}), 0) << said_;
  EXPECT_EQ(forge_->Branches(repo_).at("fix"), Head());
  EXPECT_EQ(*forge_->ReadFileAt(repo_, "fix", "new.txt"), "new\n");
}

TEST_F(SandboxGit, LargePackArrivesWhole) {
  std::string bytes;
  for (int i = 0; i < 64; ++i) bytes += RandomHex(64 << 10);  // 8 MiB that deflate can only halve
  ASSERT_EQ(In({"checkout", "-q", "-b", "large"}), 0);
  Write("large.bin", bytes);
  CommitAll("Large");
  ASSERT_EQ(In({"push", "-q", "origin", "large"}), 0) << said_;
  EXPECT_EQ(Sha256Hex(*forge_->ReadFileAt(repo_, "large", "large.bin")), Sha256Hex(bytes));
  // And back again, by a client that has nothing.
  const std::string second = (dir_.path() / "second").string();
  ASSERT_EQ(Git({"clone", "-q", "-b", "large", CloneUrl(reader_), second}, &said_), 0) << said_;
  EXPECT_EQ(Sha256Hex(*ReadFile(second + "/large.bin", 64 << 20)), Sha256Hex(bytes));
}

TEST_F(SandboxGit, FetchWithManyRefsSendsACompressedRequest) {
  for (int i = 0; i < 60; ++i)
    Commit("branch-" + std::to_string(i), {{"f.txt", std::to_string(i)}});
  EXPECT_EQ(In({"fetch", "-q", "origin"}), 0) << said_;
  EXPECT_EQ(In({"rev-parse", "origin/branch-59"}), 0);
  EXPECT_EQ(Trim(said_), forge_->Branches(repo_).at("branch-59"));
}

TEST_F(SandboxGit, PullRequestFollowsThePush) {
  ASSERT_EQ(In({"checkout", "-q", "-b", "fix"}), 0);
  Write("new.txt", "1\n");
  CommitAll("One");
  ASSERT_EQ(In({"push", "-q", "origin", "fix"}), 0);
  const std::int64_t number = OpenPull("fix");
  Write("new.txt", "2\n");
  CommitAll("Two");
  ASSERT_EQ(In({"push", "-q", "origin", "fix"}), 0);
  EXPECT_EQ(forge_->GetPull(repo_, number)->head_sha, Head());
  ASSERT_EQ(In({"ls-remote", "origin", "refs/pull/" + std::to_string(number) + "/head"}), 0);
  EXPECT_TRUE(said_.starts_with(Head()));
  ASSERT_EQ(In({"push", "-q", "origin", ":fix"}), 0) << said_;
  EXPECT_FALSE(forge_->GetPull(repo_, number)->open);
}

TEST_F(SandboxGit, PushWithAStaleLeaseIsRefused) {
  ASSERT_EQ(In({"checkout", "-q", "-b", "fix"}), 0);
  Write("mine.txt", "mine\n");
  CommitAll("Mine");
  const std::string theirs = Commit("fix", {{"theirs.txt", "theirs\n"}});
  EXPECT_NE(In({"push", "-q", "--force-with-lease=fix:", "origin", "fix"}), 0);
  EXPECT_EQ(forge_->Branches(repo_).at("fix"), theirs);
}

TEST_F(SandboxGit, ReaderCannotPush) {
  ASSERT_EQ(In({"checkout", "-q", "-b", "no"}), 0);
  Write("no.txt", "no\n");
  CommitAll("No");
  EXPECT_NE(In({"push", "-q", CloneUrl(reader_), "no"}), 0);
  EXPECT_NE(In({"push", "-q", forge_->GitUrl(repo_), "no"}), 0);  // anonymous
  EXPECT_FALSE(forge_->Branches(repo_).contains("no"));
}

TEST_F(SandboxGit, PushCannotMoveTheForgesOwnRefs) {
  EXPECT_NE(In({"push", "-q", "origin", "HEAD:refs/pull/1/head"}), 0);
}

TEST_F(SandboxGit, PrivateRepositoryIsHiddenFromStrangers) {
  forge_->SetPrivate(repo_, true);
  const std::string to = (dir_.path() / "other").string();
  EXPECT_NE(Git({"clone", "-q", CloneUrl(stranger_), to}, &said_), 0);
  EXPECT_NE(Git({"clone", "-q", CloneUrl("wrong"), to}, &said_), 0);
  EXPECT_NE(Git({"clone", "-q", forge_->GitUrl(repo_), to}, &said_), 0);
  EXPECT_EQ(Git({"clone", "-q", CloneUrl(reader_), to}, &said_), 0) << said_;
}

TEST_F(SandboxGit, ExistingRepositoryComesWithItsHistory) {
  ASSERT_EQ(In({"checkout", "-q", "-b", "trunk"}), 0);
  Write("more.txt", "more\n");
  CommitAll("More");
  ASSERT_EQ(In({"tag", "v1"}), 0);
  ASSERT_TRUE(forge_->CreateRepoFromGit("acme/copy", Work()).ok());
  EXPECT_EQ(forge_->Branches("acme/copy").at("trunk"), Head());
  EXPECT_TRUE(forge_->Branches("acme/copy").contains("main"));
  const HttpAnswer repo = Call("GET", "/repos/acme/copy", admin_);
  EXPECT_EQ(repo.body["default_branch"], "trunk");
  EXPECT_FALSE(forge_->CreateRepoFromGit("acme/copy", Work()).ok());
  EXPECT_FALSE(forge_->CreateRepoFromGit("acme/none", dir_.path() / "nowhere").ok());
  EXPECT_FALSE(forge_->CreateRepoFromGit("../evil", Work()).ok());
}

}  // namespace
}  // namespace swage::sandbox
