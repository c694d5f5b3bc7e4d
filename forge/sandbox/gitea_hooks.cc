// Webhooks of a repository. Their deliveries are shown to people, not to programs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/sandbox/gitea_api.h"
#include "forge/sandbox/gitea_paging.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

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
               [&](const Hook& hook) { return in.objects.HookObject(hook); });
}

Reply CreateHook(const RepoCall& in) {
  Hook hook;
  hook.active = false;  // unless asked for
  hook.events = {"push"};
  ReadSettings(in.call.body, hook);
  if (hook.url.empty()) return Refuse(422, "Missing config option: url");
  return Reply::Json(201,
                     in.objects.HookObject(in.world.AddHook(in.repo, in.Actor(), std::move(hook))));
}

Reply GetHook(const RepoCall& in) {
  const Hook* hook = in.world.FindHook(in.repo, in.call.Number("hook"));
  return hook == nullptr ? NotFound() : Reply::Json(200, in.objects.HookObject(*hook));
}

Reply DeleteHook(const RepoCall& in) {
  const Id id = in.call.Number("hook");
  const auto gone = std::erase_if(in.repo.hooks, [id](const Hook& hook) { return hook.id == id; });
  return gone == 0 ? NotFound() : Reply::Empty(204);
}

}  // namespace

void MountHooks(Router& router) {
  const std::string hooks = std::string(kApiRoot) + "/repos/{owner}/{repo}/hooks";
  router.Add("GET", hooks, InRepo(Needs::kAdmin, ListHooks));
  router.Add("POST", hooks, InRepo(Needs::kAdmin, CreateHook));
  router.Add("GET", hooks + "/{hook}", InRepo(Needs::kAdmin, GetHook));
  router.Add("DELETE", hooks + "/{hook}", InRepo(Needs::kAdmin, DeleteHook));
}

}  // namespace swage::sandbox::gitea
