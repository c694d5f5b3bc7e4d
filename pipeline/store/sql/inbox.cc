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

Result<void> DeferDelivery(Tx& tx, DeliveryId id, std::string_view error,
                           std::chrono::milliseconds delay) {
  SWAGE_ASSIGN_OR_RETURN(const int changed,
                         tx.db.Run("DeferDelivery", id, error, tx.engine_now + delay));
  if (changed == 0) {
    return MakeError(ErrorCode::kNotFound, fmt::format("no pending delivery {}", id.value));
  }
  return Ok();
}

}  // namespace swage::sql
