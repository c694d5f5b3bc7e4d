#include "bot/cli.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <sstream>

#include "config/base/files.h"
#include "config/settings.h"
#include "tests/harness/paths.h"
#include "tests/harness/signing_keys.h"

namespace swage {
namespace {

// Runs a command line and keeps what the actions were given.
class CliTest : public testing::Test {
 protected:
  int Run(std::vector<const char*> args) {
    args.insert(args.begin(), "swage");
    CliActions actions;
    actions.serve = [&](const ServeOptions& options) {
      serve_ = options;
      return 7;
    };
    actions.demo = [&](const DemoOptions& options) {
      demo_ = options;
      return 8;
    };
    actions.look_at_store = look_at_store_;
    actions.demo_forges = {"one", "two"};
    out_.str("");
    err_.str("");
    return RunCli(static_cast<int>(args.size()), args.data(), actions, out_, err_);
  }

  std::function<Result<std::string>(const Settings&)> look_at_store_;
  std::optional<ServeOptions> serve_;
  std::optional<DemoOptions> demo_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CliTest, HandsServeItsFile) {
  EXPECT_EQ(Run({"serve", "--config", "a.yml"}), 7);
  EXPECT_EQ(serve_->config, "a.yml");
  setenv("SWAGE_CONFIG", "b.yml", 1);
  EXPECT_EQ(Run({"serve"}), 7);
  unsetenv("SWAGE_CONFIG");
  EXPECT_EQ(serve_->config, "b.yml");
}

TEST_F(CliTest, HandsServeItsRolesAndItsName) {
  EXPECT_EQ(Run({"serve", "-c", "a.yml", "--roles", "web,worker", "--node", "n1"}), 7);
  EXPECT_EQ(serve_->roles, (std::vector<std::string>{"web", "worker"}));
  EXPECT_EQ(serve_->node, "n1");
  serve_.reset();
  EXPECT_EQ(Run({"serve", "-c", "a.yml", "--roles", "web,cook"}), kExitUsage);
  EXPECT_FALSE(serve_);
  EXPECT_NE(err_.str().find("cook"), std::string::npos) << err_.str();
}

TEST_F(CliTest, HandsDemoItsOptions) {
  TempDir dir;
  const std::string repo = dir.path().string();
  const std::string issue = (dir.path() / "issue.md").string();
  ASSERT_TRUE(WriteFileAtomic(issue, "# x\n").ok());
  EXPECT_EQ(Run({"demo"}), 8);
  EXPECT_EQ(demo_->forge, "one");
  EXPECT_FALSE(demo_->once);
  EXPECT_EQ(Run({"demo", "--forge", "two", "--once", "--agent", "codex", "--repo", repo.c_str(),
                 "--issue", issue.c_str(), "--gate", "t=a=b && c", "--gate", "u=d", "--data", "/d",
                 "--port", "80"}),
            8);
  EXPECT_EQ(demo_->forge, "two");
  EXPECT_TRUE(demo_->once);
  EXPECT_EQ(demo_->agent, "codex");
  EXPECT_EQ(demo_->repo, repo);
  EXPECT_EQ(demo_->issue, issue);
  ASSERT_EQ(demo_->gates.size(), 2U);
  EXPECT_EQ(demo_->gates[0].name, "t");
  EXPECT_EQ(demo_->gates[0].command, "a=b && c");
  EXPECT_EQ(demo_->gates[1].name, "u");
  EXPECT_EQ(demo_->data, "/d");
  EXPECT_EQ(demo_->port, 80);
}

TEST_F(CliTest, RefusesWrongCommandLines) {
  TempDir dir;
  const std::string repo = dir.path().string();
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"srve"},
      {"serve"},
      {"serve", "--confg", "x"},
      {"config"},
      {"demo", "--forge", "three"},
      {"demo", "--port", "70000"},
      {"demo", "--gate", "no-command"},
      {"demo", "--gate", "Bad Name=x"},
      {"demo", "--gate", "empty="},
      {"demo", "--repo", "/no/such/folder"},
      {"demo", "--repo", repo.c_str()},
  };
  for (const auto& args : wrong) {
    EXPECT_EQ(Run(args), kExitUsage) << (args.empty() ? "" : args.back());
    EXPECT_FALSE(err_.str().empty());
  }
  EXPECT_FALSE(serve_.has_value());
  EXPECT_FALSE(demo_.has_value());
}

TEST_F(CliTest, PrintsHelpVersionAndReference) {
  EXPECT_EQ(Run({"--help"}), kExitOk);
  EXPECT_NE(out_.str().find("Exit codes: 0 done"), std::string::npos);
  EXPECT_EQ(Run({"version"}), kExitOk);
  EXPECT_EQ(out_.str(), std::string("swage ") + SWAGE_VERSION + "\n");
  EXPECT_EQ(Run({"--version"}), kExitOk);
  EXPECT_EQ(Run({"config", "reference"}), kExitOk);
  EXPECT_EQ(out_.str(), SettingsReference());
}

