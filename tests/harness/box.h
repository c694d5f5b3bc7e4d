// Box: a sandbox forge and the real `swage serve` binary beside it, for end-to-end tests that read
// as a script. The server is a child process of its own, so it can be killed as a power cut would.
//
// Nothing is timed: every wait is for a state, with a limit that only a broken build reaches.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bot/demo/reserved_port.h"
#include "config/base/files.h"
#include "forge/sandbox/sandbox_forge.h"

namespace swage::test {

/// "GitHub": for the names of tests.
std::string_view NameOf(sandbox::Dialect dialect);
/// "github": the kind in the settings.
std::string KindOf(sandbox::Dialect dialect);

struct BoxOptions {
  sandbox::Dialect dialect = sandbox::Dialect::kGitHub;
  /// The repository's first commit; `.swage.yml` among them.
  std::map<std::string, std::string> files;
  /// A bash script, run as the agent: $1 = task.json, cwd = the workspace.
  std::string agent;
  /// Added to swage.yml as it is.
  std::string extra_config;
  std::string repo = "acme/lib";
  /// The bot is an App that the repository's owner installed, in place of an account with a token.
  bool app = false;
  bool start = true;
  /// What follows the agent's script on its command line, as YAML list items.
  std::string agent_arguments = "\"{task_file}\"";
  /// Lines for the forge's entry in swage.yml, each with four blanks before it.
  std::string forge_config;
  /// The forge's setting of this name.
  std::string write_interval = "0s";
  /// Instead of the real ones, where not empty.
  std::string api_url;
  std::string git_url;
  std::string token;
  std::string webhook_secret;
  std::string dashboard_host = "127.0.0.1";
  /// As in swage.yml. Most tests are about what a webhook does, alone; the others poll often.
  std::string intake = "webhook";
  /// Whether the forge is told where to send webhooks.
  bool webhook = true;
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  /// Somewhere else than beside the box's other files.
  std::filesystem::path data_dir;
  /// Whether agents may write into Box::dir(), beside what a task's level allows.
  bool agents_meet = true;
};

/// A small repository whose gate `tests` passes when `answer.txt` holds 42, and whose advisory gate
/// `style` warns about lines that hold "TODO".
std::map<std::string, std::string> AnswerRepo();
/// An agent that needs two cycles for AnswerRepo: writes 41, and 42 once told what failed.
std::string TwoCycleAgent();

class Box {
 public:
  explicit Box(BoxOptions options);
  ~Box();

  sandbox::SandboxForge& forge() { return *forge_; }
  const std::string& repo() const { return options_.repo; }
  /// Where tests, forge and agents meet; agents may write there unless BoxOptions says otherwise.
  const std::filesystem::path& dir() const { return meeting_; }
  std::filesystem::path data_dir() const {
    return options_.data_dir.empty() ? dir_.path() / "data" : options_.data_dir;
  }
  std::string HooksUrl() const;
  int hooks_port() const { return hooks_port_.number(); }
  int dashboard_port() const { return dashboard_port_.number(); }
  const std::string& webhook_secret() const { return secret_; }
  const std::string& bot_token() const { return bot_token_; }
  const std::string& bot() const { return bot_; }  ///< its login

  // --- the server
  void StartServer();
  /// As StartServer, without waiting for it.
  void LaunchServer() { Spawn(); }
  /// With variables for its environment, and without a word if it ends before it serves.
  void StartServerWith(std::map<std::string, std::string> env);
  /// Whether it has ended by itself; it is reaped then.
  bool ServerEnded();
  void KillServer();  ///< SIGKILL, reaped
  int StopServer();   ///< SIGTERM; returns the exit code
  void Signal(int signal);
  int AwaitExit();  ///< the exit code, or 128 + the signal that ended it
  /// For a server that refuses to start: its exit code, or -1 when it serves all the same.
  int ServeToExit();
  void Freeze();  ///< the server stands still; what is sent to it waits
  void Thaw();
  pid_t server_pid() const { return pid_; }
  struct Ran {
    int code = -1;
    std::string out;  ///< stdout
    std::string err;
  };
  /// Runs `swage ARGUMENTS --config FILE` beside the server, to its end.
  Ran Run(std::vector<std::string> arguments);
  /// Everything the server wrote to stdout and stderr, all starts together.
  std::string ServerLog() const;
  std::string AllLogs() const;  ///< with those of the steps

  // --- people. "ada" maintains, "eve" reads, "swage-bot" is the server's own account.
  void SetAgent(const std::string& script);
  /// Changes the first occurrence in swage.yml; for the next start.
  void EditConfig(std::string_view what, std::string_view with);
  /// Opens an issue as ada and labels it.
  std::int64_t LabelledIssue(std::string_view title, std::string_view body = "Please.");
  /// The thread of the one pull request.
  void CommentOnPull(std::string_view login, std::int64_t number, std::string_view body);

  // --- waiting
  /// The pull request of the branch of this issue, once `ready` holds for it.
  std::optional<sandbox::Pull> WaitForPull(std::int64_t issue,
                                           const std::function<bool(const sandbox::Pull&)>& ready);
  /// Until the issue's sticky comment contains `text`.
  bool WaitForSticky(std::int64_t issue, std::string_view text);
  bool WaitForFile(const std::filesystem::path& path);
  /// Until every webhook so far was delivered, and decided upon.
  bool Settle();
  bool WaitForLog(std::string_view text);
  bool WaitFor(const std::function<bool()>& condition);

  // --- looking
  std::vector<sandbox::Note> NotesBy(std::string_view login, std::int64_t issue);
  std::string Sticky(std::int64_t issue);
  std::vector<sandbox::Pull> Pulls() { return forge_->Pulls(repo()); }
  /// Reviews (GitHub) or summary notes (GitLab) of the bot on a pull request.
  std::vector<std::string> ReviewBodies(const sandbox::Pull& pull);
  /// The bot's line comments on a pull request that are not resolved.
  std::vector<std::string> OpenLineComments(const sandbox::Pull& pull);
  /// Everything that the bot has said at the forge: comments, pull requests, reviews, statuses.
  std::vector<std::string> BotTexts() { return BotTextsIn(repo()); }
  std::vector<std::string> BotTextsIn(std::string_view repo);
  /// Runs a read-only query on a copy of the server's database; rows joined by '\n', columns by
  /// '|'.
  std::string Query(const std::string& sql);

 private:
  std::string ExtraConfig() const;
  void WriteConfig();
  void Spawn(const std::map<std::string, std::string>& extra_env = {});
  pid_t SpawnSwage(std::vector<std::string> arguments, const std::string& out,
                   const std::string& err,
                   const std::map<std::string, std::string>& extra_env = {});
  bool Healthy() const;

  BoxOptions options_;
  TempDir dir_{"swage-box-"};
  const std::filesystem::path meeting_ = dir_.path() / "box";
  std::unique_ptr<sandbox::SandboxForge> forge_;
  std::string bot_ = "swage-bot";
  std::string bot_token_;  ///< empty for an App
  sandbox::SandboxForge::AppIdentity app_;
  std::string secret_;
  demo::ReservedPort hooks_port_;  ///< kept over restarts of the server
  demo::ReservedPort dashboard_port_;
  pid_t pid_ = -1;
};

}  // namespace swage::test
