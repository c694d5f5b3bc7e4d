// The main job, from the label to the reviewed pull request, on both dialects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/text.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/paths.h"
#include "tests/harness/signing_keys.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class MainJob : public DialectTest {};

TEST_P(MainJob, LabelBecomesOneGreenReviewedPullRequest) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);

  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_FALSE(IsDraft(pull));
  EXPECT_EQ(box.forge().LoginOf(pull.author), "swage-bot");
  EXPECT_THAT(pull.title, HasSubstr("The answer is wrong"));
  EXPECT_THAT(pull.body, HasSubstr("Closes #" + std::to_string(issue)));
  EXPECT_THAT(pull.body, HasSubstr("I wrote the answer."));
  EXPECT_THAT(pull.body, HasSubstr("Cycle 1: gates failed"));
  EXPECT_THAT(pull.body, HasSubstr("Cycle 2: all gates passed"));
  EXPECT_THAT(pull.body, HasSubstr(pull.head_sha));
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");

  const auto reviews = box.ReviewBodies(pull);
  ASSERT_THAT(reviews, SizeIs(1));
  EXPECT_THAT(reviews[0], HasSubstr("all required gates passed"));
  const auto lines = box.OpenLineComments(pull);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], HasSubstr("a TODO is left"));

  // E6: every status names the head of the pull request, one per gate.
  const auto statuses = box.forge().Statuses(box.repo(), pull.head_sha);
  ASSERT_THAT(statuses, SizeIs(2));
  EXPECT_THAT(statuses[0].context + statuses[1].context, HasSubstr("swage/tests"));
  EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1));
  EXPECT_THAT(box.forge().GetIssue(box.repo(), issue)->awards, SizeIs(1));
}

TEST_P(MainJob, FixContinuesOnTheSameBranchAndPullRequest) {
  const std::string agent =
      "if grep -q 'drop the note' \"$1\"; then rm -f notes.txt; echo 'Dropped the note.'; exit 0; "
      "fi\n" +
      TwoCycleAgent();
  Box box(Options(AnswerRepo(), agent));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull first = box.Pulls().front();
  ASSERT_THAT(box.OpenLineComments(first), SizeIs(1));

  box.CommentOnPull("ada", first.number, "/swage fix please drop the note");
  const auto second = box.WaitForPull(issue, [&](const sandbox::Pull& pull) {
    return pull.head_sha != first.head_sha && box.ReviewBodies(pull).size() == 2;
  });
  ASSERT_TRUE(second.has_value());
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(second->head_ref, first.head_ref);
  EXPECT_THAT(second->body, HasSubstr("I wrote the answer."));
  EXPECT_THAT(second->body, HasSubstr("Dropped the note."));
  EXPECT_FALSE(box.forge().ReadFileAt(box.repo(), second->head_ref, "notes.txt").ok());
  // F3: the finding is gone, so its thread is resolved.
  EXPECT_TRUE(box.WaitFor([&] { return box.OpenLineComments(box.Pulls().front()).empty(); }));
}

// F11: every commit of the branch, not only its head, on the forge's side.
TEST_P(MainJob, PublishedCommitsVerifyWithTheSigningKey) {
  const auto processes = MakePosixProcessRunner(Program("swage-supervise"));
  BoxOptions options = Options(
      AnswerRepo(), "env > seen.txt; find \"$HOME\" \"$TMPDIR\" . >> seen.txt\n" + TwoCycleAgent(),
      "publish: {signing_key: file:signer/key}\n");
  options.start = false;
  Box box(std::move(options));
  const bool ssh = GetParam() == sandbox::Dialect::kGitHub;
  const std::unique_ptr<TestKey> key =
      ssh ? std::unique_ptr<TestKey>(std::make_unique<SshKey>(box.dir(), *processes))
          : std::make_unique<OpenPgpKey>(box.dir(), *processes);
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);

  const sandbox::Pull pull = box.Pulls().front();
  const auto git_dir = box.forge().GitDir(box.repo());
  for (const std::string& commit : {pull.head_sha, pull.head_sha + "^"}) {
    const auto verified = key->Verify(git_dir, commit);
    EXPECT_TRUE(verified.ok()) << commit << ": " << verified.error().message;
  }
  EXPECT_FALSE(key->Verify(git_dir, pull.head_sha + "^^").ok()) << "the base is not the bot's";
  const std::string seen = *box.forge().ReadFileAt(box.repo(), pull.head_ref, "seen.txt");
  EXPECT_THAT(seen, HasSubstr("SWAGE_ISSUE="));
  EXPECT_THAT(seen, Not(HasSubstr("signer")));
  EXPECT_THAT(seen, Not(HasSubstr("signing")));
}

