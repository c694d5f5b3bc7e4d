// The `.git` that an agent sees: a private directory that borrows the mirror's objects.
//
// Everything the agent writes with git stays in there; the bot never reads it back. It is written
// anew at every checkpoint, so that what an agent planted in it does not survive into the gates.
#pragma once

#include <filesystem>
#include <string>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage {

struct PrivateGitDir {
  std::filesystem::path root;     ///< the work tree
  std::filesystem::path objects;  ///< of the mirror
  std::filesystem::path index;    ///< of the trusted side; copied
  std::string branch;
  CommitSha commit;
};

/// Replaces whatever `.git` is in the root: a directory, a file, a link (which is not followed).
Result<void> WritePrivateGitDir(const PrivateGitDir& spec);

/// Its two halves, for a base and the overlays on it. The first holds what tasks may share, but no
/// branch; its index is another name for `index`. The second goes over it.
Result<void> WriteSharedGitDir(const std::filesystem::path& root,
                               const std::filesystem::path& objects,
                               const std::filesystem::path& index);
Result<void> WriteOwnGitDir(const std::filesystem::path& root, const std::string& branch,
                            const CommitSha& commit);

}  // namespace swage
