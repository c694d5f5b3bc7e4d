// Where git finds a repository of a forge. Pure.
#pragma once

#include <string>

#include "config/settings.h"
#include "forge/model.h"

namespace swage {

/// git_url/OWNER/NAME.git by the forge's own way, with its token as `username`'s password.
GitRemote RemoteOf(const ForgeSettings& settings, const RepoRef& repo, std::string username);

}  // namespace swage
