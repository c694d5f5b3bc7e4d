// What a sandbox shows as /etc: what programs need to run and to know whom they run as, and nothing
// that says anything about the machine, its users or its secrets.
#pragma once

#include <filesystem>
#include <vector>

#include "config/base/file_owner.h"
#include "config/base/result.h"

namespace swage {

struct EtcEntry {
  std::filesystem::path source;  ///< need not be there
  std::filesystem::path place;
  bool network = false;  ///< only of use with the host's network
};

/// Writes its own passwd, group, hosts and nsswitch.conf into `folder`, which everybody may read,
/// and lists them with what is taken from the machine. Errors: kInternal.
Result<std::vector<EtcEntry>> MakeSmallEtc(const std::filesystem::path& folder,
                                           const FileOwner& user);

}  // namespace swage
