// Small JSON habits of GitHub's replies. For github_*.cc files only: pulls in the whole JSON
// library.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "config/base/clock.h"

namespace swage::sandbox {

inline nlohmann::json OrNull(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}
inline nlohmann::json TimeOrNull(const std::optional<WallTime>& at) {
  return at ? nlohmann::json(FormatUtc(*at)) : nlohmann::json();
}
inline nlohmann::json Link(const std::string& url) {
  return {{"href", url}};
}

}  // namespace swage::sandbox
