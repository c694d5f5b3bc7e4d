// World: the state of the sandbox forge and every way to change it.
//
// Both dialects, the page and the C++ API act through these operations, so that whatever happens
// also raises the event from which the dialect makes its webhooks. Operations check what every
// forge checks (existence, roles are the caller's business); dialect-specific validation stands in
// the dialects. NOT thread-safe: SandboxForge holds its one mutex around every use. References to
// users, repositories, issues and pulls stay valid (nothing is ever erased from their maps but by
// DeleteIssue and MoveIssue); notes may move.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/sandbox/app_state.h"
#include "forge/sandbox/state.h"

namespace swage::sandbox {

enum class Happening {
  kIssueOpened,
  kIssueEdited,
  kIssueClosed,
  kIssueReopened,
  kIssueDeleted,      ///< raised while it can still be described
  kIssueTransferred,  ///< target_repo, target_number; GitHub
  kLabelsChanged,     ///< of an issue or pull: labels_before, labels_after
  kAssigneesChanged,  ///< of an issue: assignees_before, assignees_after
  kNoteCreated,       ///< `note` on an issue or pull (not on a line)
  kNoteEdited,        ///< body_before
  kNoteDeleted,
  kPullOpened,
  kPullEdited,
  kPullSynchronized,  ///< sha_before, sha_after
  kPullClosed,        ///< look at Pull::merged
  kPullReopened,
  kPullReadyForReview,
  kPullConvertedToDraft,
  kReviewSubmitted,  ///< `review`
  kDiffNoteCreated,  ///< `note` in `discussion`
  kPush,             ///< ref, sha_before, sha_after (forty zeros = absent)
  kStatus,           ///< `status`
  kPing,             ///< `hook`; sent to that hook only
};

/// Something that happened. Ids instead of pointers: the dialect looks them up while the lock is
/// held.
struct Event {
  Happening what = Happening::kPing;
  Id repo = 0;
  Id actor = 0;
  std::int64_t number = 0;  ///< of the issue or pull
  bool on_pull = false;
  Id note = 0;
  Id review = 0;
  std::string discussion;
  Id hook = 0;
  Id status = 0;
  std::vector<std::string> labels_before;
  std::vector<std::string> labels_after;
  std::vector<Id> assignees_before;
  std::vector<Id> assignees_after;
  Id target_repo = 0;
  std::int64_t target_number = 0;
  std::string body_before;
  std::string title_before;
  std::string ref;
  std::string sha_before;
  std::string sha_after;
};

struct NewPull {
  std::string head_ref;
  std::string base_ref;
  std::string title;
  std::string body;
  bool draft = false;
  bool remove_source_branch = false;
};

/// What an update may change; absent = as it is.
struct IssueChange {
  std::optional<std::string> title;
  std::optional<std::string> body;
  std::optional<bool> open;
  std::optional<std::string> state_reason;
  std::optional<std::vector<std::string>> labels;
  std::optional<std::vector<Id>> assignees;
  std::optional<bool> draft;            ///< pulls only
  std::optional<std::string> base_ref;  ///< pulls only
};

struct Person;
/// Who a user is to git.
Person PersonOf(const User& user, WallTime at);

class World {
 public:
  static constexpr std::size_t kMaxLogged = 20'000;
  static constexpr std::size_t kLoggedBody = 64 << 10;

  World(Dialect dialect, std::filesystem::path data_dir, const Clock& clock);

  Dialect dialect() const { return dialect_; }
  WallTime Now() const { return clock_.Now(); }
  Id NextId() { return next_id_++; }
  /// Where bare repositories live: ROOT/owner/name.git.
  std::filesystem::path GitRoot() const { return data_dir_ / "repos"; }
  /// Called for every event, with the lock held.
  void OnEvent(std::function<void(const Event&)> listener) { listener_ = std::move(listener); }
  void Raise(const Event& event);

  Apps& apps() { return apps_; }

