// What a real Gitea 1.21.6 sent, byte for byte, to a real server: every request is taken, and leads
// to the decision that the table says.
//
// The samples lie beside the checkout (../shared/samples/gitea, or SWAGE_GITEA_SAMPLES); without
// them the test is skipped, visibly. The sandbox forge plays the server that sent them: the same
// accounts, repository and issue under the same ids.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/box.h"
#include "tests/harness/paths.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "s3cr3t";
constexpr const char* kRepo = "boss/demo";
constexpr sandbox::Id kBossId = 1;
constexpr sandbox::Id kBotId = 2;

struct Decision {
  std::string sample;
  std::string outcome;
};

const std::vector<Decision>& Golden() {
  static const std::vector<Decision> kGolden = {
      {"01-push", "push event"},
      {"02-issues-opened", "asks for nothing"},
      {"03-issue_label-label_updated", "task created"},
      {"04-issue_comment-created", "remark for the next cycle"},
      {"05-issue_comment-created", "our own act"},
      {"06-issue_comment-edited", "issue_comment edited"},
      {"07-issue_label-label_updated", "our own act"},
      {"08-create", "create event"},
      {"09-push", "push event"},
      {"10-pull_request-opened", "pull_request opened"},
      {"11-pull_request_sync-synchronized", "our own act"},
      {"12-pull_request_review_rejected-reviewed", "continues with a review"},
      {"13-pull_request_comment-created", "refused: not a command"},
      {"14-pull_request-edited", "pull_request edited"},
      {"15-push", "push event"},
      {"16-pull_request_sync-synchronized", "our own act"},
      {"17-pull_request_review_approved-reviewed", "a review without a command"},
      {"18-pull_request-closed", "the pull request was merged by boss"},
      {"19-issues-closed", "nothing to stop"},
      {"20-push", "push event"},
  };
  return kGolden;
}

fs::path Samples() {
  const char* named = std::getenv("SWAGE_GITEA_SAMPLES");
  return named != nullptr ? fs::path(named) : SourcePath("../shared/samples/gitea");
}

std::string ReadSample(const std::string& name) {
  const auto bytes = ReadFile(Samples() / name);
  EXPECT_TRUE(bytes.ok()) << name;
  return bytes.ok() ? *bytes : "";
}

Webhook Sample(const std::string& name) {
  Webhook webhook;
  webhook.body = ReadSample(name + ".body");
  for (const std::string_view line : SplitLines(ReadSample(name + ".headers"))) {
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;  // the request's first line
    webhook.headers[std::string(line.substr(0, colon))] = Trim(line.substr(colon + 2));
  }
  return webhook;
}

class GiteaSamples : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::is_directory(Samples())) GTEST_SKIP() << "no samples at " << Samples();
    BoxOptions options;
    options.dialect = sandbox::Dialect::kGitea;
    options.repo = kRepo;
    options.files = AnswerRepo();
    options.agent = "echo 42 > answer.txt\n";
    options.webhook_secret = kSecret;
    options.webhook = false;
    options.start = false;
    options.extra_config = "trigger: {label: agent}\ncommands: {prefix: /bot}\n";
    box_.emplace(std::move(options));
    box_->forge().With([](sandbox::World& world) {
      sandbox::Repo& repo = *world.FindRepo(kRepo);
      sandbox::User& boss = *world.FindUser("boss");
      sandbox::User& bot = *world.FindUser("swage-bot");
      repo.id = 1;
      repo.members = {{kBossId, Role::kAdmin}, {kBotId, Role::kWrite}};
      boss.id = kBossId;
      bot.id = kBotId;
      bot.login = "bot";
    });
    box_->StartServer();
  }

  /// What the forge knew when it sent that.
  void Before(const std::string& sample) {
    sandbox::SandboxForge& forge = box_->forge();
    if (sample.starts_with("02")) forge.CreateIssue(kRepo, "boss", "Fix the thing", "Please");
    if (sample.starts_with("03")) forge.AddLabel(kRepo, "boss", 1, "agent");
    if (sample.starts_with("10")) {
      ASSERT_TRUE(box_->WaitFor([&] {
        return box_->Query("SELECT state FROM tasks") == "in_review";
      })) << box_->Query("SELECT state, reason FROM tasks");
      ASSERT_TRUE(forge.GetPull(kRepo, 2).has_value());
    }
    if (sample.starts_with("12")) Review("CHANGES_REQUESTED", "needs work");
    if (sample.starts_with("17")) Review("APPROVED", "lgtm");
    if (sample.starts_with("18")) {
      ASSERT_TRUE(forge.MergePull(kRepo, "boss", 2).ok());
    }
    if (sample.starts_with("19")) forge.CloseIssue(kRepo, "boss", 1);
  }

  void Review(std::string_view state, std::string_view text) {
    box_->forge().With([&](sandbox::World& world) {
      sandbox::Repo& repo = *world.FindRepo(kRepo);
      sandbox::Pull& pull = *world.FindPull(repo, 2);
      world.AddReview(repo, *world.FindUser("boss"), pull, state, text, pull.head_sha);
    });
  }

  std::string Outcome(const std::string& key) {
    const std::string of = "FROM deliveries WHERE key = '" + key + "'";
    EXPECT_TRUE(box_->WaitFor([&] { return box_->Query("SELECT outcome " + of) != ""; })) << key;
    return box_->Query("SELECT outcome " + of);
  }

  std::optional<Box> box_;
};

TEST_F(GiteaSamples, LeadToTheRightDecisions) {
  std::vector<std::string> there;
  for (const auto& entry : fs::directory_iterator(Samples())) {
    if (entry.path().extension() == ".body") there.push_back(entry.path().stem());
  }
  EXPECT_EQ(there.size(), Golden().size());
  for (const Decision& decision : Golden()) {
    Before(decision.sample);
    const Webhook webhook = Sample(decision.sample);
    ASSERT_EQ(Post(*box_, webhook), 202) << decision.sample;
    EXPECT_EQ(Outcome(webhook.headers.at("X-Gitea-Delivery")), decision.outcome) << decision.sample;
  }
  EXPECT_EQ(box_->Query("SELECT state FROM tasks"), "merged");
}

TEST_F(GiteaSamples, AreRefusedWithOneByteChanged) {
  for (const Decision& decision : Golden()) {
    const Webhook genuine = Sample(decision.sample);
    Webhook changed = genuine;
    changed.body[changed.body.size() / 2] ^= 1;
    EXPECT_EQ(Post(*box_, changed), 401) << decision.sample;
    Webhook other = genuine;
    std::string& signature = other.headers.at("X-Gitea-Signature");
    signature.back() = signature.back() == '0' ? '1' : '0';
    // The signatures in the names of other forges are still good; they do not count.
    EXPECT_EQ(Post(*box_, other), 401) << decision.sample;
  }
  EXPECT_EQ(box_->Query("SELECT count(*) FROM deliveries"), "0");
}

}  // namespace
}  // namespace swage::test
