// The Forge seam over GitHub's REST API (and GraphQL where REST has no word for it).
//
// Works with api.github.com and GitHub Enterprise, in two ways: with a personal access token that
// has write access to the repositories, or as an App that their owners installed.
#pragma once

#include <functional>
#include <memory>

#include "config/base/clock.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "forge/rest.h"
#include "forge/traffic_gate.h"
#include "forge/transport.h"

namespace swage {

/// The transport's options for this forge: address, authority, and the headers with the credential.
TransportOptions GitHubTransportOptions(const ForgeSettings& settings);

/// What its limits count a request as.
TrafficOf GitHubTrafficOf(const ForgeSettings& settings);

/// `transport` speaks to settings.api_url. `sleep` is for waits between questions; empty = the
/// thread's.
std::unique_ptr<Forge> MakeGitHubForge(ForgeSettings settings,
                                       std::unique_ptr<HttpTransport> transport,
                                       SleepFunction sleep = {});

/// Puts something before a transport that every request of the forge passes once.
using TransportWrap = std::function<std::unique_ptr<HttpTransport>(std::unique_ptr<HttpTransport>)>;

/// The same as a GitHub App (settings.app): it finds its tokens by itself, and says checks where a
/// token's account says statuses. `clock` and `redactor` outlive it. Errors: kInvalid for a key
/// that is none.
Result<std::unique_ptr<Forge>> MakeGitHubAppForge(ForgeSettings settings,
                                                  std::unique_ptr<HttpTransport> transport,
                                                  const TransportWrap& gate, const Clock& clock,
                                                  Redactor& redactor, SleepFunction sleep = {});

}  // namespace swage
