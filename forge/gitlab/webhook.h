// GitLab's webhooks: the plain X-Gitlab-Token, or the signed form of GitLab 19 and later.
//
// The signed form follows the Standard Webhooks specification: `webhook-signature: v1,<base64>` is
// the HMAC-SHA256 of "id.timestamp.body", keyed with the bytes behind "whsec_" in the signing
// token. When a signature is there it must be right, whatever the plain token says. Stateless,
// thread-safe.
#pragma once

#include <chrono>
#include <memory>

#include "forge/forge.h"

namespace swage {

/// How far a signed delivery's time may be from ours (T5).
inline constexpr std::chrono::minutes kSignatureTolerance{5};

std::unique_ptr<WebhookDialect> MakeGitLabDialect();

}  // namespace swage
