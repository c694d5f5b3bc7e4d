#include "config/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "config/base/files.h"
#include "config/base/rsa.h"
#include "config/base/text.h"
#include "config/settings_table.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kCanary = "ghp_canaryCANARYcanary0123456789";

// Not a key, only the shape of one.
const std::string kSshKey = "-----BEGIN OPENSSH PRIVATE KEY-----\n" +
                            Base64Encode("openssh-key-v1, as in every key of its kind..") + "\n" +
                            Base64Encode("the second line, which only this one has.....") + "\n" +
                            Base64Encode("the third line, which holds the private half.") + "\n" +
                            "-----END OPENSSH PRIVATE KEY-----\n";

// A settings file in a folder of its own, and the secrets it speaks of.
class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("SWAGE_TEST_TOKEN", "token-0123456789", 1);
    setenv("SWAGE_TEST_HOOK", "hook-0123456789", 1);
    setenv("SWAGE_TEST_EMPTY", "", 1);
    unsetenv("SWAGE_TEST_ABSENT");
  }
  void TearDown() override {
    for (const char* name : {"SWAGE_TEST_TOKEN", "SWAGE_TEST_HOOK", "SWAGE_TEST_EMPTY"}) {
      unsetenv(name);
    }
  }

  std::string Write(std::string_view name, std::string_view text) {
    const auto file = dir_.path() / name;
    EXPECT_TRUE(WriteFileAtomic(file, text).ok());
    return file.string();
  }
  Result<Settings> Load(std::string_view yaml) {
    return LoadSettings(Write("swage.yml", yaml), redactor_);
  }
  // The fault lines without the folder: "swage.yml:3: ...".
  std::string Faults(std::string_view yaml) {
    const auto loaded = Load(yaml);
    if (loaded.ok()) return "";
    return ReplaceAll(loaded.error().message, dir_.path().string() + "/", "");
  }

  TempDir dir_;
  Redactor redactor_;
};

constexpr std::string_view kMinimal = R"(data_dir: data
forges:
  - kind: github
    token: env:SWAGE_TEST_TOKEN
    webhook_secret: env:SWAGE_TEST_HOOK
    repos: ["acme/*"]
agent: {preset: codex}
)";

std::string Minimal(std::string_view more) {
  return std::string(kMinimal) + std::string(more);
}

TEST_F(SettingsTest, FillsDefaultsOfAMinimalFile) {
  const auto s = Load(kMinimal);
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->data_dir, dir_.path() / "data");
  EXPECT_EQ(s->listen, "127.0.0.1:8420");
  EXPECT_EQ(s->agent.time_limit, minutes(30));
  for (const auto role : {kRoleWeb, kRoleWorker, kRolePublisher, kRoleHousekeeping}) {
    EXPECT_TRUE(s->node.Has(role)) << role;
  }
  EXPECT_EQ(s->node.lease, seconds(60));
  EXPECT_TRUE(s->warnings.empty());
  ASSERT_EQ(s->forges.size(), 1U);
  EXPECT_EQ(s->forges[0].name, "github");
  EXPECT_EQ(s->forges[0].api_url, "https://api.github.com");
  EXPECT_EQ(s->forges[0].git_url, "https://github.com");
  EXPECT_EQ(s->forges[0].token.value, "token-0123456789");
  EXPECT_EQ(s->forges[0].token.reference, "env:SWAGE_TEST_TOKEN");
}

