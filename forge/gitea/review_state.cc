#include "forge/gitea/review_state.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitea/diff_lines.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

void NoteRemark(const json& j, std::string_view review, ReviewState& state) {
  const std::string body = JsonString(j, "body");
  PostedRemark remark{std::string(review) + ":" + JsonId(j, "id"), true};
  remark.open = !JsonAt(j, "resolver").is_object() && body.find(GoneMarker()) == std::string::npos;
  for (const std::string& marker : FindingMarkersIn(body)) {
    const auto it = state.remarks.find(marker);
    if (it == state.remarks.end() || !it->second.open) state.remarks[marker] = remark;
  }
}

}  // namespace

Result<DiffFiles> ReadDiff(Api& api, const RepoRef& repo, std::int64_t number) {
  const auto diff = api.rest().GetText(RepoPath(repo, fmt::format("/pulls/{}.diff", number)));
  if (!diff.ok() && diff.error().code == ErrorCode::kTooLarge) return DiffFiles();
  if (!diff.ok()) return diff.error();
  return DiffLines(*diff);
}

std::string ReviewsPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return RepoPath(repo, "/pulls/" + std::to_string(number) + "/reviews" + std::string(rest));
}

Result<void> ForEachLineComment(Api& api, const RepoRef& repo, std::int64_t number,
                                std::string_view review,
                                const std::function<void(const json&)>& visit) {
  SWAGE_ASSIGN_OR_RETURN(
      const json comments,
      api.rest().Get(ReviewsPath(repo, number, "/" + PercentEncode(review) + "/comments")));
  for (const json& comment : comments.is_array() ? comments : json::array()) visit(comment);
  return Ok();
}

Result<ReviewState> ReadReviewState(Api& api, const RepoRef& repo, std::int64_t number,
                                    std::string_view marker) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  ReviewState state;
  std::vector<std::string> with_lines;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(ReviewsPath(repo, number, ""), [&](const json& review) {
    if (JsonId(review, "user/id") != self.id) return true;
    const std::string id = JsonId(review, "id");
    if (JsonString(review, "state") == "PENDING") {
      state.unfinished = id;
      return true;
    }
    const std::string body = JsonString(review, "body");
    if (body.find(marker) != std::string::npos) {
      state.review_id = id;
      state.review_url = JsonString(review, "html_url");
    }
    for (const std::string& m : FindingMarkersIn(body)) state.in_bodies.insert(m);
    if (JsonInt(review, "comments_count") > 0) with_lines.push_back(id);
    return true;
  }));
  for (const std::string& review : with_lines) {
    SWAGE_RETURN_IF_ERROR(ForEachLineComment(api, repo, number, review, [&](const json& comment) {
      if (JsonId(comment, "user/id") == self.id) NoteRemark(comment, review, state);
    }));
  }
  return state;
}

}  // namespace swage::gitea
