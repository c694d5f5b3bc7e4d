// Pieces that the texts of several messages*.cc share. Pure; nobody else includes it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "config/base/ids.h"
#include "config/base/text.h"

namespace swage::messages {

/// As people tell commits apart; forges make a link of it where it stands free.
inline std::string Short(const CommitSha& sha) {
  return sha.value.substr(0, 10);
}

/// "a, b and 3 more": the first `most` of `items`, each as `show` words it.
template <class Items, class Show>
std::string FirstFew(const Items& items, std::size_t most, Show show) {
  std::vector<std::string> shown;
  for (const auto& item : items) {
    if (shown.size() == most) break;
    shown.push_back(show(item));
  }
  const std::size_t more = items.size() - shown.size();
  return Join(shown, ", ") + (more == 0 ? "" : fmt::format(" and {} more", more));
}

}  // namespace swage::messages
