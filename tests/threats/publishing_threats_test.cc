// What may leave under the bot's name: secrets, foreign refs, and text that acts (T39 to T48).
#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "config/base/text.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/leaks.h"
#include "tests/harness/raw_http.h"

namespace swage::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// A comment as GitHub's own parser sees it.
class Markdown {
 public:
  explicit Markdown(const std::string& text) : root_(Parse(text), &cmark_node_free) {}

  /// Calls `look(type, literal or url)` for every node.
  template <class F>
  void ForEach(F look) const {
    std::unique_ptr<cmark_iter, decltype(&cmark_iter_free)> iter(cmark_iter_new(root_.get()),
                                                                 &cmark_iter_free);
    for (cmark_event_type event; (event = cmark_iter_next(iter.get())) != CMARK_EVENT_DONE;) {
      if (event != CMARK_EVENT_ENTER) continue;
      cmark_node* node = cmark_iter_get_node(iter.get());
      const cmark_node_type type = cmark_node_get_type(node);
      const bool points = type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE;
      const char* text = points ? cmark_node_get_url(node) : cmark_node_get_literal(node);
      look(type, std::string(text == nullptr ? "" : text));
    }
  }

 private:
  static cmark_node* Parse(const std::string& text) {
    cmark_gfm_core_extensions_ensure_registered();
    std::unique_ptr<cmark_parser, decltype(&cmark_parser_free)> parser(
        cmark_parser_new(CMARK_OPT_UNSAFE), &cmark_parser_free);
    for (const char* name : {"table", "strikethrough", "autolink", "tasklist"}) {
      cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension(name));
    }
    cmark_parser_feed(parser.get(), text.data(), text.size());
    return cmark_parser_finish(parser.get());
  }
  std::unique_ptr<cmark_node, decltype(&cmark_node_free)> root_;
};

/// An agent that does its work and says `text`, in its summary and in a file for the gate.
std::string SayingAgent(const std::string& text) {
  return "echo 42 > answer.txt\ncat > said.txt <<'END_OF_TEXT'\n" + text +
         "\nEND_OF_TEXT\ncat said.txt\n";
}

/// AnswerRepo with an advisory gate that repeats what the agent said, as a log and as findings.
std::map<std::string, std::string> RepeatingRepo() {
  auto files = AnswerRepo();
  files["repeat.sh"] = "sed 's/^/answer.txt:1: warning: /' said.txt; cat said.txt; exit 1\n";
  files[".swage.yml"] =
      "gates:\n  - name: tests\n    run: [sh, check.sh]\n"
      "  - name: repeat\n    run: [sh, repeat.sh]\n    required: false\n"
      "    report: {format: gcc}\n";
  return files;
}

class PublishingThreats : public DialectTest {
 protected:
  static sandbox::Pull Publish(Box& box, std::string_view title = "The answer is wrong") {
    const std::int64_t issue = box.LabelledIssue(title);
    EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    return box.Pulls().empty() ? sandbox::Pull() : box.Pulls().front();
  }
  /// Who was notified by what the bot wrote.
  static std::vector<std::string> NotifiedByBot(Box& box) {
    std::vector<std::string> names;
    box.forge().With([&](sandbox::World& world) {
      const sandbox::Id self = world.FindUser("swage-bot")->id;
      for (const auto& repo : world.repos()) {
        for (const sandbox::Notification& note : repo->notifications) {
          if (note.actor == self) names.push_back(note.name);
        }
      }
    });
    return names;
  }
};

TEST_P(PublishingThreats, Threat_T39_ASecretInTheChangeIsBlockedBeforeThePush) {
  // T is the bot's own token, as if it had leaked.
  const std::pair<const char*, const char*> leaks[] = {
      {"plain", "printf '%s' \"$T\" > leak.txt"},
      {"within a line", "printf 'x%sy\\n' \"$T\" > leak.txt"},
      {"base64", "printf '%s' \"$T\" | base64 -w0 > leak.txt"},
      {"base64 of more", "printf 'a%s' \"user:$T@host\" | base64 -w0 > leak.txt"},
      {"reversed", "printf '%s' \"$T\" | rev > leak.txt"},
      {"among binary bytes", "printf '\\0\\1%s\\0' \"$T\" > leak.bin"},
      {"a file name", "echo x > \"leak-$T.txt\""},
      {"a link's target", "ln -s \"$T\" leak"},
      {"gone again in the next cycle",
       "if [ -e leak.txt ]; then rm leak.txt; else printf '%s' \"$T\" > leak.txt; "
       "echo 41 > answer.txt; fi"},
  };
  Box box(Options(AnswerRepo(), ""));
  for (const auto& [how, script] : leaks) {
    box.SetAgent("read -r T < \"$(dirname \"$0\")/token\"\necho 42 > answer.txt\n" +
                 std::string(script) + "\necho \"I wrote $T\"\n");
    const std::int64_t issue = box.LabelledIssue(how);
    EXPECT_TRUE(box.WaitForSticky(issue, "blocked before anything was pushed"))
        << how << box.Sticky(issue);
    EXPECT_THAT(box.Sticky(issue), HasSubstr("failed")) << how;
    EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1)) << how;
  }
  EXPECT_THAT(box.Pulls(), IsEmpty());
  EXPECT_THAT(LeaksOf(box, FormsOf(box.bot_token())), IsEmpty());
}

