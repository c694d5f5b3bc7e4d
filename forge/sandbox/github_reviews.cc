// Reviews and review comments: line comments must stand on a line of the diff, or the whole review
// falls.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"
#include "forge/sandbox/github_paging.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

using PullHandler = Reply (*)(const RepoCall&, Pull&);

Handler OnPull(Needs needs, PullHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    Pull* pull = in.world.FindPull(in.repo, in.call.Number("number"));
    return pull == nullptr ? GitHubError(404, "Not Found") : handler(in, *pull);
  });
}

struct Draft {
  Position position;
  std::string body;
};

/// The commit that a review speaks of: one of the pull request's, the head by default.
Result<std::string> CommitOf(const RepoCall& in, const Pull& pull, const std::string& base) {
  const std::string asked = JsonString(in.call.body, "commit_id", pull.head_sha);
  const auto commits = CommitsBetween(in.repo.git_dir, base, pull.head_sha);
  if (asked == pull.head_sha) return asked;
  if (commits.ok()) {
    for (const CommitInfo& commit : *commits) {
      if (commit.sha == asked) return asked;
    }
  }
  return MakeError(ErrorCode::kInvalid, "commit_id is not part of the pull request");
}

std::string BaseOf(const RepoCall& in, const Pull& pull) {
  const Result<std::string> tip = ReadRef(in.repo.git_dir, "refs/heads/" + pull.base_ref);
  return pull.open && tip.ok() ? *tip : pull.base_sha;
}

const FileDiff* FindFile(const std::vector<FileDiff>& files, const std::string& path) {
  const auto it = std::find_if(files.begin(), files.end(),
                               [&](const FileDiff& file) { return file.path == path; });
  return it == files.end() ? nullptr : &*it;
}

/// The line of the old "position" parameter: the count of patch lines below the first hunk header.
void FromPatchPosition(const FileDiff& file, std::int64_t wanted, Position& position) {
  const std::vector<std::string_view> lines = Split(file.patch, '\n');
  if (wanted < 1 || wanted >= static_cast<std::int64_t>(lines.size())) return;
  const bool left = lines[static_cast<std::size_t>(wanted)].starts_with('-');
  const std::set<int>& candidates = left ? file.left_lines : file.right_lines;
  position.side = left ? "LEFT" : "RIGHT";
  for (const int line : candidates) {
    const std::string hunk = file.HunkAbove(!left, line);
    const std::size_t at = file.patch.find(hunk);
    if (hunk.empty() || at == std::string::npos) continue;
    const auto above =
        std::count(file.patch.begin(),
                   file.patch.begin() + static_cast<std::ptrdiff_t>(at + hunk.size()), '\n');
    if (above == wanted) position.line = line;
  }
}

/// Where a comment wants to stand. Errors: kNotFound (path), kInvalid (line).
Result<Position> Place(const std::vector<FileDiff>& files, const json& wanted) {
  Position position;
  position.path = JsonString(wanted, "path");
  const FileDiff* file = FindFile(files, position.path);
  if (file == nullptr) return MakeError(ErrorCode::kNotFound, "path");
  position.old_path = file->old_path;
  if (JsonString(wanted, "subject_type") == "file") {
    position.whole_file = true;
    return position;
  }
  position.side = JsonString(wanted, "side", "RIGHT");
  position.line = static_cast<int>(JsonInt(wanted, "line"));
  position.start_line = static_cast<int>(JsonInt(wanted, "start_line"));
  if (position.start_line != 0) {
    position.start_side = JsonString(wanted, "start_side", position.side);
  }
  if (position.line == 0) FromPatchPosition(*file, JsonInt(wanted, "position"), position);
  const auto shown = [&](const std::string& side, int line) {
    return (side == "LEFT" ? file->left_lines : file->right_lines).contains(line);
  };
  if (!shown(position.side, position.line)) return MakeError(ErrorCode::kInvalid, "line");
  if (position.start_line != 0 &&
      (!shown(position.start_side, position.start_line) ||
       (position.start_side == position.side && position.start_line >= position.line))) {
    return MakeError(ErrorCode::kInvalid, "start_line");
  }
  (position.side == "LEFT" ? position.old_line : position.new_line) = position.line;
  position.hunk = ToValidUtf8(file->HunkAbove(position.side != "LEFT", position.line));
  return position;
}

