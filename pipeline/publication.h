// Publication: from a run's result to the outbox effects that show it. Pure.
//
// The order of the effects is the order of the work: branch, pull request, statuses, review,
// resolved threads. What is posted as line comments are the findings in files that the change
// touches; the others are listed in the review's body, because they are not the change's doing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/messages.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

inline constexpr std::size_t kMaxLineComments = 30;

struct PublicationInput {
  messages::RunReport report;
  DiffSummary diff;
  std::vector<LedgerFinding> ledger;  ///< what earlier runs posted
  std::string when_red;               ///< "draft" or "comment"
  std::vector<Remark> remarks = {};   ///< what people said in threads of the diff, and elsewhere
  /// Paths that differ from what was published before.
  std::vector<std::string> changed = {};
  std::string command_prefix = {};
};

/// The agent's own line about a thread, "thread ID: words", in its last message; empty = none.
std::string WordsAboutThread(std::string_view summary, std::string_view thread_id);

/// The outcome to hand to Store::FinishRun: state, reason, findings and effects.
RunOutcome Publication(const PublicationInput& input);

}  // namespace swage
