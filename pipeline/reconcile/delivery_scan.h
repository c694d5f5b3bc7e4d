// DeliveryScan: finds webhooks that never arrived, where the forge keeps a list of them, and puts
// them into the inbox under their own ids; what is there already stays as it is (A5).
//
// Only hooks that point at this forge's address here are looked at. One thread at a time.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "config/base/log.h"
#include "forge/forge.h"
#include "pipeline/reconcile/budget.h"
#include "pipeline/store/store.h"

namespace swage {

class DeliveryScan {
 public:
  DeliveryScan(Store& store, Log& log) : store_(store), log_(log) {}

  /// Returns how many deliveries were recovered. A token that may not see webhooks is no error: it
  /// is said once, with the cure. Errors: the forge's or the store's.
  Result<int> Run(Forge& forge, const RepoRef& repo, Budget& budget);

 private:
  Result<int> ScanHook(Forge& forge, const RepoRef& repo, const Hook& hook, Budget& budget);

  Store& store_;
  Log& log_;
  std::set<std::string> said_;
};

/// Whether a webhook's address is this forge's: its path ends in /hooks/NAME, whatever proxy stands
/// in front. Pure.
bool IsOurHook(std::string_view url, std::string_view forge_name);

}  // namespace swage
