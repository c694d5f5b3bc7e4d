#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/github/api.h"
#include "forge/github/review_state.h"
#include "forge/patch_lines.h"
#include "forge/rest_reply.h"

namespace swage::github {
namespace {

using nlohmann::json;

using DiffFiles = std::map<std::string, std::map<int, PatchLine>>;
using Comments = std::vector<const LineComment*>;

std::string PullPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return RepoPath(repo, "/pulls/" + std::to_string(number) + std::string(rest));
}

// Files without a patch (binary, too large) are in the diff, but no line of theirs is.
Result<DiffFiles> ReadDiff(Api& api, const RepoRef& repo, std::int64_t number) {
  DiffFiles files;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(PullPath(repo, number, "/files"), [&](const json& file) {
    files[JsonString(file, "filename")] = HeadLines(JsonString(file, "patch"));
    return true;
  }));
  return files;
}

// Where each remark may go; what is said already goes nowhere.
struct Plan {
  Comments lines;
  Comments files;
  Comments body;
};

Plan MakePlan(const ReviewDraft& review, const ReviewState& state, const DiffFiles& diff) {
  Plan plan;
  for (const LineComment& comment : review.comments) {
    const std::string marker = FindingMarker(comment.fingerprint);
    const auto posted = state.remarks.find(marker);
    const bool said =
        (posted != state.remarks.end() && posted->second.open) || state.in_bodies.contains(marker);
    const auto file = diff.find(comment.path);
    if (said) continue;
    if (file == diff.end()) {
      plan.body.push_back(&comment);
    } else if (file->second.contains(comment.line)) {
      plan.lines.push_back(&comment);
    } else {
      plan.files.push_back(&comment);
    }
  }
  return plan;
}

class Reviewer {
 public:
  Reviewer(Api& api, const RepoRef& repo, std::int64_t number, const ReviewDraft& review)
      : api_(api), repo_(repo), number_(number), review_(review) {}

  // File comments come first and each on its own; the review with the marker is last, so its
  // presence says that everything was written.
  Result<void> Post(Plan plan) {
    SWAGE_RETURN_IF_ERROR(PostFileComments(plan.files, plan.body));
    SWAGE_ASSIGN_OR_RETURN(bool accepted, PostReview(plan.lines, plan.body));
    if (accepted) return Ok();
    // One bad line refuses the whole review and is not named: none of them stays a line.
    SWAGE_RETURN_IF_ERROR(PostFileComments(plan.lines, plan.body));
    SWAGE_ASSIGN_OR_RETURN(accepted, PostReview({}, plan.body));
    if (accepted) return Ok();
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("the forge refuses the review of #{} without any line", number_));
  }

  /// Id and address, after Post().
  const PostedReview& posted() const { return posted_; }

 private:
  Result<void> PostFileComments(const Comments& comments, Comments& refused) {
    for (const LineComment* comment : comments) {
      const HttpRequest request{"POST", PullPath(repo_, number_, "/comments"),
                                DumpJson({{"commit_id", review_.head_sha.value},
                                          {"path", comment->path},
                                          {"subject_type", "file"},
                                          {"body", BodyOf(*comment)}}),
                                false};
      SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api_.rest().Exchange(request));
      if (reply.status == 422) {
        refused.push_back(comment);
      } else if (!reply.ok()) {
        return StatusError(request, reply.status, reply.body);
      }
    }
    return Ok();
  }

  // False: refused with lines in it.
  Result<bool> PostReview(const Comments& lines, const Comments& unplaced) {
    json comments = json::array();
    for (const LineComment* comment : lines) {
      comments.push_back({{"path", comment->path},
                          {"line", comment->line},
                          {"side", "RIGHT"},
                          {"body", BodyOf(*comment)}});
    }
    const std::string body = WithUnplaced(review_.body, unplaced);
    // A bot that opened the pull request may only comment.
    const HttpRequest request{
        "POST", PullPath(repo_, number_, "/reviews"),
        DumpJson({{"commit_id", review_.head_sha.value},
                  {"event", "COMMENT"},
                  {"body", MarkedBody(review_.marker, body, api_.limits().comment_bytes)},
                  {"comments", comments}}),
        false};
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api_.rest().Exchange(request));
    if (reply.ok()) {
      posted_ = {JsonId(reply.body, "id"), JsonString(reply.body, "html_url"), {}};
      return true;
    }
    if (reply.status == 422 && !lines.empty()) return false;
    return StatusError(request, reply.status, reply.body);
  }

  std::string BodyOf(const LineComment& comment) const {
    return FindingBody(comment, api_.limits().comment_bytes);
  }

  Api& api_;
  const RepoRef& repo_;
  const std::int64_t number_;
  const ReviewDraft& review_;
  PostedReview posted_;
};