TEST_F(SettingsTest, ReadsEverySetting) {
  Write("hook", "file-hook-0123\n");
  Write("model", "model-key-0123");
  Write("proxy", "proxy-key-0123");
  Write("key", kSshKey);
  Write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
  const auto s = Load(R"(
data_dir: /var/lib/x
store: sqlite
listen: 0.0.0.0:80
dashboard: "[::1]:81"
public_url: https://swage.example.com/
log: {level: debug, format: json}
forges:
  - name: work
    kind: gitlab
    api_url: https://git.example.com/api/v4/
    token: env:SWAGE_TEST_TOKEN
    webhook_secret: file:hook
    repo_webhook_secrets: {acme/lib: env:SWAGE_TEST_HOOK}
    repos: ["**", "!acme/secret"]
    allowed_bots: [12, "34"]
    timeout: 5s
    write_interval: 0s
    pause: 2m
    ca_file: ca.pem
    proxy: http://proxy.example.com:3128
    proxy_user: bot
    proxy_password: file:proxy
trigger: {label: bot, min_role: maintain}
commands: {prefix: /bot, roles: {stop: triage, delegate: admin}}
agent:
  command: [run-it, "{prompt_file}"]
  time_limit: 1h
  silence_limit: 90s
  output_cap: 2 MiB
  pass_env: [LANG]
  secrets: {OPENAI_API_KEY: file:model}
  extra_path: [/opt/bin]
gates:
  - {name: t, run: [make, test]}
limits: {cycles: 5, attempts: 2, tasks: 8, tasks_per_repo: 3, publishers: 2}
publish:
  branch_prefix: bot/
  when_red: comment
  commit_name: Bot
  commit_email: b@example.com
  signing_key: file:key
workspaces: {keep: true}
drain_limit: 0s
)");
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->data_dir, "/var/lib/x");
  EXPECT_EQ(s->listen, "0.0.0.0:80");
  EXPECT_EQ(s->dashboard, "[::1]:81");
  EXPECT_EQ(s->public_url, "https://swage.example.com");
  EXPECT_EQ(s->log_level, "debug");
  EXPECT_EQ(s->log_format, "json");
  const ForgeSettings& forge = s->forges.at(0);
  EXPECT_EQ(forge.name, "work");
  EXPECT_EQ(forge.api_url, "https://git.example.com/api/v4");
  EXPECT_EQ(forge.git_url, "https://git.example.com");
  EXPECT_EQ(forge.webhook_secret.value, "file-hook-0123");
  EXPECT_EQ(forge.repo_webhook_secrets.at("acme/lib").value, "hook-0123456789");
  EXPECT_EQ(forge.allowed_bots, (std::vector<std::string>{"12", "34"}));
  EXPECT_EQ(forge.timeout, std::chrono::seconds(5));
  EXPECT_EQ(forge.write_interval, std::chrono::seconds(0));
  EXPECT_EQ(forge.pause, std::chrono::minutes(2));
  EXPECT_EQ(s->publishers, 2);
  EXPECT_EQ(forge.ca_file, (dir_.path() / "ca.pem").string());
  EXPECT_EQ(forge.proxy.AddressWithCredential(),
            "http://bot:proxy-key-0123@proxy.example.com:3128");
  EXPECT_TRUE(redactor_.Contains("proxy-key-0123"));
  EXPECT_EQ(s->trigger_label, "bot");
  EXPECT_EQ(s->min_role, "maintain");
  EXPECT_EQ(s->command_prefix, "/bot");
  EXPECT_EQ(s->command_roles,
            (std::map<std::string, std::string>{{"stop", "triage"}, {"delegate", "admin"}}));
  EXPECT_EQ(s->agent.preset, "command");
  EXPECT_EQ(s->agent.command, (std::vector<std::string>{"run-it", "{prompt_file}"}));
  EXPECT_EQ(s->agent.time_limit, hours(1));
  EXPECT_EQ(s->agent.silence_limit, milliseconds(90'000));
  EXPECT_EQ(s->agent.output_cap, std::size_t{2} << 20);
  EXPECT_EQ(s->agent.secrets.at("OPENAI_API_KEY").value, "model-key-0123");
  EXPECT_EQ(s->gates.at(0).run, (std::vector<std::string>{"make", "test"}));
  EXPECT_EQ(s->max_cycles, 5);
  EXPECT_EQ(s->max_attempts, 2);
  EXPECT_EQ(s->concurrent_tasks, 8);
  EXPECT_EQ(s->concurrent_tasks_per_repo, 3);
  EXPECT_EQ(s->branch_prefix, "bot/");
  EXPECT_EQ(s->when_red, "comment");
  EXPECT_EQ(s->commit_email, "b@example.com");
  EXPECT_EQ(s->signing_key.file, dir_.path() / "key");
  EXPECT_EQ(s->signing_key.kind, SigningKey::Kind::kSsh);
  EXPECT_EQ(s->signing_key.where, (dir_.path() / "swage.yml:42: publish.signing_key").string());
  EXPECT_TRUE(s->keep_workspaces);
  EXPECT_EQ(s->drain_limit, milliseconds(0));
}

TEST_F(SettingsTest, TellsAllFaultsAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(Faults(R"(listen: 8420
dashboard: 0.0.0.0:8421
agnet: {preset: codex}
label: bot
agent:
  preset: codex
  time_limit: ten
  silence_limit: 0s
  output_cap: lots
  timelimit: 5m
limits:
  cycles: 0
  tasks: 1.5
publish:
  when_red: drafts
  branch_prefix: ../x/
log: verbose
limits: {tasks: 2}
forges:
  - kind: githib
    token: env:SWAGE_TEST_ABSENT
    repos: acme/lib
)"),
            R"(swage.yml:1: listen: "8420" is not HOST:PORT; write for example 127.0.0.1:8420
swage.yml:1: data_dir: is missing; write for example /var/lib/swage
swage.yml:2: dashboard: "0.0.0.0:8421" can be reached from other machines and there is no login; put a reverse proxy with one before a loopback address; write for example 127.0.0.1:8421
swage.yml:3: agnet: no such setting; did you mean agent?
swage.yml:4: label: no such setting; did you mean trigger.label?
swage.yml:7: agent.time_limit: "ten" is not a duration; write for example 30m
swage.yml:8: agent.silence_limit: "0s" is out of bounds; 100ms to 24h is allowed; write for example 10m
swage.yml:9: agent.output_cap: "lots" is not a size; write for example 64MiB
swage.yml:10: agent.timelimit: no such setting; did you mean agent.time_limit?
swage.yml:12: limits.cycles: "0" is out of bounds; 1 to 20 is allowed; write for example 3
swage.yml:13: limits.tasks: "1.5" is not a whole number; write for example 4
swage.yml:15: publish.when_red: "drafts" is not one of draft, comment; did you mean draft?
swage.yml:16: publish.branch_prefix: "../x/" is not a word of a-z, 0-9 and - with a slash behind it; write for example swage/
swage.yml:17: log: is text; expected a map; write for example level: ...
swage.yml:18: limits: given twice, first on line 11; keep one
swage.yml:20: forges[0].kind: "githib" is not one of github, gitlab, gitea, forgejo; did you mean github?
swage.yml:20: forges[0].webhook_secret: is missing; write for example file:/etc/swage/webhook-secret, or intake: poll for a server without webhooks
swage.yml:21: forges[0].token: the environment variable SWAGE_TEST_ABSENT is not set
swage.yml:22: forges[0].repos: is text; expected a list; write for example ["acme/*", "!acme/secret"])");
}

TEST_F(SettingsTest, AForgeIsAnAppOrAnAccountAndNotBoth) {
  const auto with = [&](std::string_view lines) {
    return Faults(ReplaceAll(std::string(kMinimal), "    token: env:SWAGE_TEST_TOKEN\n", lines));
  };
  EXPECT_EQ(with(""),
            "swage.yml:3: forges[0].token: is missing; write for example file:/etc/swage/token, or "
            "app_id and private_key");
  EXPECT_EQ(with("    app_id: 4711\n"),
            "swage.yml:3: forges[0].private_key: is missing beside app_id; write for example "
            "file:/etc/swage/app.pem");
  EXPECT_EQ(with("    token: env:SWAGE_TEST_TOKEN\n    installation_id: 12\n"),
            "swage.yml:5: forges[0].installation_id: has no meaning without app_id; remove it");
  EXPECT_EQ(with("    app_id: 4711\n    token: env:SWAGE_TEST_TOKEN\n"),
            "swage.yml:4: forges[0].app_id: is given beside token, and the bot can be only one "
            "account; remove token to be the App, or app_id and private_key to be the token's "
            "account");
  const std::string bad = with("    app_id: 4711\n    private_key: env:SWAGE_TEST_TOKEN\n");
  EXPECT_NE(
      bad.find("forges[0].private_key: what is at \"env:SWAGE_TEST_TOKEN\" is no private key"),
      bad.npos)
      << bad;
  EXPECT_EQ(bad.find("token-0123456789"), bad.npos);
}

TEST_F(SettingsTest, AProxyIsNamedWithoutItsCredential) {
  const auto with = [&](std::string_view lines) {
    return Faults(
        ReplaceAll(std::string(kMinimal), "    repos:", std::string(lines) + "    repos:"));
  };
  EXPECT_EQ(with("    proxy: none\n"), "");
  EXPECT_EQ(with("    proxy: socks5://proxy:1080\n"),
            "swage.yml:6: forges[0].proxy: not an http or https URL; write for example "
            "http://proxy.example.com:3128");
  EXPECT_EQ(with("    proxy: https://proxy:3128\n"),
            "swage.yml:6: forges[0].proxy: is not http://HOST:PORT; other proxies cannot be used; "
            "write for example http://proxy.example.com:3128");
  const std::string credential = with("    proxy: http://me:" + std::string(kCanary) + "@proxy\n");
  EXPECT_NE(credential.find("forges[0].proxy: holds an @"), credential.npos) << credential;
  EXPECT_EQ(credential.find(kCanary), credential.npos);
  EXPECT_EQ(with("    proxy: http://proxy\n    proxy_user: bot\n"),
            "swage.yml:3: forges[0].proxy_password: is missing; a proxy asks for both, or for "
            "neither");
  EXPECT_EQ(with("    proxy_user: bot\n    proxy_password: env:SWAGE_TEST_HOOK\n"),
            "swage.yml:6: forges[0].proxy_user: has no meaning without proxy; remove it\n"
            "swage.yml:7: forges[0].proxy_password: has no meaning without proxy; remove it");
}

// T25, T26: what the environment says of a proxy may hold a password.
TEST_F(SettingsTest, AProxyOfTheEnvironmentIsTheBotsAlone) {
  setenv("HTTPS_PROXY", "http://bot:proxy-pass-0123@proxy:3128", 1);
  const auto s = Load(kMinimal);
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->forges[0].proxy.Address(), "http://proxy:3128");
  EXPECT_TRUE(redactor_.Contains("proxy-pass-0123"));
  const std::string passed = Faults(ReplaceAll(std::string(kMinimal), "{preset: codex}",
                                               "{preset: codex, pass_env: [HTTPS_PROXY]}"));
  EXPECT_NE(passed.find("HTTPS_PROXY holds a secret of the bot"), passed.npos) << passed;
  const auto none =
      Load(ReplaceAll(std::string(kMinimal), "    repos:", "    proxy: none\n    repos:"));
  EXPECT_FALSE(none.value().forges[0].proxy.Given());
  ForgetSecretVariables(*s);
  EXPECT_EQ(std::getenv("HTTPS_PROXY"), nullptr);
}

