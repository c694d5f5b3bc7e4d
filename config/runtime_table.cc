#include "config/runtime_table.h"

#include <algorithm>
#include <array>

#include "config/base/text.h"
#include "config/command_spec.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr int kFirstPort = 1'024;
constexpr int kLastPort = 65'535;
constexpr std::size_t kSmallestMark = 1 << 20;

// What decides where programs and files are found is the bot's to say.
constexpr std::array<std::string_view, 6> kTakenNames = {"PATH", "HOME", "TMPDIR",
                                                         "LANG", "PORT", "LD_PRELOAD"};

bool IsTaskEnvName(std::string_view s) {
  return IsEnvName(s) && !s.starts_with("SWAGE_") &&
         std::ranges::find(kTakenNames, s) == kTakenNames.end();
}

bool IsDatabaseName(std::string_view s) {
  return IsEnvName(s) && s.size() < 64;
}

bool IsGateGlob(std::string_view s) {
  const std::string plain = ReplaceAll(std::string(s), "*", "x");
  return IsGateName(plain);
}

TextRule VariableName() {
  return {.kind =
              "a variable's name (SWAGE_*, PATH, HOME, TMPDIR, LANG and PORT are taken, LD_PRELOAD "
              "is refused)",
          .valid = IsTaskEnvName};
}

TextRule RecordName() {
  return {.kind = "a name of a-z, 0-9, - and _", .max_bytes = 40, .valid = IsGateName};
}

ListRule RepoGlobs() {
  return {
      {.kind = "OWNER/NAME or a glob such as \"acme/*\"", .max_bytes = 500, .valid = IsRepoGlob},
      1'000};
}

template <class T>
Setting<T> DeclareRepos(std::string_view manual) {
  return Declare<T>(
      {.path = "repos", .manual = manual, .example = "[\"acme/*\"]"}, RepoGlobs(),
      [](auto& t) -> auto& { return t.repos; });
}

void SettleSecret(NamedSecret& secret, const Spot& spot) {
  if (secret.gates.empty() && !secret.agent) {
    spot.Say("is granted to nobody; name gates, or set agent: true");
  } else if (secret.repos.empty()) {
    spot.Say("is granted in no repository; add repos: [\"acme/lib\"]");
  }
}

void SettleDatabase(DatabaseSettings& database, const Spot& spot) {
  const bool postgres = database.kind == "postgres";
  const auto given = [&](std::string_view name) {
    return spot.reading.lines.contains(fmt::format("{}.{}", spot.setting, name));
  };
  const std::string& url = database.admin.value;
  if (postgres && !given("admin")) {
    spot.Say(
        "has no admin; name where the URL of a role that may make databases is kept, for "
        "example admin: file:/etc/swage/task-database");
  } else if (postgres && !url.empty() && !url.starts_with("postgres://") &&
             !url.starts_with("postgresql://")) {
    spot.Say(
        fmt::format("has an admin that holds no postgres:// URL ({})", database.admin.reference));
  }
  for (const char* name : {"admin", "scope", "source", "connections"}) {
    if (!postgres && given(name)) {
      spot.Say(fmt::format("is an SQLite file, for which {} means nothing; remove it", name));
    }
  }
  if (database.scope == "schema" && !database.source.empty()) {
    spot.Say("is a schema, which cannot be a copy of a database; remove source");
  }
}

void SettleCache(CacheSettings& cache, const Spot& spot) {
  if (cache.path.empty() == cache.warm.empty()) {
    spot.Say("needs either path, a folder that you keep, or warm, the command that fills one");
  }
}

}  // namespace

std::optional<DiskMark> DiskMarkRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a percentage or a size", spot);
  if (text == nullptr) return std::nullopt;
  DiskMark mark;
  if (text->ends_with('%')) {
    const auto percent = ParseInt(std::string_view(*text).substr(0, text->size() - 1));
    if (percent && *percent >= 1 && *percent <= 100) {
      mark.percent = static_cast<int>(*percent);
      return mark;
    }
  } else if (const auto size = ParseSize(*text); size.ok() && *size >= kSmallestMark) {
    mark.bytes = *size;
    return mark;
  }
  spot.Fault("is neither a percentage from 1% to 100% nor a size from 1MiB");
  return std::nullopt;
}