  // --- lookups: nullptr when there is none ---
  User* FindUser(std::string_view login);
  User* FindUser(Id id);
  const User& UserOf(Id id) const;                ///< a ghost for unknown ids
  User* FindUserByToken(std::string_view token);  ///< an App's token: its bot
  Repo* FindRepo(std::string_view path);          ///< "owner/name"; letter case ignored
  Repo* FindRepo(Id id);
  Repo* FindFormerRepo(std::string_view path);        ///< by a path that it was renamed from
  Issue* FindIssue(Repo& repo, std::int64_t number);  ///< issues only
  Pull* FindPull(Repo& repo, std::int64_t number);
  /// Either; GitHub addresses pulls as issues.
  Issue* FindEither(Repo& repo, std::int64_t number);
  struct NoteAt {
    Issue* issue = nullptr;
    Note* note = nullptr;
    bool on_pull = false;
  };
  NoteAt FindNote(Repo& repo, Id note);
  struct DiffNoteAt {
    Pull* pull = nullptr;
    Discussion* discussion = nullptr;
    DiffNote* note = nullptr;
  };
  DiffNoteAt FindDiffNote(Repo& repo, Id note);
  DiffNoteAt FindDiscussion(Repo& repo, std::string_view discussion);
  Hook* FindHook(Repo& repo, Id hook);
  const std::vector<std::unique_ptr<User>>& users() const { return users_; }
  const std::vector<std::unique_ptr<Repo>>& repos() const { return repos_; }

  /// Owner and members as set; everybody else kRead on public repositories, kNone on private ones.
  Role RoleOf(const Repo& repo, const User* user) const;

  // --- operations ---
  User& AddUser(std::string_view login, bool is_bot, std::string_view token);
  /// Copies branches and tags of the git repository at `source` (with its history). Errors:
  /// kConflict, kInvalid (no git repository there).
  Result<Repo*> AddRepoFromGit(std::string_view path, const std::filesystem::path& source);
  /// One commit with these files on `main`. Errors: kConflict.
  Result<Repo*> AddRepoFromFiles(std::string_view path,
                                 const std::map<std::string, std::string>& files);
  /// The old path redirects until another repository takes it. Errors: kConflict.
  Result<void> RenameRepo(Repo& repo, std::string_view path);
  Label& EnsureLabel(Repo& repo, std::string_view name, std::string_view color = "ededed",
                     std::string_view description = "");

  Issue& OpenIssue(Repo& repo, const User& actor, std::string_view title, std::string_view body,
                   const std::vector<std::string>& labels, const std::vector<Id>& assignees = {});
  void Update(Repo& repo, const User& actor, Issue& issue, const IssueChange& change);
  void SetLabels(Repo& repo, const User& actor, Issue& issue,
                 const std::vector<std::string>& labels);
  void SetAssignees(Repo& repo, const User& actor, Issue& issue, std::vector<Id> assignees);
  /// The issue is gone, as if it had never been; its number is not used again.
  void DeleteIssue(Repo& repo, const User& actor, std::int64_t number);
  /// Opens it again in another repository, with its comments and the labels that are known there.
  /// GitHub: the old number leads to the new one. GitLab: the old one is closed.
  Issue& MoveIssue(Repo& repo, const User& actor, Issue& issue, Repo& target);
  Note& AddNote(Repo& repo, const User& actor, Issue& issue, std::string_view body);
  void EditNote(Repo& repo, const User& actor, Issue& issue, Note& note, std::string_view body);
  void DeleteNote(Repo& repo, const User& actor, Issue& issue, Id note);
  /// The award, and whether it is new.
  std::pair<Award*, bool> AddAward(std::vector<Award>& awards, const User& actor,
                                   std::string_view content);

