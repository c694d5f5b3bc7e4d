// Who owns a workspace's files, where commands run as another user than the bot.
#pragma once

#include <filesystem>
#include <optional>

#include "config/base/file_owner.h"
#include "config/base/result.h"

namespace swage {

/// Gives what the bot owns below `root`, and `root` itself, to `owner`; nothing = stays as it is.
/// Follows no link, and leaves alone what somebody may have linked to a file elsewhere. Errors:
/// kDenied (only root may give files away).
Result<void> GiveTree(const std::filesystem::path& root, const std::optional<FileOwner>& owner);

/// Gives one file or directory that the bot owns, not what is in it, as GiveTree does.
Result<void> GiveEntry(const std::filesystem::path& path, const std::optional<FileOwner>& owner);

/// Gives one directory, whoever owns it, not what is in it.
Result<void> GiveDirectory(const std::filesystem::path& dir, const std::optional<FileOwner>& owner);

/// Lets every user pass through `dir` on the way to something whose name they know, without letting
/// them list it. Files directly in it are for the bot alone from now on.
Result<void> LetPass(const std::filesystem::path& dir);

/// Lets `owner` read the mirror's objects, and nobody else: through the mirror's directory one can
/// pass, the objects are its group's.
Result<void> ShowObjects(const std::filesystem::path& mirror, const FileOwner& owner);

}  // namespace swage
