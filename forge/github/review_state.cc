#include "forge/github/review_state.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "forge/body.h"

namespace swage::github {
namespace {

using nlohmann::json;

constexpr int kMaxThreadPages = 50;

struct ThreadInfo {
  std::string node;
  bool resolved = false;
};
using Threads = std::map<std::string, ThreadInfo>;  // by the id of the first comment

std::string PullPath(const RepoRef& repo, std::int64_t number, std::string_view rest) {
  return RepoPath(repo, "/pulls/" + std::to_string(number) + std::string(rest));
}

// REST does not tell which threads are resolved.
constexpr std::string_view kThreadsQuery =
    "query($owner:String!,$name:String!,$number:Int!,$after:String){"
    "repository(owner:$owner,name:$name){pullRequest(number:$number){"
    "reviewThreads(first:100,after:$after){pageInfo{hasNextPage endCursor}"
    "nodes{id isResolved comments(first:1){nodes{databaseId}}}}}}}";

void CollectThreads(const json& nodes, Threads& threads) {
  for (const json& node : nodes.is_array() ? nodes : json::array()) {
    const json& comments = JsonAt(node, "comments/nodes");
    if (!comments.is_array() || comments.empty()) continue;
    threads[JsonId(comments[0], "databaseId")] = {JsonString(node, "id"),
                                                  JsonBool(node, "isResolved")};
  }
}

Result<Threads> ReadThreads(Api& api, const RepoRef& repo, std::int64_t number) {
  Threads threads;
  const std::size_t slash = repo.path.find('/');
  json variables = {{"owner", repo.path.substr(0, slash)},
                    {"name", slash == std::string::npos ? "" : repo.path.substr(slash + 1)},
                    {"number", number},
                    {"after", nullptr}};
  for (int page = 0; page < kMaxThreadPages; ++page) {
    auto data = api.GraphQl(repo, kThreadsQuery, variables);
    if (!data.ok()) return data.error();
    const json& list = JsonAt(*data, "repository/pullRequest/reviewThreads");
    CollectThreads(JsonAt(list, "nodes"), threads);
    if (!JsonBool(list, "pageInfo/hasNextPage")) break;
    variables["after"] = JsonString(list, "pageInfo/endCursor");
  }
  return threads;
}

// Some installations refuse GraphQL to a token; comments can still be edited. A forge that is down
// is another matter.
Result<Threads> ThreadsIfAny(Api& api, const RepoRef& repo, std::int64_t number) {
  auto threads = ReadThreads(api, repo, number);
  if (threads.ok()) return threads;
  switch (threads.error().code) {
    case ErrorCode::kInvalid:
    case ErrorCode::kDenied:
    case ErrorCode::kNotFound:
      return Threads();
    case ErrorCode::kConflict:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      break;
  }
  return threads.error();
}

void NoteRemark(const json& j, const Threads& threads, ReviewState& state) {
  const std::string body = JsonString(j, "body");
  PostedRemark remark;
  remark.comment_id = JsonId(j, "id");
  remark.review_id = JsonId(j, "pull_request_review_id");
  const bool whole_file = JsonString(j, "subject_type") == "file";
  remark.place = whole_file ? CommentPlace::kFile : CommentPlace::kLine;
  remark.open = body.find(GoneMarker()) == std::string::npos;
  if (const auto it = threads.find(remark.comment_id); it != threads.end()) {
    remark.thread_node = it->second.node;
    remark.open = remark.open && !it->second.resolved;
  }
  for (const std::string& marker : FindingMarkersIn(body)) {
    const auto it = state.remarks.find(marker);
    if (it == state.remarks.end() || !it->second.open) state.remarks[marker] = remark;
  }
}

}  // namespace

std::string PostedRemark::ThreadId() const {
  return thread_node.empty() ? comment_id : comment_id + ":" + thread_node;
}

Result<ReviewState> ReadReviewState(Api& api, const RepoRef& repo, std::int64_t number,
                                    std::string_view marker) {
  SWAGE_ASSIGN_OR_RETURN(const Actor self, api.Self());
  ReviewState state;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(PullPath(repo, number, "/reviews"), [&](const json& review) {
        if (JsonId(review, "user/id") != self.id) return true;
        const std::string body = JsonString(review, "body");
        if (body.find(marker) != std::string::npos) {
          state.review_id = JsonId(review, "id");
          state.review_url = JsonString(review, "html_url");
        }
        for (const std::string& m : FindingMarkersIn(body)) {
          state.in_bodies.emplace(m, JsonId(review, "id"));
        }
        return true;
      }));
  std::vector<json> ours;
  SWAGE_RETURN_IF_ERROR(
      api.rest().ForEach(PullPath(repo, number, "/comments"), [&](const json& comment) {
        const bool reply = !JsonId(comment, "in_reply_to_id").empty();
        if (JsonId(comment, "user/id") == self.id && !reply) ours.push_back(comment);
        return true;
      }));
  if (ours.empty()) return state;
  SWAGE_ASSIGN_OR_RETURN(const Threads threads, ThreadsIfAny(api, repo, number));
  for (const json& comment : ours) NoteRemark(comment, threads, state);
  return state;
}

}  // namespace swage::github
