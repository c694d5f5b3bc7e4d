// Git data over the API: refs, branches, commits, contents.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::string_view kHeads = "refs/heads/";

std::string UrlPath(std::string_view path) {
  return ReplaceAll(PercentEncode(path), "%2F", "/");
}

// --- refs ---

json RefObject(const RepoCall& in, std::string_view ref, std::string_view sha) {
  return {{"ref", ref},
          {"node_id", fmt::format("REF_{}", ref)},
          {"url", fmt::format("{}/git/{}", in.objects.RepoUrl(in.repo), UrlPath(ref))},
          {"object",
           {{"sha", sha},
            {"type", "commit"},
            {"url", fmt::format("{}/git/commits/{}", in.objects.RepoUrl(in.repo), sha)}}}};
}

Reply GetRef(const RepoCall& in) {
  const std::string ref = "refs/" + in.call.Param("ref");
  const Result<std::string> sha = ReadRef(in.repo.git_dir, ref);
  return sha.ok() ? Reply::Json(200, RefObject(in, ref, *sha)) : GitHubError(404, "Not Found");
}

Reply MatchingRefs(const RepoCall& in) {
  const auto refs = ListRefs(in.repo.git_dir, "refs/" + in.call.Param("ref"));
  const std::vector<std::pair<std::string, std::string>> list(refs.begin(), refs.end());
  return Paged(in.call, list,
               [&](const auto& ref) { return RefObject(in, ref.first, ref.second); });
}

Reply CreateRef(const RepoCall& in) {
  const std::string ref = JsonString(in.call.body, "ref");
  const std::string sha = JsonString(in.call.body, "sha");
  if (!ref.starts_with("refs/") || Split(ref, '/').size() < 3) {
    return GitHubError(422,
                       "Reference name must start with 'refs/' and contain at least two slashes.");
  }
  const auto before = in.world.RefsOf(in.repo);
  const Result<void> made = WriteRef(in.repo.git_dir, ref, sha, false);
  if (!made.ok()) {
    return GitHubError(422, made.error().code == ErrorCode::kConflict ? "Reference already exists"
                                                                      : "Object does not exist");
  }
  in.world.RefsMoved(in.repo, in.Actor(), before);
  return Reply::Json(201, RefObject(in, ref, sha));
}

Reply UpdateRef(const RepoCall& in) {
  const std::string ref = "refs/" + in.call.Param("ref");
  const std::string sha = JsonString(in.call.body, "sha");
  const Result<std::string> old = ReadRef(in.repo.git_dir, ref);
  if (!old.ok()) return GitHubError(422, "Reference does not exist");
  if (!ResolveCommit(in.repo.git_dir, sha).ok()) return GitHubError(422, "Object does not exist");
  if (!JsonBool(in.call.body, "force") && !IsAncestor(in.repo.git_dir, *old, sha)) {
    return GitHubError(422, "Update is not a fast forward");
  }
  const auto before = in.world.RefsOf(in.repo);
  if (!WriteRef(in.repo.git_dir, ref, sha, true).ok()) {
    return GitHubError(422, "Object does not exist");
  }
  in.world.RefsMoved(in.repo, in.Actor(), before);
  return Reply::Json(200, RefObject(in, ref, sha));
}

Reply DeleteRefOf(const RepoCall& in) {
  const std::string ref = "refs/" + in.call.Param("ref");
  const auto before = in.world.RefsOf(in.repo);
  if (!DeleteRef(in.repo.git_dir, ref).ok()) return GitHubError(422, "Reference does not exist");
  in.world.RefsMoved(in.repo, in.Actor(), before);
  return Reply::Empty(204);
}

// --- branches and commits ---

Reply ListBranches(const RepoCall& in) {
  const auto refs = ListRefs(in.repo.git_dir, kHeads);
  const std::vector<std::pair<std::string, std::string>> list(refs.begin(), refs.end());
  return Paged(in.call, list, [&](const auto& ref) {
    return json{{"name", ref.first.substr(kHeads.size())},
                {"commit",
                 {{"sha", ref.second},
                  {"url", fmt::format("{}/commits/{}", in.objects.RepoUrl(in.repo), ref.second)}}},
                {"protected", false}};
  });
}

Reply GetBranch(const RepoCall& in) {
  const std::string name = in.call.Param("branch");
  const Result<std::string> sha = ReadRef(in.repo.git_dir, fmt::format("{}{}", kHeads, name));
  if (!sha.ok()) return GitHubError(404, "Branch not found");
  const Result<CommitInfo> commit = ReadCommit(in.repo.git_dir, *sha);
  if (!commit.ok()) return GitHubError(404, "Branch not found");
  const std::string url = fmt::format("{}/branches/{}", in.objects.RepoUrl(in.repo), UrlPath(name));
  const json checks = {
      {"enforcement_level", "off"}, {"contexts", json::array()}, {"checks", json::array()}};
  return Reply::Json(
      200, {{"name", name},
            {"commit", in.objects.CommitObject(in.repo, *commit)},
            {"_links",
             {{"self", url},
              {"html", fmt::format("{}/tree/{}", in.objects.WebUrl(in.repo), UrlPath(name))}}},
            {"protected", false},
            {"protection", {{"enabled", false}, {"required_status_checks", checks}}},
            {"protection_url", url + "/protection"}});
}

