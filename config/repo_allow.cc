#include "config/repo_allow.h"

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxPathBytes = 1'000;  // keeps a stranger's path from costing time

std::size_t LiteralBytes(std::string_view glob) {
  return static_cast<std::size_t>(
      std::ranges::count_if(glob, [](char c) { return c != '*' && c != '?'; }));
}

}  // namespace

bool IsRepoAllowed(const std::vector<std::string>& globs, std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) return false;
  const std::string lower = ToLower(path);
  bool allowed = false;
  for (const std::string& entry : globs) {
    const bool excludes = entry.starts_with('!');
    const std::string glob = ToLower(std::string_view(entry).substr(excludes ? 1 : 0));
    if (GlobMatch(glob, lower)) allowed = !excludes;
  }
  return allowed;
}

const SecretValue& WebhookSecretFor(const ForgeSettings& forge, std::string_view repo_path) {
  const std::string lower = ToLower(repo_path.substr(0, kMaxPathBytes));
  const SecretValue* best = nullptr;
  std::size_t best_literal = 0;
  for (const auto& [key, secret] : forge.repo_webhook_secrets) {
    const std::string glob = ToLower(key);
    if (glob == lower) return secret;
    const std::size_t literal = LiteralBytes(glob);
    if (GlobMatch(glob, lower) && (best == nullptr || literal > best_literal)) {
      best = &secret;
      best_literal = literal;
    }
  }
  return best == nullptr ? forge.webhook_secret : *best;
}

}  // namespace swage
