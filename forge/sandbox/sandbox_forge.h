// SandboxForge: a forge in a box, for the demo and for the tests.
//
// A real HTTP server on loopback that speaks GitHub's, GitLab's or Gitea's REST dialect over bare
// git repositories (clone, fetch and push over smart HTTP), sends signed webhooks, and misbehaves
// on request. State is in memory, git on disk below `data_dir`. The C++ functions act as a person
// at the forge would; they and the HTTP side share one lock, and all functions are safe from many
// threads. Snapshots are copies.
//
// URLs: GitHub API at Url() and Url()/api/v3, GraphQL at Url()/graphql; GitLab API at Url()/api/v4;
// Gitea API at Url()/api/v1; git at Url()/owner/name.git; control at
// Url()/_sandbox/{faults,requests,deliveries}.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/sandbox/faults.h"
#include "forge/sandbox/state.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {

struct SandboxOptions {
  Dialect dialect = Dialect::kGitHub;
  std::string address = "127.0.0.1";
  int port = 0;  ///< 0 = any free one
  std::filesystem::path data_dir;
  std::chrono::milliseconds webhook_delay{0};  ///< before each webhook is sent
  std::size_t threads = 16;
};

/// What a person says at once about a pull request.
struct NewReview {
  struct OnLine {
    std::string path;
    int line = 0;  ///< of the head's version
    std::string body;
    int start_line = 0;
  };
  std::string state = "CHANGES_REQUESTED";  ///< as in Review
  std::string body;
  std::vector<OnLine> comments = {};
};

class SandboxForge {
 public:
  /// Binds, then serves from threads of its own. Errors: kUnavailable (port taken), kInternal.
  static Result<std::unique_ptr<SandboxForge>> Start(SandboxOptions options);
  ~SandboxForge();
  void Stop();  ///< idempotent; waits for requests in flight

  int Port() const;
  std::string Url() const;     ///< "http://127.0.0.1:PORT"
  std::string ApiUrl() const;  ///< Url(), Url()/api/v4 or Url()/api/v1
  std::string GitUrl(std::string_view repo) const;
  Faults& faults();

  // --- setting the scene ---
  /// Returns the access token. An existing user's token is returned as it is.
  std::string CreateUser(std::string_view login, bool is_bot = false);
  /// The owner is made a user with kAdmin when there is none of that name.
  Result<void> CreateRepoFromGit(std::string_view path, const std::filesystem::path& source);
  Result<void> CreateRepoFromFiles(std::string_view path,
                                   const std::map<std::string, std::string>& files);
  void SetMember(std::string_view repo, std::string_view login, Role role);
  void SetPrivate(std::string_view repo, bool is_private);
  /// All events; returns the hook's id. Sends the ping.
  Id AddWebhook(std::string_view repo, std::string_view url, std::string_view secret);

  // --- a GitHub App: there is one, and accounts install it ---
  struct AppIdentity {
    std::string id;
    std::string private_key;  ///< PEM
    std::string bot;          ///< login of its bot
  };
  /// With the rights and events that Swage needs.
  AppIdentity CreateApp(std::string_view slug);
  void SetAppWebhook(std::string_view url, std::string_view secret);
  void SetAppPermission(std::string_view name, std::string_view level);  ///< empty: taken away
  /// Empty = all repositories of the account. These four send the App's webhooks.
  Id InstallApp(std::string_view account, const std::vector<std::string>& repos = {});
  void UninstallApp(std::string_view account);
  void SuspendApp(std::string_view account, bool suspended);
  void ChangeAppRepos(std::string_view account, const std::vector<std::string>& added,
                      const std::vector<std::string>& removed);
  /// For the App's tokens it is so much later.
  void AgeAppTokens(std::chrono::seconds time);
  std::size_t AppTokensMade() const;
  /// Somebody presses "Re-run" at a check run, "Re-run all checks" at a commit, or a run's button.
  void RerequestRun(std::string_view repo, std::string_view login, Id run);
  void RerequestSuite(std::string_view repo, std::string_view login, std::string_view sha);
  void RequestAction(std::string_view repo, std::string_view login, Id run,
                     std::string_view identifier);

