// What people say in reviews, and the bot's answers in their threads.
//
// GitLab keeps no reviews: it knows which reviewer asks for changes, and the threads. What a
// reviewer says at once is taken to be all that the bot has not answered yet: the threads where the
// reviewer has the last word, and the plain notes below the bot's last one.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitlab/api.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

std::string MergeRequestPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return ThreadPath(repo, {ThreadKind::kPullRequest, number}, rest);
}

Result<std::vector<json>> ReadDiscussions(Api& api, const RepoRef& repo, std::int64_t number) {
  std::vector<json> discussions;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(MergeRequestPath(repo, number, "/discussions"), [&](const json& j) {
        const json& notes = JsonAt(j, "notes");
        const bool usable = notes.is_array() && !notes.empty() && !JsonBool(notes[0], "system");
        if (usable) discussions.push_back(j);
        return true;
      }));
  return discussions;
}

// Who asks for changes now.
Result<std::vector<Actor>> FindRejecting(Api& api, const RepoRef& repo, std::int64_t number) {
  std::vector<Actor> rejecting;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(MergeRequestPath(repo, number, "/reviewers"), [&](const json& j) {
        if (JsonString(j, "state") == "requested_changes") {
          rejecting.push_back(ReadUser(JsonAt(j, "user")));
        }
        return true;
      }));
  return rejecting;
}

bool IsBy(const json& note, const Actor& actor) {
  return JsonId(note, "author/id") == actor.id;
}

/// Gathers what one reviewer says.
class Gatherer {
 public:
  Gatherer(const Actor& reviewer, const Actor& self) : reviewer_(reviewer), self_(self) {}

  Review Gather(const std::vector<json>& discussions) {
    for (const json& discussion : discussions) {
      if (!JsonBool(discussion, "individual_note")) continue;
      const json& note = discussion["notes"][0];
      if (IsBy(note, self_)) answered_ = std::max(answered_, JsonInt(note, "id"));
    }
    for (const json& discussion : discussions) {
      if (JsonBool(discussion, "individual_note")) {
        TakePlain(discussion["notes"][0]);
      } else {
        TakeThread(discussion);
      }
    }
    review_.id = std::to_string(newest_);
    review_.text.author = reviewer_;
    return std::move(review_);
  }

 private:
  void Note(const json& note) {
    newest_ = std::max(newest_, JsonInt(note, "id"));
    review_.at = std::max(review_.at, JsonTime(note, "created_at"));
  }

  void TakePlain(const json& note) {
    if (!IsBy(note, reviewer_) || JsonInt(note, "id") <= answered_) return;
    Note(note);
    review_.text.id = JsonId(note, "id");
    if (!review_.text.body.empty()) review_.text.body += "\n\n";
    review_.text.body += JsonString(note, "body");
  }

  void TakeThread(const json& discussion) {
    const json& notes = discussion["notes"];
    const json& last = notes.back();
    if (JsonBool(notes[0], "resolved") || !IsBy(last, reviewer_)) return;
    const std::string id = JsonString(discussion, "id");
    std::size_t first = notes.size();
    while (first > 0 && !IsBy(notes[first - 1], self_)) --first;
    for (; first < notes.size(); ++first) {
      if (!IsBy(notes[first], reviewer_)) continue;
      Note(notes[first]);
      review_.comments.push_back(ReadNote(notes[first], ""));
      DiffPlace place = ReadPlace(JsonAt(notes[0], "position"), id).value_or(DiffPlace{});
      place.thread_id = id;
      review_.comments.back().place = std::move(place);
    }
  }

  const Actor& reviewer_;
  const Actor& self_;
  std::int64_t answered_ = 0;  ///< the bot's last plain note
  std::int64_t newest_ = 0;
  Review review_;
};

}  // namespace

std::optional<DiffPlace> ReadPlace(const json& position, std::string discussion) {
  if (!position.is_object()) return std::nullopt;
  DiffPlace place;
  place.thread_id = std::move(discussion);
  place.old_side = JsonInt(position, "new_line") <= 0 && JsonInt(position, "old_line") > 0;
  const std::string side = place.old_side ? "old" : "new";
  place.path = JsonString(position, side + "_path");
  place.last_line = static_cast<int>(JsonInt(position, side + "_line"));
  const std::int64_t start = JsonInt(position, "line_range/start/" + side + "_line");
  place.first_line = start > 0 ? static_cast<int>(start) : place.last_line;
  place.commit.value = JsonString(position, "head_sha");
  return place;
}

Result<Review> GetReview(Api& api, const ReviewSubmitted& e) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  SWAGE_ASSIGN_OR_RETURN(const auto rejecting, FindRejecting(api, e.repo, e.number));
  SWAGE_ASSIGN_OR_RETURN(const auto discussions, ReadDiscussions(api, e.repo, e.number));
  Review review = Gatherer(e.actor, self).Gather(discussions);
  review.asks_for_changes = std::ranges::any_of(
      rejecting, [&](const Actor& reviewer) { return reviewer.id == e.actor.id; });
  return review;
}

Result<std::vector<Review>> ListReviews(Api& api, const RepoRef& repo, std::int64_t number) {
  std::vector<Review> reviews;
  SWAGE_ASSIGN_OR_RETURN(const auto rejecting, FindRejecting(api, repo, number));
  if (rejecting.empty()) return reviews;
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  SWAGE_ASSIGN_OR_RETURN(const auto discussions, ReadDiscussions(api, repo, number));
  for (const Actor& reviewer : rejecting) {
    reviews.push_back(Gatherer(reviewer, self).Gather(discussions));
    reviews.back().asks_for_changes = true;
  }
  return reviews;
}

Result<std::optional<DiffPlace>> FindPlace(Api& api, const RepoRef& repo, std::int64_t number,
                                           const Comment& comment) {
  if (!comment.place || !comment.place->thread_id.empty()) return comment.place;
  SWAGE_ASSIGN_OR_RETURN(const auto discussions, ReadDiscussions(api, repo, number));
  DiffPlace place = *comment.place;
  for (const json& discussion : discussions) {
    for (const json& note : discussion["notes"]) {
      if (JsonId(note, "id") == comment.id) place.thread_id = JsonString(discussion, "id");
    }
  }
  if (place.thread_id.empty()) return std::optional<DiffPlace>();
  return std::optional(std::move(place));
}

Result<void> EnsureReplies(Api& api, const RepoRef& repo, std::int64_t number,
                           const std::vector<ThreadReply>& replies) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  SWAGE_ASSIGN_OR_RETURN(const auto discussions, ReadDiscussions(api, repo, number));
  std::set<std::string> there;  // markers
  for (const json& discussion : discussions) {
    for (const json& note : discussion["notes"]) {
      const std::string body = IsBy(note, self) ? JsonString(note, "body") : "";
      for (const ThreadReply& reply : replies) {
        if (body.find(reply.marker) != std::string::npos) there.insert(reply.marker);
      }
    }
  }
  for (const ThreadReply& reply : replies) {
    if (there.contains(reply.marker)) continue;
    const std::string notes = MergeRequestPath(
        repo, number, "/discussions/" + PercentEncode(reply.place.thread_id) + "/notes");
    const auto posted = api.rest().Write(
        "POST", notes,
        {{"body", MarkedBody(reply.marker, reply.body, api.limits().comment_bytes)}});
    if (!posted.ok() && posted.error().code != ErrorCode::kNotFound) return posted.error();
  }
  return Ok();
}

}  // namespace swage::gitlab
