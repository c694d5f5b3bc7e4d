// Event: the closed set of things that a webhook (or a poll) can tell Swage.
//
// The edge parses a delivery once into one of these; nothing behind it looks at a forge's JSON
// again. Fields that a payload lacks are empty, never an error: old payloads miss many (see the
// sample suites).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "forge/model.h"

namespace swage {

/// A new issue. Of its labels and assignees the forge tells by events of their own, unless
/// `tells_all`.
struct IssueOpened {
  RepoRef repo;
  Actor actor;
  Issue issue;
  bool tells_all = false;
};

struct IssueLabeled {
  RepoRef repo;
  Actor actor;
  Issue issue;
  std::vector<std::string> added;         ///< the labels that this very event added
  std::vector<std::string> removed = {};  ///< one edit may do both (GitLab)
  /// Found on the issue: who set it and when is the forge's to say. `actor` is whoever changed the
  /// labels last, if it set the label or not; empty for a poll.
  bool found = false;
};

struct IssueUnlabeled {
  RepoRef repo;
  Actor actor;
  Issue issue;
  std::vector<std::string> removed;
};

/// The labels or the assignees changed, and the payload says neither which ones nor whose: what is
/// known of the issue decides what it means, as for a poll. `issue` is as it was then.
struct IssueAltered {
  RepoRef repo;
  Actor actor;
  Issue issue;
};

struct IssueAssigned {
  RepoRef repo;
  Actor actor;
  Issue issue;
  std::vector<std::string> added;         ///< ids of the accounts that this very event added
  std::vector<std::string> removed = {};  ///< one edit may do both (GitLab)
  bool found = false;                     ///< as in IssueLabeled
};

struct IssueUnassigned {
  RepoRef repo;
  Actor actor;
  Issue issue;
  std::vector<std::string> removed;  ///< account ids
};

/// The issue can no longer be worked on (A14).
enum class GoneReason { kClosed, kDeleted, kTransferred };
struct IssueGone {
  RepoRef repo;
  Actor actor;
  Issue issue;
  GoneReason reason = GoneReason::kClosed;
};

/// A closed issue is open again.
struct IssueReopened {
  RepoRef repo;
  Actor actor;
  Issue issue;
  std::string act = {};  ///< found by a poll: which act of the forge's account it was
};

/// A new comment. Edited and deleted comments are no event (T19).
struct CommentCreated {
  RepoRef repo;
  Actor actor;
  Thread thread;
  Comment comment;
  bool thread_open = true;
  /// The issue as the payload shows it: its text at the time of the comment (T18). Issue threads
  /// only.
  std::optional<Issue> issue;
};

/// A review whose line comments the payload leaves out: see Forge::GetReview.
struct ReviewSubmitted {
  RepoRef repo;
  Actor actor;
  std::int64_t number = 0;
  std::string text;
  bool thread_open = true;
  bool asks_for_changes = false;
  std::string id = {};     ///< as GetReview takes it; empty: known by its author and its text
  bool tells_all = false;  ///< no event of their own tells of its line comments
};

struct PullRequestClosed {
  RepoRef repo;
  Actor actor;
  std::int64_t number = 0;
  std::string head_branch;
  bool merged = false;
};

/// The branch of a pull request holds other commits than before.
struct PullRequestPushed {
  RepoRef repo;
  Actor actor;  ///< empty: found by a poll, nobody knows
  std::int64_t number = 0;
  std::string head_branch;
  CommitSha head;
};

/// Somebody pressed the forge's button that asks for a commit's checks once more.
struct ChecksRerequested {
  RepoRef repo;
  Actor actor;
  CommitSha head;
  std::string head_branch;   ///< may be empty
  std::int64_t number = 0;   ///< of the pull request; 0 = the payload does not say
  std::string context = {};  ///< of the one check ("swage/tests"); empty = all of them
};

/// What the bot's account may reach has changed, at the hand of an owner.
struct AccessChanged {
  enum class Kind { kGranted, kSuspended, kRemoved };
  RepoRef repo;  ///< the forge's name alone
  Actor actor;
  Kind kind = Kind::kGranted;
  std::string owner;           ///< login of the account that granted it
  std::vector<RepoRef> repos;  ///< that it is about; empty = all of the owner's
};

/// Authentic, understood, and of no interest.
struct Ignored {
  std::string why;  ///< "push event", "issue edited", ...
};

using Event =
    std::variant<IssueOpened, IssueLabeled, IssueUnlabeled, IssueAltered, IssueAssigned,
                 IssueUnassigned, IssueGone, IssueReopened, CommentCreated, ReviewSubmitted,
                 PullRequestClosed, PullRequestPushed, ChecksRerequested, AccessChanged, Ignored>;

/// "IssueLabeled", ... for logs and tests.
std::string_view EventName(const Event& event);
/// The repository an event speaks of; nullptr for Ignored and AccessChanged.
const RepoRef* EventRepo(const Event& event);
/// Who caused it; nullptr for Ignored.
const Actor* EventActor(const Event& event);

}  // namespace swage
