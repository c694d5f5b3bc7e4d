#include "tests/simulation/simulation.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <tuple>

#include "config/base/files.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/node.h"

namespace swage::simulation {
namespace {

constexpr seconds kLongestRun{6 * 3600};
constexpr int kMaxRedeliveries = 50;

std::filesystem::path MakeQuickDir() {
  char path[] = "/dev/shm/swage-simulation-XXXXXX";
  if (mkdtemp(path) != nullptr) return path;
  auto dir = MakeTempDir("swage-simulation-");
  SWAGE_CHECK(dir.ok());
  return *dir;
}

// A delivery's body is the number of its event.
class Dialect final : public WebhookDialect {
 public:
  explicit Dialect(const std::vector<Event>& events) : events_(events) {}
  Result<DeliveryInfo> Verify(const HeaderMap&, std::string_view, std::string_view,
                              WallTime) const override {
    return MakeError(ErrorCode::kUnauthenticated, "nothing is signed here");
  }
  Result<Event> Parse(std::string_view, std::string_view, std::string_view body) const override {
    std::size_t at = 0;
    std::from_chars(body.data(), body.data() + body.size(), at);
    return events_.at(at);
  }
  std::string PeekRepoPath(std::string_view) const override { return ""; }

 private:
  const std::vector<Event>& events_;
};

Settings MakeSettings(const std::filesystem::path& dir, Rng& rng) {
  Settings settings;
  settings.data_dir = dir;
  const std::int64_t intake = rng.Below(10);
  settings.intake = intake < 6 ? "webhook" : intake < 9 ? "both" : "poll";
  settings.concurrent_tasks = 2;
  settings.concurrent_tasks_per_repo = 2;
  settings.agent.name = "sim";
  for (const auto& [name, word, required] :
       {std::tuple("tests", "bad", true), std::tuple("style", "warn", false)}) {
    GateSpec gate;
    gate.name = name;
    gate.run = {word};
    gate.required = required;
    gate.format = ReportFormat::kGcc;
    settings.gates.push_back(std::move(gate));
  }
  ForgeSettings forge;
  forge.name = "sim";
  forge.repos = {"acme/*"};
  settings.forges.push_back(std::move(forge));
  return settings;
}

class Run {
 public:
  Run(std::uint64_t seed, Counters& counters, bool tell, test::MemoryStore& store,
      const std::filesystem::path& dir)
      : machine_(seed, counters, tell),
        forge_(machine_, [this](Event event) { Emit(std::move(event)); }),
        settings_(MakeSettings(dir, machine_.rng())),
        log_(tell ? LogLevel::kInfo : LogLevel::kError, "text", redactor_),
        dialect_(events_),
        world_{machine_, store, forge_, settings_, redactor_, log_, dialect_} {}

  Outcome Go() {
    world_.store.Begin(machine_.clock());
    world_.commits[std::string(40, '0')] = "base";
    world_.keeps_deliveries = machine_.rng().OneIn(2);
    MakeNodes();
    const std::int64_t issues = machine_.rng().Between(1, 3);
    for (std::int64_t i = 0; i < issues; ++i) {
      ++people_;
      machine_.Spawn(outside_, "person", [this] { Person(); });
    }
    machine_.Spawn(outside_, "chaos", [this] { Chaos(); });
    const bool rested = machine_.RunUntil([this] { return Over(); }, kLongestRun);
    if (!rested && machine_.violations().empty())
      machine_.Violated("I2", "no rest: " + Leftovers());
    if (rested) CheckEnd(world_);
    Outcome outcome{machine_.hash(), machine_.violations()};
    for (const auto& node : nodes_) {
      if (node->Up()) node->Kill();
    }
    outside_.dead = true;
    machine_.Drain(outside_);
    world_.store.Forget();
    return outcome;
  }

