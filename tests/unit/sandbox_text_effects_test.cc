// What text does on the sandbox forge: it notifies, it closes issues, and on GitLab it gives
// orders.
#include "forge/sandbox/text_effects.h"

#include "forge/sandbox/markdown_html.h"
#include "forge/sandbox/quick_actions.h"
#include "tests/unit/sandbox_gitlab_fixture.h"

namespace swage::sandbox {
namespace {

using Names = std::vector<std::string>;

TEST(SandboxMentions, NamePeopleTeamsAndEverybody) {
  EXPECT_EQ(Mentions("@alice, @acme/team and @all: look"), (Names{"alice", "acme/team", "all"}));
  EXPECT_EQ(Mentions("(@alice) **@bob** - @carol."), (Names{"alice", "bob", "carol"}));
  EXPECT_EQ(Mentions("thanks @alice\n@alice"), Names{"alice"});
}

TEST(SandboxMentions, EscapesAndEntitiesDoNotPrevent) {
  EXPECT_EQ(Mentions("\\@alice"), Names{"alice"});
  EXPECT_EQ(Mentions("&#64;alice"), Names{"alice"});
}

TEST(SandboxMentions, CodeLinksAndWordsNameNobody) {
  for (const char* text :
       {"`@alice`", "```\n@alice\n```", "    @alice", "me@example.com", "[@alice](http://x)",
        "@\xE2\x80\x8B"
        "alice",
        "@<!-- -->alice", "<!-- @alice -->", "@ alice", "@", "@-", ""}) {
    EXPECT_EQ(Mentions(text), Names{}) << text;
  }
}

TEST(SandboxMentions, HugeTextIsBounded) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "@a" + std::to_string(i) + " ";
  EXPECT_LE(Mentions(text).size(), 1'000U);
}

std::vector<std::int64_t> Closing(Dialect dialect, std::string_view words) {
  std::vector<std::int64_t> numbers;
  for (const IssueRef& ref : ClosingRefs(dialect, words)) numbers.push_back(ref.number);
  return numbers;
}
using Numbers = std::vector<std::int64_t>;

TEST(SandboxClosing, KeywordsOfBothForges) {
  for (const Dialect dialect : {Dialect::kGitHub, Dialect::kGitLab}) {
    EXPECT_EQ(Closing(dialect, "Fixes #1"), Numbers{1});
    EXPECT_EQ(Closing(dialect, "this RESOLVED: #12 and closes  #3"), (Numbers{12, 3}));
    EXPECT_EQ(Closing(dialect, "prefixes #1, fix 1, fixes # 1, fixed"), Numbers{});
    EXPECT_EQ(Closing(dialect, "fixes http://h:1/a/b/issues/4"), Numbers{4});
  }
}

TEST(SandboxClosing, OnlyGitLabTakesListsAndItsOwnVerbs) {
  EXPECT_EQ(Closing(Dialect::kGitLab, "Closes #1, #2 and #3"), (Numbers{1, 2, 3}));
  EXPECT_EQ(Closing(Dialect::kGitHub, "Closes #1, #2 and #3"), Numbers{1});
  EXPECT_EQ(Closing(Dialect::kGitLab, "Implements #5; closing issue #6"), (Numbers{5, 6}));
  EXPECT_EQ(Closing(Dialect::kGitHub, "Implements #5; closing issue #6"), Numbers{});
}

TEST(SandboxClosing, OtherRepositoriesAreNamed) {
  EXPECT_EQ(ClosingRefs(Dialect::kGitHub, "fixes acme/other#7"),
            (std::vector<IssueRef>{{"acme/other", 7}}));
}

TEST(SandboxQuickActions, KnownLinesAreTakenOut) {
  const ActionText text = TakeQuickActions("Done.\n/close\n/label ~bug ~\"two words\"\nBye.");
  EXPECT_EQ(text.text, "Done.\nBye.");
  ASSERT_EQ(text.actions.size(), 2U);
  EXPECT_EQ(text.actions[0].name, "close");
  EXPECT_EQ(text.actions[1].argument, "~bug ~\"two words\"");
}

TEST(SandboxQuickActions, EverythingElseIsText) {
  for (const char* text : {"/swage run", " /close", "> /close", "```\n/close\n```", "see /close",
                           "\\/close", "/closed", "/", "", "//close", "\xE2\x80\x8B/close"}) {
    const ActionText taken = TakeQuickActions(text);
    EXPECT_TRUE(taken.actions.empty()) << text;
    EXPECT_EQ(taken.text, text);
  }
}

TEST(SandboxMarkdown, NothingOfTheTextCanRun) {
  for (const char* text :
       {"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
        "<details open onclick=alert(1)>", "<sub style='x'>", "![x](http://h/a.png)",
        "<details>\n<iframe src=x>\n</details>"}) {
    const std::string html = RenderMarkdown(text);
    for (const char* bad : {"<script", "<img", "javascript:", "onclick", "style=", "<iframe"}) {
      EXPECT_EQ(html.find(bad), std::string::npos) << text << " -> " << html;
    }
  }
}

TEST(SandboxMarkdown, FoldsAndTablesSurvive) {
  const std::string html = RenderMarkdown(
      "<details><summary>log of <code>a</code></summary>\n\n`x`\n\n</details>\n\n"
      "| a |\n|---|\n| b |\n");
  EXPECT_NE(html.find("<details><summary>log of <code>a</code></summary>"), std::string::npos);
  EXPECT_NE(html.find("<td>b</td>"), std::string::npos);
}

class SandboxText : public GitLabTest {
 protected:
  std::vector<std::string> Notified() {
    std::vector<std::string> names;
    forge_->With([&](World& world) {
      for (const Notification& n : world.FindRepo(repo_)->notifications) names.push_back(n.name);
    });
    return names;
  }
};

TEST_F(SandboxText, MentionsAreRecordedWhereverTheyAreWritten) {
  forge_->CreateIssue(repo_, "acme", "Bug", "@rita look");
  Api("POST", "/issues/1/notes", bot_, {{"body", "ask @acme/team"}});
  OpenMergeRequest("for @sam");
  EXPECT_EQ(Notified(), (std::vector<std::string>{"rita", "acme/team", "sam"}));
}

TEST_F(SandboxText, MergingClosesWhatBodyAndCommitsName) {
  for (int i = 0; i < 4; ++i) forge_->CreateIssue(repo_, "acme", "Bug", "");
  Commit("swage/issue-1", {{"src/b.txt", "b\n"}});
  ASSERT_TRUE(forge_
                  ->CommitToBranch(repo_, "swage-bot", "swage/issue-1", {{"src/c.txt", "c\n"}},
                                   "Add c\n\nFixes #2")
                  .ok());
  OpenMergeRequest("Closes #1. Not `closes #3`.");
  ASSERT_EQ(Api("PUT", "/merge_requests/1/merge", admin_).status, 200);
  EXPECT_FALSE(IssueIsOpen(1));
  EXPECT_FALSE(IssueIsOpen(2));
  EXPECT_TRUE(IssueIsOpen(3));
  EXPECT_TRUE(IssueIsOpen(4));
}

TEST_F(SandboxText, MergeCommandInANoteReallyMerges) {
  OpenMergeRequest();
  const HttpAnswer made =
      Api("POST", "/merge_requests/1/notes", bot_, {{"body", "All green.\n/merge"}});
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.body["body"], "All green.");
  EXPECT_TRUE(forge_->GetPull(repo_, 1)->merged);
}

TEST_F(SandboxText, CommandsAloneLeaveNoNote) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  EXPECT_EQ(Api("POST", "/issues/1/notes", bot_, {{"body", "/close"}}).status, 202);
  EXPECT_FALSE(IssueIsOpen(1));
  EXPECT_TRUE(forge_->GetIssue(repo_, 1)->notes.empty());
}

TEST_F(SandboxText, CommandsOfStrangersDoNothing) {
  forge_->CreateIssue(repo_, "acme", "Bug", "");
  OpenMergeRequest();
  Api("POST", "/issues/1/notes", stranger_, {{"body", "please\n/close"}});
  Api("POST", "/merge_requests/1/notes", reader_, {{"body", "please\n/merge"}});
  EXPECT_TRUE(IssueIsOpen(1));
  EXPECT_FALSE(forge_->GetPull(repo_, 1)->merged);
}

TEST_F(SandboxText, DescriptionsGiveOrdersToo) {
  EXPECT_EQ(
      Api("POST", "/issues", bot_, {{"title", "x"}, {"description", "a\n/label ~bug\n/close"}})
          .body["description"],
      "a");
  EXPECT_FALSE(IssueIsOpen(1));
  EXPECT_EQ(forge_->GetIssue(repo_, 1)->labels, std::vector<std::string>{"bug"});
}

}  // namespace
}  // namespace swage::sandbox