TEST_F(SettingsTest, ReadsTheKeyOfAnAppAndKeepsItToItself) {
  const std::string pem = RsaKey::Generate().PrivatePem();
  setenv("SWAGE_TEST_KEY", pem.c_str(), 1);
  const auto s = Load(ReplaceAll(std::string(kMinimal), "    token: env:SWAGE_TEST_TOKEN\n",
                                 "    app_id: 4711\n    private_key: env:SWAGE_TEST_KEY\n"));
  unsetenv("SWAGE_TEST_KEY");
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->forges[0].app.id, "4711");
  EXPECT_EQ(Trim(s->forges[0].app.private_key.value), Trim(pem));
  EXPECT_NE(redactor_.Apply(pem), pem);
}

TEST_F(SettingsTest, NeverRepeatsASecretThatWasWrittenOut) {
  const std::string said =
      Faults(ReplaceAll(std::string(kMinimal), "env:SWAGE_TEST_TOKEN", kCanary));
  EXPECT_EQ(
      said,
      "swage.yml:4: forges[0].token: a secret is named, never written out: put it into a file or "
      "a variable; write for example file:/etc/swage/token");
  const std::string url = Faults(ReplaceAll(
      std::string(kMinimal),
      "    repos:", "    api_url: https://me:" + std::string(kCanary) + "@host/api\n    repos:"));
  EXPECT_NE(url.find("forges[0].api_url: holds an @"), url.npos) << url;
  EXPECT_EQ(url.find(kCanary), url.npos);
}

