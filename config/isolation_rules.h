// IsolationRules: which evidence about a task asks for which level of isolation (C3).
//
// A rule says: where all of this is so, at least this level, because of that. Every rule that
// applies counts and the highest level wins, so that a further rule can only ever make a task
// safer; that is why a repository's policy may add rules of its own. What is built in is written in
// the same form (BuiltInRules), and is part of the reference.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/isolation_level.h"

namespace swage {

/// Whose words a task goes by: the author, not whoever asked for the work.
enum class Author { kWriter, kOutsider, kBot };

/// What can be so of a task, or not.
enum class Sign {
  kAsksNetwork,     ///< the issue says that the work needs the network
  kGateNetwork,     ///< a gate needs it
  kGateImage,       ///< the policy names a container image
  kNetworkBlocked,  ///< its commands were kept from a host
  kLimitHit,        ///< its commands ran into a limit of memory, processes or disk
};

inline constexpr Author kAuthors[] = {Author::kWriter, Author::kOutsider, Author::kBot};
inline constexpr Sign kSigns[] = {Sign::kAsksNetwork, Sign::kGateNetwork, Sign::kGateImage,
                                  Sign::kNetworkBlocked, Sign::kLimitHit};
std::string_view Name(Author author);  ///< "outsider": as written in the YAML
std::string_view Name(Sign sign);      ///< "asks_network"

/// All that is given must be so; lists: one of them.
struct RuleWhen {
  std::set<Author> author;           ///< empty = whoever
  std::vector<std::string> paths;    ///< globs; the issue names a file like that
  std::vector<std::string> touches;  ///< globs; the change touches a file like that
  std::set<Sign> signs;
  std::optional<int> files_over;  ///< the change touches more files than that
  std::optional<int> text_over;   ///< the issue is longer, in bytes
  bool operator==(const RuleWhen&) const = default;
};

struct IsolationRule {
  RuleWhen when;
  IsolationLevel level = IsolationLevel::kWorktree;
  /// Where the ceiling is below the level, the task waits rather than go on at the ceiling.
  bool require = false;
  std::string because;  ///< for people: "the issue was written by somebody who may not write here"
  bool operator==(const IsolationRule&) const = default;
};

/// What one file says about levels. A server's bounds hold for every repository.
struct IsolationRules {
  std::optional<IsolationLevel> floor;    ///< nothing runs below it
  std::optional<IsolationLevel> ceiling;  ///< nothing goes above it
  std::vector<IsolationRule> rules;
  bool built_in = true;  ///< false: without the built-in rules (a server only)
  std::string image;     ///< of the task's container (a policy only); empty = the server's
};

inline constexpr std::size_t kMaxIsolationRules = 100;

/// The YAML of the built-in rules, for the reference, and what it says.
std::string_view BuiltInRulesText();
const std::vector<IsolationRule>& BuiltInRules();

}  // namespace swage
