// Two nodes on one PostgreSQL that do not give the same levels of isolation: what one of them
// cannot give waits, with the reason and the fix, until another can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/node_process.h"
#include "tests/harness/postgres_server.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class IsolationNodes : public testing::Test {
 protected:
  void SetUp() override {
    SWAGE_NEEDS_POSTGRES();
    url_ = PostgresServer::Shared().NewDatabase().value();
    BoxOptions options;
    options.files = AnswerRepo();
    options.agents_meet = false;
    options.agent = "echo 42 > answer.txt; echo '{}' > package-lock.json; echo done\n";
    options.extra_config = "store: \"" + url_ +
                           "\"\nnode: {name: front, lease: 12s, roles: [web, publisher, "
                           "housekeeping]}\n";
    box_ = std::make_unique<Box>(options);
  }

  std::unique_ptr<NodeProcess> StartWorker(const std::string& name, const std::string& levels) {
    NodeOptions options;
    options.name = name;
    options.roles = "worker";
    options.levels = levels;
    auto node = std::make_unique<NodeProcess>(*box_, std::move(options));
    node->Start();
    return node;
  }
  std::string Query(const std::string& sql) const {
    const auto rows = PostgresServer::Shared().Query(url_, sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? *rows : "";
  }
  bool GivesSandbox(const std::string& node) const {
    return Query("SELECT levels FROM nodes WHERE name = '" + node + "'").find("sandbox") !=
           std::string::npos;
  }

  std::string url_;
  std::unique_ptr<Box> box_;
};

TEST_F(IsolationNodes, ATaskWaitsForANodeThatGivesItsLevelAndGoesOnThere) {
  const auto plain = StartWorker("plain", "worktree");
  const std::int64_t issue = box_->LabelledIssue("Needs a package");
  ASSERT_TRUE(box_->WaitForSticky(issue, "waiting: no node can give level sandbox"))
      << box_->Sticky(issue);
  EXPECT_THAT(box_->Sticky(issue), HasSubstr("plain: not among node.levels"));
  EXPECT_EQ(Query("SELECT state, level FROM tasks"), "waiting|sandbox");
  EXPECT_THAT(box_->Pulls(), SizeIs(0));

  const auto able = StartWorker("able", "worktree, sandbox");
  if (!GivesSandbox("able")) GTEST_SKIP() << "this machine cannot give level sandbox";
  ASSERT_TRUE(box_->WaitForSticky(issue, "in review")) << box_->Sticky(issue);
  ASSERT_THAT(box_->Pulls(), SizeIs(1));
  EXPECT_THAT(box_->Pulls().front().body, HasSubstr("isolation level `sandbox`"));
  // The work of the first node came along.
  EXPECT_EQ(Query("SELECT node FROM steps WHERE kind = 'agent'"), "plain");
  EXPECT_EQ(Query("SELECT DISTINCT node FROM steps WHERE kind = 'gate'"), "able");
  EXPECT_EQ(Query("SELECT attempt FROM tasks"), "1") << "waiting is no failed attempt";
}

TEST_F(IsolationNodes, ATaskGoesStraightToAnotherNodeThatCan) {
  const auto able = StartWorker("able", "sandbox");
  if (!GivesSandbox("able")) GTEST_SKIP() << "this machine cannot give level sandbox";
  // It gives no worktree, so the beginning is for the other one.
  const auto plain = StartWorker("plain", "worktree");
  const std::int64_t issue = box_->LabelledIssue("Needs a package");
  ASSERT_TRUE(box_->WaitForSticky(issue, "in review")) << box_->Sticky(issue);
  EXPECT_EQ(Query("SELECT DISTINCT node FROM steps WHERE kind = 'gate'"), "able");
  EXPECT_EQ(Query("SELECT count(*) FROM timeline WHERE kind = 'waiting'"), "0");
}

}  // namespace
}  // namespace swage::test
