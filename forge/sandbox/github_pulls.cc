// Pull requests: create, find, update, files, commits, merge.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxCommits = 250;

using PullHandler = Reply (*)(const RepoCall&, Pull&);

Handler OnPull(Needs needs, PullHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
    return pull == nullptr ? GitHubError(404, "Not Found") : handler(in, *pull);
  });
}

/// "OWNER:branch" or "branch" as the branch; nothing when OWNER is somebody else.
std::optional<std::string> BranchOf(const Repo& repo, std::string_view head) {
  const std::size_t colon = head.find(':');
  if (colon == std::string_view::npos) return std::string(head);
  if (!EqualsIgnoreCase(head.substr(0, colon), repo.owner)) return std::nullopt;
  return std::string(head.substr(colon + 1));
}

/// Without "OWNER:" GitHub ignores the filter in silence, and so do we.
bool Listed(const RepoCall& in, const Pull& pull) {
  const std::string state = in.call.request.Query("state");
  if (state != "all" && pull.open != (state != "closed")) return false;
  const std::string base = in.call.request.Query("base");
  if (!base.empty() && base != pull.base_ref) return false;
  const std::string head = in.call.request.Query("head");
  if (head.find(':') == std::string::npos) return true;
  return BranchOf(in.repo, head) == pull.head_ref;
}

Reply ListPulls(const RepoCall& in) {
  std::vector<const Pull*> found;
  for (const auto& [number, pull] : in.repo.pulls) {
    if (Listed(in, pull)) found.push_back(&pull);
  }
  const bool by_update = in.call.request.Query("sort") == "updated";
  const bool ascending = in.call.request.Query("direction") == "asc";
  std::sort(found.begin(), found.end(), [&](const Pull* a, const Pull* b) {
    const auto key = [&](const Pull* p) {
      return std::pair(by_update ? p->updated_at : WallTime{}, p->number);
    };
    return ascending ? key(a) < key(b) : key(b) < key(a);
  });
  return Paged(in.call, found,
               [&](const Pull* pull) { return in.objects.PullSimple(in.repo, *pull); });
}

Reply Refused(const RepoCall& in, const Error& error, const NewPull& draft) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return ValidationFailed(
          "PullRequest", "custom", "",
          fmt::format("A pull request already exists for {}:{}.", in.repo.owner, draft.head_ref));
    case ErrorCode::kNotFound:
      return ValidationFailed("PullRequest", "invalid", error.message);
    case ErrorCode::kInvalid:
      return ValidationFailed(
          "PullRequest", "custom", "",
          fmt::format("No commits between {} and {}", draft.base_ref, draft.head_ref));
    case ErrorCode::kDenied:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      break;
  }
  return GitHubError(500, "Server Error");
}

Reply CreatePull(const RepoCall& in) {
  const json& body = in.call.body;
  NewPull draft;
  draft.title = JsonString(body, "title");
  draft.body = JsonString(body, "body");
  draft.base_ref = JsonString(body, "base");
  draft.draft = JsonBool(body, "draft");
  const std::optional<std::string> head = BranchOf(in.repo, JsonString(body, "head"));
  if (!head.has_value() || head->empty()) return ValidationFailed("PullRequest", "invalid", "head");
  draft.head_ref = *head;
  if (draft.base_ref.empty()) return ValidationFailed("PullRequest", "missing_field", "base");
  if (Trim(draft.title).empty()) return ValidationFailed("PullRequest", "missing_field", "title");
  if (IsTooLong(draft.body)) return BodyTooLong("PullRequest");
  const Result<Pull*> opened = in.world.OpenPull(in.repo, in.Actor(), draft);
  if (!opened.ok()) return Refused(in, opened.error(), draft);
  return Reply::Json(201, in.objects.PullObject(in.repo, **opened));
}

Reply GetPull(const RepoCall& in, Pull& pull) {
  return Reply::Json(200, in.objects.PullObject(in.repo, pull));
}

