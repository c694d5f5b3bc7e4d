// The lines that a whole diff shows, file by file. Gitea lists the files of a pull request without
// their patches; the diff is one text. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "forge/patch_lines.h"

namespace swage::gitea {

/// By path in the head version. Files without a hunk (binary, mode changes) have no lines, deleted
/// ones are left out.
std::map<std::string, std::map<int, PatchLine>> DiffLines(std::string_view diff);

}  // namespace swage::gitea
