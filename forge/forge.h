// Forge: what Swage needs of a GitHub, GitLab or Gitea, and nothing more.
//
// Why a seam: the pipeline never learns which forge it speaks to. Implementations live in their own
// folders and are named only there and in bot/main.cc. What an implementation owes:
//   - Ensure* writes are idempotent: after an unknown outcome the same call finds what the first
//   one made
//     (by branch, marker or key), adopts it, and writes nothing twice (X8, X9);
//   - paging, the forge's size limits, and its error dialect stay inside;
//   - errors: kNotFound, kDenied (with retry_after: everything is refused in this repository for
//   now, and a person can lift it), kUnauthenticated, kRateLimited (with retry_after), kConflict,
//     kUnavailable/kTimeout (may be retried), kInvalid (will not get better); no secret in any
//     message;
//   - calls block on the network, bounded by the transport's deadline, and may come from many
//   threads.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/event.h"
#include "forge/feed.h"
#include "forge/model.h"

namespace swage {

class Forge {
 public:
  virtual ~Forge() = default;

  /// Name in the settings ("github"); constant.
  virtual const std::string& Name() const = 0;
  virtual const ForgeLimits& Limits() const = 0;

  // --- reads
  // ---------------------------------------------------------------------------------------
  /// The account behind the token; how the bot knows itself (T20).
  virtual Result<Actor> GetSelf() = 0;
  /// By path ("owner/name").
  virtual Result<Repo> GetRepo(std::string_view path) = 0;
  virtual Result<Issue> GetIssue(const RepoRef& repo, std::int64_t number) = 0;
  /// The account that has this name now. Names change hands: whoever is to be known again later is
  /// known by its id. kNotFound when nobody has it.
  virtual Result<Actor> FindAccount(std::string_view login) = 0;
  /// What `actor` may do now; kNone for strangers (never kNotFound).
  virtual Result<Role> GetRole(const RepoRef& repo, const Actor& actor) = 0;
  virtual Result<PullRequest> GetPullRequest(const RepoRef& repo, std::int64_t number) = 0;
  /// The newest pull request from `head_branch` of the same repository, in any state.
  virtual Result<std::optional<PullRequest>> FindPullRequest(const RepoRef& repo,
                                                             std::string_view head_branch) = 0;
  /// The review that the event tells of, with its line comments. kNotFound when it is gone.
  virtual Result<Review> GetReview(const ReviewSubmitted& event) = 0;
  /// Where a comment on a pull request hangs, for forges whose webhooks leave that out; nothing for
  /// one that is on no line.
  virtual Result<std::optional<DiffPlace>> FindPlace(const RepoRef&, std::int64_t /*number*/,
                                                     const Comment& comment) {
    return comment.place;
  }
  /// What happened meanwhile; lives as long as this. nullptr: this forge can only tell, by
  /// webhooks.
  virtual ForgeFeed* Feed() { return nullptr; }
  /// Where git clones from and pushes to, with a credential that is good for about an hour and, as
  /// far as the forge can narrow it, for this repository and this access alone. May ask the forge.
  virtual Result<GitRemote> Remote(const RepoRef& repo, GitAccess access) = 0;
  /// What the forge does not grant the bot though it is needed: a sentence each, with the cure.
  virtual Result<std::vector<std::string>> FindMissingRights() {
    return std::vector<std::string>();
  }
  /// Somebody changed what the credential may do: what was learned about it is asked anew.
  virtual void ForgetRights() {}
  /// Pure: the address by which the forge finds the account in a commit's trailers, without telling
  /// the account's own one.
  virtual std::string CommitEmail(const Actor& actor) const = 0;

  // --- writes
  // --------------------------------------------------------------------------------------
  /// `comment_id` empty: react to the thread itself.
  virtual Result<void> EnsureReaction(const RepoRef& repo, const Thread& thread,
                                      std::string_view comment_id, Reaction reaction) = 0;
  /// The one comment of ours that carries `marker`: created, or edited in place. `known_id` spares
  /// the search; a wrong one is no error. `body` holds the marker already (see messages).
  virtual Result<Comment> EnsureComment(const RepoRef& repo, const Thread& thread,
                                        std::string_view marker, std::string_view body,
                                        std::string_view known_id) = 0;
  /// The one open pull request of `draft.head_branch`: created, or found and its draft state and
  /// its own block of the text (OwnBlock) brought up to date. Title, base and the rest of the text
  /// are people's once it exists. kConflict when the newest one was closed or merged by a human.
  virtual Result<PullRequest> EnsurePullRequest(const RepoRef& repo,
                                                const PullRequestDraft& draft) = 0;
  /// Without merging it; what is closed or merged already stays as it is.
  virtual Result<void> ClosePullRequest(const RepoRef& repo, std::int64_t number) = 0;
  /// One review per marker. Lines outside the diff fall back to a file comment, then to the body.
  virtual Result<PostedReview> EnsureReview(const RepoRef& repo, std::int64_t number,
                                            const ReviewDraft& review) = 0;
  /// Marks the thread of a line comment as resolved; where the forge cannot, edits it to say so.
  virtual Result<void> ResolveThread(const RepoRef& repo, std::int64_t number,
                                     std::string_view thread_id, std::string_view note) = 0;
  /// Answers in threads of comments, also in other people's. One whose thread is gone is left out.
  virtual Result<void> EnsureReplies(const RepoRef& repo, std::int64_t number,
                                     const std::vector<ThreadReply>& replies) = 0;
  virtual Result<void> EnsureStatus(const RepoRef& repo, const CommitStatus& status) = 0;
};

/// Header names in lower case; a repeated header is joined by '\n', so that it can be refused.
using HeaderMap = std::map<std::string, std::string>;

/// What is kept of a delivery whose signature was good.
struct DeliveryInfo {
  std::string key;    ///< unique per forge: the forge's delivery id, or a digest where it has none
  std::string event;  ///< the forge's event name
};

/// WebhookDialect: how one kind of forge signs and words its webhooks. Stateless and thread-safe.
class WebhookDialect {
 public:
  virtual ~WebhookDialect() = default;
  /// Checks the signature over the raw bytes before anything is parsed (T1, T2).
  /// Errors: kUnauthenticated (wrong, absent, doubled), kInvalid (no delivery id or event name).
  virtual Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view raw_body,
                                      std::string_view secret, WallTime now) const = 0;
  /// Errors: kInvalid, kTooLarge for bodies that are no JSON; anything else is an Event (often
  /// Ignored).
  virtual Result<Event> Parse(std::string_view forge_name, std::string_view event,
                              std::string_view raw_body) const = 0;
  /// "owner/name" of a body, read before the signature is known and used only to choose the secret
  /// (T6).
  virtual std::string PeekRepoPath(std::string_view raw_body) const = 0;
};

}  // namespace swage
