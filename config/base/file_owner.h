// The user and group that files belong to, where that is not the bot itself.
#pragma once

#include <sys/types.h>

namespace swage {

struct FileOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};

}  // namespace swage