// T39: at the level `worktree` an agent can read what the bot's user can; it must not get it out.
TEST_P(MainJob, AnAgentThatFindsTheSigningKeyCannotPublishIt) {
  const auto processes = MakePosixProcessRunner(Program("swage-supervise"));
  BoxOptions options = Options(AnswerRepo(), "", "publish: {signing_key: file:signer/key}\n");
  options.start = false;
  Box box(std::move(options));
  const SshKey key(box.dir(), *processes);
  box.SetAgent("cp " + key.file().string() + " answer.txt; cat answer.txt\n");
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue), HasSubstr("answer.txt"));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
  const std::string text = *ReadFile(key.file());
  const auto line = std::string(SplitLines(text).at(3));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(box.data_dir() / "logs")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(*ReadFile(entry.path()), Not(HasSubstr(line))) << entry.path();
  }
}

TEST_P(MainJob, RedGatesMakeADraftThatSaysSo) {
  Box box(Options(AnswerRepo(), "echo $RANDOM$RANDOM > answer.txt\n"));
  const std::int64_t issue = box.LabelledIssue("Impossible");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_TRUE(IsDraft(pull));
  EXPECT_THAT(pull.body, HasSubstr("Not ready"));
  EXPECT_THAT(box.ReviewBodies(pull).at(0), HasSubstr("required gates are red"));
}

TEST_P(MainJob, RedGatesMakeOnlyACommentWhenAskedTo) {
  Box box(Options(AnswerRepo(), "echo 7 > answer.txt\n", "publish: {when_red: comment}\n"));
  const std::int64_t issue = box.LabelledIssue("Impossible");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed"));
  EXPECT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", issue).size() == 2; }));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
}

// D4: an agent that says it is done and changed nothing has done nothing.
TEST_P(MainJob, NoChangeIsNoPullRequest) {
  Box box(Options(AnswerRepo(), "echo 'All done, everything works!'\n"));
  const std::int64_t issue = box.LabelledIssue("Nothing happens");
  ASSERT_TRUE(box.WaitForSticky(issue, "changed nothing"));
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(MainJob, TwoTasksAtOnceDoNotSeeEachOther) {
  Box box(Options(AnswerRepo(), ""));
  const std::string meet = (box.dir() / "meet").string();
  ASSERT_TRUE(MakeDirs(meet).ok());
  // Each agent waits until the other has written its file, then looks for it.
  const std::string agent = "echo 42 > answer.txt; echo mine > \"only-$SWAGE_ISSUE.txt\"; touch " +
                            meet + "/$SWAGE_ISSUE\nwhile [ $(ls " + meet +
                            " | wc -l) -lt 2 ]; do sleep 0.02; done\n" + "ls > seen.txt\n";
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "agent.sh", agent, 0700).ok());
  const std::int64_t a = box.LabelledIssue("First");
  const std::int64_t b = box.LabelledIssue("Second");
  ASSERT_TRUE(box.WaitForSticky(a, "in review"));
  ASSERT_TRUE(box.WaitForSticky(b, "in review"));
  ASSERT_THAT(box.Pulls(), SizeIs(2));
  for (const auto& [mine, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const auto pull = box.WaitForPull(mine, [](const sandbox::Pull&) { return true; });
    ASSERT_TRUE(pull.has_value());
    const std::string seen = *box.forge().ReadFileAt(box.repo(), pull->head_ref, "seen.txt");
    EXPECT_THAT(seen, HasSubstr("only-" + std::to_string(mine)));
    EXPECT_THAT(seen, Not(HasSubstr("only-" + std::to_string(other))));
  }
}

TEST_P(MainJob, NothingIsLeftBehind) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_TRUE(std::filesystem::is_empty(box.data_dir() / "workspaces"));
  EXPECT_EQ(box.StopServer(), 0);
}

SWAGE_EVERY_DIALECT(MainJob);

}  // namespace
}  // namespace swage::test