  // --- acting as a user: unknown names are a bug of the caller (SWAGE_CHECK) ---
  std::int64_t CreateIssue(std::string_view repo, std::string_view login, std::string_view title,
                           std::string_view body, const std::vector<std::string>& labels = {});
  void AddLabel(std::string_view repo, std::string_view login, std::int64_t number,
                std::string_view label);
  void RemoveLabel(std::string_view repo, std::string_view login, std::int64_t number,
                   std::string_view label);
  /// The issue's assignees from now on, by their logins.
  void Assign(std::string_view repo, std::string_view login, std::int64_t number,
              const std::vector<std::string>& assignees);
  void EditIssue(std::string_view repo, std::string_view login, std::int64_t number,
                 const IssueChange& change);
  void CloseIssue(std::string_view repo, std::string_view login, std::int64_t number);
  void ReopenIssue(std::string_view repo, std::string_view login, std::int64_t number);
  void DeleteIssue(std::string_view repo, std::string_view login, std::int64_t number);
  /// Returns its number there.
  std::int64_t MoveIssue(std::string_view repo, std::string_view login, std::int64_t number,
                         std::string_view target);
  Id Comment(std::string_view repo, std::string_view login, std::int64_t number,
             std::string_view body);
  Id CommentOnPull(std::string_view repo, std::string_view login, std::int64_t number,
                   std::string_view body);
  /// A review: its text and its line comments, and then what it comes to.
  void ReviewPull(std::string_view repo, std::string_view login, std::int64_t number,
                  const NewReview& review);
  /// Answers in the thread in which `note` is. Returns the answer's id.
  Id ReplyToNote(std::string_view repo, std::string_view login, Id note, std::string_view body);
  Result<std::int64_t> CreatePull(std::string_view repo, std::string_view login,
                                  const NewPull& pull);
  void ClosePull(std::string_view repo, std::string_view login, std::int64_t number);
  Result<void> MergePull(std::string_view repo, std::string_view login, std::int64_t number);
  /// Commits files to a branch as a push would (webhook, pull heads). Returns the commit.
  Result<std::string> CommitToBranch(std::string_view repo, std::string_view login,
                                     std::string_view branch,
                                     const std::map<std::string, std::string>& files,
                                     std::string_view message);
  /// Sends a delivery again, under its guid.
  bool Redeliver(Id delivery);

  // --- looking ---
  std::optional<Issue> GetIssue(std::string_view repo, std::int64_t number) const;
  std::vector<Issue> Issues(std::string_view repo) const;
  std::optional<Pull> GetPull(std::string_view repo, std::int64_t number) const;
  std::vector<Pull> Pulls(std::string_view repo) const;
  std::vector<Status> Statuses(std::string_view repo, std::string_view sha = "") const;
  std::vector<CheckRun> CheckRuns(std::string_view repo) const;
  std::map<std::string, std::string> Branches(std::string_view repo) const;  ///< name -> sha
  /// A file at the tip of a branch (or at a commit). kNotFound.
  Result<std::string> ReadFileAt(std::string_view repo, std::string_view branch,
                                 std::string_view path) const;
  std::filesystem::path GitDir(std::string_view repo) const;
  std::string LoginOf(Id user) const;
  Id RepoId(std::string_view repo) const;
  std::vector<Delivery> Deliveries() const;
  std::vector<LoggedRequest> Requests() const;
  void ClearRequests();
  bool WaitForWebhooks(std::chrono::milliseconds limit = std::chrono::seconds(10)) const;
  /// Waits until `predicate` holds; it is asked again after every change, with the lock held.
  bool WaitUntil(const std::function<bool(World&)>& predicate,
                 std::chrono::milliseconds limit = std::chrono::seconds(30));
  /// Anything else, under the lock.
  void With(const std::function<void(World&)>& action);

 private:
  struct State;
  explicit SandboxForge(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace swage::sandbox
