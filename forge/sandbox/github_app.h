// What a GitHub does for Apps: who a claim (JWT) or an installation's token speaks for, and how far
// it reaches. Everything here runs with the world's lock held.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "forge/sandbox/app_state.h"
#include "forge/sandbox/github_api.h"

namespace swage::sandbox {

/// The refusal of a request for the credential that it carries; nothing = it may go on.
/// `path` as the routes know it.
std::optional<Reply> RefuseCredential(World& world, const Request& request, std::string_view path,
                                      std::string_view token, const User* actor);

/// `base`: "http://127.0.0.1:PORT"
nlohmann::json InstallationObject(World& world, const std::string& base,
                                  const Installation& installation);

/// Of a hook, newest first; the cursor of the next page is the id of the last delivery shown.
Reply DeliveriesPage(const Call& call, Id hook, const WebhookSender& sender);

void MountApp(Router& router, WebhookSender& sender);

}  // namespace swage::sandbox
