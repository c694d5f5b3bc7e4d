// Secrets, hooks, the disk's mark: what needs no server.
#include "pipeline/runtime/task_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/runtime/disk_guard.h"
#include "pipeline/runtime/hooks.h"
#include "tests/harness/fake_process.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

NamedSecret Secret(std::string name, std::vector<std::string> gates, bool agent = false) {
  return {.name = std::move(name),
          .value = {"file:x", "value-of-it"},
          .repos = {"acme/*", "!acme/other"},
          .gates = std::move(gates),
          .agent = agent};
}

CommandContext At(std::string workspace, std::map<std::string, std::string> env) {
  CommandContext context;
  context.workspace = std::move(workspace);
  context.env = std::move(env);
  return context;
}

DatabaseSettings Sqlite(std::string name, std::vector<std::string> repos = {"**"}) {
  DatabaseSettings settings;
  settings.name = std::move(name);
  settings.kind = "sqlite";
  settings.repos = std::move(repos);
  return settings;
}

CacheSettings Npm() {
  CacheSettings settings;
  settings.name = "npm";
  settings.env = "npm_config_cache";
  settings.warm = {"npm", "ci"};
  return settings;
}

RepoPolicy Asking(std::vector<std::string> agent, std::vector<std::string> gate) {
  RepoPolicy policy;
  policy.secrets = std::move(agent);
  policy.gates.emplace_back();
  policy.gates.back().name = "e2e";
  policy.gates.back().secrets = std::move(gate);
  policy.gates.emplace_back();
  policy.gates.back().name = "lint";
  return policy;
}

TEST(Secrets, AreForTheStepThatAsksAndIsGranted) {
  const std::vector<NamedSecret> secrets = {Secret("TOKEN", {"e*"}), Secret("KEY", {}, true)};
  const auto steps = GrantSecrets(secrets, "acme/lib", Asking({"KEY"}, {"TOKEN"}));
  ASSERT_TRUE(steps.ok()) << steps.error().message;
  const CommandContext plain = At("/w", {{"HOME", "/h"}});
  EXPECT_EQ(steps->ForAgent(plain).env.at("KEY"), "value-of-it");
  EXPECT_FALSE(steps->ForAgent(plain).env.contains("TOKEN"));
  EXPECT_EQ(steps->ForGate(plain, "e2e").env.at("TOKEN"), "value-of-it");
  EXPECT_FALSE(steps->ForGate(plain, "e2e").env.contains("KEY"));
  EXPECT_EQ(steps->ForGate(plain, "lint").env, plain.env);
  EXPECT_EQ(steps->ForHook(plain).env, plain.env);
}

TEST(Secrets, AreNotGivenToWhoDoesNotAsk) {
  const auto steps = GrantSecrets({Secret("TOKEN", {"*"}, true)}, "acme/lib", Asking({}, {}));
  EXPECT_THAT(steps->agent, IsEmpty());
  EXPECT_THAT(steps->gates.at("e2e"), IsEmpty());
}

TEST(Secrets, AskedForWithoutAGrantEndTheTaskWithTheReason) {
  const auto refused = [](const NamedSecret& secret, std::string_view repo,
                          const RepoPolicy& policy) {
    const auto steps = GrantSecrets({secret}, repo, policy);
    return steps.ok() ? "" : steps.error().message;
  };
  EXPECT_THAT(refused(Secret("TOKEN", {"e2e"}), "acme/lib", Asking({"TOKEN"}, {})),
              HasSubstr("the agent asks for the secret TOKEN"));
  EXPECT_THAT(refused(Secret("TOKEN", {"deploy"}, true), "acme/lib", Asking({}, {"TOKEN"})),
              HasSubstr("the gate e2e asks for the secret TOKEN"));
  EXPECT_THAT(refused(Secret("TOKEN", {"e2e"}), "acme/other", Asking({}, {"TOKEN"})),
              HasSubstr("does not grant it in acme/other"));
  EXPECT_THAT(refused(Secret("TOKEN", {"e2e"}), "evil/lib", Asking({}, {"TOKEN"})),
              HasSubstr("gates: [e2e]"));
}

