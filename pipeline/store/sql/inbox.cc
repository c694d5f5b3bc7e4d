#include <fmt/format.h>

#include "pipeline/store/sql/operations.h"

namespace swage::sql {

Delivery ReadDelivery(Row& row) {
  Delivery d;
  d.id.value = row.Int();
  d.what.forge = row.Text();
  d.what.key = row.Text();
  d.what.event = row.Text();
  d.received = row.Time();
  d.attempts = row.Small();
  return d;
}

Result<bool> HoldDelivery(Tx& tx, DeliveryId id, const TakeRequest& request) {
  SWAGE_ASSIGN_OR_RETURN(const int held, tx.db.Run("HoldDelivery", id, request.node,
                                                   tx.engine_now + request.hold, tx.engine_now));
  return held > 0;
}

Result<void> ReleaseDeliveries(Tx& tx, std::string_view node) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("ReleaseDeliveries", node));
  return Ok();
}

Result<void> DeferDelivery(Tx& tx, DeliveryId id, std::string_view error,
                           std::chrono::milliseconds delay, Blame blame) {
  SWAGE_ASSIGN_OR_RETURN(const int changed,
                         tx.db.Run("DeferDelivery", id, error, tx.engine_now + delay,
                                   blame == Blame::kItself ? 1 : 0));
  if (changed == 0) {
    return MakeError(ErrorCode::kNotFound, fmt::format("no pending delivery {}", id.value));
  }
  return Ok();
}

}  // namespace swage::sql
