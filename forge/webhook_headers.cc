#include "forge/webhook_headers.h"

#include <algorithm>

namespace swage {

std::optional<std::string> SingleHeader(const HeaderMap& headers, std::string_view name) {
  const auto it = headers.find(std::string(name));
  if (it == headers.end()) return std::nullopt;
  const std::string& value = it->second;
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (value.empty() || value.size() > kMaxWebhookHeader || !printable) return std::nullopt;
  return value;
}

}  // namespace swage
