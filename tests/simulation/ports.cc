// A node's doors to git, agents and gates. Each knock takes time and is a line of the trace; the
// door of a dead node answers at once, and nothing happens.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/simulation/checks.h"
#include "tests/simulation/node.h"

namespace swage::simulation {
namespace {

// --- git
// -------------------------------------------------------------------------------------------------

std::string Pack(const CommitSha& base, const CommitSha& commit) {
  return base.value + ".." + commit.value;
}

class WorkspacePort final : public Workspace {
 public:
  WorkspacePort(Node& node, const ProvisionRequest& request)
      : node_(node),
        root_(fmt::format("/sim/{}", ++node.world().last_workspace)),
        handoff_(node.world().settings.data_dir / "handoff"),
        base_(request.base) {
    state_.task = request.task;
    state_.node = &node;
    state_.head = request.start;
    state_.files = node.world().commits[request.start.value];
    node.world().workspaces[root_.string()] = &state_;
    commands_.workspace = root_;
  }
  // A dead node's files are swept at its next start; here they vanish with it.
  ~WorkspacePort() override { node_.world().workspaces.erase(root_.string()); }

  const std::filesystem::path& Root() const override { return root_; }
  const std::filesystem::path& HandOffDir() const override { return handoff_; }
  const CommandContext& Commands() const override { return commands_; }
  Result<Snapshot> TakeSnapshot(const std::string&, const CommitIdentity&,
                                std::vector<std::string>&) override {
    if (!Work(milliseconds(300))) return Node::Dead();
    auto& commits = node_.world().commits;
    const std::string start = state_.head.value;
    Snapshot snapshot{state_.head, TreeSha{"tree " + state_.files}, false};
    if (commits[state_.head.value] != state_.files) {
      snapshot.commit = CommitSha{fmt::format("{:040d}", ++node_.world().last_commit)};
      snapshot.changed = true;
      commits[snapshot.commit.value] = state_.files;
      node_.world().forge.parents[snapshot.commit.value] = start;
      node_.mirror.insert(snapshot.commit.value);
      state_.head = snapshot.commit;
    }
    node_.machine().Note(node_, "snapshot ", snapshot.commit.value, " from ", start);
    return snapshot;
  }
  Result<DiffSummary> DiffFromBase(const CommitSha&) override {
    DiffSummary diff;
    FileDiff& file = diff.files.emplace_back();
    file.path = file.old_path = "a.txt";
    file.hunks.push_back({1, 10});
    // Some tasks change what is worth a higher level of isolation.
    if (state_.task.value % 2 == 0) {
      FileDiff& lock = diff.files.emplace_back();
      lock.path = lock.old_path = "Cargo.lock";
    }
    return diff;
  }
  Result<std::string> PackFromBase(const CommitSha& commit) override {
    if (!Work(milliseconds(100))) return Node::Dead();
    if (!node_.world().forge.Follows(commit.value, base_.value)) {
      return MakeError(ErrorCode::kInvalid, "the checkpoint does not start at its base");
    }
    return Pack(base_, commit);
  }
  Result<void> Reset(const CommitSha& commit) override { return Restore(commit); }
  Result<void> Restore(const CommitSha& commit) override {
    if (node_.dead) return Node::Dead();
    state_.files = node_.world().commits[commit.value];
    return Ok();
  }
  Result<void> Release() override {
    if (!Work(milliseconds(50))) return Node::Dead();
    node_.world().workspaces.erase(root_.string());
    return Ok();
  }

 private:
  bool Work(microseconds at_most) {
    node_.machine().Sleep(node_.machine().rng().Time(milliseconds(1), at_most));
    return !node_.dead;
  }

  Node& node_;
  WorkspaceState state_;
  const std::filesystem::path root_;
  const std::filesystem::path handoff_;
  const CommitSha base_;
  CommandContext commands_;
};

class GitPort final : public Workspaces {
 public:
  explicit GitPort(Node& node) : node_(node) {}

