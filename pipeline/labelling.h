// The trigger label: which labels are it, and who set it when, by the forge's own account. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forge/feed.h"

namespace swage {

/// "swage" -> "", "swage:docs" -> "docs"; nothing when none of them is the trigger.
std::optional<std::string> TriggerProfile(const std::vector<std::string>& labels,
                                          std::string_view trigger);
bool IsTrigger(std::string_view label, std::string_view trigger);

/// One setting of the trigger label that still stands: however many notices of it come, by webhook
/// and by poll, they are one request (T4).
struct Labelling {
  ThreadAct act;
  bool edited_since = false;  ///< the text is no longer what it was set for (T18)
  /// Whoever set it has changed no label since: what they did last is this.
  bool last_of_setter = true;
};

/// `acts` as ForgeFeed::ListActs tells them. Nothing: the label was taken away again, or the forge
/// does not know yet.
std::optional<Labelling> CurrentLabelling(const std::vector<ThreadAct>& acts,
                                          std::string_view trigger);

/// The newest act of a kind (of the trigger label, for the two that have one); nullptr = none.
const ThreadAct* LastAct(const std::vector<ThreadAct>& acts, ThreadAct::Kind kind,
                         std::string_view trigger);

}  // namespace swage
