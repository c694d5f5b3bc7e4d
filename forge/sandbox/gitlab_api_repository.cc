// GitLab REST v4: branches, commits, files, compare, and commit statuses.
#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::size_t kMaxActions = 1'000;

std::string RefOf(std::string_view branch) {
  return std::string(kHeads) + std::string(branch);
}

Result<Json> BranchJson(const Ctx& ctx, const std::string& name, const std::string& sha) {
  SWAGE_ASSIGN_OR_RETURN(const CommitInfo commit, ReadCommit(ctx.repo.git_dir, sha));
  return Json{{"name", name},
              {"commit", CommitJson(ctx.repo, commit, ctx.call.base)},
              {"merged", false},
              {"protected", name == ctx.repo.default_branch},
              {"developers_can_push", true},
              {"developers_can_merge", true},
              {"can_push", ctx.AtLeast(Role::kWrite)},
              {"default", name == ctx.repo.default_branch},
              {"web_url", WebUrl(ctx.call.base, ctx.repo) + "/-/tree/" + name}};
}

Result<Reply> ListBranches(Ctx& ctx) {
  Json branches = Json::array();
  for (const auto& [ref, sha] : ListRefs(ctx.repo.git_dir, kHeads)) {
    SWAGE_ASSIGN_OR_RETURN(Json branch, BranchJson(ctx, ref.substr(kHeads.size()), sha));
    branches.push_back(std::move(branch));
  }
  return Page(ctx, branches);
}

Result<std::string> BranchSha(const Ctx& ctx) {
  auto sha = ReadRef(ctx.repo.git_dir, RefOf(ctx.call.Param("branch")));
  if (!sha.ok()) return NotFound("Branch");
  return sha;
}

Result<Reply> GetBranch(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const std::string sha, BranchSha(ctx));
  SWAGE_ASSIGN_OR_RETURN(const Json branch, BranchJson(ctx, ctx.call.Param("branch"), sha));
  return Reply::Json(200, branch);
}

Result<Reply> CreateBranch(Ctx& ctx) {
  const std::string name = ctx.params.Str("branch");
  const std::string ref = ctx.params.Str("ref");
  if (name.empty()) return Bad("branch is missing");
  const auto sha = ResolveCommit(ctx.repo.git_dir, ref);
  if (!sha.ok()) return Bad("Invalid reference name: " + ref);
  const auto before = ctx.world.RefsOf(ctx.repo);
  const auto written = WriteRef(ctx.repo.git_dir, RefOf(name), *sha, false);
  if (!written.ok()) {
    return Bad(written.error().code == ErrorCode::kConflict ? "Branch already exists"
                                                            : "Branch name is invalid");
  }
  ctx.world.RefsMoved(ctx.repo, ctx.Actor(), before);
  SWAGE_ASSIGN_OR_RETURN(const Json branch, BranchJson(ctx, name, *sha));
  return Reply::Json(201, branch);
}

Result<Reply> DeleteBranch(Ctx& ctx) {
  SWAGE_RETURN_IF_ERROR([&]() -> Result<void> {
    SWAGE_ASSIGN_OR_RETURN(const std::string sha, BranchSha(ctx));
    return Ok();
  }());
  const std::string& name = ctx.call.Param("branch");
  if (name == ctx.repo.default_branch) return Bad("Cannot remove HEAD branch");
  const auto before = ctx.world.RefsOf(ctx.repo);
  SWAGE_RETURN_IF_ERROR(DeleteRef(ctx.repo.git_dir, RefOf(name)));
  ctx.world.RefsMoved(ctx.repo, ctx.Actor(), before);
  return Reply::Empty(204);
}

// --- commits -------------------------------------------------------------------------------------

Json DetailedCommitJson(const Ctx& ctx, const CommitInfo& commit) {
  Json json = CommitJson(ctx.repo, commit, ctx.call.base);
  int additions = 0;
  int deletions = 0;
  if (!commit.parents.empty()) {
    const auto files = DiffOf(ctx.repo.git_dir, commit.parents.front(), commit.sha);
    for (const FileDiff& file : files.ok() ? *files : std::vector<FileDiff>()) {
      additions += file.additions;
      deletions += file.deletions;
    }
  }
  json.update(
      {{"stats",
        {{"additions", additions}, {"deletions", deletions}, {"total", additions + deletions}}},
       {"status", nullptr},
       {"project_id", ctx.repo.id},
       {"last_pipeline", nullptr}});
  return json;
}

