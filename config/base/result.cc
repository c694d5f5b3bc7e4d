#include "config/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace swage {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kUnauthenticated:
      return "unauthenticated";
    case ErrorCode::kRateLimited:
      return "rate limited";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kLeaseLost:
      return "lease lost";
    case ErrorCode::kTooLarge:
      return "too large";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

Error Error::With(std::string_view context) const {
  return {code, std::string(context) + ": " + message, retry_after};
}

void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "swage: broken invariant at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace swage