const std::vector<Setting<NamedSecret>>& SecretTable() {
  static const std::vector<Setting<NamedSecret>> kTable = {
      Declare<NamedSecret>(
          {.path = "name",
           .manual = "The variable that holds it, and what a policy asks for.",
           .example = "REGISTRY_TOKEN",
           .required = true},
          VariableName(), [](auto& s) -> auto& { return s.name; }),
      Declare<NamedSecret>(
          {.path = "value",
           .manual = "Where it is kept. Read once, when the server starts.",
           .example = "exec:/usr/bin/pass show registry",
           .required = true},
          SecretRule{}, [](auto& s) -> auto& { return s.value; }),
      Declare<NamedSecret>(
          {.path = "repos",
           .manual = "In which repositories it may be had. Globs; `!` in front "
                     "excludes; the last match decides.",
           .example = "[\"acme/*\"]",
           .required = true},
          RepoGlobs(), [](auto& s) -> auto& { return s.repos; }),
      Declare<NamedSecret>(
          {.path = "gates",
           .manual = "Names (or globs) of the gates that may have it, if they ask.",
           .example = "[integration]"},
          ListRule{{.kind = "a gate's name or a glob", .max_bytes = 40, .valid = IsGateGlob}, 50},
          [](auto& s) -> auto& { return s.gates; }),
      Declare<NamedSecret>(
          {.path = "agent",
           .manual = "Whether the agent may have it, if the policy asks "
                     "(`secrets` there).",
           .example = "true"},
          BoolRule{}, [](auto& s) -> auto& { return s.agent; }),
  };
  return kTable;
}

