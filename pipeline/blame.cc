#include "pipeline/blame.h"

namespace swage {

bool IsTheForgesFault(const Error& error) {
  return error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kUnauthenticated ||
         IsLockedOut(error);
}

bool IsLockedOut(const Error& error) {
  return error.code == ErrorCode::kDenied && error.retry_after.count() > 0;
}

}  // namespace swage