Reply ListCommits(const RepoCall& in) {
  const std::string from = in.call.request.Query("sha");
  const auto commits = History(in.repo.git_dir, from.empty() ? in.repo.default_branch : from);
  if (!commits.ok()) return GitHubError(404, "Not Found");
  return Paged(in.call, *commits,
               [&](const CommitInfo& commit) { return in.objects.CommitObject(in.repo, commit); });
}

Reply GetCommit(const RepoCall& in) {
  const Result<CommitInfo> commit = ReadCommit(in.repo.git_dir, in.call.Param("ref"));
  if (!commit.ok()) {
    return GitHubError(422, fmt::format("No commit found for SHA: {}", in.call.Param("ref")));
  }
  json object = in.objects.CommitObject(in.repo, *commit);
  json files = json::array();
  int additions = 0;
  int deletions = 0;
  const std::string parent = commit->parents.empty() ? "" : commit->parents.front();
  const auto diff = DiffOf(in.repo.git_dir, parent, commit->sha);
  if (!parent.empty() && diff.ok()) {
    for (const FileDiff& file : *diff) {
      additions += file.additions;
      deletions += file.deletions;
      files.push_back(in.objects.FileObject(in.repo, file, commit->sha));
    }
  }
  object["files"] = files;
  object["stats"] = {
      {"total", additions + deletions}, {"additions", additions}, {"deletions", deletions}};
  return Reply::Json(200, object);
}

// --- contents ---

json ContentLinks(const RepoCall& in, const std::string& path, const std::string& sha,
                  const std::string& ref, std::string_view kind) {
  const std::string url = fmt::format("{}/contents/{}?ref={}", in.objects.RepoUrl(in.repo),
                                      UrlPath(path), PercentEncode(ref));
  const std::string git = fmt::format("{}/git/{}s/{}", in.objects.RepoUrl(in.repo),
                                      kind == "dir" ? "tree" : "blob", sha);
  const std::string web = fmt::format("{}/{}/{}/{}", in.objects.WebUrl(in.repo),
                                      kind == "dir" ? "tree" : "blob", UrlPath(ref), UrlPath(path));
  return {
      {"path", path},
      {"name", path.substr(path.rfind('/') + 1)},
      {"sha", sha},
      {"type", kind},
      {"url", url},
      {"git_url", git},
      {"html_url", web},
      {"download_url", kind == "dir" ? json()
                                     : json(fmt::format("{}/raw/{}/{}", in.objects.WebUrl(in.repo),
                                                        UrlPath(ref), UrlPath(path)))},
      {"_links", {{"self", url}, {"git", git}, {"html", web}}}};
}

json FileContent(const RepoCall& in, const std::string& path, const Blob& blob,
                 const std::string& ref) {
  json object = ContentLinks(in, path, blob.sha, ref, "file");
  object["size"] = blob.bytes.size();
  object["encoding"] = "base64";
  object["content"] = Base64Encode(blob.bytes);
  return object;
}

Reply GetContents(const RepoCall& in) {
  const std::string asked = in.call.request.Query("ref");
  const std::string ref = asked.empty() ? in.repo.default_branch : asked;
  const auto given = in.call.params.find("path");
  std::string path = given == in.call.params.end() ? "" : given->second;
  while (path.ends_with('/')) path.pop_back();
  const Result<Blob> blob = path.empty() ? Result<Blob>(MakeError(ErrorCode::kInvalid, "root"))
                                         : ReadBlobAt(in.repo.git_dir, ref, path);
  if (blob.ok() && in.call.request.Header("accept").find("raw") != std::string::npos) {
    return Reply::Text(200, "application/vnd.github.raw; charset=utf-8", blob->bytes);
  }
  if (blob.ok()) return Reply::Json(200, FileContent(in, path, *blob, ref));
  if (blob.error().code != ErrorCode::kInvalid) return GitHubError(404, "Not Found");
  const auto entries = ListTreeAt(in.repo.git_dir, ref, path);
  if (!entries.ok()) return GitHubError(404, "Not Found");
  json list = json::array();
  for (const TreeEntry& entry : *entries) {
    json object =
        ContentLinks(in, entry.path, entry.sha, ref, entry.type == "tree" ? "dir" : "file");
    object["size"] = entry.size;
    list.push_back(std::move(object));
  }
  return Reply::Json(200, list);
}

/// {content, commit} after a file was written or removed.
json FileCommit(const RepoCall& in, const json& content, const std::string& sha) {
  const Result<CommitInfo> info = ReadCommit(in.repo.git_dir, sha);
  json commit = info.ok() ? in.objects.CommitObject(in.repo, *info) : json::object();
  json inner = commit["commit"];
  inner["sha"] = sha;
  inner["node_id"] = commit["node_id"];
  inner["html_url"] = commit["html_url"];
  inner["parents"] = commit["parents"];
  return {{"content", content}, {"commit", inner}};
}