PostedReview Report(const ReviewDraft& review, const ReviewState& before,
                    const ReviewState& after) {
  PostedReview posted{after.review_id, after.review_url, {}};
  for (const LineComment& comment : review.comments) {
    const std::string marker = FindingMarker(comment.fingerprint);
    const auto remark = after.remarks.find(marker);
    const auto old = before.remarks.find(marker);
    const bool in_remark = remark != after.remarks.end() && remark->second.open;
    const bool was_there =
        (old != before.remarks.end() && old->second.open) || before.in_bodies.contains(marker);
    posted.comments.push_back({comment.fingerprint, in_remark ? remark->second.ThreadId() : "",
                               was_there   ? CommentPlace::kAlreadyThere
                               : in_remark ? remark->second.place
                                           : CommentPlace::kBody});
  }
  return posted;
}

// Where a thread cannot be resolved, its first comment says so.
Result<void> MarkAsGone(Api& api, const RepoRef& repo, std::string_view comment_id,
                        std::string_view note) {
  const std::string path = RepoPath(repo, "/pulls/comments/" + PercentEncode(comment_id));
  SWAGE_ASSIGN_OR_RETURN(const json comment, api.rest().Get(path));
  const std::string body = JsonString(comment, "body");
  if (body.find(GoneMarker()) != std::string::npos) return Ok();
  const std::string marked = GoneMarker() + "\n" + std::string(note) + "\n\n" + body;
  SWAGE_RETURN_IF_ERROR(
      api.rest().Write("PATCH", path, {{"body", FitBody(marked, api.limits().comment_bytes)}}));
  return Ok();
}

}  // namespace

Result<PostedReview> EnsureReview(Api& api, const RepoRef& repo, std::int64_t number,
                                  const ReviewDraft& review) {
  SWAGE_ASSIGN_OR_RETURN(const ReviewState before,
                         ReadReviewState(api, repo, number, review.marker));
  if (!before.review_id.empty()) return Report(review, {}, before);
  DiffFiles diff;
  if (!review.comments.empty()) {
    SWAGE_ASSIGN_OR_RETURN(diff, ReadDiff(api, repo, number));
  }
  Reviewer reviewer(api, repo, number, review);
  SWAGE_RETURN_IF_ERROR(reviewer.Post(MakePlan(review, before, diff)));
  SWAGE_ASSIGN_OR_RETURN(ReviewState after, ReadReviewState(api, repo, number, review.marker));
  // A list that lags must not make the caller post it again.
  after.review_id = reviewer.posted().id;
  after.review_url = reviewer.posted().web_url;
  return Report(review, before, after);
}

Result<void> ResolveThread(Api& api, const RepoRef& repo, std::int64_t, std::string_view thread_id,
                           std::string_view note) {
  constexpr std::string_view kMutation =
      "mutation($id:ID!){resolveReviewThread(input:{threadId:$id}){thread{isResolved}}}";
  const std::size_t colon = thread_id.find(':');
  if (colon != std::string_view::npos) {
    const auto done = api.GraphQl(repo, kMutation, {{"id", thread_id.substr(colon + 1)}});
    if (done.ok()) return Ok();
    const bool refused =
        done.error().code == ErrorCode::kDenied || done.error().code == ErrorCode::kInvalid;
    if (!refused) return done.error();
  }
  return MarkAsGone(api, repo, thread_id.substr(0, colon), note);
}

}  // namespace swage::github
