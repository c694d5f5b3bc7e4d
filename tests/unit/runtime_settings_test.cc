// What settings and policies say about ports, databases, secrets, caches, hooks.
#include "config/runtime_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "config/base/text.h"
#include "config/repo_policy.h"
#include "config/settings.h"

namespace swage {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RuntimeSettings : public testing::Test {
 protected:
  void SetUp() override {
    Write("token", "token-0123456789");
    Write("hook", "hook-0123456789\n");
    Write("value", "s3cret-value-42\n");
    Write("admin", "postgres://maker:hunter2222@127.0.0.1/app\n");
  }
  void Write(std::string_view name, std::string_view text, unsigned mode = 0600) {
    ASSERT_TRUE(WriteFileAtomic(dir_.path() / name, text, mode).ok());
  }
  Result<Settings> Load(std::string_view more) {
    Write("swage.yml",
          std::string("data_dir: data\nagent: {preset: codex}\nforges:\n  - kind: github\n"
                      "    token: file:token\n    webhook_secret: file:hook\n"
                      "    repos: [\"acme/*\"]\n") +
              std::string(more));
    return LoadSettings(dir_.path() / "swage.yml", redactor_);
  }
  std::string Fault(std::string_view more) {
    const auto loaded = Load(more);
    return loaded.ok() ? "" : loaded.error().message;
  }

  TempDir dir_;
  Redactor redactor_;
};

TEST_F(RuntimeSettings, HasUsefulDefaults) {
  const Settings settings = Load("").value();
  EXPECT_EQ(settings.ports.per_task, 10);
  EXPECT_TRUE(settings.databases.empty());
  EXPECT_FALSE(settings.hooks.after_create.has_value());
  EXPECT_EQ(settings.disk_high_water.percent, 95);
}

TEST_F(RuntimeSettings, ReadsAllOfIt) {
  const Settings settings = Load(R"(
ports: {first: 21000, last: 21999, per_task: 5}
secrets:
  - {name: REGISTRY, value: file:value, repos: [acme/lib], gates: [e2e, "deploy-*"], agent: true}
databases:
  - {name: main, admin: file:admin, scope: schema, connections: 3, repos: ["acme/*"]}
  - {name: small, kind: sqlite, env: SMALL_URL}
caches:
  - {name: npm, env: npm_config_cache, warm: [npm, ci], refresh: 2h, limit: 1GiB}
  - {name: pip, env: PIP_CACHE_DIR, path: pips, mode: shared}
hooks:
  after_create: {run: [make, deps], timeout: 30s}
  before_remove: {run: "echo bye; true", shell: true}
workspaces: {disk_high_water: 80%, include: {acme/lib: files}}
)")
                                .value();
  ASSERT_EQ(settings.secrets.size(), 1U);
  EXPECT_EQ(settings.secrets[0].value.value, "s3cret-value-42");
  EXPECT_THAT(settings.secrets[0].gates, ElementsAre("e2e", "deploy-*"));
  EXPECT_EQ(settings.databases[0].admin.value, "postgres://maker:hunter2222@127.0.0.1/app");
  EXPECT_EQ(settings.databases[1].env, "SMALL_URL");
  EXPECT_EQ(settings.caches[1].path, dir_.path() / "pips");
  EXPECT_EQ(settings.hooks.after_create->timeout, seconds(30));
  EXPECT_THAT(settings.hooks.before_remove->run, ElementsAre("/bin/sh", "-c", "echo bye; true"));
  EXPECT_EQ(settings.includes.at("acme/lib"), dir_.path() / "files");
  EXPECT_EQ(settings.disk_high_water.percent, 80);
}

TEST_F(RuntimeSettings, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"databases: [{name: main}]\n", "has no admin"},
      {"databases: [{name: main, admin: file:value}]\n", "no postgres:// URL"},
      {"databases: [{name: a, kind: sqlite, scope: schema}]\n", "scope means nothing"},
      {"databases: [{name: a, kind: sqlite}, {name: a, kind: sqlite}]\n", "is taken"},
      {"databases: [{name: a, kind: sqlite, env: PATH}]\n", "databases[0].env"},
      {"secrets: [{name: A, value: file:value, repos: [acme/lib]}]\n", "granted to nobody"},
      {"secrets: [{name: A, value: file:value, repos: [], agent: true}]\n", "in no repository"},
      {"secrets: [{name: A, value: file:token, repos: [a/b], agent: true}]\n",
       "is a secret of the bot"},
      {"secrets: [{name: LD_PRELOAD, value: file:value, repos: [a/b], agent: true}]\n",
       "secrets[0].name"},
      {"caches: [{name: a, env: A}]\n", "needs either path"},
      {"caches: [{name: a, env: A, path: x, warm: [true]}]\n", "needs either path"},
      {"hooks: {after_create: [make]}\n", "hooks.after_create"},
      {"hooks: {after_create: {run: make deps}}\n", "no shell was asked for"},
      {"hooks: {after_create: {timeout: 3s}}\n", "hooks.after_create.run"},
      {"ports: {first: 3000, last: 3009}\n", "leaves room for 1 blocks"},
      {"workspaces: {disk_high_water: 101%}\n", "from 1% to 100%"},
      {"workspaces: {disk_high_water: lots}\n", "from 1% to 100%"},
      {"workspaces: {include: {acme: x}}\n", "OWNER/NAME"},
  };
  for (const auto& [yaml, says] : cases) EXPECT_THAT(Fault(yaml), HasSubstr(says)) << yaml;
}

