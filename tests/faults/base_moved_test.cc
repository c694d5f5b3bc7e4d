// X22: the base branch moves on, or is rewritten, under the work and under what is in review.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/sandbox/git_repo.h"
#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class BaseMoved : public DialectTest {
 protected:
  // The issue's base has a commit that can be taken back.
  std::unique_ptr<Box> MakeBox() const {
    auto box = std::make_unique<Box>(Options(AnswerRepo(), "", "limits: {attempt_delay: 10ms}\n"));
    first_ = box->forge().Branches(box->repo()).at("main");
    Commit(*box, {{"leaked.txt", "oops\n"}});
    return box;
  }
  static std::string Commit(Box& box, const std::map<std::string, std::string>& files) {
    const auto made = box.forge().CommitToBranch(box.repo(), "ada", "main", files, "By ada");
    EXPECT_TRUE(made.ok());
    return made.ok() ? *made : "";
  }
  // As `git push --force` of another second commit.
  std::string RewriteMain(Box& box, const std::string& text) const {
    box.forge().With([&](sandbox::World& world) {
      sandbox::Repo& repo = *world.FindRepo(box.repo());
      EXPECT_TRUE(sandbox::WriteRef(repo.git_dir, "refs/heads/main", first_, true).ok());
    });
    return Commit(box, {{"instead.txt", text}});
  }
  // Each run of it says by the file begun-N that it is there, and waits for go-N.
  static std::string PatientAgent(Box& box) {
    const std::string dir = box.dir().string();
    return "n=1; while [ -e " + dir + "/begun-$n ]; do n=$((n+1)); done; touch " + dir +
           "/begun-$n\nuntil [ -e " + dir + "/go-$n ]; do sleep 0.05; done\necho 42 > answer.txt\n";
  }
  static void Go(Box& box, int n) {
    ASSERT_TRUE(WriteFileAtomic(box.dir() / ("go-" + std::to_string(n)), "").ok());
  }
  static bool WaitForAgent(Box& box, int n) {
    return box.WaitForFile(box.dir() / ("begun-" + std::to_string(n)));
  }
  static std::string Row(Box& box, const std::string& columns) {
    return box.Query("SELECT " + columns + " FROM tasks");
  }
  static bool Holds(Box& box, const std::string& head, const std::string& commit) {
    return sandbox::IsAncestor(box.forge().GitDir(box.repo()), commit, head);
  }
  // I7: what was said of the gates was said of the pull request's head, and of nothing else.
  static void ExpectResultsNameTheHead(Box& box, const sandbox::Pull& pull) {
    EXPECT_EQ(Row(box, "checkpoint"), pull.head_sha);
    std::set<std::string> named;
    for (const auto& status : box.forge().Statuses(box.repo())) named.insert(status.sha);
    for (const auto& run : box.forge().CheckRuns(box.repo())) named.insert(run.head_sha);
    EXPECT_EQ(named, std::set<std::string>{pull.head_sha});
    ASSERT_THAT(box.ReviewBodies(pull), SizeIs(1));
    EXPECT_THAT(box.ReviewBodies(pull).front(), HasSubstr(pull.head_sha.substr(0, 7)));
  }

  mutable std::string first_;
};

TEST_P(BaseMoved, Fault_X22_ABaseThatMovedOnIsNamedInTheResults) {
  const auto box = MakeBox();
  box->SetAgent(PatientAgent(*box));
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(WaitForAgent(*box, 1));
  const std::string base = box->forge().Branches(box->repo()).at("main");
  const std::string moved = Commit(*box, {{"more.txt", "more\n"}});
  Go(*box, 1);
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  ASSERT_THAT(box->Pulls(), SizeIs(1));
  const sandbox::Pull pull = box->Pulls().front();
  EXPECT_THAT(pull.body, AllOf(HasSubstr("The gates ran on top of main at " + base.substr(0, 10)),
                               HasSubstr("moved on to " + moved.substr(0, 10))));
  EXPECT_EQ(Row(*box, "base_sha"), base);
  EXPECT_EQ(Row(*box, "attempt"), "1");
  ExpectResultsNameTheHead(*box, pull);
}

