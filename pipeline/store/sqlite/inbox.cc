#include <fmt/format.h>

#include "pipeline/store/sqlite/operations.h"

namespace swage::sqlite {

Result<bool> AddDelivery(Tx& tx, const NewDelivery& delivery) {
  SWAGE_ASSIGN_OR_RETURN(const int added, tx.db.Run("AddDelivery", delivery.forge, delivery.key,
                                                    delivery.event, tx.now, tx.engine_now));
  if (added == 0) return false;
  SWAGE_RETURN_IF_ERROR(tx.db.Run("AddDeliveryBody", Blob{delivery.body}));
  return true;
}

Result<std::vector<bool>> AddDeliveries(Tx& tx, const std::vector<NewDelivery>& deliveries) {
  std::vector<bool> fresh;
  fresh.reserve(deliveries.size());
  for (const NewDelivery& delivery : deliveries) {
    SWAGE_ASSIGN_OR_RETURN(const bool added, AddDelivery(tx, delivery));
    fresh.push_back(added);
  }
  return fresh;
}

Result<std::vector<Delivery>> PendingDeliveries(Connection& db, WallTime engine_now, int limit) {
  const auto read = [](Row& row) {
    Delivery d;
    d.id.value = row.Int();
    d.what.forge = row.Text();
    d.what.key = row.Text();
    d.what.event = row.Text();
    d.what.body = row.Text();
    d.received = row.Time();
    d.attempts = row.Small();
    return d;
  };
  return db.All("PendingDeliveries", read, engine_now, limit);
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

}  // namespace swage::sqlite
