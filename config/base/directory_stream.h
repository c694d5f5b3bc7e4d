// What readdir(3) reads, closed with its owner: for those who go through a directory by a
// descriptor that they hold. EntriesOf (files.h) is for all who have a path and mean well.
#pragma once

#include <dirent.h>

#include <memory>

namespace swage {

struct CloseDirectory {
  void operator()(DIR* dir) const { closedir(dir); }
};

/// fdopendir(fd) takes the descriptor over unless it fails: release it after, not before.
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace swage
