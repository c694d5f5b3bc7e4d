// Isolations: the levels of this node, one Isolation each. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "pipeline/isolation/levels.h"

namespace swage {

class Isolations {
 public:
  /// At most one of each level.
  explicit Isolations(std::vector<std::unique_ptr<Isolation>> levels);
  /// Every level that was given is there, whether it can be used on this machine or not.
  Isolation& At(IsolationLevel level) const;

 private:
  std::vector<std::unique_ptr<Isolation>> levels_;
};

/// All levels of the product. `processes` starts their commands and outlives them.
std::unique_ptr<Isolations> MakeIsolations(const IsolationOptions& options,
                                           ProcessRunner& processes);

}  // namespace swage
