// The levels of this machine, as the product makes them, and what lies outside of them.
#pragma once

#include <memory>

#include "config/base/cgroup.h"
#include "config/base/files.h"
#include "pipeline/isolation/attempts/attempts.h"
#include "pipeline/isolation/isolations.h"
#include "tests/escapes/image.h"
#include "tests/harness/plain_isolations.h"

namespace swage {

class Machine {
 public:
  static Machine& Get() {
    static Machine machine;
    return machine;
  }

  std::shared_ptr<CommandGroups> groups = CommandGroups::Open();
  std::unique_ptr<ProcessRunner> processes =
      MakePosixProcessRunner(FindSupervisor().value(), groups);
  std::unique_ptr<ProcessRunner> counting = MakePosixProcessRunner(FindSupervisor().value());
  TempDir state{"swage-state-"};
  EscapeImage image{*processes, state.path()};
  std::unique_ptr<Isolations> isolations = MakeIsolations(Options(groups.get()), *processes);
  std::unique_ptr<Isolations> counted = MakeIsolations(Options(nullptr), *counting);
  PlainIsolation plain{IsolationLevel::kWorktree, *processes};
  std::unique_ptr<AttemptField> field =
      AttemptField::Make(FindHelper("swage-escape").value(), *processes).value();

 private:
  IsolationOptions Options(const CommandGroups* keepers) {
    IsolationOptions options;
    options.enter = FindHelper("swage-enter").value();
    options.state = state.path() / "isolation";
    options.container = image.Engine();
    options.image = image.Name();
    options.instance = keepers == nullptr ? "escapes-counted" : "escapes";
    options.limits = LimitKeepers(keepers);
    return options;
  }
};

}  // namespace swage
