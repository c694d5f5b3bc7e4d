#include "forge/sandbox/push_rules.h"

#include <fmt/format.h>

#include <string>
#include <system_error>

#include "config/base/files.h"

namespace swage::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kRunnable = 0755;

fs::path HookOf(const Repo& repo) {
  return repo.git_dir / "hooks" / "pre-receive";
}

/// What the forge says; "$ref" stands for the branch's full name.
std::string_view Words(Dialect dialect, PushRule rule) {
  const bool unsigned_commit = rule == PushRule::kSignedCommits;
  switch (dialect) {
    case Dialect::kGitHub:
      return unsigned_commit ? "error: GH006: Protected branch update failed for $ref.\n"
                               "error: Commits must have verified signatures."
                             : "error: GH006: Protected branch update failed for $ref.\n"
                               "error: Changes must be made through a pull request.";
    case Dialect::kGitLab:
      return unsigned_commit ? "GitLab: Commit must be signed with a GPG key"
                             : "GitLab: You are not allowed to push code to protected branches on "
                               "this project.";
    case Dialect::kGitea:
      return unsigned_commit ? "Gitea: branch $ref is protected from unverified commit"
                             : "Gitea: Not allowed to push to protected branch $ref";
  }
  return "";
}

}  // namespace

Result<void> SetPushRule(Dialect dialect, const Repo& repo, PushRule rule,
                         std::string_view prefix) {
  const std::string broken = rule == PushRule::kSignedCommits
                                 ? "! git cat-file commit \"$new\" | grep -q '^gpgsig '"
                                 : "true";
  SWAGE_RETURN_IF_ERROR(MakeDirs(HookOf(repo).parent_path()));
  return WriteFileAtomic(HookOf(repo),
                         fmt::format("#!/bin/sh\n"
                                     "while read -r old new ref; do\n"
                                     "  case $ref in refs/heads/{}*) ;; *) continue ;; esac\n"
                                     "  if {}; then printf '%s\\n' \"{}\" >&2; exit 1; fi\n"
                                     "done\n",
                                     prefix, broken, Words(dialect, rule)),
                         kRunnable);
}

Result<void> ClearPushRules(const Repo& repo) {
  std::error_code error;
  fs::remove(HookOf(repo), error);
  if (error) return MakeError(ErrorCode::kInternal, error.message());
  return Ok();
}

}  // namespace swage::sandbox
