// News that come twice, in the wrong order, or not at all (X10 to X13): the real server, with
// webhooks and polling side by side, ends where the forge says it should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <random>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class LostNews : public DialectTest {
 protected:
  BoxOptions Listening(std::string agent, std::string intake = "both") const {
    BoxOptions options = Options(AnswerRepo(), std::move(agent));
    options.intake = std::move(intake);
    return options;
  }
  static sandbox::FaultRule Rule(sandbox::FaultAction action, int times = -1) {
    sandbox::FaultRule rule;
    rule.action = action;
    rule.times = times;
    return rule;
  }
  static void DropAll(Box& box) {
    ASSERT_TRUE(box.forge().faults().Add(Rule(sandbox::FaultAction::kWebhookDrop)).ok());
  }
  static std::string Get(int port, const char* path) {
    httplib::Client client("127.0.0.1", port);
    const auto response = client.Get(path);
    return response ? response->body : "";
  }
  static int Answers(Box& box, std::int64_t issue) {
    int answers = 0;
    for (const sandbox::Note& note : box.NotesBy("swage-bot", issue)) {
      answers += note.body.find("swage:sticky") == std::string::npos ? 1 : 0;
    }
    return answers;
  }
};

TEST_P(LostNews, Fault_X10_AHundredCopiesOfEveryWebhookAndAPollAreOneRequest) {
  Box box(Listening(TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  box.forge().Comment(box.repo(), "ada", issue, "/swage status");
  ASSERT_TRUE(box.WaitFor([&] { return Answers(box, issue) == 1; }));
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  std::vector<sandbox::Id> asks;
  for (const sandbox::Delivery& delivery : box.forge().Deliveries()) {
    const bool told = delivery.payload.find("/swage status") != std::string::npos ||
                      delivery.payload.find("\"swage\"") != std::string::npos;
    if (told) asks.push_back(delivery.id);
  }
  ASSERT_THAT(asks, Not(IsEmpty()));
  for (int i = 0; i < 100; ++i) {
    box.forge().Redeliver(asks[static_cast<std::size_t>(i) % asks.size()]);
  }
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  ASSERT_TRUE(box.Settle());
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(Answers(box, issue), 1);
  EXPECT_EQ(box.Query("SELECT count(*), max(run) FROM tasks"), "1|1");
  EXPECT_THAT(box.forge().GetIssue(box.repo(), issue)->awards, SizeIs(1));
}

TEST_P(LostNews, Fault_X11_AShuffledLabelEndsAsTheIssueSays) {
  Box box(Listening("sleep 600\n"));
  for (const bool labelled_in_the_end : {false, true}) {
    const std::int64_t issue =
        box.forge().CreateIssue(box.repo(), "ada", "The answer is wrong", "Please.");
    ASSERT_TRUE(box.forge().WaitForWebhooks());
    // Every second one is told after its successor.
    for (int i = 0; i < 4 + (labelled_in_the_end ? 1 : 0); ++i) {
      if (i % 2 == 0) {
        ASSERT_TRUE(box.forge().faults().Add(Rule(sandbox::FaultAction::kWebhookReorder, 1)).ok());
        box.forge().AddLabel(box.repo(), "ada", issue, "swage");
      } else {
        box.forge().RemoveLabel(box.repo(), "ada", issue, "swage");
      }
    }
    // Lets go of one that is still held back.
    box.forge().Comment(box.repo(), "eve", issue, "What is it about?");
    ASSERT_TRUE(box.forge().WaitForWebhooks());
    ASSERT_TRUE(box.Settle());
    const std::string state =
        "SELECT coalesce(max(state), 'none') FROM tasks WHERE issue_number = " +
        std::to_string(issue);
    const auto fits = [&] {
      const std::string now = box.Query(state);
      return labelled_in_the_end ? now == "running" : now == "none" || now == "cancelled";
    };
    EXPECT_TRUE(box.WaitFor(fits)) << box.Query(state);
  }
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(LostNews, Fault_X12_AThirdOfTheWebhooksIsLostAndNothingIsMissed) {
  constexpr int kIssues = 6;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  Box box(Listening(TwoCycleAgent()));
  int lost = 0;
  const auto act = [&](const std::function<void()>& what) {
    const bool lose = random() % 10 < 3;
    if (lose) DropAll(box);
    lost += lose ? 1 : 0;
    what();
    ASSERT_TRUE(box.forge().WaitForWebhooks());
    box.forge().faults().Clear();
  };
  std::vector<std::int64_t> issues;
  for (int i = 0; i < kIssues; ++i) {
    act([&] { issues.push_back(box.LabelledIssue("The answer is wrong " + std::to_string(i))); });
  }
  // Behind a comment an edit may hide (Gitea), so a label is found before anybody comments.
  const auto all_found = [&] {
    return box.Query("SELECT count(*) FROM tasks") == std::to_string(kIssues);
  };
  ASSERT_TRUE(box.WaitFor(all_found));
  for (const std::int64_t issue : issues) {
    act([&] { box.forge().Comment(box.repo(), "ada", issue, "/swage status"); });
  }
  for (const std::int64_t issue : issues) {
    EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    EXPECT_TRUE(box.WaitFor([&] { return Answers(box, issue) == 1; })) << issue;
  }
  EXPECT_THAT(box.Pulls(), SizeIs(kIssues));
  EXPECT_EQ(box.Query("SELECT count(*), max(run) FROM tasks"), std::to_string(kIssues) + "|1");
  for (const std::int64_t issue : issues) EXPECT_EQ(Answers(box, issue), 1) << issue;
  std::printf("lost the news of %d acts of %d\n", lost, 2 * kIssues);
}

// A server that was down: the forge keeps what it could not deliver, and does not try again.
TEST(Fault, X12_DeliveriesThatFoundNobodyAreFetched) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.intake = "both";
  Box box(options);
  box.forge().SetMember(box.repo(), "swage-bot", Role::kAdmin);  // may read the webhooks
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  box.KillServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  box.StartServer();
  ASSERT_TRUE(box.WaitForLog("webhooks that never arrived were fetched"));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  std::string guids;
  for (const sandbox::Delivery& delivery : box.forge().Deliveries()) {
    if (delivery.event != "issues" || delivery.status != 0) continue;
    EXPECT_EQ(box.Query("SELECT count(*) FROM deliveries WHERE key = '" + delivery.guid + "'"),
              "1");
    guids += delivery.guid;
  }
  EXPECT_FALSE(guids.empty());
}

TEST(Fault, X12_ATokenThatMayNotSeeWebhooksIsToldOnce) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.intake = "both";
  Box box(options);
  ASSERT_TRUE(box.WaitForLog("lost webhooks cannot be looked for"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::string log = box.ServerLog();
  const std::size_t first = log.find("lost webhooks cannot be looked for");
  EXPECT_EQ(log.find("lost webhooks cannot be looked for", first + 1), std::string::npos);
  EXPECT_THAT(log.substr(first, 400), HasSubstr("Webhooks: read"));
}

// GitLab disables a webhook that failed: nothing comes any more, and nobody says so.
TEST_P(LostNews, Fault_X13_SilentWebhooksRaiseAnAlarmUntilTheySpeakAgain) {
  Box box(Listening("sleep 600\n"));
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  DropAll(box);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT state FROM tasks") == "running"; }));
  ASSERT_TRUE(box.WaitForLog("a forge's webhooks are silent"));
  EXPECT_TRUE(box.WaitFor([&] {
    return Get(box.hooks_port(), "/healthz").find("alarm: webhooks:box") != std::string::npos;
  }));
  EXPECT_THAT(Get(box.dashboard_port(), "/"), HasSubstr("no webhooks from box"));
  box.forge().faults().Clear();
  box.forge().Comment(box.repo(), "ada", issue, "/swage stop");
  EXPECT_TRUE(box.WaitForLog("webhooks arrive again"));
  EXPECT_TRUE(box.WaitFor([&] { return Get(box.hooks_port(), "/healthz") == "ok\n"; }))
      << Get(box.hooks_port(), "/healthz");
  EXPECT_TRUE(box.WaitForSticky(issue, "stop"));
}

SWAGE_EVERY_DIALECT(LostNews);

}  // namespace
}  // namespace swage::test
