// Settings: everything an operator can say, read once at start from one YAML file.
//
// Each setting is declared once, in settings_table.cc, with its type, default, bounds and manual
// text; parsing, error messages and config/reference.md all come from that table. Errors name the
// file, the line, the setting, what is wrong and what would be right.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/redact.h"
#include "config/base/result.h"
#include "config/isolation_means.h"
#include "config/isolation_rules.h"
#include "config/limits_settings.h"
#include "config/proxy.h"
#include "config/repo_policy.h"
#include "config/runtime_settings.h"
#include "config/secret.h"

namespace swage {

/// A private key that signs the bot's commits (F11). It stays in its file: the programs that sign
/// read it there, the bot only learns how to recognise it.
struct SigningKey {
  enum class Kind { kSsh, kOpenPgp };
  Kind kind = Kind::kSsh;
  std::filesystem::path file;  ///< empty = commits are not signed
  std::string where;           ///< "FILE:LINE: publish.signing_key", for messages

  bool Given() const { return !file.empty(); }
};

/// The bot as an App of a forge: it signs in with a key of its own and gets short-lived tokens.
struct AppSettings {
  std::string id;               ///< a number, or "Iv23..." of newer ones; empty = no App
  SecretValue private_key;      ///< PEM of an RSA key
  std::string installation_id;  ///< the only one to use; empty = whichever covers the repository