/// All of the comments, or the one refusal that GitHub gives without saying which comment it means.
std::variant<std::vector<Draft>, Reply> PlaceAll(const std::vector<FileDiff>& files,
                                                 const json& comments) {
  std::vector<Draft> drafts;
  for (const json& comment : comments) {
    const std::string body = JsonString(comment, "body");
    if (body.empty()) return Unprocessable({"Body can't be blank"});
    if (IsTooLong(body)) return Unprocessable({"Body is too long (maximum is 65536 characters)"});
    if (JsonString(comment, "subject_type") == "file") {  // a review takes no file comments
      return Unprocessable({"Line could not be resolved"});
    }
    Result<Position> position = Place(files, comment);
    if (!position.ok()) {
      return Unprocessable({position.error().code == ErrorCode::kNotFound
                                ? "Path could not be resolved"
                                : "Line could not be resolved"});
    }
    drafts.push_back({std::move(*position), body});
  }
  return drafts;
}

std::string StateOf(const std::string& event) {
  if (event == "APPROVE") return "APPROVED";
  if (event == "REQUEST_CHANGES") return "CHANGES_REQUESTED";
  return event == "COMMENT" ? "COMMENTED" : "PENDING";
}

/// Why the reviewer may not say this, if he may not.
std::optional<Reply> CheckEvent(const RepoCall& in, const Pull& pull, const std::string& event,
                                const std::string& body, bool has_comments) {
  if (!event.empty() && event != "APPROVE" && event != "REQUEST_CHANGES" && event != "COMMENT") {
    return Unprocessable({"Event is not included in the list"});
  }
  const bool own = pull.author == in.Actor().id;
  if (own && event == "APPROVE") return Unprocessable({"Can not approve your own pull request"});
  if (own && event == "REQUEST_CHANGES") {
    return Unprocessable({"Can not request changes on your own pull request"});
  }
  if (IsTooLong(body)) return Unprocessable({"Body is too long (maximum is 65536 characters)"});
  const bool needs_body = event == "REQUEST_CHANGES" || (event == "COMMENT" && !has_comments);
  if (needs_body && Trim(body).empty()) return Unprocessable({"Body can't be blank"});
  return std::nullopt;
}

