// The end of a run in one round trip: for runs that leave nothing to publish, which most are that
// did not succeed, and tasks that no remark waits for.
#pragma once

#include <optional>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

/// Whether EndRunQuickly may be asked at all.
bool CanEndQuickly(const Lease& lease, const RunOutcome& outcome);

/// What EndRunQuickly runs, in one trip.
inline constexpr std::array<std::string_view, 1> kEndRunQueries = {"EndRun"};
/// False: this way does not serve here, and nothing was done. `engine_now`: for tests; without one
/// the database's clock decides.
Result<bool> EndRunQuickly(sql::Connection& db, std::optional<WallTime> engine_now, WallTime now,
                           const Lease& lease, const RunOutcome& outcome);

/// Whether the lease was given up by the end of its own run: whoever else ends a lease raises the
/// epoch.
Result<bool> IsEnded(sql::Tx& tx, const Lease& lease);

}  // namespace swage::postgres
