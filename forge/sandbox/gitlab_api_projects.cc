// GitLab REST v4: users, projects, members, labels.
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

Json FullUserJson(const User& user, const std::string& base) {
  Json json = UserJson(user, base);
  json.update({{"created_at", IsoTime(user.created_at)},
               {"bio", ""},
               {"location", ""},
               {"public_email", nullptr},
               {"bot", user.is_bot},
               {"job_title", ""},
               {"organization", ""},
               {"website_url", ""}});
  return json;
}

Reply CurrentUser(const Call& call) {
  Json json = FullUserJson(*call.actor, call.base);
  json.update({{"email", call.actor->login + "@sandbox.invalid"},
               {"is_admin", false},
               {"can_create_project", true},
               {"two_factor_enabled", false},
               {"external", false},
               {"identities", Json::array()}});
  return Reply::Json(200, json);
}

Reply OwnToken(const Call& call) {
  const User& user = *call.actor;
  return Reply::Json(200,
                     {{"id", user.id},
                      {"name", "swage"},
                      {"revoked", false},
                      {"created_at", IsoTime(user.created_at)},
                      {"scopes", user.token_scopes},
                      {"user_id", user.id},
                      {"last_used_at", nullptr},
                      {"active", true},
                      {"expires_at", user.token_ends.empty() ? Json() : Json(user.token_ends)}});
}

Reply ListUsers(const Call& call) {
  const std::string wanted = call.request.Query("username");
  Json users = Json::array();
  for (const auto& user : call.world.users()) {
    if (wanted.empty() || EqualsIgnoreCase(user->login, wanted)) {
      users.push_back(UserJson(*user, call.base));
    }
  }
  return Reply::Json(200, users);
}

Reply GetUser(const Call& call) {
  const User* user = call.world.FindUser(call.Number("user_id"));
  if (user == nullptr) return Refuse(404, "404 User Not Found");
  return Reply::Json(200, FullUserJson(*user, call.base));
}

Result<Reply> GetProject(Ctx& ctx) {
  return Reply::Json(200, ProjectJson(ctx.world, ctx.repo, ctx.call.actor, ctx.call.base));
}

Json MemberJson(const Ctx& ctx, const User& user, Role role) {
  Json json = UserJson(user, ctx.call.base);
  json.update({{"access_level", AccessLevel(role)},
               {"created_at", IsoTime(ctx.repo.created_at)},
               {"expires_at", nullptr},
               {"membership_state", "active"}});
  return json;
}

Result<Reply> ListMembers(Ctx& ctx) {
  Json members = Json::array();
  for (const auto& [id, role] : ctx.repo.members) {
    if (role != Role::kNone) members.push_back(MemberJson(ctx, ctx.world.UserOf(id), role));
  }
  return Page(ctx, members);
}

Result<Reply> GetMember(Ctx& ctx) {
  const Id id = ctx.call.Number("user_id");
  const auto member = ctx.repo.members.find(id);
  // Whoever merely may read a public project is no member of it.
  if (member == ctx.repo.members.end() || member->second == Role::kNone) {
    return MakeError(ErrorCode::kNotFound, "404 Not found");
  }
  return Reply::Json(200, MemberJson(ctx, ctx.world.UserOf(id), member->second));
}

Result<Reply> ListLabels(Ctx& ctx) {
  Json labels = Json::array();
  for (const Label& label : ctx.repo.labels) labels.push_back(LabelJson(label));
  return Page(ctx, labels);
}

Result<Reply> CreateLabel(Ctx& ctx) {
  const std::string name = ctx.params.Str("name");
  std::string color = ctx.params.Str("color");
  if (name.empty()) return Bad("name is missing");
  if (!color.starts_with('#')) return Bad("Color must be a valid color code");
  for (const Label& label : ctx.repo.labels) {
    if (label.name == name) return MakeError(ErrorCode::kConflict, "Label already exists");
  }
  const Label& label =
      ctx.world.EnsureLabel(ctx.repo, name, color.substr(1), ctx.params.Str("description"));
  return Reply::Json(201, LabelJson(label));
}

}  // namespace

void MountProjects(Router& router) {
  AddUserRoute(router, "GET", "/user", CurrentUser);
  AddUserRoute(router, "GET", "/personal_access_tokens/self", OwnToken);
  AddUserRoute(router, "GET", "/users", ListUsers);
  AddUserRoute(router, "GET", "/users/{user_id}", GetUser);
  AddUserRoute(router, "GET", "/version", [](const Call&) {
    return Reply::Json(200, {{"version", "17.9.0"}, {"revision", "sandbox"}});
  });
  AddProjectRoute(router, "GET", "", Need::kPublic, GetProject);
  AddProjectRoute(router, "GET", "/members/all", Need::kUser, ListMembers);
  AddProjectRoute(router, "GET", "/members", Need::kUser, ListMembers);
  AddProjectRoute(router, "GET", "/members/all/{user_id}", Need::kUser, GetMember);
  AddProjectRoute(router, "GET", "/members/{user_id}", Need::kUser, GetMember);
  AddProjectRoute(router, "GET", "/labels", Need::kPublic, ListLabels);
  AddProjectRoute(router, "POST", "/labels", Need::kReporter, CreateLabel);
}

}  // namespace swage::sandbox::gitlab
