// The inbox's rows, bodies included.
#pragma once

#include <vector>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

/// All in one statement; true = new.
Result<std::vector<bool>> AddDeliveries(sql::Tx& tx, const std::vector<NewDelivery>& deliveries);
Result<std::vector<Delivery>> PendingDeliveries(sql::Connection& db, WallTime engine_now,
                                                int limit);

}  // namespace swage::postgres
