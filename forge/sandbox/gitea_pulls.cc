// Pull requests: create, list, update, their diff, merge.
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

constexpr std::size_t kMaxTitle = 255;
constexpr std::string_view kDiffEnd = ".diff";

std::string BaseOf(const RepoCall& in, const Pull& pull) {
  const Result<std::string> tip = ReadRef(in.repo.git_dir, "refs/heads/" + pull.base_ref);
  return pull.open && tip.ok() ? *tip : pull.base_sha;
}

/// The filter by head is ignored in silence.
Reply ListPulls(const RepoCall& in) {
  const std::string state = in.call.request.Query("state");
  std::vector<const Pull*> found;
  for (const auto& [number, pull] : in.repo.pulls) {
    if (state == "all" || pull.open == (state != "closed")) found.push_back(&pull);
  }
  const bool by_update = in.call.request.Query("sort") == "recentupdate";
  std::ranges::sort(found, std::greater(), [&](const Pull* pull) {
    return std::pair(by_update ? pull->updated_at : WallTime{}, pull->number);
  });
  return Paged(in.call, found, [&](const Pull* pull) {
    return in.objects.PullObject(in.repo, *pull, in.world.IsMergeable(in.repo, *pull));
  });
}

Reply Refused(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return Refuse(409, "pull request already exists for these targets");
    case ErrorCode::kNotFound:
      return NotFound();
    case ErrorCode::kInvalid:
      return Refuse(422, "There are no changes between the head and the base");
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
  return Refuse(500, "Internal Server Error");
}

Reply CreatePull(const RepoCall& in) {
  const json& body = in.call.body;
  NewPull draft;
  draft.title = Truncate(Trim(JsonString(body, "title")), kMaxTitle);
  draft.body = JsonString(body, "body");
  draft.head_ref = JsonString(body, "head");
  draft.base_ref = JsonString(body, "base");
  if (draft.title.empty()) return Refuse(422, "[Title]: Required");
  const std::size_t colon = draft.head_ref.find(':');
  if (colon != std::string::npos) {
    if (!EqualsIgnoreCase(draft.head_ref.substr(0, colon), in.repo.owner)) return NotFound();
    draft.head_ref.erase(0, colon + 1);
  }
  draft.draft = TakeDraftPrefix(draft.title);
  const Result<Pull*> opened = in.world.OpenPull(in.repo, in.Actor(), draft);
  if (!opened.ok()) return Refused(opened.error());
  // Whether it can be merged is found out later.
  return Reply::Json(201, in.objects.PullObject(in.repo, **opened, false));
}

/// As git writes it. A name with unusual bytes is quoted there.
std::string GitName(std::string_view side, const std::string& path) {
  const bool plain = std::ranges::all_of(
      path, [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (plain) return fmt::format("{}/{}", side, path);
  std::string quoted = fmt::format("\"{}/", side);
  for (const unsigned char c : path) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(c);
    } else if (c < 0x20 || c >= 0x7f) {
      quoted += fmt::format("\\{:03o}", static_cast<unsigned>(c));
    } else {
      quoted += static_cast<char>(c);
    }
  }
  return quoted + "\"";
}

std::string DiffText(const FileDiff& file) {
  const std::string from = GitName("a", file.old_path.empty() ? file.path : file.old_path);
  const std::string to = GitName("b", file.path);
  std::string text = fmt::format("diff --git {} {}\n", from, to);
  if (file.status == "added") text += fmt::format("new file mode {}\n", file.new_mode);
  if (file.status == "removed") text += fmt::format("deleted file mode {}\n", file.old_mode);
  if (file.binary) return text + fmt::format("Binary files {} and {} differ\n", from, to);
  if (file.patch.empty()) return text;
  text += fmt::format("--- {}\n+++ {}\n", file.status == "added" ? "/dev/null" : from,
                      file.status == "removed" ? "/dev/null" : to);
  text += file.patch;
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

Reply ShowDiff(const RepoCall& in, const Pull& pull) {
  const auto files = DiffOf(in.repo.git_dir, BaseOf(in, pull), pull.head_sha);
  if (!files.ok()) return Refuse(500, "Internal Server Error");
  std::string text;
  for (const FileDiff& file : *files) text += DiffText(file);
  return Reply::Text(200, "text/plain; charset=utf-8", std::move(text));
}

/// "12", or "12.diff".
Reply GetPull(const RepoCall& in) {
  std::string number = in.call.Param("number");
  const bool diff = number.ends_with(kDiffEnd);
  if (diff) number.resize(number.size() - kDiffEnd.size());
  const Pull* pull = in.world.FindPull(in.repo, ParseInt(number).value_or(0));
  if (pull == nullptr) return NotFound();
  if (diff) return ShowDiff(in, *pull);
  return Reply::Json(200,
                     in.objects.PullObject(in.repo, *pull, in.world.IsMergeable(in.repo, *pull)));
}

using PullHandler = Reply (*)(const RepoCall&, Pull&);

Handler OnPull(Needs needs, PullHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
    return pull == nullptr ? NotFound() : handler(in, *pull);
  });
}

