// ManualRequest: work on an issue that an operator asks for, at the command line or through the API
// (A3).
//
// It goes the way of a webhook: into the inbox, durable, and is decided where the others are. Its
// event name is one that no forge may use. Pure but for the random key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "config/settings.h"
#include "pipeline/store/store.h"

namespace swage {

/// What events of Swage's own begin with; deliveries of forges must not.
inline constexpr std::string_view kOwnEvents = "swage.";

struct ManualRequest {
  std::string forge;  ///< name in the settings
  std::string repo;   ///< "owner/name"
  std::int64_t issue = 0;
  std::string actor;    ///< for people: "root (command line)"
  std::string profile;  ///< as the label `LABEL:PROFILE` would ask for; may be empty
};

/// `address`: an issue's URL, "FORGE/owner/name#12", or "owner/name#12" where there is one forge
/// only. Errors: kInvalid, which says what would be right.
Result<ManualRequest> FindIssueByAddress(std::string_view address,
                                         const std::vector<ForgeSettings>& forges);

bool IsManualRequest(std::string_view event);
NewDelivery ToDelivery(const ManualRequest& request);
/// Errors: kInvalid.
Result<ManualRequest> ReadManualRequest(std::string_view forge, std::string_view body);

}  // namespace swage
