// The Forge seam over GitHub's REST API (and GraphQL where REST has no word for it).
//
// Works with api.github.com and GitHub Enterprise. The token is a personal access token with write
// access to the repositories.
#pragma once

#include <memory>

#include "config/settings.h"
#include "forge/forge.h"
#include "forge/rest.h"
#include "forge/transport.h"

namespace swage {

/// The transport's options for this forge: address, authority, and the headers with the credential.
TransportOptions GitHubTransportOptions(const ForgeSettings& settings);

/// `transport` speaks to settings.api_url. `sleep` is for waits between questions; empty = the
/// thread's.
std::unique_ptr<Forge> MakeGitHubForge(ForgeSettings settings,
                                       std::unique_ptr<HttpTransport> transport,
                                       SleepFunction sleep = {});

}  // namespace swage
