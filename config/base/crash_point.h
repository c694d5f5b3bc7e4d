// CrashPoints: dies on purpose at a durable step, so that a test can see what comes after (X1).
//
// Exists only when the environment asks for it; main then puts decorators before the seams through
// which everything durable goes (pipeline/store/crash_store.h,
// pipeline/workspace/crash_workspaces.h, forge/crash_transport.h). A server that nobody armed has
// no trace of them. Thread-safe.
//
//   SWAGE_CRASH_AT=17            SIGKILL to this process at the 17th point that is passed
//   SWAGE_CRASH_AT=store/FinishRunAndClaim:2   ... at the second time that this one is passed
//   SWAGE_CRASH_TRACE=FILE       appends the name of each point, one a line, as it is passed
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

class CrashPoints {
 public:
  /// nullptr when neither variable is set. Errors: kInvalid, for a place that cannot be meant and
  /// for a file that cannot be opened.
  static Result<std::unique_ptr<CrashPoints>> FromEnvironment();

  /// Where to die: the `count`-th passing of `name`, or of any point when it is empty; 0 = nowhere.
  struct Place {
    std::string name;
    int count = 0;
  };
  /// "17", "NAME:2". Errors: kInvalid. Pure.
  static Result<Place> ParsePlace(std::string_view text);

  /// Does not return from the place where the process is to die.
  void Pass(std::string_view name);

 private:
  CrashPoints(Place place, Fd trace) : place_(std::move(place)), trace_(std::move(trace)) {}

  const Place place_;
  const Fd trace_;
  std::mutex mutex_;
  int passed_ = 0;
  std::map<std::string, int, std::less<>> passed_by_name_;
};

}  // namespace swage
