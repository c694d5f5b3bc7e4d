// How much of a forge's quota the bot needs: what has not changed is asked for by its ETag.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

class QuotaTest : public DialectTest {
 protected:
  struct Reads {
    int whole = 0;
    int unchanged = 0;
  };
  static Reads ReadsOf(Box& box) {
    Reads reads;
    for (const sandbox::LoggedRequest& request : box.forge().Requests()) {
      const bool git = request.target.find(".git/") != std::string::npos;
      if (request.method != "GET" || git) continue;
      reads.whole += request.status == 200 ? 1 : 0;
      reads.unchanged += request.status == 304 ? 1 : 0;
    }
    return reads;
  }
};

TEST_P(QuotaTest, WhatHasNotChangedIsNotSentAgain) {
  Box box(Options(AnswerRepo(), TwoCycleAgent()));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  ASSERT_TRUE(box.Settle());
  const Reads job = ReadsOf(box);
  box.forge().ClearRequests();
  for (int i = 0; i < 5; ++i) {
    box.forge().Comment(box.repo(), "ada", issue, "/swage status");
    ASSERT_TRUE(box.Settle());
  }
  const Reads commands = ReadsOf(box);
  RecordProperty("job_reads", job.whole + job.unchanged);
  RecordProperty("job_reads_unchanged", job.unchanged);
  RecordProperty("command_reads", commands.whole + commands.unchanged);
  RecordProperty("command_reads_unchanged", commands.unchanged);
  EXPECT_GT(job.unchanged, 0);
  // Each command is a comment and gets a reaction, whose lists are new each time; who the author is
  // and what the issue says are not.
  EXPECT_GE(commands.unchanged * 4, commands.whole + commands.unchanged);
}

// Gitea sends no ETags.
SWAGE_BOTH_DIALECTS(QuotaTest);

}  // namespace
}  // namespace swage::test
