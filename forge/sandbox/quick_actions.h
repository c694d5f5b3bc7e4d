// GitLab's quick actions: lines of a text that are commands ("/close"), also when the API posts
// them.
//
// The sandbox really runs some of them, so that a test can show that the bot's text runs none
// (T43).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/world.h"

namespace swage::sandbox {

struct QuickAction {
  std::string name;      ///< "close", lower case
  std::string argument;  ///< the rest of the line
};

struct ActionText {
  std::string text;  ///< without the lines of the actions
  std::vector<QuickAction> actions;
};

/// Known commands only: any other line that starts with '/' stays text. Code blocks and quotes are
/// left alone.
ActionText TakeQuickActions(std::string_view text);

/// Runs those that `actor` may run; returns GitLab's summary of what was done. `pull` is nullptr on
/// issues, else the merge request that `thread` is.
std::vector<std::string> RunQuickActions(World& world, Repo& repo, const User& actor, Issue& thread,
                                         Pull* pull, const std::vector<QuickAction>& actions);

}  // namespace swage::sandbox