const std::vector<Setting<DatabaseSettings>>& DatabaseTable() {
  static const std::vector<Setting<DatabaseSettings>> kTable = {
      Declare<DatabaseSettings>(
          {.path = "name",
           .manual = "What a policy asks for.",
           .example = "main",
           .required = true},
          RecordName(), [](auto& d) -> auto& { return d.name; }),
      Declare<DatabaseSettings>(
          {.path = "kind",
           .manual = "`sqlite` is an empty file in the task's own HOME.",
           .example = "postgres"},
          ChoiceRule{{"postgres", "sqlite"}}, [](auto& d) -> auto& { return d.kind; }),
      Declare<DatabaseSettings>(
          {.path = "env",
           .manual = "The variable that tells agent, gates and hooks its URL.",
           .example = "DATABASE_URL"},
          VariableName(), [](auto& d) -> auto& { return d.env; }),
      Declare<DatabaseSettings>(
          {.path = "admin",
           .manual = "Where the `postgres://` URL is kept of a role with CREATEDB and CREATEROLE "
                     "on a server (14 or newer) that asks for passwords. No task ever gets it: "
                     "each has a role of its own, dropped with what it made. A task whose level "
                     "gives it no network reaches the server through a socket in its HOME (the URL "
                     "then has `?host=FOLDER`); that needs a server that can do without TLS.",
           .example = "file:/etc/swage/task-database"},
          SecretRule{}, [](auto& d) -> auto& { return d.admin; }),
      Declare<DatabaseSettings>(
          {.path = "scope",
           .manual = "A database for each task, or only a schema in the database of `admin`: "
                     "quicker, but what is not of a schema (extensions) is shared.",
           .example = "database"},
          ChoiceRule{{"database", "schema"}}, [](auto& d) -> auto& { return d.scope; }),
      Declare<DatabaseSettings>(
          {.path = "source",
           .manual = "The database that new ones are copies of, with extensions and data. Nobody "
                     "may be connected to it.",
           .example = "app_template",
           .fallback = "an empty one"},
          TextRule{.kind = "a name of letters, digits and _", .valid = IsDatabaseName},
          [](auto& d) -> auto& { return d.source; }),
      Declare<DatabaseSettings>(
          {.path = "connections",
           .manual = "So many connections may one task have at once.",
           .example = "20"},
          IntRule{1, 1'000}, [](auto& d) -> auto& { return d.connections; }),
      DeclareRepos<DatabaseSettings>(
          "Whose tasks may have it. Globs; `!` in front excludes; the last match decides."),
  };
  return kTable;
}

const std::vector<Setting<CacheSettings>>& CacheTable() {
  static const std::vector<Setting<CacheSettings>> kTable = {
      Declare<CacheSettings>(
          {.path = "name",
           .manual = "For messages and folders.",
           .example = "npm",
           .required = true},
          RecordName(), [](auto& c) -> auto& { return c.name; }),
      Declare<CacheSettings>(
          {.path = "env",
           .manual = "The variable that tells programs where it is.",
           .example = "npm_config_cache",
           .required = true},
          VariableName(), [](auto& c) -> auto& { return c.env; }),
      Declare<CacheSettings>(
          {.path = "mode",
           .manual = "`copy`: each task has a copy of its own (one that shares blocks where the "
                     "file system can). `shared`: all read the same folder and none can write to "
                     "it; where a task's level cannot keep it from writing, it gets a copy.",
           .example = "copy"},
          ChoiceRule{{"copy", "shared"}}, [](auto& c) -> auto& { return c.mode; }),
      Declare<CacheSettings>(
          {.path = "path",
           .manual = "A folder that you keep, the same for all repositories of `repos`.",
           .example = "/srv/cache/npm"},
          PathRule{}, [](auto& c) -> auto& { return c.path; }),
      Declare<CacheSettings>(
          {.path = "warm",
           .manual = "In place of `path`: the command that fills the folder, once for each "
                     "repository. It runs in the workspace of a task that starts from the base "
                     "branch, before its agent; nothing else ever writes to what later tasks get.",
           .example = "[npm, ci, --ignore-scripts]"},
          ArgvRule{}, [](auto& c) -> auto& { return c.warm; }),
      Declare<CacheSettings>(
          {.path = "warm_timeout", .manual = "How long `warm` may take.", .example = "15m"},
          DurationRule{milliseconds(100), hours(6)},
          [](auto& c) -> auto& { return c.warm_timeout; }),
      Declare<CacheSettings>(
          {.path = "refresh",
           .manual = "`warm` fills a new folder when the last one is as old.",
           .example = "24h"},
          DurationRule{minutes(1), hours(24 * 365)}, [](auto& c) -> auto& { return c.refresh; }),
      Declare<CacheSettings>(
          {.path = "limit",
           .manual = "A larger one is neither kept nor copied.",
           .example = "2GiB"},
          SizeRule{std::size_t{1} << 20, std::size_t{1} << 40},
          [](auto& c) -> auto& { return c.limit; }),
      DeclareRepos<CacheSettings>(
          "Whose tasks get it. Globs; `!` in front excludes; the last match decides."),
  };
  return kTable;
}

std::vector<Setting<Settings>> RuntimeServerTable() {
  const auto hook = [](std::string_view path, std::string_view manual, auto get) {
    return Declare<Settings>({.path = path, .manual = manual, .example = "{run: [npm, ci]}"},
                             HookRule{}, get);
  };
  return {
      Declare<Settings>(
          {.path = "workspaces.disk_high_water",
           .manual = "How full the file system of `data_dir` may get: above it go released "
                     "worktrees, base checkouts, garbage of mirrors, caches and kept workspaces "
                     "that nobody uses, in this order, each the oldest first; if that is not "
                     "enough no more tasks are claimed, and `/readyz` says why. `swage clean` "
                     "does the same by hand.",
           .example = "90%"},
          DiskMarkRule{}, [](auto& s) -> auto& { return s.disk_high_water; }),
      Declare<Settings>(
          {.path = "workspaces.include",
           .manual = "For repositories with a `.worktreeinclude` (patterns as in `.gitignore`): "
                     "the folder on this machine out of which matching files that git ignores are "
                     "copied into each workspace. They get into no commit.",
           .example = "{acme/lib: /etc/swage/files/acme-lib}"},
          MapRule<PathRule>{.key = {.kind = "OWNER/NAME or a glob", .valid = IsRepoKey},
                            .inner = {},
                            .value_example = "/etc/swage/files/acme-lib"},
          [](auto& s) -> auto& { return s.includes; }),
      Declare<Settings>(
          {.path = "ports.first",
           .manual = "Each task has a block of ports of its own on this machine: "
                     "`SWAGE_PORT_BASE`, `SWAGE_PORT_COUNT` and, the first of them, `PORT`. Blocks "
                     "are taken from here on.",
           .example = "20000"},
          IntRule{kFirstPort, kLastPort}, [](auto& s) -> auto& { return s.ports.first; }),
      Declare<Settings>(
          {.path = "ports.last", .manual = "The last port of the range.", .example = "29999"},
          IntRule{kFirstPort, kLastPort}, [](auto& s) -> auto& { return s.ports.last; }),
      Declare<Settings>(
          {.path = "ports.per_task",
           .manual = "How many a task has; `0` for none.",
           .example = "10"},
          IntRule{0, 1'000}, [](auto& s) -> auto& { return s.ports.per_task; }),
      Declare<Settings>(
          {.path = "secrets",
           .manual = "What single gates, or the agent, may have if they ask for it by name; see "
                     "Secrets below.",
           .example = "[{name: TOKEN, value: file:token, repos: [acme/lib], gates: [e2e]}]"},
          RecordsRule<NamedSecret>{"secrets", SecretTable, SettleSecret},
          [](auto& s) -> auto& { return s.secrets; }),
      Declare<Settings>(
          {.path = "databases",
           .manual = "Databases that each task has one of, made before the agent starts and "
                     "dropped at the end; see Databases below.",
           .example = "[{name: main, admin: file:/etc/swage/task-database}]"},
          RecordsRule<DatabaseSettings>{"databases", DatabaseTable, SettleDatabase},
          [](auto& s) -> auto& { return s.databases; }),
      Declare<Settings>(
          {.path = "caches",
           .manual = "Folders with what tasks need not download or build anew; see "
                     "Caches below.",
           .example = "[{name: npm, env: npm_config_cache, path: /srv/npm}]"},
          RecordsRule<CacheSettings>{"caches", CacheTable, SettleCache},
          [](auto& s) -> auto& { return s.caches; }),
      hook(
          "hooks.after_create",
          "Run when the files of a task are there. If it fails, so does the attempt. See Hooks "
          "below.",
          [](auto& s) -> auto& { return s.hooks.after_create; }),
      hook(
          "hooks.before_agent", "Run before each run of the agent; as `after_create`.",
          [](auto& s) -> auto& { return s.hooks.before_agent; }),
      hook(
          "hooks.after_agent",
          "Run after each run of the agent, before its files are taken: what it writes is part of "
          "the change. If it fails, the pull request says so.",
          [](auto& s) -> auto& { return s.hooks.after_agent; }),
      hook(
          "hooks.before_remove", "Run before the files go. If it fails, the log says so.",
          [](auto& s) -> auto& { return s.hooks.before_remove; }),
  };
}

std::vector<Setting<RepoPolicy>> RuntimePolicyTable() {
  const auto hook = [](std::string_view path, std::string_view manual, auto get) {
    return Declare<RepoPolicy>(
        {.path = path, .manual = manual, .example = "{run: [npm, ci], timeout: 10m}"}, HookRule{},
        get);
  };
  return {
      Declare<RepoPolicy>(
          {.path = "secrets",
           .manual = "Secrets that the agent needs as variables, by name. It gets what the "
                     "server's `secrets` grant to agents here; a name that is not granted ends the "
                     "task with the reason.",
           .example = "[PACKAGES_TOKEN]"},
          ListRule{{.kind = "a variable's name", .valid = IsEnvName}, 20},
          [](auto& p) -> auto& { return p.secrets; }),
      Declare<RepoPolicy>(
          {.path = "databases",
           .manual = "Which of the server's databases the tasks need; `[]` for none.",
           .example = "[main]",
           .fallback = "all that the server has for the repository"},
          OptionalList{{{.kind = "a database's name", .max_bytes = 40, .valid = IsGateName}, 20}},
          [](auto& p) -> auto& { return p.databases; }),
      hook(
          "hooks.after_create",
          "Run when the files of a task are there, after the server's own; see Hooks above. The "
          "server's `policy_gates: false` holds for hooks, too.",
          [](auto& p) -> auto& { return p.hooks.after_create; }),
      hook(
          "hooks.before_agent", "Run before each run of the agent.",
          [](auto& p) -> auto& { return p.hooks.before_agent; }),
      hook(
          "hooks.after_agent", "Run after each run of the agent, before its files are taken.",
          [](auto& p) -> auto& { return p.hooks.after_agent; }),
      hook(
          "hooks.before_remove", "Run before the files go.",
          [](auto& p) -> auto& { return p.hooks.before_remove; }),
  };
}

}  // namespace swage
