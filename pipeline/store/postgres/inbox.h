// The inbox's rows, bodies included.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

/// All in one statement; true = new. `engine_now`: for tests; without one the database's clock
/// decides, and needs no round trip of its own.
Result<std::vector<bool>> AddDeliveries(sql::Tx& tx, std::optional<WallTime> engine_now,
                                        const std::vector<NewDelivery>& deliveries);
Result<std::vector<Delivery>> TakeDeliveries(sql::Tx& tx, const TakeRequest& request);

}  // namespace swage::postgres
