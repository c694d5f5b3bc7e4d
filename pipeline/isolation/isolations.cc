#include "pipeline/isolation/isolations.h"

#include <utility>

namespace swage {

Isolations::Isolations(std::vector<std::unique_ptr<Isolation>> levels)
    : levels_(std::move(levels)) {}

Isolation& Isolations::At(IsolationLevel level) const {
  for (const auto& isolation : levels_) {
    if (isolation->Level() == level) return *isolation;
  }
  SWAGE_CHECK(false);
}

std::unique_ptr<Isolations> MakeIsolations(const IsolationOptions& options,
                                           ProcessRunner& processes) {
  std::vector<std::unique_ptr<Isolation>> levels;
  levels.push_back(MakeSharedLevel(options, processes));
  levels.push_back(MakeWorktreeLevel(options, processes));
  levels.push_back(MakeSandboxLevel(options, processes));
  levels.push_back(MakeContainerLevel(options, processes));
  return std::make_unique<Isolations>(std::move(levels));
}

}  // namespace swage
