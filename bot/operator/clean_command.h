// `swage clean`: gives back the disk space of what only makes later tasks begin sooner, and of what
// nobody needs. A server does the same by itself above workspaces.disk_high_water.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>

#include "bot/operator/store_access.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

struct CleanOptions {
  std::filesystem::path config;
  bool dry_run = false;  ///< say what would go
};

using WorkspacesMaker = std::function<std::unique_ptr<Workspaces>(
    const Settings& settings, ProcessRunner& processes, const WorkspaceOptions& options)>;

/// Refused beside a process that runs tasks in the same data_dir. 0: done; 1: something could not
/// be removed, or the store not be read; 2: the settings are wrong.
int CleanCommand(const CleanOptions& options, const StoreOpener& observe,
                 const WorkspacesMaker& make_workspaces, std::ostream& out, std::ostream& err);

}  // namespace swage
