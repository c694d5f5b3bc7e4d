#include "pipeline/maintenance/seal_audit.h"

namespace swage {

Result<void> SealAll(Store& store, std::stop_token stop) {
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const int sealed, store.SealAudit(SealAudit::kBatch));
    if (sealed < SealAudit::kBatch || stop.stop_requested()) return Ok();
  }
}

void NoteAuditHead(Store& store, Log& log) {
  const auto state = store.GetAuditState();
  if (state.ok()) log.Info("audit log", {{"head", FormatHead(state->head)}});
}

Result<void> SealAudit::RunOnce(std::stop_token stop) {
  SWAGE_RETURN_IF_ERROR(SealAll(store_, std::move(stop)));
  const MonotonicTime now = clock_.Monotonic();
  if (next_note_ == MonotonicTime{}) next_note_ = now + kNoteEvery;  // the start said it already
  if (now < next_note_) return Ok();
  NoteAuditHead(store_, log_);
  next_note_ = now + kNoteEvery;
  return Ok();
}

}  // namespace swage
