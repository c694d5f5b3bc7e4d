// Claims in one round trip, which serves unless a repository is full, a task must be given up, or
// what is to be claimed was worked on before.
//
// The cap per repository holds for all nodes together, the other one for the node that claims. Near
// them claims go one after the other under an exclusive advisory lock (LockClaims), so that what is
// counted is what there is. Far from them many may claim at once: each holds the same lock in
// shared mode and one of kSlots slots, so at most kSlots of them are under way uncounted, and each
// leaves that much room to every cap it counts against. Tasks are picked by SKIP LOCKED, so nobody
// waits for another's row.
#pragma once

#include <optional>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

inline constexpr int kSlots = 64;

enum class ClaimLock {
  kShared,     ///< with others, if the caps are far
  kExclusive,  ///< until the transaction ends
};

struct ClaimOrder {
  std::string_view node;
  std::chrono::milliseconds lease{0};
  ClaimLimits limits;
  WallTime now{};                      ///< for people
  std::optional<WallTime> engine_now;  ///< for tests; without one the database's clock decides
  std::int64_t number = 0;             ///< by which this claim is known from the node's others
};

struct QuickClaim {
  bool decided = false;  ///< false: this way does not serve here, and nothing was done
  bool crowded = false;  ///< ... for a cap is near
  std::optional<Claimed> claimed;
};

/// Whether the caps are wide enough for claims under a shared lock at all.
bool CanShare(const ClaimLimits& limits);

/// What ClaimQuickly runs, in one trip.
std::array<std::string_view, 2> ClaimQueries(ClaimLock lock);
Result<QuickClaim> ClaimQuickly(sql::Connection& db, ClaimLock lock, const ClaimOrder& order);

/// The claim of that order, when it was done but nobody heard of it. Behind LockClaims, so that
/// none is still under way.
Result<std::optional<Claimed>> FindClaim(sql::Connection& db, const ClaimOrder& order);

}  // namespace swage::postgres
