// What people say in reviews, and the bot's answers in their threads. A thread is all comments on a
// line; the API has no request that answers in one, but what a new review says about that line
// becomes a part of it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitea/api.h"
#include "forge/gitea/review_state.h"
#include "forge/markdown.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxReviewsRead = 20;  // the newest, one request each
constexpr std::size_t kPlaceBytes = 300;

Review ReadReview(const json& j) {
  Review review;
  review.id = JsonId(j, "id");
  review.text = ReadComment(j, std::string(kReviewPrefix) + review.id);
  review.asks_for_changes =
      JsonString(j, "state") == "REQUEST_CHANGES" && !JsonBool(j, "dismissed");
  review.at = JsonTime(j, "submitted_at");
  return review;
}

// Called positions, these are line numbers of the new and the old version; one of them is zero.
DiffPlace ReadPlace(const json& j, std::string_view review) {
  DiffPlace place;
  place.thread_id = std::string(review) + ":" + JsonId(j, "id");
  place.path = JsonString(j, "path");
  place.last_line = static_cast<int>(JsonInt(j, "position"));
  if (place.last_line <= 0) {
    place.last_line = static_cast<int>(JsonInt(j, "original_position"));
    place.old_side = place.last_line > 0;
  }
  place.first_line = place.last_line;
  place.commit.value = JsonString(j, "commit_id");
  return place;
}

std::string Where(const DiffPlace& place) {
  return place.last_line > 0 ? fmt::format("{}:{}", place.path, place.last_line) : place.path;
}

// The markers of replies that are there already.
Result<std::set<std::string>> FindReplies(Api& api, const RepoRef& repo, std::int64_t number,
                                          const std::vector<ThreadReply>& replies) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  std::set<std::string> there;
  const auto look = [&](const std::string& body) {
    for (const ThreadReply& reply : replies) {
      if (body.find(reply.marker) != std::string::npos) there.insert(reply.marker);
    }
  };
  std::vector<std::string> with_lines;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(ReviewsPath(repo, number, ""), [&](const json& j) {
    if (JsonId(j, "user/id") != self.id || JsonString(j, "state") == "PENDING") return true;
    look(JsonString(j, "body"));
    if (JsonInt(j, "comments_count") > 0) with_lines.push_back(JsonId(j, "id"));
    return true;
  }));
  for (const std::string& review : with_lines) {
    SWAGE_RETURN_IF_ERROR(ForEachLineComment(api, repo, number, review, [&](const json& j) {
      if (JsonId(j, "user/id") == self.id) look(JsonString(j, "body"));
    }));
  }
  return there;
}

}  // namespace

Result<Review> GetReview(Api& api, const ReviewSubmitted& e) {
  json newest;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(ReviewsPath(e.repo, e.number, ""), [&](const json& review) {
        const bool meant = e.id.empty() ? JsonId(review, "user/id") == e.actor.id &&
                                              JsonString(review, "state") != "PENDING" &&
                                              SameText(JsonString(review, "body"), e.text)
                                        : JsonId(review, "id") == e.id;
        if (meant && JsonInt(review, "id") > JsonInt(newest, "id")) newest = review;
        return true;
      }));
  if (newest.is_null()) return MakeError(ErrorCode::kNotFound, "the review is gone");
  Review review = ReadReview(newest);
  if (JsonInt(newest, "comments_count") == 0) return review;
  SWAGE_RETURN_IF_ERROR(ForEachLineComment(api, e.repo, e.number, review.id, [&](const json& j) {
    // Answers of others stand in the same list.
    if (JsonId(j, "user/id") != review.text.author.id) return;
    review.comments.push_back(ReadComment(j, JsonId(j, "id")));
    review.comments.back().place = ReadPlace(j, review.id);
  }));
  return review;
}

Result<std::vector<Review>> ListReviews(Api& api, const RepoRef& repo, std::int64_t number) {
  std::vector<Review> reviews;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(ReviewsPath(repo, number, ""), [&](const json& j) {
    Review review = ReadReview(j);
    if (review.asks_for_changes) reviews.push_back(std::move(review));
    return true;
  }));
  return reviews;
}

// An answer to a line comment arrives as any other comment does; only the review to which it
// belongs tells of its line.
Result<std::optional<DiffPlace>> FindPlace(Api& api, const RepoRef& repo, std::int64_t number,
                                           const Comment& comment) {
  if (comment.place) return comment.place;
  std::vector<std::string> with_lines;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(ReviewsPath(repo, number, ""), [&](const json& j) {
    if (JsonInt(j, "comments_count") > 0) with_lines.push_back(JsonId(j, "id"));
    return true;
  }));
  std::optional<DiffPlace> place;
  std::size_t read = 0;
  for (auto it = with_lines.rbegin(); it != with_lines.rend() && !place; ++it) {
    if (++read > kMaxReviewsRead) break;
    SWAGE_RETURN_IF_ERROR(ForEachLineComment(api, repo, number, *it, [&](const json& j) {
      if (JsonId(j, "id") == comment.id) place = ReadPlace(j, *it);
    }));
  }
  return place;
}

Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies) {
  SWAGE_ASSIGN_OR_RETURN(const auto there, FindReplies(api, repo, number, replies));
  SWAGE_ASSIGN_OR_RETURN(const DiffFiles diff, ReadDiff(api, repo, number));
  json comments = json::array();
  std::string body;
  for (const ThreadReply& reply : replies) {
    if (there.contains(reply.marker)) continue;
    const DiffPlace& place = reply.place;
    const auto file = diff.find(place.path);
    const bool shown =
        file != diff.end() && (place.old_side || file->second.contains(place.last_line));
    const std::string text = MarkedBody(reply.marker, reply.body, api.limits().comment_bytes);
    if (shown) {
      comments.push_back({{"path", place.path},
                          {"new_position", place.old_side ? 0 : place.last_line},
                          {"old_position", place.old_side ? place.last_line : 0},
                          {"body", text}});
    } else {
      // On a line that the diff does not show any more, nobody would see it.
      if (!body.empty()) body += "\n\n";
      body += CodeSpan(Where(place), kPlaceBytes) + "\n\n" + text;
    }
  }
  if (comments.empty() && body.empty()) return Ok();
  SWAGE_RETURN_IF_ERROR(api.rest().Write("POST", ReviewsPath(repo, number, ""),
                                         {{"event", "COMMENT"},
                                          {"body", FitBody(body, api.limits().comment_bytes)},
                                          {"comments", comments}}));
  return Ok();
}

}  // namespace swage::gitea
