#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/github/api.h"
#include "forge/github/webhook.h"

namespace swage::github {
namespace {

using nlohmann::json;

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

std::string_view ReactionConstant(Reaction reaction) {
  switch (reaction) {
    case Reaction::kEyes:
      return "EYES";
    case Reaction::kRocket:
      return "ROCKET";
    case Reaction::kThumbsUp:
      return "THUMBS_UP";
    case Reaction::kThumbsDown:
      return "THUMBS_DOWN";
    case Reaction::kConfused:
      return "CONFUSED";
  }
  return "EYES";
}

// The text of a review takes reactions only through GraphQL.
Result<void> ReactToReview(Api& api, const RepoRef& repo, std::string_view node_id,
                           Reaction reaction) {
  constexpr std::string_view kMutation =
      "mutation($id:ID!,$content:ReactionContent!){"
      "addReaction(input:{subjectId:$id,content:$content}){clientMutationId}}";
  SWAGE_RETURN_IF_ERROR(
      api.GraphQl(repo, kMutation, {{"id", node_id}, {"content", ReactionConstant(reaction)}}));
  return Ok();
}

std::string ReactionPath(const RepoRef& repo, const Thread& thread, std::string_view comment_id) {
  if (comment_id.empty()) {
    return RepoPath(repo, "/issues/" + std::to_string(thread.number) + "/reactions");
  }
  if (comment_id.starts_with(kReviewCommentPrefix)) {
    const auto id = PercentEncode(comment_id.substr(kReviewCommentPrefix.size()));
    return RepoPath(repo, "/pulls/comments/" + id + "/reactions");
  }
  return RepoPath(repo, "/issues/comments/" + PercentEncode(comment_id) + "/reactions");
}

bool IsOurs(const json& comment, const Actor& self, std::string_view marker) {
  return JsonId(comment, "user/id") == self.id &&
         JsonString(comment, "body").find(marker) != std::string::npos;
}

Result<std::optional<Comment>> FindById(Api& api, const RepoRef& repo, const Actor& self,
                                        std::string_view marker, std::string_view id) {
  if (!ParseInt(id)) return std::optional<Comment>();
  auto j = api.rest().Get(RepoPath(repo, "/issues/comments/" + std::string(id)));
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return std::optional<Comment>();
  if (!j.ok()) return j.error();
  if (!IsOurs(*j, self, marker)) return std::optional<Comment>();
  return std::optional(ReadComment(*j, std::string(id)));
}

// Somebody else's comment with our marker is a copy: not ours to edit.
Result<std::optional<Comment>> FindByMarker(Api& api, const RepoRef& repo, const Actor& self,
                                            const Thread& thread, std::string_view marker) {
  std::optional<Comment> found;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(RepoPath(repo, "/issues/" + std::to_string(thread.number) + "/comments"),
                         [&](const json& comment) {
                           if (IsOurs(comment, self, marker))
                             found = ReadComment(comment, JsonId(comment, "id"));
                           return !found.has_value();
                         }));
  return found;
}

}  // namespace

Result<void> EnsureReaction(Api& api, const RepoRef& repo, const Thread& thread,
                            std::string_view comment_id, Reaction reaction) {
  if (comment_id.starts_with(kReviewPrefix)) {
    return ReactToReview(api, repo, comment_id.substr(kReviewPrefix.size()), reaction);
  }
  // 201 added, 200 was there: the forge itself is idempotent.
  SWAGE_RETURN_IF_ERROR(api.rest().Write("POST", ReactionPath(repo, thread, comment_id),
                                         {{"content", ReactionName(reaction)}}));
  return Ok();
}

Result<Comment> EnsureComment(Api& api, const RepoRef& repo, const Thread& thread,
                              std::string_view marker, std::string_view body,
                              std::string_view known_id) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  const std::string wanted = MarkedBody(marker, body, api.limits().comment_bytes);
  SWAGE_ASSIGN_OR_RETURN(std::optional<Comment> found, FindById(api, repo, self, marker, known_id));
  if (!found) {
    SWAGE_ASSIGN_OR_RETURN(found, FindByMarker(api, repo, self, thread, marker));
  }
  if (found && SameText(found->body, wanted)) return *found;
  const std::string path =
      found ? RepoPath(repo, "/issues/comments/" + found->id)
            : RepoPath(repo, "/issues/" + std::to_string(thread.number) + "/comments");
  SWAGE_ASSIGN_OR_RETURN(const json j,
                         api.rest().Write(found ? "PATCH" : "POST", path, {{"body", wanted}}));
  return ReadComment(j, JsonId(j, "id"));
}

}  // namespace swage::github