Reply UpdatePull(const RepoCall& in, Pull& pull) {
  if (in.role < Role::kWrite && pull.author != in.Actor().id) {
    return GitHubError(403, "Must have admin rights to Repository.");
  }
  const json& body = in.call.body;
  IssueChange change;
  if (JsonAt(body, "title").is_string()) change.title = JsonString(body, "title");
  if (body.contains("body")) change.body = JsonString(body, "body");
  if (change.body && IsTooLong(*change.body)) return BodyTooLong("PullRequest");
  if (JsonAt(body, "base").is_string()) change.base_ref = JsonString(body, "base");
  if (change.base_ref && !ReadRef(in.repo.git_dir, "refs/heads/" + *change.base_ref).ok()) {
    return ValidationFailed("PullRequest", "invalid", "base");
  }
  const std::string state = JsonString(body, "state");
  if (state == "open" && pull.merged) {
    return ValidationFailed("PullRequest", "custom", "state",
                            "state cannot be changed. The pull request has been merged.");
  }
  if (state == "open" && !ReadRef(in.repo.git_dir, "refs/heads/" + pull.head_ref).ok()) {
    return ValidationFailed(
        "PullRequest", "custom", "state",
        fmt::format("state cannot be changed. The {} branch has been deleted.", pull.head_ref));
  }
  if (!state.empty()) change.open = state == "open";
  in.world.Update(in.repo, in.Actor(), pull, change);
  return Reply::Json(200, in.objects.PullObject(in.repo, pull));
}

std::string BaseOf(const RepoCall& in, const Pull& pull) {
  const Result<std::string> tip = ReadRef(in.repo.git_dir, "refs/heads/" + pull.base_ref);
  return pull.open && tip.ok() ? *tip : pull.base_sha;
}

Reply ListFiles(const RepoCall& in, Pull& pull) {
  const auto files = DiffOf(in.repo.git_dir, BaseOf(in, pull), pull.head_sha);
  if (!files.ok()) return GitHubError(500, "Server Error");
  return Paged(in.call, *files, [&](const FileDiff& file) {
    return in.objects.FileObject(in.repo, file, pull.head_sha);
  });
}

Reply ListCommits(const RepoCall& in, Pull& pull) {
  const auto commits =
      CommitsBetween(in.repo.git_dir, BaseOf(in, pull), pull.head_sha, kMaxCommits);
  if (!commits.ok()) return GitHubError(500, "Server Error");
  return Paged(in.call, *commits,
               [&](const CommitInfo& commit) { return in.objects.CommitObject(in.repo, commit); });
}

Reply IsMerged(const RepoCall&, Pull& pull) {
  return pull.merged ? Reply::Empty(204) : GitHubError(404, "Not Found");
}

Reply MergePull(const RepoCall& in, Pull& pull) {
  const json& body = in.call.body;
  const std::string method = JsonString(body, "merge_method", "merge");
  if (method == "rebase") {
    return GitHubError(405, "Rebase merges are not allowed on this repository.");
  }
  if (method != "merge" && method != "squash") {
    return ValidationFailed("PullRequest", "invalid", "merge_method");
  }
  if (pull.draft) return GitHubError(405, "Pull Request is still a draft");
  if (!pull.open) return GitHubError(405, "Pull Request is not mergeable");
  const std::string title =
      JsonString(body, "commit_title",
                 method == "squash" ? fmt::format("{} (#{})", pull.title, pull.number)
                                    : fmt::format("Merge pull request #{} from {}/{}", pull.number,
                                                  in.repo.owner, pull.head_ref));
  const std::string message = JsonString(body, "commit_message", pull.title);
  const Result<std::string> merged =
      in.world.MergePull(in.repo, in.Actor(), pull, JsonString(body, "sha"),
                         fmt::format("{}\n\n{}", title, message), method);
  if (merged.ok()) {
    return Reply::Json(
        200, {{"sha", *merged}, {"merged", true}, {"message", "Pull Request successfully merged"}});
  }
  if (merged.error().code == ErrorCode::kInvalid) {
    return GitHubError(409, "Head branch was modified. Review and try the merge again.");
  }
  return GitHubError(405, "Pull Request is not mergeable");
}

Reply ListReviewers(const RepoCall&, Pull&) {
  return Reply::Json(200, {{"users", json::array()}, {"teams", json::array()}});
}

}  // namespace

void MountPulls(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  const std::string pull = repo + "/pulls/{number}";
  router.Add("GET", repo + "/pulls", InRepo(Needs::kSight, ListPulls));
  router.Add("POST", repo + "/pulls", InRepo(Needs::kWrite, CreatePull));
  router.Add("GET", pull, OnPull(Needs::kSight, GetPull));
  router.Add("PATCH", pull, OnPull(Needs::kUser, UpdatePull));
  router.Add("GET", pull + "/files", OnPull(Needs::kSight, ListFiles));
  router.Add("GET", pull + "/commits", OnPull(Needs::kSight, ListCommits));
  router.Add("GET", pull + "/merge", OnPull(Needs::kSight, IsMerged));
  router.Add("PUT", pull + "/merge", OnPull(Needs::kWrite, MergePull));
  router.Add("GET", pull + "/requested_reviewers", OnPull(Needs::kSight, ListReviewers));
}

}  // namespace swage::sandbox
