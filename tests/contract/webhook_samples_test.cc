// Payloads that real forges sent, collected by others: every one parses, and to the right decision.
//
// GitHub's come from the npm package @octokit/webhooks-examples, where tests/contract/install put
// it (SWAGE_NODE), or from an index.json that SWAGE_WEBHOOK_EXAMPLES names; GitLab's from the
// samples beside the checkout (SWAGE_SAMPLES, or ../shared/samples/gitlab). Absent ones are
// skipped, visibly.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "forge/github/webhook.h"
#include "forge/gitlab/webhook.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

using nlohmann::json;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string FromEnvironment(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

constexpr const char* kIndex = "node_modules/@octokit/webhooks-examples/api.github.com/index.json";

// The examples, or nothing.
std::optional<json> GitHubExamples() {
  std::vector<std::filesystem::path> places = {
      FromEnvironment("SWAGE_WEBHOOK_EXAMPLES", ""),
      std::filesystem::path(FromEnvironment("SWAGE_NODE", "")) / kIndex};
  const std::filesystem::path cache = test::BuildPath() / "node";
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(cache, none)) {
    places.push_back(entry.path() / kIndex);
  }
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place)) return json::parse(ReadAll(place));
  }
  return std::nullopt;
}

constexpr const char* kNoExamples =
    "no @octokit/webhooks-examples; tests/contract/install fetches it";

// What is no row here is ignored.
const std::map<std::string, std::map<std::string, int>>& GitHubDecisions() {
  static const std::map<std::string, std::map<std::string, int>> kDecisions = {
      {"issues opened", {{"IssueOpened", 4}}},
      {"issues assigned", {{"IssueAssigned", 3}}},
      {"issues unassigned", {{"IssueUnassigned", 2}}},
      {"issues labeled", {{"IssueLabeled", 2}}},
      {"issues unlabeled", {{"IssueUnlabeled", 2}}},
      {"issues reopened", {{"IssueReopened", 1}}},
      {"issues deleted", {{"IssueGone", 1}}},
      {"issues transferred", {{"IssueGone", 1}}},
      {"issue_comment created", {{"CommentCreated", 5}}},
      {"pull_request closed", {{"PullRequestClosed", 2}}},
      {"pull_request synchronize", {{"PullRequestPushed", 1}}},
      {"pull_request_review_comment created", {{"CommentCreated", 3}}},
      {"check_suite rerequested", {{"ChecksRerequested", 2}}},
      {"installation created", {{"AccessChanged", 2}}},
      {"installation deleted", {{"AccessChanged", 2}}},
      {"installation new_permissions_accepted", {{"AccessChanged", 1}}},
      {"installation suspend", {{"AccessChanged", 1}}},
      {"installation unsuspend", {{"AccessChanged", 1}}},
      {"installation_repositories added", {{"AccessChanged", 2}}},
      {"installation_repositories removed", {{"AccessChanged", 1}}},
  };
  return kDecisions;
}

TEST(WebhookSamples, GitHubPayloadsLeadToTheRightDecision) {
  const auto examples = GitHubExamples();
  if (!examples) GTEST_SKIP() << kNoExamples;
  const auto dialect = MakeGitHubDialect();
  std::map<std::string, std::map<std::string, int>> seen;
  int payloads = 0;
  for (const json& group : *examples) {
    const std::string event = group.at("name");
    for (const json& payload : group.at("examples")) {
      ++payloads;
      const std::string body = payload.dump();
      const auto parsed = dialect->Parse("github", event, body);
      ASSERT_TRUE(parsed.ok()) << event << ": " << parsed.error().message;
      const std::string action = payload.value("action", "");
      if (!std::holds_alternative<Ignored>(*parsed)) {
        ++seen[event + " " + action][std::string(EventName(*parsed))];
      }
      const RepoRef* repo = EventRepo(*parsed);
      if (repo == nullptr) continue;
      EXPECT_EQ(repo->path, dialect->PeekRepoPath(body)) << event;
      EXPECT_EQ(repo->id, std::to_string(payload.at("repository").at("id").get<long>())) << event;
    }
  }
  EXPECT_EQ(payloads, 329);
  EXPECT_EQ(seen, GitHubDecisions());
}

// The reviews of the collection have no text, so the table above has none of them.
TEST(WebhookSamples, AGitHubReviewWithTextIsAComment) {
  const auto examples = GitHubExamples();
  if (!examples) GTEST_SKIP() << kNoExamples;
  const auto dialect = MakeGitHubDialect();
  int reviews = 0;
  for (const json& group : *examples) {
    if (group.at("name") != "pull_request_review") continue;
    for (json payload : group.at("examples")) {
      payload["review"]["body"] = "/swage fix it";
      const auto parsed = dialect->Parse("github", "pull_request_review", payload.dump());
      ASSERT_TRUE(parsed.ok());
      if (payload["action"] != "submitted") continue;
      ++reviews;
      ASSERT_EQ(EventName(*parsed), "CommentCreated");
      EXPECT_EQ(std::get<CommentCreated>(*parsed).comment.body, "/swage fix it");
    }
  }
  EXPECT_EQ(reviews, 3);
}

TEST(WebhookSamples, GitLabPayloadsLeadToTheRightDecision) {
  const std::filesystem::path folder =
      FromEnvironment("SWAGE_SAMPLES", test::SourcePath("../shared/samples/gitlab").string());
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no samples at " << folder;
  const std::map<std::string, std::string> decisions = {
      {"issue.json", "IssueOpened"},
      {"note_issue.json", "CommentCreated"},
      {"note_merge_request.json", "CommentCreated"},
      {"service_merge_request.json", "PullRequestPushed"},
  };
  const auto dialect = MakeGitLabDialect();
  std::map<std::string, std::string> seen;
  int payloads = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++payloads;
    const std::string body = ReadAll(entry.path());
    const auto parsed = dialect->Parse("gitlab", "", body);
    ASSERT_TRUE(parsed.ok()) << entry.path() << ": " << parsed.error().message;
    if (const RepoRef* repo = EventRepo(*parsed)) {
      EXPECT_EQ(repo->path, dialect->PeekRepoPath(body));
      seen[entry.path().filename()] = EventName(*parsed);
    }
  }
  EXPECT_GE(payloads, 21);
  EXPECT_EQ(seen, decisions);
}

// A payload cut anywhere, or with any field gone, is at worst an error.
TEST(WebhookSamples, MutilatedPayloadsAreSurvived) {
  const auto examples = GitHubExamples();
  if (!examples) GTEST_SKIP() << kNoExamples;
  const auto dialect = MakeGitHubDialect();
  for (const json& group : *examples) {
    const std::string event = group.at("name");
    const json& payload = group.at("examples")[0];
    const std::string body = payload.dump();
    for (std::size_t cut = 0; cut < body.size(); cut += body.size() / 20 + 1) {
      EXPECT_FALSE(dialect->Parse("github", event, body.substr(0, cut)).ok());
      dialect->PeekRepoPath(body.substr(0, cut));
    }
    for (const auto& [name, value] : payload.items()) {
      json without = payload;
      without.erase(name);
      EXPECT_TRUE(dialect->Parse("github", event, without.dump()).ok());
      without[name] = 5;
      EXPECT_TRUE(dialect->Parse("github", event, without.dump()).ok());
    }
  }
}

}  // namespace
}  // namespace swage
