// Which process runs tasks in a data_dir.
#pragma once

#include <filesystem>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

/// Held as long as the descriptor: two workers in one directory would sweep each other's
/// workspaces away. Errors: kConflict (another process holds it), kInternal (it cannot be written).
Result<Fd> TakeDataDir(const std::filesystem::path& data_dir);

}  // namespace swage
