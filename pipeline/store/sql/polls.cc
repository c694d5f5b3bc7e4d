// What the polls remember, and what they ask before they trouble a forge.
#include "pipeline/store/sql/operations.h"

namespace swage::sql {
namespace {

PollMark ReadMark(Row& row) {
  return {row.Text(), row.Text(), row.Text()};
}

}  // namespace

Result<std::optional<PollMark>> GetPoll(Connection& db, std::string_view key) {
  return db.One("GetPoll", ReadMark, key);
}

Result<void> SetPoll(Tx& tx, const PollMark& mark) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("SetPoll", mark.key, mark.cursor, mark.etag, tx.now));
  return Ok();
}

Result<void> ForgetPoll(Tx& tx, std::string_view key) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("ForgetPoll", key));
  return Ok();
}

Result<std::vector<PollMark>> ListPolls(Connection& db, std::string_view prefix, int limit) {
  return db.All("ListPolls", ReadMark, prefix, limit);
}

Result<bool> IsObeyed(Connection& db, std::string_view command_key) {
  return db.Any("IsObeyed", command_key);
}

Result<bool> HasDelivery(Connection& db, std::string_view forge, std::string_view key) {
  return db.Any("HasDelivery", forge, key);
}

Result<bool> HasDeliverySince(Connection& db, std::string_view forge, WallTime since) {
  return db.Any("HasDeliverySince", forge, since);
}

Result<bool> IsByLabel(Connection& db, TaskId task) {
  return db.Any("IsByLabel", task);
}

}  // namespace swage::sql