Result<CommitInfo> CommitOf(const Ctx& ctx) {
  const auto sha = ResolveCommit(ctx.repo.git_dir, ctx.call.Param("sha"));
  if (!sha.ok()) return NotFound("Commit");
  return ReadCommit(ctx.repo.git_dir, *sha);
}

Result<Reply> GetCommit(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const CommitInfo commit, CommitOf(ctx));
  return Reply::Json(200, DetailedCommitJson(ctx, commit));
}

Result<Reply> ListCommits(Ctx& ctx) {
  const std::string ref = ctx.params.Str("ref_name", ctx.repo.default_branch);
  const auto sha = ResolveCommit(ctx.repo.git_dir, ref);
  if (!sha.ok()) return NotFound("Commit");
  SWAGE_ASSIGN_OR_RETURN(const std::vector<CommitInfo> history, History(ctx.repo.git_dir, *sha));
  Json commits = Json::array();
  for (const CommitInfo& commit : history)
    commits.push_back(CommitJson(ctx.repo, commit, ctx.call.base));
  return Page(ctx, commits);
}

/// A relative path of plain names: nothing that leaves the tree or reaches into .git.
bool IsFilePath(std::string_view path) {
  const std::vector<std::string_view> parts = Split(path, '/');
  return path.find('\0') == std::string_view::npos &&
         std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
           return part.empty() || part == "." || part == ".." || EqualsIgnoreCase(part, ".git");
         });
}

/// The content of an action, decoded.
Result<std::string> ContentOf(const Json& action) {
  const std::string text = JsonString(action, "content");
  if (JsonString(action, "encoding", "text") != "base64") return text;
  auto bytes = Base64Decode(text);
  if (!bytes) return Bad("content is invalid Base64");
  return std::move(*bytes);
}

/// Checks the actions of a commit and turns them into path -> bytes. Deletions are told apart.
Result<std::map<std::string, std::string>> ChangesOf(const Ctx& ctx, const std::string& tip,
                                                     std::vector<std::string>* removed) {
  const Json& body = ctx.params.Body();
  if (!body.is_object() || !body.contains("actions") || !body["actions"].is_array()) {
    return Bad("actions is missing");
  }
  if (body["actions"].size() > kMaxActions) return Bad("too many actions");
  std::map<std::string, std::string> changes;
  for (const Json& action : body["actions"]) {
    if (!action.is_object()) return Bad("actions is invalid");
    const std::string kind = JsonString(action, "action");
    const std::string path = JsonString(action, "file_path");
    if (!IsFilePath(path)) return Bad("file_path is invalid");
    const bool there = !tip.empty() && ReadBlobAt(ctx.repo.git_dir, tip, path).ok();
    if (kind == "create" && there) return Bad("A file with this name already exists");
    if ((kind == "update" || kind == "delete") && !there)
      return Bad("A file with this name doesn't exist");
    if (kind == "delete") {
      removed->push_back(path);
    } else if (kind == "create" || kind == "update") {
      SWAGE_ASSIGN_OR_RETURN(changes[path], ContentOf(action));
    } else {
      return Bad("actions[0][action] does not have a valid value");
    }
  }
  return changes;
}

Result<Reply> CreateCommit(Ctx& ctx) {
  const std::string branch = ctx.params.Str("branch");
  const std::string message = ctx.params.Str("commit_message");
  if (branch.empty()) return Bad("branch is missing");
  if (message.empty()) return Bad("commit_message is missing");
  const auto before = ctx.world.RefsOf(ctx.repo);
  auto tip = ReadRef(ctx.repo.git_dir, RefOf(branch));
  if (!tip.ok()) {
    tip = ResolveCommit(ctx.repo.git_dir, ctx.params.Str("start_branch"));
    if (!tip.ok()) return Bad("You can only create or edit files when you are on a branch");
    SWAGE_RETURN_IF_ERROR(WriteRef(ctx.repo.git_dir, RefOf(branch), *tip, false));
  }
  std::vector<std::string> removed;
  SWAGE_ASSIGN_OR_RETURN(const auto changes, ChangesOf(ctx, *tip, &removed));
  const Person author = PersonOf(ctx.Actor(), ctx.world.Now());
  std::string sha = *tip;
  if (!changes.empty()) {
    SWAGE_ASSIGN_OR_RETURN(sha, CommitFiles(ctx.repo.git_dir, branch, changes, message, author));
  }
  for (const std::string& path : removed) {
    SWAGE_ASSIGN_OR_RETURN(sha, RemoveFile(ctx.repo.git_dir, branch, path, message, author));
  }
  ctx.world.RefsMoved(ctx.repo, ctx.Actor(), before);
  SWAGE_ASSIGN_OR_RETURN(const CommitInfo commit, ReadCommit(ctx.repo.git_dir, sha));
  return Reply::Json(201, DetailedCommitJson(ctx, commit));
}

