// What the files of the sandbox's GitLab dialect share: parameters, routes, paging, rendering.
//
// One file per area mounts its routes (gitlab_api_*.cc); gitlab_render.cc words every object of the
// REST v4 API, gitlab_payloads.cc the webhooks. Everything here runs with the world's lock held.
#pragma once

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "forge/sandbox/dialect.h"
#include "forge/sandbox/diff.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/http.h"
#include "forge/sandbox/webhooks.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox::gitlab {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxNote = 1'000'000;  ///< characters, GitLab's limit
inline constexpr std::size_t kMaxTitle = 255;
inline constexpr std::size_t kMaxStatusDescription = 255;
inline constexpr std::size_t kPageSize = 20;
inline constexpr std::size_t kMaxPageSize = 100;

/// The parameters of a call, from JSON, form or query alike (as Grape takes them).
/// Names may be bracketed: "position[new_line]" is also found as {"position": {"new_line": ...}}.
class Params {
 public:
  explicit Params(const Call& call);
  bool Has(const std::string& name) const;
  std::string Str(const std::string& name, std::string_view fallback = "") const;
  std::int64_t Int(const std::string& name, std::int64_t fallback = 0) const;
  bool Bool(const std::string& name, bool fallback = false) const;
  /// "a,b", ["a","b"] and name[]=a&name[]=b alike.
  std::vector<std::string> List(const std::string& name) const;
  /// The whole body; null when there is none.
  const Json& Body() const { return body_; }

 private:
  Json Find(const std::string& name) const;
  const Request& request_;
  const Json& body_;
};

/// Who may call a route; kPublic also lets anonymous callers read public projects.
enum class Need { kPublic, kUser, kReporter, kDeveloper, kMaintainer };

/// A call within a project, after authentication and authorisation.
struct Ctx {
  const Call& call;
  World& world;
  Repo& repo;
  Params params;

  /// The caller; only with Need::kUser or above.
  User& Actor() const;
  bool AtLeast(Role role) const;
};

using ProjectHandler = std::function<Result<Reply>(Ctx&)>;

/// Adds METHOD /api/v4/projects/{id}`rest`.
void AddProjectRoute(Router& router, const char* method, std::string_view rest, Need need,
                     ProjectHandler handler);
/// Adds METHOD /api/v4`path` for signed-in callers.
void AddUserRoute(Router& router, const char* method, std::string_view path, Handler handler);

void MountProjects(Router& router);
void MountHistory(Router& router);
void MountHooks(Router& router, WebhookSender& sender);
void MountIssues(Router& router);
void MountNotes(Router& router);
void MountAwards(Router& router);
void MountRepository(Router& router);
void MountStatuses(Router& router);
void MountMergeRequests(Router& router);
void MountMerge(Router& router);
void MountDiscussions(Router& router);

/// {"message": ...} with GitLab's wording for bare statuses ("404 Not found").
Reply Refuse(int status, const Json& message);
Reply FromError(const Error& error);
inline Error NotFound(std::string_view what) {
  return MakeError(ErrorCode::kNotFound, "404 " + std::string(what) + " Not Found");
}
inline Error Bad(std::string message) {
  return MakeError(ErrorCode::kInvalid, std::move(message));
}

/// One page of `all`, with GitLab's paging headers.
Reply Page(const Ctx& ctx, const Json& all);
Reply PageOf(const Call& call, const Json& all);
/// The issue or merge request named in the path. Errors: kNotFound.
Result<Issue*> IssueOf(Ctx& ctx);
Result<Pull*> PullOf(Ctx& ctx);

// --- rendering ---------------------------------------------------------------------------------

int AccessLevel(Role role);  ///< 10 guest, 20 reporter, 30 developer, 40 maintainer, 50 owner
std::string IsoTime(WallTime time);  ///< "2026-03-01T12:00:00.000Z"
/// What `updated_after`, `order_by` and `sort` leave of issues or merge requests, newest first
/// unless asked otherwise.
template <class Thread>
std::vector<const Thread*> Ordered(const Ctx& ctx, const std::map<std::int64_t, Thread>& all) {
  const std::string since = ctx.params.Str("updated_after");
  const bool by_update = ctx.params.Str("order_by") == "updated_at";
  const bool ascending = ctx.params.Str("sort") == "asc";
  std::vector<const Thread*> some;
  for (const auto& [number, thread] : all) {
    if (since.empty() || IsoTime(thread.updated_at) >= since) some.push_back(&thread);
  }
  std::sort(some.begin(), some.end(), [&](const Thread* a, const Thread* b) {
    const auto key = [&](const Thread* t) {
      return std::pair(by_update ? t->updated_at : t->created_at, t->number);
    };
    return ascending ? key(a) < key(b) : key(b) < key(a);
  });
  return some;
}
std::string WebUrl(const std::string& base, const Repo& repo);
std::string IssueUrl(const std::string& base, const Repo& repo, std::int64_t iid);
std::string PullUrl(const std::string& base, const Repo& repo, std::int64_t iid);

Json UserJson(const User& user, const std::string& base);
Json ProjectJson(World& world, const Repo& repo, const User* viewer, const std::string& base);
Json LabelJson(const Label& label);
Json IssueJson(World& world, const Repo& repo, const Issue& issue, const std::string& base);
Json PullJson(World& world, const Repo& repo, const Pull& pull, const std::string& base);
Json AwardJson(World& world, const Award& award, const Issue& on, std::string_view type,
               const std::string& base);
/// A note outside any thread.
Json NoteJson(World& world, const Repo& repo, const Issue& issue, bool on_pull, const Note& note,
              const std::string& base);
/// A note of a thread of a merge request.
Json ThreadNoteJson(World& world, const Repo& repo, const Pull& pull, const Discussion& discussion,
                    const DiffNote& note, const std::string& base);
Json DiscussionJson(World& world, const Repo& repo, const Pull& pull, const Discussion& discussion,
                    const std::string& base);
/// The thread that GitLab makes up for a note that stands alone.
Json LoneDiscussionJson(World& world, const Repo& repo, const Pull& pull, const Note& note,
                        const std::string& base);
Json PositionJson(const Position& position);
Json CommitJson(const Repo& repo, const CommitInfo& commit, const std::string& base);
Json DiffJson(const FileDiff& file);
Json StatusJson(World& world, const Repo& repo, const Status& status, const std::string& base);

/// "Draft: title" for drafts, as GitLab shows them.
std::string ShownTitle(const Pull& pull);
/// Takes the draft prefixes off a title; whether there were any.
bool TakeDraftPrefix(std::string& title);

/// The three commits that a position on a merge request names.
struct DiffRefs {
  std::string base_sha;
  std::string start_sha;
  std::string head_sha;
};
DiffRefs RefsOf(const Repo& repo, const Pull& pull);

/// The webhooks of an event; see ApiDialect::Describe.
std::vector<Payload> DescribeEvent(World& world, const Event& event, const std::string& base);

}  // namespace swage::sandbox::gitlab