TEST_F(SettingsTest, RegistersSecretsWithTheRedactor) {
  ASSERT_TRUE(Load(kMinimal).ok());
  EXPECT_EQ(redactor_.Apply("x token-0123456789 y"), "x [redacted] y");
  EXPECT_TRUE(redactor_.Contains("hook-0123456789"));
}

TEST_F(SettingsTest, ReadsADatabaseUrlAndKeepsItsPasswordBack) {
  const auto s = Load(Minimal("store: postgres://bot:s3cr%23et@db:5432/swage?sslmode=require\n"));
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->store.value, "postgres://bot:s3cr%23et@db:5432/swage?sslmode=require");
  EXPECT_EQ(s->store.reference, "postgres://bot@db:5432/swage");
  EXPECT_EQ(redactor_.Apply("s3cr%23et s3cr#et"), "[redacted] [redacted]");
  const auto socket = Load(Minimal(
      "store: postgresql:///swage?host=/run/postgresql&password=hidden-here\nstore_pgbouncer: "
      "true\n"));
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  EXPECT_EQ(socket->store.reference, "postgresql:///swage");
  EXPECT_TRUE(socket->store_pgbouncer);
  EXPECT_TRUE(redactor_.Contains("hidden-here"));
}

TEST_F(SettingsTest, TakesTheDatabaseAndItsPasswordByReference) {
  Write("db", "postgres://bot:from-a-file@db/swage\n");
  const auto s = Load(Minimal("store: file:db\nstore_password: env:SWAGE_TEST_HOOK\n"));
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->store.value, "postgres://bot:from-a-file@db/swage");
  EXPECT_EQ(s->store.reference, "file:db");
  EXPECT_EQ(s->store_password.value, "hook-0123456789");
  EXPECT_TRUE(redactor_.Contains("from-a-file"));
  EXPECT_EQ(Load(kMinimal)->store.value, "sqlite");
  ForgetSecretVariables(*s);
  EXPECT_EQ(std::getenv("SWAGE_TEST_HOOK"), nullptr);
}

