#include "config/settings_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "config/base/text.h"
#include "config/gate_spec.h"
#include "config/isolation_table.h"
#include "config/limits_table.h"
#include "config/profile_rule.h"
#include "config/runtime_table.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

bool IsLabel(std::string_view s) {
  return s.find(',') == std::string_view::npos && s.front() != ' ';
}

bool IsCommandPrefix(std::string_view s) {
  return s.size() > 1 && s.front() == '/' && IsGateName(s.substr(1));
}

bool IsCommandName(std::string_view s) {
  return std::ranges::find(kCommandNames, s) != std::ranges::end(kCommandNames);
}

std::string_view CommandNames() {
  static const std::string kNames =
      "one of " + Join({std::begin(kCommandNames), std::end(kCommandNames)}, ", ");
  return kNames;
}

bool IsDigits(std::string_view s) {
  return s.find_first_not_of("0123456789") == s.npos;
}

bool IsAppId(std::string_view s) {
  return s.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") ==
         s.npos;
}

bool IsEmail(std::string_view s) {
  const std::size_t at = s.find('@');
  return at != s.npos && at > 0 && at + 1 < s.size() && s.find_first_of("<> ") == s.npos;
}

bool IsPersonName(std::string_view s) {
  return s.find_first_of("<>") == s.npos && s.front() != ' ';
}

bool IsBranchPrefix(std::string_view s) {
  return s.back() == '/' && s.size() > 1 && IsForgeName(s.substr(0, s.size() - 1));
}

bool IsNodeName(std::string_view s) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return s.find_first_not_of(kAllowed) == s.npos && s.front() != '-';
}

bool HasNoColon(std::string_view s) {
  return s.find(':') == s.npos;
}

bool IsTriggerKind(std::string_view s) {
  return s == "label" || s == "assignee" || s == "mention";
}

bool IsRole(std::string_view s) {
  return s == kRoleWeb || s == kRoleWorker || s == kRolePublisher || s == kRoleHousekeeping;
}

bool IsAbsolutePath(std::string_view s) {
  return s.front() == '/' && s.find(':') == s.npos;
}

// What the public forge of that kind has, if there is one, and how self-managed ones end their
// API's address.
struct KindDefaults {
  std::string_view kind;
  std::string_view api_url;
  std::string_view git_url;
  std::string_view api_path;
  int points_per_minute = 0;
  int content_per_hour = 0;
};
constexpr KindDefaults kKinds[] = {
    {"github", "https://api.github.com", "https://github.com", "/api/v3", 900, 500},
    {"gitlab", "https://gitlab.com/api/v4", "https://gitlab.com", "/api/v4"},
    {"gitea", "", "", "/api/v1"},
    {"forgejo", "", "", "/api/v1"},
};

// Fills the addresses that were left out. Half of a pair must not point at the public forge while
// the other half points at a private one.
void SettleAddresses(ForgeSettings& forge, const Spot& spot) {
  for (const KindDefaults& kind : kKinds) {
    if (kind.kind != forge.kind) continue;
    if (kind.api_url.empty() && forge.api_url.empty()) {
      spot.reading.faults.Add(
          spot.line, spot.setting + ".api_url",
          fmt::format("is missing: every {0} is somebody's own; write https://HOST{1}", kind.kind,
                      kind.api_path));
    } else if (forge.api_url.empty() && forge.git_url.empty()) {
      forge.api_url = kind.api_url;
      forge.git_url = kind.git_url;
    } else if (forge.api_url == kind.api_url && forge.git_url.empty()) {
      forge.git_url = kind.git_url;
    } else if (forge.api_url.empty()) {
      spot.reading.faults.Add(spot.line, spot.setting + ".api_url",
                              "is missing, though git_url is given; write both");
    } else if (forge.git_url.empty() && forge.api_url.ends_with(kind.api_path)) {
      forge.git_url = forge.api_url.substr(0, forge.api_url.size() - kind.api_path.size());
    } else if (forge.git_url.empty()) {
      spot.reading.faults.Add(spot.line, spot.setting + ".git_url",
                              "is missing and cannot be told from api_url; write both");
    }
  }
}

// Whoever writes to a forge of his own without a pause has no limits to keep.
void SettleAllowances(ForgeSettings& forge, const Spot& spot) {
  const auto given = [&](const char* name) {
    return spot.reading.lines.contains(spot.setting + "." + name);
  };
  for (const KindDefaults& kind : kKinds) {
    if (kind.kind != forge.kind || forge.write_interval.count() == 0) continue;
    if (!given("points_per_minute")) forge.points_per_minute = kind.points_per_minute;
    if (!given("content_per_hour")) forge.content_per_hour = kind.content_per_hour;
  }
}

