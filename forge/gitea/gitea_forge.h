// The Forge seam over the REST API of Gitea and Forgejo.
//
// Works with Gitea from 1.21 and Forgejo from 7 on. The token's account has write access to the
// repositories, better administers them: only then does the forge tell what others may do there.
#pragma once

#include <memory>

#include "config/settings.h"
#include "forge/forge.h"
#include "forge/rest.h"
#include "forge/transport.h"

namespace swage {

/// The transport's options for this forge: address, authority, and the headers with the credential.
TransportOptions GiteaTransportOptions(const ForgeSettings& settings);

/// `transport` speaks to settings.api_url. `sleep` is for waits between questions; empty = the
/// thread's.
std::unique_ptr<Forge> MakeGiteaForge(ForgeSettings settings,
                                      std::unique_ptr<HttpTransport> transport,
                                      SleepFunction sleep = {});

}  // namespace swage
