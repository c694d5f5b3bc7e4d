// What a sandbox shows as /etc: what programs need to run and to know whom they run as, and nothing
// that says anything about the machine, its users or its secrets.
//
// A copy, because every file that bubblewrap binds by itself costs a sandbox a millisecond. It is
// as old as the process: what is installed later may need a restart to be found.
#pragma once

#include <filesystem>

#include "config/base/file_owner.h"
#include "config/base/result.h"

namespace swage {

/// Makes `folder` anew, for everybody to read; with an empty resolv.conf, to be covered where there
/// is a network. Errors: kInternal.
Result<void> MakeSmallEtc(const std::filesystem::path& folder, const FileOwner& user);

}  // namespace swage
