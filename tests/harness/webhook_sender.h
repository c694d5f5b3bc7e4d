// Webhooks said by hand: taken from what the sandbox forge sent, changed, signed again.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tests/harness/box.h"
#include "tests/harness/raw_http.h"

namespace swage::test {

struct Webhook {
  std::map<std::string, std::string> headers;
  std::string body;
};

/// A GitHub webhook that carries `body` under this id, signed with the box's secret.
Webhook MakeWebhook(const Box& box, std::string_view id, std::string body);
/// The first one that the forge sent whose body holds `text`.
Webhook SentWebhook(Box& box, std::string_view text);
/// The same under another delivery id; bytes and signature stay.
Webhook WithId(Webhook webhook, std::string_view id);
/// Signed (GitHub, Gitea) or accompanied (GitLab) by this secret.
Webhook SignedWith(Webhook webhook, std::string_view secret);

std::string RequestFor(const Webhook& webhook);
/// The status of the answer, on a connection of its own.
int Post(const Box& box, const Webhook& webhook);
/// The same over a connection that stays.
int Post(RawHttp& connection, const Webhook& webhook);

}  // namespace swage::test