  Result<CommitSha> Fetch(const RepoRef&, const GitRemote&, const std::string& branch,
                          std::stop_token) override {
    SWAGE_RETURN_IF_ERROR(Travel());
    const auto& branches = node_.world().forge.branches;
    for (const auto& [name, head] : branches) Take(head.sha.value);
    const auto it = branches.find(branch);
    if (it == branches.end()) return MakeError(ErrorCode::kNotFound, "no such branch");
    return it->second.sha;
  }
  Result<std::string> ReadCommitted(const RepoRef&, const CommitSha&, std::string_view) override {
    return MakeError(ErrorCode::kNotFound, "no such file");
  }
  Result<std::vector<CommitSha>> ListEarlier(const RepoRef&, const CommitSha&, std::string_view,
                                             int) override {
    return std::vector<CommitSha>();
  }
  Result<std::optional<std::string>> FindInHistory(
      const RepoRef&, const CommitSha& base, const CommitSha& head,
      const std::function<bool(std::string_view)>&) override {
    if (!node_.world().forge.Follows(head.value, base.value)) {
      return MakeError(ErrorCode::kNotFound, "the task branch does not start at its base");
    }
    return std::optional<std::string>();
  }
  Result<DiffSummary> Diff(const RepoRef&, const CommitSha&, const CommitSha&) override {
    return DiffSummary{};
  }
  bool HasCommit(const RepoRef&, const CommitSha& commit) override {
    return node_.mirror.contains(commit.value);
  }
  Result<Replayed> Replay(const RepoRef&, const CommitSha&, const CommitSha&,
                          const CommitSha&) override {
    return MakeError(ErrorCode::kInvalid, "nobody asks for a rebase here");
  }
  Result<std::optional<CommitSha>> FindMergeBase(const RepoRef& repo, const CommitSha& one,
                                                 const CommitSha& other) override {
    if (!HasCommit(repo, one) || !HasCommit(repo, other)) {
      return MakeError(ErrorCode::kNotFound, "no such commit");
    }
    const ForgeWorld& forge = node_.world().forge;
    std::string common = one.value;
    while (!forge.Follows(other.value, common)) common = forge.parents.at(common);
    return std::optional(CommitSha{common});
  }
  Result<void> Unpack(const RepoRef&, const CommitSha& base, const CommitSha& commit,
                      std::string_view pack) override {
    if (!node_.mirror.contains(base.value)) return MakeError(ErrorCode::kNotFound, "no base");
    if (pack != Pack(base, commit)) return MakeError(ErrorCode::kInvalid, "not such a pack");
    node_.machine().Sometimes("a checkpoint came from another node");
    node_.mirror.insert(commit.value);
    return Ok();
  }
  Result<std::unique_ptr<Workspace>> Provision(const ProvisionRequest& request,
                                               std::stop_token) override {
    if (node_.dead) return Node::Dead();
    node_.machine().Sleep(node_.machine().rng().Time(milliseconds(5), milliseconds(400)));
    if (node_.dead) return Node::Dead();
    if (!node_.mirror.contains(request.start.value)) {
      return MakeError(ErrorCode::kNotFound, "no such commit");
    }
    return std::unique_ptr<Workspace>(std::make_unique<WorkspacePort>(node_, request));
  }
  Result<void> Push(const PushRequest& request, std::stop_token stop) override {
    Machine& machine = node_.machine();
    if (machine.rng().Percent(node_.world().faults.forge_fails)) {
      SWAGE_RETURN_IF_ERROR(Hang(stop));
    }
    SWAGE_RETURN_IF_ERROR(Travel());
    if (!node_.mirror.contains(request.sha.value)) {
      return MakeError(ErrorCode::kNotFound, "no such commit");
    }
    CheckIntent(node_.world(), "push", request.sha.value);
    const auto pushed = node_.world().forge.Push(request.branch, request.sha, request.expected);
    machine.Note(node_, "push ", request.branch, pushed.ok() ? "" : " refused");
    if (!pushed.ok()) {
      machine.Sometimes("a push was refused");
      return pushed;
    }
    if (machine.rng().Percent(node_.world().faults.forge_silent)) {
      machine.Sometimes("the answer to a push was lost");
      return MakeError(ErrorCode::kTimeout, "no answer");
    }
    return Ok();
  }
  Result<std::optional<CommitSha>> FindOwnBranch(const RepoRef&, const GitRemote&,
                                                 const std::string& branch, const std::string&,
                                                 const CommitSha&, const OwnMark&,
                                                 std::stop_token) override {
    SWAGE_RETURN_IF_ERROR(Travel());
    const auto& branches = node_.world().forge.branches;
    const auto it = branches.find(branch);
    if (it == branches.end() || !it->second.by_bot) return std::optional<CommitSha>();
    node_.machine().Sometimes("a branch was taken over");
    return std::optional(it->second.sha);
  }
  Result<bool> ForgetBranch(const RepoRef&, const std::string&, const std::string&,
                            const CommitSha&) override {
    return false;
  }
  Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>&) override {
    return std::vector<std::string>{};
  }
  Result<void> CheckGit() override { return Ok(); }

 private:
  // With all that it is made on.
  void Take(const std::string& head) {
    const auto& parents = node_.world().forge.parents;
    std::string commit = head;
    while (node_.mirror.insert(commit).second) {
      const auto parent = parents.find(commit);
      if (parent == parents.end()) return;
      commit = parent->second;
    }
  }