TEST_P(BaseMoved, Fault_X22_ARewrittenBaseIsWorkedOnAnew) {
  const auto box = MakeBox();
  box->SetAgent(PatientAgent(*box));
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(WaitForAgent(*box, 1));
  const std::string gone = box->forge().Branches(box->repo()).at("main");
  const std::string fresh = RewriteMain(*box, "once");
  Go(*box, 1);
  ASSERT_TRUE(WaitForAgent(*box, 2)) << box->Sticky(issue);
  EXPECT_THAT(box->Pulls(), IsEmpty());
  Go(*box, 2);
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  ASSERT_THAT(box->Pulls(), SizeIs(1));
  const sandbox::Pull pull = box->Pulls().front();
  EXPECT_TRUE(Holds(*box, pull.head_sha, fresh));
  EXPECT_FALSE(Holds(*box, pull.head_sha, gone)) << "what was taken back is in the pull request";
  EXPECT_EQ(Row(*box, "base_sha, attempt"), fresh + "|2");
  EXPECT_THAT(pull.body, Not(HasSubstr("ran on top of")));
  ExpectResultsNameTheHead(*box, pull);
}

TEST_P(BaseMoved, Fault_X22_ABaseThatIsRewrittenAgainParksTheTask) {
  const auto box = MakeBox();
  box->SetAgent(PatientAgent(*box));
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(WaitForAgent(*box, 1));
  RewriteMain(*box, "once");
  Go(*box, 1);
  ASSERT_TRUE(WaitForAgent(*box, 2));
  const std::string fresh = RewriteMain(*box, "twice");
  Go(*box, 2);
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state") == "waiting"; })) << Row(*box, "state");
  EXPECT_THAT(Row(*box, "reason"), HasSubstr("main was rewritten while the work was under way"));
  EXPECT_THAT(box->Pulls(), IsEmpty());
  // It stands still, and somebody asks again.
  box->forge().Comment(box->repo(), "ada", issue, "/swage retry");
  ASSERT_TRUE(WaitForAgent(*box, 3));
  Go(*box, 3);
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  EXPECT_TRUE(Holds(*box, box->Pulls().front().head_sha, fresh));
}

TEST_P(BaseMoved, Fault_X22_ABaseRewrittenUnderReviewIsSaidAndTheNextRunStartsOnTheNewOne) {
  const auto box = MakeBox();
  box->SetAgent("echo 42 > answer.txt\n");
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  const sandbox::Pull before = box->Pulls().front();
  const std::string gone = Row(*box, "base_sha");
  const std::string fresh = RewriteMain(*box, "once");
  const auto warnings = [&] {
    const auto texts = box->BotTexts();
    return std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
      return text.find("do not merge this as it is") != text.npos;
    });
  };
  ASSERT_TRUE(box->WaitFor([&] { return warnings() == 1; }));
  EXPECT_EQ(box->forge().Branches(box->repo())[before.head_ref], before.head_sha);
  // And once only, however often the branch moves.
  Commit(*box, {{"more.txt", "more\n"}});
  const std::string looked = "SELECT cursor FROM polls WHERE key LIKE 'base:%'";
  const std::string tip = box->forge().Branches(box->repo()).at("main");
  ASSERT_TRUE(box->WaitFor([&] { return box->Query(looked) == tip; }));
  ASSERT_TRUE(box->WaitFor(
      [&] { return box->Query("SELECT count(*) FROM effects WHERE state = 'pending'") == "0"; }));
  EXPECT_EQ(warnings(), 1);

  box->CommentOnPull("ada", before.number, "/swage fix on the new base");
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state, run") == "in_review|2"; }))
      << Row(*box, "state, run, reason");
  ASSERT_THAT(box->Pulls(), SizeIs(1));
  const sandbox::Pull after = box->Pulls().front();
  EXPECT_EQ(after.number, before.number);
  EXPECT_TRUE(Holds(*box, after.head_sha, fresh));
  EXPECT_FALSE(Holds(*box, after.head_sha, gone));
  EXPECT_EQ(Row(*box, "base_sha"), tip);
}

