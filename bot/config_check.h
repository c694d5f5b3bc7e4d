// ConfigCheck: what `swage config check` says about a settings file.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "config/settings.h"

namespace swage {

/// What would be used, for people; no secret values. Looks for the agent's command on disk.
std::string DescribeSettings(const Settings& settings);

/// Reads the file, prints DescribeSettings and warnings to `out`, or the faults to `err`. Returns
/// the exit code: kExitUsage with faults, kExitFailed when the agent's command is not there.
int CheckConfig(const std::filesystem::path& file, std::ostream& out, std::ostream& err);

}  // namespace swage
