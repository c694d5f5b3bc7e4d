// Giving up what a command must not have. For programs without the C++ library.
#pragma once

#include <sys/types.h>

namespace swage {

/// No setuid program and no file capability gives anything to this process or what it starts. 0 or
/// an errno.
int GainNoPrivileges();

enum class Keep {
  kNothing,  ///< no capability at all
  /// Of a root process: what containers are given. Owners, modes and users of files and processes;
  /// nothing that configures the machine, traces strangers or makes devices.
  kUsual,
};
/// Drops all other capabilities, for good. Nothing to do without any. 0 or an errno.
int DropCapabilities(Keep keep);

/// Becomes that user, without other groups and without capabilities, for good. 0 or an errno.
int BecomeUser(uid_t uid, gid_t gid);

}  // namespace swage
