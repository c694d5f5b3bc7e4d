// The audit log: entries come in the transactions that they tell of, without a number, so that
// nobody waits for anybody else; a sealer gives them numbers and hashes a moment later.
#include "pipeline/audit.h"

#include <fmt/format.h>

#include "pipeline/store/sql/operations.h"

namespace swage::sql {
namespace {

struct Unsealed {
  std::int64_t id = 0;
  AuditRecord record;
};

AuditEntry ReadEntry(Row& row) {
  return {row.Text(), row.Text(), row.Text(), row.Text(), row.Text()};
}

AuditHead ReadHead(Row& row) {
  return {row.Int(), row.Text()};
}

Result<AuditHead> TheHead(Connection& db, std::string_view query) {
  SWAGE_ASSIGN_OR_RETURN(std::optional<AuditHead> head, db.One(query, ReadHead));
  if (!head.has_value()) return MakeError(ErrorCode::kInternal, "audit_head has no row");
  return *std::move(head);
}

}  // namespace

Result<void> AddAudit(Tx& tx, std::string_view actor, std::string_view action,
                      std::string_view task, std::string_view subject, std::string_view detail) {
  const AuditEntry e = audit::Bounded(actor, action, task, subject, detail);
  SWAGE_RETURN_IF_ERROR(
      tx.db.Post("AddAudit", tx.now, e.actor, e.action, e.task, e.subject, e.detail));
  return Ok();
}

Result<int> SealAudit(Tx& tx, int limit) {
  // The row of the head is taken first: whoever else seals waits here, and then sees what is left.
  SWAGE_ASSIGN_OR_RETURN(AuditHead head, TheHead(tx.db, "LockAuditHead"));
  const auto read = [](Row& row) {
    Unsealed unsealed;
    unsealed.id = row.Int();
    unsealed.record.at = row.Time();
    unsealed.record.what = ReadEntry(row);
    return unsealed;
  };
  SWAGE_ASSIGN_OR_RETURN(std::vector<Unsealed> rows, tx.db.All("ListUnsealed", read, limit));
  for (Unsealed& row : rows) {
    row.record.seq = head.seq + 1;
    head.hash = AuditHash(head, row.record);
    head.seq = row.record.seq;
    SWAGE_RETURN_IF_ERROR(tx.db.Post("SealRecord", row.id, head.seq, head.hash));
  }
  if (!rows.empty()) SWAGE_RETURN_IF_ERROR(tx.db.Post("SetAuditHead", head.seq, head.hash));
  return static_cast<int>(rows.size());
}

Result<std::vector<AuditRecord>> ListAudit(Connection& db, std::int64_t after, int limit) {
  const auto read = [](Row& row) {
    AuditRecord record;
    record.seq = row.Int();
    record.hash = row.Text();
    record.at = row.Time();
    record.what = ReadEntry(row);
    return record;
  };
  return db.All("ListAudit", read, after, limit);
}

Result<AuditState> GetAuditState(Connection& db) {
  AuditState state;
  SWAGE_ASSIGN_OR_RETURN(state.head, TheHead(db, "AuditHead"));
  SWAGE_ASSIGN_OR_RETURN(state.unsealed, db.Number("CountUnsealed"));
  return state;
}

}  // namespace swage::sql