// An App or an account, and not half of either.
void SettleCredential(const ForgeSettings& forge, const Spot& spot) {
  const auto given = [&](const char* name) {
    return spot.reading.lines.contains(spot.setting + "." + name);
  };
  const auto fault = [&](const char* name, std::string_view text) {
    const std::string setting = spot.setting + "." + name;
    spot.reading.faults.Add(spot.reading.LineOf(setting, spot.line), setting, text);
  };
  const bool app = given("app_id") || given("private_key");
  if (app && given("token")) {
    fault(given("app_id") ? "app_id" : "private_key",
          "is given beside token, and the bot can be only one account; remove token to be the App, "
          "or app_id and private_key to be the token's account");
  } else if (app && !forge.kind.empty() && forge.kind != "github") {
    fault("app_id", "is for forges of the kind github; write a token in its place");
  } else if (given("app_id") && !given("private_key")) {
    fault("private_key", "is missing beside app_id; write for example file:/etc/swage/app.pem");
  } else if (given("private_key") && !given("app_id")) {
    fault("app_id", "is missing beside private_key; write the \"App ID\" of the App's page");
  } else if (!app && !given("token")) {
    fault("token",
          forge.kind == "github"
              ? "is missing; write for example file:/etc/swage/token, or app_id and private_key"
              : "is missing; write for example file:/etc/swage/token");
  } else if (!app && given("installation_id")) {
    fault("installation_id", "has no meaning without app_id; remove it");
  }
}

// The file's proxy with its credential, or the environment's with its own.
void SettleProxy(ForgeSettings& forge, const Spot& spot) {
  const auto given = [&](const char* name) {
    return spot.reading.lines.contains(spot.setting + "." + name);
  };
  const auto fault = [&](const char* name, std::string_view text) {
    const std::string setting = spot.setting + "." + name;
    spot.reading.faults.Add(spot.reading.LineOf(setting, spot.line), setting, text);
  };
  for (const char* name : {"proxy_user", "proxy_password"}) {
    if (given(name) && !given("proxy")) fault(name, "has no meaning without proxy; remove it");
  }
  if (given("proxy_user") != given("proxy_password")) {
    fault(given("proxy_user") ? "proxy_password" : "proxy_user",
          "is missing; a proxy asks for both, or for neither");
  }
  if (given("proxy")) return;
  Result<Proxy> proxy = ProxyOfEnvironment();
  if (!proxy.ok()) {
    fault("proxy", proxy.error().message + "; write none, or http://HOST:PORT");
    return;
  }
  forge.proxy = *std::move(proxy);
  // A short one would blank out ordinary words.
  if (spot.reading.redactor != nullptr) {
    (void)spot.reading.redactor->Add(forge.proxy.password.value);
  }
}

const ChoiceRule& WhenRed() {
  static const ChoiceRule kRule{{"draft", "comment"}};
  return kRule;
}

}  // namespace

