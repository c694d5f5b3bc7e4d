// Reviews and their line comments. Gitea takes any line of any path, shown in the diff or not, and
// has no request that resolves a conversation.
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

using PullHandler = Reply (*)(const RepoCall&, Pull&);

Handler OnPull(Needs needs, PullHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
    return pull == nullptr ? NotFound() : handler(in, *pull);
  });
}

using ReviewHandler = Reply (*)(const RepoCall&, Pull&, const Review&);

Handler OnReview(Needs needs, ReviewHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
    if (pull == nullptr) return NotFound();
    const auto review = std::ranges::find(pull->reviews, in.call.Number("review"), &Review::id);
    return review == pull->reviews.end() ? NotFound() : handler(in, *pull, *review);
  });
}

std::string StateOf(const std::string& event) {
  if (event == "APPROVED") return "APPROVED";
  if (event == "REQUEST_CHANGES") return "CHANGES_REQUESTED";
  return event == "COMMENT" ? "COMMENTED" : "PENDING";
}

/// Why the reviewer may not say this, if he may not.
std::optional<Reply> CheckEvent(const RepoCall& in, const Pull& pull, const std::string& event,
                                const std::string& body, bool has_comments) {
  const bool own = pull.author == in.Actor().id;
  if (own && event == "APPROVED") return Refuse(422, "approve your own pull is not allowed");
  if (own && event == "REQUEST_CHANGES") return Refuse(422, "reject your own pull is not allowed");
  const bool needs_body = event == "REQUEST_CHANGES" || (event == "COMMENT" && !has_comments);
  if (needs_body && Trim(body).empty()) {
    return Refuse(422, fmt::format("review event {} requires a body", event));
  }
  return std::nullopt;
}

Position PlaceOf(const json& comment) {
  Position position;
  position.path = position.old_path = JsonString(comment, "path");
  position.new_line = static_cast<int>(JsonInt(comment, "new_position"));
  position.old_line = static_cast<int>(JsonInt(comment, "old_position"));
  position.line = position.new_line;
  if (position.old_line > 0) {
    position.new_line = 0;
    position.line = position.old_line;
    position.side = "LEFT";
  }
  return position;
}

Reply CreateReview(const RepoCall& in, Pull& pull) {
  const json& body = in.call.body;
  const std::string event = JsonString(body, "event");
  const std::string text = JsonString(body, "body");
  const json& comments = JsonAt(body, "comments");
  const bool has_comments = comments.is_array() && !comments.empty();
  if (auto refused = CheckEvent(in, pull, event, text, has_comments)) return *refused;
  const std::string commit = JsonString(body, "commit_id", pull.head_sha);
  const Id review = in.world.AddReview(in.repo, in.Actor(), pull, StateOf(event), text, commit).id;
  for (const json& comment : has_comments ? comments : json::array()) {
    in.world.StartDiscussion(in.repo, in.Actor(), pull, PlaceOf(comment),
                             JsonString(comment, "body"), review, commit);
  }
  return Reply::Json(200, in.objects.ReviewObject(in.repo, pull, pull.reviews.back()));
}

Reply ListReviews(const RepoCall& in, Pull& pull) {
  std::vector<const Review*> seen;
  for (const Review& review : pull.reviews) {
    const bool mine = in.call.actor != nullptr && review.author == in.call.actor->id;
    if (review.state != "PENDING" || mine) seen.push_back(&review);
  }
  return Paged(in.call, seen, [&](const Review* review) {
    return in.objects.ReviewObject(in.repo, pull, *review);
  });
}

Reply GetReview(const RepoCall& in, Pull& pull, const Review& review) {
  return Reply::Json(200, in.objects.ReviewObject(in.repo, pull, review));
}

/// Its line comments go with it.
Reply DeleteReview(const RepoCall& in, Pull& pull, const Review& review) {
  if (review.author != in.Actor().id) return RefuseInHtml();
  const Id id = review.id;
  for (Discussion& discussion : pull.discussions) {
    std::erase_if(discussion.notes, [id](const DiffNote& note) { return note.review == id; });
  }
  std::erase_if(pull.discussions, [](const Discussion& d) { return d.notes.empty(); });
  std::erase_if(pull.reviews, [id](const Review& r) { return r.id == id; });
  return Reply::Empty(204);
}

Reply ListLineComments(const RepoCall& in, Pull& pull, const Review& review) {
  json list = json::array();
  for (const Discussion& discussion : pull.discussions) {
    for (const DiffNote& note : discussion.notes) {
      if (!discussion.position || note.review != review.id) continue;
      list.push_back(in.objects.LineComment(in.repo, pull, discussion, note));
    }
  }
  return Reply::Json(200, list);
}

}  // namespace

void MountReviews(Router& router) {
  const std::string reviews =
      std::string(kApiRoot) + "/repos/{owner}/{repo}/pulls/{number}/reviews";
  router.Add("GET", reviews, OnPull(Needs::kSight, ListReviews));
  router.Add("POST", reviews, OnPull(Needs::kUser, CreateReview));
  router.Add("GET", reviews + "/{review}", OnReview(Needs::kSight, GetReview));
  router.Add("DELETE", reviews + "/{review}", OnReview(Needs::kUser, DeleteReview));
  router.Add("GET", reviews + "/{review}/comments", OnReview(Needs::kSight, ListLineComments));
}

}  // namespace swage::sandbox::gitea
