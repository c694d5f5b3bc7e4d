// A node's doors to the world. Each knock takes time and is a line of the trace; a door that is cut
// off answers late and with an error; the door of a dead node answers at once, and nothing happens.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "forge/traffic_gate.h"
#include "forge/work_scope.h"
#include "pipeline/pace_keeper.h"
#include "pipeline/store/store_filter.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/node.h"

namespace swage::simulation {
namespace {

constexpr milliseconds kWriteInterval{1'000};

Error Dead() {
  return MakeError(ErrorCode::kUnavailable, "this node is dead");
}

// --- the store
// -------------------------------------------------------------------------------------------

class StorePort final : public StoreFilter {
 public:
  explicit StorePort(Node& node) : StoreFilter(node.world().store), node_(node) {}

 private:
  std::optional<Error> Before(const Operation&) override {
    if (node_.dead) return Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(microseconds(100), milliseconds(4)));
    if (node_.dead) return Dead();
    if (machine.Now() < node_.store_cut_until) {
      machine.Sleep(machine.rng().Time(milliseconds(500), seconds(5)));
      machine.Sometimes("a node cut off from the store");
      return node_.dead ? Dead() : MakeError(ErrorCode::kUnavailable, "the store is out of reach");
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
      if (machine.rng().Below(1000) < node_.world().faults.store_silent) {
        machine.Sometimes("the store's answer was lost");
        return MakeError(ErrorCode::kUnavailable, "the store's answer was lost");
      }
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

// --- the forge
// -------------------------------------------------------------------------------------------

class ForgePort final : public Forge {
 public:
  ForgePort(Node& node, Store& store)
      : node_(node),
        forge_(node.world().forge),
        pace_(
            store, node.world().log, forge_.repo.forge, PaceRules{}, kWriteInterval,
            [&node](milliseconds time, std::stop_token stop) {
              node.machine().Sleep(time, nullptr, stop);
              return !node.dead && !stop.stop_requested();
            },
            static_cast<std::uint32_t>(node.machine().rng().Next())) {}

  const std::string& Name() const override { return forge_.repo.forge; }
  const ForgeLimits& Limits() const override { return limits_; }

  Result<Actor> GetSelf() override {
    return Ask("GetSelf", [] { return Result<Actor>(kBot); });
  }
  Result<Repo> GetRepo(std::string_view) override {
    return Ask("GetRepo", [&] {
      return Result<Repo>(Repo{forge_.repo, std::string(kBase), "", false});
    });
  }
  Result<Issue> GetIssue(const RepoRef&, std::int64_t number) override {
    return Ask("GetIssue", [&]() -> Result<Issue> {
      const auto it = forge_.issues.find(number);
      if (it == forge_.issues.end()) return MakeError(ErrorCode::kNotFound, "no such issue");
      looked_at_[number] = node_.machine().Now();
      return it->second.issue;
    });
  }
  Result<Actor> FindAccount(std::string_view) override {
    return Ask("FindAccount",
               [] { return Result<Actor>(MakeError(ErrorCode::kNotFound, "no such account")); });
  }
  Result<Role> GetRole(const RepoRef&, const Actor& actor) override {
    return Ask("GetRole", [&] { return Result<Role>(ForgeWorld::RoleOf(actor)); });
  }
  Result<PullRequest> GetPullRequest(const RepoRef&, std::int64_t number) override {
    return Ask("GetPullRequest", [&]() -> Result<PullRequest> {
      const WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      return pull->pull;
    });
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef&,
                                                     std::string_view branch) override {
    return Ask("FindPullRequest", [&]() -> Result<std::optional<PullRequest>> {
      const WorldPull* pull = forge_.NewestPull(branch);
      return pull == nullptr ? std::nullopt : std::optional(pull->pull);
    });
  }
  GitRemote Remote(const RepoRef&) const override {
    return {"https://sim/acme/lib.git", "", "", ""};
  }
  std::string CommitEmail(const Actor& actor) const override { return actor.login + "@sim"; }

  Result<void> EnsureReaction(const RepoRef&, const Thread& thread, std::string_view comment,
                              Reaction reaction) override {
    const auto done = Tell("EnsureReaction", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "reaction", "");
      forge_.reactions.insert(
          fmt::format("{}/{}/{}", thread.number, comment, static_cast<int>(reaction)));
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }
  Result<Comment> EnsureComment(const RepoRef&, const Thread& thread, std::string_view marker,
                                std::string_view body, std::string_view) override {
    // Two requests, as with the real ones: another node may act between them.
    auto known = Ask("list comments",
                     [&] { return Result<bool>(forge_.FindComment(thread, marker) != nullptr); });
    if (!known.ok()) return known.error();
    return Tell(*known ? "edit comment" : "create comment", [&]() -> Result<Comment> {
      CheckIntent(node_.world(), "comment", marker);
      if (*known) return Comment{forge_.FindComment(thread, marker)->id, "", "", kBot};
      return Comment{forge_.CreateComment(thread, marker, body).id, "", "", kBot};
    });
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef&, const PullRequestDraft& draft) override {
    auto newest = FindPullRequest(forge_.repo, draft.head_branch);
    if (!newest.ok()) return newest.error();
    if (newest->has_value() && (*newest)->state != PullRequestState::kOpen) {
      return MakeError(ErrorCode::kConflict, "the pull request was closed by a person");
    }
    return Tell("EnsurePullRequest", [&]() -> Result<PullRequest> {
      CheckIntent(node_.world(), "pull_request", draft.head_branch);
      if (WorldPull* found = forge_.NewestPull(draft.head_branch)) {
        const std::int64_t strangers = node_.world().store.Number(
            "SELECT count(*) FROM tasks WHERE branch = ? AND pr_number = 0", {draft.head_branch});
        if (strangers > 0) node_.machine().Sometimes("a pull request was adopted");
        found->pull.title = draft.title;
        found->pull.draft = draft.draft;
        return found->pull;
      }
      CheckEligible(IssueOfBranch(draft.head_branch));
      return forge_.CreatePull(draft);
    });
  }
  Result<PostedReview> EnsureReview(const RepoRef&, std::int64_t number,
                                    const ReviewDraft& review) override {
    auto there = Ask("list reviews", [&] {
      const WorldPull* pull = forge_.FindPull(number);
      return Result<bool>(pull != nullptr && pull->reviews.contains(review.marker));
    });
    if (!there.ok()) return there.error();
    return Tell("EnsureReview", [&]() -> Result<PostedReview> {
      CheckIntent(node_.world(), "review", review.marker);
      WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      if (!*there && !pull->reviews.insert(review.marker).second) {
        node_.machine().Violated("I4", "a second review " + review.marker);
      }
      PostedReview posted{"1", "", {}};
      for (const LineComment& comment : review.comments) {
        posted.comments.push_back(
            {comment.fingerprint, ThreadOf(*pull, comment.fingerprint), CommentPlace::kLine});
      }
      return posted;
    });
  }
  Result<void> ResolveThread(const RepoRef&, std::int64_t number, std::string_view thread,
                             std::string_view) override {
    const auto done = Tell("ResolveThread", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "resolve", thread);
      WorldPull* pull = forge_.FindPull(number);
      if (pull == nullptr) return MakeError(ErrorCode::kNotFound, "no such pull request");
      for (WorldThread& one : pull->threads) {
        if (one.id == thread) one.resolved = true;
      }
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }
  Result<void> EnsureStatus(const RepoRef&, const CommitStatus& status) override {
    const auto done = Tell("EnsureStatus", [&]() -> Result<bool> {
      CheckIntent(node_.world(), "status", status.sha.value);
      CheckStatus(node_.world(), status);
      forge_.statuses[status.sha.value + " " + status.context] = status.state;
      return true;
    });
    return done.ok() ? Ok() : Result<void>(done.error());
  }

 private:
  template <class Act>
  auto Ask(std::string_view name, Act&& act) -> decltype(act()) {
    return Request(name, false, std::forward<Act>(act));
  }
  template <class Act>
  auto Tell(std::string_view name, Act&& act) -> decltype(act()) {
    return Request(name, true, std::forward<Act>(act));
  }

  // Through the same gate as the requests of a real one.
  template <class Act>
  auto Request(std::string_view name, bool writes, Act&& act) -> decltype(act()) {
    // Only the publisher writes, and there is one: the scope is not another strand's.
    const std::stop_token stop = writes ? WorkScope::Stop() : std::stop_token();
    if (auto passed = pace_.Enter(writes, stop); !passed.ok()) return passed.error();
    if (stop.stop_requested()) return MakeError(ErrorCode::kCancelled, "called off");
    auto answer = Send(name, writes, std::forward<Act>(act));
    // That this very thing is not there is an answer too.
    const bool answered = answer.ok() || !FailureOf(answer.error(), writes);
    pace_.Leave(writes, answered ? Ok() : Result<void>(answer.error()));
    return answer;
  }

  template <class Act>
  auto Send(std::string_view name, bool writes, Act&& act) -> decltype(act()) {
    if (node_.dead) return Dead();
    Machine& machine = node_.machine();
    if (writes && machine.Now() < node_.no_write_before) {
      machine.Violated("I9", fmt::format("{} before the time that the forge ordered", name));
    }
    const MonotonicTime sent = machine.Now();
    machine.Sleep(machine.rng().Time(milliseconds(5), milliseconds(200)));
    if (node_.dead) return Dead();
    if (auto trouble = TroubleOf(name, writes, sent)) return *std::move(trouble);
    auto result = act();
    machine.Note(node_, name, result.ok() ? "" : " refused");
    if (machine.rng().Percent(node_.world().faults.forge_silent)) {
      machine.Note(node_, "  (no answer)");
      if (writes) machine.Sometimes("the forge's answer to a write was lost");
      return MakeError(ErrorCode::kTimeout, "no answer");
    }
    machine.Sleep(machine.rng().Time(milliseconds(1), milliseconds(50)));
    if (node_.dead) return Dead();
    return result;
  }

  std::optional<Error> TroubleOf(std::string_view name, bool writes, MonotonicTime sent) {
    Machine& machine = node_.machine();
    const Faults& faults = node_.world().faults;
    if (machine.Now() < node_.forge_cut_until) {
      machine.Sleep(machine.rng().Time(seconds(1), seconds(5)));
      return node_.dead ? Dead() : MakeError(ErrorCode::kTimeout, "the forge is out of reach");
    }
    // A connection does not outlive a long standstill.
    if (machine.Now() - sent > seconds(2)) return MakeError(ErrorCode::kTimeout, "connection lost");
    if (machine.rng().Percent(faults.forge_limits)) {
      const milliseconds wait(machine.rng().Between(1'000, 60'000));
      machine.Note(node_, name, " limited");
      machine.Sometimes("the forge ordered to wait");
      if (writes) node_.no_write_before = std::max(node_.no_write_before, machine.Now() + wait);
      return Error{ErrorCode::kRateLimited, "slow down", wait};
    }
    if (machine.rng().Percent(faults.forge_fails)) {
      machine.Note(node_, name, " fails");
      return MakeError(ErrorCode::kUnavailable, "502");
    }
    return std::nullopt;
  }

  // I6: closed before this node's last look, and still closed.
  void CheckEligible(std::int64_t number) {
    const auto issue = forge_.issues.find(number);
    if (issue == forge_.issues.end() || issue->second.issue.open) return;
    const auto look = looked_at_.find(number);
    if (look == looked_at_.end() || look->second > issue->second.ineligible_since) {
      node_.machine().Violated("I6", fmt::format("a pull request for the closed issue {}", number));
    }
  }

  std::string ThreadOf(WorldPull& pull, const std::string& fingerprint) {
    for (const WorldThread& thread : pull.threads) {
      if (thread.fingerprint == fingerprint) return thread.id;
    }
    pull.threads.push_back({"t" + forge_.NewId(), fingerprint, false});
    return pull.threads.back().id;
  }

  Node& node_;
  ForgeWorld& forge_;
  PaceKeeper pace_;
  ForgeLimits limits_;
  std::map<std::int64_t, MonotonicTime> looked_at_;
};

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
    if (!Work(milliseconds(300))) return Dead();
    auto& commits = node_.world().commits;
    Snapshot snapshot{state_.head, TreeSha{"tree " + state_.files}, false};
    if (commits[state_.head.value] != state_.files) {
      snapshot.commit = CommitSha{fmt::format("{:040d}", ++node_.world().last_commit)};
      snapshot.changed = true;
      commits[snapshot.commit.value] = state_.files;
      node_.mirror.insert(snapshot.commit.value);
      state_.head = snapshot.commit;
    }
    node_.machine().Note(node_, "snapshot ", snapshot.commit.value);
    return snapshot;
  }
  Result<DiffSummary> DiffFromBase(const CommitSha&) override {
    DiffSummary diff;
    FileDiff& file = diff.files.emplace_back();
    file.path = file.old_path = "a.txt";
    file.hunks.push_back({1, 10});
    return diff;
  }
  Result<std::string> PackFromBase(const CommitSha& commit) override {
    if (!Work(milliseconds(100))) return Dead();
    return Pack(base_, commit);
  }
  Result<void> Reset(const CommitSha& commit) override { return Restore(commit); }
  Result<void> Restore(const CommitSha& commit) override {
    if (node_.dead) return Dead();
    state_.files = node_.world().commits[commit.value];
    return Ok();
  }
  Result<void> Release() override {
    if (!Work(milliseconds(50))) return Dead();
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
    for (const auto& [name, head] : branches) node_.mirror.insert(head.sha.value);
    const auto it = branches.find(branch);
    if (it == branches.end()) return MakeError(ErrorCode::kNotFound, "no such branch");
    return it->second.sha;
  }
  Result<std::string> ReadCommitted(const RepoRef&, const CommitSha&, std::string_view) override {
    return MakeError(ErrorCode::kNotFound, "no such file");
  }
  Result<std::optional<std::string>> FindInHistory(
      const RepoRef&, const CommitSha&, const CommitSha&,
      const std::function<bool(std::string_view)>&) override {
    return std::optional<std::string>();
  }
  bool HasCommit(const RepoRef&, const CommitSha& commit) override {
    return node_.mirror.contains(commit.value);
  }
  // Nobody rewrites a branch here.
  Result<std::optional<CommitSha>> FindMergeBase(const RepoRef&, const CommitSha& one,
                                                 const CommitSha&) override {
    return std::optional(one);
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
    if (node_.dead) return Dead();
    node_.machine().Sleep(node_.machine().rng().Time(milliseconds(5), milliseconds(400)));
    if (node_.dead) return Dead();
    if (!node_.mirror.contains(request.start.value)) {
      return MakeError(ErrorCode::kNotFound, "no such commit");
    }
    return std::unique_ptr<Workspace>(std::make_unique<WorkspacePort>(node_, request));
  }
  Result<void> Push(const PushRequest& request, std::stop_token) override {
    Machine& machine = node_.machine();
    if (machine.Now() < node_.no_write_before) machine.Violated("I9", "a push before the time");
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
  Result<std::vector<std::string>> SweepOrphans(const std::set<TaskId>&) override {
    return std::vector<std::string>{};
  }
  Result<void> CheckGit() override { return Ok(); }

 private:
  // To the forge and back.
  Result<void> Travel() {
    if (node_.dead) return Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(milliseconds(20), seconds(2)));
    if (node_.dead) return Dead();
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

  Result<AgentResult> Run(const CommandContext& context, const std::filesystem::path&,
                          const ProcessRunner::Sink&, std::stop_token stop) override {
    if (node_.dead) return Dead();
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
    if (node_.dead) return Dead();
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
    if (node_.dead) return Dead();
    Machine& machine = node_.machine();
    machine.Sleep(machine.rng().Time(milliseconds(50), seconds(6)), nullptr, stop);
    if (node_.dead) return Dead();
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

std::unique_ptr<Store> MakeStorePort(Node& node) {
  return std::make_unique<StorePort>(node);
}
std::unique_ptr<Forge> MakeForgePort(Node& node, Store& store) {
  return std::make_unique<ForgePort>(node, store);
}
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
