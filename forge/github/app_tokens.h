// AppTokens: how a GitHub App signs in. The App's key signs a short claim (a JWT); the claim buys
// tokens of an hour, each for one repository and for what it is needed for (AppScope).
//
// Kept: the claim until a minute before its end, tokens until five minutes before theirs (measured
// from the forge's own answer, whatever this machine's clock says), and for kPlaceFreshFor which
// installation covers a repository. Each is asked for by one thread at a time; the others wait for
// its answer, never for another repository's. What was bought is told to the redactor.
//
// Errors everywhere: kUnauthenticated when the App itself is refused; kDenied with retry_after when
// it is this repository that is out of reach (not installed there, suspended, rights wanting), with
// the cure. Source: docs.github.com, "Authenticating with a GitHub App". Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/redact.h"
#include "config/base/result.h"
#include "config/base/rsa.h"
#include "forge/github/app_rights.h"
#include "forge/rest.h"

namespace swage::github {

/// An account that installed the App.
struct Installation {
  std::string id;
  std::string account;  ///< login
  bool suspended = false;
};

class AppTokens {
 public:
  static constexpr std::chrono::seconds kClaimLife{600};      ///< as long as GitHub takes one
  static constexpr std::chrono::seconds kClaimBackdated{60};  ///< for clocks that disagree
  static constexpr std::chrono::minutes kRenewBefore{5};
  static constexpr std::chrono::minutes kPlaceFreshFor{10};
  static constexpr std::chrono::seconds kAskAgain{60};  ///< when a person has to do something
  /// All that waits for one repository asks once in so long.
  static constexpr std::chrono::seconds kRefusalFreshFor{20};
  static constexpr std::size_t kMaxKept = 4'000;  ///< tokens, and places

  /// `only_installation` may be empty. `clock` and `redactor` outlive this.
  AppTokens(std::string app_id, RsaKey key, std::string only_installation, const Clock& clock,
            Redactor& redactor);
  ~AppTokens();

  /// Asks something as the App itself: "/app" and below. `rest` carries requests that have their
  /// credential already.
  Result<nlohmann::json> AskAsApp(const RestClient& rest, HttpRequest request);
  /// The same with the answer's head.
  Result<RestClient::Reply> Ask(const RestClient& rest, HttpRequest request);
  /// Of one repository ("owner/name").
  Result<std::string> TokenFor(const RestClient& rest, std::string_view repo, AppScope scope);
  /// Of all that an installation covers, to look at.
  Result<std::string> LookToken(const RestClient& rest, const std::string& installation);
  /// One of whichever installation is there; empty when there is none.
  Result<std::string> AnyLookToken(const RestClient& rest);
  Result<std::vector<Installation>> ListInstallations(const RestClient& rest);
  /// The same as GitHub describes them; some thousand at most.
  Result<void> ForEachInstallation(const RestClient& rest,
                                   const std::function<void(const nlohmann::json&)>& visit);

  /// The forge refused it before its time.
  void Drop(std::string_view token);
  /// All that was bought and learned.
  void Forget();

 private:
  struct Key;
  struct Slot;
  struct Place;
  struct PlaceSlot;
  struct Refusal {
    Error error;
    MonotonicTime until{};
  };

  std::string Claim();
  Result<std::string> FindToken(const RestClient& rest, const std::string& repo, AppScope scope);
  bool CorrectClock(std::string_view date);
  Result<Place> Locate(const RestClient& rest, const std::string& repo);
  Result<Place> AskPlace(const RestClient& rest, const std::string& repo);
  Result<std::string> Buy(const RestClient& rest, const Key& key);

  const std::string app_id_;
  const RsaKey key_;
  const std::string only_installation_;
  const Clock& clock_;
  Redactor& redactor_;

  std::mutex mutex_;  ///< guards the maps, the claim and the skew; never held over a request
  std::map<Key, std::shared_ptr<Slot>> slots_;
  std::map<std::string, std::shared_ptr<PlaceSlot>> places_;  ///< by path in lower case
  std::map<std::string, Refusal> refusals_;                   ///< likewise
  std::string claim_;
  MonotonicTime claim_ends_{};
  std::chrono::seconds skew_{0};  ///< the forge's clock less this machine's
};

/// The error of a repository that is out of reach until a person does something.
Error OutOfReach(std::string why);

}  // namespace swage::github
