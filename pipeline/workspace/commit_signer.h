// CommitSigner: signs the bot's commits, so that a forge can show who made them (F11).
//
// The signature is made by the program that verifies it everywhere else: ssh-keygen for SSH keys,
// gpg for OpenPGP ones. Each runs with an environment of its own, reads no configuration of a
// repository or a user, asks nobody for a passphrase and is bounded in time. The key is never in
// the environment, the HOME or the workspace of an agent. What keeps an agent from the key's file
// is only that file's permissions, and at the isolation level `worktree` the agent runs as the
// bot's user: whoever signs there trusts the agent with the key as with the bot's other files. Text
// that leaves is searched for the key (Redactor). Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/process.h"
#include "config/base/result.h"
#include "config/settings.h"

namespace swage {

class CommitSigner {
 public:
  virtual ~CommitSigner() = default;
  /// An armored signature of `commit`, the text of a commit object. Blocks for some milliseconds.
  /// Errors: kTimeout; kInternal with what the program said.
  virtual Result<std::string> Sign(std::string_view commit) const = 0;
  /// Which key: "ssh key SHA256:...", "OpenPGP key 9F12...".
  virtual const std::string& KeyName() const = 0;
};

/// Loads the key and signs something with it, to see that it works. An OpenPGP key is copied into
/// `home`, a folder for it alone that is made anew. `processes` must outlive the signer.
/// Errors: kInvalid, as "FILE:LINE: publish.signing_key: what is wrong; what to do".
Result<std::unique_ptr<CommitSigner>> MakeCommitSigner(const SigningKey& key,
                                                       const std::filesystem::path& home,
                                                       ProcessRunner& processes);

}  // namespace swage
