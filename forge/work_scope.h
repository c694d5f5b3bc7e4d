// WorkScope: on whose behalf a thread speaks to a forge, and whether it still may.
//
// Work may be called off, and a write is only good as long as the look at the forge before it: a
// process that stood still between the two may have been given up meanwhile, and somebody else may
// have written. Whoever owns the work says so here; whatever sends requests asks, as late as it
// can. Bound to the thread, because the calls between the work and its requests have no use for it.
#pragma once

#include <functional>
#include <stop_token>

#include "config/base/result.h"

namespace swage {

class WorkScope {
 public:
  /// Whether a write may leave at this moment; its error becomes the write's. Called on the
  /// thread of the scope, while it lives.
  using MayWrite = std::function<Result<void>()>;
  struct Work {
    std::stop_token stop = {};
    MayWrite may_write = {};  ///< empty: always
    bool background = false;  ///< nobody waits for it: its reads give way to others'
  };

  /// While it lives, this thread's requests belong to `work`: after a stop nothing more is sent. A
  /// request that is under way is not cut off.
  explicit WorkScope(Work work);
  ~WorkScope();
  WorkScope(const WorkScope&) = delete;
  WorkScope& operator=(const WorkScope&) = delete;

  static std::stop_token Stop();
  static bool IsBackground();
  /// Right before a request is sent. Errors: kCancelled when the work was called off; of a write,
  /// also what MayWrite says.
  static Result<void> Check(bool writes);

  /// Replaces what this thread works for; returns what it was. For strands that share a thread.
  static Work Exchange(Work work);

 private:
  Work outer_;
};

}  // namespace swage
