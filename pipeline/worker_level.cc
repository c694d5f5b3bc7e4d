// At which level of isolation a run goes on, and where: the worker's part of C3.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/effects.h"
#include "pipeline/isolation/supply.h"
#include "pipeline/messages.h"
#include "pipeline/worker.h"

namespace swage {

// Decided once per task and stored before anything runs; a later run may only ask for more.
// Nothing = it may go on here.
Result<std::optional<RunOutcome>> Worker::SettleLevel(Claimed& claimed, const Ground& ground,
                                                      Standing& standing, Forge& forge,
                                                      std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(standing.evidence, GatherEvidence(claimed.task, ground, forge, stop));
  standing.choice =
      ChooseLevel(standing.evidence, context_.settings.isolation_rules, ground.policy.isolation);
  return TakeLevel(claimed, standing.choice, 0);
}

// Stored before anything runs at it, so that a crash does not lead back to the level before.
Result<std::optional<RunOutcome>> Worker::TakeLevel(Claimed& claimed, const Choice& choice,
                                                    int cycle) {
  if (!choice.refusal.empty()) {
    return std::optional(EndAs(TaskState::kWaiting, claimed.task, choice.refusal));
  }
  SWAGE_RETURN_IF_ERROR(RaiseLevel(claimed, choice, cycle));
  return FindRoom(claimed);
}

// What the run brought up asks for a higher level: it goes on there from its last checkpoint.
Result<std::optional<RunOutcome>> Worker::MoveUp(Claimed& claimed, const Standing& standing,
                                                 const LoopResult& result) {
  Task& task = claimed.task;
  context_.log.Info("the run goes on at a higher level of isolation",
                    {{"task_id", task.id}, {"level", Name(standing.choice.level)}});
  if (!result.head.value.empty()) task.checkpoint = result.head;
  task.cycle = result.cycle;
  claimed.history = result.cycles;
  SWAGE_RETURN_IF_ERROR(context_.store.SetStage(claimed.lease, Stage::kProvision, task.cycle));
  return TakeLevel(claimed, standing.choice, result.cycle);
}

// Asked after each snapshot: whether what the change touches, and what its commands met, asks for
// more than the level that the task is at.
std::function<bool(const InFlight&)> Worker::LevelWatch(const Task& task, const Ground& ground,
                                                        Standing& standing,
                                                        const EgressRecord& egress) const {
  return [this, level = *task.level, &ground, &standing, &egress](const InFlight& found) {
    Evidence& evidence = standing.evidence;  // signs stay, whatever workspace they showed in
    evidence.touched = found.touched;
    evidence.signs.insert(found.signs.begin(), found.signs.end());
    if (!egress.Refused().empty()) evidence.signs.insert(Sign::kNetworkBlocked);
    standing.choice =
        ChooseLevel(evidence, context_.settings.isolation_rules, ground.policy.isolation);
    return !standing.choice.refusal.empty() || standing.choice.level > level;
  };
}

// For the pull request, and for the level of what follows.
Result<void> Worker::KeepRefusals(const Lease& lease, const EgressRecord& egress) {
  std::vector<BlockedHost> hosts;
  for (const EgressRefusal& refusal : egress.Refused()) {
    hosts.push_back({fmt::format("{}:{}", refusal.host, refusal.port), refusal.times});
  }
  if (hosts.empty()) return Ok();
  return context_.store.AddBlockedHosts(lease, hosts);
}

Result<void> Worker::RaiseLevel(Claimed& claimed, const Choice& choice, int cycle) {
  Task& task = claimed.task;
  if (task.level && *task.level >= choice.level) return Ok();
  LevelStep step;
  step.level = choice.level;
  step.reasons = choice.reasons;
  step.cycle = cycle;
  SWAGE_RETURN_IF_ERROR(context_.store.RaiseLevel(claimed.lease, step));
  task.level = choice.level;
  return context_.store.AddEffects({StickyEffect(task.repo, task.id)});
}

// Nothing = this node gives the task's level. Otherwise another one goes on, or the task waits for
// one that can.
Result<std::optional<RunOutcome>> Worker::FindRoom(const Claimed& claimed) {
  const Task& task = claimed.task;
  const NodeLevels here = LevelsHere(context_.isolations, context_.settings.node.levels);
  if (here.given.Has(*task.level)) return std::optional<RunOutcome>();
  SWAGE_ASSIGN_OR_RETURN(std::vector<NodeInfo> nodes, context_.store.ListNodes());
  std::erase_if(nodes, [&](const NodeInfo& node) { return node.name == claimed.lease.node; });
  NodeInfo self;
  self.name = claimed.lease.node;
  self.levels = here.given;
  self.lacks = here.lacks;
  nodes.push_back(std::move(self));
  const LevelSupply supply = SupplyOf(nodes, context_.settings.node.lease);
  if (supply.given.Has(*task.level)) {
    RunOutcome outcome = EndAs(TaskState::kQueued, task,
                               messages::AnotherNodeGives(*task.level, claimed.lease.node));
    return std::optional(std::move(outcome));
  }
  RunOutcome outcome = EndAs(TaskState::kWaiting, task, supply.why_not.at(*task.level));
  outcome.for_level = true;
  return std::optional(std::move(outcome));
}

Result<Evidence> Worker::GatherEvidence(const Task& task, const Ground& ground, Forge& forge,
                                        std::stop_token stop) {
  Evidence evidence;
  const Directives asked = ReadDirectives(task.text.body);
  evidence.asked = asked.isolation;
  evidence.paths = asked.paths;
  evidence.text_bytes = task.text.body.size();
  evidence.signs = SignsOf(ground.policy);
  SWAGE_ASSIGN_OR_RETURN(const auto earlier, context_.store.ListSigns(task.id));
  evidence.signs.insert(earlier.begin(), earlier.end());
  if (asked.network) evidence.signs.insert(Sign::kAsksNetwork);
  evidence.reads_only = ReadsOnly(task, ground.policy);
  SWAGE_ASSIGN_OR_RETURN(const auto blocked, context_.store.ListBlockedHosts(task.id));
  if (!blocked.empty()) evidence.signs.insert(Sign::kNetworkBlocked);
  // Once there is a level, it has been asked for that.
  evidence.author = Author::kWriter;
  if (task.level) return evidence;
  SWAGE_ASSIGN_OR_RETURN(evidence.author,
                         WithPatience(task.id, stop, [&] { return AuthorOf(task, forge); }));
  return evidence;
}

// Whose words they are counts, whoever asked for the work. An issue that is gone tells nothing.
Result<Author> Worker::AuthorOf(const Task& task, Forge& forge) {
  const Result<Issue> issue = forge.GetIssue(task.repo, task.issue_number);
  if (!issue.ok() && issue.error().code == ErrorCode::kNotFound) return Author::kOutsider;
  if (!issue.ok()) return issue.error();
  if (issue->author.is_bot && !IsAllowedBot(task.repo.forge, issue->author)) return Author::kBot;
  SWAGE_ASSIGN_OR_RETURN(const Role role, forge.GetRole(task.repo, issue->author));
  return role >= Role::kWrite ? Author::kWriter : Author::kOutsider;
}

bool Worker::IsAllowedBot(std::string_view forge, const Actor& actor) const {
  for (const ForgeSettings& settings : context_.settings.forges) {
    if (settings.name != forge) continue;
    return std::ranges::find(settings.allowed_bots, actor.id) != settings.allowed_bots.end();
  }
  return false;
}

bool Worker::ReadsOnly(const Task& task, const RepoPolicy& policy) {
  const auto profile = policy.profiles.find(task.profile);
  return profile != policy.profiles.end() && profile->second.reads_only;
}

// An answer is all that there is to publish (C4).
Result<RunOutcome> Worker::ConcludeReader(const Task& task, const LoopResult& result) {
  if (!result.failed_because.empty()) return Failed(task, result.failed_because);
  if (result.secret_in_words) return Failed(task, messages::SecretInAnswer());
  RunOutcome outcome = EndAs(TaskState::kClosed, task, messages::Answered());
  outcome.effects.push_back(CommentOnce(
      task, {ThreadKind::kIssue, task.issue_number},
      fmt::format("answer-{}-r{}", task.id.value, task.run), [&](auto marker) {
        return messages::ReaderAnswer(marker, task, result.summary, context_.settings.public_url);
      }));
  return outcome;
}

}  // namespace swage
