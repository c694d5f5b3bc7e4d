// Which repositories a forge may be used for, and with which webhook secret. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace swage {

/// `globs` in order: the last one that matches decides, "!" in front excludes; nothing matches = no
/// (A10). Without regard to case, as forges compare paths.
bool IsRepoAllowed(const std::vector<std::string>& globs, std::string_view path);

/// The secret that signs a repository's webhooks (T6): its own entry in `repo_webhook_secrets`,
/// else the narrowest glob there that matches ("acme/*"), else the forge's. Once a narrower one
/// applies the wider ones are no longer good.
const SecretValue& WebhookSecretFor(const ForgeSettings& forge, std::string_view repo_path);

}  // namespace swage
