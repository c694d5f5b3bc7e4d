// What the sandbox forge's record of requests says.
#pragma once

#include <string>

#include "forge/sandbox/state.h"

namespace swage::test {

/// Whether a request can change something at the forge. Fetches and GraphQL queries go by POST and
/// cannot.
inline bool Mutates(const sandbox::LoggedRequest& request) {
  if (request.method == "GET" || request.method == "HEAD") return false;
  const std::string target = request.target.substr(0, request.target.find('?'));
  if (target.ends_with("/git-upload-pack")) return false;
  return !target.ends_with("/graphql") || request.body.find("mutation") != std::string::npos;
}

}  // namespace swage::test