TEST(Hooks, RunTheServersFirstAndSeeWhatGatesSee) {
  HookSet server;
  HookSet policy;
  server.after_create = HookSpec{{"one"}, std::chrono::seconds(3)};
  policy.after_create = HookSpec{{"two", "x"}, std::chrono::seconds(4)};
  FakeProcessRunner runner("said\n");
  std::string log;
  const auto done = RunHooks(
      runner, "after_create", HooksAt(server, policy, &HookSet::after_create),
      At("/w", {{"HOME", "/h"}, {"PORT", "1"}}), [&](std::string_view s) { log += s; }, {});
  ASSERT_TRUE(done.ok());
  ASSERT_EQ(runner.specs.size(), 2U);
  EXPECT_THAT(runner.specs[0].argv, ElementsAre("one"));
  EXPECT_THAT(runner.specs[1].argv, ElementsAre("two", "x"));
  EXPECT_EQ(runner.specs[1].time_limit, std::chrono::seconds(4));
  EXPECT_EQ(runner.specs[1].cwd, "/w");
  EXPECT_EQ(runner.specs[1].env.at("PORT"), "1");
  EXPECT_EQ(runner.specs[1].env.at("SWAGE_HOOK"), "after_create");
  EXPECT_EQ(log, "said\nsaid\n");
  EXPECT_THAT(HooksAt(server, policy, &HookSet::before_remove), IsEmpty());
}

