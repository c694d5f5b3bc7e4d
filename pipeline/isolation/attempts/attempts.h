// Attempts: every way out of an enclosure that we know, tried for real.
//
// A level's guarantees are words until somebody has tried to break them on this very machine. The
// escape suite (tests/escapes) and `swage doctor isolation` run the same attempts: swage-escape,
// inside of a level, against a field that stands for the machine outside. Each attempt belongs to
// the guarantee that it would break; where a level does not give that one, getting through is no
// fault.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/isolation/isolation.h"

namespace swage {

struct Attempt {
  std::string_view name;  ///< of swage-escape
  std::string_view about;
  Guarantee guarantee;
  /// Only a root process gets through without any enclosure.
  bool needs_root = false;
};
const std::vector<Attempt>& Attempts();

enum class AttemptEnd {
  kStopped,
  kThrough,
  kFailed,  ///< could not be tried
};
struct AttemptResult {
  AttemptEnd end = AttemptEnd::kFailed;
  std::string detail;  ///< why it could not be tried, or what was seen
};

/// What lies outside: files and sockets that everybody may use, and a process with a secret. All of
/// it goes with the object. One thread at a time.
class AttemptField {
 public:
  /// `escape` is the program; `processes` runs commands without any enclosure, and outlives it.
  static Result<std::unique_ptr<AttemptField>> Make(std::filesystem::path escape,
                                                    ProcessRunner& processes);
  virtual ~AttemptField() = default;
  /// In a cell of its own at that level, which must be available. Blocks for seconds at most.
  virtual AttemptResult Try(const Attempt& attempt, Isolation& isolation) = 0;
};

}  // namespace swage
