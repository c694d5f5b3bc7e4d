// `swage tasks`, `show`, `retry` and `stop`: what an operator needs for a task that is stuck.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "bot/operator/store_access.h"

namespace swage {

struct TasksOptions {
  std::filesystem::path config;
  std::string state;  ///< "failed"; empty = all
  std::string repo;   ///< "acme/lib"; empty = all
  int limit = 50;     ///< newest first
  bool json = false;  ///< JSON Lines
};

struct TaskOptions {
  std::filesystem::path config;
  std::string task;   ///< its number, its key ("hub/acme/lib#12") or its issue's URL
  bool json = false;  ///< `show` only
};

/// What was given up: deliveries that could not be decided, writes that a forge refused.
int ListParkedCommand(const TasksOptions& options, const StoreAccess& access, std::ostream& out,
                      std::ostream& err);
/// Exit codes: see bot/cli.h.
int ListTasksCommand(const TasksOptions& options, const StoreAccess& access, std::ostream& out,
                     std::ostream& err);
int ShowTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err);
/// Another run of a failed, cancelled or waiting task, as `/swage retry` on its issue.
int RetryTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                     std::ostream& err);
/// As `/swage stop` on its issue.
int StopTaskCommand(const TaskOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err);

}  // namespace swage
