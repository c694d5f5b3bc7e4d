// Git: the one place that builds a git command line and its environment.
//
// A call names its git directory and work tree, starts from an environment that holds nothing of
// the bot's, reads no configuration but the repository's own (which the bot wrote), and runs no
// hook, fsmonitor, filter, credential helper, pager, editor or foreign transport (T31, T32, T36).
// The credential of a remote travels as an http header in the environment of that one call: never
// on argv, on disk or in a URL (T49). Stateless after construction; safe from many threads.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/process.h"
#include "config/base/result.h"
#include "forge/model.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// The most that a call may print, unless it says otherwise.
inline constexpr std::size_t kGitOutputCap = 64 << 20;

struct GitCall {
  std::filesystem::path git_dir;
  std::filesystem::path work_tree;  ///< empty = the call has none
  std::filesystem::path index;      ///< empty = the git directory's own
  std::vector<std::string> arguments;
  std::string input;                  ///< what it reads; at most 1 MiB
  const GitRemote* remote = nullptr;  ///< for calls that use the network; nothing else may
  std::chrono::milliseconds time_limit{std::chrono::minutes(5)};
  std::size_t output_cap = kGitOutputCap;
  int also_fine = 0;  ///< an exit code that is an answer, too
};

class Git {
 public:
  Git(ProcessRunner& processes, const WorkspaceOptions& options)
      : processes_(processes), options_(options) {}

  /// What the command printed. Errors: as ClassifyGitFailure; kTimeout, kCancelled, kTooLarge;
  /// kNotFound when git is not installed. Messages hold no credential.
  Result<std::string> Run(const GitCall& call, std::stop_token stop = {}) const;
  const CommitSigner* Signer() const { return options_.signer.get(); }
  /// `git --version`, checked (T34).
  Result<void> CheckVersion() const;

 private:
  Result<ProcessSpec> MakeSpec(const GitCall& call) const;

  ProcessRunner& processes_;
  const WorkspaceOptions options_;
};

/// What git's stderr (in the C locale) says about whose fault a failure is. Pure.
ErrorCode ClassifyGitFailure(std::string_view stderr_text);

/// The lines of git's stderr that explain a failure, without user names in URLs, one sentence.
/// Pure.
std::string SummariseGitFailure(std::string_view stderr_text);

}  // namespace swage
