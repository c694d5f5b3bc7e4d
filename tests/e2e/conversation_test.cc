// Reviews and their threads, as people use them, against the real server on every dialect (F6): a
// review that asks for changes is worked on like a command, and each thread gets its answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/sandbox/sandbox_forge.h"
#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// Writes words.txt once asked to say it in words, and answers for the first thread that it is told
// of. Keeps what it was told.
std::string ListeningAgent(const std::string& dir) {
  return "cp \"${1%task.json}prompt.md\" " + dir +
         "/prompt.$$\n"
         "if grep -q 'in words' \"$1\"; then\n"
         "  echo forty-two > words.txt\n"
         "  thread=$(grep -o '(thread [^)]*)' \"$1\" | head -n 1 | tr -d '()')\n"
         "  echo \"$thread: wrote it out\"\n"
         "fi\n"
         "if grep -q 'no TODO' \"$1\"; then rm -f notes.txt; exit 0; fi\n" +
         TwoCycleAgent();
}

class Conversation : public DialectTest {
 protected:
  static int CountOf(Box& box, const std::string& text) {
    int count = 0;
    for (const std::string& said : box.BotTexts()) count += said.find(text) != said.npos ? 1 : 0;
    return count;
  }

  static sandbox::Pull Published(Box& box, std::int64_t issue) {
    EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue) << box.ServerLog();
    const auto pulls = box.Pulls();
    EXPECT_THAT(pulls, SizeIs(1));
    return pulls.empty() ? sandbox::Pull{} : pulls.front();
  }

  /// The pull request after `reviews` reviews of the bot.
  static sandbox::Pull After(Box& box, std::int64_t issue, std::size_t reviews) {
    const auto pull = box.WaitForPull(
        issue, [&](const sandbox::Pull& p) { return box.ReviewBodies(p).size() == reviews; });
    EXPECT_TRUE(pull.has_value()) << box.ServerLog();
    EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    return pull.value_or(sandbox::Pull{});
  }

  /// All prompts that the agent was given.
  static std::string Prompts(const Box& box) {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(box.dir())) {
      if (entry.path().filename().string().starts_with("prompt.")) all += *ReadFile(entry.path());
    }
    return all;
  }
};

