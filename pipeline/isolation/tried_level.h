// What the levels of namespaces have in common: they are looked at once, when somebody first asks,
// and where the bot is root their commands belong to an unprivileged user.
#pragma once

#include <unistd.h>

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/isolation/levels.h"

namespace swage {

/// Thread-safe. A level fills ability_ in Look, which nothing else writes.
class TriedLevel : public Isolation {
 public:
  TriedLevel(IsolationOptions options, ProcessRunner& processes)
      : options_(std::move(options)), processes_(processes), root_(geteuid() == 0) {}

  const Ability& Here() const final {
    std::call_once(looked_, [this] { Look(); });
    return ability_;
  }

  std::optional<FileOwner> Owner() const final {
    return root_ ? std::optional(options_.user) : std::nullopt;
  }

  Result<std::unique_ptr<ProcessRunner>> Enclose(const Cell& cell) final {
    if (!Here().available) return MakeError(ErrorCode::kUnavailable, ability_.why_not);
    return EncloseHere(cell);
  }

 protected:
  /// Tries the level, and says in ability_ what came of it. Blocks for seconds at most.
  virtual void Look() const = 0;
  /// As Enclose, on a machine that has the level.
  virtual Result<std::unique_ptr<ProcessRunner>> EncloseHere(const Cell& cell) const = 0;

  /// What namespaces keep out by themselves.
  static std::vector<Guarantee> OfNamespaces() {
    return {Guarantee::kNoWriteOutside, Guarantee::kNoReadOtherTasks, Guarantee::kNoReadBot,
            Guarantee::kNoNetwork,      Guarantee::kNoBotPorts,       Guarantee::kNoSurvivors};
  }
  /// Whose the commands are.
  FileOwner User() const { return root_ ? options_.user : FileOwner{geteuid(), getegid()}; }

  const IsolationOptions options_;
  ProcessRunner& processes_;
  const bool root_;
  mutable Ability ability_;

 private:
  mutable std::once_flag looked_;
};

}  // namespace swage