 private:
  void MakeNodes() {
    const std::int64_t count = machine_.rng().Between(1, 3);
    for (std::int64_t i = 0; i < count; ++i) {
      Rng& rng = machine_.rng();
      const NodeRoles roles{i == 0 || rng.OneIn(2), i == 0 || rng.OneIn(2),
                            static_cast<int>(rng.Between(1, 4))};
      nodes_.push_back(std::make_unique<Node>(world_, fmt::format("node-{}", i), roles));
      nodes_.back()->Start();
    }
  }

  microseconds Some(seconds low, seconds high) { return machine_.rng().Time(low, high); }
  void Wait(seconds low, seconds high) { machine_.Sleep(Some(low, high)); }

  // --- webhooks
  void Emit(Event event) {
    events_.push_back(std::move(event));
    world_.sent.emplace_back();
    last_event_ = machine_.Now();
    const std::size_t at = events_.size() - 1;
    machine_.Note(outside_, "event ", static_cast<std::int64_t>(at), " ", EventName(events_[at]));
    if (settings_.intake == "poll") return;
    if (faulty_ && machine_.rng().Percent(10)) {
      machine_.Sometimes("a webhook was lost");
      return;
    }
    Send(at);
    if (faulty_ && machine_.rng().Percent(15)) {
      machine_.Sometimes("a webhook came twice");
      Send(at);
    }
  }

  void Send(std::size_t at) {
    ++world_.sent[at].tries;
    const microseconds delay =
        faulty_ && machine_.rng().OneIn(4) ? Some(seconds(1), seconds(60)) : Some({}, seconds(1));
    machine_.Spawn(outside_, "webhook", [this, at, delay] {
      machine_.Sleep(delay);
      if (outside_.dead) return;
      Node& node = *nodes_[static_cast<std::size_t>(machine_.rng().Below(std::ssize(nodes_)))];
      if (!node.Up() || machine_.Now() < node.paused_until) return;
      machine_.Spawn(node, "hook", [this, at, &node] {
        const auto stored = node.Receive(
            {"sim", DeliveryKey(static_cast<std::int64_t>(at)), "event", std::to_string(at)});
        // An answer that a dead node would have given is none.
        if (stored.ok() && !node.dead) world_.sent[at].acknowledged = true;
      });
    });
  }

  // What was never acknowledged is sent again, as people would see to it, or found by polling.
  bool AllHeard() {
    if (settings_.intake != "webhook") return world_.polled > std::max(last_event_, quiet_since_);
    bool all = true;
    for (std::size_t at = 0; at < world_.sent.size(); ++at) {
      if (world_.sent[at].acknowledged) continue;
      all = false;
      if (machine_.Now() >= next_redelivery_ && world_.sent[at].tries < kMaxRedeliveries) Send(at);
    }
    if (machine_.Now() >= next_redelivery_) next_redelivery_ = machine_.Now() + seconds(20);
    return all;
  }

  // --- people
  void Person() {
    Wait(seconds(0), seconds(60));
    const std::int64_t issue = forge_.OpenIssue(kAda);
    Wait(seconds(0), seconds(10));
    if (machine_.rng().OneIn(10)) {
      forge_.Label(machine_.rng().OneIn(2) ? kEve : kRobot, issue);
      machine_.Sometimes("somebody without the right asked");
    } else {
      forge_.Label(kAda, issue);
    }
    for (std::int64_t acts = machine_.rng().Below(6); acts > 0 && !outside_.dead; --acts) {
      Wait(seconds(1), seconds(machine_.rng().OneIn(3) ? 240 : 60));
      if (!outside_.dead && machine_.rng().OneIn(8)) ActOnBase();
      if (!outside_.dead) ActOn(issue);
    }
    --people_;
  }

  void ActOnBase() {
    if (machine_.rng().OneIn(2)) return forge_.MoveBase();
    machine_.Sometimes("the base was rewritten");
    forge_.RewriteBase();
  }

