#include "tests/simulation/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/audit.h"
#include "pipeline/maintenance/seal_audit.h"

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
    // A push by somebody else pauses it.
    const bool ended = IsTerminal(now.state) || now.state == TaskState::kWaiting;
    const bool withdrawn = before.state == TaskState::kRunning && ended;
    now.withdrawn = withdrawn ? world.machine.Now() : before.withdrawn;
    before = now;
  }
}

void CheckFence(World& world, const Lease& lease, std::string_view operation) {
  const std::string id = std::to_string(lease.task.value);
  const std::int64_t epoch =
      world.store.Number("SELECT epoch FROM tasks WHERE id = CAST(? AS INTEGER)", {id});
  if (epoch == lease.epoch.value) return;
  // The end of a run may leave its task in the queue, and claim just that one for its place: then
  // the node has it. Had the end been taken over a newer epoch, nobody would, or by one more.
  const bool claims = operation == "FinishRunAndClaim" && epoch == lease.epoch.value + 1;
  if (claims && world.store.Number(
                    "SELECT count(*) FROM tasks WHERE id = CAST(? AS INTEGER) AND lease_node = ?",
                    {id, lease.node}) == 1) {
    world.machine.Sometimes("a run's end claimed its own task again");
    return;
  }
  world.machine.Violated("I5", fmt::format("{} of task {} was taken with epoch {}, and {} is the "
                                           "newest",
                                           operation, id, lease.epoch.value, epoch));
}

void CheckOnlyAgent(Node& node, TaskId task) {
  const auto running = node.world().agents.find(task);
  if (running == node.world().agents.end()) return;
  const MonotonicTime withdrawn = node.world().seen[task].withdrawn;
  for (const Node* other : running->second) {
    // Cut off, it cannot learn of it, and works on for no longer than its lease would have lasted.
    const MonotonicTime cut =
        std::min(other->store_cut_until, withdrawn + node.world().settings.node.lease);
    const MonotonicTime unaware =
        std::max({other->paused_until, node.paused_until, withdrawn, cut});
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
  if (!world.forge.pushed.contains(status.sha.value)) {
    world.machine.Violated("I7", "a status of a commit that was not pushed: " + status.sha.value);
    return;
  }
  const bool bad = world.commits[status.sha.value].find("bad") != std::string::npos;
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

// Each move begins where the one before has ended, and may be made. `states` is by task key.
void FollowTask(World& world, const AuditRecord& record,
                std::map<std::string, std::string>& states) {
  const AuditEntry& what = record.what;
  if (what.action == audit::kTaskCreated) {
    states[what.task] = what.subject;
    return;
  }
  const bool claimed = what.action == audit::kTaskClaimed;
  if (!claimed && what.action != audit::kTaskMoved) return;
  const std::size_t bar = what.subject.find(" > ");
  const std::string from = what.subject.substr(0, bar);
  const std::string to = what.subject.substr(bar + 3);
  const bool orphan = claimed && from == to;
  if (states[what.task] != from ||
      !(orphan || CanMove(*ParseTaskState(from), *ParseTaskState(to)))) {
    world.machine.Violated("I12", fmt::format("{} was {}, and then moved {}", what.task,
                                              states[what.task], what.subject));
  }
  states[what.task] = to;
}

// The log is one chain, whoever sealed it, and its moves lead to where the tasks are.
void CheckAudit(World& world) {
  constexpr int kPage = 500;
  const auto broken = [&](std::string_view why) {
    world.machine.Violated("I12", fmt::format("the audit log: {}", why));
  };
  if (const auto sealed = SealAll(world.store, {}); !sealed.ok()) broken(sealed.error().message);
  AuditVerifier verifier;
  std::map<std::string, std::string> states;
  for (bool more = true; more;) {
    const auto records = world.store.ListAudit(verifier.head().seq, kPage);
    if (!records.ok()) return broken(records.error().message);
    for (const AuditRecord& record : *records) {
      if (!verifier.Add(record)) return broken(verifier.broken()->sentence);
      FollowTask(world, record, states);
    }
    more = std::ssize(*records) == kPage;
  }
  const auto kept = world.store.GetAuditState();
  if (!kept.ok()) return broken(kept.error().message);
  verifier.Finish(kept->head);
  if (verifier.broken()) return broken(verifier.broken()->sentence);
  for (const auto& row : world.store.Rows(
           "SELECT 'sim/acme/lib#' || issue_number || iif(generation > 1, '/g' || generation, ''), "
           "state FROM tasks")) {
    if (states[row[0]] != row[1]) {
      broken(fmt::format("{} is {}, and was last seen {}", row[0], row[1], states[row[0]]));
    }
  }
}

// I8: nothing is held for what is over.
void CheckNothingIsLeft(World& world) {
  if (!world.workspaces.empty()) {
    world.machine.Violated("I8", "a workspace is left: " + world.workspaces.begin()->first);
  }
  for (const auto& [task, running] : world.agents) {
    if (!running.empty()) {
      world.machine.Violated("I8", fmt::format("an agent of task {} is left", task.value));
    }
  }
  if (world.store.Number("SELECT count(*) FROM tasks WHERE lease_node <> ''") != 0) {
    world.machine.Violated("I8", "a lease is left");
  }
  if (world.store.Number("SELECT count(*) FROM checkpoints c JOIN tasks t ON t.id = c.task_id "
                         "WHERE t.state IN ('merged', 'closed', 'cancelled')") != 0) {
    world.machine.Violated("I8", "a checkpoint of a task that is over is left");
  }
}

}  // namespace

void CheckEnd(World& world) {
  for (const auto& [number, issue] : world.forge.issues) CheckIssue(world, number, issue);
  CheckHeads(world);
  CheckNothingIsLeft(world);
  CheckAudit(world);
  if (world.store.Number("SELECT count(*) FROM steps WHERE outcome = 'running'") != 0) {
    world.machine.Violated("I2", "a step never ended");
  }
  const std::int64_t worn_out =
      world.store.Number("SELECT count(*) FROM effects WHERE attempts > 24");
  if (worn_out != 0) world.machine.Violated("I9", "an effect was tried too often");
}

}  // namespace swage::simulation
