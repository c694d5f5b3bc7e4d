// Keys made for one test by the real ssh-keygen and gpg, and the real `git verify-commit`.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "config/base/process.h"
#include "config/settings.h"

namespace swage::test {

// Configuration as a person has it who verifies; no other is read.
inline Result<std::string> RunAsVerifier(ProcessRunner& processes,
                                         const std::filesystem::path& home,
                                         std::vector<std::string> argv) {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
              {"HOME", home.string()},
              {"GNUPGHOME", (home / "gnupg").string()},
              {"GIT_CONFIG_NOSYSTEM", "1"}};
  spec.cwd = home;
  spec.merge_stderr = false;
  spec.kill_grace = std::chrono::milliseconds(500);
  return RunAndCapture(processes, std::move(spec));
}

/// A new key in `dir`/signer, which is the HOME of whoever verifies with it.
class TestKey {
 public:
  virtual ~TestKey() = default;
  const std::filesystem::path& file() const { return file_; }
  SigningKey Setting() const { return {kind_, file_, "swage.yml:7: publish.signing_key"}; }
  /// What git says about the signature of a commit; fails when it is not good.
  Result<std::string> Verify(const std::filesystem::path& git_dir, const std::string& commit) {
    return Run({"git", "--git-dir=" + git_dir.string(), "verify-commit", "--raw", commit});
  }

 protected:
  TestKey(SigningKey::Kind kind, const std::filesystem::path& dir, ProcessRunner& processes)
      : kind_(kind), home_(dir / "signer"), file_(home_ / "key"), processes_(processes) {
    EXPECT_TRUE(MakeDirs(home_ / "gnupg").ok());
  }
  Result<std::string> Run(std::vector<std::string> argv) {
    return RunAsVerifier(processes_, home_, std::move(argv));
  }
  std::string MustRun(std::vector<std::string> argv) {
    auto output = Run(std::move(argv));
    EXPECT_TRUE(output.ok()) << (output.ok() ? "" : output.error().message);
    return output.ok() ? *output : "";
  }

  const SigningKey::Kind kind_;
  const std::filesystem::path home_;
  const std::filesystem::path file_;
  ProcessRunner& processes_;
};

class SshKey final : public TestKey {
 public:
  SshKey(const std::filesystem::path& dir, ProcessRunner& processes,
         const std::string& passphrase = "")
      : TestKey(SigningKey::Kind::kSsh, dir, processes) {
    MustRun({"ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", file_});
    const auto half = ReadFile(file_.string() + ".pub");
    EXPECT_TRUE(half.ok());
    const auto allowed = home_ / "allowed";
    EXPECT_TRUE(WriteFileAtomic(allowed, "swage@localhost " + (half.ok() ? *half : "")).ok());
    MustRun({"git", "config", "--global", "gpg.ssh.allowedSignersFile", allowed});
  }
};

class OpenPgpKey final : public TestKey {
 public:
  OpenPgpKey(const std::filesystem::path& dir, ProcessRunner& processes,
             const std::string& passphrase = "")
      : TestKey(SigningKey::Kind::kOpenPgp, dir, processes) {
    Gpg(passphrase, {"--quick-gen-key", "Swage <swage@localhost>", "ed25519", "sign", "never"});
    const std::string secret = Gpg(passphrase, {"--armor", "--export-secret-keys"});
    EXPECT_TRUE(WriteFileAtomic(file_, secret).ok());
  }

 private:
  std::string Gpg(const std::string& passphrase, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"gpg", "--batch", "--quiet", "--pinentry-mode", "loopback",
                                         "--passphrase", passphrase});
    return MustRun(std::move(arguments));
  }
};

}  // namespace swage::test