// I11: a person's commits are never thrown away for it.
TEST_P(BaseMoved, Fault_X22_ABranchWithSomebodysOwnWorkIsParkedUntilTheyHaveMovedIt) {
  const auto box = MakeBox();
  box->SetAgent("echo 42 > answer.txt; date +%N > again.txt\n");
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  const sandbox::Pull pull = box->Pulls().front();
  const auto theirs = box->forge().CommitToBranch(box->repo(), "ada", pull.head_ref,
                                                  {{"theirs.txt", "mine\n"}}, "By hand");
  ASSERT_TRUE(theirs.ok());
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state") == "waiting"; }));
  const std::string fresh = RewriteMain(*box, "once");
  box->CommentOnPull("ada", pull.number, "/swage fix more");
  ASSERT_TRUE(box->WaitFor([&] {
    return Row(*box, "reason").find("rebase swage/") != std::string::npos;
  })) << Row(*box, "state, reason");
  EXPECT_EQ(Row(*box, "state"), "waiting");
  EXPECT_EQ(box->forge().Branches(box->repo())[pull.head_ref], *theirs);

  // They rebase it: the same files on the new base.
  box->forge().With([&](sandbox::World& world) {
    sandbox::Repo& repo = *world.FindRepo(box->repo());
    EXPECT_TRUE(sandbox::WriteRef(repo.git_dir, "refs/heads/" + pull.head_ref, fresh, true).ok());
  });
  const auto rebased = box->forge().CommitToBranch(
      box->repo(), "ada", pull.head_ref, {{"answer.txt", "42\n"}, {"theirs.txt", "mine\n"}},
      "By hand, again");
  ASSERT_TRUE(rebased.ok());
  ASSERT_TRUE(box->Settle());
  box->CommentOnPull("ada", pull.number, "/swage fix more");
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state") == "in_review"; }))
      << Row(*box, "state, reason");
  EXPECT_TRUE(Holds(*box, box->Pulls().front().head_sha, *rebased));
  EXPECT_EQ(Row(*box, "base_sha"), fresh);
}

// And wherever they put it: what they pushed is gone on from, there, even when the newest
// checkpoint is lost with the power (I11).
TEST_P(BaseMoved, Fault_X22_ABranchThatSomebodyPutOnAnOlderBaseIsGoneOnFrom) {
  const auto box = MakeBox();
  const std::string dir = box->dir().string();
  // The second run is at its second cycle when the power goes.
  box->SetAgent("n=1; while [ -e " + dir + "/begun-$n ]; do n=$((n+1)); done; touch " + dir +
                "/begun-$n\n[ $n != 3 ] || sleep 600\n"
                "[ $n = 2 ] && echo 41 > answer.txt || echo 42 > answer.txt; echo $n >> n.txt\n");
  const std::int64_t issue = box->LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box->WaitForSticky(issue, "in review")) << box->Sticky(issue);
  const sandbox::Pull pull = box->Pulls().front();
  box->forge().With([&](sandbox::World& world) {
    sandbox::Repo& repo = *world.FindRepo(box->repo());
    EXPECT_TRUE(sandbox::WriteRef(repo.git_dir, "refs/heads/" + pull.head_ref, first_, true).ok());
  });
  const auto theirs = box->forge().CommitToBranch(box->repo(), "ada", pull.head_ref,
                                                  {{"theirs.txt", "mine\n"}}, "By hand");
  ASSERT_TRUE(theirs.ok());
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state") == "waiting"; }));
  box->CommentOnPull("ada", pull.number, "/swage fix more");
  ASSERT_TRUE(WaitForAgent(*box, 3)) << Row(*box, "state, reason");
  box->KillServer();
  const std::string lost = Row(*box, "checkpoint");
  ASSERT_NE(lost, *theirs);
  int removed = 0;
  const std::string file = "/objects/" + lost.substr(0, 2) + "/" + lost.substr(2);
  for (const auto& entry : std::filesystem::directory_iterator(box->data_dir() / "mirrors")) {
    std::error_code none;
    removed += std::filesystem::remove(entry.path().string() + file, none);
  }
  ASSERT_EQ(removed, 1);
  box->StartServer();
  ASSERT_TRUE(box->WaitFor([&] { return Row(*box, "state, run") == "in_review|2"; }))
      << Row(*box, "state, run, reason");
  EXPECT_TRUE(Holds(*box, box->Pulls().front().head_sha, *theirs));
  EXPECT_EQ(Row(*box, "base_sha"), first_);
}

SWAGE_EVERY_DIALECT(BaseMoved);

}  // namespace
}  // namespace swage::test
