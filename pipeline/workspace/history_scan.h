// The last look before a push: whatever any commit of a task branch brings, not only the last one,
// because a push publishes all of them (T39). Reads objects in-process; runs no program.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage {

/// Goes from `head` back to `base` and shows `holds` every message, every path, and every file and
/// link target that a commit changed. Returns where it first said yes: a path, "a file name" or "a
/// commit message". Errors: kNotFound (a commit is missing), kTooLarge (more commits than any task
/// makes).
Result<std::optional<std::string>> FindInHistory(
    const std::filesystem::path& mirror, const CommitSha& base, const CommitSha& head,
    const std::function<bool(std::string_view)>& holds);

}  // namespace swage
