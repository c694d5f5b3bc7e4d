// Audit: who did what, when, as a chain of records of which none can be changed, removed or added
// unseen (B10).
//
// hash = SHA-256(the hash before, 32 bytes; then the record's canonical text). The canonical text
// is a row of netstrings ("5:hello,"), so that no two records share one:
//   "swage-audit-1", seq, microseconds since 1970, actor, action, task, subject, detail
// with numbers in decimal. It is part of the format: another wording is another version. Whoever
// keeps one head (SEQ:HASH) outside of the database can show that nothing up to it was touched; the
// server's log has one at every start and stop. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/result.h"

namespace swage {

/// What is known when it happens.
struct AuditEntry {
  std::string actor;    ///< "person/ada", "node/HOST"; "swage" = its own rules
  std::string action;   ///< one of the words below
  std::string task;     ///< TaskKey; empty = about no task
  std::string subject;  ///< "queued > running", "push", "/swage retry"
  std::string detail;   ///< a phrase for people; no secret, no text of a remark
};

namespace audit {

inline constexpr std::string_view kSwage = "swage";

inline constexpr std::string_view kTaskCreated = "task.created";
inline constexpr std::string_view kTaskMoved = "task.moved";        ///< subject "FROM > TO"
inline constexpr std::string_view kTaskClaimed = "task.claimed";    ///< subject "FROM > running"
inline constexpr std::string_view kTaskLevel = "task.level";        ///< subject "sandbox"
inline constexpr std::string_view kTaskOrphaned = "task.orphaned";  ///< its node is gone
inline constexpr std::string_view kRunFinished = "run.finished";    ///< the worker's word
inline constexpr std::string_view kCommand = "command";             ///< obeyed or refused
inline constexpr std::string_view kDeliveryDecided = "delivery.decided";
inline constexpr std::string_view kDeliveryParked = "delivery.parked";
inline constexpr std::string_view kEffectDone = "effect.done";
inline constexpr std::string_view kEffectFailed = "effect.failed";
inline constexpr std::string_view kForgePaused = "forge.paused";
inline constexpr std::string_view kForgeResumed = "forge.resumed";
inline constexpr std::string_view kNodeStarted = "node.started";  ///< detail: the settings' digest
inline constexpr std::string_view kNodeDrains = "node.drains";
inline constexpr std::string_view kNodeStopped = "node.stopped";

std::string Person(std::string_view login);  ///< "person/ada"; kSwage without a login
std::string Node(std::string_view name);     ///< "node/HOST"
std::string Move(std::string_view from, std::string_view to);  ///< "queued > running"

inline constexpr std::size_t kMaxName = 200;    ///< bytes of every field but the detail
inline constexpr std::size_t kMaxDetail = 300;  ///< bytes

/// Each field on one line, valid UTF-8 without control characters, cut at its bound.
AuditEntry Bounded(std::string_view actor, std::string_view action, std::string_view task,
                   std::string_view subject, std::string_view detail);

}  // namespace audit

struct AuditRecord {
  std::int64_t seq = 0;  ///< 1, 2, 3, ... without a gap
  WallTime at{};
  AuditEntry what;
  std::string hash;  ///< 64 hex digits
};

/// A place in the chain: everything up to `seq` is what `hash` says.
struct AuditHead {
  std::int64_t seq = 0;
  std::string hash = std::string(64, '0');  ///< before the first record
  friend bool operator==(const AuditHead&, const AuditHead&) = default;
};

std::string FormatHead(const AuditHead& head);  ///< "SEQ:HASH"
/// Errors: kInvalid.
Result<AuditHead> ParseHead(std::string_view text);

std::string CanonicalText(const AuditRecord& record);
/// The hash that `record` must have after `before`.
std::string AuditHash(const AuditHead& before, const AuditRecord& record);

enum class AuditFault {
  kAltered,    ///< the hash does not follow from the text and the hash before
  kRemoved,    ///< a number is missing
  kInserted,   ///< a number comes twice, or is none
  kReordered,  ///< a number comes later than its place
  kTruncated,  ///< the end is missing
  kRewritten,  ///< a chain of its own, but not the one that was noted
};
std::string_view Name(AuditFault fault);  ///< "altered"

struct AuditBreak {
  AuditFault fault = AuditFault::kAltered;
  std::int64_t seq = 0;  ///< the first record that cannot be trusted
  std::string sentence;  ///< what is wrong there
};

/// Checks a stream of records in the order in which they are kept; memory does not grow with it.
class AuditVerifier {
 public:
  /// `noted`: a head that somebody kept elsewhere.
  explicit AuditVerifier(std::optional<AuditHead> noted = std::nullopt);

  /// False: the chain is broken. Later records are only looked at to tell how.
  bool Add(const AuditRecord& record);
  /// After the last record. `stored`: the head that the database keeps beside the records.
  void Finish(const AuditHead& stored);

  const std::optional<AuditBreak>& broken() const { return broken_; }
  /// The last record that is good.
  const AuditHead& head() const { return head_; }

 private:
  bool Break(AuditFault fault, std::int64_t seq, std::string sentence);

  const std::optional<AuditHead> noted_;
  AuditHead head_;
  std::optional<AuditBreak> broken_;
  std::int64_t missing_to_ = 0;  ///< with kRemoved: the last missing number
};

/// One object of a JSON Lines export, without the line's end. It has every field of the canonical
/// text, so that others can check the chain.
std::string AuditJson(const AuditRecord& record);

}  // namespace swage
