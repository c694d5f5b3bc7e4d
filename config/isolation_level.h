// The levels at which a task's commands can be kept apart, as settings and policies name them.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace swage {

/// Cheapest first: a later level keeps out all that an earlier one does.
enum class IsolationLevel { kShared, kWorktree, kSandbox, kContainer };

inline constexpr IsolationLevel kIsolationLevels[] = {
    IsolationLevel::kShared, IsolationLevel::kWorktree, IsolationLevel::kSandbox,
    IsolationLevel::kContainer};

std::string_view Name(IsolationLevel level);  ///< "worktree": as written in the YAML and stored
std::optional<IsolationLevel> ParseIsolationLevel(std::string_view name);

/// Some of the levels: what a node can give.
class LevelSet {
 public:
  constexpr LevelSet() = default;
  constexpr LevelSet(std::initializer_list<IsolationLevel> levels) {
    for (const IsolationLevel level : levels) Add(level);
  }
  static constexpr LevelSet All() {
    LevelSet all;
    for (const IsolationLevel level : kIsolationLevels) all.Add(level);
    return all;
  }
  constexpr bool Has(IsolationLevel level) const { return (bits_ & Bit(level)) != 0; }
  constexpr void Add(IsolationLevel level) { bits_ |= Bit(level); }
  constexpr void Add(const LevelSet& levels) { bits_ |= levels.bits_; }
  constexpr bool Empty() const { return bits_ == 0; }
  constexpr bool operator==(const LevelSet&) const = default;

 private:
  static constexpr unsigned Bit(IsolationLevel level) { return 1U << static_cast<unsigned>(level); }

  unsigned bits_ = 0;
};

/// "shared worktree", cheapest first: as stored.
std::string Names(const LevelSet& levels);
/// Words that are no levels (of a newer program) are passed over.
LevelSet ParseLevelSet(std::string_view names);

}  // namespace swage
