// Commit statuses and check runs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDescription = 140;
constexpr std::size_t kMaxSummary = 65'535;
constexpr std::size_t kMaxAnnotations = 50;  // a request
constexpr std::size_t kMaxStatusesPerContext = 1'000;
constexpr std::array<std::string_view, 4> kStates = {"error", "failure", "pending", "success"};
constexpr std::array<std::string_view, 8> kConclusions = {"action_required", "cancelled", "failure",
                                                          "neutral",         "success",   "skipped",
                                                          "stale",           "timed_out"};

Reply CreateStatus(const RepoCall& in) {
  const json& body = in.call.body;
  Status status;
  status.sha = in.call.Param("sha");
  status.state = JsonString(body, "state");
  status.context = JsonString(body, "context", "default");
  status.description = JsonString(body, "description");
  status.target_url = JsonString(body, "target_url");
  const Result<std::string> commit = ResolveCommit(in.repo.git_dir, status.sha);
  if (!commit.ok() || *commit != status.sha) {
    return GitHubError(422, fmt::format("No commit found for SHA: {}", status.sha));
  }
  if (std::find(kStates.begin(), kStates.end(), status.state) == kStates.end()) {
    return ValidationFailed("Status", "custom", "state", "state is not included in the list");
  }
  if (status.description.size() > kMaxDescription) {
    return ValidationFailed("Status", "custom", "description",
                            "description is too long (maximum is 140 characters)");
  }
  const auto same = std::count_if(
      in.repo.statuses.begin(), in.repo.statuses.end(),
      [&](const Status& s) { return s.sha == status.sha && s.context == status.context; });
  if (static_cast<std::size_t>(same) >= kMaxStatusesPerContext) {
    return ValidationFailed("Status", "custom", "",
                            "This SHA and context has reached the maximum number of statuses.");
  }
  const Status& made = in.world.AddStatus(in.repo, in.Actor(), std::move(status));
  return Reply::Json(201, in.objects.StatusObject(in.repo, made));
}

/// Newest first.
std::vector<const Status*> StatusesOf(const Repo& repo, const std::string& sha) {
  std::vector<const Status*> found;
  for (auto it = repo.statuses.rbegin(); it != repo.statuses.rend(); ++it) {
    if (it->sha == sha) found.push_back(&*it);
  }
  return found;
}

Reply ListStatuses(const RepoCall& in) {
  const Result<std::string> sha = ResolveCommit(in.repo.git_dir, in.call.Param("ref"));
  if (!sha.ok()) return GitHubError(404, "Not Found");
  return Paged(in.call, StatusesOf(in.repo, *sha),
               [&](const Status* status) { return in.objects.StatusObject(in.repo, *status); });
}

Reply CombinedStatus(const RepoCall& in) {
  const Result<std::string> sha = ResolveCommit(in.repo.git_dir, in.call.Param("ref"));
  if (!sha.ok()) return GitHubError(404, "Not Found");
  std::vector<const Status*> latest;
  for (const Status* status : StatusesOf(in.repo, *sha)) {
    const bool seen = std::any_of(latest.begin(), latest.end(), [&](const Status* newer) {
      return newer->context == status->context;
    });
    if (!seen) latest.push_back(status);
  }
  const auto any = [&](std::string_view a, std::string_view b) {
    return std::any_of(latest.begin(), latest.end(),
                       [&](const Status* s) { return s->state == a || s->state == b; });
  };
  std::string state = "success";
  if (latest.empty() || any("pending", "pending")) state = "pending";
  if (any("failure", "error")) state = "failure";
  json statuses = json::array();
  for (const Status* status : latest) {
    json object = in.objects.StatusObject(in.repo, *status);
    object.erase("creator");
    statuses.push_back(std::move(object));
  }
  const std::string url = fmt::format("{}/commits/{}", in.objects.RepoUrl(in.repo), *sha);
  return Reply::Json(200, {{"state", state},
                           {"statuses", statuses},
                           {"sha", *sha},
                           {"total_count", latest.size()},
                           {"repository", in.objects.RepoObject(in.repo)},
                           {"commit_url", url},
                           {"url", url + "/status"}});
}

// --- check runs: an App's privilege; here bot accounts stand for Apps ---

std::optional<Reply> OnlyApps(const RepoCall& in) {
  if (in.Actor().is_bot) return std::nullopt;
  return GitHubError(403, "You must authenticate via a GitHub App.");
}

bool IsAnnotation(const json& annotation) {
  const std::string level = JsonString(annotation, "annotation_level");
  return !JsonString(annotation, "path").empty() && !JsonString(annotation, "message").empty() &&
         JsonInt(annotation, "start_line") > 0 &&
         JsonInt(annotation, "end_line") >= JsonInt(annotation, "start_line") &&
         (level == "notice" || level == "warning" || level == "failure");
}

/// At most three buttons, and their words are short.
bool AreActions(const json& actions) {
  if (!actions.is_array()) return true;
  const auto fits = [](const json& action, const char* name, std::size_t most) {
    const std::string text = JsonString(action, name);
    return !text.empty() && text.size() <= most;
  };
  return actions.size() <= 3 && std::all_of(actions.begin(), actions.end(), [&](const json& a) {
           return fits(a, "label", 20) && fits(a, "description", 40) && fits(a, "identifier", 20);
         });
}

