// What the sandbox forge's record of requests says.
#pragma once

#include <string>

#include "forge/sandbox/sandbox_forge.h"
#include "forge/sandbox/state.h"

namespace swage::test {

/// Whether a request can change something at the forge. Fetches, GraphQL queries and an App's
/// shopping for tokens go by POST and cannot.
inline bool Mutates(const sandbox::LoggedRequest& request) {
  if (request.method == "GET" || request.method == "HEAD") return false;
  const std::string target = request.target.substr(0, request.target.find('?'));
  if (target.ends_with("/git-upload-pack") || target.ends_with("/access_tokens")) return false;
  return !target.ends_with("/graphql") || request.body.find("mutation") != std::string::npos;
}

/// Adds what was sent to a server to the file that SWAGE_FORGE_RECORD names, if there is one: a
/// line of JSON each, for the contract suite to judge.
void RecordForContract(const sandbox::SandboxForge& server);

}  // namespace swage::test
