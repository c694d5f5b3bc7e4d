// AgentChoice: what `swage demo --agent` means, checked before anything starts and written as the
// `agent` part of the server's configuration.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/base/result.h"

namespace swage::demo {

struct AgentChoice {
  std::string shown;  ///< for the person who watches
  std::string yaml;   ///< "agent:\n  preset: ..."
  std::vector<std::string> notes;
};

/// `asked`: empty = the scripted stand-in below `material`; with a '/' = a program of the user's
/// own, which gets the path of task.json; anything else = a preset, whose program must be on PATH.
/// Errors: kInvalid, kNotFound, with the next step.
Result<AgentChoice> ChooseAgent(const std::string& asked, const std::filesystem::path& material);

}  // namespace swage::demo
