// ConfigCheck: what `swage config check` says about a settings file.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

#include "config/settings.h"

namespace swage {

/// What would be used, for people; no secret values. Looks for the agent's command on disk.
std::string DescribeSettings(const Settings& settings);

/// What the database is, or why it cannot be used.
using StoreLook = std::function<Result<std::string>(const Settings&)>;

/// Reads the file, signs something with the signing key if there is one, prints DescribeSettings
/// and warnings to `out`, or the faults to `err`. Returns the exit code: kExitUsage with faults,
/// kExitFailed when the agent's command is not there or the database cannot be used. Without
/// `look_at_store` the database is not looked at.
int CheckConfig(const std::filesystem::path& file, const StoreLook& look_at_store,
                std::ostream& out, std::ostream& err);

}  // namespace swage
