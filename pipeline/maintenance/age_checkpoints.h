// AgeCheckpoints: forgets unpublished work that nobody asked for any more (see
// Store::DropOldCheckpoints), so that packs of tasks that failed do not stay for ever.
#pragma once

#include <chrono>

#include "pipeline/maintenance/duty.h"
#include "pipeline/store/store.h"

namespace swage {

class AgeCheckpoints final : public Duty {
 public:
  static constexpr std::chrono::hours kEvery{1};
  static constexpr int kBatch = 100;  ///< in one transaction; packs may be large

  AgeCheckpoints(Store& store, std::chrono::milliseconds age) : store_(store), age_(age) {}
  std::string_view Name() const override { return "age-checkpoints"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Store& store_;
  const std::chrono::milliseconds age_;
};

}  // namespace swage