/// Shared by PUT and DELETE: the branch, the blob that is there, and the check of "sha".
struct FileTarget {
  std::string path;
  std::string branch;
  std::string message;
  Result<Blob> blob;
};

std::variant<FileTarget, Reply> TargetOf(const RepoCall& in) {
  const json& body = in.call.body;
  const std::string branch = JsonString(body, "branch", in.repo.default_branch);
  FileTarget target{in.call.Param("path"), branch, JsonString(body, "message"),
                    ReadBlobAt(in.repo.git_dir, branch, in.call.Param("path"))};
  if (!ReadRef(in.repo.git_dir, fmt::format("{}{}", kHeads, branch)).ok()) {
    return GitHubError(404, fmt::format("Branch {} not found", branch));
  }
  if (target.message.empty()) {
    return GitHubError(422, "Invalid request.\n\n\"message\" wasn't supplied.");
  }
  const std::string sha = JsonString(body, "sha");
  if (target.blob.ok() && sha.empty()) {
    return GitHubError(422, "Invalid request.\n\n\"sha\" wasn't supplied.");
  }
  if (target.blob.ok() && sha != target.blob->sha) {
    return GitHubError(409, fmt::format("{} does not match {}", target.path, sha));
  }
  return target;
}

Reply PutContents(const RepoCall& in) {
  auto found = TargetOf(in);
  if (const Reply* refused = std::get_if<Reply>(&found)) return *refused;
  const FileTarget& target = std::get<FileTarget>(found);
  std::string encoded = JsonString(in.call.body, "content");
  std::erase_if(encoded, [](char c) { return c == '\n' || c == '\r'; });
  const std::optional<std::string> bytes = Base64Decode(encoded);
  if (!bytes.has_value()) return GitHubError(422, "content is not valid Base64");
  const auto before = in.world.RefsOf(in.repo);
  const Result<std::string> sha =
      CommitFiles(in.repo.git_dir, target.branch, {{target.path, *bytes}}, target.message,
                  PersonOf(in.Actor(), in.world.Now()));
  if (!sha.ok()) return GitHubError(422, "path contains a malformed path component");
  in.world.RefsMoved(in.repo, in.Actor(), before);
  const Result<Blob> blob = ReadBlobAt(in.repo.git_dir, *sha, target.path);
  json content = blob.ok() ? FileContent(in, target.path, *blob, target.branch) : json();
  content.erase("content");
  content.erase("encoding");
  return Reply::Json(target.blob.ok() ? 200 : 201, FileCommit(in, content, *sha));
}

Reply DeleteContents(const RepoCall& in) {
  auto found = TargetOf(in);
  if (const Reply* refused = std::get_if<Reply>(&found)) return *refused;
  const FileTarget& target = std::get<FileTarget>(found);
  if (!target.blob.ok()) return GitHubError(404, "Not Found");
  const auto before = in.world.RefsOf(in.repo);
  const Result<std::string> sha = RemoveFile(in.repo.git_dir, target.branch, target.path,
                                             target.message, PersonOf(in.Actor(), in.world.Now()));
  if (!sha.ok()) return GitHubError(422, "Invalid request.");
  in.world.RefsMoved(in.repo, in.Actor(), before);
  return Reply::Json(200, FileCommit(in, json(), *sha));
}

}  // namespace

void MountGit(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  router.Add("GET", repo + "/git/ref/{ref*}", InRepo(Needs::kSight, GetRef));
  router.Add("GET", repo + "/git/matching-refs/{ref*}", InRepo(Needs::kSight, MatchingRefs));
  router.Add("POST", repo + "/git/refs", InRepo(Needs::kWrite, CreateRef));
  router.Add("PATCH", repo + "/git/refs/{ref*}", InRepo(Needs::kWrite, UpdateRef));
  router.Add("DELETE", repo + "/git/refs/{ref*}", InRepo(Needs::kWrite, DeleteRefOf));
  router.Add("GET", repo + "/branches", InRepo(Needs::kSight, ListBranches));
  router.Add("GET", repo + "/branches/{branch*}", InRepo(Needs::kSight, GetBranch));
  router.Add("GET", repo + "/commits", InRepo(Needs::kSight, ListCommits));
  router.Add("GET", repo + "/commits/{ref}", InRepo(Needs::kSight, GetCommit));
  router.Add("GET", repo + "/contents", InRepo(Needs::kSight, GetContents));
  router.Add("GET", repo + "/contents/", InRepo(Needs::kSight, GetContents));
  router.Add("GET", repo + "/contents/{path*}", InRepo(Needs::kSight, GetContents));
  router.Add("PUT", repo + "/contents/{path*}", InRepo(Needs::kWrite, PutContents));
  router.Add("DELETE", repo + "/contents/{path*}", InRepo(Needs::kWrite, DeleteContents));
}

}  // namespace swage::sandbox
