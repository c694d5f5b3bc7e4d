// Node: one simulated `swage serve`. The real intake runner, publisher, scheduler, workers
// and duties; the store, the forge, git, agents and gates are doors to the world that can be slow,
// shut, or answer with failures, and that are shut for good when the node dies.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/base/log.h"
#include "config/settings.h"
#include "pipeline/intake_runner.h"
#include "pipeline/maintenance/duty_keeper.h"
#include "pipeline/publisher.h"
#include "pipeline/publisher_threads.h"
#include "pipeline/reconcile/repo_poll.h"
#include "pipeline/scheduler.h"
#include "tests/harness/memory_store.h"
#include "tests/harness/plain_isolations.h"
#include "tests/simulation/forge_world.h"
#include "tests/simulation/machine.h"

namespace swage::simulation {

/// How likely the world fails; all zero once faults have stopped.
struct Faults {
  int store_fails = 0;   ///< in a thousand
  int store_silent = 0;  ///< in a thousand: it was done, and the answer is lost
  int forge_fails = 0;   ///< in a hundred
  int forge_silent = 0;
  int forge_limits = 0;
  int node_stops = 0;  ///< in a hundred writes: it stands still right before it
};

class Node;

/// One run of a task in one node's workspace.
struct WorkspaceState {
  TaskId task;
  Node* node = nullptr;
  CommitSha head;
  std::string files;
};

/// A task's row as it was after the last write.
struct SeenTask {
  TaskState state = TaskState::kQueued;
  Stage stage = Stage::kNone;
  int attempt = 0;
  bool begun = false;     ///< it has a checkpoint
  bool given_up = false;  ///< after its last attempt
  /// When a person took it away from whoever worked on it.
  MonotonicTime withdrawn{};
};

/// A webhook, as its sender remembers it: the event of that number, sent under DeliveryKey.
struct Sent {
  bool acknowledged = false;
  int tries = 0;
};
std::string DeliveryKey(std::int64_t event);

/// The forge has asked to be left alone (I9).
struct Order {
  MonotonicTime known{};  ///< who begins a request later than this must not send it
  MonotonicTime until{};
  bool Forbids(MonotonicTime begun, MonotonicTime now) const {
    return begun > known && now < until;
  }
};

/// What all nodes share.
struct World {
  Machine& machine;
  test::MemoryStore& store;
  ForgeWorld& forge;
  const Settings& settings;
  Redactor& redactor;
  Log& log;
  const WebhookDialect& dialect;
  Faults faults{};
  bool quiet = false;  ///< faults have stopped: what is idle looks less often
  Order order{};
  std::vector<Sent> sent{};
  bool keeps_deliveries = false;  ///< the forge has a list of them
  MonotonicTime polled{};         ///< what happened before this was found by asking

  std::map<std::string, std::string> commits{};         ///< sha -> the files
  std::map<std::string, WorkspaceState*> workspaces{};  ///< by path
  std::map<TaskId, std::vector<Node*>> agents{};        ///< that run now
  std::map<TaskId, SeenTask> seen{};
  int last_commit = 0;
  int last_workspace = 0;
};

/// Every node works.
struct NodeRoles {
  bool publisher = true;  ///< intake too
  bool housekeeping = true;
  int carriers = 4;  ///< as limits.publishers in the settings
};

class Node final : public Host {
 public:
  Node(World& world, std::string name_, NodeRoles roles);
  ~Node();

  void Start();
  /// From between two events.
  void Kill();
  static Error Dead() { return MakeError(ErrorCode::kUnavailable, "this node is dead"); }
  bool Up() const { return parts_ != nullptr; }
  bool Busy() { return Up() && !parts_->scheduler.Working().empty(); }
  Result<bool> Receive(const NewDelivery& delivery);

  World& world() { return world_; }
  Machine& machine() { return world_.machine; }
  MonotonicTime store_cut_until{};
  MonotonicTime forge_cut_until{};
  Order order{};  ///< that the store has not taken, so that only this node knows of it
  int hung_pushes = 0;
  int failed_requests = 0;
  MonotonicTime asked_for_changes{};  ///< the last time with an answer
  microseconds wall_skew{0};
  std::set<std::string> mirror{};  ///< the commits that its git has

 private:
  class NodeClock final : public Clock {
   public:
    explicit NodeClock(Node& node) : node_(node) {}
    WallTime Now() const override { return node_.machine().clock().Now() + node_.wall_skew; }
    MonotonicTime Monotonic() const override { return node_.machine().Now(); }

   private:
    Node& node_;
  };

  struct Parts {
    explicit Parts(Node& node);
    void GiveNews();
    PollHooks HooksOf(Node& node);

    std::unique_ptr<Store> store;
    std::unique_ptr<Forge> forge;
    std::unique_ptr<Workspaces> workspaces;
    std::unique_ptr<Agent> agent;
    std::unique_ptr<ProcessRunner> processes;
    Isolations isolations;
    std::stop_source stop;
    Signal intake_news;
    Signal publisher_news;
    Signal scheduler_news;
    Publisher publisher;
    PublishingRoom room;
    int pushing = 0;  ///< carried now
    Scheduler scheduler;
    IntakeRunner intake;
    DutyKeeper sealing;
    DutyKeeper polling;
  };

  void IntakeLoop();
  void PublisherLoop();
  void SchedulerLoop();
  void RenewalLoop();
  void FenceLoop();
  void Carry(const TakenEffect& taken);
  void HoldsLoop();
  void SealLoop();
  void PollLoop();
  /// As the service at its start: false when the node died before the store had answered.
  bool TakeUp();
  /// How long to wait when nothing was there to do.
  microseconds Poll();

  World& world_;
  const NodeRoles roles_;
  NodeClock clock_;
  std::unique_ptr<Parts> parts_;
};

// store_port.cc, forge_port.cc, ports.cc: a node's doors to the world.
std::unique_ptr<Store> MakeStorePort(Node& node);
/// `store` keeps the forge's pace.
std::unique_ptr<Forge> MakeForgePort(Node& node, Store& store);
std::unique_ptr<Workspaces> MakeGitPort(Node& node);
std::unique_ptr<Agent> MakeAgentPort(Node& node);
std::unique_ptr<ProcessRunner> MakeGatePort(Node& node);

}  // namespace swage::simulation
