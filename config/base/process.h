// ProcessRunner: runs a command that nobody trusts, and leaves nothing of it behind.
//
// Every command of an agent, a gate or git goes through this seam. What an implementation owes:
//   - argv only, never a shell; null stdin (or the given bytes); its own session; no inherited
//     descriptor above 2; the environment given here and nothing else;
//   - output streamed to the sink as it comes, interleaved as written, bounded by `output_cap`:
//     past the cap it is still drained (the command never blocks) but dropped and counted;
//   - when the command ends, is stopped, or exceeds a limit, the whole tree is dead before Run
//     returns, also children that called setsid or double-forked; TERM first, KILL after
//     `kill_grace`;
//   - when the bot itself dies (kill -9), the tree dies too;
//   - limits hold for the whole tree, as well as this machine can (config/base/limits.h says how);
//     whoever exceeds one is killed, and the result names the limit.
// Run blocks the calling thread; many threads may call it at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "config/base/start_report.h"

namespace swage {

class CommandGroups;

/// What a command's whole tree may use at most; 0 = no limit of ours.
struct ResourceLimits {
  std::uint64_t memory_bytes = 0;
  std::uint64_t file_bytes = 0;  ///< of one file
  std::uint64_t disk_bytes = 0;  ///< held below ProcessSpec::disk_roots, by measured use
  int processes = 0;             ///< threads count
  int open_files = 0;            ///< per process
  double cpus = 0;               ///< 1.5 = one and a half cores

  bool operator==(const ResourceLimits&) const = default;
};

/// What a command's whole tree used, as far as it could be counted; 0 = unknown.
struct ResourceUse {
  std::chrono::milliseconds cpu{0};
  std::chrono::milliseconds cpu_held_back{0};  ///< spent waiting because of ResourceLimits::cpus
  std::uint64_t peak_memory_bytes = 0;  ///< without control groups: of the largest process alone
};

/// What a command may reach. Only a runner that encloses its commands can keep any of it: the plain
/// one gives the host's network to all.
enum class NetworkUse {
  kHost,
  kAllowList,  ///< the hosts of the server's allow-list, through its proxy
  kNone,
};

struct ProcessSpec {
  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH of `env` when it has no '/'
  std::map<std::string, std::string> env;      ///< the whole environment
  std::string cwd;                             ///< absolute
  std::string stdin_bytes;                     ///< at most 1 MiB; empty = /dev/null
  std::chrono::milliseconds time_limit{0};     ///< wall time; 0 = none
  std::chrono::milliseconds silence_limit{0};  ///< time without output; 0 = none
  std::chrono::milliseconds kill_grace{2000};
  std::size_t output_cap = 64 << 20;  ///< bytes handed to the sink at most
  ResourceLimits limits = {};
  std::vector<std::string> disk_roots = {};  ///< absolute; what limits.disk_bytes counts
  NetworkUse network = NetworkUse::kHost;
  /// The command is an enclosure that tells on kStartReportFd whether what it encloses began.
  bool reports_start = false;
  bool merge_stderr = true;  ///< false: stderr goes to ProcessResult::stderr_tail only
};

enum class ProcessEnd {
  kExited,
  kSignalled,
  kTimedOut,          ///< time_limit
  kSilent,            ///< silence_limit
  kStopped,           ///< the stop token
  kOutOfMemory,       ///< limits.memory_bytes
  kTooManyProcesses,  ///< limits.processes, where they could only be counted
  kDiskFull,          ///< limits.disk_bytes
  kFileTooLarge,      ///< limits.file_bytes
};

struct ProcessResult {
  ProcessEnd end = ProcessEnd::kExited;
  int exit_code = 0;  ///< with kExited
  int signal = 0;     ///< with kSignalled
  std::chrono::milliseconds duration{0};
  std::size_t output_bytes = 0;      ///< written by the command, whether kept or dropped
  std::size_t dropped_bytes = 0;     ///< beyond output_cap
  std::string stderr_tail;           ///< last 16 KiB when !merge_stderr
  std::optional<StartReport> start;  ///< the last one, with ProcessSpec::reports_start
  int leftover_processes = 0;  ///< descendants that had to be killed after the command itself ended
  ResourceUse use;
  /// What it wanted beyond its limits, also if it went on: "it used more than 2 GiB of memory
  /// (isolation.limits.memory)"; empty = nothing.
  std::string excess;

  bool Succeeded() const { return end == ProcessEnd::kExited && exit_code == 0; }
  /// "exit code 2", "killed by signal 9", "timed out after 5 min 0 s", "killed: it used more than 2
  /// GiB of memory (isolation.limits.memory)", ...
  std::string Describe() const;
};

class ProcessRunner {
 public:
  using Sink = std::function<void(std::string_view)>;

  virtual ~ProcessRunner() = default;
  /// Errors: kNotFound (no such command), kInternal (cannot start). Everything else is a
  /// ProcessResult.
  virtual Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                                    std::stop_token stop) = 0;
};

/// posix_spawn of swage-supervise, which is the subreaper of the command's tree. `supervisor` is
/// the path of that executable. Limits that only control groups can keep are kept by `groups`;
/// without it (and without the controllers on this machine) by rlimits and by measuring.
std::unique_ptr<ProcessRunner> MakePosixProcessRunner(
    std::string supervisor, std::shared_ptr<CommandGroups> groups = nullptr);

/// Where a helper program is, relative to the running executable: beside it or in ../libexec/swage.
/// Errors: kNotFound.
Result<std::string> FindHelper(std::string_view name);
inline Result<std::string> FindSupervisor() {
  return FindHelper("swage-supervise");
}

/// Collects output (at most `cap` bytes) of a short command. Errors as Run, and kInternal with the
/// tail of the output when the command fails.
Result<std::string> RunAndCapture(ProcessRunner& runner, ProcessSpec spec,
                                  std::size_t cap = 8 << 20);

}  // namespace swage
