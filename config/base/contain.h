// Contain: where an exception must not pass, because a thread or another task lies behind it (I10).
//
// Our own code reports failures as Result and third parties' exceptions stop in their adapters;
// what comes through all the same (out of memory, a file system's surprise) becomes an error here.
#pragma once

#include <exception>
#include <string>

#include "config/base/result.h"

namespace swage {

/// Calls `work`, which returns a Result; what it throws becomes kInternal.
template <class F>
auto Contain(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& e) {
    return MakeError(ErrorCode::kInternal, std::string("unexpected failure: ") + e.what());
  }
}

}  // namespace swage
