// Issues that go while an agent works on them, and issues that come back (A14), on both dialects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A14 allows this long between the word and the agent's death.
constexpr std::chrono::seconds kStopLimit{30};
constexpr const char* kElsewhere = "acme/elsewhere";

class IssueGone : public DialectTest {
 protected:
  /// A server with a task whose agent hangs, in a process tree that must be killed as a whole.
  struct Scene {
    std::unique_ptr<Box> box;
    std::int64_t issue = 0;
    pid_t agent = 0;
  };
  Scene Hanging() {
    Scene scene{std::make_unique<Box>(Options(AnswerRepo(), "")), 0, 0};
    Box& box = *scene.box;
    EXPECT_TRUE(box.forge().CreateRepoFromFiles(kElsewhere, {{"README.md", "\n"}}).ok());
    box.forge().SetMember(kElsewhere, "ada", Role::kMaintain);
    const std::string pid = (box.dir() / "pid").string();
    box.SetAgent("setsid sleep 600 & echo 42 > answer.txt; echo $$ > " + pid + ".new; mv " + pid +
                 ".new " + pid + "; sleep 600\n");
    scene.issue = box.LabelledIssue("The answer is wrong");
    EXPECT_TRUE(box.WaitForFile(pid)) << box.ServerLog();
    scene.agent = std::stoi(ReadFile(pid).value());
    return scene;
  }

  static void ExpectStopped(Scene& scene, const std::string& reason) {
    Box& box = *scene.box;
    const auto told = std::chrono::steady_clock::now();
    EXPECT_TRUE(box.WaitFor([&] { return kill(scene.agent, 0) != 0; })) << "the agent lives";
    EXPECT_LT(std::chrono::steady_clock::now() - told, kStopLimit);
    EXPECT_TRUE(box.WaitFor([&] { return box.Query("SELECT state FROM tasks") == "cancelled"; }));
    EXPECT_EQ(box.Query("SELECT reason FROM tasks"), reason);
    EXPECT_TRUE(box.Settle());
    // What could not be said where nothing is any more is not tried for ever.
    EXPECT_TRUE(box.WaitFor(
        [&] { return box.Query("SELECT count(*) FROM effects WHERE state = 'pending'") == "0"; }));
    EXPECT_THAT(box.Pulls(), IsEmpty());
    EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
  }

  bool OnGitHub() const { return GetParam() == sandbox::Dialect::kGitHub; }
  bool OnGitea() const { return GetParam() == sandbox::Dialect::kGitea; }
};

TEST_P(IssueGone, ClosingStopsTheAgent) {
  Scene scene = Hanging();
  scene.box->forge().CloseIssue(scene.box->repo(), "ada", scene.issue);
  ExpectStopped(scene, "the issue was closed by ada");
  EXPECT_TRUE(scene.box->WaitForSticky(scene.issue, "stopped: the issue was closed by ada"));
}

TEST_P(IssueGone, RemovingTheLabelStopsTheAgent) {
  Scene scene = Hanging();
  scene.box->forge().RemoveLabel(scene.box->repo(), "ada", scene.issue, "swage");
  ExpectStopped(scene, "the label was removed by ada");
  EXPECT_TRUE(scene.box->WaitForSticky(scene.issue, "stopped: the label was removed by ada"));
}

TEST_P(IssueGone, TransferStopsTheAgent) {
  if (OnGitea()) GTEST_SKIP() << "Gitea transfers no issues";
  Scene scene = Hanging();
  Box& box = *scene.box;
  const std::int64_t moved = box.forge().MoveIssue(box.repo(), "ada", scene.issue, kElsewhere);
  ExpectStopped(scene, "the issue was transferred by ada");
  EXPECT_THAT(box.forge().Pulls(kElsewhere), IsEmpty());
  EXPECT_TRUE(box.forge().GetIssue(kElsewhere, moved)->open);
  // GitLab keeps the old issue, and with it the status.
  if (!OnGitHub()) {
    EXPECT_TRUE(box.WaitForSticky(scene.issue, "stopped: the issue was transferred by ada"));
  }
}

TEST_P(IssueGone, DeletionStopsTheAgent) {
  if (!OnGitHub()) GTEST_SKIP() << "only GitHub tells of a deletion; see the next test";
  Scene scene = Hanging();
  scene.box->forge().DeleteIssue(scene.box->repo(), "ada", scene.issue);
  ExpectStopped(scene, "the issue was deleted by ada");
}

// The word may be lost, or never said: then it is found out before a pull request appears.
TEST_P(IssueGone, ADeletionThatNobodyToldOfMakesNoPullRequest) {
  Box box(Options(AnswerRepo(), ""));
  const std::string go = (box.dir() / "go").string();
  const std::string begun = (box.dir() / "begun").string();
  box.SetAgent("echo 42 > answer.txt; touch " + begun + "; while [ ! -e " + go +
               " ]; do sleep 0.02; done\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  sandbox::FaultRule drop;
  drop.action = sandbox::FaultAction::kWebhookDrop;
  drop.event = "issues";
  ASSERT_TRUE(box.forge().faults().Add(drop).ok());
  box.forge().DeleteIssue(box.repo(), "ada", issue);
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  EXPECT_TRUE(box.WaitFor([&] {
    const std::string state = box.Query("SELECT state FROM tasks");
    return state == "failed" || state == "cancelled";
  })) << box.Query("SELECT state, reason FROM tasks");
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(IssueGone, ReopeningTakesTheWorkUpAgain) {
  Scene scene = Hanging();
  Box& box = *scene.box;
  box.forge().CloseIssue(box.repo(), "ada", scene.issue);
  ExpectStopped(scene, "the issue was closed by ada");
  box.SetAgent(TwoCycleAgent());
  box.forge().ReopenIssue(box.repo(), "ada", scene.issue);
  ASSERT_TRUE(box.WaitForSticky(scene.issue, "in review")) << box.Sticky(scene.issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks"), "1");
}

TEST_P(IssueGone, ReopeningRestartsNothingThatWasStoppedByHand) {
  Scene scene = Hanging();
  Box& box = *scene.box;
  box.forge().Comment(box.repo(), "ada", scene.issue, "/swage stop");
  ExpectStopped(scene, "ada asked to stop");
  box.forge().CloseIssue(box.repo(), "ada", scene.issue);
  box.forge().ReopenIssue(box.repo(), "ada", scene.issue);
  ASSERT_TRUE(box.Settle());
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "cancelled");
}

TEST_P(IssueGone, AnUnknownProfileIsNamedOnceAndTheWorkGoesOn) {
  auto files = AnswerRepo();
  files[".swage.yml"] += "profiles: {docs: Change documentation only.}\n";
  Box box(Options(files, TwoCycleAgent()));
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Wrong answer", "Please.");
  box.forge().AddLabel(box.repo(), "ada", issue, "swage:dcos");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  box.CommentOnPull("ada", box.Pulls().front().number, "/swage gates");
  ASSERT_TRUE(box.WaitForPull(
      issue, [&](const sandbox::Pull& pull) { return box.ReviewBodies(pull).size() == 2; }));
  std::vector<std::string> notes;
  for (const sandbox::Note& note : box.NotesBy("swage-bot", issue)) {
    if (note.body.find("swage:sticky") == std::string::npos) notes.push_back(note.body);
  }
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr("`swage:dcos` picks a profile that is not there"));
  EXPECT_THAT(notes[0], HasSubstr("the known ones are `docs`"));
}

SWAGE_EVERY_DIALECT(IssueGone);

}  // namespace
}  // namespace swage::test
