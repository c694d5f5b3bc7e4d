// The makers of the levels; see isolation.h for what a level is.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/base/limits.h"
#include "pipeline/isolation/isolation.h"

namespace swage {

struct IsolationOptions {
  std::filesystem::path enter;  ///< swage-enter
  std::filesystem::path state;  ///< a folder of the bot's own, for what sandboxes show; made
  FileOwner user{65'432,
                 65'432};  ///< whose commands are, from the sandbox up, where the bot is root
  std::vector<std::filesystem::path> shown;    ///< read-only, beside the system's own programs
  std::vector<std::filesystem::path> written;  ///< by every task
  std::string container = "podman";            ///< or another engine with its command line
  std::string image;                           ///< where a cell names none
  /// By what the runner keeps commands to their limits; none = it is not known to.
  std::vector<LimitKeeper> limits;
  std::string instance;  ///< tells this bot's containers from those of others on the machine
};

/// By what a level keeps a limit, in a word: "cgroup v1", "counting", "rlimit", or the engine of
/// containers; empty = by nothing. What an engine keeps, it does where Ability::guarantees says so.
std::string KeeperOf(Guarantee limit, IsolationLevel level, const IsolationOptions& options);
/// The limits that the runner keeps, at every level whose commands it sees.
std::vector<Guarantee> LimitsOfRunner(const IsolationOptions& options);

/// The bot's own user, in a process tree, HOME and TMPDIR of the task's own; with Landlock it
/// writes nowhere else.
std::unique_ptr<Isolation> MakeWorktreeLevel(const IsolationOptions& options,
                                             ProcessRunner& processes);
/// As worktree, and the workspace cannot be written either: for roles that only read. Needs
/// Landlock.
std::unique_ptr<Isolation> MakeSharedLevel(const IsolationOptions& options,
                                           ProcessRunner& processes);
/// Namespaces by bubblewrap: nothing of the machine but its programs, read-only.
std::unique_ptr<Isolation> MakeSandboxLevel(const IsolationOptions& options,
                                            ProcessRunner& processes);
/// A container of an image that is on this machine.
std::unique_ptr<Isolation> MakeContainerLevel(const IsolationOptions& options,
                                              ProcessRunner& processes);

}  // namespace swage
