#include "tests/simulation/node.h"

#include <utility>

namespace swage::simulation {

Node::Parts::Parts(Node& node)
    : store(MakeStorePort(node)),
      forge(MakeForgePort(node)),
      workspaces(MakeGitPort(node)),
      agent(MakeAgentPort(node)),
      processes(MakeGatePort(node)),
      publisher(*store, *workspaces, [this](std::string_view) { return forge.get(); },
                node.world_.redactor, node.world_.log, node.clock_,
                {"", node.world_.settings.command_prefix,
                 static_cast<std::uint32_t>(node.machine().rng().Next())}),
      scheduler(
          {*store, *workspaces, *agent, *processes,
           [this](std::string_view) { return forge.get(); }, node.world_.settings,
           node.world_.redactor, node.world_.log,
           [&node](milliseconds time, std::stop_token stop_it) {
             node.machine().Sleep(time, nullptr, std::move(stop_it));
           }},
          node.clock_, node.name + "-" + std::to_string(node.life),
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
             node.world_.log,
             {[this] {
                scheduler_news.set = true;
                publisher_news.set = true;
              },
              [this](TaskId task) { scheduler.StopTask(task); }}) {}

Node::Node(World& world, std::string name_, NodeRoles roles)
    : Host{.name = std::move(name_)}, world_(world), roles_(roles), clock_(*this) {}

Node::~Node() {
  if (Up()) Kill();
}

void Node::Start() {
  dead = false;
  paused_until = {};
  no_write_before = {};  // a pause is the process's own
  ++life;
  machine().Note(*this, "starts");
  parts_ = std::make_unique<Parts>(*this);
  machine().Spawn(*this, "main", [this] {
    if (roles_.alone) {
      // As the service at its start: a store that does not answer means no start.
      while (!dead && !parts_->store->ExpireAllLeases().ok()) machine().Sleep(seconds(1));
    }
    if (dead) return;
    machine().Spawn(*this, "scheduler", [this] { SchedulerLoop(); });
    if (!roles_.publisher) return;
    machine().Spawn(*this, "intake", [this] { IntakeLoop(); });
    machine().Spawn(*this, "publisher", [this] { PublisherLoop(); });
  });
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

void Node::PublisherLoop() {
  while (!dead) {
    if (parts_->publisher.RunOnce(parts_->stop.get_token()) == 0 && !dead) {
      machine().Sleep(Poll(), &parts_->publisher_news);
    }
  }
}

void Node::SchedulerLoop() {
  while (!dead) {
    parts_->scheduler.RunOnce();
    if (dead) return;
    const bool working = !parts_->scheduler.Working().empty();
    // As often as the real loop while there is a lease to keep.
    machine().Sleep(working ? microseconds(seconds(1)) : Poll(), &parts_->scheduler_news);
  }
}

}  // namespace swage::simulation