TEST(Hooks, AFailureNamesTheHookAndEndsWithItsOutput) {
  FakeProcessRunner runner(std::string(5'000, 'x') + "\x1b[31mno such package\n", 4);
  const auto done =
      RunHooks(runner, "before_agent", {{{"a"}, {}}, {{"b"}, {}}}, At("/w", {}), {}, {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(runner.specs.size(), 1U);
  EXPECT_THAT(done.error().message, HasSubstr("the hook before_agent failed: exit code 4"));
  EXPECT_THAT(done.error().message, testing::EndsWith("no such package"));
  EXPECT_LT(done.error().message.size(), 1'200U);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
}

TEST(Hooks, StoppedIsNotFailed) {
  FakeProcessRunner runner([](const ProcessSpec&, const ProcessRunner::Sink&) {
    return FakeProcessRunner::Ended(ProcessEnd::kStopped);
  });
  EXPECT_EQ(RunHooks(runner, "after_agent", {{{"a"}, {}}}, At("/w", {}), {}, {}).error().code,
            ErrorCode::kCancelled);
}

class RuntimeTest : public testing::Test {
 protected:
  RuntimeTest() {
    settings_.data_dir = dir_.path();
    settings_.ports = {30'200, 30'299, 10};
    task_.id = TaskId{4};
    task_.repo = {"hub", "7", "acme/lib"};
    home_ = dir_.path() / "home";
    EXPECT_TRUE(MakeDirs(home_).ok());
    context_.workspace = dir_.path();
    context_.env = {{"HOME", home_.string()}};
  }
  std::unique_ptr<TaskRuntime> Make(const RepoPolicy& policy = {}) {
    runtimes_ = std::make_unique<TaskRuntimes>(settings_, "node", redactor_, log_);
    auto runtime = runtimes_->Prepare(task_, policy);
    EXPECT_TRUE(runtime.ok()) << runtime.error().message;
    if (!runtime.ok()) return nullptr;
    const auto furnished = (*runtime)->Furnish(context_, {.owner = {}, .may_share = true});
    EXPECT_TRUE(furnished.ok()) << furnished.error().message;
    return *std::move(runtime);
  }

  TempDir dir_;
  Settings settings_;
  Task task_;
  fs::path home_;
  CommandContext context_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  std::unique_ptr<TaskRuntimes> runtimes_;
};

TEST_F(RuntimeTest, GivesPortsAndAnSqliteFileToEveryStep) {
  settings_.databases.push_back(Sqlite("main", {"acme/*"}));
  settings_.databases.push_back(Sqlite("other", {"other/*"}));
  const auto runtime = Make();
  ASSERT_NE(runtime, nullptr);
  const auto env = runtime->Environments().ForGate(context_, "tests").env;
  EXPECT_EQ(env.at("PORT"), "30240");
  EXPECT_EQ(env.at("SWAGE_PORT_COUNT"), "10");
  EXPECT_EQ(env.at("DATABASE_URL"), "sqlite://" + (home_ / "databases/main.sqlite").string());
  EXPECT_TRUE(fs::exists(home_ / "databases/main.sqlite"));
  EXPECT_EQ(runtime->Environments().ForAgent(context_).env.at("DATABASE_URL"),
            env.at("DATABASE_URL"));
}

TEST_F(RuntimeTest, ATaskCanGoOnInAnotherWorkspace) {
  settings_.databases.push_back(Sqlite("main"));
  settings_.caches.push_back(Npm());
  const auto runtime = Make();
  const auto port = runtime->Environments().every.at("PORT");
  const fs::path next = dir_.path() / "next";
  ASSERT_TRUE(MakeDirs(next).ok());
  context_.env["HOME"] = next.string();
  ASSERT_TRUE(runtime->Furnish(context_, {.owner = {}, .may_share = true}).ok());
  const auto& env = runtime->Environments().every;
  EXPECT_EQ(env.at("PORT"), port);
  EXPECT_THAT(env.at("DATABASE_URL"), HasSubstr(next.string()));
  EXPECT_THAT(env.at("npm_config_cache"), HasSubstr(next.string()));
}

TEST_F(RuntimeTest, APolicyMayWantFewerDatabases) {
  settings_.databases.push_back(Sqlite("main"));
  RepoPolicy none;
  none.databases = std::vector<std::string>{};
  EXPECT_FALSE(Make(none)->Environments().every.contains("DATABASE_URL"));
  RepoPolicy wrong;
  wrong.databases = {"mian"};
  const auto refused = runtimes_->Prepare(task_, wrong);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("the database mian"));
  EXPECT_THAT(refused.error().message, HasSubstr("it has main"));
}

TEST_F(RuntimeTest, TwoThatWantOneVariableAreAMistake) {
  settings_.databases.push_back(Sqlite("one"));
  settings_.databases.push_back(Sqlite("two"));
  runtimes_ = std::make_unique<TaskRuntimes>(settings_, "node", redactor_, log_);
  const auto runtime = runtimes_->Prepare(task_, {});
  ASSERT_TRUE(runtime.ok());
  const auto furnished = (*runtime)->Furnish(context_, {.owner = {}, .may_share = true});
  ASSERT_FALSE(furnished.ok());
  EXPECT_THAT(furnished.error().message, HasSubstr("two wants the variable DATABASE_URL"));
}

TEST_F(RuntimeTest, ACacheIsFilledOnceAndGivenToLaterTasks) {
  settings_.caches.push_back(Npm());
  const auto first = Make();
  FakeProcessRunner warm([&](const ProcessSpec& spec, const ProcessRunner::Sink&) {
    EXPECT_TRUE(WriteFileFast(fs::path(spec.env.at("npm_config_cache")) / "index", "warm").ok());
    return FakeProcessRunner::Exited(0);
  });
  first->Warm(warm, context_, {}, {});
  EXPECT_THAT(first->Warnings(), IsEmpty());
  ASSERT_EQ(warm.specs.size(), 1U);
  EXPECT_THAT(warm.specs[0].argv, ElementsAre("npm", "ci"));

  task_.id = TaskId{5};
  const auto second = Make();
  const fs::path folder = second->Environments().every.at("npm_config_cache");
  EXPECT_EQ(*ReadFile(folder / "index"), "warm");
  second->Warm(warm, context_, {}, {});
  EXPECT_EQ(warm.specs.size(), 1U) << "it is not due";
}

TEST_F(RuntimeTest, ACacheThatCannotBeFilledIsAWarning) {
  settings_.caches.push_back(Npm());
  const auto runtime = Make();
  FakeProcessRunner broken("", 1);
  runtime->Warm(broken, context_, {}, {});
  EXPECT_THAT(runtime->Warnings(), ElementsAre("the cache npm was not filled: exit code 1"));
  task_.id = TaskId{5};
  EXPECT_TRUE(fs::is_empty(fs::path(Make()->Environments().every.at("npm_config_cache"))));
}

TEST_F(RuntimeTest, PortsAreFreeAgainWithTheRuntime) {
  EXPECT_EQ(Make()->Environments().every.at("PORT"), "30240");
  EXPECT_EQ(Make()->Environments().every.at("PORT"), "30240");
}

TEST(Redaction, ForgetsWhatHasLostItsUse) {
  Redactor redactor;
  ASSERT_TRUE(redactor.Add("first-secret"));
  ASSERT_TRUE(redactor.Add("second-secret"));
  redactor.Forget("first-secret");
  EXPECT_EQ(redactor.Apply("first-secret second-secret"), "first-secret [redacted]");
  EXPECT_FALSE(redactor.Contains("terces-tsrif"));
  EXPECT_TRUE(redactor.Contains("terces-dnoces"));
}

// ---- the disk

class CountedThings final : public Reclaimer {
 public:
  CountedThings(int count, DiskUse& use) : count_(count), use_(use) {}
  Result<std::vector<Spare>> List() override {
    std::vector<Spare> left;
    for (int i = 0; i < count_; ++i) left.push_back({std::to_string(i), {}});
    return left;
  }
  Result<bool> Remove(const Spare&, std::stop_token) override {
    use_.free += 5;
    --count_;
    return true;
  }

 private:
  int count_;
  DiskUse& use_;
};

class DiskGuardTest : public testing::Test {
 protected:
  void Round(int things) {
    std::vector<std::unique_ptr<Reclaimer>> reclaimers;
    reclaimers.push_back(std::make_unique<CountedThings>(things, use_));
    DiskGuard guard(
        {.percent = 90}, [&] { return Result<DiskUse>(use_); }, std::move(reclaimers),
        [&](std::optional<std::string> why) { no_room_ = std::move(why); }, log_);
    ASSERT_TRUE(guard.RunOnce({}).ok());
  }

  DiskUse use_{100, 50};
  std::optional<std::string> no_room_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
};

TEST_F(DiskGuardTest, RemovesNothingBelowTheMark) {
  use_.free = 10;
  Round(3);
  EXPECT_EQ(use_.free, 10U);
  EXPECT_FALSE(no_room_.has_value());
}

TEST_F(DiskGuardTest, RemovesAsMuchAsItTakes) {
  use_.free = 1;
  Round(3);
  EXPECT_EQ(use_.free, 11U);
  EXPECT_FALSE(no_room_.has_value());
}

TEST_F(DiskGuardTest, SaysThatThereIsNoRoomWhenNothingIsLeftToRemove) {
  use_.free = 1;
  Round(1);
  ASSERT_TRUE(no_room_.has_value());
  EXPECT_THAT(*no_room_, HasSubstr("94% of"));
  EXPECT_THAT(*no_room_, HasSubstr("90%"));
}

TEST(DiskMarks, ArePercentagesOrSizes) {
  const DiskUse use{1'000, 100};
  EXPECT_FALSE(IsAbove({.percent = 90}, use));
  EXPECT_TRUE(IsAbove({.percent = 89}, use));
  EXPECT_TRUE(IsAbove({.percent = 95, .bytes = 899}, use));
  EXPECT_FALSE(IsAbove({.percent = 5, .bytes = 900}, use));
  EXPECT_TRUE(MeasureDisk("/tmp").ok());
  EXPECT_EQ(MeasureDisk("/no/such/place").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace swage
