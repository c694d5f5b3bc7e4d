// Hold: the right to be the only one that does something, among all the nodes of one store.
//
// A hold is for work that is only wasteful when two do it at once (reconciling, collecting garbage)
// and for a node's name. It is no lease: who loses the database loses the hold without being told,
// so the holder asks Check() before each round, and nothing whose doubling would harm rests on it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage {

class Hold {
 public:
  virtual ~Hold() = default;  ///< lets go
  /// Whether it is still ours. Errors: kLeaseLost; take it anew.
  virtual Result<void> Check() = 0;
};

/// Takes the hold of that name; nullptr when another has it.
using HoldSource = std::function<Result<std::unique_ptr<Hold>>(std::string_view name)>;

/// Holds among the threads of one process: enough for an engine that only one process can open.
/// Thread-safe; a hold may outlive what it was taken from.
class LocalHolds {
 public:
  std::unique_ptr<Hold> TryHold(std::string_view name);

 private:
  class LocalHold;
  struct Taken {
    std::mutex mutex;
    std::set<std::string, std::less<>> names;
  };
  const std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

}  // namespace swage
