#include "pipeline/maintenance/presence.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace swage {
namespace {

constexpr std::chrono::milliseconds kPause{100};

std::string HoldOf(const NodeInfo& node) {
  return "node:" + node.name;
}

Error NameTaken(Store& store, const NodeInfo& self) {
  std::string holder;
  if (const auto nodes = store.ListNodes(); nodes.ok()) {
    const auto it = std::find_if(nodes->begin(), nodes->end(),
                                 [&](const NodeInfo& node) { return node.name == self.name; });
    if (it != nodes->end()) {
      holder =
          fmt::format(" (on host {}, heard of {} ago)", it->host, FormatDuration(it->silent_for));
    }
  }
  return MakeError(ErrorCode::kConflict,
                   fmt::format("another process is node {} already{}; give this one a name of its "
                               "own: node.name in the settings, or --node",
                               self.name, holder));
}

}  // namespace

Result<std::unique_ptr<Presence>> Presence::Enter(Store& store, const Clock& clock, NodeInfo self,
                                                  std::chrono::milliseconds patience) {
  const MonotonicTime give_up = clock.Monotonic() + patience;
  for (;;) {
    SWAGE_ASSIGN_OR_RETURN(std::unique_ptr<Hold> name, store.TryHold(HoldOf(self)));
    if (name != nullptr) {
      SWAGE_RETURN_IF_ERROR(store.Heartbeat(self));
      return std::unique_ptr<Presence>(new Presence(store, std::move(self), std::move(name)));
    }
    if (clock.Monotonic() >= give_up) return NameTaken(store, self);
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> Presence::RunOnce(std::stop_token) {
  if (name_ == nullptr || !name_->Check().ok()) {
    name_.reset();
    SWAGE_ASSIGN_OR_RETURN(name_, store_.TryHold(HoldOf(self_)));
    if (name_ == nullptr) return NameTaken(store_, self_);
  }
  return store_.Heartbeat(self_);
}

void Presence::Leave() {
  (void)store_.ForgetNode(self_.name, self_.instance);
  name_.reset();
}

Result<void> NodeReaper::RunOnce(std::stop_token) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<NodeInfo> nodes, store_.ListNodes());
  for (const NodeInfo& node : nodes) {
    if (node.silent_for < kForgetAfter) continue;
    SWAGE_RETURN_IF_ERROR(store_.ForgetNode(node.name, node.instance));
  }
  return Ok();
}

}  // namespace swage
