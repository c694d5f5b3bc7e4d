// LevelKeeper: a task at a level of isolation that no node can give waits, and says why; once a
// node can, it goes back to the queue (C3).
#pragma once

#include <string_view>

#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/store/store.h"

namespace swage {

class LevelKeeper final : public Duty {
 public:
  /// A node counts as long as it was heard of within `alive`.
  LevelKeeper(Store& store, Log& log, std::chrono::milliseconds alive)
      : store_(store), log_(log), alive_(alive) {}
  std::string_view Name() const override { return "levels"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Store& store_;
  Log& log_;
  const std::chrono::milliseconds alive_;
  LevelSet given_before_ = LevelSet::All();
};

}  // namespace swage
