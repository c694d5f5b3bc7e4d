// The inbox's rows, and how they and the body log find together again when the store opens.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "pipeline/store/sql/operations.h"
#include "pipeline/store/sqlite/body_log.h"

namespace swage::sqlite {

using sql::Tx;

/// Rows for the records of a batch, which is told how many came to be. `received` is theirs too.
Result<std::vector<bool>> AddDeliveries(Tx& tx, const std::vector<NewDelivery>& deliveries,
                                        const BodyLog::Batch& batch, WallTime received);

struct PendingRow {
  Delivery delivery;  ///< without its body
  BodyPlace body;
};
/// Spares a transaction while there is nothing to do.
Result<bool> AnyDeliveryToTake(sql::Connection& db, WallTime engine_now);
Result<std::vector<PendingRow>> TakeDeliveries(Tx& tx, const TakeRequest& request);

/// The segment that holds the body of a delivery.
Result<std::int64_t> BodySegment(Tx& tx, DeliveryId id);

/// The log beside the database, after the rows that a power cut took were written again.
Result<std::unique_ptr<BodyLog>> OpenBodyLog(const std::filesystem::path& dir, Tx& tx);

}  // namespace swage::sqlite
