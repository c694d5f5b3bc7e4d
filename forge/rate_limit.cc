#include "forge/rate_limit.h"

#include <algorithm>

#include "config/base/text.h"
#include "forge/http_date.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kTextScanned = 4'096;  // refusals are short

std::optional<std::int64_t> NumberHeader(const HttpResponse& response, const char* name) {
  const auto it = response.headers.find(name);
  return it == response.headers.end() ? std::nullopt : ParseInt(Trim(it->second));
}

std::optional<std::int64_t> QuotaHeader(const HttpResponse& response, const char* name) {
  const auto number = NumberHeader(response, (std::string("x-ratelimit-") + name).c_str());
  return number ? number : NumberHeader(response, (std::string("ratelimit-") + name).c_str());
}

milliseconds Bounded(std::int64_t wait_s) {
  const auto longest = std::chrono::duration_cast<seconds>(kMaxRetryAfter).count();
  return seconds(std::clamp<std::int64_t>(wait_s, 1, longest));
}

bool SpeaksOfALimit(const HttpResponse& response) {
  const std::string text = ToLower(std::string_view(response.body).substr(0, kTextScanned));
  return text.find("secondary rate limit") != std::string::npos ||
         text.find("api rate limit exceeded") != std::string::npos ||
         text.find("abuse detection") != std::string::npos;
}

}  // namespace

milliseconds RetryAfter(const HttpResponse& response, WallTime now) {
  if (const auto wait = NumberHeader(response, "retry-after")) return Bounded(*wait);
  const auto now_s = std::chrono::floor<seconds>(now).time_since_epoch().count();
  const bool exhausted = NumberHeader(response, "x-ratelimit-remaining").value_or(0) == 0 &&
                         NumberHeader(response, "ratelimit-remaining").value_or(0) == 0;
  for (const char* name : {"x-ratelimit-reset", "ratelimit-reset"}) {
    const auto reset = NumberHeader(response, name);
    // GitHub sends the reset time with every answer; it only counts when nothing is left.
    if (reset && exhausted) return Bounded(*reset - now_s);
  }
  return milliseconds(0);
}

std::optional<milliseconds> RateLimited(const HttpResponse& response, WallTime now) {
  const bool refused =
      response.status == 429 ||
      (response.status == 403 &&
       (response.headers.contains("retry-after") ||
        NumberHeader(response, "x-ratelimit-remaining") == 0 || SpeaksOfALimit(response)));
  if (!refused) return std::nullopt;
  return RetryAfter(response, now);
}

std::optional<Quota> QuotaIn(const HttpResponse& response) {
  const auto resource = response.headers.find("x-ratelimit-resource");
  if (resource != response.headers.end() && resource->second != "core") return std::nullopt;
  const auto date = response.headers.find("date");
  const auto now = date == response.headers.end() ? std::nullopt : ParseHttpDate(date->second);
  const auto limit = QuotaHeader(response, "limit");
  const auto remaining = QuotaHeader(response, "remaining");
  const auto reset = QuotaHeader(response, "reset");
  if (!now || !limit || !remaining || !reset || *limit <= 0 || *remaining < 0) return std::nullopt;
  const auto now_s = std::chrono::floor<seconds>(*now).time_since_epoch().count();
  return Quota{*limit, *remaining, Bounded(*reset - now_s)};
}

}  // namespace swage