  bool Given() const { return !id.empty(); }
};

struct ForgeSettings {
  std::string name;     ///< [a-z0-9-]; part of task keys and of the webhook URL /hooks/NAME
  std::string kind;     ///< "github", "gitlab", "gitea" or "forgejo"
  std::string api_url;  ///< "https://api.github.com", "https://gitlab.example.com/api/v4"
  std::string git_url;  ///< "https://github.com": clone URLs are git_url/owner/name.git
  std::string ca_file;  ///< additional PEM authority; empty = the system's
  Proxy proxy;          ///< the way there, for its API and for git
  SecretValue token;    ///< empty with an App
  AppSettings app;
  SecretValue webhook_secret;
  std::map<std::string, SecretValue> repo_webhook_secrets;  ///< "owner/name" -> secret, wins (T6)
  std::vector<std::string>
      repos;  ///< globs, "!" excludes, the last match decides; empty = none (A10)
  std::vector<std::string> allowed_bots;            ///< account ids of bots that may trigger (T16)
  std::chrono::milliseconds timeout{30'000};        ///< of one request
  std::chrono::milliseconds write_interval{1'000};  ///< between two writes, of all nodes together
  int points_per_minute =
      0;                     ///< requests, of all nodes together; see pipeline/pace.h; 0 = no bound
  int content_per_hour = 0;  ///< writes that people are told of, likewise
  std::chrono::milliseconds pause{60'000};  ///< the first one when the forge does not say how long
};

/// The commands that comments can hold, as pipeline/command.h explains them.
inline constexpr std::string_view kCommandNames[] = {
    "help",  "run",  "fix",    "gates",    "rebase", "takeover", "retry",    "stop",
    "close", "hold", "unhold", "priority", "status", "logs",     "delegate", "undelegate"};

/// Where agents and gates find their commands, after AgentSettings::extra_path. The bot's own PATH
/// is not theirs: a service and a shell must find the same commands.
inline constexpr std::string_view kCommandPath = "/usr/local/bin:/usr/bin:/bin";

struct AgentSettings {
  std::string preset;                ///< "claude", "codex", ... or "command"
  std::string name;                  ///< as people see it; the preset unless told otherwise
  std::vector<std::string> command;  ///< with preset "command": argv with {placeholders}
  std::chrono::milliseconds time_limit{std::chrono::minutes(30)};
  std::chrono::milliseconds silence_limit{std::chrono::minutes(10)};
  std::size_t output_cap = 64 << 20;
  std::vector<std::string> pass_env;           ///< names copied from the bot's environment
  std::map<std::string, SecretValue> secrets;  ///< NAME -> secret given to the agent (an API key)
  std::vector<std::string> extra_path;         ///< directories put before the default PATH
};

/// What a process can be there for. Each duty of the bot belongs to exactly one of them.
inline constexpr std::string_view kRoleWeb = "web";                    ///< webhooks and pages
inline constexpr std::string_view kRoleWorker = "worker";              ///< agents and gates
inline constexpr std::string_view kRolePublisher = "publisher";        ///< intake, writes to forges
inline constexpr std::string_view kRoleHousekeeping = "housekeeping";  ///< recurring duties

/// One process among those that share a store.
struct NodeSettings {
  std::string name;  ///< unique among the nodes of a store; empty = the host's name
  std::vector<std::string> roles = {std::string(kRoleWeb), std::string(kRoleWorker),
                                    std::string(kRolePublisher), std::string(kRoleHousekeeping)};
  std::chrono::milliseconds lease{std::chrono::seconds(60)};
  LevelSet levels = LevelSet::All();  ///< at which tasks may run here, where the machine gives them
  bool Has(std::string_view role) const;
};

struct Settings {
  std::filesystem::path source;    ///< the file that was read; for messages
  std::filesystem::path data_dir;  ///< database, mirrors, workspaces, logs
  /// value: "sqlite" (data_dir/swage.db) or a postgres:// URL, which may hold a password;
  /// reference: the same without it, for people.
  SecretValue store{"sqlite", "sqlite"};
  SecretValue store_password;    ///< when given, in place of the URL's
  bool store_pgbouncer = false;  ///< a pooler of transactions stands before the database

  NodeSettings node;
  std::string listen = "127.0.0.1:8420";     ///< webhooks, /healthz, /readyz
  std::string dashboard = "127.0.0.1:8421";  ///< pages; loopback only (T56)
  std::string public_url;  ///< of the dashboard, for links in comments; may be empty
  std::chrono::milliseconds drain_limit{std::chrono::seconds(30)};  ///< for runs, when told to stop
  std::string log_level = "info";
  std::string log_format = "text";

  std::vector<ForgeSettings> forges;

  /// "webhook", "poll" or "both": how news come from the forges.
  std::string intake = "both";
  std::chrono::milliseconds poll_interval{std::chrono::seconds(30)};

  std::vector<std::string> triggers = {"label", "assignee", "mention"};
  std::string trigger_label = "swage";
  std::string command_prefix = "/swage";
  std::string min_role = "write";
  std::map<std::string, std::string> command_roles;  ///< command -> role, in place of min_role

  AgentSettings agent;
  std::vector<GateSpec> gates;  ///< for repositories whose policy names none
  bool policy_gates = true;     ///< false: gates of a repository's policy are not read
  int max_cycles = 3;
  int max_attempts = 3;  ///< claims of one run before it is parked (B9)
  std::chrono::milliseconds checkpoint_age{std::chrono::hours(14 * 24)};  ///< see AgeCheckpoints
  std::chrono::milliseconds attempt_delay{std::chrono::minutes(1)};  ///< grows with the attempts
  int quota_repo = 0;     ///< tasks an hour that may begin in one repository; 0 = any number
  int quota_account = 0;  ///< and for one account, in all repositories of a forge
  int concurrent_tasks = 4;
  int concurrent_tasks_per_repo = 4;
  int publishers = 4;  ///< threads that write to forges
  std::string branch_prefix = "swage/";
  std::string when_red = "draft";  ///< "draft" or "comment" (F9)
  std::string commit_name = "Swage";
  std::string commit_email = "swage@localhost";
  SigningKey signing_key;
  bool keep_workspaces = false;    ///< leave a finished task's files on disk
  std::string provision = "auto";  ///< "auto", "overlay", "recycled", "plain": how they come to be
  int kept_trees = 3;              ///< base checkouts per repository, ready for the next task
  std::chrono::milliseconds kept_trees_unused{std::chrono::hours(7 * 24)};
  std::size_t kept_trees_bytes = std::size_t{20} << 30;
  IsolationMeans isolation;
  DiskMark disk_high_water;

  PortSettings ports;
  std::vector<NamedSecret> secrets;
  std::vector<DatabaseSettings> databases;
  std::vector<CacheSettings> caches;
  /// "owner/name" or a glob -> where the ignored files are that tasks get copies of.
  std::map<std::string, std::filesystem::path> includes;
  HookSet hooks;
  IsolationRules isolation_rules;
  ResourceLimits task_limits = DefaultTaskLimits();  ///< of one command of a task
  EgressSettings egress;

  std::vector<std::string> warnings;  ///< what works but is hardly meant; one "FILE:LINE: ..." each
};

/// Reads and checks the file. Errors: kNotFound, kInvalid; the message may hold several lines, one
/// per fault, each "FILE:LINE: setting: what is wrong; what would be right".
Result<Settings> LoadSettings(const std::filesystem::path& file, Redactor& redactor);

/// Wipes the variables that `env:` references were read from out of this process's environment, so
/// that no child and no reader of /proc/PID/environ finds them (T26). Call before the first thread
/// starts.
void ForgetSecretVariables(const Settings& settings);

/// The manual, generated: what config/reference.md holds.
std::string SettingsReference();

/// "10m", "90s", "2h", "500ms". Errors: kInvalid.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

}  // namespace swage
