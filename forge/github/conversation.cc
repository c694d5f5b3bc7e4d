// What people say in reviews, and the bot's answers in their threads.
#include <nlohmann/json.hpp>
#include <set>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/github/api.h"
#include "forge/github/webhook.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;

std::string PullPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return RepoPath(repo, "/pulls/" + std::to_string(number) + std::string(rest));
}

// The API writes states in capitals, the webhook small.
Review ReadReview(const json& j) {
  Review review;
  review.id = JsonId(j, "id");
  review.text = ReadComment(j, std::string(kReviewPrefix) + JsonString(j, "node_id"));
  review.asks_for_changes = EqualsIgnoreCase(JsonString(j, "state"), "changes_requested");
  review.at = JsonTime(j, "submitted_at");
  return review;
}

}  // namespace

// Once the diff has moved on, `line` is null and only the original place is known.
Comment ReadLineComment(const json& j) {
  Comment comment = ReadComment(j, std::string(kReviewCommentPrefix) + JsonId(j, "id"));
  DiffPlace place;
  const std::string answered = JsonId(j, "in_reply_to_id");
  place.thread_id = answered.empty() ? JsonId(j, "id") : answered;
  place.path = JsonString(j, "path");
  const bool current = JsonInt(j, "line") > 0;
  const std::string original = current ? "" : "original_";
  place.last_line = static_cast<int>(JsonInt(j, original + "line"));
  const std::int64_t start = JsonInt(j, original + "start_line");
  place.first_line = start > 0 ? static_cast<int>(start) : place.last_line;
  place.old_side = JsonString(j, "side") == "LEFT";
  place.commit.value = JsonString(j, original + "commit_id");
  comment.place = std::move(place);
  return comment;
}

// The list of one review's comments leaves their lines out; that of the pull request has them.
Result<Review> GetReview(Api& api, const ReviewSubmitted& e) {
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().GetSettled(PullPath(
                                           e.repo, e.number, "/reviews/" + PercentEncode(e.id))));
  Review review = ReadReview(j);
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(PullPath(e.repo, e.number, "/comments"), [&](const json& comment) {
        if (JsonId(comment, "pull_request_review_id") == e.id) {
          review.comments.push_back(ReadLineComment(comment));
        }
        return true;
      }));
  return review;
}

Result<std::vector<Review>> ListReviews(Api& api, const RepoRef& repo, std::int64_t number) {
  std::vector<Review> reviews;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(PullPath(repo, number, "/reviews"), [&](const json& j) {
    Review review = ReadReview(j);
    if (review.asks_for_changes) reviews.push_back(std::move(review));
    return true;
  }));
  return reviews;
}

Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  std::set<std::string> there;  // markers
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(PullPath(repo, number, "/comments"), [&](const json& comment) {
        if (JsonId(comment, "user/id") != self.id) return true;
        const std::string body = JsonString(comment, "body");
        for (const ThreadReply& reply : replies) {
          if (body.find(reply.marker) != std::string::npos) there.insert(reply.marker);
        }
        return true;
      }));
  for (const ThreadReply& reply : replies) {
    if (there.contains(reply.marker)) continue;
    const std::string_view thread = reply.place.thread_id;
    const std::string comment = PercentEncode(thread.substr(0, thread.find(':')));
    const auto posted = api.rest().Write(
        "POST", PullPath(repo, number, "/comments/" + comment + "/replies"),
        {{"body", MarkedBody(reply.marker, reply.body, api.limits().comment_bytes)}});
    if (!posted.ok() && posted.error().code != ErrorCode::kNotFound) return posted.error();
  }
  return Ok();
}

}  // namespace swage::github
