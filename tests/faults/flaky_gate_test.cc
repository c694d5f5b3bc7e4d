// X21: a gate that fails and then passes on the same commit is run twice, no more, and what people
// read says so (E5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

TEST(Fault, X21_AGateOfAlternatingExitCodesIsRunOnceMoreAndMarked) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.files["check.sh"] =
      "grep -qx 42 answer.txt || exit 1\n"
      "echo again >> \"$HOME/runs\"\n"
      "exit $(($(wc -l < \"$HOME/runs\") % 2))\n";
  Box box(options);
  box.SetAgent("echo 42 > answer.txt\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_THAT(box.ReviewBodies(box.Pulls().front()),
              ElementsAre(AllOf(HasSubstr("all required gates passed"),
                                HasSubstr("| `tests` | ≈ flaky | passed when run again"),
                                Not(HasSubstr("| `style` | ≈")))));
  // The agent is not asked to mend what is not its own.
  EXPECT_EQ(box.Query("SELECT kind, cycle, outcome FROM steps WHERE kind = 'agent' ORDER BY id"),
            "agent|1|ok");
  EXPECT_EQ(box.Query("SELECT count(*) FROM steps WHERE outcome = 'flaky'"), "1");
}

}  // namespace
}  // namespace swage::test
