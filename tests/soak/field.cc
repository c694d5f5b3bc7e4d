#include "tests/soak/field.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/postgres_server.h"

namespace swage::soak {
namespace {

using sandbox::FaultAction;
using sandbox::FaultRule;

// A forge lists what it has for every fetch and push: thousands of branches belong to no test.
constexpr int kIssuesPerRepo = 250;
constexpr int kFewestRepos = 2;
constexpr const char* kLease = "10s";

struct Roles {
  const char* name;
  const char* roles;
  bool web;
};
constexpr std::array<Roles, 4> kNodes = {{
    {"ash", "web, worker", true},
    {"birch", "web, publisher, housekeeping", true},
    {"cedar", "worker, publisher", false},
    {"elm", "worker, housekeeping", false},
}};

std::map<std::string, std::string> Files() {
  return {
      {"answers/README.md", "One file per question.\n"},
      {"check.sh",
       "for answer in answers/*.txt; do\n"
       "  grep -qx 42 \"$answer\" && continue\n"
       "  echo \"$answer:1: error: the answer is $(cat \"$answer\"), not 42\"; wrong=1\n"
       "done\n[ -z \"$wrong\" ]\n"},
      {".swage.yml",
       "gates:\n  - name: tests\n    run: [sh, check.sh]\n    rerun: false\n"
       "    report: {format: gcc}\n"},
  };
}

// Takes up to a second, so that it is often caught in the middle, and one in four needs two cycles.
constexpr const char* kAgent =
    "sleep 0.$((RANDOM % 10))\n"
    "answer=42\n"
    "[ $((SWAGE_ISSUE % 4)) -ne 0 ] || grep -q 'not 42' \"$1\" || answer=41\n"
    "echo $answer > answers/$SWAGE_ISSUE.txt\n"
    "echo 'I wrote the answer.'\n";

test::BoxOptions Options(const Plan& plan, const std::string& database) {
  test::BoxOptions options;
  options.dialect = plan.dialect;
  options.files = Files();
  options.agent = kAgent;
  options.start = false;
  options.webhook = false;
  options.intake = "both";
  options.repo = "acme/lib1";
  // Short, so that what waits comes up again within the test.
  options.forge_config = "    pause: 1s\n    timeout: 10s\n";
  options.extra_config = fmt::format(
      "store: \"{}\"\n"
      "limits: {{tasks: 4, tasks_per_repo: 64, attempts: 20, attempt_delay: 500ms}}\n",
      database);
  return options;
}

FaultRule Sometimes(FaultAction action, double chance) {
  FaultRule rule;
  rule.action = action;
  rule.times = -1;
  rule.chance = chance;
  return rule;
}

// One reply in ten.
std::vector<FaultRule> FaultyReplies(sandbox::Dialect dialect) {
  std::vector<FaultRule> rules;
  for (const int status : {500, 502, 503}) {
    rules.push_back(Sometimes(FaultAction::kStatus, 0.013));
    rules.back().status = status;
  }
  rules.push_back(Sometimes(FaultAction::kResetBefore, 0.02));
  rules.push_back(Sometimes(FaultAction::kResetAfter, 0.02));
  rules.push_back(Sometimes(FaultAction::kDelay, 0.016));
  rules.back().delay_ms = 400;
  // Few, because each of them holds all nodes back. GitLab knows only one way to say it.
  std::vector<FaultAction> limits = {FaultAction::kRateLimit};
  if (dialect == sandbox::Dialect::kGitHub) {
    limits.insert(limits.end(), {FaultAction::kSecondaryLimit, FaultAction::kPrimaryLimit});
  }
  for (const FaultAction limit : limits) {
    rules.push_back(Sometimes(limit, 0.005 / static_cast<double>(limits.size())));
    rules.back().path = "^/(repos|graphql|api)";
  }
  rules.push_back(Sometimes(FaultAction::kWebhookDrop, 0.05));
  rules.push_back(Sometimes(FaultAction::kWebhookDuplicate, 0.05));
  return rules;
}

}  // namespace

std::string AnswerFile(std::int64_t issue) {
  return fmt::format("answers/{}.txt", issue);
}

Field::Field(const Plan& plan)
    : plan_(plan),
      database_(test::PostgresServer::Shared().NewDatabase().value()),
      session_(database_),
      box_(std::make_unique<test::Box>(Options(plan, database_))) {
  box_->EditConfig("level: debug", "level: info");
  box_->EditConfig("poll_interval: 300ms", "poll_interval: 2s");
  SWAGE_CHECK(MakeDirs(temp_dir()).ok());
  MakeNodes();
  MakeRepos();
}

void Field::MakeNodes() {
  for (const Roles& node : kNodes) {
    test::NodeOptions options;
    options.name = node.name;
    options.roles = node.roles;
    options.lease = kLease;
    options.env = {{"TMPDIR", temp_dir().string()}};
    nodes_.push_back(std::make_unique<test::NodeProcess>(*box_, options));
  }
}

void Field::MakeRepos() {
  std::vector<int> hook_ports;
  for (std::size_t i = 0; i < kNodes.size(); ++i) {
    if (kNodes[i].web) hook_ports.push_back(nodes_[i]->hooks_port());
  }
  sandbox::SandboxForge& forge = box_->forge();
  const int repos = std::max(kFewestRepos, plan_.tasks / kIssuesPerRepo);
  for (int i = 1; i <= repos; ++i) {
    const std::string path = fmt::format("acme/lib{}", i);
    if (path != box_->repo()) {
      SWAGE_CHECK(forge.CreateRepoFromFiles(path, Files()).ok());
      forge.SetMember(path, "ada", Role::kMaintain);
      // One that may read the webhooks' deliveries, too.
      forge.SetMember(path, "swage-bot", Role::kAdmin);
    }
    SWAGE_CHECK(
        forge.CommitToBranch(path, "ada", kForeignBranch, {{"foreign.txt", "mine\n"}}, "Mine")
            .ok());
    const int port = hook_ports[static_cast<std::size_t>(i) % hook_ports.size()];
    forge.AddWebhook(path, fmt::format("http://127.0.0.1:{}/hooks/box", port),
                     box_->webhook_secret());
    repos_.push_back(path);
    refs_before_[path] = forge.Branches(path);
  }
}

void Field::Start() {
  for (const auto& node : nodes_) node->Start();
}

void Field::Stop() {
  for (const auto& node : nodes_) EXPECT_EQ(node->Stop(), 0) << "exit code of " << node->name();
}

void Field::BeginFaults() {
  box_->forge().faults().Seed(plan_.seed);
  for (const FaultRule& rule : FaultyReplies(plan_.dialect)) {
    SWAGE_CHECK(box_->forge().faults().Add(rule).ok());
  }
}

void Field::EndFaults() {
  box_->forge().faults().Clear();
}

void Field::OpenIssue() {
  const std::string& repo = repos_[static_cast<std::size_t>(opened_) % repos_.size()];
  sandbox::SandboxForge& forge = box_->forge();
  const std::int64_t issue = forge.CreateIssue(repo, "ada", "The answer is missing", "Please.");
  forge.AddLabel(repo, "ada", issue, "swage");
  ++opened_;
}

void Field::Tend() {
  box_->forge().ClearRequests();
  box_->forge().With([](sandbox::World& world) {
    for (const auto& repo : world.repos()) {
      for (sandbox::Hook& hook : repo->hooks) {
        hook.active = true;
        hook.failures_in_a_row = 0;
        hook.disabled_until.reset();
      }
    }
  });
}

std::string Field::Query(const std::string& sql) {
  const auto rows = session_.Query(sql);
  EXPECT_TRUE(rows.ok()) << sql << ": " << rows.error().message;
  return rows.ok() ? *rows : "";
}

std::int64_t Field::Count(const std::string& sql) {
  return ParseInt(Query("SELECT " + sql)).value_or(-1);
}

}  // namespace swage::soak
