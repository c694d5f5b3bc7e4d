// The transport of a GitHub App: gives each request the token that it needs, and renews one that
// the forge refuses before its time, once.
//
// Below the traffic gate: a single token that has ended is no news of the forge as a whole.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "forge/github/app_tokens.h"
#include "forge/transport.h"

namespace swage::github {

/// Requests that name their own authorization pass as they are. Thread-safe as its parts are.
std::unique_ptr<HttpTransport> MakeAppTransport(std::unique_ptr<HttpTransport> inner,
                                                std::shared_ptr<AppTokens> tokens);

/// "owner/name" of "/repos/owner/name/...", decoded; empty for other paths. Pure.
std::string RepoOfPath(std::string_view path);

}  // namespace swage::github
