// BaseWatch: looks whether the base branches of open pull requests were rewritten, and says so on
// the pull requests that still hold what is gone (X22). What to do about it is for people to say;
// the next run starts again on the new base.
//
// One fetch for each branch that has a pull request in review.
#pragma once

#include "config/base/log.h"
#include "pipeline/maintenance/duty.h"
#include "pipeline/publisher.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

class BaseWatch final : public Duty {
 public:
  static constexpr int kMaxTasks = 500;  ///< the newest
  /// So many of the server's poll intervals lie between two rounds: with the usual one 5 minutes.
  static constexpr int kPolls = 10;

  BaseWatch(Store& store, Workspaces& workspaces, ForgeLookup forges, std::string command_prefix,
            Log& log)
      : store_(store),
        workspaces_(workspaces),
        forges_(std::move(forges)),
        command_prefix_(std::move(command_prefix)),
        log_(log) {}

  std::string_view Name() const override { return "watch-bases"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  Result<void> Look(const std::vector<Task>& tasks, std::stop_token stop);

  Store& store_;
  Workspaces& workspaces_;
  const ForgeLookup forges_;
  const std::string command_prefix_;
  Log& log_;
};

}  // namespace swage
