// Gitea's and Forgejo's webhooks: HMAC-SHA256 of the raw body in X-Gitea-Signature, as bare hex.
//
// Every delivery also carries X-GitHub-* and X-Gogs-* headers, Forgejo's X-Forgejo-* too; what a
// server says in its own name counts. Seen on a real 1.21.6. Stateless, thread-safe.
#pragma once

#include <memory>

#include "forge/forge.h"

namespace swage {

std::unique_ptr<WebhookDialect> MakeGiteaDialect();

}  // namespace swage
