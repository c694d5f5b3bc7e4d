// The App side of the sandbox's GitHub: one App, the accounts that installed it, and the tokens
// that it bought. Plain data and the questions that both the API and git ask of it.
//
// Guarded by the world's lock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/rsa.h"
#include "forge/sandbox/state.h"

namespace swage::sandbox {

/// "checks" -> "write"
using Grants = std::map<std::string, std::string, std::less<>>;

struct App {
  Id id = 0;
  std::string slug;
  std::shared_ptr<const RsaKey> key;
  Id bot = 0;  ///< the user "SLUG[bot]"
  Grants permissions;
  std::set<std::string> events;
  Hook hook;  ///< without a URL: none
};

struct Installation {
  Id id = 0;
  std::string account;
  std::optional<std::set<Id>> repos;  ///< empty = all of the account's
  Grants permissions;
  std::optional<WallTime> suspended_at;
  WallTime created_at{};

  bool Covers(const Repo& repo) const;
};

struct AppToken {
  Id installation = 0;
  std::optional<std::set<Id>> repos;  ///< empty = as the installation
  Grants permissions;
  WallTime expires_at{};
};

class Apps {
 public:
  static constexpr std::chrono::hours kTokenLife{1};
  static constexpr std::size_t kMaxTokens = 10'000;

  std::optional<App> app;
  std::map<Id, Installation> installations;
  std::map<std::string, AppToken, std::less<>> tokens;
  std::chrono::seconds ahead{0};  ///< how much later it is for tokens than for everything else

  const AppToken* FindToken(std::string_view token, WallTime now) const;
  Installation* FindInstallation(std::string_view account);
  Installation* InstallationOf(const Repo& repo);
  bool Covers(const Repo& repo) const;
  /// Whether the token's owner may do so in the repository; always for what is no App's token.
  bool Allows(std::string_view token, const Repo& repo, std::string_view permission, bool write,
              WallTime now) const;
  bool IsSuspended(const AppToken& token) const;
};

}  // namespace swage::sandbox
