// Isolation: how a task's commands are kept to what is theirs (C3).
//
// A level encloses one task: Enclose gives a ProcessRunner whose every command runs inside, and
// which is otherwise a ProcessRunner like any other, so that agents and gates know nothing of
// levels. Levels are ordered by what they keep out, cheapest first; each states what it guarantees
// on this machine (Guarantees), and the escape suite (tests/escapes) proves each word of it.
//
// An Isolation is made once per process and probed once: what it cannot give here it says at the
// start, with the cause and the fix, and never degrades in silence. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/file_owner.h"
#include "config/base/process.h"
#include "config/base/result.h"
#include "config/isolation_level.h"

namespace swage {

/// A directory that a command sees beside its workspace, under the same path.
struct Shared {
  std::filesystem::path path;
  bool writable = false;
};

/// What one task's commands may see and use, the same for every level. All paths are absolute.
struct Cell {
  std::string name;                 ///< unique on this node: the workspace's name, "7-3fa9"
  std::filesystem::path workspace;  ///< the files
  bool read_only = false;           ///< the workspace cannot be written (level `shared`)
  std::filesystem::path home;       ///< private, writable
  std::filesystem::path tmp;        ///< private, writable
  std::vector<Shared> shares;       ///< hand-off, the mirror's objects, tools, caches
  /// The socket of its egress proxy, for commands with NetworkUse::kAllowList; what it lies in is
  /// bound read-only. Empty = they have no network.
  std::filesystem::path egress = {};
  std::string image;  ///< of a container; empty = the server's
};

/// What a level keeps out, each proven by an attempt.
enum class Guarantee {
  kNoWriteOutside,    ///< files outside of the workspace and its caches
  kNoReadOtherTasks,  ///< files and environment of other tasks
  kNoReadBot,         ///< environment and memory of the bot
  kNoNetwork,         ///< hosts that are not allowed
  kNoBotPorts,        ///< the bot's own ports and sockets
  kNoSurvivors,       ///< processes after the end of the task
  kMemoryLimit,
  kProcessLimit,
  kDiskLimit,
};
inline constexpr Guarantee kGuarantees[] = {
    Guarantee::kNoWriteOutside, Guarantee::kNoReadOtherTasks, Guarantee::kNoReadBot,
    Guarantee::kNoNetwork,      Guarantee::kNoBotPorts,       Guarantee::kNoSurvivors,
    Guarantee::kMemoryLimit,    Guarantee::kProcessLimit,     Guarantee::kDiskLimit};
std::string_view Describe(Guarantee guarantee);  ///< for people: "write outside of the workspace"

/// Whether a level can be given on this machine, found by trying.
struct Ability {
  bool available = false;
  /// Cause and fix: "bwrap is not installed; apt install bubblewrap". Also of an available level
  /// that lacks a guarantee here.
  std::string why_not;
  std::vector<Guarantee> guarantees;

  bool Gives(Guarantee guarantee) const;
};

class Isolation {
 public:
  virtual ~Isolation() = default;
  virtual IsolationLevel Level() const = 0;
  virtual const Ability& Here() const = 0;
  /// Whose files a workspace at this level has to be; nothing = the bot's own.
  virtual std::optional<FileOwner> Owner() const = 0;
  /// A runner for one task; destroying it frees what the level holds for the cell. Errors:
  /// kUnavailable (not available here: Ability::why_not), kInternal.
  virtual Result<std::unique_ptr<ProcessRunner>> Enclose(const Cell& cell) = 0;
};

}  // namespace swage