TEST_F(SettingsTest, RefusesOtherDatabasesWithoutRepeatingThem) {
  for (const char* store : {"mysql://bot:pass-word-1@db/x", "bot:pass-word-1@db", "file:none"}) {
    const std::string said = Faults(Minimal("store: " + std::string(store) + "\n"));
    EXPECT_NE(said.find("store: "), said.npos) << store;
    EXPECT_EQ(said.find("pass-word-1"), said.npos) << said;
  }
  const auto useless = Load(Minimal("store_pgbouncer: true\n"));
  ASSERT_TRUE(useless.ok());
  ASSERT_EQ(useless->warnings.size(), 1U);
  EXPECT_NE(useless->warnings[0].find("store_pgbouncer: has no effect"), std::string::npos);
}

TEST_F(SettingsTest, ANodeMayRunFewerTasksThanARepositoryMayHave) {
  const std::string limits = "limits: {tasks: 2, tasks_per_repo: 8}\n";
  const auto alone = Load(Minimal(limits));
  ASSERT_TRUE(alone.ok());
  ASSERT_EQ(alone->warnings.size(), 1U);
  EXPECT_NE(alone->warnings[0].find("limits.tasks_per_repo: is more"), std::string::npos);
  const auto shared = Load(Minimal(limits + "store: postgres://bot@db/swage\n"));
  ASSERT_TRUE(shared.ok());
  EXPECT_TRUE(shared->warnings.empty());
}

TEST_F(SettingsTest, RefusesUnusableSecrets) {
  Write("short", "abc\n");
  Write("lines", "abcdefgh\nijklmnop");
  const auto with = [&](std::string_view reference) {
    return Faults(ReplaceAll(std::string(kMinimal), "env:SWAGE_TEST_TOKEN", reference));
  };
  EXPECT_NE(with("env:SWAGE_TEST_EMPTY").find("is empty"), std::string::npos);
  EXPECT_NE(with("env:A B").find("env: needs a variable's name"), std::string::npos);
  EXPECT_NE(with("file:absent").find("cannot read the secret's file"), std::string::npos);
  EXPECT_NE(with("file:short").find("too short"), std::string::npos);
  EXPECT_NE(with("file:lines").find("line break"), std::string::npos);
  EXPECT_NE(with("[a]").find("is a list; expected a reference to a secret"), std::string::npos);
}

TEST_F(SettingsTest, RefusesUnusableSigningKeys) {
  const auto with = [&](std::string_view key) {
    return Faults(Minimal("publish: {signing_key: " + std::string(key) + "}\n"));
  };
  Write("key", kSshKey);
  Write("public", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEow\n");
  Write("open", kSshKey);
  std::filesystem::permissions(dir_.path() / "open", std::filesystem::perms(0640));
  EXPECT_EQ(with("file:key"), "");
  EXPECT_EQ(with("env:SWAGE_TEST_TOKEN"),
            "swage.yml:8: publish.signing_key: the programs that sign read the key from a file; "
            "write for example file:/etc/swage/signing-key");
  EXPECT_NE(with("file:absent").find("publish.signing_key: cannot read the key"),
            std::string::npos);
  EXPECT_NE(
      with("file:public").find("public holds no private key; name the file that `ssh-keygen`"),
      std::string::npos);
  EXPECT_NE(with("file:open").find("others can read the key; run chmod 600 open"),
            std::string::npos);
  EXPECT_NE(with("[a]").find("is a list; expected the file of a private key"), std::string::npos);
}

TEST_F(SettingsTest, TellsTheKindsOfSigningKeysApart) {
  Write("key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgE\n");
  const auto s = Load(Minimal("publish: {signing_key: file:key}\n"));
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->signing_key.kind, SigningKey::Kind::kOpenPgp);
  EXPECT_FALSE(Load(kMinimal)->signing_key.Given());
}

