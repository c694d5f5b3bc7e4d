#include "tests/simulation/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/maintenance/seal_audit.h"
#include "pipeline/reconcile/reconcile.h"

namespace swage::simulation {
namespace {

// Less often than the real loop, for speed; it adds to what a lease's end must allow for.
constexpr seconds kFenceTick{1};
constexpr seconds kIdleFenceTick{20};
constexpr seconds kSealEvery{15};

}  // namespace

std::string DeliveryKey(std::int64_t event) {
  return fmt::format("d{}", event);
}

Node::Parts::Parts(Node& node)
    : store(MakeStorePort(node)),
      forge(MakeForgePort(node, *store)),
      workspaces(MakeGitPort(node)),
      agent(MakeAgentPort(node)),
      processes(MakeGatePort(node)),
      isolations(PlainIsolations(*processes)),
      publisher(*store, *workspaces, [this](std::string_view) { return forge.get(); },
                node.world_.redactor, node.world_.log, node.clock_,
                {.public_url = "",
                 .command_prefix = node.world_.settings.command_prefix,
                 .node = node.name,
                 .jitter_seed = static_cast<std::uint32_t>(node.machine().rng().Next())}),
      room(node.roles_.carriers),
      scheduler(
          {*store, *workspaces, *agent, isolations,
           [this](std::string_view) { return forge.get(); }, node.world_.settings,
           node.world_.redactor, node.world_.log,
           [&node](milliseconds time, std::stop_token stop_it) {
             node.machine().Sleep(time, nullptr, std::move(stop_it));
           }},
          node.clock_, node.name,
          [this] {
            publisher_news.set = true;
            scheduler_news.set = true;
          },
          [&node](std::function<void()> work) {
            node.machine().Spawn(node, "worker", std::move(work));
            return std::shared_ptr<void>();  // Kill runs it to its end
          }),
      intake(*store, {{"sim", &node.world_.dialect}},
             [this](std::string_view) { return forge.get(); }, node.world_.settings,
             node.world_.log, node.clock_, node.name,
             {[this] { GiveNews(); }, [this](TaskId task) { scheduler.StopTask(task); }}),
      sealing(
          {.duty = std::make_unique<SealAudit>(*store, node.world_.log, node.clock_),
           .every = kSealEvery},
          [this](std::string_view name) { return store->TryHold(name); }, node.world_.log),
      polling(
          {.duty = std::make_unique<Reconcile>(
               *store, [this](std::string_view) { return forge.get(); }, node.world_.settings,
               node.clock_, node.world_.log, HooksOf(node)),
           .every = node.world_.settings.poll_interval},
          [this](std::string_view name) { return store->TryHold(name); }, node.world_.log) {}

void Node::Parts::GiveNews() {
  scheduler_news.set = true;
  publisher_news.set = true;
}

PollHooks Node::Parts::HooksOf(Node& node) {
  return {[this, &node] {
            node.machine().Sometimes("a poll found what no webhook had told");
            GiveNews();
            intake_news.set = true;
          },
          [this](TaskId task) { scheduler.StopTask(task); }};
}

Node::Node(World& world, std::string name_, NodeRoles roles)
    : Host{.name = std::move(name_)}, world_(world), roles_(roles), clock_(*this) {}

Node::~Node() {
  if (Up()) Kill();
}

void Node::Start() {
  dead = false;
  paused_until = {};
  order = {};
  hung_pushes = 0;
  machine().Note(*this, "starts");
  parts_ = std::make_unique<Parts>(*this);
  machine().Spawn(*this, "main", [this] {
    if (!TakeUp()) return;
    machine().Spawn(*this, "scheduler", [this] { SchedulerLoop(); });
    machine().Spawn(*this, "renewals", [this] { RenewalLoop(); });
    machine().Spawn(*this, "fence", [this] { FenceLoop(); });
    if (roles_.housekeeping) {
      machine().Spawn(*this, "sealing", [this] { SealLoop(); });
      if (world_.settings.intake != "webhook") {
        machine().Spawn(*this, "polling", [this] { PollLoop(); });
      }
    }
    if (!roles_.publisher) return;
    machine().Spawn(*this, "holds", [this] { HoldsLoop(); });
    machine().Spawn(*this, "intake", [this] { IntakeLoop(); });
    machine().Spawn(*this, "publisher", [this] { PublisherLoop(); });
  });
}

bool Node::TakeUp() {
  Store& store = *parts_->store;
  const auto taken = [&]() -> Result<void> {
    SWAGE_RETURN_IF_ERROR(store.ExpireLeases(name));
    if (!roles_.publisher) return Ok();
    SWAGE_RETURN_IF_ERROR(store.ReleaseEffects(name));
    return store.ReleaseDeliveries(name);
  };
  while (!dead && !taken().ok()) machine().Sleep(seconds(1));
  return !dead;
}

void Node::Kill() {
  SWAGE_CHECK(Up());
  machine().Note(*this, "dies");
  dead = true;
  parts_->stop.request_stop();
  parts_->scheduler.BeginShutdown();
  machine().Drain(*this);
  parts_.reset();
}

Result<bool> Node::Receive(const NewDelivery& delivery) {
  auto stored = parts_->store->AddDelivery(delivery);
  if (!dead && stored.ok()) parts_->intake_news.set = true;
  return stored;
}

microseconds Node::Poll() {
  return machine().rng().Time(seconds(1), seconds(world_.quiet ? 30 : 5));
}

void Node::IntakeLoop() {
  while (!dead) {
    if (parts_->intake.RunOnce(parts_->stop.get_token()) == 0 && !dead) {
      machine().Sleep(Poll(), &parts_->intake_news);
    }
  }
}

// As PublisherThreads, with a strand for each effect.
void Node::PublisherLoop() {
  PublishingRoom& room = parts_->room;
  while (!dead) {
    std::vector<TakenEffect> taken;
    if (room.Effects() > 0) taken = parts_->publisher.Take(room.Effects(), room.Pushes());
    if (dead) return;
    for (TakenEffect& one : taken) {
      room.Enter(one);
      if (one.effect.what.kind == EffectKind::kPush) ++parts_->pushing;
      if (roles_.carriers > 1 && parts_->pushing == roles_.carriers) {
        machine().Violated("I10", "pushes keep everything else waiting");
      }
      machine().Spawn(*this, "carrier", [this, carried = std::move(one)] { Carry(carried); });
    }
    if (taken.empty()) machine().Sleep(Poll(), &parts_->publisher_news);
  }
}

void Node::Carry(const TakenEffect& taken) {
  parts_->publisher.Carry(taken, parts_->stop.get_token());
  if (dead) return;
  parts_->room.Leave(taken);
  if (taken.effect.what.kind == EffectKind::kPush) {
    --parts_->pushing;
  } else if (hung_pushes > 0) {
    machine().Sometimes("a push hung, and others published");
  }
  parts_->publisher_news.set = true;
}

void Node::SchedulerLoop() {
  while (!dead) {
    parts_->scheduler.RunOnce();
    if (dead) return;
    machine().Sleep(Poll(), &parts_->scheduler_news);
  }
}

void Node::RenewalLoop() {
  const LeaseTimes times(world_.settings.node.lease);
  while (!dead) {
    machine().Sleep(times.heartbeat);
    if (!dead) parts_->scheduler.leases().RenewOnce();
  }
}

void Node::FenceLoop() {
  while (!dead) {
    const microseconds quiet = parts_->scheduler.leases().FenceOnce();
    // What is claimed meanwhile is not due before the next look.
    machine().Sleep(std::clamp<microseconds>(quiet, kFenceTick, kIdleFenceTick));
  }
}

void Node::HoldsLoop() {
  while (!dead) {
    machine().Sleep(PublisherThreads::kRenewal);
    if (!dead) parts_->publisher.RenewHolds();
  }
}

void Node::SealLoop() {
  while (!dead) machine().Sleep(parts_->sealing.Turn(parts_->stop.get_token()));
}

void Node::PollLoop() {
  while (!dead) {
    const MonotonicTime begun = machine().Now();
    const int failed = failed_requests;
    const milliseconds wait = parts_->polling.Turn(parts_->stop.get_token());
    if (dead) return;
    if (asked_for_changes >= begun && failed_requests == failed) {
      world_.polled = std::max(world_.polled, begun);
    }
    machine().Sleep(wait);
  }
}

}  // namespace swage::simulation
