// What a store has pending, looked at without keeping hold of it.
#pragma once

#include <vector>

#include "pipeline/store/store.h"

namespace swage {

inline constexpr const char* kOnlooker = "onlooker";

inline Result<std::vector<Delivery>> PendingOf(Store& store, int limit) {
  auto taken = store.TakeDeliveries({kOnlooker, limit});
  SWAGE_RETURN_IF_ERROR(store.ReleaseDeliveries(kOnlooker));
  return taken;
}

/// Their results are taken until somebody else takes them.
inline Result<std::vector<Effect>> DueOf(Store& store, int limit) {
  auto taken = store.TakeEffects({kOnlooker, limit});
  SWAGE_RETURN_IF_ERROR(store.ReleaseEffects(kOnlooker));
  return taken;
}

}  // namespace swage