TEST_F(SettingsTest, KnowsTheSigningKeyWhenItSeesIt) {
  Write("key", kSshKey);
  ASSERT_TRUE(Load(Minimal("publish: {signing_key: file:key}\n")).ok());
  EXPECT_TRUE(redactor_.Contains(kSshKey));
  const auto lines = SplitLines(kSshKey);
  EXPECT_TRUE(redactor_.Contains(lines.at(2)));
  EXPECT_EQ(redactor_.Apply(kSshKey).find(lines.at(3)), std::string::npos);
  // What every OpenSSH key begins with is no secret.
  EXPECT_FALSE(redactor_.Contains(lines.at(0)));
  EXPECT_FALSE(redactor_.Contains(lines.at(1)));
}

TEST_F(SettingsTest, RefusesToHandTheBotsSecretsToTheAgent) {
  EXPECT_NE(Faults(ReplaceAll(std::string(kMinimal), "{preset: codex}",
                              "{preset: codex, pass_env: [SWAGE_TEST_TOKEN]}"))
                .find("agent.pass_env: SWAGE_TEST_TOKEN holds a secret of the bot"),
            std::string::npos);
  EXPECT_NE(Faults(ReplaceAll(std::string(kMinimal), "{preset: codex}",
                              "{preset: codex, secrets: {KEY: env:SWAGE_TEST_HOOK}}"))
                .find("agent.secrets.KEY: is a secret of the bot"),
            std::string::npos);
}

TEST_F(SettingsTest, AllowsPlainHttpToThisMachineOnly) {
  const auto with = [&](std::string_view api) {
    return Faults(ReplaceAll(std::string(kMinimal), "    repos:",
                             "    api_url: " + std::string(api) +
                                 "\n    git_url: " + std::string(api) + "\n    repos:"));
  };
  EXPECT_EQ(with("http://127.0.0.1:9000/api"), "");
  EXPECT_EQ(with("http://localhost:9000"), "");
  EXPECT_EQ(with("http://[::1]:9000"), "");
  for (const auto* url : {"http://example.com", "http://127.0.0.1.example.com", "http://127.1",
                          "http://0.0.0.0", "http://localhost.evil"}) {
    EXPECT_NE(with(url).find("http would send the token in the clear"), std::string::npos) << url;
  }
  for (const auto* url : {"ftp://example.com", "example.com", "https://", "https://a b",
                          "https://h:99999", "https://h?x=1", "https:///x", "'https://h\\x'"}) {
    EXPECT_NE(with(url), "") << url;
  }
}

TEST_F(SettingsTest, DoesNotMixAPrivateForgeWithThePublicOne) {
  const auto with = [&](std::string_view line) {
    return Faults(
        ReplaceAll(std::string(kMinimal), "    repos:", std::string(line) + "\n    repos:"));
  };
  EXPECT_EQ(with("    api_url: https://ghe.example.com/api/v3"), "");
  EXPECT_NE(with("    api_url: https://ghe.example.com").find("git_url: is missing"),
            std::string::npos);
  EXPECT_NE(with("    git_url: https://ghe.example.com").find("api_url: is missing"),
            std::string::npos);
}

TEST_F(SettingsTest, AForgeOfOnesOwnHasNoPublicAddress) {
  const std::string head = "data_dir: /var/lib/x\nforges:\n  - kind: ";
  const std::string tail =
      "    token: env:SWAGE_TEST_TOKEN\n    webhook_secret: env:SWAGE_TEST_HOOK\n"
      "agent: {preset: codex}\n";
  for (const std::string kind : {"gitea", "forgejo"}) {
    EXPECT_NE(Faults(head + kind + "\n" + tail).find("api_url: is missing: every " + kind),
              std::string::npos);
    const auto s = Load(head + kind + "\n    api_url: https://git.example.com/api/v1\n" + tail);
    ASSERT_TRUE(s.ok()) << s.error().message;
    EXPECT_EQ(s->forges[0].name, kind);
    EXPECT_EQ(s->forges[0].git_url, "https://git.example.com");
  }
}

TEST_F(SettingsTest, ExplainsGlobsThatYamlWouldMisread) {
  const auto with = [&](std::string_view repos) {
    return Faults(ReplaceAll(std::string(kMinimal), "[\"acme/*\"]", repos));
  };
  EXPECT_NE(with("[*/*]").find("must stand in quotes"), std::string::npos);
  EXPECT_NE(with("\n      - !acme/x").find("must stand in quotes"), std::string::npos);
  EXPECT_NE(with("[acme]").find("is not OWNER/NAME or a glob"), std::string::npos);
  EXPECT_NE(with("['acme/..']").find("is not OWNER/NAME or a glob"), std::string::npos);
}

