// SealAudit: gives the entries of the audit log their numbers and hashes (B10).
//
// Apart from the writes that make them, so that none of these waits for another; about a second
// later, and once more when a process stops. Every hour the log says where the chain stands:
// whoever keeps the server's log elsewhere can show later that nothing before was changed.
#pragma once

#include "config/base/clock.h"
#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/store/store.h"

namespace swage {

class SealAudit final : public Duty {
 public:
  static constexpr std::chrono::seconds kEvery{1};
  static constexpr std::chrono::hours kNoteEvery{1};
  static constexpr int kBatch = 500;

  SealAudit(Store& store, Log& log, const Clock& clock) : store_(store), log_(log), clock_(clock) {}
  std::string_view Name() const override { return "seal-audit"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Store& store_;
  Log& log_;
  const Clock& clock_;
  MonotonicTime next_note_{};
};

/// Until nothing is left, or a stop request.
Result<void> SealAll(Store& store, std::stop_token stop);
/// The place to which the chain goes, into the log.
void NoteAuditHead(Store& store, Log& log);

}  // namespace swage
