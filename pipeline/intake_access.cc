#include "pipeline/intake_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/effects.h"
#include "pipeline/intake_parts.h"
#include "pipeline/messages.h"

namespace swage::intake {
namespace {

bool Concerns(const AccessChanged& event, const Task& task) {
  if (task.repo.forge != event.repo.forge) return false;
  if (!event.repos.empty()) {
    return std::ranges::any_of(event.repos,
                               [&](const RepoRef& repo) { return repo.id == task.repo.id; });
  }
  const std::string_view path = task.repo.path;
  return EqualsIgnoreCase(path.substr(0, path.find('/')), event.owner);
}

// What is being published is done work: its writes wait by themselves until they are let through.
bool CanWait(const Task& task) {
  return task.state == TaskState::kQueued ||
         (task.state == TaskState::kRunning && task.stage != Stage::kPublish);
}

}  // namespace

IntakePlan DecideAccess(const AccessChanged& event, const std::vector<Task>& tasks) {
  const bool granted = event.kind == AccessChanged::Kind::kGranted;
  IntakePlan plan;
  plan.actor = event.actor.login;
  for (const Task& task : tasks) {
    if (!Concerns(event, task)) continue;
    if (granted) {
      const bool held =
          task.state == TaskState::kWaiting && messages::TellsOfLostAccess(task.reason);
      if (!held) continue;
      plan.changes.push_back(
          {task.id, TaskChangeKind::kRequeue, ResumeKind(task), "", event.actor.login, ""});
    } else {
      if (!CanWait(task)) continue;
      plan.changes.push_back({task.id, TaskChangeKind::kPause, RunKind::kFix, "", event.actor.login,
                              messages::AccessLost(event.kind, event.owner)});
    }
    plan.effects.push_back(StickyEffect(task.repo, task.id));
  }
  plan.outcome = messages::AccessOutcome(event.kind, event.owner, plan.changes.size());
  return plan;
}

}  // namespace swage::intake