  /// Errors: kNotFound (branch missing), kInvalid (no commits between), kConflict (one is open).
  Result<Pull*> OpenPull(Repo& repo, const User& actor, const NewPull& draft);
  /// The open pull of a head branch (into `base_ref` when given).
  Pull* FindOpenPull(Repo& repo, std::string_view head_ref, std::string_view base_ref = "");
  /// Makes the merge commit. Errors: kConflict (conflicting content, closed, merged, draft),
  /// kInvalid (`expected_head` is not the head).
  Result<std::string> MergePull(Repo& repo, const User& actor, Pull& pull,
                                std::string_view expected_head, std::string_view message,
                                std::string_view method = "merge");
  /// Could it be merged now without conflict?
  bool IsMergeable(const Repo& repo, const Pull& pull) const;
  Review& AddReview(Repo& repo, const User& actor, Pull& pull, std::string_view state,
                    std::string_view body, std::string_view commit_sha);
  /// A pending review is said out loud.
  void SubmitReview(Repo& repo, const User& actor, Pull& pull, Review& review,
                    std::string_view state, std::string_view body);
  /// The discussion goes with its last note.
  void DeleteDiffNote(Pull& pull, Id note);
  /// A new discussion with its first note; `review` 0 = none. Raises kDiffNoteCreated when
  /// positioned, kNoteCreated otherwise.
  Discussion& StartDiscussion(Repo& repo, const User& actor, Pull& pull,
                              std::optional<Position> position, std::string_view body, Id review,
                              std::string_view commit_sha);
  DiffNote& ReplyToDiscussion(Repo& repo, const User& actor, Pull& pull, Discussion& discussion,
                              std::string_view body, Id review);
  /// Newest state per (sha, context) is the last one.
  Status& AddStatus(Repo& repo, const User& actor, Status status);
  Hook& AddHook(Repo& repo, const User& actor, Hook hook);

  /// After refs moved (a push, a merge, the refs API): raises push events, updates pulls, sets
  /// merged ones. `before` is RefsOf() from before the change.
  void RefsMoved(Repo& repo, const User& actor, const std::map<std::string, std::string>& before);
  std::map<std::string, std::string> RefsOf(const Repo& repo) const;  ///< refs/heads and refs/tags

  void LogRequest(LoggedRequest request);
  void ClearLog() { log_.clear(); }
  const std::deque<LoggedRequest>& log() const { return log_; }

 private:
  Result<Repo*> NewRepo(std::string_view path);
  /// The labels as the repository spells them, made where missing, each once.
  std::vector<std::string> Known(Repo& repo, const std::vector<std::string>& labels);
  Event EventOn(const Repo& repo, const User& actor, const Issue& issue, Happening what) const;
  void Record(Issue& issue, const User& actor, Act::Kind kind, std::string_view label = "",
              std::string_view before = "");
  void RecordLabels(Issue& issue, const User& actor, const std::vector<std::string>& before);
  void RecordAssignees(Issue& issue, const User& actor, const std::vector<Id>& before);
  void SetOpen(Repo& repo, const User& actor, Issue& issue, bool open,
               std::string_view state_reason);
  void SetDraft(Repo& repo, const User& actor, Issue& issue, bool draft);
  void MarkMerged(Repo& repo, const User& actor, Pull& pull, std::string_view merge_sha);
  void RaiseDiscussionNote(const Repo& repo, const User& actor, const Pull& pull,
                           const Discussion& discussion);
  void FollowBranch(Repo& repo, const User& actor, const std::string& branch,
                    const std::string& before, const std::string& after);
  std::int64_t NextNumber(const Repo& repo, bool pull) const;
  void SyncPullRefs(const Repo& repo, const Pull& pull) const;

  const Dialect dialect_;
  const std::filesystem::path data_dir_;
  const Clock& clock_;
  Apps apps_;
  Id next_id_ = 1001;
  std::function<void(const Event&)> listener_;
  std::vector<std::unique_ptr<User>> users_;
  std::vector<std::unique_ptr<Repo>> repos_;
  std::deque<LoggedRequest> log_;
};

}  // namespace swage::sandbox