TEST_F(RuntimeSettings, APolicyAsksByNameAndHasHooks) {
  const auto policy = ParseRepoPolicy(
      "gates: [{name: e2e, run: [make, e2e], secrets: [REGISTRY]}]\n"
      "secrets: [PACKAGES]\ndatabases: []\nhooks: {before_agent: {run: [npm, ci]}}\n",
      "p");
  ASSERT_TRUE(policy.ok()) << policy.error().message;
  EXPECT_THAT(policy->gates[0].secrets, ElementsAre("REGISTRY"));
  EXPECT_THAT(policy->secrets, ElementsAre("PACKAGES"));
  ASSERT_TRUE(policy->databases.has_value());
  EXPECT_TRUE(policy->databases->empty());
  EXPECT_THAT(policy->hooks.before_agent->run, ElementsAre("npm", "ci"));
  EXPECT_FALSE(ParseRepoPolicy("", "p")->databases.has_value());
  EXPECT_FALSE(ParseRepoPolicy("ports: {first: 1}\n", "p").ok()) << "the server's alone";
}

TEST_F(RuntimeSettings, ASecretCanBeWhatAProgramPrints) {
  Write("vault", "#!/bin/sh\nprintf 'from-%s-%s\\n' \"$1\" \"$2\"\n", 0700);
  const Settings settings =
      Load(
          "store_password: exec:./vault store main\n"
          "secrets: [{name: A, value: 'exec:[\"./vault\", \"a b\", \"$HOME;id\"]', repos: [a/b], "
          "agent: true}]\n")
          .value();
  EXPECT_EQ(settings.store_password.value, "from-store-main");
  EXPECT_EQ(settings.secrets[0].value.value, "from-a b-$HOME;id");
  EXPECT_EQ(redactor_.Apply("x from-store-main y"), "x [redacted] y");
}

TEST_F(RuntimeSettings, AProgramSeesNothingOfTheServersEnvironment) {
  setenv("SWAGE_TEST_CANARY", "canary-0123456789", 1);
  Write("vault", "#!/bin/sh\nenv | grep -c CANARY; echo end-of-it\n", 0700);
  // Two lines are no secret: what is asked here is only what they say.
  EXPECT_EQ(FetchSecret("exec:./vault", dir_.path()).value(), "0\nend-of-it");
  unsetenv("SWAGE_TEST_CANARY");
}

TEST_F(RuntimeSettings, AFailingProgramIsNamedAndItsOutputIsNot) {
  Write("vault", "#!/bin/sh\necho canary-0123456789; echo 'not signed in' >&2; exit 3\n", 0700);
  const std::string fault = Fault("store_password: exec:./vault\n");
  EXPECT_THAT(fault, HasSubstr("swage.yml:8: store_password"));
  EXPECT_THAT(fault, HasSubstr("exit code 3"));
  EXPECT_THAT(fault, HasSubstr("not signed in"));
  EXPECT_THAT(fault, Not(HasSubstr("canary")));
  EXPECT_THAT(Fault("store_password: exec:/no/such/program\n"), HasSubstr("/no/such/program"));
  Write("vault", "#!/bin/sh\nyes canary | head -c 100000\n", 0700);
  EXPECT_THAT(Fault("store_password: exec:./vault\n"), HasSubstr("more than"));
}

TEST(SecretCommand, IsSplitAtBlanksOrAListOfWords) {
  EXPECT_THAT(ParseSecretCommand("pass  show a").value(), ElementsAre("pass", "show", "a"));
  EXPECT_THAT(ParseSecretCommand("[\"pass\", \"a b\", \"\"]").value(),
              ElementsAre("pass", "a b", ""));
  for (const char* bad : {"", "  ", "[]", "[1]", "[\"\"]", "[\"a\"", "[{}]"}) {
    EXPECT_FALSE(ParseSecretCommand(bad).ok()) << bad;
  }
  EXPECT_FALSE(ParseSecretCommand(ReplaceAll(std::string(60, 'x'), "x", "x ")).ok());
}

}  // namespace
}  // namespace swage
