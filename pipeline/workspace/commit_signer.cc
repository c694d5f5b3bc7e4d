#include "pipeline/workspace/commit_signer.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::chrono::seconds kSignLimit{20};
constexpr std::chrono::milliseconds kAgentGrace{500};  // gpg leaves its agent behind
constexpr std::size_t kMaxSignatureBytes = 16 << 10;
constexpr std::string_view kProbe = "Swage looks whether this key can sign.\n";

Result<std::string> RunSigner(ProcessRunner& processes, std::vector<std::string> argv,
                              std::string_view input) {
  const char* path = std::getenv("PATH");
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.env = {{"PATH", path != nullptr && *path != '\0' ? path : std::string(kCommandPath)},
              {"HOME", "/nonexistent"},
              {"LC_ALL", "C"},
              {"SSH_ASKPASS_REQUIRE", "never"}};
  spec.cwd = "/";
  spec.stdin_bytes = input;
  spec.time_limit = kSignLimit;
  spec.kill_grace = kAgentGrace;
  spec.merge_stderr = false;
  Result<std::string> output = RunAndCapture(processes, std::move(spec), kMaxSignatureBytes);
  if (output.ok()) return output;
  return MakeError(output.error().code, ReplaceAll(output.error().message, "\n", "; "));
}

// Without the line break at its end: in a commit it would be a line of its own.
Result<std::string> SignatureIn(const Result<std::string>& output) {
  if (!output.ok()) return output.error().With("cannot sign");
  const std::string_view signature = Trim(*output);
  if (!signature.starts_with("-----BEGIN ")) {
    return MakeError(ErrorCode::kInternal, "cannot sign: the program printed no signature");
  }
  return std::string(signature);
}

class SshSigner final : public CommitSigner {
 public:
  SshSigner(std::string file, ProcessRunner& processes)
      : file_(std::move(file)), processes_(processes) {}

  Result<void> Load() {
    // "256 SHA256:... comment (ED25519)"
    SWAGE_ASSIGN_OR_RETURN(const std::string line,
                           RunSigner(processes_, {"ssh-keygen", "-l", "-f", file_}, ""));
    const auto words = Split(line, ' ');
    name_ = fmt::format("ssh key {}", words.size() > 1 ? words[1] : "");
    return Ok();
  }

  // The namespace is part of what is signed; git's own is "git".
  Result<std::string> Sign(std::string_view commit) const override {
    return SignatureIn(
        RunSigner(processes_, {"ssh-keygen", "-Y", "sign", "-n", "git", "-f", file_}, commit));
  }
  const std::string& KeyName() const override { return name_; }

 private:
  const std::string file_;
  ProcessRunner& processes_;
  std::string name_;
};

class OpenPgpSigner final : public CommitSigner {
 public:
  OpenPgpSigner(std::filesystem::path home, ProcessRunner& processes)
      : home_(std::move(home)), processes_(processes) {}

  Result<void> Load(const std::string& file) {
    SWAGE_RETURN_IF_ERROR(RemoveTree(home_));
    SWAGE_RETURN_IF_ERROR(MakeDirs(home_));
    SWAGE_ASSIGN_OR_RETURN(const std::string status,
                           Gpg({"--status-fd", "1", "--import", file}, ""));
    SWAGE_ASSIGN_OR_RETURN(fingerprint_, OnlySecretKey(status));
    name_ = "OpenPGP key " + fingerprint_;
    return Ok();
  }

  Result<std::string> Sign(std::string_view commit) const override {
    return SignatureIn(Gpg({"--armor", "--detach-sign", "--local-user", fingerprint_}, commit));
  }
  const std::string& KeyName() const override { return name_; }

 private:
  Result<std::string> Gpg(std::vector<std::string> arguments, std::string_view input) const {
    std::vector<std::string> argv = {"gpg",          "--homedir",       home_.string(),
                                     "--no-options", "--batch",         "--no-tty",
                                     "--quiet",      "--pinentry-mode", "loopback"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunSigner(processes_, std::move(argv), input);
  }

  // "[GNUPG:] IMPORT_OK FLAGS FINGERPRINT", where 16 among the flags says that it is a secret key.
  static Result<std::string> OnlySecretKey(std::string_view status) {
    constexpr std::int64_t kSecret = 16;
    std::vector<std::string> found;
    for (const std::string_view line : SplitLines(status)) {
      const auto words = Split(line, ' ');
      if (words.size() < 4 || words[1] != "IMPORT_OK") continue;
      const auto flags = ParseInt(words[2]);
      if (flags && (*flags & kSecret) != 0) found.emplace_back(words[3]);
    }
    if (found.size() == 1) return found.front();
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("the file holds {} private keys, not one", found.size()));
  }

  const std::filesystem::path home_;
  ProcessRunner& processes_;
  std::string fingerprint_;
  std::string name_;
};

struct Help {
  std::string_view package;
  std::string by_hand;
};

Error Unusable(const SigningKey& key, const Error& why, const Help& help) {
  const std::string fix =
      why.code == ErrorCode::kNotFound
          ? fmt::format("install {}", help.package)
          : fmt::format("it must be one key without a passphrase; to see more: {}", help.by_hand);
  return MakeError(ErrorCode::kInvalid, fmt::format("{}: {}; {}", key.where, why.message, fix));
}

}  // namespace

Result<std::unique_ptr<CommitSigner>> MakeCommitSigner(const SigningKey& key,
                                                       const std::filesystem::path& home,
                                                       ProcessRunner& processes) {
  std::unique_ptr<CommitSigner> signer;
  Result<void> loaded = Ok();
  Help help;
  switch (key.kind) {
    case SigningKey::Kind::kSsh: {
      auto ssh = std::make_unique<SshSigner>(key.file.string(), processes);
      loaded = ssh->Load();
      signer = std::move(ssh);
      help = {"openssh-client", fmt::format("ssh-keygen -y -f {}", key.file.string())};
      break;
    }
    case SigningKey::Kind::kOpenPgp: {
      auto pgp = std::make_unique<OpenPgpSigner>(home, processes);
      loaded = pgp->Load(key.file.string());
      signer = std::move(pgp);
      help = {"gnupg", fmt::format("gpg --show-keys {}", key.file.string())};
      break;
    }
  }
  if (!loaded.ok()) return Unusable(key, loaded.error(), help);
  if (const auto probe = signer->Sign(kProbe); !probe.ok()) {
    return Unusable(key, probe.error(), help);
  }
  return signer;
}

}  // namespace swage
