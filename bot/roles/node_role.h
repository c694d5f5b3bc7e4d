// NodeRole: one of the things that a process can be there for, built and started alone.
//
//   web            webhook server -> inbox; pages
//   publisher      inbox -> intake -> queue; outbox -> forges
//   worker         queue -> scheduler -> workers -> outbox
//   housekeeping   recurring duties
//
// Roles meet only in the store, so they may as well live in different processes; hints between
// those that share one save a poll.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bot/roles/hints.h"
#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/process.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/isolation/isolations.h"
#include "pipeline/publisher.h"
#include "pipeline/store/hold.h"
#include "pipeline/store/store.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

/// What the process has once and every role builds upon. All of it outlives the roles.
struct NodeParts {
  const Settings& settings;
  const std::string& node;  ///< the process's name in leases
  Redactor& redactor;
  Log& log;
  const Clock& clock;
  Store& store;
  ProcessRunner& processes;
  Isolations* isolations;  ///< with the role worker only
  Workspaces& workspaces;
  ForgeLookup forges;
  std::map<std::string, const WebhookDialect*> dialects;
  Hints& hints;
  HoldSource holds;
};

class NodeRole {
 public:
  virtual ~NodeRole() = default;
  virtual std::string_view Name() const = 0;
  /// Takes up what an earlier process left, then begins.
  virtual Result<void> Start() = 0;
  /// Takes up nothing new that lasts, and waits at most so long for what is under way; all else
  /// goes on. Before BeginStop.
  virtual void Drain(std::chrono::milliseconds) {}
  /// Begins to stop: nothing new is taken up. Never blocks.
  virtual void BeginStop() = 0;
  /// Returns when all of it has stopped. After BeginStop; may be called without Start.
  virtual void Stop() = 0;
  /// What is wrong with it, in a fixed phrase that strangers may read. Never blocks.
  virtual Result<void> Health() const = 0;
};

}  // namespace swage
