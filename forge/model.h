// What a forge holds, in words that fit every forge. Plain data, no behaviour.
//
// "Pull request" also stands for GitLab's merge request; "number" is GitHub's number and GitLab's
// iid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/ids.h"
#include "config/proxy.h"

namespace swage {

/// A repository: the immutable id is the key (T8), the path is how people and URLs name it.
struct RepoRef {
  std::string forge;  ///< name of the forge in the settings, e.g. "github"
  std::string id;     ///< immutable id at that forge, decimal
  std::string path;   ///< "owner/name", for GitLab possibly "group/sub/name"
  bool operator==(const RepoRef&) const = default;
};

struct Actor {
  std::string id;  ///< immutable id at the forge, decimal
  std::string login;
  bool is_bot = false;
};

/// What somebody may do in a repository, least first.
enum class Role { kNone, kRead, kTriage, kWrite, kMaintain, kAdmin };

struct Repo {
  RepoRef ref;
  std::string default_branch;
  std::string web_url;
  bool archived = false;
};

struct Issue {
  std::string id;  ///< immutable id
  std::int64_t number = 0;
  std::string title;
  std::string body;
  std::string web_url;
  Actor author;
  bool open = true;
  std::vector<std::string> labels;
  std::vector<std::string> assignees;  ///< account ids
  std::string updated_at;  ///< as the forge writes it; tells two events of one issue apart (T4)
};

/// Where comments hang: an issue or a pull request.
enum class ThreadKind { kIssue, kPullRequest };
struct Thread {
  ThreadKind kind = ThreadKind::kIssue;
  std::int64_t number = 0;
};

/// Where in a pull request's diff a thread of comments hangs.
struct DiffPlace {
  std::string thread_id;  ///< for EnsureReplies
  std::string path;
  int first_line = 0;  ///< from 1; 0 = the whole file
  int last_line = 0;
  bool old_side = false;  ///< lines of the base's version of the file, not of the head's
  CommitSha commit;       ///< the head that was looked at; may be empty
};

struct Comment {
  std::string id;  ///< as the forge addresses it
  std::string body;
  std::string web_url;
  Actor author;
  std::optional<DiffPlace> place = {};  ///< of one on a diff, where the forge said it
};

/// What somebody said of a pull request at once.
struct Review {
  std::string id;  ///< unique among the reviews of a repository
  Comment text;    ///< its body may be empty
  bool asks_for_changes = false;
  WallTime at{};                       ///< by the forge's clock
  std::vector<Comment> comments = {};  ///< on the diff, oldest first, each with its place
};

/// An answer of ours in a thread of comments.
struct ThreadReply {
  DiffPlace place;
  std::string marker;  ///< hidden in the body; one reply per marker, ever
  std::string body;
};

enum class PullRequestState { kOpen, kClosed, kMerged };

struct PullRequest {
  std::int64_t number = 0;
  std::string web_url;
  std::string title;
  std::string body;
  std::string head_branch;
  std::string base_branch;
  CommitSha head_sha;
  PullRequestState state = PullRequestState::kOpen;
  bool draft = false;
  bool from_fork = false;  ///< head lives in another repository (T22)
  std::string author_id;
};

struct PullRequestDraft {
  std::string head_branch;
  std::string base_branch;
  std::string title;
  std::string body;
  bool draft = false;
};

/// A remark on the diff of a pull request. Lines count from 1 in the head version of the file.
struct LineComment {
  std::string fingerprint;  ///< hidden in the body as a marker; decides "posted already"
  std::string path;
  int line = 0;  ///< 0 = the whole file
  std::string body;
};

struct ReviewDraft {
  CommitSha head_sha;
  std::string marker;  ///< hidden in the body; one review per marker, ever
  std::string body;    ///< summary, shown above the line comments
  std::vector<LineComment> comments;
};

/// Where each line comment ended up.
enum class CommentPlace { kLine, kFile, kBody, kAlreadyThere };
struct PostedComment {
  std::string fingerprint;
  std::string thread_id;  ///< for ResolveThread; empty when the forge gives none
  CommentPlace place = CommentPlace::kLine;
};
struct PostedReview {
  std::string id;
  std::string web_url;
  std::vector<PostedComment> comments;
};

/// A finding as a line of a commit's check.
struct Annotation {
  enum class Level { kNotice, kWarning, kFailure };
  std::string path;
  int line = 0;  ///< of the commit's version of the file, from 1
  Level level = Level::kFailure;
  std::string title;  ///< may be empty
  std::string message;
};

enum class StatusState { kPending, kSuccess, kFailure, kNeutral };
struct CommitStatus {
  CommitSha sha;
  std::string context;  ///< "swage/tests"
  StatusState state = StatusState::kPending;
  std::string description;  ///< one line; the adapter cuts it to the forge's limit
  std::string target_url;   ///< may be empty
  // For forges that have checks; the others show the line alone.
  std::string summary = {};  ///< Markdown; the adapter cuts it to the forge's limit
  std::vector<Annotation> annotations = {};
};

/// GitHub's names; the GitLab adapter maps them to award emoji.
enum class Reaction { kEyes, kRocket, kThumbsUp, kThumbsDown, kConfused };

/// What a forge can do and how much it takes.
struct ForgeLimits {
  std::size_t comment_bytes = 65'536;
  std::size_t status_description_bytes = 140;
  std::size_t title_bytes = 255;
  bool can_resolve_threads = false;
};

/// What a credential for git is needed for: it is good for no more.
enum class GitAccess { kRead, kWrite };

/// How git reaches a repository. The credential never becomes part of the URL.
struct GitRemote {
  std::string url;       ///< https://host/owner/name.git
  std::string username;  ///< for basic authentication
  std::string password;
  std::string ca_file;  ///< PEM authority that signs this host; empty = the system's
  Proxy proxy = {};     ///< the way there
};

}  // namespace swage
