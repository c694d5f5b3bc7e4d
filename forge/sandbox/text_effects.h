// What text does on a real forge besides being read: it notifies people and it closes issues.
//
// The sandbox does the same, so that a test can show that the bot's text does neither (T41, T42).
// GitLab's quick actions are in quick_actions.h. Called with the world's lock held.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/world.h"

namespace swage::sandbox {

/// Who a Markdown text mentions, as written and without '@': "alice", "acme/team", "all". Code,
/// links and HTML mention nobody; escapes and entities do not help (both forges look at the
/// rendered text).
std::vector<std::string> Mentions(std::string_view markdown);

struct IssueRef {
  std::string repo_path;  ///< empty = the same repository
  std::int64_t number = 0;
  bool operator==(const IssueRef&) const = default;
};
/// The issues that closing keywords of this dialect name in plain words ("Fixes #1", "Closes
/// a/b#2").
std::vector<IssueRef> ClosingRefs(Dialect dialect, std::string_view words);

/// Records a notification for everybody whom the text of this event mentions.
void NotifyMentioned(World& world, const Event& event);

/// Closes what the description and the commits of a merged pull request name.
void CloseNamedIssues(World& world, Repo& repo, const User& actor, const Pull& pull);

}  // namespace swage::sandbox
