// The report of a gate: a file that untrusted code writes, below a directory that it may fill with
// links.
#pragma once

#include <filesystem>
#include <string_view>

#include "config/base/result.h"

namespace swage {

/// Removes the file `relative` below `root` without following a link anywhere on the way (T37); a
/// link in its place goes itself. Absent is success. Errors: kInvalid (leaves the root, passes
/// through a link, or is a directory), kInternal.
Result<void> RemoveFileBeneath(const std::filesystem::path& root, std::string_view relative);

}  // namespace swage
