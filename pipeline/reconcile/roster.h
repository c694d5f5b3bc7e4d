// Roster: which repositories of a forge are polled: the allow-list, made concrete.
//
// Plain names are looked up, globs are matched against what the account has a part in; both again
// every kFreshFor. A repository that was renamed is followed by its id; one that is gone, archived
// or not allowed under its new name is said once and left out (X23). One thread at a time.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/store/store.h"

namespace swage {

class Roster {
 public:
  static constexpr std::chrono::minutes kFreshFor{10};

  Roster(Store& store, const Clock& clock, Log& log) : store_(store), clock_(clock), log_(log) {}

  /// Errors: of the forge, when it cannot be asked at all.
  Result<std::vector<RepoRef>> Of(Forge& forge, const ForgeSettings& settings);

 private:
  struct Known {
    MonotonicTime asked{};
    std::vector<RepoRef> repos;
  };
  Result<std::vector<Repo>> Ask(Forge& forge, const ForgeSettings& settings);
  Result<void> Follow(const Repo& repo);
  void SayOnce(const std::string& what, const RepoRef& repo);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  std::map<std::string, Known> known_;        // by forge
  std::map<std::string, std::string> paths_;  // by "forge:id"
  std::set<std::string> said_;
};

}  // namespace swage