/// The refusal, or nothing and the run is changed.
std::optional<Reply> Apply(const RepoCall& in, CheckRun& run) {
  const json& body = in.call.body;
  CheckRun next = run;
  next.name = JsonString(body, "name", next.name);
  next.status = JsonString(body, "status", next.status);
  next.conclusion = JsonString(body, "conclusion", next.conclusion);
  next.details_url = JsonString(body, "details_url", next.details_url);
  next.external_id = JsonString(body, "external_id", next.external_id);
  next.title = JsonString(body, "output/title", next.title);
  next.summary = JsonString(body, "output/summary", next.summary);
  next.text = JsonString(body, "output/text", next.text);
  if (next.status != "queued" && next.status != "in_progress" && next.status != "completed") {
    return ValidationFailed("CheckRun", "invalid", "status");
  }
  if (!next.conclusion.empty()) {
    if (std::find(kConclusions.begin(), kConclusions.end(), next.conclusion) ==
        kConclusions.end()) {
      return ValidationFailed("CheckRun", "invalid", "conclusion");
    }
    next.status = "completed";
  }
  if (next.status == "completed" && next.conclusion.empty()) {
    return ValidationFailed("CheckRun", "missing_field", "conclusion");
  }
  if (next.summary.size() > kMaxSummary || next.text.size() > kMaxSummary) {
    return ValidationFailed("CheckRun", "invalid", "summary", "Only 65535 characters are allowed");
  }
  const json& annotations = JsonAt(body, "output/annotations");
  if (annotations.is_array() && annotations.size() > kMaxAnnotations) {
    return ValidationFailed("CheckRun", "invalid", "annotations",
                            "Annotations exceeds a maximum quantity of 50");
  }
  for (const json& annotation : annotations.is_array() ? annotations : json::array()) {
    if (!IsAnnotation(annotation)) return ValidationFailed("CheckRun", "invalid", "annotations");
    next.annotations.push_back(DumpJson(annotation));
  }
  // An output has both, or is none.
  const json& output = JsonAt(body, "output");
  if (output.is_object() && (next.title.empty() || next.summary.empty())) {
    return ValidationFailed("CheckRun", "missing_field", "output");
  }
  if (!AreActions(JsonAt(body, "actions"))) {
    return ValidationFailed("CheckRun", "invalid", "actions");
  }
  if (next.status != "queued" && !next.started_at) next.started_at = in.world.Now();
  if (next.status == "completed" && !next.completed_at) next.completed_at = in.world.Now();
  run = std::move(next);
  return std::nullopt;
}

Reply CreateCheckRun(const RepoCall& in) {
  if (auto refused = OnlyApps(in)) return *refused;
  CheckRun run;
  run.head_sha = JsonString(in.call.body, "head_sha");
  if (JsonString(in.call.body, "name").empty()) {
    return ValidationFailed("CheckRun", "missing_field", "name");
  }
  if (!ResolveCommit(in.repo.git_dir, run.head_sha).ok()) {
    return GitHubError(422, fmt::format("No commit found for SHA: {}", run.head_sha));
  }
  if (auto refused = Apply(in, run)) return *refused;
  run.id = in.world.NextId();
  in.repo.check_runs.push_back(std::move(run));
  return Reply::Json(201, in.objects.CheckRunObject(in.repo, in.repo.check_runs.back()));
}

CheckRun* FindRun(const RepoCall& in) {
  const Id id = in.call.Number("run");
  for (CheckRun& run : in.repo.check_runs) {
    if (run.id == id) return &run;
  }
  return nullptr;
}

Reply UpdateCheckRun(const RepoCall& in) {
  if (auto refused = OnlyApps(in)) return *refused;
  CheckRun* run = FindRun(in);
  if (run == nullptr) return GitHubError(404, "Not Found");
  if (auto refused = Apply(in, *run)) return *refused;
  return Reply::Json(200, in.objects.CheckRunObject(in.repo, *run));
}

Reply GetCheckRun(const RepoCall& in) {
  const CheckRun* run = FindRun(in);
  if (run == nullptr) return GitHubError(404, "Not Found");
  return Reply::Json(200, in.objects.CheckRunObject(in.repo, *run));
}

Reply ListCheckRuns(const RepoCall& in) {
  const Result<std::string> sha = ResolveCommit(in.repo.git_dir, in.call.Param("ref"));
  if (!sha.ok()) return GitHubError(404, "Not Found");
  const std::string name = in.call.request.Query("check_name");
  const bool all = in.call.request.Query("filter") == "all";
  std::vector<const CheckRun*> runs;
  for (auto it = in.repo.check_runs.rbegin(); it != in.repo.check_runs.rend(); ++it) {
    if (it->head_sha != *sha || (!name.empty() && it->name != name)) continue;
    const bool newer = std::any_of(runs.begin(), runs.end(),
                                   [&](const CheckRun* run) { return run->name == it->name; });
    if (all || !newer) runs.push_back(&*it);
  }
  const Page page = PageOf(in.call, runs.size());
  json list = json::array();
  for (std::size_t i = page.begin; i < page.end; ++i) {
    list.push_back(in.objects.CheckRunObject(in.repo, *runs[i]));
  }
  return PagedReply(page, {{"total_count", runs.size()}, {"check_runs", list}});
}

}  // namespace

void MountChecks(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  router.Add("POST", repo + "/statuses/{sha}", InRepo(Needs::kWrite, CreateStatus));
  router.Add("GET", repo + "/commits/{ref}/statuses", InRepo(Needs::kSight, ListStatuses));
  router.Add("GET", repo + "/commits/{ref}/status", InRepo(Needs::kSight, CombinedStatus));
  router.Add("GET", repo + "/commits/{ref}/check-runs", InRepo(Needs::kSight, ListCheckRuns));
  router.Add("POST", repo + "/check-runs", InRepo(Needs::kWrite, CreateCheckRun));
  router.Add("GET", repo + "/check-runs/{run}", InRepo(Needs::kSight, GetCheckRun));
  router.Add("PATCH", repo + "/check-runs/{run}", InRepo(Needs::kWrite, UpdateCheckRun));
}

}  // namespace swage::sandbox
