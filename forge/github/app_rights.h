// What Swage needs of GitHub as an App, in one place: what the App's page must grant, and which
// part of it each kind of token is narrowed to. Pure.
//
// Source: docs.github.com, "Permissions required for GitHub Apps".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace swage::github {

/// What a token is for.
enum class AppScope {
  kLook,   ///< which repositories there are, and who people are
  kApi,    ///< issues, pull requests, reviews and checks of one repository
  kFetch,  ///< git reads one repository
  kPush,   ///< git writes it
};

/// As the body of a request for a token names them.
nlohmann::json PermissionsOf(AppScope scope);

/// What is wanting in what the App (or an installation of it) was granted: "Checks: read and
/// write", as GitHub's pages word it. `granted`: {"checks": "write", ...}.
std::vector<std::string> MissingPermissions(const nlohmann::json& granted);
/// The same of the events that the App subscribes to: "Issue comment".
std::vector<std::string> MissingEvents(const nlohmann::json& subscribed);

}  // namespace swage::github
