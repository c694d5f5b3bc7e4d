#include "pipeline/workspace/commit_signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/fake_process.h"
#include "tests/harness/signing_keys.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

using testing::HasSubstr;
using testing::Not;

class CommitSignerTest : public WorkspaceTest {
 protected:
  Result<std::unique_ptr<CommitSigner>> Load(const SigningKey& key) {
    return MakeCommitSigner(key, dir_.path() / "signing", *runner_);
  }

  // Two checkpoints on a branch that starts at the base, pushed; both must verify.
  void ExpectThatCheckpointsVerify(test::TestKey& key) {
    auto signer = Load(key.Setting());
    ASSERT_TRUE(signer.ok()) << signer.error().message;
    workspaces_ = NewWorkspaces(std::move(*signer));
    const auto workspace = FetchAndProvision();
    Write(workspace->Root() / "a.txt", "a\n");
    const Snapshot first = Take(*workspace);
    Write(workspace->Root() / "b.txt", "b\n");
    const Snapshot second = Take(*workspace);
    ASSERT_TRUE(Push("swage/issue-1", second.commit, {}).ok());
    for (const CommitSha& commit : {first.commit, second.commit}) {
      const auto verified = key.Verify(Origin(), commit.value);
      EXPECT_TRUE(verified.ok()) << verified.error().message;
    }
    EXPECT_FALSE(key.Verify(Origin(), base_.value).ok());
    EXPECT_EQ(Git(Origin(), {"log", "--format=%an %s", "-1", second.commit.value}),
              "Swage checkpoint");
    Git(Origin(), {"fsck", "--strict", "--no-dangling"});
  }
};

TEST_F(CommitSignerTest, GitVerifiesWhatAnSshKeySigned) {
  test::SshKey key(dir_.path(), *runner_);
  ExpectThatCheckpointsVerify(key);
}

TEST_F(CommitSignerTest, GitVerifiesWhatAnOpenPgpKeySigned) {
  test::OpenPgpKey key(dir_.path(), *runner_);
  ExpectThatCheckpointsVerify(key);
}

TEST_F(CommitSignerTest, TheNameOfAKeyIsItsFingerprint) {
  const test::SshKey ssh(dir_.path() / "a", *runner_);
  EXPECT_THAT((*Load(ssh.Setting()))->KeyName(), testing::MatchesRegex("ssh key SHA256:.{43}"));
  const test::OpenPgpKey pgp(dir_.path() / "b", *runner_);
  EXPECT_THAT((*Load(pgp.Setting()))->KeyName(), testing::MatchesRegex("OpenPGP key [0-9A-F]{40}"));
}

TEST_F(CommitSignerTest, AKeyWithAPassphraseIsRefusedWithoutAsking) {
  const test::SshKey ssh(dir_.path() / "a", *runner_, "a passphrase");
  const auto refused = Load(ssh.Setting());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message,
              testing::AllOf(testing::StartsWith("swage.yml:7: publish.signing_key: cannot sign"),
                             HasSubstr("without a passphrase; to see more: ssh-keygen -y -f ")));
  const test::OpenPgpKey pgp(dir_.path() / "b", *runner_, "a passphrase");
  const auto also = Load(pgp.Setting());
  ASSERT_FALSE(also.ok());
  EXPECT_THAT(also.error().message, HasSubstr("swage.yml:7: publish.signing_key: "));
}

TEST_F(CommitSignerTest, AFileWithoutAKeyIsRefused) {
  SigningKey key{SigningKey::Kind::kOpenPgp, dir_.path() / "key", "swage.yml:7"};
  Write(key.file, "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n-----END PGP PRIVATE KEY BLOCK-----\n");
  EXPECT_FALSE(Load(key).ok());
  key.kind = SigningKey::Kind::kSsh;
  EXPECT_FALSE(Load(key).ok());
}

TEST_F(CommitSignerTest, AMissingProgramIsNamedWithItsPackage) {
  FakeProcessRunner none([](const ProcessSpec& spec, const auto&) -> Result<ProcessResult> {
    return MakeError(ErrorCode::kNotFound, spec.argv[0] + ": no such command");
  });
  const SigningKey key{SigningKey::Kind::kOpenPgp, "/k", "swage.yml:7: publish.signing_key"};
  const auto refused = MakeCommitSigner(key, dir_.path() / "signing", none);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "swage.yml:7: publish.signing_key: gpg: no such command; install gnupg");
}

// The program gets what it needs and nothing of the bot's or of a repository's.
TEST_F(CommitSignerTest, TheProgramRunsAloneAndWithinATime) {
  FakeProcessRunner runner("-----BEGIN SSH SIGNATURE-----\nx\n");
  const SigningKey key{SigningKey::Kind::kSsh, "/k", "swage.yml:7"};
  ASSERT_TRUE(MakeCommitSigner(key, dir_.path() / "signing", runner).ok());
  for (const ProcessSpec& spec : runner.specs) {
    EXPECT_EQ(spec.env.at("HOME"), "/nonexistent");
    EXPECT_EQ(spec.env.count("SSH_AUTH_SOCK") + spec.env.count("GNUPGHOME"), 0U);
    EXPECT_EQ(spec.cwd, "/");
    EXPECT_GT(spec.time_limit.count(), 0);
  }
}

// Better no checkpoint than one that nobody can verify.
TEST_F(CommitSignerTest, ACommitThatCannotBeSignedIsNotMade) {
  const test::SshKey key(dir_.path(), *runner_);
  auto signer = Load(key.Setting());
  ASSERT_TRUE(signer.ok()) << signer.error().message;
  workspaces_ = NewWorkspaces(std::move(*signer));
  const auto workspace = FetchAndProvision();
  Write(workspace->Root() / "a.txt", "a\n");
  std::filesystem::remove(key.file());
  const auto taken = workspace->TakeSnapshot("checkpoint", {"Swage", "s@localhost"}, warnings_);
  ASSERT_FALSE(taken.ok());
  EXPECT_THAT(taken.error().message, HasSubstr("cannot sign: ssh-keygen: "));
  EXPECT_EQ(Git(MirrorDir(), {"rev-parse", "swage/issue-1"}), base_.value);
}

TEST_F(CommitSignerTest, CommandsOfATaskSeeNothingOfTheKey) {
  const test::OpenPgpKey key(dir_.path(), *runner_);
  auto signer = Load(key.Setting());
  ASSERT_TRUE(signer.ok()) << signer.error().message;
  workspaces_ = NewWorkspaces(std::move(*signer));
  const auto workspace = FetchAndProvision();
  for (const auto& [name, value] : workspace->Commands().env) {
    EXPECT_THAT(name + "=" + value, Not(HasSubstr("signing")));
  }
  Write(workspace->Root() / "a.txt", "a\n");
  Take(*workspace);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Data() / "workspaces")) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("private-keys")));
  }
}

}  // namespace
}  // namespace swage
