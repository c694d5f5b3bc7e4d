// RemoveOldest: what a full disk makes of one kind of thing.
#pragma once

#include <optional>
#include <string>

#include "pipeline/runtime/disk_guard.h"

namespace swage::test {

/// Removes the oldest that can go and says what it was; nothing = there is none left.
inline std::optional<std::string> RemoveOldest(Reclaimer& reclaimer) {
  const auto spares = reclaimer.List();
  SWAGE_CHECK(spares.ok());
  for (const Spare& spare : *spares) {
    if (reclaimer.Remove(spare, {}).value()) return spare.what;
  }
  return std::nullopt;
}

}  // namespace swage::test
