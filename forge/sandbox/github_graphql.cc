// The few GraphQL shapes that REST has no answer to: resolving review threads, listing them,
// turning a draft into a pull request that is ready (and back), deleting and transferring issues,
// and when an issue's text was edited.
//
// Not a GraphQL engine: the operation is recognised by name, arguments are read from the variables
// or from the text, and the reply holds every field an adapter may have asked for.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_api.h"

namespace swage::sandbox {
namespace {

using nlohmann::json;

constexpr std::string_view kThreadPrefix = "PRRT_";
constexpr std::string_view kPullPrefix = "PR_";
constexpr std::string_view kIssuePrefix = "I_";
constexpr std::string_view kRepoPrefix = "R_";
constexpr std::size_t kMaxThreads = 100;  // a page
constexpr int kMaxNesting = 4;

Reply GraphQlError(std::string_view type, std::string_view message) {
  return Reply::Json(
      200, {{"data", json()}, {"errors", json::array({{{"type", type}, {"message", message}}})}});
}

/// The first string in the variables that starts with `prefix`.
std::string FindPrefixed(const json& value, std::string_view prefix, int depth = 0) {
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    return text.starts_with(prefix) ? text : "";
  }
  if (!value.is_structured() || depth > kMaxNesting) return {};
  for (const json& inner : value) {
    std::string found = FindPrefixed(inner, prefix, depth + 1);
    if (!found.empty()) return found;
  }
  return {};
}

/// A node id from the variables, or written into the query.
std::string NodeIdIn(const Call& call, const std::string& query, std::string_view prefix) {
  std::string found = FindPrefixed(JsonAt(call.body, "variables"), prefix);
  if (found.empty()) RE2::PartialMatch(query, fmt::format("\"({}[0-9a-zA-Z_]+)\"", prefix), &found);
  return found;
}

/// An argument such as `owner: "x"`, `number: 3` or `name: $repo`.
std::string Argument(const Call& call, const std::string& query, std::string_view name) {
  std::string value;
  if (RE2::PartialMatch(query, fmt::format("\\b{}:\\s*\"([^\"]*)\"", name), &value)) return value;
  if (RE2::PartialMatch(query, fmt::format("\\b{}:\\s*(\\d+)", name), &value)) return value;
  if (RE2::PartialMatch(query, fmt::format("\\b{}:\\s*\\$(\\w+)", name), &value)) {
    return JsonId(JsonAt(call.body, "variables"), value);
  }
  return {};
}

json ThreadObject(const Call& call, const Repo& repo, const Pull& pull,
                  const Discussion& discussion) {
  const GitHubObjects objects(call.world, call.base);
  json comments = json::array();
  for (const DiffNote& note : discussion.notes) {
    const json rest = objects.ReviewComment(repo, pull, discussion, note);
    comments.push_back({{"id", rest["node_id"]},
                        {"databaseId", note.id},
                        {"fullDatabaseId", std::to_string(note.id)},
                        {"body", note.body},
                        {"path", rest["path"]},
                        {"url", rest["html_url"]},
                        {"author", {{"login", rest["user"]["login"]}}}});
  }
  const json first = objects.ReviewComment(repo, pull, discussion, discussion.notes.front());
  return {{"id", GitHubObjects::ThreadNodeId(discussion)},
          {"isResolved", discussion.resolved},
          {"isOutdated", first["position"].is_null()},
          {"path", first["path"]},
          {"line", first.value("line", json())},
          {"resolvedBy", discussion.resolved_by == 0
                             ? json()
                             : json{{"login", call.world.UserOf(discussion.resolved_by).login}}},
          {"comments",
           {{"nodes", comments},
            {"totalCount", comments.size()},
            {"pageInfo", {{"hasNextPage", false}, {"endCursor", json()}}}}}};
}

struct ThreadAt {
  Repo* repo = nullptr;
  World::DiffNoteAt at;
};

ThreadAt FindThread(const Call& call, const std::string& node_id) {
  if (!node_id.starts_with(kThreadPrefix)) return {};
  for (const auto& repo : call.world.repos()) {
    const World::DiffNoteAt at =
        call.world.FindDiscussion(*repo, node_id.substr(kThreadPrefix.size()));
    if (at.discussion != nullptr) return {repo.get(), at};
  }
  return {};
}

Reply SetResolved(const Call& call, const std::string& query, bool resolved) {
  const ThreadAt thread = FindThread(call, NodeIdIn(call, query, kThreadPrefix));
  if (thread.repo == nullptr || call.world.RoleOf(*thread.repo, call.actor) < Role::kRead) {
    return GraphQlError("NOT_FOUND", "Could not resolve to a node with the given global id.");
  }
  const bool may = call.world.RoleOf(*thread.repo, call.actor) >= Role::kWrite ||
                   thread.at.pull->author == call.actor->id;
  if (!may) return GraphQlError("FORBIDDEN", "Resource not accessible by personal access token");
  thread.at.discussion->resolved = resolved;
  thread.at.discussion->resolved_by = resolved ? call.actor->id : 0;
  const json object = ThreadObject(call, *thread.repo, *thread.at.pull, *thread.at.discussion);
  return Reply::Json(
      200,
      {{"data",
        {{resolved ? "resolveReviewThread" : "unresolveReviewThread", {{"thread", object}}}}}});
}

Reply SetDraft(const Call& call, const std::string& query, bool draft) {
  const std::string node = NodeIdIn(call, query, kPullPrefix);
  const Id id = node.empty() ? 0 : ParseInt(node.substr(kPullPrefix.size())).value_or(0);
  for (const auto& repo : call.world.repos()) {
    for (auto& [number, pull] : repo->pulls) {
      if (pull.id != id) continue;
      const bool may =
          call.world.RoleOf(*repo, call.actor) >= Role::kWrite || pull.author == call.actor->id;
      if (!may) {
        return GraphQlError("FORBIDDEN", "Resource not accessible by personal access token");
      }
      IssueChange change;
      change.draft = draft;
      call.world.Update(*repo, *call.actor, pull, change);
      const json object = {{"id", node}, {"number", number}, {"isDraft", pull.draft}};
      return Reply::Json(200,
                         {{"data",
                           {{draft ? "convertPullRequestToDraft" : "markPullRequestReadyForReview",
                             {{"pullRequest", object}}}}}});
    }
  }
  return GraphQlError("NOT_FOUND", "Could not resolve to a node with the given global id.");
}

struct IssueIn {
  Repo* repo = nullptr;
  Issue* issue = nullptr;
};

IssueIn FindIssueById(const Call& call, const std::string& node_id) {
  const Id id = ParseInt(node_id.substr(std::min(kIssuePrefix.size(), node_id.size()))).value_or(0);
  for (const auto& repo : call.world.repos()) {
    for (auto& [number, issue] : repo->issues) {
      if (issue.id == id) return {repo.get(), &issue};
    }
  }
  return {};
}

// REST has neither.
Reply DeleteIssue(const Call& call, const std::string& query) {
  const IssueIn at = FindIssueById(call, NodeIdIn(call, query, kIssuePrefix));
  if (at.issue == nullptr) {
    return GraphQlError("NOT_FOUND", "Could not resolve to a node with the given global id.");
  }
  if (call.world.RoleOf(*at.repo, call.actor) < Role::kAdmin) {
    return GraphQlError("FORBIDDEN", "Viewer not authorized to delete");
  }
  call.world.DeleteIssue(*at.repo, *call.actor, at.issue->number);
  return Reply::Json(200, {{"data", {{"deleteIssue", {{"clientMutationId", json()}}}}}});
}

Reply TransferIssue(const Call& call, const std::string& query) {
  const IssueIn at = FindIssueById(call, NodeIdIn(call, query, kIssuePrefix));
  const std::string node = NodeIdIn(call, query, kRepoPrefix);
  const Id id = ParseInt(node.substr(std::min(kRepoPrefix.size(), node.size()))).value_or(0);
  Repo* const target = call.world.FindRepo(id);
  if (at.issue == nullptr || target == nullptr || target == at.repo) {
    return GraphQlError("NOT_FOUND", "Could not resolve to a node with the given global id.");
  }
  const bool may = call.world.RoleOf(*at.repo, call.actor) >= Role::kWrite &&
                   call.world.RoleOf(*target, call.actor) >= Role::kWrite;
  if (!may) return GraphQlError("FORBIDDEN", "Viewer not authorized to transfer");
  const Issue& moved = call.world.MoveIssue(*at.repo, *call.actor, *at.issue, *target);
  const json object = {{"id", GitHubObjects::NodeId("I", moved.id)}, {"number", moved.number}};
  return Reply::Json(200, {{"data", {{"transferIssue", {{"issue", object}}}}}});
}

/// A page of threads; the cursor is the index of the last one shown.
json ThreadsPage(const Call& call, const std::string& query, const Repo& repo, const Pull& pull) {
  std::vector<const Discussion*> threads;
  for (const Discussion& discussion : pull.discussions) {
    if (discussion.position) threads.push_back(&discussion);
  }
  const auto first = static_cast<std::size_t>(
      ParseInt(Argument(call, query, "first")).value_or(static_cast<std::int64_t>(kMaxThreads)));
  const auto after = static_cast<std::size_t>(ParseInt(Argument(call, query, "after")).value_or(0));
  const std::size_t end = std::min(threads.size(), after + std::min(first, kMaxThreads));
  json nodes = json::array();
  for (std::size_t i = after; i < end; ++i) {
    nodes.push_back(ThreadObject(call, repo, pull, *threads[i]));
  }
  return {
      {"totalCount", threads.size()},
      {"nodes", nodes},
      {"pageInfo", {{"hasNextPage", end < threads.size()}, {"endCursor", std::to_string(end)}}}};
}

Reply ReadPull(const Call& call, const std::string& query) {
  const std::string path = Argument(call, query, "owner") + "/" + Argument(call, query, "name");
  Repo* repo = call.world.FindRepo(path);
  if (repo == nullptr || call.world.RoleOf(*repo, call.actor) < Role::kRead) {
    return GraphQlError("NOT_FOUND",
                        fmt::format("Could not resolve to a Repository with the name '{}'.", path));
  }
  const std::int64_t number = ParseInt(Argument(call, query, "number")).value_or(0);
  const Pull* pull = call.world.FindPull(*repo, number);
  if (pull == nullptr) {
    return GraphQlError(
        "NOT_FOUND",
        fmt::format("Could not resolve to a PullRequest with the number of {}.", number));
  }
  json object = {{"id", GitHubObjects::NodeId("PR", pull->id)},
                 {"number", pull->number},
                 {"isDraft", pull->draft},
                 {"reviewThreads", ThreadsPage(call, query, *repo, *pull)}};
  return Reply::Json(200, {{"data", {{"repository", {{"pullRequest", std::move(object)}}}}}});
}

Reply ReadIssue(const Call& call, const std::string& query) {
  const std::string path = Argument(call, query, "owner") + "/" + Argument(call, query, "name");
  Repo* repo = call.world.FindRepo(path);
  if (repo == nullptr) repo = call.world.FindFormerRepo(path);
  const std::int64_t number = ParseInt(Argument(call, query, "number")).value_or(0);
  const bool seen = repo != nullptr && call.world.RoleOf(*repo, call.actor) >= Role::kRead;
  const Issue* issue = seen ? call.world.FindIssue(*repo, number) : nullptr;
  if (issue == nullptr) {
    return GraphQlError(
        "NOT_FOUND", fmt::format("Could not resolve to an Issue with the number of {}.", number));
  }
  json edited;
  for (const Act& act : issue->acts) {
    if (act.kind == Act::Kind::kDescribed) edited = FormatUtc(act.at);
  }
  return Reply::Json(200, {{"data",
                            {{"repository",
                              {{"issue",
                                {{"id", GitHubObjects::NodeId("I", issue->id)},
                                 {"number", number},
                                 {"lastEditedAt", edited}}}}}}}});
}

Reply Execute(const Call& call) {
  if (call.actor == nullptr) return GitHubError(401, "Requires authentication");
  const std::string query = JsonString(call.body, "query");
  const auto names = [&](std::string_view operation) {
    return query.find(operation) != std::string::npos;
  };
  if (names("unresolveReviewThread")) return SetResolved(call, query, false);
  if (names("resolveReviewThread")) return SetResolved(call, query, true);
  if (names("convertPullRequestToDraft")) return SetDraft(call, query, true);
  if (names("markPullRequestReadyForReview")) return SetDraft(call, query, false);
  if (names("deleteIssue")) return DeleteIssue(call, query);
  if (names("transferIssue")) return TransferIssue(call, query);
  if (names("pullRequest(")) return ReadPull(call, query);
  if (names("issue(")) return ReadIssue(call, query);
  if (names("viewer")) {
    return Reply::Json(200, {{"data", {{"viewer", {{"login", call.actor->login}}}}}});
  }
  return GraphQlError("undefinedField", "The sandbox does not know this query.");
}

}  // namespace

void MountGraphQl(Router& router) {
  router.Add("POST", "/graphql", Execute);
}

}  // namespace swage::sandbox
