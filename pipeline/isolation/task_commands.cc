#include "pipeline/isolation/task_commands.h"

namespace swage {
namespace {

constexpr const char* kEgressFolder = "egress";

bool KeepsTheNetworkAway(IsolationLevel level) {
  switch (level) {
    case IsolationLevel::kShared:
    case IsolationLevel::kWorktree:
      return false;
    case IsolationLevel::kSandbox:
    case IsolationLevel::kContainer:
      return true;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<TaskCommands>> TaskCommands::Open(Isolation& level, Cell cell,
                                                         TaskAllowance allowance,
                                                         HostResolver& resolver) {
  std::unique_ptr<TaskCommands> task(new TaskCommands());
  std::vector<std::string> disk_roots = {cell.workspace.string(), cell.home.string(),
                                         cell.tmp.string()};
  if (KeepsTheNetworkAway(level.Level()) && !allowance.egress.empty()) {
    EgressOptions options{std::move(allowance.egress), cell.home.parent_path() / kEgressFolder, {}};
    SWAGE_ASSIGN_OR_RETURN(task->proxy_,
                           EgressProxy::Start(std::move(options), resolver, task->record_));
    cell.egress = task->proxy_->SocketPath();
  }
  SWAGE_ASSIGN_OR_RETURN(task->enclosure_, level.Enclose(cell));
  task->limited_ = std::make_unique<LimitedRunner>(
      *task->enclosure_, allowance.limits, std::move(disk_roots),
      task->proxy_ ? EgressEnvironment() : std::map<std::string, std::string>());
  return task;
}

}  // namespace swage
