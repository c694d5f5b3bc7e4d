#include "forge/github/app_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/http_date.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr seconds kClockTolerance{20};
constexpr int kMaxPages = 10;      // of installations
constexpr seconds kLeastLife{60};  // of a token whose end cannot be read
// How a request for a token says that its repository is not (or no more) among the installation's.
constexpr std::string_view kNotCovered = "parent installation";

std::int64_t UnixSeconds(WallTime time) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count();
}

std::string NotInstalled(std::string_view repo) {
  return fmt::format(
      "the App is not installed for {}; install it there (the App's page, Install App), or add the "
      "repository to its installation",
      repo);
}

std::string IsSuspended(std::string_view where) {
  return fmt::format(
      "the App's installation for {} is suspended; an owner lifts that in the account's settings, "
      "Applications, Installed GitHub Apps",
      where);
}

}  // namespace

Error OutOfReach(std::string why) {
  Error error = MakeError(ErrorCode::kDenied, std::move(why));
  error.retry_after = AppTokens::kAskAgain;
  return error;
}

struct AppTokens::Key {
  std::string installation;
  std::string repo_id;  // empty = all that the installation covers
  AppScope scope = AppScope::kLook;
  auto operator<=>(const Key&) const = default;
};

struct AppTokens::Slot {
  std::mutex buying;  // held while its token is asked for
  std::string token;
  MonotonicTime renew_at{};
  std::string before;  // may still be on its way in some message
};

struct AppTokens::Place {
  std::string installation;
  std::string repo_id;
};

struct AppTokens::PlaceSlot {
  std::mutex asking;
  std::optional<Place> place;
  MonotonicTime found{};
};

AppTokens::AppTokens(std::string app_id, RsaKey key, std::string only_installation,
                     const Clock& clock, Redactor& redactor)
    : app_id_(std::move(app_id)),
      key_(std::move(key)),
      only_installation_(std::move(only_installation)),
      clock_(clock),
      redactor_(redactor) {}

AppTokens::~AppTokens() = default;

std::string AppTokens::Claim() {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  if (!claim_.empty() && now < claim_ends_) return claim_;
  const std::int64_t made = UnixSeconds(clock_.Now() + skew_) - kClaimBackdated.count();
  const json head = {{"alg", "RS256"}, {"typ", "JWT"}};
  const json body = {{"iat", made}, {"exp", made + kClaimLife.count()}, {"iss", app_id_}};
  const std::string text = Base64UrlEncode(DumpJson(head)) + "." + Base64UrlEncode(DumpJson(body));
  if (!claim_.empty()) redactor_.Forget(claim_);
  claim_ = text + "." + Base64UrlEncode(key_.Sign(text));
  redactor_.Add(claim_);
  claim_ends_ = now + kClaimLife - 2 * kClaimBackdated;
  return claim_;
}

// A claim of a clock that is wrong is refused; the answer says what time it is there.
bool AppTokens::CorrectClock(std::string_view date) {
  const auto theirs = ParseHttpDate(std::string(date));
  if (!theirs) return false;
  const std::lock_guard lock(mutex_);
  const seconds skew = std::chrono::round<seconds>(*theirs - clock_.Now());
  if (std::chrono::abs(skew - skew_) <= kClockTolerance) return false;
  skew_ = skew;
  claim_ends_ = MonotonicTime{};
  return true;
}

Result<json> AppTokens::AskAsApp(const RestClient& rest, HttpRequest request) {
  SWAGE_ASSIGN_OR_RETURN(RestClient::Reply reply, Ask(rest, std::move(request)));
  return std::move(reply.body);
}

Result<RestClient::Reply> AppTokens::Ask(const RestClient& rest, HttpRequest request) {
  for (bool again = false;; again = true) {
    request.authorization = "Bearer " + Claim();
    SWAGE_ASSIGN_OR_RETURN(RestClient::Reply reply, rest.Exchange(request));
    if (reply.ok()) return reply;
    if (reply.status == 401 && !again && CorrectClock(reply.date)) continue;
    const Error error = StatusError(request, reply.status, reply.body);
    if (reply.status != 401) return error;
    return error.With("the App is refused; compare app_id and private_key with the App's page");
  }
}

