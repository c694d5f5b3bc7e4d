// A review on Gitea is one request: the text and its line comments. It takes lines that the diff
// does not show, and then shows them nowhere; remarks about those go into the text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitea/api.h"
#include "forge/gitea/diff_lines.h"
#include "forge/gitea/review_state.h"
#include "forge/rest_reply.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

using Comments = std::vector<const LineComment*>;

// Where each remark may go; what is said already goes nowhere.
struct Plan {
  Comments lines;
  Comments body;
};

bool IsOpen(const ReviewState& state, const std::string& marker) {
  const auto it = state.remarks.find(marker);
  return it != state.remarks.end() && it->second.open;
}

Plan MakePlan(const ReviewDraft& review, const ReviewState& state, const DiffFiles& diff) {
  Plan plan;
  for (const LineComment& comment : review.comments) {
    const std::string marker = FindingMarker(comment.fingerprint);
    if (IsOpen(state, marker) || state.in_bodies.contains(marker)) continue;
    const auto file = diff.find(comment.path);
    const bool shown = file != diff.end() && file->second.contains(comment.line);
    (shown ? plan.lines : plan.body).push_back(&comment);
  }
  return plan;
}

Result<PostedReview> Post(Api& api, const RepoRef& repo, std::int64_t number,
                          const ReviewDraft& review, const Plan& plan) {
  json comments = json::array();
  for (const LineComment* comment : plan.lines) {
    // Called positions, these are line numbers of the new and the old version.
    comments.push_back({{"path", comment->path},
                        {"new_position", comment->line},
                        {"old_position", 0},
                        {"body", FindingBody(*comment, api.limits().comment_bytes)}});
  }
  const std::string body = WithUnplaced(review.body, plan.body);
  // A bot that opened the pull request may only comment.
  SWAGE_ASSIGN_OR_RETURN(
      const json posted,
      api.rest().Write("POST", ReviewsPath(repo, number, ""),
                       {{"commit_id", review.head_sha.value},
                        {"event", "COMMENT"},
                        {"body", MarkedBody(review.marker, body, api.limits().comment_bytes)},
                        {"comments", comments}}));
  return PostedReview{JsonId(posted, "id"), JsonString(posted, "html_url"), {}};
}

PostedReview Report(const ReviewDraft& review, const ReviewState& before,
                    const ReviewState& after) {
  PostedReview posted{after.review_id, after.review_url, {}};
  for (const LineComment& comment : review.comments) {
    const std::string marker = FindingMarker(comment.fingerprint);
    const bool on_line = IsOpen(after, marker);
    const bool was_there = IsOpen(before, marker) || before.in_bodies.contains(marker);
    posted.comments.push_back({comment.fingerprint,
                               on_line ? after.remarks.at(marker).thread_id : "",
                               was_there ? CommentPlace::kAlreadyThere
                               : on_line ? CommentPlace::kLine
                                         : CommentPlace::kBody});
  }
  return posted;
}

}  // namespace

Result<PostedReview> EnsureReview(Api& api, const RepoRef& repo, std::int64_t number,
                                  const ReviewDraft& review) {
  SWAGE_ASSIGN_OR_RETURN(const ReviewState before,
                         ReadReviewState(api, repo, number, review.marker));
  if (!before.review_id.empty()) return Report(review, {}, before);
  // Line comments of a review that the forge did not finish would become part of this one.
  if (!before.unfinished.empty()) {
    SWAGE_RETURN_IF_ERROR(
        api.rest().Write("DELETE", ReviewsPath(repo, number, "/" + before.unfinished), nullptr));
  }
  DiffFiles diff;
  if (!review.comments.empty()) {
    SWAGE_ASSIGN_OR_RETURN(diff, ReadDiff(api, repo, number));
  }
  SWAGE_ASSIGN_OR_RETURN(const PostedReview posted,
                         Post(api, repo, number, review, MakePlan(review, before, diff)));
  SWAGE_ASSIGN_OR_RETURN(ReviewState after, ReadReviewState(api, repo, number, review.marker));
  // A list that lags must not make the caller post it again.
  after.review_id = posted.id;
  after.review_url = posted.web_url;
  return Report(review, before, after);
}

// The API resolves no conversation: its first comment says that the finding is gone.
Result<void> ResolveThread(Api& api, const RepoRef& repo, std::int64_t number,
                           std::string_view thread_id, std::string_view note) {
  const std::size_t colon = thread_id.find(':');
  if (colon == thread_id.npos) {
    return MakeError(ErrorCode::kInvalid, "no thread of this forge: " + std::string(thread_id));
  }
  const std::string_view comment_id = thread_id.substr(colon + 1);
  std::optional<std::string> body;
  SWAGE_RETURN_IF_ERROR(
      ForEachLineComment(api, repo, number, thread_id.substr(0, colon), [&](const json& comment) {
        if (JsonId(comment, "id") == comment_id) body = JsonString(comment, "body");
      }));
  if (!body) return MakeError(ErrorCode::kNotFound, "the line comment is gone");
  if (body->find(GoneMarker()) != std::string::npos) return Ok();
  const std::string marked = GoneMarker() + "\n" + std::string(note) + "\n\n" + *body;
  SWAGE_RETURN_IF_ERROR(
      api.rest().Write("PATCH", RepoPath(repo, "/issues/comments/" + PercentEncode(comment_id)),
                       {{"body", FitBody(marked, api.limits().comment_bytes)}}));
  return Ok();
}

}  // namespace swage::gitea
