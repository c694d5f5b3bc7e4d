// Claims in one statement, which serves unless a repository is full or a task must be given up.
//
// The cap per repository holds for all nodes together, the other one for the node that claims. Near
// them claims go one after the other under an exclusive advisory lock (LockClaims), so that what is
// counted is what there is. Far from them many may
// claim at once: each holds the same lock in shared mode and one of kSlots slots, so at most kSlots
// of them are under way uncounted, and each leaves that much room to every cap it counts against.
// Tasks are picked by SKIP LOCKED, so nobody waits for another's row.
#pragma once

#include <optional>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

inline constexpr int kSlots = 64;

enum class ClaimLock {
  kShared,     ///< with others, if the caps are far
  kExclusive,  ///< until the transaction ends
};

struct QuickClaim {
  bool decided = false;  ///< false: this way does not serve here, and nothing was done
  std::optional<Claimed> claimed;
};

/// Whether the caps are wide enough for claims under a shared lock at all.
bool CanShare(const ClaimLimits& limits);

/// `engine_now`: for tests; without one the database's clock decides.
Result<QuickClaim> ClaimQuickly(sql::Tx& tx, ClaimLock lock, std::optional<WallTime> engine_now,
                                std::string_view node, std::chrono::milliseconds lease,
                                const ClaimLimits& limits);

}  // namespace swage::postgres
