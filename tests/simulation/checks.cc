#include "tests/simulation/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage::simulation {
namespace {

// A node that stood still, or whose task a person took away, learns of it with its next renewal.
constexpr seconds kLearnsWithin{15};

bool CanCome(TaskState from, TaskState to) {
  if (CanMove(from, to)) return true;
  // One transaction may take two steps: the end of a run, and the next one that a remark asks for.
  for (const TaskState between : {TaskState::kInReview, TaskState::kFailed, TaskState::kQueued}) {
    if (CanMove(from, between) && CanMove(between, to)) return true;
  }
  return false;
}

void CountRarePaths(Machine& machine, const SeenTask& before, const SeenTask& now) {
  const bool published = before.state == TaskState::kRunning && before.stage == Stage::kPublish;
  if (published && now.state == TaskState::kCancelled) {
    machine.Sometimes("a task was cancelled while it was published");
  }
  if (published && now.state == TaskState::kFailed) machine.Sometimes("publishing failed for good");
  if (now.state == TaskState::kRunning && now.attempt > 1 && now.attempt > before.attempt &&
      now.begun) {
    machine.Sometimes("an orphan went on from its checkpoint");
  }
  if (now.state == TaskState::kFailed && before.state != TaskState::kFailed && now.given_up) {
    machine.Sometimes("a task was given up after its last attempt");
  }
}

}  // namespace

void CheckStates(World& world) {
  const auto rows = world.store.Rows(
      "SELECT id, state, stage, attempt, checkpoint <> '', reason LIKE 'given up after%' FROM "
      "tasks");
  for (const auto& row : rows) {
    SeenTask now{*ParseTaskState(row[1]), *ParseStage(row[2]), std::stoi(row[3]),
                 row[4] == "1",           row[5] == "1",       {}};
    const auto [it, fresh] = world.seen.try_emplace(TaskId{std::stoll(row[0])}, now);
    if (fresh) continue;
    SeenTask& before = it->second;
    if (before.state != now.state && !CanCome(before.state, now.state)) {
      world.machine.Violated(
          "I12", fmt::format("task {}: {} -> {}", row[0], Name(before.state), Name(now.state)));
    }
    CountRarePaths(world.machine, before, now);
    const bool withdrawn = before.state == TaskState::kRunning && IsTerminal(now.state);
    now.withdrawn = withdrawn ? world.machine.Now() : before.withdrawn;
    before = now;
  }
}

void CheckFence(World& world, const Lease& lease, std::string_view operation) {
  const std::string id = std::to_string(lease.task.value);
  const std::int64_t epoch =
      world.store.Number("SELECT epoch FROM tasks WHERE id = CAST(? AS INTEGER)", {id});
  if (epoch == lease.epoch.value) return;
  world.machine.Violated("I5", fmt::format("{} of task {} was taken with epoch {}, and {} is the "
                                           "newest",
                                           operation, id, lease.epoch.value, epoch));
}

void CheckOnlyAgent(Node& node, TaskId task) {
  const auto running = node.world().agents.find(task);
  if (running == node.world().agents.end()) return;
  const MonotonicTime withdrawn = node.world().seen[task].withdrawn;
  for (const Node* other : running->second) {
    const MonotonicTime unaware = std::max({other->paused_until, node.paused_until, withdrawn});
    if (node.machine().Now() < unaware + kLearnsWithin) {
      node.machine().Sometimes("an agent outlived its lease for a moment");
      continue;
    }
    node.machine().Violated("I5", fmt::format("two agents work on task {}, on {} and {}",
                                              task.value, other->name, node.name));
  }
}

void CheckIntent(World& world, std::string_view kind, std::string_view about) {
  const bool sticky = about.find("swage:sticky") != std::string_view::npos;
  const std::int64_t rows =
      sticky ? world.store.Number("SELECT count(*) FROM effects WHERE kind = 'sticky'")
             : world.store.Number(
                   "SELECT count(*) FROM effects WHERE kind = ? AND (? = '' OR instr(payload, ?) > "
                   "0)",
                   {kind, about, about});
  if (rows == 0) {
    world.machine.Violated("I3", fmt::format("a {} without an intent: {}", kind, about));
  }
}

