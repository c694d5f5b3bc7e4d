// Claims in one round trip, which serves unless a task must be taken over or given up, or what is
// to be claimed was worked on before or waits at a level.
//
// The cap per repository holds for all nodes together, the other one for the node that claims. So
// claims go one after the other under an advisory lock (LockClaims): what is counted is what there
// is. A node that has room for several tasks takes them all at once, which makes up for the wait.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "pipeline/store/sql/operations.h"

namespace swage::postgres {

struct ClaimOrder {
  std::string_view node;
  std::chrono::milliseconds lease{0};
  ClaimLimits limits;
  int most = 1;
  WallTime now{};                      ///< for people
  std::optional<WallTime> engine_now;  ///< for tests; without one the database's clock decides
  std::int64_t number = 0;             ///< by which this claim is known from the node's others
  /// Of runs, in arrays (EndRuns): only as many as those of them that have ended.
  std::optional<sql::Blob> ended_tasks = std::nullopt;
  std::optional<sql::Blob> ended_epochs = std::nullopt;
};

struct QuickClaims {
  bool decided = false;  ///< false: this way does not serve here, and nothing was done
  std::vector<Claimed> claimed;
};

/// What ClaimQuickly runs, in one trip.
inline constexpr std::array<std::string_view, 2> kClaimQueries = {"LockClaims", "ClaimMany"};
Result<QuickClaims> ClaimQuickly(sql::Connection& db, const ClaimOrder& order);

/// The claims of a node's order, when it was done but nobody heard of it. Behind LockClaims, so
/// that none is still under way.
Result<std::vector<Claimed>> FindClaims(sql::Connection& db, std::string_view node,
                                        std::int64_t number);

}  // namespace swage::postgres