TEST_F(SettingsTest, WarnsWhenNoRepositoryIsAllowed) {
  const auto s = Load(ReplaceAll(std::string(kMinimal), "    repos: [\"acme/*\"]\n", ""));
  ASSERT_TRUE(s.ok()) << s.error().message;
  ASSERT_EQ(s->warnings.size(), 1U);
  EXPECT_NE(s->warnings[0].find("swage.yml:2: forges[0].repos: is empty"), std::string::npos);
}

TEST_F(SettingsTest, WantsAnAgentOfOneKind) {
  const auto with = [&](std::string_view agent) {
    return Faults(ReplaceAll(std::string(kMinimal), "{preset: codex}", agent));
  };
  EXPECT_NE(with("{}").find("agent.preset: is missing"), std::string::npos);
  EXPECT_NE(with("").find("agent.preset: is missing"), std::string::npos);
  EXPECT_NE(with("{preset: command}").find("agent.command is empty"), std::string::npos);
  EXPECT_NE(with("{preset: codex, command: [x]}").find("has no effect"), std::string::npos);
  EXPECT_NE(with("codex").find("agent: is text; expected a map; write for example preset: ..."),
            std::string::npos);
}

TEST_F(SettingsTest, KnowsTheCommandsThatARoleCanBeSetFor) {
  EXPECT_NE(Faults(Minimal("commands: {roles: {stpo: read}}\n"))
                .find("commands.roles: \"stpo\" is not one of help, run, fix"),
            std::string::npos);
  EXPECT_NE(Faults(Minimal("commands: {roles: {stop: everybody}}\n")).find("commands.roles.stop"),
            std::string::npos);
}

TEST_F(SettingsTest, NamesTwoForgesApart) {
  std::string twice = Minimal("");
  const std::string forge =
      twice.substr(twice.find("  - kind"), twice.find("agent:") - twice.find("  - kind"));
  EXPECT_NE(Faults(ReplaceAll(twice, "agent:", forge + "agent:"))
                .find("forges[1].name: \"github\" is taken by another forge"),
            std::string::npos);
  EXPECT_EQ(Faults(ReplaceAll(twice, "agent:", forge + "    name: other\nagent:")), "");
}

