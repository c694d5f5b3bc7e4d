// Strong types for identifiers, so that a task id cannot be passed where an epoch is meant.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace swage {

template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  auto operator<=>(const StrongId&) const = default;
};

using TaskId = StrongId<struct TaskIdTag, std::int64_t>;          ///< row id, never reused
using DeliveryId = StrongId<struct DeliveryIdTag, std::int64_t>;  ///< row id in the inbox
using EffectId = StrongId<struct EffectIdTag, std::int64_t>;      ///< row id in the outbox
/// Counts the claims of a task; every claim raises it, every write of a worker names it.
using Epoch = StrongId<struct EpochTag, std::int64_t>;
/// A full object name in lower-case hex (40 characters). Empty = none.
using CommitSha = StrongId<struct CommitShaTag, std::string>;
using TreeSha = StrongId<struct TreeShaTag, std::string>;

}  // namespace swage

template <class Tag, class Rep>
struct std::hash<swage::StrongId<Tag, Rep>> {
  std::size_t operator()(const swage::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
