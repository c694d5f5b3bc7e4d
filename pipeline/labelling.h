// What makes an issue ask for work for as long as it stands: the trigger label, or an assignment of
// the bot. Which labels are it, and who asked when, by the forge's own account. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forge/feed.h"
#include "forge/model.h"

namespace swage {

struct Settings;

/// "swage" -> "", "swage:docs" -> "docs"; nothing when none of them is the trigger.
std::optional<std::string> TriggerProfile(const std::vector<std::string>& labels,
                                          std::string_view trigger);
bool IsTrigger(std::string_view label, std::string_view trigger);

struct Triggers {
  std::string label = "swage";  ///< empty: labels ask for nothing
  bool assignee = true;         ///< an assignment of the bot's account asks for work, too
  bool mention = true;          ///< and so does an "@bot ..." that is no command (A2)

  /// Whether a change of these assignees (account ids) is about the bot.
  bool Means(const std::vector<std::string>& accounts, const Actor& self) const;
};

Triggers TriggersFor(const Settings& settings);

/// As it stands now.
bool IsWanted(const Issue& issue, const Triggers& triggers, const Actor& self);

/// One setting of the trigger label, or one assignment, that still stands: however many notices of
/// it come, by webhook and by poll, they are one request (T4).
struct Wish {
  ThreadAct act;
  bool edited_since = false;  ///< the text is no longer what was asked for (T18)
  /// Whoever set the label has changed none since: what they did last is this.
  bool last_of_setter = true;
};

/// `acts` as ForgeFeed::ListActs tells them. Nothing: the label was taken away again, or the forge
/// does not know yet.
std::optional<Wish> CurrentLabelling(const std::vector<ThreadAct>& acts, std::string_view trigger);
/// The same of an assignment of `self`.
std::optional<Wish> CurrentAssignment(const std::vector<ThreadAct>& acts, const Actor& self);

/// The newest act that took an assignment of `self` back; nullptr = none.
const ThreadAct* LastUnassignment(const std::vector<ThreadAct>& acts, const Actor& self);
/// The newest act of a kind (of the trigger label, for the two that have one); nullptr = none.
const ThreadAct* LastAct(const std::vector<ThreadAct>& acts, ThreadAct::Kind kind,
                         std::string_view trigger);

}  // namespace swage
