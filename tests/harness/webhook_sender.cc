#include "tests/harness/webhook_sender.h"

#include <gtest/gtest.h>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage::test {

Webhook MakeWebhook(const Box& box, std::string_view id, std::string body) {
  Webhook webhook;
  webhook.headers = {{"Content-Type", "application/json"},
                     {"X-GitHub-Event", "issues"},
                     {"X-GitHub-Delivery", std::string(id)},
                     {"X-Hub-Signature-256", ""}};
  webhook.body = std::move(body);
  return SignedWith(std::move(webhook), box.webhook_secret());
}

Webhook SentWebhook(Box& box, std::string_view text) {
  for (const sandbox::Delivery& delivery : box.forge().Deliveries()) {
    if (delivery.payload.find(text) != std::string::npos) {
      return {delivery.headers, delivery.payload};
    }
  }
  ADD_FAILURE() << "the forge sent no webhook with " << text;
  return {};
}

Webhook WithId(Webhook webhook, std::string_view id) {
  for (auto& [name, value] : webhook.headers) {
    for (const std::string_view carrier :
         {"x-github-delivery", "idempotency-key", "webhook-id", "x-gitlab-webhook-uuid",
          "x-gitlab-event-uuid", "x-gitea-delivery"}) {
      if (EqualsIgnoreCase(name, carrier)) value = id;
    }
  }
  return webhook;
}

Webhook SignedWith(Webhook webhook, std::string_view secret) {
  for (auto& [name, value] : webhook.headers) {
    const std::string signature = HexEncode(HmacSha256(secret, webhook.body));
    if (EqualsIgnoreCase(name, "x-hub-signature-256")) value = "sha256=" + signature;
    if (EqualsIgnoreCase(name, "x-gitea-signature")) value = signature;
    if (EqualsIgnoreCase(name, "x-gitlab-token")) value = secret;
  }
  return webhook;
}

std::string RequestFor(const Webhook& webhook) {
  std::string lines;
  for (const auto& [name, value] : webhook.headers) {
    if (EqualsIgnoreCase(name, "host") || EqualsIgnoreCase(name, "content-length")) continue;
    lines += name + ": " + value + "\r\n";
  }
  return PostRequest("/hooks/box", lines, webhook.body);
}

int Post(const Box& box, const Webhook& webhook) {
  return StatusOf(Exchange(box.hooks_port(), RequestFor(webhook)));
}

int Post(RawHttp& connection, const Webhook& webhook) {
  connection.Send(RequestFor(webhook));
  return StatusOf(connection.ReadResponse());
}

}  // namespace swage::test
