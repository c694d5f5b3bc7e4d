// The words of a task's timeline, the same in every engine. Pure.
//
// `kind` is one of the constants below and nothing else; `detail` is a whole phrase for people, on
// one line, so that a list of details reads as a story.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/store/store.h"

namespace swage::timeline {

inline constexpr std::string_view kReceived = "received";     ///< the task was made
inline constexpr std::string_view kQueued = "queued";         ///< another run was asked for
inline constexpr std::string_view kRemark = "remark";         ///< a text for the run under way
inline constexpr std::string_view kDelegated = "delegated";   ///< who may command it changed
inline constexpr std::string_view kPrioritized = "priority";  ///< of the line that it stands in
inline constexpr std::string_view kClaimed = "claimed";       ///< a worker has it
inline constexpr std::string_view kStage = "stage";           ///< the worker goes on
inline constexpr std::string_view kLevel = "level";           ///< kept apart from here on
inline constexpr std::string_view kCycle = "cycle";           ///< gates were run
inline constexpr std::string_view kGivenBack = "given_back";  ///< the worker stops without a result
inline constexpr std::string_view kInterrupted = "interrupted";  ///< the worker is gone
inline constexpr std::string_view kNote = "note";  ///< what the worker wants people to know
inline constexpr std::string_view kPublishing = "publishing";  ///< the run is over, effects remain
inline constexpr std::string_view kPublished = "published";    ///< an effect is done
inline constexpr std::string_view kNotPublished = "not_published";  ///< an effect failed for good
inline constexpr std::string_view kInReview = "in_review";
inline constexpr std::string_view kWaiting = "waiting";
inline constexpr std::string_view kFailed = "failed";
inline constexpr std::string_view kCancelled = "cancelled";
inline constexpr std::string_view kMerged = "merged";
inline constexpr std::string_view kClosed = "closed";

inline constexpr std::size_t kMaxDetail = 300;  ///< bytes

/// `text` on one line, without control characters, at most kMaxDetail bytes.
std::string OneLine(std::string_view text);

std::string Received(std::string_view login, int generation);
std::string Queued(RunKind kind, std::string_view actor, int run);
std::string Delegated(const DelegateChange& change);
std::string Prioritized(Priority priority, std::string_view actor);
std::string Claimed(std::string_view node, int attempt);
std::string Staged(Stage stage, int cycle);
/// "level sandbox: the author may not write here", "up to level sandbox: ...".
std::string Levelled(const LevelStep& step, bool again);
/// That what it waited for is there.
std::string LevelFound(IsolationLevel level);
/// "cycle 1: 2 gates failed (tests, style)", "cycle 2: all gates passed".
std::string Cycled(const CycleRecord& cycle, const std::vector<std::string>& failed_gates);
/// "pull request #2 opened"; empty for effects that tell no story (reactions, statuses, ...).
/// `before` is the task as it was before the facts.
std::string Published(EffectKind kind, const PublishedFacts& facts, const Task& before);
std::string NotPublished(EffectKind kind, std::string_view error);
/// "failed: the agent changed nothing"; the state alone without a reason.
std::string Moved(TaskState to, std::string_view reason);
/// The kind of an entry about that move.
std::string_view KindOfMove(TaskState to);

}  // namespace swage::timeline
