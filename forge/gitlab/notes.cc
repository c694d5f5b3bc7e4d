#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitlab/api.h"
#include "forge/rest_reply.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

std::string_view EmojiName(Reaction reaction) {
  switch (reaction) {
    case Reaction::kEyes:
      return "eyes";
    case Reaction::kRocket:
      return "rocket";
    case Reaction::kThumbsUp:
      return "thumbsup";
    case Reaction::kThumbsDown:
      return "thumbsdown";
    case Reaction::kConfused:
      return "confused";
  }
  return "eyes";
}

bool IsOurs(const json& note, const Actor& self, std::string_view marker) {
  return JsonId(note, "author/id") == self.id && !JsonBool(note, "system") &&
         JsonString(note, "body").find(marker) != std::string::npos;
}

Result<std::optional<Comment>> FindById(Api& api, const std::string& notes, const Actor& self,
                                        std::string_view marker, std::string_view id) {
  if (!ParseInt(id)) return std::optional<Comment>();
  auto j = api.rest().Get(notes + "/" + std::string(id));
  if (!j.ok() && j.error().code == ErrorCode::kNotFound) return std::optional<Comment>();
  if (!j.ok()) return j.error();
  if (!IsOurs(*j, self, marker)) return std::optional<Comment>();
  return std::optional(ReadNote(*j, ""));
}

Result<std::optional<Comment>> FindByMarker(Api& api, const std::string& notes, const Actor& self,
                                            std::string_view marker) {
  std::optional<Comment> found;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(notes + "?sort=asc&order_by=created_at", [&](const json& note) {
        if (IsOurs(note, self, marker)) found = ReadNote(note, "");
        return !found.has_value();
      }));
  return found;
}

// A link is a nicety: without the page it is left out.
std::string ThreadUrl(Api& api, const RepoRef& repo, const Thread& thread) {
  const auto j = api.rest().Get(ThreadPath(repo, thread, ""));
  return j.ok() ? JsonString(*j, "web_url") : "";
}

}  // namespace

Result<void> EnsureReaction(Api& api, const RepoRef& repo, const Thread& thread,
                            std::string_view comment_id, Reaction reaction) {
  const std::string on = comment_id.empty() ? "" : "/notes/" + PercentEncode(comment_id);
  const HttpRequest request{"POST", ThreadPath(repo, thread, on + "/award_emoji"),
                            DumpJson({{"name", EmojiName(reaction)}}), false};
  SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api.rest().Exchange(request));
  if (reply.ok()) return Ok();
  // "404 Award Emoji Name has already been taken Not Found"
  if (RefusalText(reply.body).find("already been taken") != std::string::npos) return Ok();
  return StatusError(request, reply.status, reply.body);
}

Result<Comment> EnsureComment(Api& api, const RepoRef& repo, const Thread& thread,
                              std::string_view marker, std::string_view body,
                              std::string_view known_id) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  const std::string wanted = MarkedBody(marker, body, api.limits().comment_bytes);
  const std::string notes = ThreadPath(repo, thread, "/notes");
  SWAGE_ASSIGN_OR_RETURN(std::optional<Comment> found,
                         FindById(api, notes, self, marker, known_id));
  if (!found) {
    SWAGE_ASSIGN_OR_RETURN(found, FindByMarker(api, notes, self, marker));
  }
  if (found && SameText(found->body, wanted)) return *found;
  if (found) {
    SWAGE_ASSIGN_OR_RETURN(const json j,
                           api.rest().Write("PUT", notes + "/" + found->id, {{"body", wanted}}));
    return ReadNote(j, "");
  }
  SWAGE_ASSIGN_OR_RETURN(const json j, api.rest().Write("POST", notes, {{"body", wanted}}));
  return ReadNote(j, ThreadUrl(api, repo, thread));
}

}  // namespace swage::gitlab
