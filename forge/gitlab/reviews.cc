// A review on GitLab is a thread per line and one note for the summary. The note comes last: its
// presence says that everything was written.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "forge/gitlab/api.h"
#include "forge/patch_lines.h"
#include "forge/rest_reply.h"

namespace swage::gitlab {
namespace {

using nlohmann::json;

// The diff of a merge request is computed in the background, some seconds after it was made or
// pushed.
constexpr int kVersionAttempts = 8;
constexpr std::chrono::milliseconds kVersionWait{500};

struct PostedRemark {
  std::string discussion;
  bool open = true;
  CommentPlace place = CommentPlace::kLine;
};

struct ReviewState {
  std::string note_id;                          // the summary with the marker; empty = none
  std::map<std::string, PostedRemark> remarks;  // by finding marker; an open one wins
};

struct DiffFile {
  std::string old_path;
  std::map<int, PatchLine> lines;
};

struct Version {
  json refs;  // base_sha, start_sha, head_sha
  std::map<std::string, DiffFile> files;
};

std::string MergeRequestPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return ThreadPath(repo, {ThreadKind::kPullRequest, number}, rest);
}

CommentPlace PlaceOf(const json& note) {
  const json& position = JsonAt(note, "position");
  if (!position.is_object()) return CommentPlace::kBody;
  return JsonString(position, "position_type") == "file" ? CommentPlace::kFile
                                                         : CommentPlace::kLine;
}

void NoteDiscussion(const json& discussion, const json& note, std::string_view marker,
                    ReviewState& state) {
  const std::string body = JsonString(note, "body");
  if (body.find(marker) != std::string::npos) state.note_id = JsonId(note, "id");
  PostedRemark remark{JsonString(discussion, "id"), true, PlaceOf(note)};
  remark.open = !JsonBool(note, "resolved") && body.find(GoneMarker()) == std::string::npos;
  for (const std::string& finding : FindingMarkersIn(body)) {
    const auto it = state.remarks.find(finding);
    if (it == state.remarks.end() || !it->second.open) state.remarks[finding] = remark;
  }
}

Result<ReviewState> ReadReviewState(Api& api, const RepoRef& repo, std::int64_t number,
                                    std::string_view marker) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  ReviewState state;
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(
      MergeRequestPath(repo, number, "/discussions"), [&](const json& discussion) {
        const json& notes = JsonAt(discussion, "notes");
        const bool usable = notes.is_array() && !notes.empty();
        if (usable && JsonId(notes[0], "author/id") == self.id && !JsonBool(notes[0], "system")) {
          NoteDiscussion(discussion, notes[0], marker, state);
        }
        return true;
      }));
  return state;
}

// The newest version when it is of `head`; it names the three commits that positions need.
Result<std::optional<json>> NewestVersion(Api& api, const RepoRef& repo, std::int64_t number,
                                          const CommitSha& head) {
  SWAGE_ASSIGN_OR_RETURN(const json versions,
                         api.rest().Get(MergeRequestPath(repo, number, "/versions")));
  if (!versions.is_array() || versions.empty()) return std::optional<json>();
  const bool ready = JsonString(versions[0], "head_commit_sha") == head.value &&
                     !JsonString(versions[0], "base_commit_sha").empty();
  return ready ? std::optional(versions[0]) : std::optional<json>();
}

// Nothing when the forge never shows a diff of `head`: somebody pushed, or it is too large.
Result<std::optional<Version>> ReadVersion(Api& api, const RepoRef& repo, std::int64_t number,
                                           const CommitSha& head) {
  std::optional<json> newest;
  for (int attempt = 1; !newest && attempt <= kVersionAttempts; ++attempt) {
    if (attempt > 1) api.rest().Sleep(kVersionWait);
    SWAGE_ASSIGN_OR_RETURN(newest, NewestVersion(api, repo, number, head));
  }
  if (!newest) return std::optional<Version>();
  Version version;
  version.refs = {{"base_sha", JsonString(*newest, "base_commit_sha")},
                  {"start_sha", JsonString(*newest, "start_commit_sha")},
                  {"head_sha", JsonString(*newest, "head_commit_sha")}};
  SWAGE_RETURN_IF_ERROR(api.rest().ForEach(MergeRequestPath(repo, number, "/diffs"), [&](const json&
                                                                                             diff) {
    const std::string path = JsonString(diff, "new_path");
    version.files[path] = {JsonString(diff, "old_path", path), HeadLines(JsonString(diff, "diff"))};
    return true;
  }));
  return std::optional(std::move(version));
}

json Position(const Version& version, const LineComment& comment, const DiffFile& file,
              bool whole_file) {
  json position = version.refs;
  position["position_type"] = whole_file ? "file" : "text";
  // Both paths always, or a renamed file's comment is refused.
  position["old_path"] = file.old_path;
  position["new_path"] = comment.path;
  if (whole_file) return position;
  position["new_line"] = comment.line;
  // An unchanged line is named by both numbers, an added one by its new number alone.
  const PatchLine line = file.lines.at(comment.line);
  if (line.old_line > 0) position["old_line"] = line.old_line;
  return position;
}

class Reviewer {
 public:
  Reviewer(Api& api, const RepoRef& repo, std::int64_t number)
      : api_(api), repo_(repo), number_(number) {}

