// GitHub's webhooks: X-Hub-Signature-256 over the raw body, JSON or form-encoded.
//
// Source: docs.github.com, "Validating webhook deliveries" and "Webhook events and payloads". SHA-1
// signatures are never accepted. Stateless, thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include "forge/forge.h"

namespace swage {

/// How the adapter and its webhooks name a comment that is not an issue comment: reactions and
/// edits go to other addresses. "123" is an issue comment, "review_comment:123" a line comment of a
/// review, "review:NODE_ID" the text of a review.
inline constexpr std::string_view kReviewCommentPrefix = "review_comment:";
inline constexpr std::string_view kReviewPrefix = "review:";

std::unique_ptr<WebhookDialect> MakeGitHubDialect();

}  // namespace swage
