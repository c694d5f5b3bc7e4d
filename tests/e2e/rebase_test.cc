// `/swage rebase`: the work is put onto the newest commit of its base branch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Rebase : public DialectTest {
 protected:
  static void MoveMain(Box& box, const std::string& path, const std::string& text) {
    const auto moved =
        box.forge().CommitToBranch(box.repo(), "ada", "main", {{path, text}}, "Move on");
    ASSERT_TRUE(moved.ok()) << moved.error().message;
  }
  static sandbox::Pull Pull(Box& box) { return box.Pulls().front(); }
  static std::string FileOf(Box& box, const std::string& path) {
    const auto text = box.forge().ReadFileAt(box.repo(), Pull(box).head_ref, path);
    return text.ok() ? *text : text.error().message;
  }
};

TEST_P(Rebase, PutsTheBranchOntoTheNewBaseAndRunsTheGates) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull before = Pull(box);
  MoveMain(box, "news.txt", "news\n");
  box.CommentOnPull("ada", before.number, "/swage rebase");
  ASSERT_TRUE(box.WaitFor([&] { return Pull(box).head_sha != before.head_sha; }));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(FileOf(box, "news.txt"), "news\n");
  EXPECT_EQ(FileOf(box, "answer.txt"), "42\n");
}

TEST_P(Rebase, WhatDoesNotFitIsMadeAnewByTheAgent) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull before = Pull(box);
  MoveMain(box, "answer.txt", "forty\n");
  box.CommentOnPull("ada", before.number, "/swage rebase");
  ASSERT_TRUE(box.WaitFor([&] { return Pull(box).head_sha != before.head_sha; }));
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_EQ(FileOf(box, "answer.txt"), "42\n");
  EXPECT_THAT(box.Query("SELECT text FROM remarks"), HasSubstr("did not fit there"));
}

TEST_P(Rebase, LeavesCommitsOfOtherPeopleAlone) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const sandbox::Pull before = Pull(box);
  ASSERT_TRUE(
      box.forge()
          .CommitToBranch(box.repo(), "ada", before.head_ref, {{"theirs.txt", "x\n"}}, "Mine")
          .ok());
  ASSERT_TRUE(box.WaitForSticky(issue, "a human took over the branch"));
  const std::string theirs = Pull(box).head_sha;
  MoveMain(box, "news.txt", "news\n");
  box.CommentOnPull("ada", before.number, "/swage rebase");
  ASSERT_TRUE(box.WaitForLog("commits of other people"));
  EXPECT_EQ(Pull(box).head_sha, theirs);
}

SWAGE_EVERY_DIALECT(Rebase);

}  // namespace
}  // namespace swage::test