const std::vector<Setting<ForgeSettings>>& ForgeTable() {
  static const std::vector<Setting<ForgeSettings>> kTable = {
      Declare<ForgeSettings>(
          {.path = "kind",
           .manual = "What it speaks. `gitea` and `forgejo` are the same.",
           .example = "github",
           .required = true},
          ChoiceRule{{"github", "gitlab", "gitea", "forgejo"}},
          [](auto& f) -> auto& { return f.kind; }),
      Declare<ForgeSettings>(
          {.path = "name",
           .manual =
               "Part of task keys and of the webhook's address, `/hooks/NAME`. Do not change it "
               "once tasks exist.",
           .example = "github",
           .fallback = "the kind"},
          TextRule{.kind = "a name of a-z, 0-9 and -", .max_bytes = 32, .valid = IsForgeName},
          [](auto& f) -> auto& { return f.name; }),
      Declare<ForgeSettings>(
          {.path = "api_url",
           .manual = "Where its REST interface is. `http` only to this machine.",
           .example = "https://gitlab.example.com/api/v4",
           .fallback = "`https://api.github.com` or `https://gitlab.com/api/v4`; **required** for "
                       "`gitea` and `forgejo`"},
          UrlRule{}, [](auto& f) -> auto& { return f.api_url; }),
      Declare<ForgeSettings>(
          {.path = "git_url",
           .manual = "Where git clones from and pushes to: `git_url/OWNER/NAME.git`.",
           .example = "https://gitlab.example.com",
           .fallback = "`https://github.com`, `https://gitlab.com`, or `api_url` without its "
                       "`/api/v3`, `/api/v4` or `/api/v1`"},
          UrlRule{}, [](auto& f) -> auto& { return f.git_url; }),
      Declare<ForgeSettings>(
          {.path = "token",
           .manual = "What the bot signs in with. It never comes near an agent or a gate.",
           .example = "file:/etc/swage/token",
           .fallback = "**required**, unless `app_id` and `private_key` are given"},
          SecretRule{}, [](auto& f) -> auto& { return f.token; }),
      Declare<ForgeSettings>(
          {.path = "app_id",
           .manual = "The bot is a GitHub App, in place of an account with a `token`: this is the "
                     "\"App ID\" of the App's page. Each request and each push then has a token "
                     "of its own, for an hour at most, for one repository, and for what it needs.",
           .example = "\"123456\"",
           .fallback = "no App"},
          TextRule{.kind = "an App's id or client id", .max_bytes = 40, .valid = IsAppId},
          [](auto& f) -> auto& { return f.app.id; }),
      Declare<ForgeSettings>(
          {.path = "private_key",
           .manual = "The App's private key, as GitHub gives it out (PEM).",
           .example = "file:/etc/swage/app.pem",
           .fallback = "**required** with `app_id`"},
          RsaKeyRule{}, [](auto& f) -> auto& { return f.app.private_key; }),
      Declare<ForgeSettings>(
          {.path = "installation_id",
           .manual =
               "The only installation of the App to use. Without it each repository is served "
               "by the installation that covers it, in as many organisations as there are.",
           .example = "\"7654321\"",
           .fallback = "whichever covers the repository"},
          TextRule{.kind = "a number", .max_bytes = 20, .valid = IsDigits},
          [](auto& f) -> auto& { return f.app.installation_id; }),
      Declare<ForgeSettings>(
          {.path = "webhook_secret",
           .manual =
               "Signs the webhooks. Without one nobody could tell a forged delivery, so there is "
               "no start without it.",
           .example = "file:/etc/swage/webhook-secret",
           .fallback = "**required**, unless `intake` is `poll`"},
          SecretRule{}, [](auto& f) -> auto& { return f.webhook_secret; }),
      Declare<ForgeSettings>(
          {.path = "repo_webhook_secrets",
           .manual =
               "Secrets of single repositories or owners. The narrowest entry that matches is the "
               "only one that is accepted for a repository.",
           .example = "{acme/lib: file:/etc/swage/acme-lib, \"acme/*\": env:ACME_SECRET}"},
          MapRule<SecretRule>{.key = {.kind = "OWNER/NAME or a glob", .valid = IsRepoKey},
                              .inner = {},
                              .value_example = "file:/etc/swage/acme-lib",
                              .max_items = 1'000},
          [](auto& f) -> auto& { return f.repo_webhook_secrets; }),
      Declare<ForgeSettings>(
          {.path = "repos",
           .manual =
               "Which repositories may be worked on. Globs; `!` in front excludes; the last match "
               "decides. Without an entry: none.",
           .example = "[\"acme/*\", \"!acme/secret\"]"},
          ListRule{{.kind = "OWNER/NAME or a glob such as \"acme/*\"",
                    .max_bytes = 500,
                    .valid = IsRepoGlob},
                   1'000},
          [](auto& f) -> auto& { return f.repos; }),
      Declare<ForgeSettings>(
          {.path = "allowed_bots",
           .manual = "Account ids (numbers) of bots that may ask for work as people do. Others are "
                     "ignored.",
           .example = "[\"49699333\"]"},
          ListRule{{.kind = "an account id (a number)", .max_bytes = 20, .valid = IsDigits}, 100},
          [](auto& f) -> auto& { return f.allowed_bots; }),
      Declare<ForgeSettings>(
          {.path = "ca_file",
           .manual =
               "An authority to trust beside the system's, for a forge with a private certificate.",
           .example = "/etc/swage/ca.pem"},
          CertificateRule{}, [](auto& f) -> auto& { return f.ca_file; }),
      Declare<ForgeSettings>(
          {.path = "proxy",
           .manual =
               "The HTTP proxy that requests and git go through, by CONNECT; `none`: straight "
               "there. `HTTPS_PROXY` may hold a user and a password; `NO_PROXY` lists hosts "
               "and domains that need none. Agents and gates learn of no proxy.",
           .example = "http://proxy.example.com:3128",
           .fallback = "what `HTTPS_PROXY` and `NO_PROXY` say"},
          ProxyRule{}, [](auto& f) -> auto& { return f.proxy.server; }),
      Declare<ForgeSettings>(
          {.path = "proxy_user",
           .manual = "Whom the proxy knows the bot as (basic authentication).",
           .example = "swage",
           .fallback = "nobody"},
          TextRule{.kind = "a user name without a colon", .valid = HasNoColon},
          [](auto& f) -> auto& { return f.proxy.username; }),
      Declare<ForgeSettings>(
          {.path = "proxy_password",
           .manual = "That user's password.",
           .example = "file:/etc/swage/proxy-password"},
          SecretRule{}, [](auto& f) -> auto& { return f.proxy.password; }),
      Declare<ForgeSettings>(
          {.path = "timeout",
           .manual = "How long one request may take before it counts as failed.",
           .example = "30s"},
          DurationRule{milliseconds(100), minutes(5)}, [](auto& f) -> auto& { return f.timeout; }),
      Declare<ForgeSettings>(
          {.path = "write_interval",
           .manual = "The least time between two writes, all nodes together. GitHub asks for a "
                     "second, which also keeps within the 60 notes a minute of gitlab.com; `0s` is "
                     "for a forge of your own.",
           .example = "1s"},
          DurationRule{milliseconds(0), minutes(1)},
          [](auto& f) -> auto& { return f.write_interval; }),
      Declare<ForgeSettings>(
          {.path = "points_per_minute",
           .manual =
               "How much may be asked in any minute, all nodes together: a read is one point, "
               "a write five. Of an App, per installation. `0` is any number.",
           .example = "900",
           .fallback = "`900` for `github` unless `write_interval` is `0s`, else `0`"},
          IntRule{0, 1'000'000}, [](auto& f) -> auto& { return f.points_per_minute; }),
      Declare<ForgeSettings>(
          {.path = "content_per_hour",
           .manual = "How many writes that people are told of (comments, reviews, pull requests) "
                     "may be made in any hour; a quarter of them at once. Likewise.",
           .example = "500",
           .fallback = "`500` for `github` unless `write_interval` is `0s`, else `0`"},
          IntRule{0, 1'000'000}, [](auto& f) -> auto& { return f.content_per_hour; }),
      Declare<ForgeSettings>(
          {.path = "pause",
           .manual = "How long the forge is left alone when it refuses for its limits, or refuses "
                     "the token, and does not say for how long; then twice as long, up to an hour. "
                     "A host that fails five times in a row is tried again after a twelfth of it.",
           .example = "1m"},
          DurationRule{milliseconds(100), hours(1)}, [](auto& f) -> auto& { return f.pause; }),
  };
  return kTable;
}

std::optional<std::vector<ForgeSettings>> ForgesRule::Read(const YamlNode& node,
                                                           const Spot& spot) const {
  if (!IsListOrNull(node, kMaxForges, spot)) return std::nullopt;
  if (node.items.empty()) spot.Fault("names no forge");
  Value forges;
  std::set<std::string> names;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Spot at{fmt::format("{}[{}]", spot.setting, i), node.items[i].line, spot.example,
                  spot.reading};
    ForgeSettings forge;
    spot.reading.lines[at.setting] = at.line;
    ReadSettings(node.items[i], ForgeTable(), at.setting + ".", forge, spot.reading);
    SettleAddresses(forge, at);
    SettleAllowances(forge, at);
    SettleCredential(forge, at);
    SettleProxy(forge, at);
    if (forge.name.empty()) forge.name = forge.kind;
    if (!forge.name.empty() && !names.insert(forge.name).second) {
      spot.reading.faults.Add(
          spot.reading.LineOf(at.setting + ".name", at.line), at.setting + ".name",
          fmt::format("{} is taken by another forge; give each its own", Quoted(forge.name)));
    }
    forges.push_back(std::move(forge));
  }
  return forges;
}

namespace {

const std::vector<Setting<Settings>>& CoreServerTable() {
  static const std::vector<Setting<Settings>> kTable = {
      Declare<Settings>(
          {.path = "data_dir",
           .manual = "Database, mirrors, workspaces and logs. Created if absent; for the bot's "
                     "user alone.",
           .example = "/var/lib/swage",
           .required = true},
          PathRule{}, [](auto& s) -> auto& { return s.data_dir; }),
      Declare<Settings>(
          {.path = "store",
           .manual =
               "The database. `sqlite` is `swage.db` in `data_dir`, with the folder "
               "`swage.db.bodies` that belongs to it, for one process. "
               "`postgres://USER:PASSWORD@HOST:PORT/DATABASE` is a PostgreSQL database (14 or "
               "newer) that many processes share; options as in libpq, for example "
               "`?sslmode=verify-full` or `?host=/run/postgresql`. `env:NAME` and "
               "`file:PATH` name where such a URL is kept.",
           .example = "postgres://swage@db.example.com/swage"},
          StoreRule{}, [](auto& s) -> auto& { return s.store; }),
      Declare<Settings>(
          {.path = "store_password",
           .manual = "The password of the PostgreSQL database, when the URL has none.",
           .example = "file:/etc/swage/database-password"},
          SecretRule{}, [](auto& s) -> auto& { return s.store_password; }),
      Declare<Settings>(
          {.path = "store_pgbouncer",
           .manual =
               "A pooler that hands out sessions per transaction stands before PostgreSQL: nothing "
               "is kept in a session, and other nodes' work is found by polling alone.",
           .example = "true"},
          BoolRule{}, [](auto& s) -> auto& { return s.store_pgbouncer; }),
      Declare<Settings>(
          {.path = "node.name",
           .manual = "What this process is called among those that share a database. No two may "
                     "have the same; keep it over restarts.",
           .example = "worker-1",
           .fallback = "the host's name"},
          TextRule{.kind = "a name of letters, digits, '.', '-' and '_'",
                   .max_bytes = 64,
                   .valid = IsNodeName},
          [](auto& s) -> auto& { return s.node.name; }),
      Declare<Settings>(
          {.path = "node.roles",
           .manual =
               "What this process does: `web` takes webhooks and serves the pages, `worker` runs "
               "agents and gates, `publisher` decides on deliveries and writes to the forges, "
               "`housekeeping` reconciles and tidies. Between them, the processes on a database "
               "need all four; `swage serve --roles` wins over this.",
           .example = "[worker]"},
          ListRule{
              {.kind = "web, worker, publisher or housekeeping", .max_bytes = 20, .valid = IsRole},
              4},
          [](auto& s) -> auto& { return s.node.roles; }),
      Declare<Settings>(
          {.path = "node.lease",
           .manual = "Others take over this node's tasks when it was not heard of for so long; it "
                     "stops its own agents before. Shorter ones are for tests.",
           .example = "60s"},
          DurationRule{std::chrono::seconds(8), std::chrono::minutes(10)},
          [](auto& s) -> auto& { return s.node.lease; }),
      Declare<Settings>(
          {.path = "listen",
           .manual = "Where webhooks (`/hooks/NAME`), `/healthz` (the process lives and reaches "
                     "its database) and `/readyz` (what each of its roles says) are served. Put a "
                     "TLS proxy before it.",
           .example = "127.0.0.1:8420"},
          AddressRule{}, [](auto& s) -> auto& { return s.listen; }),
      Declare<Settings>(
          {.path = "dashboard",
           .manual = "Where the pages are served. They have no login, so only this machine may "
                     "reach them.",
           .example = "127.0.0.1:8421"},
          AddressRule{.loopback_only = true}, [](auto& s) -> auto& { return s.dashboard; }),
      Declare<Settings>(
          {.path = "public_url",
           .manual =
               "The dashboard's address as people reach it, for links in comments. Without it "
               "comments carry no such links.",
           .example = "https://swage.example.com"},
          UrlRule{.carries_token = false}, [](auto& s) -> auto& { return s.public_url; }),
      Declare<Settings>(
          {.path = "drain_limit",
           .manual =
               "How long runs may go on when the server is told to stop (SIGTERM). What is "
               "not done by then goes back to the queue and on from its last checkpoint; `0s` "
               "gives everything back at once. Whatever stops the server must wait longer: "
               "systemd's `TimeoutStopSec`, Kubernetes' `terminationGracePeriodSeconds`.",
           .example = "30s"},
          DurationRule{milliseconds(0), hours(6)}, [](auto& s) -> auto& { return s.drain_limit; }),
      Declare<Settings>(
          {.path = "log.level", .manual = "The least that is logged.", .example = "info"},
          ChoiceRule{{"debug", "info", "warn", "error"}},
          [](auto& s) -> auto& { return s.log_level; }),
      Declare<Settings>(
          {.path = "log.format",
           .manual = "For people or for machines. Lines go to stderr.",
           .example = "text"},
          ChoiceRule{{"text", "json"}}, [](auto& s) -> auto& { return s.log_format; }),
      Declare<Settings>(
          {.path = "forges",
           .manual = "Where issues come from and pull requests go to; see Forges below.",
           .example = "[{kind: github, token: env:TOKEN, webhook_secret: env:SECRET}]",
           .required = true},
          ForgesRule{}, [](auto& s) -> auto& { return s.forges; }),
      Declare<Settings>(
          {.path = "intake",
           .manual = "How the server hears of labels and comments: `webhook` waits for the forges "
                     "to tell, `poll` asks them and needs no public address, `both` does both and "
                     "finds what webhooks lost.",
           .example = "both"},
          ChoiceRule{{"webhook", "poll", "both"}}, [](auto& s) -> auto& { return s.intake; }),
      Declare<Settings>(
          {.path = "poll_interval",
           .manual = "How often the forges are asked. A question to which nothing is new costs no "
                     "quota.",
           .example = "30s"},
          DurationRule{milliseconds(200), hours(1)},
          [](auto& s) -> auto& { return s.poll_interval; }),
      Declare<Settings>(
          {.path = "trigger.label",
           .manual =
               "The label that hands an issue to the bot. `LABEL:PROFILE` picks a profile of the "
               "repository's policy.",
           .example = "swage"},
          TextRule{.kind = "a label without a comma", .max_bytes = 50, .valid = IsLabel},
          [](auto& s) -> auto& { return s.trigger_label; }),
      Declare<Settings>(
          {.path = "trigger.by",
           .manual =
               "What asks for work: `label`, `assignee` (an issue is assigned to the bot's "
               "account) and `mention` (a new issue or a comment with a line that begins with "
               "`@` and the bot's name, and goes on in plain words). Leave `assignee` and "
               "`mention` out when the account is a person's own. Commands in comments always "
               "do.",
           .example = "[label]"},
          ListRule{{.kind = "label, assignee or mention", .max_bytes = 20, .valid = IsTriggerKind},
                   3},
          [](auto& s) -> auto& { return s.triggers; }),
      Declare<Settings>(
          {.path = "trigger.min_role",
           .manual = "What somebody must be in a repository to hand issues to the bot or to "
                     "command it.",
           .example = "write"},
          ChoiceRule{{"triage", "write", "maintain", "admin"}},
          [](auto& s) -> auto& { return s.min_role; }),
      Declare<Settings>(
          {.path = "commands.prefix",
           .manual = "How a command in a comment begins.",
           .example = "/swage"},
          TextRule{.kind = "a slash and a word of a-z, 0-9, - and _",
                   .max_bytes = 30,
                   .valid = IsCommandPrefix},
          [](auto& s) -> auto& { return s.command_prefix; }),
      Declare<Settings>(
          {.path = "commands.roles",
           .manual = "What somebody must be for single commands, in place of `trigger.min_role`.",
           .example = "{status: read, stop: triage, delegate: maintain}"},
          MapRule<ChoiceRule>{
              .key = {.kind = CommandNames(), .max_bytes = 30, .valid = IsCommandName},
              .inner = {{"read", "triage", "write", "maintain", "admin"}},
              .value_example = "triage"},
          [](auto& s) -> auto& { return s.command_roles; }),
      Declare<Settings>(
          {.path = "agent.preset",
           .manual = "The coding agent: a built-in preset, or `command` for your own. `swage "
                     "config check` "
                     "lists the presets and says whether the command is there.",
           .example = "codex",
           .fallback = "`command` if there is one"},
          TextRule{.kind = "a name of a-z, 0-9, - and _", .max_bytes = 40, .valid = IsGateName},
          [](auto& s) -> auto& { return s.agent.preset; }),
      Declare<Settings>(
          {.path = "agent.name",
           .manual = "How pull requests and pages call the agent.",
           .example = "codex with our prompt",
           .fallback = "the preset"},
          TextRule{.kind = "a name", .max_bytes = 60},
          [](auto& s) -> auto& { return s.agent.name; }),
      Declare<Settings>(
          {.path = "agent.command",
           .manual = "Your own agent, as a list of words. `{prompt}` (the text), `{prompt_file}`, "
                     "`{task_file}` and `{workspace}` are filled in; no shell sees them. The two "
                     "files are also "
                     "in `SWAGE_PROMPT_FILE` and `SWAGE_TASK_FILE`.",
           .example = "[my-agent, --prompt-file, \"{prompt_file}\"]"},
          ListRule{{.kind = "a word of a command", .max_bytes = 8'000, .may_be_empty = true}, 100},
          [](auto& s) -> auto& { return s.agent.command; }),
      Declare<Settings>(
          {.path = "agent.time_limit",
           .manual =
               "One run of the agent is stopped after this time; what it has done so far counts.",
           .example = "30m"},
          DurationRule{milliseconds(100), hours(24)},
          [](auto& s) -> auto& { return s.agent.time_limit; }),
      Declare<Settings>(
          {.path = "agent.silence_limit",
           .manual = "It is also stopped after this time without a word of output.",
           .example = "10m"},
          DurationRule{milliseconds(100), hours(24)},
          [](auto& s) -> auto& { return s.agent.silence_limit; }),
      Declare<Settings>(
          {.path = "agent.output_cap",
           .manual = "The most that is kept of one run's output.",
           .example = "64MiB"},
          SizeRule{64 << 10, std::size_t{1} << 30},
          [](auto& s) -> auto& { return s.agent.output_cap; }),
      Declare<Settings>(
          {.path = "agent.pass_env",
           .manual =
               "Variables copied from the bot's environment to the agent's. Everything else of it "
               "stays behind.",
           .example = "[HTTPS_PROXY]"},
          ListRule{{.kind = "a variable's name", .valid = IsEnvName}, 100},
          [](auto& s) -> auto& { return s.agent.pass_env; }),
      Declare<Settings>(
          {.path = "agent.secrets",
           .manual =
               "Secrets that the agent gets as variables: the key of its model. Redacted in all "
               "that leaves.",
           .example = "{OPENAI_API_KEY: file:/etc/swage/model-key}"},
          MapRule<SecretRule>{.key = {.kind = "a variable's name", .valid = IsEnvName},
                              .inner = {},
                              .value_example = "file:/etc/swage/model-key"},
          [](auto& s) -> auto& { return s.agent.secrets; }),
      Declare<Settings>(
          {.path = "agent.extra_path",
           .manual = "Folders before the usual PATH (`/usr/local/bin:/usr/bin:/bin`) of agents and "
                     "gates.",
           .example = "[/opt/agent/bin]"},
          ListRule{{.kind = "an absolute path", .max_bytes = 1'000, .valid = IsAbsolutePath}, 20},
          [](auto& s) -> auto& { return s.agent.extra_path; }),
      Declare<Settings>(
          {.path = "gates",
           .manual =
               "The checks a change must pass in repositories whose own policy names none; see "
               "Gates below.",
           .example = "[{name: tests, run: [make, test]}]"},
          GatesRule{}, [](auto& s) -> auto& { return s.gates; }),
      Declare<Settings>(
          {.path = "policy_gates",
           .manual = "Whether a repository's own `.swage.yml` may name its gates. With `false` the "
                     "server's gates hold everywhere.",
           .example = "true"},
          BoolRule{}, [](auto& s) -> auto& { return s.policy_gates; }),
      Declare<Settings>(
          {.path = "limits.cycles",
           .manual = "Rounds of agent and gates before the bot gives up on passing.",
           .example = "3"},
          IntRule{1, 20}, [](auto& s) -> auto& { return s.max_cycles; }),
      Declare<Settings>(
          {.path = "limits.attempts",
           .manual =
               "How often work is taken up again after a crash or an outage before it is parked.",
           .example = "3"},
          IntRule{1, 20}, [](auto& s) -> auto& { return s.max_attempts; }),
      Declare<Settings>(
          {.path = "limits.attempt_delay",
           .manual =
               "The pause before work is taken up again; twice as long after the second time, "
               "and so on. After a first crash there is none.",
           .example = "1m"},
          DurationRule{milliseconds(0), hours(6)},
          [](auto& s) -> auto& { return s.attempt_delay; }),
      Declare<Settings>(
          {.path = "limits.checkpoint_age",
           .manual =
               "How long the store keeps unpublished work of a task that has failed or waits, for "
               "nodes that go on with it. Afterwards only the node that made it has it; elsewhere "
               "a retry begins with what was pushed.",
           .example = "336h"},
          DurationRule{hours(1), hours(24 * 365)},
          [](auto& s) -> auto& { return s.checkpoint_age; }),
      Declare<Settings>(
          {.path = "quota.repo",
           .manual = "Tasks that may begin in one repository within an hour; what is asked for "
                     "beyond is refused with a comment. 0 is any number.",
           .example = "10"},
          IntRule{0, 100'000}, [](auto& s) -> auto& { return s.quota_repo; }),
      Declare<Settings>(
          {.path = "quota.account",
           .manual = "The same for whoever asks, in all repositories of a forge together.",
           .example = "5"},
          IntRule{0, 100'000}, [](auto& s) -> auto& { return s.quota_account; }),
      Declare<Settings>(
          {.path = "limits.tasks", .manual = "Tasks that run at once on one node.", .example = "4"},
          IntRule{1, 64}, [](auto& s) -> auto& { return s.concurrent_tasks; }),
      Declare<Settings>(
          {.path = "limits.tasks_per_repo",
           .manual = "Tasks of one repository that run at once, on all nodes.",
           .example = "4"},
          IntRule{1, 64}, [](auto& s) -> auto& { return s.concurrent_tasks_per_repo; }),
      Declare<Settings>(
          {.path = "limits.publishers",
           .manual = "Writes to forges that are under way at once. All but one may be pushes, so "
                     "that a slow push never holds up everything else.",
           .example = "4"},
          IntRule{1, 64}, [](auto& s) -> auto& { return s.publishers; }),
      Declare<Settings>(
          {.path = "publish.branch_prefix",
           .manual = "Task branches begin with it; nothing else is ever pushed to.",
           .example = "swage/"},
          TextRule{.kind = "a word of a-z, 0-9 and - with a slash behind it",
                   .max_bytes = 32,
                   .valid = IsBranchPrefix},
          [](auto& s) -> auto& { return s.branch_prefix; }),
      Declare<Settings>(
          {.path = "publish.when_red",
           .manual =
               "What happens when the gates still fail after the last cycle: a draft pull request, "
               "or only a comment on the issue.",
           .example = "draft"},
          WhenRed(), [](auto& s) -> auto& { return s.when_red; }),
      Declare<Settings>(
          {.path = "publish.commit_name",
           .manual = "Author of the commits, who also signs them off; the person who asked is "
                     "named as co-author.",
           .example = "Swage"},
          TextRule{.kind = "a name without < and >", .max_bytes = 100, .valid = IsPersonName},
          [](auto& s) -> auto& { return s.commit_name; }),
      Declare<Settings>(
          {.path = "publish.commit_email",
           .manual = "Its e-mail address.",
           .example = "swage@example.com"},
          TextRule{.kind = "an e-mail address", .max_bytes = 200, .valid = IsEmail},
          [](auto& s) -> auto& { return s.commit_email; }),
      Declare<Settings>(
          {.path = "publish.signing_key",
           .manual =
               "Signs every commit: the file of a private key without a passphrase, for the bot's "
               "user alone, as `ssh-keygen` or `gpg --armor --export-secret-keys` writes it. Its "
               "public half belongs into the bot's account at the forge, with `commit_email` among "
               "that account's addresses.",
           .example = "file:/etc/swage/signing-key",
           .fallback = "commits are not signed"},
          SigningKeyRule{}, [](auto& s) -> auto& { return s.signing_key; }),
      Declare<Settings>(
          {.path = "workspaces.keep",
           .manual = "Leave the files of a finished task on disk, to look into.",
           .example = "false"},
          BoolRule{}, [](auto& s) -> auto& { return s.keep_workspaces; }),
      Declare<Settings>(
          {.path = "workspaces.provision",
           .manual =
               "How a task's files come to be. `overlay`: over a base checkout that tasks share, "
               "in "
               "about a millisecond whatever the size of the repository; needs root or user "
               "namespaces, and only the server's own processes see the files; unless the server "
               "is "
               "root, directories of the base cannot be renamed but only copied, which `mv` does "
               "by "
               "itself and `git mv` refuses. `recycled`: a former "
               "task's worktree, scrubbed and moved. `plain`: every file is written. `auto`: the "
               "first of these that works here; the log says which, and why.",
           .example = "auto"},
          ChoiceRule{{"auto", "overlay", "recycled", "plain"}},
          [](auto& s) -> auto& { return s.provision; }),
      Declare<Settings>(
          {.path = "workspaces.ready",
           .manual = "Base checkouts, or worktrees to recycle, that one repository may keep ready "
                     "for the next task.",
           .example = "3"},
          IntRule{1, 100}, [](auto& s) -> auto& { return s.kept_trees; }),
      Declare<Settings>(
          {.path = "workspaces.ready_for",
           .manual = "How long they are kept when no task has used them.",
           .example = "168h"},
          DurationRule{minutes(1), hours(10'000)},
          [](auto& s) -> auto& { return s.kept_trees_unused; }),
      Declare<Settings>(
          {.path = "workspaces.ready_size",
           .manual = "How much their files may weigh, all repositories together.",
           .example = "20GiB"},
          SizeRule{std::size_t{1} << 20, std::size_t{1024} << 30},
          [](auto& s) -> auto& { return s.kept_trees_bytes; }),
      Declare<Settings>(
          {.path = "isolation.user",
           .manual = "Where the server runs as root, sandboxes and containers run as the user (and "
                     "group) of this number, to whom nothing else must belong.",
           .example = "65432"},
          IntRule{1, 2'000'000'000}, [](auto& s) -> auto& { return s.isolation.user; }),
      Declare<Settings>(
          {.path = "isolation.show",
           .manual =
               "What sandboxes see, read-only, beside the system's programs (`/usr`, `/opt`), "
               "`agent.extra_path` and the agent's own program: a toolchain elsewhere.",
           .example = "[/srv/toolchains]"},
          ListRule{{.kind = "an absolute path", .max_bytes = 500, .valid = IsAbsolutePath}, 100},
          [](auto& s) -> auto& { return s.isolation.show; }),
      Declare<Settings>(
          {.path = "isolation.write",
           .manual = "Folders that commands may write at every level, beside their own: a shared "
                     "compiler cache. Tasks meet in them, so one may mislead another. Never "
                     "`data_dir`.",
           .example = "[/var/cache/ccache]"},
          ListRule{{.kind = "an absolute path", .max_bytes = 500, .valid = IsAbsolutePath}, 100},
          [](auto& s) -> auto& { return s.isolation.write; }),
      Declare<Settings>(
          {.path = "isolation.container.command",
           .manual = "The engine of the level `container`: `podman`, or a program that takes its "
                     "command line, such as `docker`.",
           .example = "podman"},
          TextRule{.kind = "a program", .max_bytes = 200},
          [](auto& s) -> auto& { return s.isolation.container_command; }),
      Declare<Settings>(
          {.path = "isolation.container.image",
           .manual =
               "The image that containers are made of. It must be on this machine, nothing is "
               "ever pulled, and hold `/bin/sh` and what agents and gates need.",
           .example = "localhost/toolchain:12",
           .fallback = "no level `container`"},
          TextRule{.kind = "an image", .max_bytes = 300},
          [](auto& s) -> auto& { return s.isolation.container_image; }),
  };
  return kTable;
}

const std::vector<Setting<RepoPolicy>>& CorePolicyTable() {
  static const std::vector<Setting<RepoPolicy>> kTable = {
      Declare<RepoPolicy>(
          {.path = "gates",
           .manual = "The checks of this repository; they replace the server's.",
           .example = "[{name: tests, run: [make, test]}]",
           .fallback = "the server's"},
          GatesRule{}, [](auto& p) -> auto& { return p.gates; }),
      Declare<RepoPolicy>(
          {.path = "cycles",
           .manual = "Rounds of agent and gates before the bot gives up on passing.",
           .example = "5",
           .fallback = "the server's `limits.cycles`"},
          IntRule{1, 20}, [](auto& p) -> auto& { return p.max_cycles; }),
      Declare<RepoPolicy>(
          {.path = "when_red",
           .manual = "What happens when the gates still fail after the last cycle.",
           .example = "comment",
           .fallback = "the server's `publish.when_red`"},
          WhenRed(), [](auto& p) -> auto& { return p.when_red; }),
      Declare<RepoPolicy>(
          {.path = "instructions",
           .manual = "Added to every prompt: how to build and test, house rules.",
           .example = "Build with make. Every fix needs a test."},
          TextRule{.kind = "text", .max_bytes = 16'000, .multiline = true, .may_be_empty = true},
          [](auto& p) -> auto& { return p.instructions; }),
      Declare<RepoPolicy>(
          {.path = "profiles",
           .manual =
               "Further instructions for issues with the label `LABEL:PROFILE`. With `reads_only: "
               "true` the agent cannot change anything: its answer becomes a comment on the issue, "
               "and there is neither a branch nor a pull request.",
           .example = "{docs: Change documentation only., explain: {reads_only: true}}"},
          MapRule<ProfileRule>{
              .key = {.kind = "a name of a-z, 0-9, - and _", .max_bytes = 40, .valid = IsGateName},
              .inner = {},
              .value_example = "Change documentation only."},
          [](auto& p) -> auto& { return p.profiles; }),
  };
  return kTable;
}

template <class T>
std::vector<Setting<T>> Joined(std::initializer_list<std::vector<Setting<T>>> tables) {
  std::vector<Setting<T>> all;
  for (const std::vector<Setting<T>>& table : tables)
    std::ranges::copy(table, std::back_inserter(all));
  return all;
}

}  // namespace

const std::vector<Setting<Settings>>& ServerTable() {
  static const auto kTable = Joined<Settings>(
      {CoreServerTable(), ServerIsolationTable(), LimitsServerTable(), RuntimeServerTable()});
  return kTable;
}

const std::vector<Setting<RepoPolicy>>& PolicyTable() {
  static const auto kTable = Joined<RepoPolicy>(
      {CorePolicyTable(), PolicyIsolationTable(), LimitsPolicyTable(), RuntimePolicyTable()});
  return kTable;
}

}  // namespace swage