  Result<void> Hang(const std::stop_token& stop) {
    ++node_.hung_pushes;
    const MonotonicTime end = node_.machine().Now() + node_.machine().rng().Time({}, seconds(180));
    while (!node_.dead && !stop.stop_requested() && node_.machine().Now() < end) {
      node_.machine().Sleep(std::chrono::duration_cast<microseconds>(end - node_.machine().Now()),
                            nullptr, stop);
    }
    if (node_.dead) return Node::Dead();
    --node_.hung_pushes;
    if (!stop.stop_requested()) return Ok();
    return MakeError(ErrorCode::kCancelled, "called off");
  }

  // To the forge and back.
  Result<void> Travel() {
    if (node_.dead) return Node::Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(milliseconds(20), seconds(2)));
    if (node_.dead) return Node::Dead();
    if (machine.Now() < node_.forge_cut_until ||
        machine.rng().Percent(node_.world().faults.forge_fails)) {
      return MakeError(ErrorCode::kUnavailable, "git: the forge is out of reach");
    }
    return Ok();
  }

  Node& node_;
};

// --- agents and gates
// ------------------------------------------------------------------------------------

class AgentPort final : public Agent {
 public:
  explicit AgentPort(Node& node) : node_(node) {}

  Result<AgentResult> Run(ProcessRunner&, const CommandContext& context,
                          const std::filesystem::path&, const ProcessRunner::Sink&,
                          std::stop_token stop) override {
    if (node_.dead) return Node::Dead();
    Machine& machine = node_.machine();
    WorkspaceState& workspace = *node_.world().workspaces.at(context.workspace.string());
    CheckOnlyAgent(node_, workspace.task);
    auto& running = node_.world().agents[workspace.task];
    running.push_back(&node_);
    machine.Note(node_, "agent of task ", workspace.task.value);
    AgentResult result;
    const bool hangs = machine.rng().OneIn(20);
    const MonotonicTime end =
        machine.Now() + machine.rng().Time(seconds(1), seconds(hangs ? 240 : 40));
    while (!node_.dead && !stop.stop_requested() && machine.Now() < end) {
      machine.Sleep(std::chrono::duration_cast<microseconds>(end - machine.Now()), nullptr, stop);
    }
    // What was told to end needs its moment for that.
    if (stop.stop_requested()) machine.Sleep(machine.rng().Time(milliseconds(1), seconds(2)));
    running.erase(std::find(running.begin(), running.end(), &node_));
    if (node_.dead) return Node::Dead();
    if (stop.stop_requested()) {
      machine.Sometimes("an agent was stopped");
      result.process.end = ProcessEnd::kStopped;
      return result;
    }
    Act(workspace, result);
    return result;
  }

 private:
  void Act(WorkspaceState& workspace, AgentResult& result) {
    Rng& rng = node_.machine().rng();
    const std::int64_t roll = rng.Below(100);
    const std::string stamp = std::to_string(rng.Below(1'000'000));
    result.summary = "did " + stamp;
    if (roll < 55) {
      workspace.files = "good " + stamp;
    } else if (roll < 68) {
      workspace.files = "good warn " + stamp;
    } else if (roll < 90) {
      workspace.files = "bad " + std::to_string(rng.Below(5));
    } else if (roll < 95) {
      result.process.exit_code = 1;
    }
  }

  Node& node_;
};

class GatePort final : public ProcessRunner {
 public:
  explicit GatePort(Node& node) : node_(node) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                            std::stop_token stop) override {
    if (node_.dead) return Node::Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(milliseconds(50), seconds(6)), nullptr, stop);
    if (node_.dead) return Node::Dead();
    ProcessResult result;
    if (stop.stop_requested()) {
      result.end = ProcessEnd::kStopped;
      return result;
    }
    const std::string& files = node_.world().workspaces.at(spec.cwd)->files;
    if (files.find(spec.argv.front()) == std::string::npos) return result;
    sink(fmt::format("a.txt:1: {}: {}\n", spec.argv.front() == "bad" ? "error" : "warning", files));
    result.exit_code = 1;
    return result;
  }

 private:
  Node& node_;
};

}  // namespace

std::unique_ptr<Workspaces> MakeGitPort(Node& node) {
  return std::make_unique<GitPort>(node);
}
std::unique_ptr<Agent> MakeAgentPort(Node& node) {
  return std::make_unique<AgentPort>(node);
}
std::unique_ptr<ProcessRunner> MakeGatePort(Node& node) {
  return std::make_unique<GatePort>(node);
}

}  // namespace swage::simulation
