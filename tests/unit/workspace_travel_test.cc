// A checkpoint made by one node goes on at another, which shares nothing with it but the forge.
#include <gmock/gmock.h>

#include "config/base/crypto.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

using testing::HasSubstr;

class WorkspaceTravel : public WorkspaceTest {
 protected:
  WorkspaceTravel() : other_(MakeWorktreeWorkspaces(OtherData(), *runner_, Options())) {}

  static WorkspaceOptions Options() {
    WorkspaceOptions options;
    options.allow_file_remotes = true;
    return options;
  }
  Path OtherData() const { return dir_.path() / "other"; }
  void FetchAtOther() { ASSERT_TRUE(other_->Fetch(repo_, Remote(), "main", {}).ok()); }

  static std::string Pack(Workspace& workspace, const CommitSha& commit) {
    auto packed = workspace.PackFromBase(commit);
    EXPECT_TRUE(packed.ok()) << (packed.ok() ? "" : packed.error().message);
    return packed.ok() ? *packed : "";
  }
  ErrorCode UnpackFails(const CommitSha& commit, std::string_view pack) {
    const auto unpacked = other_->Unpack(repo_, base_, commit, pack);
    EXPECT_FALSE(unpacked.ok());
    return unpacked.ok() ? ErrorCode::kInternal : unpacked.error().code;
  }

  std::unique_ptr<Workspaces> other_;
};

