// The paces of forges in the store: the pure decisions of pipeline/pace.h, applied to rows under a
// lock.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/store/sql/operations.h"

namespace swage::sql {

/// A scope without a row is closed and free.
Result<PaceView> GetPace(Connection& db, WallTime engine_now, std::string_view scope);
/// Those that are not closed, by scope.
Result<std::vector<PaceView>> ListPaces(Connection& db, WallTime engine_now);
Result<PaceChange> NoteForgeFailure(Tx& tx, std::string_view scope, const ForgeFailure& failure,
                                    const PaceRules& rules, double jitter);
Result<PaceChange> NoteForgeSuccess(Tx& tx, std::string_view scope, bool wrote);
Result<std::chrono::milliseconds> Reserve(Tx& tx, std::string_view scope, const Cost& cost,
                                          const Allowance& allowance);

/// What the breakers let through while effects are taken: everything of a closed scope, one piece
/// of a scope whose pause is over, nothing of a paused one.
class Breakers {
 public:
  static Result<Breakers> Read(Tx& tx);
  /// Whether work that needs all of `scopes` may be taken. Where it is to be the probe, the probe
  /// begins, for `patience`, and the scope is added to `probes`.
  Result<bool> Admit(Tx& tx, const std::vector<std::string>& scopes,
                     std::chrono::milliseconds patience, std::vector<std::string>& probes);

 private:
  std::map<std::string, Pace, std::less<>> troubled_;
};

}  // namespace swage::sql
