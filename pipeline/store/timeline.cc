#include "pipeline/store/timeline.h"

#include <fmt/format.h>

#include "config/base/text.h"

namespace swage::timeline {
namespace {

constexpr std::size_t kMaxListedGates = 5;
constexpr std::size_t kShortSha = 7;

std::string_view Words(TaskState state) {
  return state == TaskState::kInReview ? std::string_view("in review") : Name(state);
}

std::string_view Words(RunKind kind) {
  switch (kind) {
    case RunKind::kImplement:
      return "another try";
    case RunKind::kFix:
      return "a fix";
    case RunKind::kGates:
      return "the gates";
    case RunKind::kRebase:
      return "the newest base";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : StripControl(ToValidUtf8(text))) {
    const bool blank = c == '\n' || c == '\t' || c == ' ';
    if (!blank) {
      line.push_back(c);
    } else if (!line.empty() && line.back() != ' ') {
      line.push_back(' ');
    }
  }
  return Truncate(Trim(line), kMaxDetail);
}

std::string Received(std::string_view login, int generation) {
  const std::string again = generation > 1 ? fmt::format(" (generation {})", generation) : "";
  return OneLine(fmt::format("received from @{}{}", login, again));
}

std::string Delegated(const DelegateChange& change) {
  return OneLine(fmt::format("@{} {} command this task, says @{}", change.who.login,
                             change.may ? "may" : "may no longer", change.who.by));
}

std::string Queued(RunKind kind, std::string_view actor, int run) {
  const std::string by = actor.empty() ? "" : fmt::format(" by @{}", actor);
  return OneLine(fmt::format("queued: {} asked for{} (run {})", Words(kind), by, run));
}

std::string Prioritized(Priority priority, std::string_view actor) {
  return OneLine(fmt::format("priority {}, says @{}", Name(priority), actor));
}

std::string Claimed(std::string_view node, int attempt) {
  const std::string again = attempt > 1 ? fmt::format(" (attempt {})", attempt) : "";
  return OneLine(fmt::format("claimed by {}{}", node, again));
}

std::string Staged(Stage stage, int cycle) {
  switch (stage) {
    case Stage::kNone:
      return "between stages";
    case Stage::kProvision:
      return "preparing the workspace";
    case Stage::kAgent:
      return fmt::format("cycle {}: the agent is at work", cycle);
    case Stage::kGates:
      return fmt::format("cycle {}: running the gates", cycle);
    case Stage::kPublish:
      return "preparing the results";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::string Levelled(const LevelStep& step, bool again) {
  return OneLine(fmt::format("{}level {}: {}", again ? "up to " : "", Name(step.level),
                             Join(step.reasons, "; ")));
}

std::string LevelFound(IsolationLevel level) {
  return fmt::format("queued: there is a node that gives level {}", Name(level));
}

std::string Cycled(const CycleRecord& cycle, const std::vector<std::string>& failed_gates) {
  if (cycle.passed) return fmt::format("cycle {}: all gates passed", cycle.cycle);
  if (failed_gates.empty()) return fmt::format("cycle {}: not passed", cycle.cycle);
  std::vector<std::string> listed = failed_gates;
  if (listed.size() > kMaxListedGates) {
    listed.resize(kMaxListedGates);
    listed.emplace_back("…");
  }
  return OneLine(fmt::format("cycle {}: {} failed ({})", cycle.cycle,
                             Count(failed_gates.size(), "gate"), Join(listed, ", ")));
}

std::string Published(EffectKind kind, const PublishedFacts& facts, const Task& before) {
  switch (kind) {
    case EffectKind::kReaction:
    case EffectKind::kComment:
    case EffectKind::kSticky:
    case EffectKind::kStatus:
      return {};
    case EffectKind::kPush:
      return facts.pushed.has_value()
                 ? fmt::format("pushed {}", facts.pushed->value.substr(0, kShortSha))
                 : "pushed";
    case EffectKind::kPullRequest: {
      const std::int64_t number = facts.pr_number.value_or(before.pr_number);
      return fmt::format("pull request #{} {}", number,
                         before.pr_number == number ? "updated" : "opened");
    }
    case EffectKind::kReview:
      return "review posted";
    case EffectKind::kResolve:
      return Count(facts.resolved_findings.size(), "finding") + " resolved";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

std::string NotPublished(EffectKind kind, std::string_view error) {
  return OneLine(fmt::format("{} could not be published: {}", Name(kind), error));
}

std::string Moved(TaskState to, std::string_view reason) {
  return reason.empty() ? std::string(Words(to))
                        : OneLine(fmt::format("{}: {}", Words(to), reason));
}

std::string_view KindOfMove(TaskState to) {
  switch (to) {
    case TaskState::kQueued:
      return kQueued;
    case TaskState::kRunning:
      return kClaimed;
    case TaskState::kInReview:
      return kInReview;
    case TaskState::kWaiting:
      return kWaiting;
    case TaskState::kMerged:
      return kMerged;
    case TaskState::kClosed:
      return kClosed;
    case TaskState::kFailed:
      return kFailed;
    case TaskState::kCancelled:
      return kCancelled;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

}  // namespace swage::timeline
