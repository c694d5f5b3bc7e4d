// The quick way to claim: one statement, while the caps are far.
//
// Caps hold for all nodes together. Near them claims go one after the other under an exclusive
// advisory lock (LockClaims), so that what is counted is what there is. Far from them many may
// claim at once: each holds the same lock in shared mode and one of kSlots slots, so at most kSlots
// of them are under way uncounted, and each leaves that much room to every cap it counts against.
// Tasks are picked by SKIP LOCKED, so nobody waits for another's row.
#pragma once

#include <optional>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

inline constexpr int kSlots = 64;

struct QuickClaim {
  bool decided = false;  ///< false: the caps are near, or a task must be given up; nothing was done
  std::optional<Claimed> claimed;
};

/// Whether the caps are wide enough for the quick way at all.
bool CanBeFar(const ClaimLimits& limits);

/// `engine_now`: for tests; without one the database's clock decides.
Result<QuickClaim> ClaimQuickly(sql::Tx& tx, std::optional<WallTime> engine_now,
                                std::string_view node, std::chrono::milliseconds lease,
                                const ClaimLimits& limits);

}  // namespace swage::postgres
