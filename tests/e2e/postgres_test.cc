// The main job on PostgreSQL: the same story, told by the other engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/box.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

BoxOptions OnPostgres(const std::string& url) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.extra_config = "store: " + url + "\n";
  return options;
}

TEST(MainJobOnPostgres, LabelBecomesOneGreenReviewedPullRequest) {
  SWAGE_NEEDS_POSTGRES();
  auto& server = PostgresServer::Shared();
  const std::string url = server.NewDatabase().value();
  Box box(OnPostgres(url));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue) << box.ServerLog();
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");
  EXPECT_THAT(pull.body, HasSubstr("Cycle 2: all gates passed"));
  EXPECT_THAT(box.ReviewBodies(pull), SizeIs(1));
  EXPECT_EQ(server.Query(url, "SELECT state FROM tasks").value(), "in_review");
  EXPECT_EQ(server.Query(url, "SELECT count(*) FROM deliveries WHERE state = 'pending'").value(),
            "0");
}

TEST(MainJobOnPostgres, ADatabaseThatIsNotThereEndsTheStartWithAReason) {
  Box box([] {
    BoxOptions options = OnPostgres("postgres://bot:hunter22@127.0.0.1:1/swage");
    options.start = false;
    return options;
  }());
  EXPECT_NE(box.ServeToExit(), 0);
  EXPECT_THAT(box.ServerLog(), HasSubstr("database swage at 127.0.0.1:1 as bot"));
  EXPECT_THAT(box.ServerLog(), HasSubstr("start the server"));
  EXPECT_THAT(box.ServerLog(), testing::Not(HasSubstr("hunter22")));
}

}  // namespace
}  // namespace swage::test
