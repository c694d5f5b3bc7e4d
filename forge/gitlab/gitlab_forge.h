// The Forge seam over GitLab's REST API v4.
//
// Works with gitlab.com and self-managed instances from 15.7 on. The token is a project, group or
// personal access token with the "api" scope and the Developer role.
#pragma once

#include <memory>

#include "config/settings.h"
#include "forge/forge.h"
#include "forge/rest.h"
#include "forge/transport.h"

namespace swage {

/// The transport's options for this forge: address, authority, and the header with the credential.
TransportOptions GitLabTransportOptions(const ForgeSettings& settings);

/// `transport` speaks to settings.api_url (".../api/v4"). `sleep` is for waits between questions;
/// empty = the thread's.
std::unique_ptr<Forge> MakeGitLabForge(ForgeSettings settings,
                                       std::unique_ptr<HttpTransport> transport,
                                       SleepFunction sleep = {});

}  // namespace swage
