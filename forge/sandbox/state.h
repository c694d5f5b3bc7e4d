// What the sandbox forge knows: one model under both dialects.
//
// Plain data without behaviour. GitHub and Gitea number issues and pull requests from one counter
// and let a pull request be addressed as an issue; GitLab counts them apart. World (world.h) keeps
// that difference, the dialects only render. Times are wall times; ids come from one counter and
// are never reused.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "forge/model.h"

namespace swage::sandbox {

using Id = std::int64_t;
enum class Dialect { kGitHub, kGitLab, kGitea };

struct User {
  Id id = 0;
  std::string login;
  std::string name;
  std::string token;
  bool is_bot = false;
  WallTime created_at{};
  std::vector<std::string> token_scopes = {"api"};  ///< GitLab
  std::string token_ends = {};                      ///< GitLab: "2031-01-31"; empty = never
};

struct Label {
  Id id = 0;
  std::string name;
  std::string color = "ededed";  ///< six hex digits, no '#'
  std::string description;
};

struct Award {  ///< a reaction; `content` is the dialect's own word ("eyes", "+1", "thumbsup")
  Id id = 0;
  Id user = 0;
  std::string content;
  WallTime created_at{};
};

struct Note {  ///< a comment on an issue, a pull request or a line
  Id id = 0;
  Id author = 0;
  std::string body;
  WallTime created_at{};
  WallTime updated_at{};
  bool system = false;  ///< GitLab's "added ~label label" notes
  std::vector<Award> awards;
};

/// Where in a diff a discussion hangs. Sides and lines as the dialects word them; 0 = absent.
struct Position {
  std::string path;      ///< path in the head
  std::string old_path;  ///< path in the base
  int new_line = 0;
  int old_line = 0;
  std::string side = "RIGHT";
  int line = 0;  ///< GitHub: the last line of the range on `side`; 0 = the whole file
  int start_line = 0;
  std::string start_side;
  bool whole_file = false;
  std::string base_sha;
  std::string start_sha;
  std::string head_sha;
  std::string hunk;  ///< the part of the patch above the line
};

struct DiffNote : Note {
  Id review = 0;       ///< GitHub: the review that it came with
  Id in_reply_to = 0;  ///< GitHub
  std::string commit_sha;
};

/// A thread of notes on a pull request. GitHub's review comments are discussions with a position.
struct Discussion {
  std::string id;  ///< 40 hex digits; GitHub's node id is made from it
  std::optional<Position> position;
  bool resolved = false;
  Id resolved_by = 0;
  std::vector<DiffNote> notes;  ///< never empty
};

struct Review {
  Id id = 0;
  Id author = 0;
  std::string state;  ///< COMMENTED, APPROVED, CHANGES_REQUESTED, PENDING, DISMISSED
  std::string body;
  std::string commit_sha;
  WallTime submitted_at{};
  std::vector<Award> awards;
};

/// Something that a person did to an issue or pull, as the forges' event lists tell it afterwards.
struct Act {
  enum class Kind {
    kLabeled,
    kUnlabeled,
    kAssigned,
    kUnassigned,
    kClosed,
    kReopened,
    kMerged,
    kRenamed,
    kDescribed
  };
  Id id = 0;
  Kind kind = Kind::kLabeled;
  Id actor = 0;
  std::string label;   ///< of kLabeled, kUnlabeled
  std::string before;  ///< kRenamed: the old title
  WallTime at{};
  Id whom = 0;  ///< of kAssigned, kUnassigned
};

struct Issue {
  Id id = 0;
  std::int64_t number = 0;
  Id author = 0;
  std::string title;
  std::string body;
  bool open = true;
  bool locked = false;
  std::string state_reason;  ///< GitHub: completed, not_planned, reopened
  std::vector<std::string> labels;
  std::vector<Id> assignees;
  WallTime created_at{};
  WallTime updated_at{};
  std::optional<WallTime> closed_at;
  Id closed_by = 0;
  Id moved_to = 0;  ///< GitLab: the issue that this one became
  std::vector<Note> notes;
  std::vector<Award> awards;
  std::vector<Act> acts;  ///< oldest first
};

/// A pull request is an issue with a branch.
struct Pull : Issue {
  std::string head_ref;  ///< branch name, without refs/heads/
  std::string base_ref;
  std::string head_sha;  ///< kept after the branch is gone
  std::string base_sha;  ///< tip of the base branch, fixed at the merge
  bool draft = false;
  bool merged = false;
  bool remove_source_branch = false;
  std::optional<WallTime> merged_at;
  Id merged_by = 0;
  std::string merge_sha;
  std::vector<Review> reviews;
  std::vector<Discussion> discussions;
  std::set<Id> approvals;  ///< GitLab
};

struct Status {
  Id id = 0;
  std::string sha;
  std::string context;
  std::string state;  ///< the dialect's own word
  std::string description;
  std::string target_url;
  std::string ref;  ///< GitLab
  Id creator = 0;
  WallTime created_at{};
  WallTime updated_at{};
};

struct CheckRun {
  Id id = 0;
  std::string name;
  std::string head_sha;
  std::string status = "queued";
  std::string conclusion;
  std::string details_url;
  std::string external_id;
  std::optional<WallTime> started_at;
  std::optional<WallTime> completed_at;
  std::string title;
  std::string summary;
  std::string text;
  std::vector<std::string> annotations;  ///< JSON texts, as posted
};

struct Hook {
  Id id = 0;
  std::string url;
  std::string secret;            ///< GitHub: HMAC key; GitLab: the plain X-Gitlab-Token
  std::string signing_token;     ///< GitLab: "whsec_..." for the signed form; empty = none
  std::set<std::string> events;  ///< the dialect's names; empty or "*" = all
  bool active = true;
  WallTime created_at{};
  WallTime updated_at{};
  int failures_in_a_row = 0;
  std::optional<WallTime> disabled_until;  ///< GitLab
};

/// Somebody whom a text mentioned, and who would have got a mail.
struct Notification {
  std::string name;  ///< as written, without '@': "alice", "acme/team", "all"
  Id user = 0;       ///< 0 = no such user: a team, a group, everybody
  Id actor = 0;      ///< who wrote the text
  std::int64_t number = 0;
  bool on_pull = false;
  WallTime at{};
};
inline constexpr std::size_t kMaxNotifications = 10'000;

/// An issue that is not here any more. Its number is never given again.
struct Departed {
  Id repo = 0;  ///< GitHub: where it was transferred to; 0 = deleted
  std::int64_t number = 0;
};

struct Repo {
  Id id = 0;
  std::string owner;  ///< GitHub: login; GitLab: group path, possibly "group/sub"
  std::string name;
  std::vector<std::string> former_paths;  ///< renamed from; they redirect
  std::string description;
  std::string default_branch = "main";
  bool is_private = false;
  bool archived = false;
  std::filesystem::path git_dir;
  WallTime created_at{};
  WallTime pushed_at{};
  std::map<Id, Role> members;
  std::vector<Label> labels;
  std::map<std::int64_t, Issue> issues;  ///< by number (GitLab: iid)
  std::map<std::int64_t, Pull> pulls;    ///< by number (GitLab: iid)
  std::map<std::int64_t, Departed> departed;
  std::vector<Hook> hooks;
  std::vector<Status> statuses;  ///< oldest first
  std::vector<CheckRun> check_runs;
  std::vector<Notification> notifications;  ///< oldest first; at most kMaxNotifications

  std::string Path() const { return owner + "/" + name; }
};

/// One attempt to deliver a webhook.
struct Delivery {
  Id id = 0;
  Id hook = 0;
  Id repo = 0;
  std::string guid;  ///< stable over redeliveries
  std::string event;
  std::string action;
  std::string url;
  std::map<std::string, std::string> headers;  ///< as sent
  std::string payload;                         ///< as sent
  bool redelivery = false;
  bool done = false;     ///< answered, failed or dropped
  bool dropped = false;  ///< by a fault rule: never sent
  int status = 0;        ///< what the receiver answered; 0 = no answer
  std::string response;
  WallTime delivered_at{};
  std::int64_t duration_ms = 0;
};

/// One request that the server answered, for assertions.
struct LoggedRequest {
  std::string method;
  std::string target;  ///< path and query as received
  std::string actor;   ///< login, empty for anonymous
  std::string body;    ///< at most World::kLoggedBody bytes; empty for git
  int status = 0;      ///< 0 = the connection was reset by a fault
  WallTime at{};
};

}  // namespace swage::sandbox
