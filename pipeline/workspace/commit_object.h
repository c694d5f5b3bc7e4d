// The bot's own commits: rendered, signed, and written into the mirror. Nothing refers to them yet.
#pragma once

#include <string>

#include "pipeline/workspace/commit_signer.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

struct CommitDraft {
  const git_commit& parent;
  const git_tree& tree;
  const git_signature& author;
  const git_signature& committer;
  const std::string& message;
};

/// Of `identity`, now.
Result<git2::Signature> SignatureOf(const CommitIdentity& identity);

/// `signer` may be null. Errors: the signer's, kInternal.
Result<CommitSha> WriteCommit(git_repository* repository, const CommitDraft& draft,
                              const CommitSigner* signer);

}  // namespace swage
