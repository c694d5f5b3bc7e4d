// X28: a task that takes the server down each time it runs is given up after its attempts, in words
// that help, and the others go on (B9, I9, I10).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

TEST(Fault, X28_ATaskThatKillsTheServerIsParkedAndOthersGoOn) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.extra_config = "limits: {attempts: 3, attempt_delay: 0s}\n";
  Box box(options);
  const std::string deadly = (box.dir() / "deadly").string();
  // A command may not signal the server itself: what it brings about (say, that memory runs out)
  // is done here in its name.
  box.SetAgent("if grep -q Poison \"$1\"; then touch " + deadly + "; sleep 600; fi\n" +
               TwoCycleAgent());
  const std::int64_t poison = box.LabelledIssue("Poison");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(box.WaitFor([&] {
      return box.Query(
                 "SELECT count(*) FROM steps WHERE kind = 'agent' AND outcome = 'running' "
                 "AND task_id = 1") == "1";
    })) << "attempt "
        << attempt;
    ASSERT_TRUE(box.WaitFor([&] { return std::filesystem::remove(deadly); }));
    box.KillServer();
    EXPECT_EQ(box.Query("SELECT attempt FROM tasks WHERE id = 1"), std::to_string(attempt));
    box.StartServer();
  }
  const std::int64_t good = box.LabelledIssue("The answer is wrong");
  EXPECT_TRUE(box.WaitForSticky(good, "in review"));
  ASSERT_TRUE(box.WaitForSticky(poison, "given up after 3 attempts"));
  EXPECT_THAT(box.Sticky(poison),
              AllOf(HasSubstr("last in cycle 1, agent"), HasSubstr("What was tried in 3 attempts"),
                    HasSubstr("interrupted"), HasSubstr("run1-cycle1-agent.log"),
                    HasSubstr("/swage retry")));
  EXPECT_EQ(box.Query("SELECT state FROM tasks WHERE id = 1"), "failed");
  EXPECT_THAT(box.Pulls(), SizeIs(1));

  // A person may ask again, with what was wrong put right.
  box.SetAgent(TwoCycleAgent());
  box.forge().Comment(box.repo(), "ada", poison, "/swage retry");
  EXPECT_TRUE(box.WaitForSticky(poison, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(2));
}

// The second loss in a row is no accident: the task rests, and a server that starts over and over
// does not use up its attempts.
TEST(Fault, X28_ATaskThatWasLostTwiceRests) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.extra_config = "limits: {attempts: 3, attempt_delay: 1h}\n";
  options.agent = "sleep 600\n";
  Box box(options);
  box.LabelledIssue("The answer is wrong");
  for (int attempt = 1; attempt <= 2; ++attempt) {
    ASSERT_TRUE(box.WaitFor(
        [&] { return box.Query("SELECT count(*) FROM steps WHERE outcome = 'running'") == "1"; }));
    box.KillServer();
    box.StartServer();
  }
  for (int start = 0; start < 3; ++start) {
    const std::int64_t other = box.forge().CreateIssue(box.repo(), "ada", "Hello", "");
    (void)other;
    ASSERT_TRUE(box.Settle());  // it is up and at work
    box.KillServer();
    box.StartServer();
  }
  EXPECT_EQ(box.Query("SELECT state, attempt FROM tasks"), "running|2");
}

}  // namespace
}  // namespace swage::test
