// `swage run ISSUE`: hands an issue to the bot (A3). Beside a running server it asks that one, else
// it leaves the request in the database, for the server to find.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "bot/operator/store_access.h"

namespace swage {

struct RunOptions {
  std::filesystem::path config;
  std::string issue;  ///< its URL, "FORGE/OWNER/NAME#12", or "OWNER/NAME#12" with one forge
  std::string profile;
};

/// Exit codes: see bot/cli.h.
int RunIssueCommand(const RunOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err);

}  // namespace swage