  void ActOn(std::int64_t issue) {
    if (machine_.rng().OneIn(2) && ActOnPull(issue)) return;
    const Thread thread{ThreadKind::kIssue, issue};
    const auto say = [&](const char* text) {
      forge_.Comment(machine_.rng().OneIn(8) ? kEve : kAda, thread, text);
    };
    switch (machine_.rng().Below(12)) {
      case 0:
        return forge_.Unlabel(kAda, issue);
      case 1:
        return forge_.Label(kAda, issue);
      case 2:
        forge_.Unlabel(kAda, issue);
        return forge_.Label(kAda, issue);
      case 3:
        return forge_.CloseIssue(kAda, issue);
      case 4:
        return forge_.ReopenIssue(kAda, issue);
      case 5:
      case 6:
        return say("/swage fix Say why");
      case 7:
        return say("/swage stop");
      case 8:
        return say("/swage retry");
      case 9:
        return say(machine_.rng().OneIn(2) ? "/swage gates" : "/swage status");
      case 10:
        return say("/swage run");
      default:
        return say("/swage rnu");
    }
  }

  // False: there is none that is open.
  bool ActOnPull(std::int64_t issue) {
    for (WorldPull& pull : forge_.pulls) {
      if (IssueOfBranch(pull.pull.head_branch) != issue) continue;
      if (pull.pull.state != PullRequestState::kOpen) continue;
      ActOnOpen(pull);
      return true;
    }
    return false;
  }

  void ActOnOpen(const WorldPull& pull) {
    const std::int64_t number = pull.pull.number;
    switch (machine_.rng().Below(5)) {
      case 0:
        return forge_.EndPull(kAda, number, true);
      case 1:
        return forge_.EndPull(kAda, number, false);
      case 2:
        return PushTo(pull.pull.head_branch);
      default:
        forge_.Comment(kAda, {ThreadKind::kPullRequest, number}, "/swage fix Say why");
    }
    // Impatient: the bot is at work on it, or about to push.
    if (!machine_.rng().OneIn(3)) return;
    Wait(seconds(5), seconds(60));
    const WorldPull* same = outside_.dead ? nullptr : forge_.FindPull(number);
    if (same == nullptr || same->pull.state != PullRequestState::kOpen) return;
    PushTo(same->pull.head_branch);
  }

  void PushTo(const std::string& branch) {
    machine_.Sometimes("a person pushed to the branch");
    if (!machine_.rng().OneIn(4)) return forge_.PushByPerson(branch);
    machine_.Sometimes("a person rewrote the branch");
    forge_.ForcePushByPerson(branch);
  }

  // --- the world
  void Chaos() {
    Rng& rng = machine_.rng();
    const MonotonicTime end = machine_.Now() + Some(seconds(60), seconds(500));
    faulty_ = !rng.OneIn(8);  // now and then all is well
    const seconds longest_peace(rng.OneIn(5) ? 8 : 40);
    if (faulty_) {
      world_.faults = {static_cast<int>(rng.Below(10)), static_cast<int>(rng.Below(10)),
                       static_cast<int>(rng.Below(20)), static_cast<int>(rng.Below(15)),
                       static_cast<int>(rng.Below(5)),  static_cast<int>(rng.Below(4))};
    }
    while (machine_.Now() < end && !outside_.dead) {
      Wait(seconds(1), longest_peace);
      if (faulty_ && !outside_.dead) Strike();
    }
    while (people_ > 0 && !outside_.dead) machine_.Sleep(seconds(5));
    if (outside_.dead) return;
    machine_.Note(outside_, "faults stop");
    faulty_ = false;
    world_.faults = {};
    for (const auto& node : nodes_) {
      node->store_cut_until = node->forge_cut_until = {};
      if (!node->Up()) StartLater(*node, {});
    }
    world_.quiet = true;
    quiet_since_ = machine_.Now();
  }

