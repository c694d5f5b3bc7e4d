// The ends of runs in one round trip: for runs that leave nothing to publish, which most are that
// did not succeed, and tasks that no remark waits for. With them goes the claim of what comes next
// in the places that they leave.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <span>

#include "pipeline/store/postgres/claims.h"
#include "pipeline/store/postgres/connection.h"
#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

/// Ends that go together at most: they share the fate of a statement's time limit.
inline constexpr std::size_t kMaxEnds = 64;

struct RunEnd {
  const Lease& lease;
  const RunOutcome& outcome;
};

/// Whether EndRunsQuickly may be asked at all.
bool CanEndQuickly(const RunEnd& end);

/// What EndRunsQuickly runs, in one trip.
inline constexpr std::array<std::string_view, 1> kEndRunsQueries = {"EndRuns"};
/// The tasks whose runs it ended, each task once in `ends`; this way does not serve for the others,
/// and nothing was done there. `engine_now`: for tests; without one the database's clock decides.
Result<std::set<TaskId>> EndRunsQuickly(sql::Connection& db, std::optional<WallTime> engine_now,
                                        WallTime now, std::span<const RunEnd> ends);

struct EndsAndClaims {
  std::set<TaskId> ended;
  QuickClaims claims;
};
/// EndRunsQuickly, then ClaimQuickly for the places that are free by that, in one trip and
/// transaction.
inline constexpr std::array<std::string_view, 3> kEndAndClaimQueries = {"EndRuns", "LockClaims",
                                                                        "ClaimMany"};
Result<EndsAndClaims> EndRunsAndClaim(Connection& db, std::span<const RunEnd> ends,
                                      ClaimOrder order);

/// Whether the lease was given up by the end of its own run: whoever else ends a lease raises the
/// epoch.
Result<bool> IsEnded(sql::Tx& tx, const Lease& lease);

}  // namespace swage::postgres
