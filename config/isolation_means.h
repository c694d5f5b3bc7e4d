// What the levels of isolation are made with on this node: a part of Settings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/base/file_owner.h"

namespace swage {

struct IsolationMeans {
  /// Of whom commands are where the server runs as root; a number, so that no account has to be
  /// made. In the range that Debian never gives away.
  int user = 65'432;
  std::vector<std::string> show;   ///< absolute; what sandboxes see, read-only
  std::vector<std::string> write;  ///< absolute; what commands of every level may write
  std::string container_command = "podman";
  std::string container_image;

  FileOwner Owner() const { return {static_cast<uid_t>(user), static_cast<gid_t>(user)}; }
};

}  // namespace swage
