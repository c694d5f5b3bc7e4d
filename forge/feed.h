// ForgeFeed: what happened at a forge meanwhile, asked for instead of told.
//
// Why: webhooks get lost, and some servers have no public address for them. Everything that intake
// learns from a webhook can be found here too, with the same ids, so that the two are told to be
// one thing. What an implementation owes:
//   - a question about changes with the ETag of its last answer costs no quota when nothing
//   changed;
//   - every call is bounded in pages; what did not fit is said (`more`), and `up_to` is the instant
//     until which the answer is complete;
//   - times are the forge's own, to be handed back to it as they came;
//   - errors and threads as in forge.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/model.h"

namespace swage {

struct ThreadChange {
  Thread thread;
  WallTime updated{};
  std::optional<Issue> issue;  ///< as it is now; issues only
};

struct ChangePage {
  bool unchanged = false;  ///< as the ETag's answer: the rest is empty
  std::string etag;        ///< empty: the next question has to be an unconditional one
  std::vector<ThreadChange> changes;
  std::optional<WallTime> up_to;  ///< none: nothing changed
  std::optional<WallTime> now;    ///< the forge's clock as it answered, to the second, if it says
  bool more = false;
};

struct FoundComment {
  Thread thread;
  Comment comment;
  WallTime created{};
  bool edited = false;  ///< since it was made, by whomever
};

struct CommentPage {
  std::vector<FoundComment> comments;  ///< oldest first
  std::optional<WallTime> up_to;
  bool more = false;
};

/// Something that somebody did to an issue or a pull request, as the forge remembers it.
struct ThreadAct {
  enum class Kind {
    kLabeled,
    kUnlabeled,
    kAssigned,
    kUnassigned,
    kClosed,
    kReopened,
    kMerged,
    kTextEdited
  };
  std::string id;  ///< unique among the acts of a kind in a repository
  Kind kind = Kind::kLabeled;
  Actor actor;        ///< empty where the forge does not say (edits), or the account is gone
  std::string label;  ///< of kLabeled, kUnlabeled
  WallTime at{};
  Actor whom = {};  ///< of kAssigned, kUnassigned; the id or the login, as the forge says
};

struct Hook {
  std::int64_t id = 0;
  std::string url;
  bool shared = false;  ///< the account's, for all repositories: the same whichever is asked about
};

struct HookDelivery {
  std::int64_t id = 0;  ///< grows with time
  std::string key;      ///< what the webhook dialect calls DeliveryInfo::key
  std::string event;
  int status = 0;  ///< what was answered; 0 or 5xx when nobody did
};

class ForgeFeed {
 public:
  static constexpr int kMaxPages = 5;  ///< of one question

  virtual ~ForgeFeed() = default;

  /// What the forge's clock says, to the second: its times are by it, and this machine's clock may
  /// be wrong. Errors: kInvalid when it does not say.
  virtual Result<WallTime> GetTime(const RepoRef& repo) = 0;
  /// What the account has a part in. Errors: kTooLarge beyond some thousands.
  virtual Result<std::vector<Repo>> ListRepos() = 0;
  virtual Result<std::vector<std::string>> ListLabels(const RepoRef& repo) = 0;
  /// Open issues that carry the label, as it is spelled there.
  virtual Result<std::vector<Issue>> ListLabelled(const RepoRef& repo, std::string_view label) = 0;
  /// Issues and pull requests that changed at or after `since`, the oldest change first.
  virtual Result<ChangePage> ListChanges(const RepoRef& repo, WallTime since,
                                         std::string_view etag) = 0;
  /// Comments of every kind made (or edited) at or after `since`. `changed`: the threads that
  /// ListChanges named, for forges that keep no list of a whole repository.
  virtual Result<CommentPage> ListComments(const RepoRef& repo, WallTime since,
                                           const std::vector<ThreadChange>& changed) = 0;
  /// Those of a pull request that ask for changes, oldest first, without their line comments.
  virtual Result<std::vector<Review>> ListReviews(const RepoRef& repo, std::int64_t number) = 0;
  /// Oldest first. kTextEdited: of an issue, the last one at least.
  virtual Result<std::vector<ThreadAct>> ListActs(const RepoRef& repo, const Thread& thread) = 0;

  /// Whether the forge keeps a list of webhooks and their deliveries; if not, the rest is kInvalid.
  virtual bool KeepsDeliveries() const = 0;
  /// Those of the repository. Errors: kDenied, kNotFound without the right to see them.
  virtual Result<std::vector<Hook>> ListHooks(const RepoRef& repo) = 0;
  /// Newer than `after`, newest first.
  virtual Result<std::vector<HookDelivery>> ListDeliveries(const RepoRef& repo, std::int64_t hook,
                                                           std::int64_t after) = 0;
  /// The body, as the webhook dialect reads it.
  virtual Result<std::string> GetDeliveryBody(const RepoRef& repo, std::int64_t hook,
                                              std::int64_t delivery) = 0;
};

}  // namespace swage
