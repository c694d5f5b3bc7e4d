// A node's door to the store: slow, sometimes shut, and sometimes silent about what it did. What
// was written is checked at once.
#include <utility>

#include "pipeline/store/store_filter.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/node.h"

namespace swage::simulation {
namespace {

// Lost together with the store. Duties must not rest on their holds, so some get one though another
// has it.
class HoldPort final : public Hold {
 public:
  HoldPort(Node& node, std::unique_ptr<Hold> inner) : node_(node), inner_(std::move(inner)) {}
  Result<void> Check() override {
    if (node_.machine().Now() >= node_.store_cut_until) return Ok();
    return MakeError(ErrorCode::kLeaseLost, "the connection is gone");
  }

 private:
  Node& node_;
  const std::unique_ptr<Hold> inner_;
};

class StorePort final : public StoreFilter {
 public:
  explicit StorePort(Node& node) : StoreFilter(node.world().store), node_(node) {}

  Result<std::unique_ptr<Hold>> TryHold(std::string_view name) override {
    auto taken = StoreFilter::TryHold(name);
    if (!taken.ok()) return taken;
    if (*taken == nullptr && !node_.world().quiet && node_.machine().rng().OneIn(20)) {
      node_.machine().Sometimes("two nodes did one duty");
    } else if (*taken == nullptr) {
      return taken;
    }
    return std::unique_ptr<Hold>(std::make_unique<HoldPort>(node_, *std::move(taken)));
  }

 private:
  std::optional<Error> Before(const Operation&) override {
    if (node_.dead) return Node::Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(microseconds(100), milliseconds(4)));
    if (node_.dead) return Node::Dead();
    if (machine.Now() < node_.store_cut_until) {
      machine.Sleep(machine.rng().Time(milliseconds(500), seconds(5)));
      machine.Sometimes("a node cut off from the store");
      return node_.dead ? Node::Dead()
                        : MakeError(ErrorCode::kUnavailable, "the store is out of reach");
    }
    if (machine.rng().Below(1000) < node_.world().faults.store_fails) {
      return MakeError(ErrorCode::kUnavailable, "the store is busy");
    }
    return std::nullopt;
  }

  std::optional<Error> After(const Operation& operation) override {
    Machine& machine = node_.machine();
    const std::string_view outcome =
        operation.error == nullptr ? "" : ErrorCodeName(operation.error->code);
    const bool wrote = operation.access == Access::kWrite;
    if (wrote) {
      machine.Note(node_, operation.name, " ", outcome);
      CheckAfterWrite(operation);
    }
    if (machine.rng().Below(1000) < node_.world().faults.store_silent) {
      if (wrote) machine.Sometimes("the store's answer was lost");
      return MakeError(ErrorCode::kUnavailable, "the store's answer was lost");
    }
    return std::nullopt;
  }

  void CheckAfterWrite(const Operation& operation) {
    CheckStates(node_.world());
    if (operation.lease == nullptr) return;
    if (operation.error == nullptr) {
      CheckFence(node_.world(), *operation.lease, operation.name);
    } else if (operation.error->code == ErrorCode::kLeaseLost) {
      node_.machine().Sometimes("a worker without its lease was refused");
    }
  }

  Node& node_;
};

}  // namespace

std::unique_ptr<Store> MakeStorePort(Node& node) {
  return std::make_unique<StorePort>(node);
}

}  // namespace swage::simulation