Result<void> AppTokens::ForEachInstallation(const RestClient& rest,
                                            const std::function<void(const json&)>& visit) {
  for (int page = 1; page <= kMaxPages; ++page) {
    HttpRequest request{
        "GET", fmt::format("/app/installations?per_page={}&page={}", RestClient::kPageSize, page),
        ""};
    SWAGE_ASSIGN_OR_RETURN(const json list, AskAsApp(rest, std::move(request)));
    const std::size_t size = list.is_array() ? list.size() : 0;
    for (std::size_t i = 0; i < size; ++i) {
      const bool other = !only_installation_.empty() && JsonId(list[i], "id") != only_installation_;
      if (!other) visit(list[i]);
    }
    if (size < static_cast<std::size_t>(RestClient::kPageSize)) break;
  }
  return Ok();
}

Result<std::vector<Installation>> AppTokens::ListInstallations(const RestClient& rest) {
  std::vector<Installation> found;
  SWAGE_RETURN_IF_ERROR(ForEachInstallation(rest, [&](const json& item) {
    found.push_back({JsonId(item, "id"), JsonString(item, "account/login"),
                     !JsonString(item, "suspended_at").empty()});
  }));
  return found;
}

Result<std::string> AppTokens::AnyLookToken(const RestClient& rest) {
  for (bool again = false;; again = true) {
    // Kept like a repository's place, under a name that none has.
    const auto place = Locate(rest, "");
    if (!place.ok() && place.error().code == ErrorCode::kNotFound) return std::string();
    if (!place.ok()) return place.error();
    Result<std::string> token = LookToken(rest, place->installation);
    if (token.ok() || again) return token;
    // Suspended or gone since then; another one does as well.
    const std::lock_guard lock(mutex_);
    places_.erase("");
  }
}

Result<std::string> AppTokens::LookToken(const RestClient& rest, const std::string& installation) {
  return Buy(rest, {installation, "", AppScope::kLook});
}

Result<std::string> AppTokens::TokenFor(const RestClient& rest, std::string_view repo,
                                        AppScope scope) {
  const std::string name = ToLower(repo);
  {
    const std::lock_guard lock(mutex_);
    const auto refused = refusals_.find(name);
    if (refused != refusals_.end() && clock_.Monotonic() < refused->second.until) {
      return refused->second.error;
    }
  }
  Result<std::string> token = FindToken(rest, name, scope);
  if (!token.ok() && token.error().code == ErrorCode::kDenied) {
    const std::lock_guard lock(mutex_);
    if (refusals_.size() >= kMaxKept) refusals_.clear();
    refusals_.insert_or_assign(name, Refusal{token.error(), clock_.Monotonic() + kRefusalFreshFor});
  }
  return token;
}

Result<std::string> AppTokens::FindToken(const RestClient& rest, const std::string& name,
                                         AppScope scope) {
  for (bool again = false;; again = true) {
    SWAGE_ASSIGN_OR_RETURN(const Place place, Locate(rest, name));
    Result<std::string> token = Buy(rest, {place.installation, place.repo_id, scope});
    const bool moved = !token.ok() && token.error().code == ErrorCode::kNotFound;
    if (!moved) return token;
    // Installed anew, or transferred, since it was last looked at.
    {
      const std::lock_guard lock(mutex_);
      places_.erase(name);
    }
    if (again) return OutOfReach(NotInstalled(name));
  }
}

Result<AppTokens::Place> AppTokens::Locate(const RestClient& rest, const std::string& repo) {
  std::shared_ptr<PlaceSlot> slot;
  {
    const std::lock_guard lock(mutex_);
    if (places_.size() >= kMaxKept) places_.clear();
    std::shared_ptr<PlaceSlot>& known = places_[repo];
    if (known == nullptr) known = std::make_shared<PlaceSlot>();
    slot = known;
  }
  const std::lock_guard asking(slot->asking);
  const MonotonicTime now = clock_.Monotonic();
  if (slot->place && now < slot->found + kPlaceFreshFor) return *slot->place;
  slot->place.reset();
  SWAGE_ASSIGN_OR_RETURN(slot->place, AskPlace(rest, repo));
  slot->found = now;
  return *slot->place;
}