class ConfigCheckTest : public CliTest {
 protected:
  void SetUp() override { setenv("SWAGE_TEST_SECRET", "canary-0123456789", 1); }
  void TearDown() override { unsetenv("SWAGE_TEST_SECRET"); }
  int Check(std::string_view agent) {
    ExpectOk(WriteFileAtomic(file_, R"(data_dir: /var/lib/x
forges: [{kind: github, token: env:SWAGE_TEST_SECRET, webhook_secret: file:hook, repos: ["a/*"]}]
agent: )" + std::string(agent) + "\n"));
    ExpectOk(WriteFileAtomic(dir_.path() / "hook", "hook-0123456789"));
    return Run({"config", "check", file_.c_str()});
  }
  static void ExpectOk(const Result<void>& r) { EXPECT_TRUE(r.ok()); }

  TempDir dir_;
  std::string file_ = (dir_.path() / "swage.yml").string();
};

TEST_F(ConfigCheckTest, SaysThatPollingNeedsNoWebhook) {
  EXPECT_EQ(Check("{command: [sh, x]}\nintake: poll"), kExitOk) << err_.str();
  EXPECT_NE(out_.str().find("the forge is asked"), std::string::npos) << out_.str();
  EXPECT_EQ(out_.str().find("/hooks/"), std::string::npos);
}

TEST_F(ConfigCheckTest, SaysWhatWouldBeUsedWithoutSecrets) {
  EXPECT_EQ(Check("{command: [sh, x]}"), kExitOk) << err_.str();
  EXPECT_NE(out_.str().find("data       /var/lib/x"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find("https://api.github.com"), std::string::npos);
  EXPECT_NE(out_.str().find("http://127.0.0.1:8420/hooks/github"), std::string::npos);
  EXPECT_NE(out_.str().find("command: /usr/bin/sh"), std::string::npos);
  EXPECT_NE(out_.str().find("env:SWAGE_TEST_SECRET"), std::string::npos);
  EXPECT_EQ(out_.str().find("canary"), std::string::npos);
}

TEST_F(ConfigCheckTest, SaysWhatTheDatabaseIsOrWhyItCannotBeUsed) {
  look_at_store_ = [](const Settings& settings) -> Result<std::string> {
    return settings.store.value + ", and it is there";
  };
  EXPECT_EQ(Check("{command: [sh, x]}"), kExitOk) << err_.str();
  EXPECT_NE(out_.str().find("store      sqlite, and it is there"), std::string::npos) << out_.str();
  look_at_store_ = [](const Settings&) -> Result<std::string> {
    return MakeError(ErrorCode::kUnavailable, "cannot connect: nobody is there");
  };
  EXPECT_EQ(Check("{command: [sh, x]}"), kExitFailed);
  EXPECT_NE(err_.str().find("the database cannot be used: cannot connect: nobody is there"),
            std::string::npos)
      << err_.str();
}

TEST_F(ConfigCheckTest, SaysWhenTheAgentIsNotThere) {
  EXPECT_EQ(Check("{command: [no-such-agent-here]}"), kExitFailed);
  EXPECT_NE(err_.str().find("no-such-agent-here is not in /usr/local/bin:"), std::string::npos);
  EXPECT_EQ(Check("{preset: codx}"), kExitFailed);
  EXPECT_NE(err_.str().find("did you mean codex?"), std::string::npos) << err_.str();
  ASSERT_TRUE(WriteFileAtomic(dir_.path() / "my-agent", "#!/bin/sh\n", 0700).ok());
  EXPECT_EQ(Check("{command: [my-agent], extra_path: [\"" + dir_.path().string() + "\"]}"),
            kExitOk);
}

TEST_F(ConfigCheckTest, SignsSomethingWithTheSigningKey) {
  const auto processes = MakePosixProcessRunner(test::Program("swage-supervise"));
  const test::SshKey key(dir_.path(), *processes);
  const std::string more = "publish: {signing_key: file:" + key.file().string() + "}\n";
  EXPECT_EQ(Check("{command: [sh]}\n" + more), kExitOk) << err_.str();
  EXPECT_NE(out_.str().find("signature  ssh key SHA256:"), std::string::npos) << out_.str();

  ASSERT_TRUE(WriteFileAtomic(key.file(), "-----BEGIN OPENSSH PRIVATE KEY-----\ngarbage\n").ok());
  EXPECT_EQ(Check("{command: [sh]}\n" + more), kExitUsage);
  EXPECT_EQ(out_.str(), "");
  EXPECT_NE(err_.str().find("swage.yml:4: publish.signing_key: cannot sign: ssh-keygen: "),
            std::string::npos)
      << err_.str();
  EXPECT_NE(err_.str().find("to see more: ssh-keygen -y -f "), std::string::npos) << err_.str();
}

TEST_F(ConfigCheckTest, PrintsFaultsAlone) {
  EXPECT_EQ(Check("{preset: codex, time_limit: ten}"), kExitUsage);
  EXPECT_EQ(out_.str(), "");
  EXPECT_NE(err_.str().find("swage.yml:3: agent.time_limit: \"ten\" is not a duration; write for "
                            "example 30m"),
            std::string::npos);
}

TEST_F(ConfigCheckTest, PrintsWarnings) {
  ASSERT_TRUE(WriteFileAtomic(file_, R"(data_dir: /x
forges: [{kind: github, token: env:SWAGE_TEST_SECRET, webhook_secret: file:hook}]
agent: {command: [sh]}
)")
                  .ok());
  ASSERT_TRUE(WriteFileAtomic(dir_.path() / "hook", "hook-0123456789").ok());
  EXPECT_EQ(Run({"config", "check", file_.c_str()}), kExitOk);
  EXPECT_NE(out_.str().find("warning: "), std::string::npos);
  EXPECT_NE(out_.str().find("no repository may be worked on"), std::string::npos);
}

}  // namespace
}  // namespace swage
