// Looking for programs as a shell would, to say early and plainly that one is missing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace swage {

/// A name with a '/' is taken as it is; others are looked for in the folders, in their order.
std::optional<std::filesystem::path> FindProgram(const std::string& name,
                                                 const std::vector<std::string>& folders);

/// The folders of a PATH that are absolute; what is relative depends on where somebody stands.
std::vector<std::string> FoldersOf(std::string_view path);

/// FoldersOf this process's own PATH.
std::vector<std::string> OwnFolders();

}  // namespace swage
