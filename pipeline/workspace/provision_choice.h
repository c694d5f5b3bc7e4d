// Which way a process provisions: found out once, at its start, by trying.
#pragma once

#include <string>

#include "config/settings.h"
#include "pipeline/workspace/workspace.h"

namespace swage {

struct ProvisionChoice {
  ProvisionWay way = ProvisionWay::kPlain;
  std::string why;  ///< and why not a cheaper one: "overlays cannot be mounted: ..."
};

/// "overlay", "recycled", "plain": as the settings name them.
std::string_view Name(ProvisionWay way);

/// Takes what `workspaces.provision` says; with "auto" the cheapest that works here. For the
/// overlay the calling thread enters a mount namespace: call before the first other thread starts.
/// Errors: kInvalid, kUnavailable, when exactly the overlay was asked for and cannot be.
Result<ProvisionChoice> ChooseProvision(const Settings& settings);

}  // namespace swage
