// Webhooks of a repository and the list of their deliveries.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_app.h"
#include "forge/sandbox/github_paging.h"
#include "forge/sandbox/webhooks.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxDeliveriesPage = 100;
constexpr std::int64_t kDefaultDeliveriesPage = 30;

using HookHandler = std::function<Reply(const RepoCall&, Hook&)>;

Handler OnHook(HookHandler handler) {
  return InRepo(Needs::kAdmin, [handler = std::move(handler)](const RepoCall& in) {
    Hook* hook = in.world.FindHook(in.repo, in.call.Number("hook"));
    return hook == nullptr ? GitHubError(404, "Not Found") : handler(in, *hook);
  });
}

void ReadSettings(const json& body, Hook& hook) {
  hook.url = JsonString(body, "config/url", hook.url);
  hook.secret = JsonString(body, "config/secret", hook.secret);
  hook.active = JsonBool(body, "active", hook.active);
  const json& events = JsonAt(body, "events");
  if (!events.is_array()) return;
  hook.events.clear();
  for (const json& event : events) {
    if (event.is_string()) hook.events.insert(event.get<std::string>());
  }
}

Reply ListHooks(const RepoCall& in) {
  return Paged(in.call, in.repo.hooks,
               [&](const Hook& hook) { return in.objects.HookObject(in.repo, hook); });
}

Reply CreateHook(const RepoCall& in) {
  Hook hook;
  hook.events = {"push"};  // the default of the API
  ReadSettings(in.call.body, hook);
  if (hook.url.empty()) return ValidationFailed("Hook", "missing_field", "config");
  const bool known = std::any_of(
      in.repo.hooks.begin(), in.repo.hooks.end(),
      [&](const Hook& other) { return other.url == hook.url && other.events == hook.events; });
  if (known) {
    return ValidationFailed("Hook", "custom", "", "Hook already exists on this repository");
  }
  const Hook& made = in.world.AddHook(in.repo, in.Actor(), std::move(hook));
  return Reply::Json(201, in.objects.HookObject(in.repo, made));
}

Reply GetHook(const RepoCall& in, Hook& hook) {
  return Reply::Json(200, in.objects.HookObject(in.repo, hook));
}

Reply UpdateHook(const RepoCall& in, Hook& hook) {
  ReadSettings(in.call.body, hook);
  hook.updated_at = in.world.Now();
  return GetHook(in, hook);
}

Reply DeleteHook(const RepoCall& in, Hook& hook) {
  const Id id = hook.id;
  std::erase_if(in.repo.hooks, [id](const Hook& other) { return other.id == id; });
  return Reply::Empty(204);
}

Reply PingHook(const RepoCall& in, Hook& hook) {
  Event ping;
  ping.what = Happening::kPing;
  ping.repo = in.repo.id;
  ping.actor = in.Actor().id;
  ping.hook = hook.id;
  in.world.Raise(ping);
  return Reply::Empty(204);
}

Reply GetDelivery(const RepoCall& in, const Hook& hook, const WebhookSender& sender) {
  const std::optional<Delivery> delivery = sender.Find(in.call.Number("delivery"));
  if (!delivery.has_value() || delivery->hook != hook.id) return GitHubError(404, "Not Found");
  return Reply::Json(200, in.objects.DeliveryObject(*delivery));
}

Reply Redeliver(const RepoCall& in, const Hook& hook, WebhookSender& sender) {
  const Id id = in.call.Number("delivery");
  const std::optional<Delivery> delivery = sender.Find(id);
  if (!delivery.has_value() || delivery->hook != hook.id || !sender.Redeliver(hook, id)) {
    return GitHubError(404, "Not Found");
  }
  return Reply::Json(202, json::object());
}

}  // namespace

Reply DeliveriesPage(const Call& call, Id hook, const WebhookSender& sender) {
  const auto size = std::clamp<std::int64_t>(
      ParseInt(call.request.Query("per_page")).value_or(kDefaultDeliveriesPage), 1,
      kMaxDeliveriesPage);
  const std::int64_t cursor = ParseInt(call.request.Query("cursor")).value_or(0);
  std::vector<Delivery> all = sender.Deliveries(hook);
  std::erase_if(all, [&](const Delivery& delivery) {
    return !delivery.done || delivery.dropped || (cursor != 0 && delivery.id >= cursor);
  });
  std::reverse(all.begin(), all.end());
  const bool more = all.size() > static_cast<std::size_t>(size);
  if (more) all.resize(static_cast<std::size_t>(size));
  const GitHubObjects objects(call.world, call.base);
  json list = json::array();
  for (const Delivery& delivery : all) list.push_back(objects.DeliveryItem(delivery));
  Reply reply = Reply::Json(200, list);
  if (more) {
    reply.headers["Link"] = fmt::format("<{}{}?per_page={}&cursor={}>; rel=\"next\"", call.base,
                                        call.request.path, size, all.back().id);
  }
  return reply;
}

void MountHooks(Router& router, WebhookSender& sender) {
  const std::string hooks = "/repos/{owner}/{repo}/hooks";
  const std::string hook = hooks + "/{hook}";
  WebhookSender* const to = &sender;
  router.Add("GET", hooks, InRepo(Needs::kAdmin, ListHooks));
  router.Add("POST", hooks, InRepo(Needs::kAdmin, CreateHook));
  router.Add("GET", hook, OnHook(GetHook));
  router.Add("PATCH", hook, OnHook(UpdateHook));
  router.Add("DELETE", hook, OnHook(DeleteHook));
  router.Add("POST", hook + "/pings", OnHook(PingHook));
  router.Add("GET", hook + "/deliveries", OnHook([to](const RepoCall& in, Hook& on) {
               return DeliveriesPage(in.call, on.id, *to);
             }));
  router.Add("GET", hook + "/deliveries/{delivery}",
             OnHook([to](const RepoCall& in, Hook& on) { return GetDelivery(in, on, *to); }));
  router.Add("POST", hook + "/deliveries/{delivery}/attempts",
             OnHook([to](const RepoCall& in, Hook& on) { return Redeliver(in, on, *to); }));
}

}  // namespace swage::sandbox