Result<Reply> CommitDiff(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const CommitInfo commit, CommitOf(ctx));
  Json diffs = Json::array();
  if (!commit.parents.empty()) {
    SWAGE_ASSIGN_OR_RETURN(const auto files,
                           DiffOf(ctx.repo.git_dir, commit.parents.front(), commit.sha));
    for (const FileDiff& file : files) diffs.push_back(DiffJson(file));
  }
  return Page(ctx, diffs);
}

Result<Reply> Compare(Ctx& ctx) {
  const auto from = ResolveCommit(ctx.repo.git_dir, ctx.params.Str("from"));
  const auto to = ResolveCommit(ctx.repo.git_dir, ctx.params.Str("to"));
  if (!from.ok() || !to.ok()) return NotFound("Ref");
  SWAGE_ASSIGN_OR_RETURN(const auto between, CommitsBetween(ctx.repo.git_dir, *from, *to));
  SWAGE_ASSIGN_OR_RETURN(const auto files, DiffOf(ctx.repo.git_dir, *from, *to));
  Json commits = Json::array();
  for (const CommitInfo& commit : between)
    commits.push_back(CommitJson(ctx.repo, commit, ctx.call.base));
  Json diffs = Json::array();
  for (const FileDiff& file : files) diffs.push_back(DiffJson(file));
  return Reply::Json(
      200, {{"commit", commits.empty() ? Json(nullptr) : commits.back()},
            {"commits", commits},
            {"diffs", diffs},
            {"compare_timeout", false},
            {"compare_same_ref", *from == *to},
            {"web_url", WebUrl(ctx.call.base, ctx.repo) + "/-/compare/" + *from + "..." + *to}});
}

// --- files ---------------------------------------------------------------------------------------

Result<Reply> GetFile(Ctx& ctx, bool raw) {
  const std::string ref = ctx.params.Str("ref", ctx.repo.default_branch);
  const auto commit = ResolveCommit(ctx.repo.git_dir, ref);
  if (!commit.ok()) return NotFound("Commit");
  const std::string& path = ctx.call.Param("file");
  const auto blob = ReadBlobAt(ctx.repo.git_dir, *commit, path);
  if (!blob.ok()) return NotFound("File");
  if (raw) return Reply::Text(200, "text/plain; charset=utf-8", blob->bytes);
  return Reply::Json(200, {{"file_name", path.substr(path.rfind('/') + 1)},
                           {"file_path", path},
                           {"size", blob->bytes.size()},
                           {"encoding", "base64"},
                           {"content_sha256", Sha256Hex(blob->bytes)},
                           {"ref", ref},
                           {"blob_id", blob->sha},
                           {"commit_id", *commit},
                           {"last_commit_id", *commit},
                           {"execute_filemode", false},
                           {"content", Base64Encode(blob->bytes)}});
}

}  // namespace

void MountRepository(Router& router) {
  const std::string at = "/repository";
  AddProjectRoute(router, "GET", at + "/branches", Need::kPublic, ListBranches);
  AddProjectRoute(router, "POST", at + "/branches", Need::kDeveloper, CreateBranch);
  AddProjectRoute(router, "GET", at + "/branches/{branch}", Need::kPublic, GetBranch);
  AddProjectRoute(router, "DELETE", at + "/branches/{branch}", Need::kDeveloper, DeleteBranch);
  AddProjectRoute(router, "GET", at + "/commits", Need::kPublic, ListCommits);
  AddProjectRoute(router, "POST", at + "/commits", Need::kDeveloper, CreateCommit);
  AddProjectRoute(router, "GET", at + "/commits/{sha}", Need::kPublic, GetCommit);
  AddProjectRoute(router, "GET", at + "/commits/{sha}/diff", Need::kPublic, CommitDiff);
  AddProjectRoute(router, "GET", at + "/compare", Need::kPublic, Compare);
  AddProjectRoute(router, "GET", at + "/files/{file}", Need::kPublic,
                  [](Ctx& ctx) { return GetFile(ctx, false); });
  AddProjectRoute(router, "GET", at + "/files/{file}/raw", Need::kPublic,
                  [](Ctx& ctx) { return GetFile(ctx, true); });
}

}  // namespace swage::sandbox::gitlab