TEST_P(PublishingThreats, Threat_T39_ASecretInWhatIsSaidIsRedactedEverywhere) {
  auto files = AnswerRepo();
  files[".swage.yml"] =
      "gates:\n  - name: tests\n    run: [sh, check.sh]\n"
      "  - name: telltale\n    run: [sh, telltale.sh]\n    required: false\n"
      "    report: {format: gcc}\n";
  Box box(Options(files, ""));
  const std::string read = "read -r T < " + (box.dir() / "token").string() + "\n";
  box.SetAgent("echo 42 > answer.txt\ncat > telltale.sh <<'END'\n" + read +
               "echo \"answer.txt:1: warning: it is $T\"\necho \"Authorization: token $T\"\n"
               "printf '%s' \"x-access-token:$T\" | base64 -w0\necho\nexit 1\nEND\n" +
               read + "echo \"My summary: $T\"\n");
  ASSERT_FALSE(Publish(box).head_sha.empty());
  EXPECT_THAT(LeaksOf(box, FormsOf(box.bot_token())), IsEmpty());
  EXPECT_THAT(box.Pulls().front().body, HasSubstr("My summary: "));
}

TEST_P(PublishingThreats, Threat_T40_OnlyTheBotsOwnRefIsPushed) {
  Box box(Options(AnswerRepo(),
                  "echo 42 > answer.txt\ndate +%N > now.txt\n"
                  "git add -A; git commit -qm evil; git branch evil; git tag evil\n"
                  "git update-ref refs/heads/main HEAD; git update-ref refs/notes/x HEAD\n"
                  "git checkout -q -b other; true\n"));
  const auto before = box.forge().Branches(box.repo());
  const sandbox::Pull pull = Publish(box);
  std::vector<std::string> refs;
  box.forge().With([&](sandbox::World& world) {
    for (const auto& [ref, sha] : world.RefsOf(*world.FindRepo(box.repo()))) refs.push_back(ref);
  });
  EXPECT_THAT(refs,
              testing::UnorderedElementsAre("refs/heads/main", "refs/heads/" + pull.head_ref));
  EXPECT_EQ(box.forge().Branches(box.repo()).at("main"), before.at("main"));
  for (const auto& request : box.forge().Requests()) {
    if (request.target.find("git-receive-pack") == std::string::npos) continue;
    EXPECT_THAT(request.target, HasSubstr(box.repo() + ".git/"));
  }

  // What somebody else pushed to the branch is not overwritten; asked to, the bot goes on from it.
  const auto theirs =
      box.forge().CommitToBranch(box.repo(), "ada", pull.head_ref, {{"ada.txt", "mine\n"}}, "mine");
  ASSERT_TRUE(theirs.ok());
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT state FROM tasks") == "waiting"; }));
  EXPECT_EQ(box.forge().Branches(box.repo()).at(pull.head_ref), *theirs);
  box.CommentOnPull("ada", pull.number, "/swage fix more");
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT state FROM tasks") == "in_review"; }));
  EXPECT_NE(box.forge().Branches(box.repo()).at(pull.head_ref), *theirs);
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "ada.txt"), "mine\n");
}

TEST_P(PublishingThreats, Threat_T41_NobodyIsNotifiedByWhatOthersWrote) {
  Box box(Options(RepeatingRepo(), SayingAgent("Thanks @ada, @acme/team and @all!\n@eve\n"
                                               "(@eve) \\@eve *@eve* [@eve](x) &#64;eve @\\eve\n"
                                               "<b>@eve</b> ~~@eve~~ `@x` @eve`` http://x/@eve\n"
                                               "answer.txt:1: error: ask @eve or @here") +
                                       "echo x > '@eve.txt'\n"));
  const sandbox::Pull pull = Publish(box, "Ask @eve and @all | @acme/team");
  EXPECT_THAT(pull.body, HasSubstr("Thanks"));
  EXPECT_THAT(box.ReviewBodies(pull), SizeIs(1));
  EXPECT_THAT(NotifiedByBot(box), IsEmpty());
}

