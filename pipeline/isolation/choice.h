// Choice: at which level a task runs, and why (C3). Pure: facts and rules in, decision out.
//
// The level is the highest that any rule asks for, within the bounds of the server and of the
// repository's policy. It is asked again with more evidence after every snapshot; evidence is only
// ever added, so the answer never falls.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/isolation_rules.h"
#include "config/repo_policy.h"

namespace swage {

/// What is known about a task: from the start, and what its run brought up.
struct Evidence {
  Author author = Author::kOutsider;  ///< of the issue
  bool reads_only = false;            ///< the profile asks for nothing but an answer
  /// A directive in the issue. Whoever wrote it, it can only add to what the rules ask for.
  std::optional<IsolationLevel> asked;
  std::vector<std::string> paths;  ///< that the issue names
  std::size_t text_bytes = 0;
  std::set<Sign> signs;
  std::vector<std::string> touched;  ///< by the change so far
};

struct Choice {
  IsolationLevel level = IsolationLevel::kWorktree;
  /// Why that and nothing cheaper; one at least. Sentences without a full stop.
  std::vector<std::string> reasons;
  /// More was asked for than the ceiling allows, and it goes on at the ceiling.
  std::optional<IsolationLevel> short_of;
  /// Not empty: it must not run, and this is why and what to do.
  std::string refusal;
};

Choice ChooseLevel(const Evidence& evidence, const IsolationRules& server,
                   const IsolationRules& policy);

/// What an issue's text says about how it wants to be kept apart: its front matter, and the files
/// that it names.
struct Directives {
  std::optional<IsolationLevel> isolation;
  bool network = false;
  std::vector<std::string> paths;  ///< the scope, and whatever looks like a file in the text
};
Directives ReadDirectives(std::string_view text);

/// What gates and policy need.
std::set<Sign> SignsOf(const RepoPolicy& policy);

}  // namespace swage
