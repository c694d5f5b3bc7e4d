// What may become part of a git command line. Pure functions; allow-lists, because git's own rules
// let through what a shell, an option parser or a reader mistakes for something else (T34 to T36).
#pragma once

#include <string>
#include <string_view>

#include "config/base/ids.h"
#include "config/base/result.h"
#include "forge/model.h"

namespace swage {

/// ASCII letters, digits and "._/+@#=-", valid as a ref below refs/heads/, at most 200 bytes.
/// Errors: kInvalid.
Result<void> CheckBranchName(std::string_view branch);

/// 40 lower-case hexadecimal digits. Errors: kInvalid.
Result<void> CheckCommitSha(const CommitSha& sha);

/// The value for GIT_ALLOW_PROTOCOL: "https"; "http" to a loopback host; "file" when allowed.
/// Errors: kInvalid for anything else, and for URLs that hold a user name, a password, blanks or
/// control characters.
Result<std::string> ProtocolFor(std::string_view url, bool allow_file);

/// "https://host:port" of a URL that ProtocolFor accepted.
std::string OriginOf(std::string_view url);

/// The directory name of a repository's mirror: FORGE-REPOID.git. Errors: kInvalid.
Result<std::string> MirrorName(const RepoRef& repo);

/// Takes what `git --version` prints. Errors: kInvalid with the version, what is needed and the
/// fix.
Result<void> CheckGitVersion(std::string_view output);

}  // namespace swage
