#include "config/repo_policy.h"

#include <gtest/gtest.h>

#include "config/base/text.h"
#include "config/repo_allow.h"

namespace swage {
namespace {

std::string Faults(std::string_view yaml) {
  const auto policy = ParseRepoPolicy(yaml, ".swage.yml");
  return policy.ok() ? "" : policy.error().message;
}

TEST(RepoPolicyTest, ReadsGatesInEveryForm) {
  const auto policy = ParseRepoPolicy(R"(
gates:
  - name: build
    run: [make, "-j2", ""]
    report: {format: gcc}
    paths: [src/**, "*.h"]
    env: {CC: clang, EMPTY: "", NUMBER: 1}
  - name: tests
    run: |
      set -e
      make test
    shell: true
    timeout: 90s
    required: false
    report: {format: junit, path: build/results.xml}
  - name: lint
    run: [./lint]
    matcher: '^(?P<file>[^:]+):(?P<line>\d+): (?P<message>.*)$'
cycles: 4
when_red: comment
instructions: |
  Build with make.
  Be brief.
profiles: {docs: Only documentation.}
)",
                                      "x");
  ASSERT_TRUE(policy.ok()) << policy.error().message;
  ASSERT_EQ(policy->gates.size(), 3U);
  const GateSpec& build = policy->gates[0];
  EXPECT_EQ(build.run, (std::vector<std::string>{"make", "-j2", ""}));
  EXPECT_EQ(build.format, ReportFormat::kGcc);
  EXPECT_TRUE(build.required);
  EXPECT_EQ(build.timeout, std::chrono::minutes(10));
  EXPECT_EQ(build.env,
            (std::map<std::string, std::string>{{"CC", "clang"}, {"EMPTY", ""}, {"NUMBER", "1"}}));
  const GateSpec& tests = policy->gates[1];
  EXPECT_EQ(tests.run, (std::vector<std::string>{"/bin/sh", "-c", "set -e\nmake test\n"}));
  EXPECT_EQ(tests.timeout, std::chrono::seconds(90));
  EXPECT_FALSE(tests.required);
  EXPECT_EQ(tests.report, "build/results.xml");
  EXPECT_EQ(policy->gates[2].format, ReportFormat::kMatcher);
  EXPECT_EQ(policy->max_cycles, 4);
  EXPECT_EQ(policy->when_red, "comment");
  EXPECT_EQ(policy->instructions, "Build with make.\nBe brief.\n");
  EXPECT_EQ(policy->profiles.at("docs").instructions, "Only documentation.");
}

TEST(RepoPolicyTest, AnEmptyFileSaysNothing) {
  for (const auto* text : {"", "# only a comment\n", "---\n", "gates:\n"}) {
    const auto policy = ParseRepoPolicy(text, "x");
    ASSERT_TRUE(policy.ok()) << policy.error().message;
    EXPECT_TRUE(policy->gates.empty());
    EXPECT_FALSE(policy->max_cycles.has_value());
    EXPECT_FALSE(policy->when_red.has_value());
  }
}

TEST(RepoPolicyTest, TellsAllFaultsAtOnce) {
  EXPECT_EQ(
      Faults(R"(gates:
  - name: Unit Tests
    run: make  test
  - run: []
    name: tests
    timout: 5m
    timeout: 5
    report: {format: junot, path: /etc/passwd}
  - name: tests
    run: [x]
    shell: true
    matcher: '(unclosed'
  - name: m
    run: [x]
    report: {format: matcher}
    env: {SWAGE_TASK: "1", "A B": x}
  - name: n
    run: [x]
    report: {path: ../x.xml}
    matcher: '(?P<fil>.*)'
cycles: many
cycles: 2
agent: codex
)"),
      R"(.swage.yml:2: gates[0].name: "Unit Tests" is not a name of a-z, 0-9, - and _; write for example unit-tests
.swage.yml:3: gates[0].run: is one text and no shell was asked for; write run: [make, test], or add shell: true
.swage.yml:4: gates[1].run: names no command; write for example [ctest, --test-dir, build]
.swage.yml:6: gates[1].timout: no such setting; did you mean timeout?
.swage.yml:7: gates[1].timeout: "5" is not a duration; write for example 10m
.swage.yml:8: gates[1].report.format: "junot" is not one of junit, sarif, tap, gcc, matcher; did you mean junit?
.swage.yml:8: gates[1].report.path: "/etc/passwd" is not a path below the workspace; write for example build/results.xml
.swage.yml:9: gates[2].name: "tests" is taken by another gate
.swage.yml:10: gates[2].run: is a list, but shell: true takes one text; remove shell, or write one text
.swage.yml:12: gates[2].matcher: is not a regular expression (RE2): missing ): (unclosed
.swage.yml:15: gates[3].report.format: is matcher, but there is no matcher; write for example matcher: '(?P<file>[^:]+):(?P<line>\d+): (?P<message>.*)'
.swage.yml:16: gates[3].env: "SWAGE_TASK" is not a variable's name (SWAGE_* is taken); write for example {CTEST_OUTPUT_ON_FAILURE: "1"}
.swage.yml:16: gates[3].env: "A B" is not a variable's name (SWAGE_* is taken); write for example {CTEST_OUTPUT_ON_FAILURE: "1"}
.swage.yml:19: gates[4].report.path: "../x.xml" is not a path below the workspace; write for example build/results.xml
.swage.yml:20: gates[4].matcher: has the group "fil"; known are file, line, message, rule, severity; did you mean file?
.swage.yml:20: gates[4].matcher: names neither of the groups message and file, so it can say nothing; write for example (?P<message>.*)
.swage.yml:21: cycles: "many" is not a whole number; write for example 5
.swage.yml:22: cycles: given twice, first on line 21; keep one
.swage.yml:23: agent: no such setting; there are gates, cycles, when_red, instructions, profiles, isolation, egress, secrets, databases, hooks)");
}

TEST(RepoPolicyTest, StandsUpToHostileText) {
  EXPECT_NE(Faults(std::string(300 << 10, 'a')).find("larger than"), std::string::npos);
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string n = std::to_string(i);
    const std::string before = std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [*a" + before + ", *a" + before + "]\n";
  }
  EXPECT_NE(Faults(bomb).find("anchors and aliases"), std::string::npos);
  const std::string said = Faults("\"\\e[31mred\\nline\": 1\n");
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_EQ(SplitLines(said).size(), 1U);
  std::string deep;
  for (int i = 0; i < 1'000; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(Faults(deep.substr(0, 200'000)), "");
  std::string matcher =
      "gates: [{name: x, run: [x], matcher: '(?P<message>((a{1000}){1000}){1000})'}]";
  EXPECT_NE(Faults(matcher).find("not a regular expression"), std::string::npos);
}

TEST(RepoPolicyTest, CannotReachSecretsOfTheServer) {
  setenv("SWAGE_TEST_TOKEN", "token-0123456789", 1);
  const auto policy =
      ParseRepoPolicy("gates: [{name: x, run: [x], env: {T: 'env:SWAGE_TEST_TOKEN'}}]", "x");
  unsetenv("SWAGE_TEST_TOKEN");
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->gates[0].env.at("T"), "env:SWAGE_TEST_TOKEN");
}

TEST(RepoAllowTest, TheLastMatchDecides) {
  const std::vector<std::string> globs = {"acme/*", "!acme/secret*", "acme/secret-but-fine",
                                          "tools/**"};
  EXPECT_TRUE(IsRepoAllowed(globs, "acme/lib"));
  EXPECT_TRUE(IsRepoAllowed(globs, "ACME/Lib"));
  EXPECT_FALSE(IsRepoAllowed(globs, "acme/secret"));
  EXPECT_FALSE(IsRepoAllowed(globs, "Acme/Secrets"));
  EXPECT_TRUE(IsRepoAllowed(globs, "acme/secret-but-fine"));
  EXPECT_FALSE(IsRepoAllowed(globs, "acme/sub/lib"));
  EXPECT_TRUE(IsRepoAllowed(globs, "tools/a/b"));
  EXPECT_FALSE(IsRepoAllowed(globs, "acme-evil/lib"));
  EXPECT_FALSE(IsRepoAllowed(globs, "xacme/lib"));
}

TEST(RepoAllowTest, NothingMeansNone) {
  EXPECT_FALSE(IsRepoAllowed({}, "acme/lib"));
  EXPECT_FALSE(IsRepoAllowed({"**"}, ""));
  EXPECT_FALSE(IsRepoAllowed({"!acme/x"}, "acme/lib"));
  EXPECT_FALSE(IsRepoAllowed({"**"}, std::string(100'000, 'a')));
}

TEST(WebhookSecretForTest, TheNarrowestWins) {
  ForgeSettings forge;
  forge.webhook_secret.value = "forge";
  forge.repo_webhook_secrets["acme/*"].value = "owner";
  forge.repo_webhook_secrets["Acme/Lib"].value = "repo";
  forge.repo_webhook_secrets["acme/li*"].value = "some";
  EXPECT_EQ(WebhookSecretFor(forge, "acme/lib").value, "repo");
  EXPECT_EQ(WebhookSecretFor(forge, "ACME/LIB").value, "repo");
  EXPECT_EQ(WebhookSecretFor(forge, "acme/lime").value, "some");
  EXPECT_EQ(WebhookSecretFor(forge, "acme/other").value, "owner");
  EXPECT_EQ(WebhookSecretFor(forge, "other/lib").value, "forge");
  EXPECT_EQ(WebhookSecretFor(forge, "").value, "forge");
}

}  // namespace
}  // namespace swage
