// Users, repositories, permissions and labels of a repository.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

Reply GetSelf(const Call& call) {
  if (call.actor == nullptr) return GitHubError(401, "Requires authentication");
  return Reply::Json(200, GitHubObjects(call.world, call.base).FullUser(*call.actor));
}

Reply GetUser(const Call& call) {
  const User* user = call.world.FindUser(call.Param("username"));
  if (user == nullptr) return GitHubError(404, "Not Found");
  return Reply::Json(200, GitHubObjects(call.world, call.base).FullUser(*user));
}

Reply GetRateLimit(const Call& call) {
  const auto now = std::chrono::floor<std::chrono::seconds>(call.world.Now()).time_since_epoch();
  const json limit = {
      {"limit", 5000}, {"remaining", 4999}, {"reset", now.count() + 3'600}, {"used", 1}};
  return Reply::Json(200, {{"resources", {{"core", limit}, {"search", limit}, {"graphql", limit}}},
                           {"rate", limit}});
}

Reply GetRepo(const RepoCall& in) {
  return Reply::Json(200, in.objects.FullRepo(in.repo, in.role));
}

/// The coarse "permission" of a role: maintain and triage are younger than this field.
std::string_view Permission(Role role) {
  if (role >= Role::kAdmin) return "admin";
  if (role >= Role::kWrite) return "write";
  return role >= Role::kRead ? "read" : "none";
}

json Permissions(Role role) {
  return {{"admin", role >= Role::kAdmin},
          {"maintain", role >= Role::kMaintain},
          {"push", role >= Role::kWrite},
          {"triage", role >= Role::kTriage},
          {"pull", role >= Role::kRead}};
}

json Collaborator(const RepoCall& in, Id user, Role role) {
  json object = in.objects.UserObject(user);
  object["role_name"] = GitHubObjects::RoleName(role);
  object["permissions"] = Permissions(role);
  return object;
}

Reply GetPermission(const RepoCall& in) {
  const User* user = in.world.FindUser(in.call.Param("username"));
  const auto member = user == nullptr ? in.repo.members.end() : in.repo.members.find(user->id);
  if (member == in.repo.members.end()) return GitHubError(404, "Not Found");
  return Reply::Json(200, {{"permission", Permission(member->second)},
                           {"role_name", GitHubObjects::RoleName(member->second)},
                           {"user", Collaborator(in, user->id, member->second)}});
}

Reply IsCollaborator(const RepoCall& in) {
  const User* user = in.world.FindUser(in.call.Param("username"));
  const bool known = user != nullptr && in.repo.members.contains(user->id);
  return known ? Reply::Empty(204) : GitHubError(404, "Not Found");
}

Reply ListCollaborators(const RepoCall& in) {
  const std::vector<std::pair<Id, Role>> members(in.repo.members.begin(), in.repo.members.end());
  return Paged(in.call, members,
               [&](const auto& member) { return Collaborator(in, member.first, member.second); });
}

Reply ListLabels(const RepoCall& in) {
  return Paged(in.call, in.repo.labels,
               [&](const Label& label) { return in.objects.LabelObject(in.repo, label); });
}

Reply CreateLabel(const RepoCall& in) {
  const std::string name = JsonString(in.call.body, "name");
  if (name.empty()) return ValidationFailed("Label", "missing_field", "name");
  for (const Label& label : in.repo.labels) {
    if (EqualsIgnoreCase(label.name, name)) {
      return ValidationFailed("Label", "already_exists", "name");
    }
  }
  const Label& label =
      in.world.EnsureLabel(in.repo, name, JsonString(in.call.body, "color", "ededed"),
                           JsonString(in.call.body, "description"));
  return Reply::Json(201, in.objects.LabelObject(in.repo, label));
}

Reply GetLabel(const RepoCall& in) {
  for (const Label& label : in.repo.labels) {
    if (EqualsIgnoreCase(label.name, in.call.Param("name"))) {
      return Reply::Json(200, in.objects.LabelObject(in.repo, label));
    }
  }
  return GitHubError(404, "Not Found");
}

}  // namespace

void MountRepos(Router& router) {
  router.Add("GET", "/user", GetSelf);
  router.Add("GET", "/users/{username}", GetUser);
  router.Add("GET", "/rate_limit", GetRateLimit);
  router.Add("GET", "/repos/{owner}/{repo}", InRepo(Needs::kSight, GetRepo));
  router.Add("GET", "/repos/{owner}/{repo}/collaborators",
             InRepo(Needs::kWrite, ListCollaborators));
  router.Add("GET", "/repos/{owner}/{repo}/collaborators/{username}",
             InRepo(Needs::kWrite, IsCollaborator));
  router.Add("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission",
             InRepo(Needs::kWrite, GetPermission));
  router.Add("GET", "/repos/{owner}/{repo}/labels", InRepo(Needs::kSight, ListLabels));
  router.Add("POST", "/repos/{owner}/{repo}/labels", InRepo(Needs::kWrite, CreateLabel));
  router.Add("GET", "/repos/{owner}/{repo}/labels/{name}", InRepo(Needs::kSight, GetLabel));
}

}  // namespace swage::sandbox