TEST_P(PublishingThreats, Threat_T42_OnlyTheOwnIssueIsClosedByTheMerge) {
  const std::string list =
      "Fixes #1, closes acme/oak#1.\nResolves: #1\nfix #1\n**Closes** #1\nCloses&#32;#1\n"
      "Implements #1 and #1\nfixes http://127.0.0.1/acme/lib/issues/1\ncloses GH-1";
  Box box(Options(RepeatingRepo(), SayingAgent(list)));
  ASSERT_TRUE(box.forge().CreateRepoFromFiles("acme/oak", AnswerRepo()).ok());
  box.forge().SetMember("acme/oak", "ada", Role::kMaintain);
  box.forge().SetMember("acme/oak", "swage-bot", Role::kWrite);
  ASSERT_EQ(box.forge().CreateIssue(box.repo(), "ada", "Stays open", "x"), 1);
  ASSERT_EQ(box.forge().CreateIssue("acme/oak", "ada", "Stays open", "x"), 1);
  const sandbox::Pull pull = Publish(box, "Fixes #1 and closes acme/oak#1");
  ASSERT_TRUE(box.forge().MergePull(box.repo(), "ada", pull.number).ok());
  EXPECT_FALSE(box.forge().GetIssue(box.repo(), 2)->open) << "its own";
  EXPECT_TRUE(box.forge().GetIssue(box.repo(), 1)->open);
  EXPECT_TRUE(box.forge().GetIssue("acme/oak", 1)->open);
}

TEST_P(PublishingThreats, Threat_T43_QuickActionsOfOthersAreNotRun) {
  Box box(Options(RepeatingRepo(),
                  SayingAgent("/merge\n/close\n /label ~evil\n/title Pwned\n\n/draft\n- a list\n"
                              "/merge\n> /merge\n```\n```\n/merge\nanswer.txt:1: error: x\n"
                              "/close\n~~~\n/merge")));
  const sandbox::Pull pull = Publish(box, "/close");
  EXPECT_TRUE(pull.open);
  EXPECT_FALSE(pull.merged);
  EXPECT_FALSE(IsDraft(pull));
  EXPECT_THAT(pull.labels, IsEmpty());
  EXPECT_THAT(pull.title, Not(HasSubstr("Pwned")));
  const auto issue = box.forge().GetIssue(box.repo(), 1);
  EXPECT_TRUE(issue->open);
  EXPECT_THAT(issue->labels, testing::ElementsAre("swage"));
}

TEST_P(PublishingThreats, Threat_T44_NoForeignHtmlImagesOrLinksOutsideOfCode) {
  const std::string evil =
      "<img src=http://evil.example/x.png onerror=alert(1)> ![x](http://evil.example/y.png)\n"
      "[click](http://evil.example) <http://evil.example> http://evil.example/z www.evil.example\n"
      "[a]: http://evil.example/ref\n[a] ![a]\n<details><summary>x</summary>\n\n</details>\n"
      "</details><script>alert(1)</script><!-- evil.example\n--><svg/onload=alert(1)>\n"
      "\\<img src=http://evil.example> &lt;img&gt; mail@evil.example";
  Box box(Options(RepeatingRepo(), SayingAgent(evil)));
  Publish(box, "<img src=http://evil.example/t.png> ![x](http://evil.example) www.evil.example");
  const auto texts = box.BotTexts();
  ASSERT_THAT(texts, SizeIs(testing::Ge(4u)));
  for (const std::string& text : texts) {
    Markdown(text).ForEach([&](cmark_node_type type, const std::string& literal) {
      EXPECT_NE(type, CMARK_NODE_IMAGE) << literal << "\n" << text;
      if (type == CMARK_NODE_LINK) {
        EXPECT_THAT(literal, Not(HasSubstr("evil"))) << text;
      }
      if (type != CMARK_NODE_HTML_BLOCK && type != CMARK_NODE_HTML_INLINE) return;
      for (const char* foreign : {"img", "script", "svg", "evil", "onerror"}) {
        EXPECT_THAT(literal, Not(HasSubstr(foreign))) << text;
      }
    });
  }
}

