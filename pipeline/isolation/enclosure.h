// Enclosure: the ProcessRunner of a level that starts every command inside of something else.
//
// A level gives the words that go before a command (`bwrap ... swage-enter ... --`); limits,
// output, environment and the end of the tree stay the inner runner's business. What keeps the
// enclosure from being set up is an error of ours (kUnavailable), never the result of a command.
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/base/process.h"

namespace swage {

struct EnclosureParts {
  std::string name;  ///< for errors: "the sandbox"
  /// What goes before the command's own words. Errors are passed on.
  std::function<Result<std::vector<std::string>>(const ProcessSpec&)> words_before;
  /// Changes the rest of a spec: another environment for the enclosing program, say.
  std::function<void(ProcessSpec&)> adapt = {};
  /// Called after a command that did not end by itself: what outlives a kill goes here.
  std::function<void()> after_kill = {};
  /// Whether descriptors get inside. Otherwise exit codes 125 to 127 mean what they do in
  /// containers.
  bool passes_descriptors = true;
};

/// Renames the variables of a command, so that they mean nothing to the programs that enclose it;
/// `swage-enter --environment` gives them their names back.
void HideEnvironment(ProcessSpec& spec);
std::string HiddenName(const std::string& variable);

/// `processes` outlives it. Errors of Run beside those of a plain runner: kUnavailable.
std::unique_ptr<ProcessRunner> MakeEnclosure(EnclosureParts parts, ProcessRunner& processes);

}  // namespace swage