TEST_F(SettingsTest, SurvivesFilesThatAreNoSettings) {
  EXPECT_NE(Faults(""), "");
  EXPECT_NE(Faults("just text"), "");
  EXPECT_NE(Faults("- a\n- b\n"), "");
  EXPECT_NE(Faults("a: [1, 2").find("not valid YAML"), std::string::npos);
  EXPECT_NE(Faults("a: b\n\tc: d").find("swage.yml:2"), std::string::npos);
  EXPECT_NE(Faults(std::string("a: b\0c", 6)).find("control character"), std::string::npos);
  EXPECT_NE(Faults("a: \xff\xfe").find("not UTF-8"), std::string::npos);
  EXPECT_NE(Faults(std::string(1 << 20, '#')), "");
  EXPECT_NE(Faults(std::string(100'000, '[')), "");
  EXPECT_NE(Faults(std::string(100'000, '{')), "");
  EXPECT_NE(Faults("a: &x [1]\nb: [*x, *x]\n").find("anchors and aliases"), std::string::npos);
  EXPECT_NE(Faults("---\na: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(Faults("? [a, b]\n: c\n").find("a key must be a word"), std::string::npos);
  std::string many = "gates: [";
  for (int i = 0; i < 30'000; ++i) many += "a,";
  EXPECT_NE(Faults(many + "]").find("more than"), std::string::npos);
}

TEST_F(SettingsTest, KeepsItsListOfFaultsShort) {
  std::string many;
  for (int i = 0; i < 200; ++i) many += "nonsense" + std::to_string(i) + ": 1\n";
  const std::string said = Faults(many);
  EXPECT_EQ(SplitLines(said).size(), kMaxFaultLines + 1);
  EXPECT_NE(said.find("... and "), std::string::npos);
}

TEST_F(SettingsTest, SaysThatAFileIsAbsent) {
  const auto s = LoadSettings(dir_.path() / "none.yml", redactor_);
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().code, ErrorCode::kNotFound);
}

TEST_F(SettingsTest, ForgetsTheVariablesThatHeldSecrets) {
  const auto s = Load(kMinimal);
  ASSERT_TRUE(s.ok());
  const char* before = std::getenv("SWAGE_TEST_TOKEN");
  ForgetSecretVariables(*s);
  EXPECT_EQ(std::getenv("SWAGE_TEST_TOKEN"), nullptr);
  EXPECT_STREQ(before, "");  // the bytes themselves, which /proc would show
  EXPECT_EQ(s->forges[0].token.value, "token-0123456789");
}

TEST_F(SettingsTest, LoadsTheExample) {
  setenv("SWAGE_FORGE_TOKEN", "token-0123456789", 1);
  setenv("SWAGE_WEBHOOK_SECRET", "hook-0123456789", 1);
  setenv("OPENAI_API_KEY", "model-0123456789", 1);
  const auto s = LoadSettings(test::SourcePath("config/swage.example.yml"), redactor_);
  for (const char* name : {"SWAGE_FORGE_TOKEN", "SWAGE_WEBHOOK_SECRET", "OPENAI_API_KEY"}) {
    unsetenv(name);
  }
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_TRUE(s->warnings.empty());
}

TEST_F(SettingsTest, ExampleNamesEverySetting) {
  const auto text = ReadFile(test::SourcePath("config/swage.example.yml"));
  ASSERT_TRUE(text.ok());
  const auto names = [&](std::string_view path) {
    return text->find(std::string(path.substr(path.rfind('.') + 1)) + ":") != std::string::npos;
  };
  for (const auto& setting : ServerTable())
    EXPECT_TRUE(names(setting.doc.path)) << setting.doc.path;
  for (const auto& setting : ForgeTable()) EXPECT_TRUE(names(setting.doc.path)) << setting.doc.path;
}

// Every example of the manual is read by the rule that it explains.
TEST_F(SettingsTest, ExamplesOfTheManualAreGood) {
  for (const auto& setting : ServerTable()) {
    class Faults faults("example");
    Reading reading{.faults = faults, .folder = dir_.path(), .redactor = &redactor_, .lines = {}};
    const auto node = ParseYaml(setting.doc.example, faults);
    ASSERT_TRUE(node.has_value()) << setting.doc.path;
    Settings out;
    if (std::string_view(setting.doc.example).find("file:") != std::string_view::npos ||
        setting.doc.path == "forges") {
      continue;  // speaks of secrets that are not here
    }
    setting.read(*node, out, {std::string(setting.doc.path), 1, setting.doc.example, reading});
    EXPECT_TRUE(faults.empty()) << setting.doc.path << ": " << faults.ToError().message;
  }
}

TEST_F(SettingsTest, ANodeHasANameAndAtLeastOneRole) {
  const auto s = Load(Minimal("node: {name: worker-1.lan, roles: [worker, web], lease: 8s}\n"));
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->node.name, "worker-1.lan");
  EXPECT_TRUE(s->node.Has(kRoleWorker));
  EXPECT_FALSE(s->node.Has(kRolePublisher));
  EXPECT_EQ(s->node.lease, seconds(8));
  EXPECT_NE(Faults(Minimal("node: {roles: []}\n")).find("names no role"), std::string::npos);
  EXPECT_NE(Faults(Minimal("node: {roles: [cook]}\n")).find("node.roles[0]"), std::string::npos);
  EXPECT_NE(Faults(Minimal("node: {name: \"a b\"}\n")).find("node.name"), std::string::npos);
  EXPECT_NE(Faults(Minimal("node: {lease: 7s}\n")).find("node.lease"), std::string::npos);
}

TEST(SettingsReferenceTest, IsTheCommittedFile) {
  const auto file = ReadFile(test::SourcePath("config/reference.md"));
  ASSERT_TRUE(file.ok()) << "run: swage config reference > config/reference.md";
  EXPECT_EQ(*file, SettingsReference()) << "run: swage config reference > config/reference.md";
}

TEST(ParseDurationTest, TakesOneNumberAndOneUnit) {
  EXPECT_EQ(*ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("90s"), milliseconds(90'000));
  EXPECT_EQ(*ParseDuration("10m"), minutes(10));
  EXPECT_EQ(*ParseDuration("2h"), hours(2));
  EXPECT_EQ(*ParseDuration("2 h"), hours(2));
  for (const auto* bad : {"", "10", "m", "-1m", "+1m", "1.5h", "1h30m", "1d",
                          "9223372036854775807h", "99999999999999999999s", " 1m", "0x10m"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
}

TEST(ParseSizeTest, TakesOneNumberAndOneUnit) {
  EXPECT_EQ(*ParseSize("17"), 17U);
  EXPECT_EQ(*ParseSize("64MiB"), std::size_t{64} << 20);
  EXPECT_EQ(*ParseSize("1gib"), std::size_t{1} << 30);
  for (const auto* bad : {"", "MiB", "-1", "64MB", "9223372036854775807GiB"}) {
    EXPECT_FALSE(ParseSize(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace swage