  /// A thread at the comment's line, else at its file. False: the forge takes neither.
  Result<bool> PostRemark(const LineComment& comment, const Version& version) {
    const auto it = version.files.find(comment.path);
    if (it == version.files.end()) return false;
    if (it->second.lines.contains(comment.line)) {
      SWAGE_ASSIGN_OR_RETURN(const bool taken,
                             PostThread(comment, Position(version, comment, it->second, false)));
      if (taken) return true;
    }
    return PostThread(comment, Position(version, comment, it->second, true));
  }

  Result<std::string> PostSummary(const ReviewDraft& review,
                                  const std::vector<const LineComment*>& unplaced) {
    const std::string body =
        MarkedBody(review.marker, WithUnplaced(review.body, unplaced), api_.limits().comment_bytes);
    SWAGE_ASSIGN_OR_RETURN(
        const json note,
        api_.rest().Write("POST", MergeRequestPath(repo_, number_, "/notes"), {{"body", body}}));
    return JsonId(note, "id");
  }

 private:
  Result<bool> PostThread(const LineComment& comment, const json& position) {
    const HttpRequest request{"POST", MergeRequestPath(repo_, number_, "/discussions"),
                              DumpJson({{"body", FindingBody(comment, api_.limits().comment_bytes)},
                                        {"position", position}}),
                              false};
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply, api_.rest().Exchange(request));
    if (reply.ok()) return true;
    // The position is what this call can get wrong.
    if (reply.status == 400 || reply.status == 422) return false;
    return StatusError(request, reply.status, reply.body);
  }

  Api& api_;
  const RepoRef& repo_;
  const std::int64_t number_;
};

bool IsOpen(const ReviewState& state, const std::string& marker) {
  const auto it = state.remarks.find(marker);
  return it != state.remarks.end() && it->second.open;
}

PostedReview Report(const ReviewDraft& review, const ReviewState& before, const ReviewState& after,
                    const std::string& url) {
  PostedReview posted{after.note_id, url.empty() ? "" : url + "#note_" + after.note_id, {}};
  for (const LineComment& comment : review.comments) {
    const std::string marker = FindingMarker(comment.fingerprint);
    PostedComment place{comment.fingerprint, "", CommentPlace::kBody};
    if (IsOpen(after, marker)) {
      const PostedRemark& remark = after.remarks.at(marker);
      place.place = IsOpen(before, marker) ? CommentPlace::kAlreadyThere : remark.place;
      // A line of the summary is no thread of its own.
      if (remark.place != CommentPlace::kBody) place.thread_id = remark.discussion;
    }
    posted.comments.push_back(std::move(place));
  }
  return posted;
}

}  // namespace

Result<PostedReview> EnsureReview(Api& api, const RepoRef& repo, std::int64_t number,
                                  const ReviewDraft& review) {
  SWAGE_ASSIGN_OR_RETURN(const ReviewState before,
                         ReadReviewState(api, repo, number, review.marker));
  SWAGE_ASSIGN_OR_RETURN(const json merge_request,
                         api.rest().Get(MergeRequestPath(repo, number, "")));
  const std::string url = JsonString(merge_request, "web_url");
  if (!before.note_id.empty()) return Report(review, {}, before, url);
  std::vector<const LineComment*> fresh;
  for (const LineComment& comment : review.comments) {
    if (!IsOpen(before, FindingMarker(comment.fingerprint))) fresh.push_back(&comment);
  }
  std::optional<Version> version;
  if (!fresh.empty()) {
    SWAGE_ASSIGN_OR_RETURN(version, ReadVersion(api, repo, number, review.head_sha));
  }
  Reviewer reviewer(api, repo, number);
  std::vector<const LineComment*> unplaced;
  for (const LineComment* comment : fresh) {
    bool taken = false;
    if (version) {
      SWAGE_ASSIGN_OR_RETURN(taken, reviewer.PostRemark(*comment, *version));
    }
    if (!taken) unplaced.push_back(comment);
  }
  SWAGE_ASSIGN_OR_RETURN(const std::string note_id, reviewer.PostSummary(review, unplaced));
  SWAGE_ASSIGN_OR_RETURN(ReviewState after, ReadReviewState(api, repo, number, review.marker));
  after.note_id = note_id;  // a list that lags must not make the caller post it again
  return Report(review, before, after, url);
}

Result<void> ResolveThread(Api& api, const RepoRef& repo, std::int64_t number,
                           std::string_view thread_id, std::string_view note) {
  const std::string path =
      MergeRequestPath(repo, number, "/discussions/" + PercentEncode(thread_id));
  const auto resolved = api.rest().Write("PUT", path + "?resolved=true", {{"resolved", true}});
  if (resolved.ok()) return Ok();
  const ErrorCode code = resolved.error().code;
  if (code != ErrorCode::kDenied && code != ErrorCode::kInvalid) return resolved.error();
  // It cannot be resolved (by us): its first note says so, once.
  SWAGE_ASSIGN_OR_RETURN(const json discussion, api.rest().Get(path));
  const json& notes = JsonAt(discussion, "notes");
  if (!notes.is_array() || notes.empty()) return resolved.error();
  const std::string body = JsonString(notes[0], "body");
  if (body.find(GoneMarker()) != std::string::npos) return Ok();
  const std::string marked = GoneMarker() + "\n" + std::string(note) + "\n\n" + body;
  SWAGE_RETURN_IF_ERROR(
      api.rest().Write("PUT", path + "/notes/" + JsonId(notes[0], "id"), {{"body", marked}}));
  return Ok();
}

}  // namespace swage::gitlab