void CheckStatus(World& world, const CommitStatus& status) {
  const auto commit = world.commits.find(status.sha.value);
  if (commit == world.commits.end() || !world.forge.pushed.contains(status.sha.value)) {
    world.machine.Violated("I7", "a status of a commit that was not pushed: " + status.sha.value);
    return;
  }
  const bool bad = commit->second.find("bad") != std::string::npos;
  const bool said_good = status.state == StatusState::kSuccess;
  if (status.context.ends_with("tests") && bad == said_good) {
    world.machine.Violated("I7",
                           fmt::format("{} has the status of another commit", status.sha.value));
  }
}

bool AtRest(World& world, const std::vector<std::unique_ptr<Node>>& nodes) {
  for (const auto& node : nodes) {
    if (!node->Up() || node->Busy()) return false;
  }
  return world.store.Number(
             "SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending') + "
             "(SELECT count(*) FROM effects WHERE state = 'pending') + "
             "(SELECT count(*) FROM tasks WHERE state IN ('queued', 'running'))") == 0;
}

namespace {

// The newest task of an issue against what the forge shows.
void CheckIssue(World& world, std::int64_t number, const WorldIssue& issue) {
  Machine& machine = world.machine;
  const std::string text = std::to_string(number);
  const auto rows = world.store.Rows(
      "SELECT state, branch, pr_number, requester_id, id FROM tasks "
      "WHERE issue_number = CAST(? AS INTEGER) ORDER BY generation DESC LIMIT 1",
      {text});
  if (rows.empty()) {
    if (issue.asked && issue.issue.open) {
      machine.Violated("I2", "nobody works on issue " + text);
    }
    return;
  }
  const auto& task = rows.front();
  if (task[3] != kAda.id) machine.Violated("I14", "task of issue " + text + " by " + task[3]);
  const WorldPull* pull = world.forge.NewestPull(task[1]);
  if (task[0] == "in_review" && (pull == nullptr || std::to_string(pull->pull.number) != task[2])) {
    machine.Violated("I1", "in review without its pull request: issue " + text);
  }
  if (pull == nullptr) return;
  const PullRequestState state = pull->pull.state;
  const bool known = task[2] != "0";
  if (known && state == PullRequestState::kMerged && task[0] != "merged") {
    machine.Violated("I2", "merged at the forge, here " + task[0] + ": issue " + text);
  }
  if (known && state == PullRequestState::kClosed && task[0] != "closed") {
    machine.Violated("I6", "closed at the forge, here " + task[0] + ": issue " + text);
  }
}

// What is in review shows what was tested.
void CheckHeads(World& world) {
  for (const auto& row :
       world.store.Rows("SELECT branch, pushed FROM tasks WHERE state = 'in_review'")) {
    const auto branch = world.forge.branches.find(row[0]);
    if (branch == world.forge.branches.end()) {
      world.machine.Violated("I7", "no branch " + row[0]);
    } else if (branch->second.by_bot && branch->second.sha.value != row[1]) {
      world.machine.Violated("I7", "the head of " + row[0] + " is not what was tested");
    } else if (branch->second.by_bot && !world.forge.statuses.contains(row[1] + " swage/tests")) {
      world.machine.Violated("I7", "no status for the head of " + row[0]);
    }
  }
}

}  // namespace

void CheckEnd(World& world, const std::vector<std::unique_ptr<Node>>&) {
  for (const auto& [number, issue] : world.forge.issues) CheckIssue(world, number, issue);
  CheckHeads(world);
  if (!world.workspaces.empty()) {
    world.machine.Violated("I8", "a workspace is left: " + world.workspaces.begin()->first);
  }
  for (const auto& [task, running] : world.agents) {
    if (!running.empty()) {
      world.machine.Violated("I8", fmt::format("an agent of task {} is left", task.value));
    }
  }
  if (world.store.Number("SELECT count(*) FROM steps WHERE outcome = 'running'") != 0) {
    world.machine.Violated("I2", "a step never ended");
  }
  const std::int64_t worn_out =
      world.store.Number("SELECT count(*) FROM effects WHERE attempts > 24");
  if (worn_out != 0) world.machine.Violated("I9", "an effect was tried too often");
}

}  // namespace swage::simulation
