// Accounts, repositories, who may do what, and labels.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitea_api.h"
#include "forge/sandbox/gitea_paging.h"

namespace swage::sandbox::gitea {
namespace {

using nlohmann::json;

Reply GetVersion(const Call&) {
  return Reply::Json(200, {{"version", "1.21.6"}});
}

Reply GetSelf(const Call& call) {
  if (call.actor == nullptr) return Refuse(401, "token is required");
  return Reply::Json(200, Objects(call.world, call.base).UserObject(call.actor->id));
}

Reply GetUser(const Call& call) {
  const User* user = call.world.FindUser(call.Param("username"));
  if (user == nullptr) return NotFound();
  return Reply::Json(200, Objects(call.world, call.base).UserObject(user->id));
}

/// The sandbox knows people only.
Reply GetOrganisation(const Call&) {
  return NotFound();
}

/// Those that the account owns or works on.
Reply ListOwnRepos(const Call& call) {
  if (call.actor == nullptr) return Refuse(401, "token is required");
  std::vector<const Repo*> own;
  for (const auto& repo : call.world.repos()) {
    const auto member = repo->members.find(call.actor->id);
    if (member != repo->members.end() && member->second != Role::kNone) own.push_back(repo.get());
  }
  const Objects objects(call.world, call.base);
  return Paged(call, own, [&](const Repo* repo) {
    return objects.RepoObject(*repo, call.world.RoleOf(*repo, call.actor));
  });
}

Reply GetRepo(const RepoCall& in) {
  return Reply::Json(200, in.objects.RepoObject(in.repo, in.role));
}

/// Gitea has three ranks and the owner.
std::string_view Permission(const RepoCall& in, const User& user) {
  if (EqualsIgnoreCase(user.login, in.repo.owner)) return "owner";
  const Role role = in.world.RoleOf(in.repo, &user);
  if (role >= Role::kAdmin) return "admin";
  if (role >= Role::kWrite) return "write";
  return role >= Role::kRead ? "read" : "none";
}

Reply GetPermission(const RepoCall& in) {
  if (in.role < Role::kAdmin && !EqualsIgnoreCase(in.Actor().login, in.call.Param("username"))) {
    return Refuse(403,
                  "Only admins can query all permissions, repo admins can query all repo "
                  "permissions, collaborators can query only their own");
  }
  const User* user = in.world.FindUser(in.call.Param("username"));
  if (user == nullptr) return NotFound();
  const std::string_view permission = Permission(in, *user);
  return Reply::Json(200, {{"permission", permission},
                           {"role_name", permission},
                           {"user", in.objects.UserObject(user->id)}});
}

Reply IsCollaborator(const RepoCall& in) {
  const User* user = in.world.FindUser(in.call.Param("username"));
  if (user == nullptr) return Refuse(422, "user does not exist");
  return in.repo.members.contains(user->id) ? Reply::Empty(204) : NotFound();
}

Reply ListCollaborators(const RepoCall& in) {
  const std::vector<std::pair<Id, Role>> members(in.repo.members.begin(), in.repo.members.end());
  return Paged(in.call, members,
               [&](const auto& member) { return in.objects.UserObject(member.first); });
}

/// Whoever may write.
Reply ListAssignees(const RepoCall& in) {
  std::vector<Id> able;
  for (const auto& user : in.world.users()) {
    if (in.world.RoleOf(in.repo, user.get()) >= Role::kWrite) able.push_back(user->id);
  }
  return Whole(able, [&](Id user) { return in.objects.UserObject(user); });
}

Reply GetBranch(const RepoCall& in) {
  const std::string& name = in.call.Param("branch");
  const Result<std::string> sha = ReadRef(in.repo.git_dir, "refs/heads/" + name);
  const auto commit =
      sha.ok() ? ReadCommit(in.repo.git_dir, *sha) : Result<CommitInfo>(sha.error());
  if (!commit.ok()) return NotFound();
  return Reply::Json(200, {{"name", name},
                           {"commit", in.objects.PushCommit(in.repo, *commit)},
                           {"protected", false},
                           {"required_approvals", 0},
                           {"enable_status_check", false},
                           {"status_check_contexts", json::array()},
                           {"user_can_push", in.role >= Role::kWrite},
                           {"user_can_merge", in.role >= Role::kWrite},
                           {"effective_branch_protection_name", ""}});
}

Reply ListLabels(const RepoCall& in) {
  return Paged(in.call, in.repo.labels,
               [&](const Label& label) { return in.objects.LabelObject(in.repo, label); });
}

Reply CreateLabel(const RepoCall& in) {
  std::string color = JsonString(in.call.body, "color");
  if (color.starts_with('#')) color.erase(0, 1);
  const std::string name = JsonString(in.call.body, "name");
  if (name.empty() || color.size() != 6) return Refuse(422, "bad color code or name");
  const Label& label =
      in.world.EnsureLabel(in.repo, name, color, JsonString(in.call.body, "description"));
  return Reply::Json(201, in.objects.LabelObject(in.repo, label));
}

}  // namespace

void MountRepos(Router& router) {
  const std::string root(kApiRoot);
  const std::string repo = root + "/repos/{owner}/{repo}";
  router.Add("GET", root + "/version", GetVersion);
  router.Add("GET", root + "/user", GetSelf);
  router.Add("GET", root + "/user/repos", ListOwnRepos);
  router.Add("GET", root + "/users/{username}", GetUser);
  router.Add("GET", root + "/orgs/{org}", GetOrganisation);
  router.Add("GET", repo, InRepo(Needs::kSight, GetRepo));
  router.Add("GET", repo + "/collaborators", InRepo(Needs::kUser, ListCollaborators));
  router.Add("GET", repo + "/collaborators/{username}", InRepo(Needs::kUser, IsCollaborator));
  router.Add("GET", repo + "/collaborators/{username}/permission",
             InRepo(Needs::kUser, GetPermission));
  router.Add("GET", repo + "/assignees", InRepo(Needs::kUser, ListAssignees));
  router.Add("GET", repo + "/branches/{branch*}", InRepo(Needs::kSight, GetBranch));
  router.Add("GET", repo + "/labels", InRepo(Needs::kSight, ListLabels));
  router.Add("POST", repo + "/labels", InRepo(Needs::kWrite, CreateLabel));
}

}  // namespace swage::sandbox::gitea
