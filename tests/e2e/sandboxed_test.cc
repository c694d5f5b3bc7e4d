// The main job at the level sandbox, with an agent that tries to get out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/dialects.h"
#include "tests/harness/left_behind.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Sandboxed : public DialectTest {
 protected:
  BoxOptions Options(std::string agent) const {
    BoxOptions options =
        DialectTest::Options(AnswerRepo(), std::move(agent), "isolation: {floor: sandbox}\n");
    options.agents_meet = false;
    options.start = false;
    return options;
  }
};

bool GivesSandbox(Box& box) {
  return box.Query("SELECT levels FROM nodes").find("sandbox") != std::string::npos;
}

// What got through is a line in the change that the pull request brings.
std::string EscapingAgent(const Box& box) {
  const std::string dir = box.dir().string();
  const std::string data = box.data_dir().string();
  return "through() { echo \"$1\" >> through.txt; }\n"
         "echo none > through.txt\n"
         "touch " +
         dir + "/escaped 2>/dev/null && [ -e " + dir +
         "/swage.yml ] && through write\n"
         "cat " +
         dir +
         "/token 2>/dev/null && through token\n"
         "cat " +
         data +
         "/swage.db >/dev/null 2>&1 && through database\n"
         "grep -rqs " +
         box.bot_token() +
         " /proc/*/environ && through environ\n"
         "(exec 3<>/dev/tcp/127.0.0.1/" +
         std::to_string(box.dashboard_port()) +
         ") 2>/dev/null && through dashboard\n"
         "(exec 3<>/dev/tcp/127.0.0.1/" +
         std::to_string(box.hooks_port()) +
         ") 2>/dev/null && through webhooks\n"
         "echo forged >> \"$1\" 2>/dev/null && through handoff\n"
         "unshare -Ur true 2>/dev/null && through namespace\n"
         "[ \"$(id -u)\" != 0 ] || through root\n"
         "(setsid sleep 600 >/dev/null 2>&1 </dev/null &) \n"
         "echo 42 > answer.txt; echo done\n";
}

TEST_P(Sandboxed, AnAgentThatTriesToEscapeLeavesNoTraceAndStillOpensItsPullRequest) {
  Box box(Options("true"));
  box.SetAgent(EscapingAgent(box));
  box.StartServer();
  if (!GivesSandbox(box)) GTEST_SKIP() << "this machine cannot give level sandbox";
  const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull pull = box.Pulls().front();
  EXPECT_FALSE(IsDraft(pull));
  EXPECT_THAT(pull.body, HasSubstr("isolation level `sandbox`"));
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "through.txt"), "none\n");
  EXPECT_FALSE(std::filesystem::exists(box.dir() / "escaped"));
}

TEST_P(Sandboxed, NothingOutlivesAServerThatIsKilled) {
  Box box(Options("true"));
  // It names the folder, so that it can be found.
  const std::string survivor = "sleep 600; : " + box.data_dir().string() + "/survivor";
  box.SetAgent("trap '' TERM HUP; setsid /bin/sh -c '" + survivor + "' & sleep 600");
  box.StartServer();
  if (!GivesSandbox(box)) GTEST_SKIP() << "this machine cannot give level sandbox";
  box.LabelledIssue("The answer is wrong");
  const auto survivors = [&] {
    const auto all = ProcessesOf(box.data_dir());
    return std::count_if(all.begin(), all.end(),
                         [](const auto& text) { return text.find("/survivor") != text.npos; });
  };
  ASSERT_TRUE(box.WaitFor([&] { return survivors() > 0; }));
  box.KillServer();
  EXPECT_TRUE(box.WaitFor([&] { return ProcessesOf(box.data_dir()).empty(); }));
}

SWAGE_BOTH_DIALECTS(Sandboxed);

}  // namespace
}  // namespace swage::test
