// What a server must not leave when it is over (I8). Each function says what it found, in words.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace swage::test {

/// Workspaces, registered worktrees and held locks in a server's data directory.
std::vector<std::string> LeftInDataDir(const std::filesystem::path& data_dir);
/// Processes that run below `home`, or name it on their command line.
std::vector<std::string> ProcessesOf(const std::filesystem::path& home);

}  // namespace swage::test
