// GitLab REST v4: project webhooks and what became of their deliveries.
#include <array>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

constexpr std::array<const char*, 11> kEvents = {"push_events",
                                                 "tag_push_events",
                                                 "merge_requests_events",
                                                 "issues_events",
                                                 "note_events",
                                                 "confidential_issues_events",
                                                 "confidential_note_events",
                                                 "job_events",
                                                 "pipeline_events",
                                                 "wiki_page_events",
                                                 "releases_events"};

bool Wants(const Hook& hook, const std::string& event) {
  return hook.events.empty() || hook.events.contains("*") || hook.events.contains(event);
}

Json HookJson(const Repo& repo, const Hook& hook) {
  Json json = {
      {"id", hook.id},
      {"url", hook.url},
      {"name", nullptr},
      {"description", nullptr},
      {"project_id", repo.id},
      {"created_at", IsoTime(hook.created_at)},
      {"enable_ssl_verification", true},
      {"repository_update_events", false},
      {"branch_filter_strategy", "wildcard"},
      {"push_events_branch_filter", ""},
      {"custom_webhook_template", nullptr},
      {"alert_status", hook.disabled_until ? "temporarily_disabled" : "executable"},
      {"disabled_until", hook.disabled_until ? Json(IsoTime(*hook.disabled_until)) : Json(nullptr)},
      {"url_variables", Json::array()},
      {"custom_headers", Json::array()}};
  for (const char* event : kEvents) json[event] = Wants(hook, event);
  return json;
}

void TakeSettings(const Ctx& ctx, Hook& hook) {
  if (ctx.params.Has("url")) hook.url = ctx.params.Str("url");
  if (ctx.params.Has("token")) hook.secret = ctx.params.Str("token");
  if (ctx.params.Has("signing_token")) hook.signing_token = ctx.params.Str("signing_token");
  for (const char* event : kEvents) {
    if (!ctx.params.Has(event)) continue;
    if (ctx.params.Bool(event)) {
      hook.events.insert(event);
    } else {
      hook.events.erase(event);
    }
  }
}

Result<Reply> CreateHook(Ctx& ctx) {
  const std::string url = ctx.params.Str("url");
  if (!url.starts_with("http://") && !url.starts_with("https://")) return Bad("Invalid url given");
  Hook hook;
  hook.events = {"push_events"};  // GitLab's default
  hook.created_at = ctx.world.Now();
  TakeSettings(ctx, hook);
  const Hook& added = ctx.world.AddHook(ctx.repo, ctx.Actor(), std::move(hook));
  return Reply::Json(201, HookJson(ctx.repo, added));
}

Result<Reply> ListHooks(Ctx& ctx) {
  Json hooks = Json::array();
  for (const Hook& hook : ctx.repo.hooks) hooks.push_back(HookJson(ctx.repo, hook));
  return Page(ctx, hooks);
}

Result<Hook*> HookOf(Ctx& ctx) {
  Hook* hook = ctx.world.FindHook(ctx.repo, ctx.call.Number("hook_id"));
  if (hook == nullptr) return MakeError(ErrorCode::kNotFound, "404 Not found");
  return hook;
}

Result<Reply> GetHook(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Hook* hook, HookOf(ctx));
  return Reply::Json(200, HookJson(ctx.repo, *hook));
}

Result<Reply> EditHook(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Hook * hook, HookOf(ctx));
  TakeSettings(ctx, *hook);
  return Reply::Json(200, HookJson(ctx.repo, *hook));
}

Result<Reply> DeleteHook(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Hook* hook, HookOf(ctx));
  const Id id = hook->id;
  std::erase_if(ctx.repo.hooks, [id](const Hook& each) { return each.id == id; });
  return Reply::Empty(204);
}

/// "Issue Hook" -> "issue_hooks", the name under which GitLab files a delivery.
std::string TriggerOf(std::string_view event) {
  return ReplaceAll(ToLower(event), " ", "_") + "s";
}

Json DeliveryJson(const Delivery& delivery) {
  const auto payload = ParseJson(delivery.payload);
  return {{"id", delivery.id},
          {"url", delivery.url},
          {"trigger", TriggerOf(delivery.event)},
          {"request_headers", delivery.headers},
          {"request_data", payload.ok() ? *payload : Json::object()},
          {"response_headers", Json::object()},
          {"response_body", delivery.response},
          {"execution_duration", static_cast<double>(delivery.duration_ms) / 1000.0},
          {"response_status",
           delivery.status == 0 ? "internal error" : std::to_string(delivery.status)}};
}

Result<Reply> ListDeliveries(Ctx& ctx, WebhookSender& sender) {
  SWAGE_ASSIGN_OR_RETURN(const Hook* hook, HookOf(ctx));
  const std::vector<Delivery> all = sender.Deliveries(hook->id);
  Json events = Json::array();
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    if (it->done) events.push_back(DeliveryJson(*it));
  }
  return Page(ctx, events);
}

Result<Reply> ResendDelivery(Ctx& ctx, WebhookSender& sender) {
  SWAGE_ASSIGN_OR_RETURN(const Hook* hook, HookOf(ctx));
  if (!sender.Redeliver(*hook, ctx.call.Number("log_id"))) {
    return MakeError(ErrorCode::kNotFound, "404 Not found");
  }
  return Reply::Json(201, {{"response_status", 200}});
}

}  // namespace

void MountHooks(Router& router, WebhookSender& sender) {
  AddProjectRoute(router, "GET", "/hooks", Need::kMaintainer, ListHooks);
  AddProjectRoute(router, "POST", "/hooks", Need::kMaintainer, CreateHook);
  AddProjectRoute(router, "GET", "/hooks/{hook_id}", Need::kMaintainer, GetHook);
  AddProjectRoute(router, "PUT", "/hooks/{hook_id}", Need::kMaintainer, EditHook);
  AddProjectRoute(router, "DELETE", "/hooks/{hook_id}", Need::kMaintainer, DeleteHook);
  AddProjectRoute(router, "GET", "/hooks/{hook_id}/events", Need::kMaintainer,
                  [&sender](Ctx& ctx) { return ListDeliveries(ctx, sender); });
  AddProjectRoute(router, "POST", "/hooks/{hook_id}/events/{log_id}/resend", Need::kMaintainer,
                  [&sender](Ctx& ctx) { return ResendDelivery(ctx, sender); });
}

}  // namespace swage::sandbox::gitlab