TEST_F(WorkspaceTravel, ACheckpointGoesOnAtAnotherNode) {
  const auto workspace = FetchAndProvision();
  Write(workspace->Root() / "README.md", "one\ntwo\nthree\nfour\n");
  Write(workspace->Root() / "new/file.bin", RandomHex(2'000));
  Take(*workspace);
  Write(workspace->Root() / "README.md", "one\nthree\nfour\n");
  const Snapshot second = Take(*workspace);
  const std::string pack = Pack(*workspace, second.commit);
  EXPECT_LT(pack.size(), 6'000U);

  FetchAtOther();
  EXPECT_FALSE(other_->HasCommit(repo_, second.commit));
  ASSERT_TRUE(other_->Unpack(repo_, base_, second.commit, pack).ok());
  EXPECT_TRUE(other_->HasCommit(repo_, second.commit));
  ProvisionRequest request = Request();
  request.start = second.commit;
  auto there = other_->Provision(request, {});
  ASSERT_TRUE(there.ok()) << there.error().message;
  EXPECT_EQ(Read((*there)->Root() / "README.md"), "one\nthree\nfour\n");
  EXPECT_EQ(Read((*there)->Root() / "new/file.bin"), Read(workspace->Root() / "new/file.bin"));
  Write((*there)->Root() / "more", "x\n");
  const auto third = (*there)->TakeSnapshot("m", {"S", "s@l"}, warnings_);
  ASSERT_TRUE(third.ok());
  // All of it can be pushed from there.
  ASSERT_TRUE(other_->Push({repo_, Remote(), request.branch, third->commit, CommitSha{}}, {}).ok());
  EXPECT_EQ(Git(dir_.path() / "origin.git", {"rev-parse", request.branch}), third->commit.value);
  EXPECT_TRUE(TryGit(OtherData() / "mirrors" / "local-7.git", {"fsck", "--strict"}).ok());
}

TEST_F(WorkspaceTravel, OnlyWhatTheBaseLacksIsSent) {
  Write(Seed() / "large", RandomHex(1 << 20));
  base_ = CommitSeed("a large file");
  const auto workspace = FetchAndProvision();
  std::string text = Read(workspace->Root() / "large");
  text[17] = '-';
  Write(workspace->Root() / "large", text);
  const Snapshot snapshot = Take(*workspace);
  const std::string pack = Pack(*workspace, snapshot.commit);
  EXPECT_LT(pack.size(), 4'096U) << "a delta against the base";
  FetchAtOther();
  const auto unpacked = other_->Unpack(repo_, base_, snapshot.commit, pack);
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message;
  EXPECT_EQ(Git(OtherData() / "mirrors" / "local-7.git",
                {"cat-file", "-p", snapshot.commit.value + ":large"}),
            text);
}

TEST_F(WorkspaceTravel, UnpackingTwiceOrAtHomeChangesNothing) {
  const auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", "1\n");
  const Snapshot snapshot = Take(*workspace);
  const std::string pack = Pack(*workspace, snapshot.commit);
  EXPECT_TRUE(workspaces_->Unpack(repo_, base_, snapshot.commit, pack).ok());
  FetchAtOther();
  EXPECT_TRUE(other_->Unpack(repo_, base_, snapshot.commit, pack).ok());
  EXPECT_TRUE(other_->Unpack(repo_, base_, snapshot.commit, pack).ok());
}

TEST_F(WorkspaceTravel, WhatIsBrokenOrTooLargeIsRefused) {
  const auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", RandomHex(4'000));
  const Snapshot snapshot = Take(*workspace);
  const std::string pack = Pack(*workspace, snapshot.commit);
  FetchAtOther();
  EXPECT_EQ(UnpackFails(snapshot.commit, ""), ErrorCode::kInvalid);
  EXPECT_EQ(UnpackFails(snapshot.commit, "no pack at all"), ErrorCode::kInvalid);
  EXPECT_EQ(UnpackFails(snapshot.commit, pack.substr(0, pack.size() / 2)), ErrorCode::kInvalid);
  std::string flipped = pack;
  flipped[flipped.size() / 2] ^= 1;
  EXPECT_EQ(UnpackFails(snapshot.commit, flipped), ErrorCode::kInvalid);
  EXPECT_EQ(UnpackFails(snapshot.commit, std::string(kMaxCheckpointBytes + 1, 'P')),
            ErrorCode::kTooLarge);
  const CommitSha absent{std::string(40, 'a')};
  EXPECT_EQ(UnpackFails(absent, pack), ErrorCode::kNotFound);
  EXPECT_EQ(UnpackFails(CommitSha{"--upload-pack=x"}, pack), ErrorCode::kInvalid);
  // After all that it still takes the right one.
  EXPECT_TRUE(other_->Unpack(repo_, base_, snapshot.commit, pack).ok());
}

TEST_F(WorkspaceTravel, WithoutItsBaseACheckpointIsNotTaken) {
  const auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a", "1\n");
  const Snapshot snapshot = Take(*workspace);
  const std::string pack = Pack(*workspace, snapshot.commit);
  EXPECT_EQ(UnpackFails(snapshot.commit, pack), ErrorCode::kNotFound) << "nothing was fetched";
  FetchAtOther();
  const auto elsewhere =
      other_->Unpack(repo_, CommitSha{std::string(40, 'b')}, snapshot.commit, pack);
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_EQ(elsewhere.error().code, ErrorCode::kNotFound);
}

TEST_F(WorkspaceTravel, ACheckpointOverTheBoundIsNotPacked) {
  const auto workspace = FetchAndProvision();
  std::string noise;
  while (noise.size() < kMaxCheckpointBytes * 2 + 100) noise += RandomHex(1 << 20);
  Write(workspace->Root() / "noise", noise);  // hexadecimal digits: half of it when packed
  const Snapshot snapshot = Take(*workspace);
  const auto packed = workspace->PackFromBase(snapshot.commit);
  ASSERT_FALSE(packed.ok());
  EXPECT_EQ(packed.error().code, ErrorCode::kTooLarge);
}

// Made by hand, as somebody who writes to the store could.
TEST_F(WorkspaceTravel, Threat_T32_PathsThatGitWouldTakeForItsOwnAreRefused) {
  const auto workspace = FetchAndProvision();
  const auto mk = [&](const std::string& entry) {
    ProcessSpec spec;
    spec.argv = {"git", "mktree"};
    spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
    spec.cwd = MirrorDir();
    spec.stdin_bytes = entry;
    return std::string(Trim(*RunAndCapture(*runner_, spec)));
  };
  const std::string blob = Git(MirrorDir(), {"rev-parse", base_.value + ":README.md"});
  const std::string inner = mk("100644 blob " + blob + "\tconfig\n");
  const std::string outer = mk("040000 tree " + inner + "\t.GIT\n");
  const CommitSha evil{Git(MirrorDir(), {"commit-tree", "-p", base_.value, "-m", "evil", outer})};
  const std::string pack = Pack(*workspace, evil);
  FetchAtOther();
  EXPECT_EQ(UnpackFails(evil, pack), ErrorCode::kInvalid);
  // A chain with a second parent is none of ours either.
  const CommitSha merge{Git(MirrorDir(), {"commit-tree", "-p", base_.value, "-p", evil.value, "-m",
                                          "merge", base_.value + "^{tree}"})};
  const auto packed = workspace->PackFromBase(merge);
  ASSERT_FALSE(packed.ok());
  EXPECT_THAT(packed.error().message, HasSubstr("does not start at its base"));
}

}  // namespace
}  // namespace swage