Reply CreateReview(const RepoCall& in, Pull& pull) {
  const json& body = in.call.body;
  const std::string event = JsonString(body, "event");
  const std::string text = JsonString(body, "body");
  const json& comments = JsonAt(body, "comments");
  if (auto refused = CheckEvent(in, pull, event, text, comments.is_array() && !comments.empty())) {
    return *refused;
  }
  const std::string base = BaseOf(in, pull);
  const Result<std::string> commit = CommitOf(in, pull, base);
  if (!commit.ok()) return Unprocessable({"The commit_id is not part of the pull request"});
  const auto files = DiffOf(in.repo.git_dir, base, *commit);
  if (!files.ok()) return GitHubError(500, "Server Error");
  auto placed = PlaceAll(*files, comments.is_array() ? comments : json::array());
  if (const Reply* refused = std::get_if<Reply>(&placed)) return *refused;
  const Id review = in.world.AddReview(in.repo, in.Actor(), pull, StateOf(event), text, *commit).id;
  for (Draft& draft : std::get<std::vector<Draft>>(placed)) {
    in.world.StartDiscussion(in.repo, in.Actor(), pull, std::move(draft.position), draft.body,
                             review, *commit);
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

Review* FindReview(const RepoCall& in, Pull& pull) {
  const Id id = in.call.Number("review");
  for (Review& review : pull.reviews) {
    if (review.id == id) return &review;
  }
  return nullptr;
}

Reply GetReview(const RepoCall& in, Pull& pull) {
  const Review* review = FindReview(in, pull);
  if (review == nullptr) return GitHubError(404, "Not Found");
  return Reply::Json(200, in.objects.ReviewObject(in.repo, pull, *review));
}

Reply EditReview(const RepoCall& in, Pull& pull) {
  Review* review = FindReview(in, pull);
  if (review == nullptr) return GitHubError(404, "Not Found");
  const std::string body = JsonString(in.call.body, "body");
  if (review->author != in.Actor().id) return GitHubError(403, "Forbidden");
  if (Trim(body).empty() || IsTooLong(body)) return Unprocessable({"Body can't be blank"});
  review->body = body;
  return Reply::Json(200, in.objects.ReviewObject(in.repo, pull, *review));
}

Reply SubmitReview(const RepoCall& in, Pull& pull) {
  Review* review = FindReview(in, pull);
  if (review == nullptr || review->state != "PENDING" || review->author != in.Actor().id) {
    return GitHubError(404, "Not Found");
  }
  const std::string event = JsonString(in.call.body, "event");
  const std::string body = JsonString(in.call.body, "body", review->body);
  if (event.empty()) return Unprocessable({"Event can't be blank"});
  if (auto refused = CheckEvent(in, pull, event, body, true)) return *refused;
  in.world.SubmitReview(in.repo, in.Actor(), pull, *review, StateOf(event), body);
  return Reply::Json(200, in.objects.ReviewObject(in.repo, pull, *review));
}

// --- review comments ---

struct Spot {
  const Discussion* discussion;
  const DiffNote* note;
};

Reply ListSpots(const RepoCall& in, const Pull& pull, Id review) {
  std::vector<Spot> spots;
  for (const Discussion& discussion : pull.discussions) {
    for (const DiffNote& note : discussion.notes) {
      if (discussion.position && (review == 0 || note.review == review)) {
        spots.push_back({&discussion, &note});
      }
    }
  }
  std::sort(spots.begin(), spots.end(),
            [](const Spot& a, const Spot& b) { return a.note->id < b.note->id; });
  return Paged(in.call, spots, [&](const Spot& spot) {
    return in.objects.ReviewComment(in.repo, pull, *spot.discussion, *spot.note);
  });
}

Reply ListComments(const RepoCall& in, Pull& pull) {
  return ListSpots(in, pull, 0);
}

Reply ListReviewComments(const RepoCall& in, Pull& pull) {
  const Review* review = FindReview(in, pull);
  return review == nullptr ? GitHubError(404, "Not Found") : ListSpots(in, pull, review->id);
}

Reply ReplyTo(const RepoCall& in, Pull& pull, Id to, const std::string& body) {
  const World::DiffNoteAt at = in.world.FindDiffNote(in.repo, to);
  if (at.note == nullptr || at.pull != &pull) return GitHubError(404, "Not Found");
  const Id review =
      in.world.AddReview(in.repo, in.Actor(), pull, "COMMENTED", "", pull.head_sha).id;
  const DiffNote& note =
      in.world.ReplyToDiscussion(in.repo, in.Actor(), pull, *at.discussion, body, review);
  return Reply::Json(201, in.objects.ReviewComment(in.repo, pull, *at.discussion, note));
}

Reply CreateComment(const RepoCall& in, Pull& pull) {
  const json& wanted = in.call.body;
  const std::string resource = "PullRequestReviewComment";
  const std::string body = JsonString(wanted, "body");
  if (Trim(body).empty()) return ValidationFailed(resource, "missing_field", "body");
  if (IsTooLong(body)) return BodyTooLong(resource);
  if (const Id to = JsonInt(wanted, "in_reply_to"); to != 0) return ReplyTo(in, pull, to, body);
  if (JsonString(wanted, "commit_id").empty()) {
    return ValidationFailed(resource, "missing_field", "commit_id");
  }
  const std::string base = BaseOf(in, pull);
  const Result<std::string> commit = CommitOf(in, pull, base);
  if (!commit.ok()) return ValidationFailed(resource, "invalid", "commit_id");
  const auto files = DiffOf(in.repo.git_dir, base, *commit);
  if (!files.ok()) return GitHubError(500, "Server Error");
  Result<Position> position = Place(*files, wanted);
  if (!position.ok()) {
    const std::string field = "pull_request_review_thread." + position.error().message;
    return ValidationFailed(resource, "custom", field,
                            position.error().code == ErrorCode::kNotFound
                                ? field + " is missing from the diff"
                                : field + " must be part of the diff");
  }
  // GitHub wraps a single comment in a review of its own.
  const Id review = in.world.AddReview(in.repo, in.Actor(), pull, "COMMENTED", "", *commit).id;
  const Discussion& discussion = in.world.StartDiscussion(
      in.repo, in.Actor(), pull, std::move(*position), body, review, *commit);
  return Reply::Json(201,
                     in.objects.ReviewComment(in.repo, pull, discussion, discussion.notes.front()));
}

Reply CreateReply(const RepoCall& in, Pull& pull) {
  const std::string body = JsonString(in.call.body, "body");
  if (Trim(body).empty()) {
    return ValidationFailed("PullRequestReviewComment", "missing_field", "body");
  }
  if (IsTooLong(body)) return BodyTooLong("PullRequestReviewComment");
  return ReplyTo(in, pull, in.call.Number("comment"), body);
}

using SpotHandler = Reply (*)(const RepoCall&, const World::DiffNoteAt&);

Handler OnSpot(Needs needs, SpotHandler handler) {
  return InRepo(needs, [handler](const RepoCall& in) {
    const World::DiffNoteAt at = in.world.FindDiffNote(in.repo, in.call.Number("comment"));
    return at.note == nullptr ? GitHubError(404, "Not Found") : handler(in, at);
  });
}

Reply GetSpot(const RepoCall& in, const World::DiffNoteAt& at) {
  return Reply::Json(200, in.objects.ReviewComment(in.repo, *at.pull, *at.discussion, *at.note));
}

Reply EditSpot(const RepoCall& in, const World::DiffNoteAt& at) {
  if (in.role < Role::kWrite && at.note->author != in.Actor().id) {
    return GitHubError(403, "Forbidden");
  }
  const std::string body = JsonString(in.call.body, "body");
  if (Trim(body).empty()) {
    return ValidationFailed("PullRequestReviewComment", "missing_field", "body");
  }
  if (IsTooLong(body)) return BodyTooLong("PullRequestReviewComment");
  at.note->body = body;
  at.note->updated_at = in.world.Now();
  return GetSpot(in, at);
}

Reply DeleteSpot(const RepoCall& in, const World::DiffNoteAt& at) {
  if (in.role < Role::kWrite && at.note->author != in.Actor().id) {
    return GitHubError(403, "Forbidden");
  }
  in.world.DeleteDiffNote(*at.pull, at.note->id);
  return Reply::Empty(204);
}

}  // namespace

void MountReviews(Router& router) {
  const std::string repo = "/repos/{owner}/{repo}";
  const std::string pull = repo + "/pulls/{number}";
  const std::string spot = repo + "/pulls/comments/{comment}";
  router.Add("GET", spot, OnSpot(Needs::kSight, GetSpot));
  router.Add("PATCH", spot, OnSpot(Needs::kUser, EditSpot));
  router.Add("DELETE", spot, OnSpot(Needs::kUser, DeleteSpot));
  router.Add("GET", pull + "/reviews", OnPull(Needs::kSight, ListReviews));
  router.Add("POST", pull + "/reviews", OnPull(Needs::kUser, CreateReview));
  router.Add("GET", pull + "/reviews/{review}", OnPull(Needs::kSight, GetReview));
  router.Add("PUT", pull + "/reviews/{review}", OnPull(Needs::kUser, EditReview));
  router.Add("GET", pull + "/reviews/{review}/comments", OnPull(Needs::kSight, ListReviewComments));
  router.Add("POST", pull + "/reviews/{review}/events", OnPull(Needs::kUser, SubmitReview));
  router.Add("GET", pull + "/comments", OnPull(Needs::kSight, ListComments));
  router.Add("POST", pull + "/comments", OnPull(Needs::kUser, CreateComment));
  router.Add("POST", pull + "/comments/{comment}/replies", OnPull(Needs::kUser, CreateReply));
}

}  // namespace swage::sandbox
