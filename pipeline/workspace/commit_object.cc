#include "pipeline/workspace/commit_object.h"

#include <chrono>

#include "config/base/clock.h"

namespace swage {
namespace {

// As git hashes it, and as it is signed.
Result<std::string> Render(git_repository* repository, const CommitDraft& draft) {
  const git_commit* parents[] = {&draft.parent};
  git_buf buffer = GIT_BUF_INIT;
  const int code =
      git_commit_create_buffer(&buffer, repository, &draft.author, &draft.committer, nullptr,
                               draft.message.c_str(), &draft.tree, 1, parents);
  std::string text;
  if (code == 0) text.assign(buffer.ptr, buffer.size);
  git_buf_dispose(&buffer);
  if (code != 0) return git2::FailureOf(code, "render a commit");
  return text;
}

}  // namespace

Result<git2::Signature> SignatureOf(const CommitIdentity& identity) {
  git_signature* raw = nullptr;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().Now().time_since_epoch());
  const int code =
      git_signature_new(&raw, identity.name.c_str(), identity.email.c_str(), seconds.count(), 0);
  if (code != 0) return git2::FailureOf(code, "author of a commit");
  return git2::Signature(raw);
}

Result<CommitSha> WriteCommit(git_repository* repository, const CommitDraft& draft,
                              const CommitSigner* signer) {
  SWAGE_ASSIGN_OR_RETURN(const std::string text, Render(repository, draft));
  std::string signature;
  if (signer != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(signature, signer->Sign(text));
  }
  git_oid oid;
  const int code = git_commit_create_with_signature(
      &oid, repository, text.c_str(), signature.empty() ? nullptr : signature.c_str(), nullptr);
  if (code != 0) return git2::FailureOf(code, "write a commit");
  return CommitSha{git2::Hex(oid)};
}

}  // namespace swage
