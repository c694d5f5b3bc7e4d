#include "pipeline/front_matter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swage {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(FrontMatter, ReadsEveryKey) {
  const std::string text =
      "---\nbase: release/2\nscope: [src/**, Makefile]\nisolation: sandbox\nnetwork: true\n"
      "profile: docs\nbudget: {time: 20m, cycles: 2}\ndepends-on: [12, \"#34\", 12]\n"
      "agent: claude\npriority: High\n---\nThe text.";
  const FrontMatter front = ReadFrontMatter(text);
  EXPECT_THAT(front.faults, IsEmpty());
  EXPECT_EQ(front.base, "release/2");
  EXPECT_THAT(front.scope, ElementsAre("src/**", "Makefile"));
  EXPECT_EQ(front.isolation, IsolationLevel::kSandbox);
  EXPECT_TRUE(front.network);
  EXPECT_EQ(front.profile, "docs");
  EXPECT_EQ(front.time, std::chrono::minutes(20));
  EXPECT_EQ(front.cycles, 2);
  EXPECT_THAT(front.depends_on, ElementsAre(12, 34));
  EXPECT_EQ(front.agent, "claude");
  EXPECT_EQ(front.priority, Priority::kHigh);
  EXPECT_EQ(text.substr(front.bytes), "The text.");
}

TEST(FrontMatter, SaysWhatItDoesNotUnderstandAndKeepsTheRest) {
  const FrontMatter front = ReadFrontMatter(
      "---\r\nbse: high\r\nisolation: urgent\r\nbase: release/2\r\nreviewer: bob\r\n---\r\nText");
  EXPECT_EQ(front.base, "release/2");
  EXPECT_THAT(front.faults,
              ElementsAre(HasSubstr("line 2: there is no \"bse\"; did you mean base?"),
                          AllOf(HasSubstr("line 3: isolation: write shared, worktree")),
                          AllOf(HasSubstr("line 5: there is no \"reviewer\""),
                                HasSubstr("there are base, scope, isolation"))));
}

TEST(FrontMatter, EveryBadValueHasItsLine) {
  for (const char* line : {"base: a..b",
                           "base: -x",
                           "base: \"a b\"",
                           "base: [x]",
                           "base: \"\"",
                           "scope: /etc",
                           "scope: ../x",
                           "scope: {a: b}",
                           "isolation: prison",
                           "network: perhaps",
                           "priority: urgent",
                           "priority: [high]",
                           "profile: [a]",
                           "budget: 20m",
                           "budget: {time: never}",
                           "budget: {cycles: 0}",
                           "budget: {cycles: 1000000}",
                           "budget: {money: 3}",
                           "depends-on: other/repo#3",
                           "depends-on: [0]",
                           "depends-on: [-3]",
                           "depends-on: everything",
                           "agent: {}"}) {
    const FrontMatter front = ReadFrontMatter(std::string("---\n") + line + "\n---\n");
    EXPECT_THAT(front.faults, ElementsAre(HasSubstr("line 2: "))) << line;
  }
  std::string many = "---\ndepends-on: [1";
  for (int i = 2; i < 50; ++i) many += ", " + std::to_string(i);
  EXPECT_THAT(ReadFrontMatter(many + "]\n---\n").faults, ElementsAre(HasSubstr("line 2: ")));
}

TEST(FrontMatter, BrokenYamlCountsForNothingAndIsSaid) {
  for (const char* text : {"---\nisolation: [sandbox\n---\n", "---\nbase: a\nbase: b\n---\n",
                           "---\n&a base: x\nscope: *a\n---\n"}) {
    const FrontMatter front = ReadFrontMatter(text);
    EXPECT_THAT(front.faults, ElementsAre(HasSubstr("cannot be read"))) << text;
    EXPECT_EQ(front.isolation, std::nullopt);
    EXPECT_EQ(front.base, "");
  }
}

TEST(FrontMatter, ProseBetweenDashesIsNone) {
  for (const char* text :
       {"", "---", "---\n---\n", "---\nHello: world\n---\nmore", "Text\n---\nbase: x\n---\n",
        "----\nbase: x\n----\n", "---\nbase: x\nand no end", "---\n[not: yaml\n---\n"}) {
    const FrontMatter front = ReadFrontMatter(text);
    EXPECT_THAT(front.faults, IsEmpty()) << text;
    EXPECT_EQ(front.bytes, 0U) << text;
    EXPECT_EQ(front.base, "") << text;
  }
  EXPECT_EQ(ReadFrontMatter("---\n" + std::string(100'000, 'x') + "\nbase: x\n---").base, "");
}

}  // namespace
}  // namespace swage
