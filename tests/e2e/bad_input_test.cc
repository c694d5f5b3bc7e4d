// What a repository can hold or demand that makes things harder: rules against pushes, no commit at
// all, files that are no text, very many files, titles of every length and alphabet. Either it
// works, or the issue says what to do.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/text.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/push_rules.h"
#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using sandbox::PushRule;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kRight = "echo 42 > answer.txt\n";

class BadInput : public DialectTest {
 protected:
  void SetRule(Box& box, PushRule rule) {
    box.forge().With([&](sandbox::World& world) {
      ASSERT_TRUE(
          sandbox::SetPushRule(GetParam(), *world.FindRepo(box.repo()), rule, "swage/").ok());
    });
  }
  static void ClearRules(Box& box) {
    box.forge().With([&](sandbox::World& world) {
      ASSERT_TRUE(sandbox::ClearPushRules(*world.FindRepo(box.repo())).ok());
    });
  }
  static void Retry(Box& box, std::int64_t issue) {
    box.forge().Comment(box.repo(), "ada", issue, "/swage retry");
  }
  /// Everything that was to be said at the forge was taken there.
  static void ExpectNothingGivenUp(Box& box) {
    EXPECT_TRUE(box.Settle());
    EXPECT_EQ(box.Run({"parked"}).out, "nothing was given up\n");
  }
  static std::string FileOf(Box& box, const sandbox::Pull& pull, std::string_view path) {
    const auto read = box.forge().ReadFileAt(box.repo(), pull.head_ref, path);
    return read.ok() ? *read : read.error().message;
  }
};

TEST_P(BadInput, AProtectedBranchIsSaidWithWhatToDo) {
  Box box(Options(AnswerRepo(), std::string(kRight)));
  SetRule(box, PushRule::kProtectedBranches);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "branches of this name are protected")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue),
              AllOf(HasSubstr("acme/lib"), HasSubstr("swage/1-"),
                    HasSubstr("publish.branch_prefix"), HasSubstr("/swage retry")));
  EXPECT_THAT(box.Pulls(), IsEmpty());
  ClearRules(box);
  Retry(box, issue);
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

TEST_P(BadInput, ARepositoryThatWantsSignedCommitsIsSaidWithWhatToDo) {
  Box box(Options(AnswerRepo(), std::string(kRight)));
  SetRule(box, PushRule::kSignedCommits);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "only signed commits are taken")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue),
              AllOf(HasSubstr("publish.signing_key"), HasSubstr("/swage retry")));
  // One repository's rule is no reason to leave the others alone.
  EXPECT_EQ(box.Query("SELECT count(*) FROM paces WHERE breaker <> 'closed'"), "0");
}

TEST_P(BadInput, AnEmptyRepositoryIsAskedForItsFirstCommit) {
  Box box(Options(AnswerRepo(), std::string(kRight)));
  const auto git_dir = box.forge().GitDir(box.repo());
  const std::string first = sandbox::ReadRef(git_dir, "refs/heads/main").value();
  ASSERT_TRUE(sandbox::DeleteRef(git_dir, "refs/heads/main").ok());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "acme/lib has no branch main yet")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue),
              AllOf(HasSubstr("push a first commit"), HasSubstr("/swage retry")));
  ASSERT_TRUE(sandbox::WriteRef(git_dir, "refs/heads/main", first, false).ok());
  Retry(box, issue);
  EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
}

TEST_P(BadInput, BytesThatAreNoTextArriveAsTheyAre) {
  Box box(Options(AnswerRepo(), std::string(kRight) +
                                    "printf '\\0\\1\\377\\0' > picture.bin\n"
                                    "printf 'one\\r\\ntwo\\r\\n' > dos.txt\n"
                                    "printf 'caf\\351 TODO\\n' > latin.txt\n"
                                    "printf '\\360\\237\\246\\206 TODO\\n' > duck.txt\n"
                                    "printf 'I wrote \\377\\376 and \\360\\237\\246\\206.\\n'\n"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_EQ(FileOf(box, pull, "picture.bin"), std::string("\0\1\xFF\0", 4));
  EXPECT_EQ(FileOf(box, pull, "dos.txt"), "one\r\ntwo\r\n");
  EXPECT_EQ(FileOf(box, pull, "latin.txt"), "caf\xE9 TODO\n");
  EXPECT_EQ(FileOf(box, pull, "duck.txt"), "\U0001F986 TODO\n");
  EXPECT_THAT(box.OpenLineComments(pull), SizeIs(1)) << "the gate's grep reads text alone";
  for (const std::string& text : box.BotTexts()) EXPECT_EQ(text, ToValidUtf8(text));
  ExpectNothingGivenUp(box);
}

TEST_P(BadInput, AChangeOfThreeHundredFilesIsReviewed) {
  constexpr std::size_t kFiles = 300;
  Box box(Options(AnswerRepo(), fmt::format("{}for i in $(seq {}); do echo TODO > \"n$i.txt\"; "
                                            "done\n",
                                            kRight, kFiles)));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_EQ(FileOf(box, pull, fmt::format("n{}.txt", kFiles)), "TODO\n");
  EXPECT_THAT(box.ReviewBodies(pull), SizeIs(1));
  ExpectNothingGivenUp(box);
}

TEST_P(BadInput, ATitleAsLongAsTheForgeTakesMakesATitleThatItTakes) {
  std::string ducks;
  for (int i = 0; i < 250; ++i) ducks += "\U0001F986";
  const std::string letters = "Fix " + std::string(251, 'x');
  for (const std::string& title : {ducks, letters}) {
    Box box(Options(AnswerRepo(), std::string(kRight)));
    const std::int64_t issue = box.LabelledIssue(title);
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    const std::string made = box.Pulls().front().title;
    EXPECT_EQ(made, ToValidUtf8(made));
    EXPECT_THAT(made, HasSubstr(title.substr(0, 40)));
    ExpectNothingGivenUp(box);
  }
}

SWAGE_EVERY_DIALECT(BadInput);

}  // namespace
}  // namespace swage::test
