// Takeover: whose the work is. Asked before a claimed task is worked on and before its pull request
// appears: the word that nobody wants it any more may have been lost (X11, X24), and a branch that
// somebody pushed to is theirs (F8, X25).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "forge/forge.h"
#include "pipeline/store/store.h"

namespace swage {

/// Why the work must end, and as what.
struct Objection {
  TaskState to = TaskState::kCancelled;
  std::string reason;
};

/// Asks the forge. A task without a pull request needs its issue, open and (when the label asked
/// for it) labelled; one with a pull request needs that open. Errors: as Forge.
Result<std::optional<Objection>> FindObjection(Forge& forge, Store& store, const Task& task,
                                               std::string_view trigger_label);

/// Says on the pull request that the branch is theirs now: once per head of ours, whoever notices.
/// Pure.
NewEffect TakenOver(const Task& task, std::string_view command_prefix);

}  // namespace swage
