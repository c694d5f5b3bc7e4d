// Check runs: what an App says of a commit where an account posts statuses. One run per context
// and head; a result that is another one gets a run of its own, which GitHub shows in place of the
// older.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/api.h"

namespace swage::github {
namespace {

using nlohmann::json;

constexpr std::size_t kAnnotationsPerRequest = 50;
constexpr std::size_t kMaxSummary = 65'535;
constexpr std::size_t kMaxTitle = 255;
constexpr std::size_t kMaxMessage = 60'000;  // GitHub takes 64 KB
constexpr std::size_t kDigestLength = 16;

std::string_view Conclusion(StatusState state) {
  switch (state) {
    case StatusState::kPending:
      return "";
    case StatusState::kSuccess:
      return "success";
    case StatusState::kFailure:
      return "failure";
    case StatusState::kNeutral:
      return "neutral";
  }
  return "";
}

std::string_view LevelName(Annotation::Level level) {
  switch (level) {
    case Annotation::Level::kNotice:
      return "notice";
    case Annotation::Level::kWarning:
      return "warning";
    case Annotation::Level::kFailure:
      return "failure";
  }
  return "failure";
}

json Describe(const Annotation& annotation) {
  const int line = std::max(annotation.line, 1);  // there is none for a whole file
  json j = {{"path", annotation.path},
            {"start_line", line},
            {"end_line", line},
            {"annotation_level", LevelName(annotation.level)},
            {"message", Truncate(annotation.message, kMaxMessage)}};
  if (!annotation.title.empty()) j["title"] = Truncate(annotation.title, kMaxTitle);
  return j;
}

// The run as it shall be, without its annotations. The external id tells it from one of the same
// context that says something else.
struct Wanted {
  json run;
  json title_and_summary;
  json annotations = json::array();
  std::string external_id;
};

Wanted Describe(const CommitStatus& status) {
  Wanted wanted;
  for (const Annotation& annotation : status.annotations) {
    wanted.annotations.push_back(Describe(annotation));
  }
  const std::string& summary = status.summary.empty() ? status.description : status.summary;
  wanted.title_and_summary = {{"title", Truncate(status.description, kMaxTitle)},
                              {"summary", Truncate(summary, kMaxSummary)}};
  const bool done = status.state != StatusState::kPending;
  wanted.run = {{"name", status.context}, {"status", done ? "completed" : "in_progress"}};
  if (done) wanted.run["conclusion"] = Conclusion(status.state);
  if (!status.target_url.empty()) wanted.run["details_url"] = status.target_url;
  if (done) {
    wanted.run["actions"] = json::array({{{"label", "Re-run the gates"},
                                          {"description", "Runs this task's gates once more"},
                                          {"identifier", kRerunAction}}});
  }
  const std::string all = DumpJson({{"run", wanted.run},
                                    {"output", wanted.title_and_summary},
                                    {"annotations", wanted.annotations}});
  wanted.external_id =
      fmt::format("{}#{}", status.context, Sha256Hex(all).substr(0, kDigestLength));
  wanted.run["external_id"] = wanted.external_id;
  return wanted;
}

struct Posted {
  std::int64_t id = 0;
  std::string external_id;
  std::string status;  ///< back to "queued" when somebody asked for it once more
  std::int64_t annotations = 0;
};

// The newest one of that name that is ours: other Apps may use the name too.
Result<std::optional<Posted>> FindPosted(Api& api, const RepoRef& repo,
                                         const CommitStatus& status) {
  const std::string path =
      RepoPath(repo, fmt::format("/commits/{}/check-runs?check_name={}&filter=latest&per_page={}",
                                 PercentEncode(status.sha.value), PercentEncode(status.context),
                                 RestClient::kPageSize));
  SWAGE_ASSIGN_OR_RETURN(const json page, api.rest().Get(path));
  const json& runs = JsonAt(page, "check_runs");
  std::optional<Posted> newest;
  for (const json& run : runs.is_array() ? runs : json::array()) {
    const Posted posted{JsonInt(run, "id"), JsonString(run, "external_id"),
                        JsonString(run, "status"), JsonInt(run, "output/annotations_count")};
    const bool ours = posted.external_id.starts_with(status.context + "#");
    if (ours && (!newest || posted.id > newest->id)) newest = posted;
  }
  return newest;
}

json Output(const Wanted& wanted, std::size_t from) {
  json output = wanted.title_and_summary;
  const std::size_t to = std::min(from + kAnnotationsPerRequest, wanted.annotations.size());
  if (from >= to) return output;
  json batch = json::array();
  for (std::size_t i = from; i < to; ++i) batch.push_back(wanted.annotations[i]);
  output["annotations"] = std::move(batch);
  return output;
}

}  // namespace

// Each update adds its annotations to those before, so a run that was begun goes on where it
// stopped (X8, X9).
Result<void> EnsureCheck(Api& api, const RepoRef& repo, const CommitStatus& status) {
  const Wanted wanted = Describe(status);
  SWAGE_ASSIGN_OR_RETURN(std::optional<Posted> posted, FindPosted(api, repo, status));
  std::size_t there = 0;
  if (posted && posted->external_id == wanted.external_id &&
      posted->status == JsonString(wanted.run, "status")) {
    there = static_cast<std::size_t>(std::max<std::int64_t>(posted->annotations, 0));
  } else {
    json run = wanted.run;
    run["head_sha"] = status.sha.value;
    run["output"] = Output(wanted, 0);
    SWAGE_ASSIGN_OR_RETURN(const json made,
                           api.rest().Write("POST", RepoPath(repo, "/check-runs"), run));
    posted = Posted{JsonInt(made, "id"), wanted.external_id, "", 0};
    there = kAnnotationsPerRequest;
  }
  const std::string path = RepoPath(repo, fmt::format("/check-runs/{}", posted->id));
  for (; there < wanted.annotations.size(); there += kAnnotationsPerRequest) {
    SWAGE_RETURN_IF_ERROR(api.rest().Write("PATCH", path, {{"output", Output(wanted, there)}}));
  }
  return Ok();
}

}  // namespace swage::github