Reply UpdatePull(const RepoCall& in, Pull& pull) {
  if (in.role < Role::kWrite && pull.author != in.Actor().id) return RefuseInHtml();
  const json& body = in.call.body;
  IssueChange change;
  if (JsonAt(body, "title").is_string()) {
    std::string title = JsonString(body, "title");
    change.draft = TakeDraftPrefix(title);
    change.title = std::move(title);
  }
  if (JsonAt(body, "body").is_string()) change.body = JsonString(body, "body");
  if (JsonAt(body, "base").is_string()) change.base_ref = JsonString(body, "base");
  if (change.base_ref && !ReadRef(in.repo.git_dir, "refs/heads/" + *change.base_ref).ok()) {
    return NotFound();
  }
  const std::string state = JsonString(body, "state");
  if (!state.empty() && pull.merged) return Refuse(412, "cannot change state of this pull request");
  if (!state.empty()) change.open = state == "open";
  in.world.Update(in.repo, in.Actor(), pull, change);
  return Reply::Json(201,
                     in.objects.PullObject(in.repo, pull, in.world.IsMergeable(in.repo, pull)));
}

Reply ListFiles(const RepoCall& in, Pull& pull) {
  const auto files = DiffOf(in.repo.git_dir, BaseOf(in, pull), pull.head_sha);
  if (!files.ok()) return Refuse(500, "Internal Server Error");
  return Paged(in.call, *files, [&](const FileDiff& file) {
    const std::string web = in.objects.WebUrl(in.repo);
    const std::string name = PercentEncode(file.path);
    json object = {{"filename", file.path},
                   {"status", file.status == "modified"  ? "changed"
                              : file.status == "removed" ? "deleted"
                                                         : file.status},
                   {"additions", file.additions},
                   {"deletions", file.deletions},
                   {"changes", file.additions + file.deletions},
                   {"html_url", fmt::format("{}/src/commit/{}/{}", web, pull.head_sha, name)},
                   {"raw_url", fmt::format("{}/raw/commit/{}/{}", web, pull.head_sha, name)}};
    if (file.status == "renamed") object["previous_filename"] = file.old_path;
    return object;
  });
}

Reply IsMerged(const RepoCall&, Pull& pull) {
  return pull.merged ? Reply::Empty(204) : NotFound();
}

Reply MergePull(const RepoCall& in, Pull& pull) {
  const std::string method = JsonString(in.call.body, "Do");
  if (method != "merge" && method != "squash") return Refuse(405, "Invalid merge style");
  if (!pull.open || pull.draft) return Refuse(405, "Please try again later");
  const std::string title = fmt::format("Merge pull request '{}' (#{}) from {} into {}", pull.title,
                                        pull.number, pull.head_ref, pull.base_ref);
  const Result<std::string> merged =
      in.world.MergePull(in.repo, in.Actor(), pull, JsonString(in.call.body, "head_commit_id"),
                         JsonString(in.call.body, "MergeTitleField", title), method);
  if (merged.ok()) return Reply::Empty(200);
  return Refuse(merged.error().code == ErrorCode::kInvalid ? 409 : 405, merged.error().message);
}

}  // namespace

void MountPulls(Router& router) {
  const std::string repo = std::string(kApiRoot) + "/repos/{owner}/{repo}";
  const std::string pull = repo + "/pulls/{number}";
  router.Add("GET", repo + "/pulls", InRepo(Needs::kSight, ListPulls));
  router.Add("POST", repo + "/pulls", InRepo(Needs::kUser, CreatePull));
  router.Add("GET", pull, InRepo(Needs::kSight, GetPull));
  router.Add("PATCH", pull, OnPull(Needs::kUser, UpdatePull));
  router.Add("GET", pull + "/files", OnPull(Needs::kSight, ListFiles));
  router.Add("GET", pull + "/merge", OnPull(Needs::kSight, IsMerged));
  router.Add("POST", pull + "/merge", OnPull(Needs::kWrite, MergePull));
}

}  // namespace swage::sandbox::gitea