// The id is what a token is narrowed to: names change hands, and an old one leads to the new place.
Result<AppTokens::Place> AppTokens::AskPlace(const RestClient& rest, const std::string& repo) {
  if (repo.empty()) {
    if (!only_installation_.empty()) return Place{only_installation_, ""};
    SWAGE_ASSIGN_OR_RETURN(const auto all, ListInstallations(rest));
    const auto good = std::ranges::find(all, false, &Installation::suspended);
    if (good == all.end()) return MakeError(ErrorCode::kNotFound, "nobody has installed the App");
    return Place{good->id, ""};
  }
  const std::string path = "/repos/" + EncodeSegments(repo);
  Place place{only_installation_, ""};
  if (place.installation.empty()) {
    const auto found = AskAsApp(rest, {"GET", path + "/installation", ""});
    if (!found.ok() && found.error().code == ErrorCode::kNotFound) {
      return OutOfReach(NotInstalled(repo));
    }
    if (!found.ok()) return found.error();
    if (!JsonString(*found, "suspended_at").empty()) return OutOfReach(IsSuspended(repo));
    place.installation = JsonId(*found, "id");
  }
  const auto token = LookToken(rest, place.installation);
  if (!token.ok() && token.error().code == ErrorCode::kNotFound) {
    return OutOfReach(NotInstalled(repo));
  }
  if (!token.ok()) return token.error();
  HttpRequest request{"GET", path, ""};
  request.authorization = "Bearer " + *token;
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, rest.Exchange(request));
  if (reply.status == 401) Drop(*token);
  if (reply.status == 404) return OutOfReach(NotInstalled(repo));
  if (!reply.ok()) return StatusError(request, reply.status, reply.body);
  place.repo_id = JsonId(reply.body, "id");
  if (place.repo_id.empty()) return MakeError(ErrorCode::kUnavailable, "GET " + path + ": no id");
  return place;
}

// Errors: as ever; kNotFound when the installation is gone.
Result<std::string> AppTokens::Buy(const RestClient& rest, const Key& key) {
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard lock(mutex_);
    if (slots_.size() >= kMaxKept) slots_.clear();
    std::shared_ptr<Slot>& known = slots_[key];
    if (known == nullptr) known = std::make_shared<Slot>();
    slot = known;
  }
  const std::lock_guard buying(slot->buying);
  {
    const std::lock_guard lock(mutex_);
    if (!slot->token.empty() && clock_.Monotonic() < slot->renew_at) return slot->token;
  }
  json wanted = {{"permissions", PermissionsOf(key.scope)}};
  if (const auto id = ParseInt(key.repo_id)) wanted["repository_ids"] = json::array({*id});
  HttpRequest request{
      "POST", fmt::format("/app/installations/{}/access_tokens", PercentEncode(key.installation)),
      DumpJson(wanted)};
  request.only_reads = true;  // nothing that people see comes of it
  const MonotonicTime asked = clock_.Monotonic();
  const Result<RestClient::Reply> sold = Ask(rest, request);
  if (!sold.ok() && sold.error().code == ErrorCode::kDenied) {
    return OutOfReach(sold.error().message + "; " + IsSuspended("this repository"));
  }
  const bool invalid = !sold.ok() && sold.error().code == ErrorCode::kInvalid;
  if (invalid && sold.error().message.find(kNotCovered) != std::string::npos) {
    return MakeError(ErrorCode::kNotFound, sold.error().message);
  }
  if (invalid) {
    return OutOfReach(sold.error().message +
                      "; `swage doctor forges` tells which rights the installation lacks");
  }
  if (!sold.ok()) return sold.error();
  const std::string token = JsonString(sold->body, "token");
  if (token.empty()) return MakeError(ErrorCode::kUnavailable, request.path + ": no token");
  const auto ends = ParseUtc(JsonString(sold->body, "expires_at"));
  const WallTime begins = ParseHttpDate(sold->date).value_or(clock_.Now());
  const seconds life = ends ? std::chrono::floor<seconds>(*ends - begins) : kLeastLife;
  const std::lock_guard lock(mutex_);
  redactor_.Add(token);
  if (!slot->before.empty()) redactor_.Forget(slot->before);
  slot->before = std::exchange(slot->token, token);
  slot->renew_at = asked + std::max<MonotonicTime::duration>(life - kRenewBefore, seconds(0));
  return token;
}

void AppTokens::Drop(std::string_view token) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_) {
    if (slot->token == token) slot->renew_at = MonotonicTime{};
  }
}

void AppTokens::Forget() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_) slot->renew_at = MonotonicTime{};
  places_.clear();
  refusals_.clear();
}

}  // namespace swage::github