TEST_P(PublishingThreats, Threat_T45_NoOutputLeavesItsFence) {
  Box box(Options(RepeatingRepo(),
                  SayingAgent("```\nBREAKOUT one\n````````\nBREAKOUT two\n~~~~\nBREAKOUT three\n"
                              "</details>\n\n# BREAKOUT four\n" +
                              std::string(40, '`') + "\n# BREAKOUT five")));
  const sandbox::Pull pull = Publish(box);
  const auto reviews = box.ReviewBodies(pull);
  ASSERT_THAT(reviews, SizeIs(1));
  std::vector<std::string> blocks;
  Markdown(reviews[0]).ForEach([&](cmark_node_type type, const std::string& literal) {
    if (type == CMARK_NODE_CODE_BLOCK) blocks.push_back(literal);
    if (type == CMARK_NODE_TEXT || type == CMARK_NODE_HTML_BLOCK) {
      EXPECT_THAT(literal, Not(HasSubstr("BREAKOUT"))) << reviews[0];
    }
  });
  ASSERT_THAT(blocks, SizeIs(1)) << reviews[0];
  for (const char* word : {"one", "two", "three", "four", "five"}) {
    EXPECT_THAT(blocks[0], HasSubstr("BREAKOUT " + std::string(word)));
  }
}

TEST_P(PublishingThreats, Threat_T46_ATenMegabyteLogIsPostedAndMarkedCut) {
  auto files = AnswerRepo();
  files["check.sh"] =
      "echo FIRST-LINE; head -c 10000000 /dev/zero | tr '\\0' x | fold -w 99\n"
      "echo; echo LAST-LINE; exit 1\n";
  Box box(Options(files, "echo 42 > answer.txt\nhead -c 3000000 /dev/zero | tr '\\0' y\n"));
  const sandbox::Pull pull = Publish(box);
  const auto reviews = box.ReviewBodies(pull);
  ASSERT_THAT(reviews, SizeIs(1));
  EXPECT_LT(reviews[0].size(), 60'000u);
  EXPECT_THAT(reviews[0], HasSubstr("LAST-LINE"));
  EXPECT_THAT(reviews[0], Not(HasSubstr("FIRST-LINE")));
  EXPECT_THAT(reviews[0], HasSubstr("Last output of")) << "says that it is an extract";
  EXPECT_THAT(reviews[0], HasSubstr("/tasks/1")) << "and where all of it is";
}

TEST_P(PublishingThreats, Threat_T47_ControlSequencesAreGoneEverywhere) {
  const std::string evil =
      "before \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x1b[31mred\x1b[0m \x1b[2J "
      "over\rwritten \x08\x08 bell\x07 \xC2\x9B"
      "31m \x7f end";
  Box box(Options(RepeatingRepo(), SayingAgent(evil)));
  Publish(box, "Title \x1b[31m red \x1b]0;x\x07");
  std::vector<std::string> texts = box.BotTexts();
  texts.push_back(box.ServerLog());
  for (const char* page : {"/", "/tasks/1", "/tasks/1/logs/1", "/tasks/1/logs/3"}) {
    const std::string answer = Exchange(
        box.dashboard_port(), "GET " + std::string(page) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(StatusOf(answer), 200) << page;
    texts.push_back(ReplaceAll(answer, "\r\n", "\n"));
  }
  for (const std::string& text : texts) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      const bool fine = (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t';
      ASSERT_TRUE(fine) << "byte " << int{c} << " at " << i << " of:\n" << text;
    }
    EXPECT_THAT(text, Not(HasSubstr("\xC2\x9B")));
  }
}

TEST_P(PublishingThreats, Threat_T48_NoPatternIsExponential) {
  auto files = AnswerRepo();
  files[".swage.yml"] =
      "gates:\n  - name: tests\n    run: [sh, check.sh]\n"
      "  - name: evil\n    run: [sh, long.sh]\n    required: false\n"
      "    matcher: '^(?P<file>(a+)+)+:(?P<line>\\d+): (?P<message>(.*)*)$'\n";
  files["long.sh"] = "head -c 1000000 /dev/zero | tr '\\0' a; echo; echo 'aaa:1: found'; exit 1\n";
  Box box(Options(files, "echo 42 > answer.txt\n"));
  EXPECT_THAT(box.ReviewBodies(Publish(box)), Each(HasSubstr("found")));
}

SWAGE_EVERY_DIALECT(PublishingThreats);

}  // namespace
}  // namespace swage::test