  void Strike() {
    Rng& rng = machine_.rng();
    Node& node = *nodes_[static_cast<std::size_t>(rng.Below(std::ssize(nodes_)))];
    switch (rng.Below(6)) {
      case 0:
      case 1:
        machine_.Later([this, &node] {
          if (!node.Up()) return;
          machine_.Sometimes("a node died");
          node.Kill();
          StartLater(node, Some(seconds(1), seconds(machine_.rng().OneIn(2) ? 5 : 90)));
        });
        return;
      case 2:
        machine_.Note(node, "stands still");
        machine_.Sometimes("a node stood still");
        node.paused_until = machine_.Now() + Some(seconds(2), seconds(150));
        return;
      case 3:
        machine_.Note(node, "loses the store");
        node.store_cut_until = machine_.Now() + Some(seconds(2), seconds(120));
        return;
      case 4:
        machine_.Note(node, "loses the forge");
        node.forge_cut_until = machine_.Now() + Some(seconds(2), seconds(120));
        return;
      default:
        node.wall_skew = Some(seconds(-86'400), seconds(86'400));
        machine_.Sometimes("a node's clock was wrong");
        return;
    }
  }

  void StartLater(Node& node, microseconds delay) {
    machine_.Spawn(outside_, "start", [this, &node, delay] {
      machine_.Sleep(delay);
      if (outside_.dead) return;
      machine_.Later([&node] {
        if (!node.Up()) node.Start();
      });
    });
  }

  // --- the end
  bool Over() { return world_.quiet && AllHeard() && AtRest(world_, nodes_); }

  std::string Leftovers() {
    std::string text;
    for (const char* sql :
         {"SELECT 'task', id, state, stage, reason FROM tasks WHERE state IN ('queued', 'running')",
          "SELECT 'effect', id, kind, attempts, error FROM effects WHERE state = 'pending'",
          "SELECT 'delivery', id, attempts, error, '' FROM deliveries WHERE state = 'pending'"}) {
      for (const auto& row : world_.store.Rows(sql))
        text += fmt::format("\n  {}", fmt::join(row, " "));
    }
    return text;
  }

  Machine machine_;
  Host outside_{.name = "world"};
  std::vector<Event> events_;
  ForgeWorld forge_;
  const Settings settings_;
  Redactor redactor_;
  Log log_;
  Dialect dialect_;
  World world_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::int64_t people_ = 0;
  bool faulty_ = false;
  MonotonicTime next_redelivery_{};
  MonotonicTime last_event_{};
  MonotonicTime quiet_since_{};
};

}  // namespace

Simulator::Simulator() : dir_(MakeQuickDir()), store_(clock_) {
  SWAGE_CHECK(MakeDirs(dir_ / "handoff").ok());
}

Simulator::~Simulator() {
  (void)RemoveTree(dir_);
}

Outcome Simulator::Run(std::uint64_t seed, bool tell) {
  return simulation::Run(seed, counters_, tell, store_, dir_).Go();
}

const std::vector<std::string>& RarePaths() {
  static const std::vector<std::string> kPaths = {
      "a node died",
      "a node stood still",
      "a node stood still right before a write",
      "a node's clock was wrong",
      "a node cut off from the store",
      "an agent outlived its lease for a moment",
      "a worker without its lease was refused",
      "an agent was stopped",
      "an orphan went on from its checkpoint",
      "a checkpoint came from another node",
      "a task was given up after its last attempt",
      "a task was cancelled while it was published",
      "publishing failed for good",
      "a pull request was adopted",
      "a push was refused",
      "a push hung, and others published",
      "a person pushed to the branch",
      "a person rewrote the branch",
      "the base was rewritten",
      "somebody without the right asked",
      "the forge ordered to wait",
      "the forge's answer to a write was lost",
      "the answer to a push was lost",
      "the store's answer was lost",
      "a write was held back: its hold was too old",
      "a poll found what no webhook had told",
      "a lost webhook was found in the forge's list",
      "two nodes did one duty",
      "a webhook was lost",
      "a webhook came twice",
  };
  return kPaths;
}

}  // namespace swage::simulation
