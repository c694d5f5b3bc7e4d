#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitea/api.h"

namespace swage::gitea {
namespace {

using nlohmann::json;

// Those of a default configuration; its administrator can take some away (403).
std::string_view ReactionName(Reaction reaction) {
  switch (reaction) {
    case Reaction::kEyes:
      return "eyes";
    case Reaction::kRocket:
      return "rocket";
    case Reaction::kThumbsUp:
      return "+1";
    case Reaction::kThumbsDown:
      return "-1";
    case Reaction::kConfused:
      return "confused";
  }
  return "eyes";
}

std::string CommentPath(const RepoRef& repo, std::string_view id) {
  return RepoPath(repo, "/issues/comments/" + PercentEncode(id));
}

// The text of a review is a comment with an id of its own, which only the timeline tells.
Result<std::string> CommentOfReview(Api& api, const RepoRef& repo, const Thread& thread,
                                    std::string_view review) {
  const std::string timeline =
      RepoPath(repo, "/issues/" + std::to_string(thread.number) + "/timeline");
  std::string id;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(timeline, [&](const json& entry) {
    const bool meant =
        JsonString(entry, "type") == "review" && JsonId(entry, "review_id") == review;
    if (meant) id = JsonId(entry, "id");
    return id.empty();
  }));
  if (id.empty()) return MakeError(ErrorCode::kNotFound, "GET " + timeline + ": no such review");
  return id;
}

bool IsOurs(const json& comment, const Actor& self, std::string_view marker) {
  return JsonId(comment, "user/id") == self.id &&
         JsonString(comment, "body").find(marker) != std::string::npos;
}

Result<std::optional<Comment>> FindById(Api& api, const RepoRef& repo, const Actor& self,
                                        std::string_view marker, std::string_view id) {
  const auto number = ParseInt(id);
  if (!number || *number <= 0) return std::optional<Comment>();
  const auto j = api.rest().Get(CommentPath(repo, id));
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return std::optional<Comment>();
  if (!j.ok()) return j.error();
  // Of an act that is no comment the answer is 204 and empty.
  if (!IsOurs(*j, self, marker)) return std::optional<Comment>();
  return std::optional(ReadComment(*j, std::string(id)));
}

// Somebody else's comment with our marker is a copy: not ours to edit. The list knows no pages: it
// comes whole.
Result<std::optional<Comment>> FindByMarker(Api& api, const std::string& list, const Actor& self,
                                            std::string_view marker) {
  SWAGE_ASSIGN_OR_RETURN(const json comments, api.rest().Get(list));
  for (const json& comment : comments.is_array() ? comments : json::array()) {
    if (IsOurs(comment, self, marker)) {
      return std::optional(ReadComment(comment, JsonId(comment, "id")));
    }
  }
  return std::optional<Comment>();
}

}  // namespace

Result<void> EnsureReaction(Api& api, const RepoRef& repo, const Thread& thread,
                            std::string_view comment_id, Reaction reaction) {
  std::string on = RepoPath(repo, "/issues/" + std::to_string(thread.number));
  if (comment_id.starts_with(kReviewPrefix)) {
    SWAGE_ASSIGN_OR_RETURN(
        const std::string id,
        CommentOfReview(api, repo, thread, comment_id.substr(kReviewPrefix.size())));
    on = CommentPath(repo, id);
  } else if (!comment_id.empty()) {
    on = CommentPath(repo, comment_id);
  }
  // 201 added, 200 was there: the forge itself is idempotent.
  SWAGE_RETURN_IF_ERROR(
      api.rest().Write("POST", on + "/reactions", {{"content", ReactionName(reaction)}}));
  return Ok();
}

Result<Comment> EnsureComment(Api& api, const RepoRef& repo, const Thread& thread,
                              std::string_view marker, std::string_view body,
                              std::string_view known_id) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  const std::string wanted = MarkedBody(marker, body, api.limits().comment_bytes);
  const std::string list = RepoPath(repo, "/issues/" + std::to_string(thread.number) + "/comments");
  SWAGE_ASSIGN_OR_RETURN(std::optional<Comment> found, FindById(api, repo, self, marker, known_id));
  if (!found) {
    SWAGE_ASSIGN_OR_RETURN(found, FindByMarker(api, list, self, marker));
  }
  if (found && SameText(found->body, wanted)) return *found;
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Write(found ? "PATCH" : "POST",
                                                        found ? CommentPath(repo, found->id) : list,
                                                        {{"body", wanted}}));
  return ReadComment(j, JsonId(j, "id"));
}

}  // namespace swage::gitea