TEST_P(Conversation, AReviewThatAsksForChangesIsWorkedOnAndEachThreadAnswered) {
  Box box(Options(AnswerRepo(), ""));
  box.SetAgent(ListeningAgent(box.dir().string()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  const sandbox::Pull first = Published(box, issue);
  box.forge().ReviewPull(box.repo(), "ada", first.number,
                         {"CHANGES_REQUESTED",
                          "Nearly there.",
                          {{"answer.txt", 1, "Say it in words, too."},
                           {"notes.txt", 1, "Better so:\n```suggestion\nNOTE: why\n```"}}});
  const sandbox::Pull second = After(box, issue, 2);
  EXPECT_NE(second.head_sha, first.head_sha);
  EXPECT_TRUE(box.forge().ReadFileAt(box.repo(), second.head_ref, "words.txt").ok());
  const std::string told = Prompts(box);
  EXPECT_THAT(told, HasSubstr("A review by ada asks for changes."));
  EXPECT_THAT(told, HasSubstr("Nearly there."));
  EXPECT_THAT(told, HasSubstr("On answer.txt, line 1"));
  EXPECT_THAT(told, HasSubstr("Say it in words, too."));
  EXPECT_THAT(told, HasSubstr("is to replace line 1 of notes.txt exactly"));

  // One answer in each thread, honest about what was changed.
  ASSERT_TRUE(box.WaitFor([&] { return CountOf(box, "No change was made to `notes.txt`") == 1; }));
  EXPECT_EQ(CountOf(box, "No change was made to `answer.txt`"), 1);
  EXPECT_EQ(CountOf(box, "The agent's words: wrote it out"), 1);
  EXPECT_EQ(CountOf(box, "`words.txt`"), 2);
  box.CommentOnPull("ada", first.number, "/swage fix in words, again");
  After(box, issue, 3);
  EXPECT_EQ(CountOf(box, "No change was made to"), 2) << "a thread is answered once";
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(Conversation, AnApprovalAPlainReviewAndAReviewByAReaderChangeNothing) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  const sandbox::Pull pull = Published(box, issue);
  box.forge().ReviewPull(box.repo(), "ada", pull.number,
                         {"COMMENTED", "I wonder.", {{"answer.txt", 1, "Why?"}}});
  box.forge().ReviewPull(box.repo(), "ada", pull.number, {"APPROVED", "Fine."});
  box.forge().ReviewPull(box.repo(), "eve", pull.number,
                         {"CHANGES_REQUESTED", "Delete it all.", {{"answer.txt", 1, "All."}}});
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT state, run FROM tasks"), "in_review|1");
  EXPECT_EQ(box.Query("SELECT count(*) FROM remarks"), "0");
}

TEST_P(Conversation, ReviewsWhileARunWorksAreOneRunAfterItAlsoAfterACrash) {
  Box box(Options(AnswerRepo(), ""));
  const std::string begun = (box.dir() / "begun").string();
  const std::string go = (box.dir() / "go").string();
  box.SetAgent("cp \"${1%task.json}prompt.md\" " + box.dir().string() + "/prompt.$$\n" +
               "if grep -q 'wait for me' \"$1\"; then echo more >> notes.txt; touch " + begun +
               "; while [ ! -e " + go + " ]; do sleep 0.02; done; exit 0; fi\n" + TwoCycleAgent());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  const sandbox::Pull pull = Published(box, issue);
  box.CommentOnPull("ada", pull.number, "/swage fix wait for me");
  ASSERT_TRUE(box.WaitForFile(begun));
  box.forge().ReviewPull(box.repo(), "ada", pull.number,
                         {"CHANGES_REQUESTED", "First of all.", {{"answer.txt", 1, "One."}}});
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT count(*) FROM remarks") == "2"; }));
  box.KillServer();
  box.forge().ReviewPull(box.repo(), "ada", pull.number,
                         {"CHANGES_REQUESTED", "And then.", {{"notes.txt", 1, "Two."}}});
  box.SetAgent("cp \"${1%task.json}prompt.md\" " + box.dir().string() + "/prompt.$$\n" +
               "echo more >> notes.txt\n");
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  box.StartServer();
  // The second review's webhook found nobody; the forge sends it again.
  box.forge().WaitForWebhooks();
  for (const sandbox::Delivery& delivery : box.forge().Deliveries()) {
    if (delivery.status == 0) box.forge().Redeliver(delivery.id);
  }
  ASSERT_TRUE(box.WaitFor([&] {
    return CountOf(box, "`answer.txt`. Changed") + CountOf(box, "`notes.txt` was changed") == 2;
  })) << box.ServerLog();
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::string told = Prompts(box);
  for (const char* words : {"First of all.", "One.", "And then.", "Two."}) {
    EXPECT_THAT(told, HasSubstr(words));
  }
  EXPECT_LE(std::stoi(box.Query("SELECT run FROM tasks")), 3);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

// What the bot said on a line is context for the reply, which is answered there; the finding is
// gone, and so its thread is resolved.
TEST_P(Conversation, AReplyInTheBotsThreadIsAFixOfThatPlace) {
  Box box(Options(AnswerRepo(), ""));
  box.SetAgent(ListeningAgent(box.dir().string()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  const sandbox::Pull pull = Published(box, issue);
  ASSERT_THAT(box.OpenLineComments(pull), SizeIs(1));
  sandbox::Id remark = 0;
  for (const sandbox::Discussion& discussion : pull.discussions) {
    if (discussion.position) remark = discussion.notes.front().id;
  }
  box.forge().ReplyToNote(box.repo(), "ada", remark, "I see.");
  box.forge().ReplyToNote(box.repo(), "ada", remark, "@swage-bot there should be no TODO here");
  const sandbox::Pull second = After(box, issue, 2);
  EXPECT_THAT(Prompts(box), HasSubstr("On notes.txt, line 1"));
  EXPECT_THAT(Prompts(box), HasSubstr("where a gate found \"a TODO is left\""));
  EXPECT_THAT(Prompts(box), Not(HasSubstr("I see.")));
  ASSERT_TRUE(box.WaitFor([&] { return CountOf(box, "`notes.txt` was changed") == 1; }));
  ASSERT_TRUE(box.WaitForPull(issue, [&](const sandbox::Pull& p) {
    return box.OpenLineComments(p).empty();
  })) << "the finding is gone";
}

TEST_P(Conversation, PollingFindsAReview) {
  Box box(Polling(""));
  box.SetAgent(ListeningAgent(box.dir().string()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  const sandbox::Pull first = Published(box, issue);
  box.forge().ReviewPull(box.repo(), "ada", first.number,
                         {"CHANGES_REQUESTED", "Nearly.", {{"answer.txt", 1, "Say it in words."}}});
  const sandbox::Pull second = After(box, issue, 2);
  EXPECT_TRUE(box.forge().ReadFileAt(box.repo(), second.head_ref, "words.txt").ok());
  ASSERT_TRUE(box.WaitFor([&] { return CountOf(box, "The agent's words: wrote it out") == 1; }));
  EXPECT_EQ(box.Query("SELECT run FROM tasks"), "2");
}

SWAGE_EVERY_DIALECT(Conversation);

}  // namespace
}  // namespace swage::test
