#include "forge/sandbox/app_state.h"

#include <algorithm>

#include "config/base/text.h"

namespace swage::sandbox {

bool Installation::Covers(const Repo& repo) const {
  return EqualsIgnoreCase(repo.owner, account) && (!repos || repos->contains(repo.id));
}

const AppToken* Apps::FindToken(std::string_view token, WallTime now) const {
  const auto it = tokens.find(token);
  if (it == tokens.end() || it->second.expires_at <= now + ahead) return nullptr;
  return installations.contains(it->second.installation) ? &it->second : nullptr;
}

Installation* Apps::FindInstallation(std::string_view account) {
  for (auto& [id, installation] : installations) {
    if (EqualsIgnoreCase(installation.account, account)) return &installation;
  }
  return nullptr;
}

Installation* Apps::InstallationOf(const Repo& repo) {
  for (auto& [id, installation] : installations) {
    if (installation.Covers(repo)) return &installation;
  }
  return nullptr;
}

bool Apps::Covers(const Repo& repo) const {
  return std::any_of(installations.begin(), installations.end(),
                     [&](const auto& entry) { return entry.second.Covers(repo); });
}

bool Apps::Allows(std::string_view token, const Repo& repo, std::string_view permission, bool write,
                  WallTime now) const {
  const AppToken* const known = FindToken(token, now);
  if (known == nullptr) return true;
  const bool covered = !IsSuspended(*known) && installations.at(known->installation).Covers(repo) &&
                       (!known->repos || known->repos->contains(repo.id));
  const auto level = known->permissions.find(permission);
  if (!covered || level == known->permissions.end()) return false;
  return !write || level->second == "write";
}

bool Apps::IsSuspended(const AppToken& token) const {
  return installations.at(token.installation).suspended_at.has_value();
}

}  // namespace swage::sandbox
