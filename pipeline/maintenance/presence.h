// Presence: this process's place among the nodes of the store: its name, and a heartbeat that says
// that it lives.
//
// A name is a hold: leases are in it, and a node frees its own at start, so a second process with
// the same name is refused at its start. A hold that was lost with the database connection is taken
// again; until then, and for good if another process was faster, the duty fails and /readyz says
// so.
#pragma once

#include <memory>
#include <string_view>

#include "config/base/clock.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/store/store.h"

namespace swage {

class Presence final : public Duty {
 public:
  /// A process that was killed a moment ago may still hold the name: so long is it asked for.
  static constexpr std::chrono::milliseconds kPatience{5'000};

  /// Takes the name. Errors: kConflict, says who has it and what to do.
  static Result<std::unique_ptr<Presence>> Enter(Store& store, const Clock& clock, NodeInfo self,
                                                 std::chrono::milliseconds patience = kPatience);

  std::string_view Name() const override { return "presence"; }
  Result<void> RunOnce(std::stop_token stop) override;
  /// The node is no longer listed.
  void Leave();

 private:
  Presence(Store& store, NodeInfo self, std::unique_ptr<Hold> name)
      : store_(store), self_(std::move(self)), name_(std::move(name)) {}

  Store& store_;
  const NodeInfo self_;
  std::unique_ptr<Hold> name_;
};

/// Forgets nodes that have not been heard of for days.
class NodeReaper final : public Duty {
 public:
  static constexpr std::chrono::hours kForgetAfter{7 * 24};

  explicit NodeReaper(Store& store) : store_(store) {}
  std::string_view Name() const override { return "forget-nodes"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Store& store_;
};

}  // namespace swage
