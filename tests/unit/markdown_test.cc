#include "forge/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "config/base/text.h"

namespace swage {
namespace {

// GitHub's own renderer with every extension that makes a link, and raw HTML let through: what
// survives here would survive anywhere.
std::string Render(const std::string& markdown) {
  cmark_gfm_core_extensions_ensure_registered();
  constexpr int kOptions = CMARK_OPT_UNSAFE | CMARK_OPT_FOOTNOTES;
  std::unique_ptr<cmark_parser, decltype(&cmark_parser_free)> parser(cmark_parser_new(kOptions),
                                                                     &cmark_parser_free);
  for (const char* name : {"table", "strikethrough", "autolink", "tasklist"}) {
    cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension(name));
  }
  cmark_parser_feed(parser.get(), markdown.data(), markdown.size());
  std::unique_ptr<cmark_node, decltype(&cmark_node_free)> root(cmark_parser_finish(parser.get()),
                                                               &cmark_node_free);
  std::unique_ptr<char, decltype(&std::free)> html(
      cmark_render_html(root.get(), kOptions, cmark_parser_get_syntax_extensions(parser.get())),
      &std::free);
  return html.get();
}

// The text that a forge looks through for mentions and references: rendered, outside of code.
std::string ActiveText(const std::string& markdown) {
  std::string html = Render(markdown);
  for (const auto& [open, close] : {std::pair("<pre>", "</pre>"), std::pair("<code", "</code>")}) {
    for (std::size_t at = html.find(open); at != std::string::npos; at = html.find(open, at)) {
      const std::size_t end = html.find(close, at);
      if (end == std::string::npos) break;
      html.erase(at, end - at);
    }
  }
  html = ReplaceAll(html, "&quot;", "\"");
  html = ReplaceAll(html, "&lt;", "<");
  html = ReplaceAll(html, "&gt;", ">");
  return ReplaceAll(html, "&amp;", "&");
}

bool Acts(const std::string& text) {
  static const RE2 kActive(
      R"(@[A-Za-z0-9_]|#[0-9]|![0-9]|[Gg][Hh]-[0-9]|://|www\.|<(a|img|script|details|input|svg)\b)");
  return RE2::PartialMatch(text, kActive);
}

// Prose between two paragraphs of the caller's: whatever it holds, both stay paragraphs.
void ExpectFramed(const std::string& prose) {
  const std::string html = Render("START\n\n" + prose + "\n\nEND <!-- swage:m k -->\n");
  EXPECT_TRUE(html.starts_with("<p>START</p>\n")) << prose << "\n---\n" << html;
  EXPECT_TRUE(html.ends_with("<p>END <!-- swage:m k --></p>\n")) << prose << "\n---\n" << html;
}

const std::vector<std::string>& NastyPieces() {
  static const std::vector<std::string> kPieces = {"@octocat",
                                                   "@org/team",
                                                   "@all",
                                                   "me@example.com",
                                                   "&#64;octocat",
                                                   "&commat;octocat",
                                                   "\\@octocat",
                                                   "Fixes #1",
                                                   "closes: #1",
                                                   "Resolves https://example.com/o/r/issues/1",
                                                   "Implements !7",
                                                   "fixed o/r#1",
                                                   "Fixes GH-1",
                                                   "Closing PROJ-12",
                                                   "/merge",
                                                   "  /close now",
                                                   "/usr/bin/x:3: error",
                                                   "<img src=x onerror=y>",
                                                   "![a](https://evil.example/p.png)",
                                                   "[a](https://evil.example)",
                                                   "[a]: https://evil.example",
                                                   "[a]",
                                                   "![a]",
                                                   "[^1]: note",
                                                   "[^1]",
                                                   "<https://evil.example>",
                                                   "https://evil.example/x",
                                                   "www.evil.example",
                                                   "<details><summary>",
                                                   "</details>",
                                                   "<!--",
                                                   "-->",
                                                   "<!-- swage:status 1 -->",
                                                   "<?php",
                                                   "<![CDATA[",
                                                   "```",
                                                   "````",
                                                   "```mermaid",
                                                   "~~~",
                                                   "~~~~ x",
                                                   "`",
                                                   "``",
                                                   "- ```",
                                                   "> ```",
                                                   "1. ~~~",
                                                   "    ```",
                                                   "   ```",
                                                   "\t",
                                                   "\n",
                                                   "\n\n",
                                                   " ",
                                                   "> ",
                                                   "- ",
                                                   "| a | b |\n|---|---|\n| `x",
                                                   "---",
                                                   "===",
                                                   "# Title",
                                                   "\\",
                                                   "\\`",
                                                   "$x$",
                                                   "&amp;",
                                                   "&lt;img&gt;",
                                                   "\x1b[31mred\x1b[0m",
                                                   "\x1b]8;;https://evil.example\x1b\\link",
                                                   "\r",
                                                   "\x9b",
                                                   "\xff\xfe",
                                                   "\xE2\x80\x8B",
                                                   "\xE2\x80\xAE",
                                                   "\xF3\xA0\x81\x81",
                                                   "[[x]]",
                                                   "~bug",
                                                   "%1",
                                                   "&12",
                                                   "a & b",
                                                   "1 < 2",
                                                   "vector<int>",
                                                   "x@",
                                                   "#",
                                                   "# 1",
                                                   "*",
                                                   "**",
                                                   "_",
                                                   "word",
                                                   "ü",
                                                   "日本"};
  return kPieces;
}

std::string RandomNasty(std::mt19937& random) {
  std::string text;
  const int pieces = std::uniform_int_distribution<int>(1, 14)(random);
  for (int i = 0; i < pieces; ++i) {
    const auto& all = NastyPieces();
    text += all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random)];
    if (random() % 3 == 0) text += random() % 2 == 0 ? " " : "\n";
  }
  return text;
}

TEST(InertProse, IsJudgedByATestThatSeesRawText) {
  for (const std::string text : {"@octocat", "&#64;octocat", "Fixes #1", "www.evil.example",
                                 "[a](x)", "<img src=x>", "![a](x)"}) {
    EXPECT_TRUE(Acts(ActiveText(text))) << text;
  }
}

TEST(InertProse, Threat_T41_BreaksEveryMention) {
  for (const std::string text : {"@octocat hello", "cc @org/team", "@all", "(@a)", "a@b.example",
                                 "&#64;octocat", "&#x40;octocat", "\\@octocat", "*@octocat*"}) {
    EXPECT_FALSE(Acts(ActiveText(InertProse(text, 1000)))) << text;
  }
  EXPECT_EQ(InertProse("at @ home", 100), "at @ home");
}

TEST(InertProse, Threat_T42_BreaksEveryClosingReference) {
  for (const std::string text :
       {"Fixes #1", "Fixes o/r#1", "closes: #1", "RESOLVED #1", "Closes #1, #2 and #3",
        "Fixes GH-1", "Resolves https://github.com/o/r/issues/1", "Implements !7", "Closing #4"}) {
    EXPECT_FALSE(Acts(ActiveText(InertProse(text, 1000)))) << text;
    EXPECT_FALSE(Acts(InertPlain(text, 1000))) << text;
    EXPECT_FALSE(Acts(InertLine(text, 1000))) << text;
  }
  // Trackers beside the forge close by key; without a closing word a key is only a word.
  EXPECT_EQ(InertPlain("Closes PROJ-12", 100).find("-1"), std::string::npos);
  EXPECT_EQ(InertPlain("uses UTF-8", 100), "uses UTF-8");
}

TEST(InertProse, Threat_T43_BreaksQuickActions) {
  const RE2 action("(^|\n)[ \t]*/[a-z]");
  for (const std::string text :
       {"/merge", "done\n/close", "  /approve now", "\t/assign me", "a\r/merge", "```\n/merge\n```",
        "````\n/merge\n````", "\xE2\x80\x8B/merge"}) {
    EXPECT_FALSE(RE2::PartialMatch(InertProse(text, 1000), action)) << text;
    EXPECT_FALSE(RE2::PartialMatch(InertPlain(text, 1000), action)) << text;
    EXPECT_FALSE(RE2::PartialMatch(InertLine(text, 1000), action)) << text;
    EXPECT_FALSE(RE2::PartialMatch(Fence(text, "", 1000), action)) << text;
  }
}

TEST(Fence, LeavesPathsAtTheStartOfALineAlone) {
  EXPECT_EQ(Fence("/src/a.c:3:1: error: x", "", 100), "```\n/src/a.c:3:1: error: x\n```");
}

TEST(InertProse, Threat_T44_LeavesNoHtmlImageOrLink) {
  for (const std::string text :
       {"<img src=https://evil.example/x.png>", "![x](https://evil.example/x.png)",
        "[x](//evil.example)", "[x]\n[x]: //evil.example", "![x][y]\n\n[y]: //evil.example",
        "<https://evil.example>", "https://evil.example", "www.evil.example", "WWW.evil.example",
        "<script>alert(1)</script>", "<!-- hidden -->", "</details>", "[^a]\n\n[^a]: note",
        "ftp://evil.example", "mailto:a@evil.example"}) {
    const std::string html = Render(InertProse(text, 1000));
    for (const char* tag : {"<a ", "<img", "<script", "<!--", "</details", "<sup"}) {
      EXPECT_EQ(html.find(tag), std::string::npos) << text << "\n" << html;
    }
  }
}

TEST(InertProse, KeepsOrdinaryMarkdownAsItIs) {
  const std::string text =
      "Changed `Parse()` to **reject** empty input:\n\n- one\n- two\n\n```\nint x = a < "
      "b;\n```\n\n1 < 2 & 3";
  EXPECT_EQ(InertProse(text, 1000), text);
}

TEST(InertProse, ClosesAFenceThatTheTextLeavesOpen) {
  EXPECT_EQ(InertProse("a\n```cpp\nint x;", 100), "a\n```\nint x;\n```");
  ExpectFramed(InertProse("- a\n\n  ```\n  b\n```\nc", 100));
  ExpectFramed(InertProse("~~~\n```\n~~", 100));
}

TEST(InertProse, StaysInItsFrameWhateverItHolds) {
  constexpr unsigned kSeed = 20'260'301;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20'000 && !testing::Test::HasFailure(); ++round) {
    const std::string text = RandomNasty(random);
    const std::string inert = InertProse(text, 4000);
    ExpectFramed(inert);
    EXPECT_FALSE(Acts(ActiveText(inert))) << "seed " << kSeed << " round " << round << "\n" << text;
    const std::string cut = InertProse(text, 70);
    EXPECT_LE(cut.size(), 70U);
    ExpectFramed(cut);
  }
}

TEST(InertLine, StaysInItsTableCellWhateverItHolds) {
  constexpr unsigned kSeed = 7;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20'000 && !testing::Test::HasFailure(); ++round) {
    const std::string text = RandomNasty(random);
    for (const std::string& cell : {InertLine(text, 200), CodeSpan(text, 200)}) {
      const std::string html = Render("|a|b|\n|---|---|\n| " + cell + " | END |\n");
      EXPECT_NE(html.find("<td>END</td>"), std::string::npos) << round << "\n"
                                                              << text << "\n"
                                                              << html;
      EXPECT_EQ(cell.find('\n'), std::string::npos);
      EXPECT_LE(cell.size(), 200U);
      EXPECT_FALSE(Acts(ActiveText("| x |\n|---|\n| " + cell + " |"))) << text;
    }
  }
}

TEST(Fence, Threat_T45_IsOneBlockWhateverTheContent) {
  constexpr unsigned kSeed = 45;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20'000 && !testing::Test::HasFailure(); ++round) {
    const std::string text = RandomNasty(random);
    for (const std::size_t limit : {std::size_t{4000}, std::size_t{60}}) {
      const std::string fenced = Fence(text, "text", limit);
      EXPECT_LE(fenced.size(), limit);
      ExpectFramed(fenced);
      const std::string html = Render(fenced);
      EXPECT_TRUE(html.starts_with("<pre><code") && html.ends_with("</code></pre>\n")) << html;
      EXPECT_EQ(html.find("<pre>", 1), std::string::npos) << html;
    }
  }
}

TEST(Fence, BoundsAFenceAgainstARunOfBackticks) {
  const std::string fenced = Fence(std::string(10'000, '`'), "", 20'000);
  EXPECT_TRUE(Render(fenced).starts_with("<pre><code>"));
  EXPECT_LT(fenced.find('\n'), 40U);
}

TEST(Fence, CutsWithAMark) {
  const std::string fenced = Fence(std::string(10'000'000, 'x'), "", 1000);
  EXPECT_LE(fenced.size(), 1000U);
  EXPECT_NE(fenced.find("(cut)"), std::string::npos);
  EXPECT_TRUE(fenced.ends_with("\n```"));
}

TEST(Fence, DropsWhatIsNoInfoString) {
  EXPECT_EQ(Fence("x", "c++", 100), "```c++\nx\n```");
  EXPECT_EQ(Fence("x", "`\n# a", 100), "```a\nx\n```");
}

TEST(CodeSpan, IsOneSpanWhateverTheContent) {
  for (const std::string text :
       {"a", "`", "``a``", "a`", "", " ", "\n", "a\\", "````````````", "a|b"}) {
    const std::string html = Render("x " + CodeSpan(text, 100) + " y");
    EXPECT_TRUE(html.starts_with("<p>x <code>") && html.ends_with("</code> y</p>\n")) << html;
  }
  EXPECT_EQ(CodeSpan("src/a.cc", 100), "`src/a.cc`");
}

TEST(Markdown, Threat_T47_LetsNoControlCharacterThrough) {
  const std::string text =
      "a\x1b]8;;https://evil.example\x1b\\b\x1b[31mc\rd\x07\x00 e\xC2\x9B"
      "f\x9b";
  for (const std::string& s : {InertProse(text, 1000), Fence(text, "", 1000), CodeSpan(text, 1000),
                               InertPlain(text, 1000), InertLine(text, 1000)}) {
    for (const char c : s) {
      EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << s;
      EXPECT_NE(c, '\x7f');
    }
    EXPECT_EQ(s.find("evil"), std::string::npos);
    EXPECT_EQ(s.find("\xC2\x9B"), std::string::npos);
    EXPECT_EQ(ToValidUtf8(s), s);
  }
}

TEST(InertPlain, KeepsChecksFromBeingSkipped) {
  for (const std::string text : {"[skip ci] x", "[ci skip]", "[no ci]", "[Skip Actions]",
                                 "[actions skip]", "skip-checks: true", "***NO_CI***"}) {
    const std::string inert = InertPlain(text, 100);
    EXPECT_NE(inert, text);
    EXPECT_EQ(ReplaceAll(inert, "\xE2\x80\x8B", ""), text);
  }
  EXPECT_EQ(InertPlain("[core] x", 100), "[core] x");
}

TEST(InertProse, BoundsItsWorkAndItsResult) {
  const std::string huge(50'000'000, '@');
  EXPECT_LE(InertProse(huge, 65'536).size(), 65'536U);
  EXPECT_LE(InertProse("abc", 2).size(), 2U);
  EXPECT_EQ(InertProse("short", 20), "short");
  EXPECT_EQ(InertProse("", 20), "");
}

TEST(Marker, IsAHiddenCommentThatStrangersCannotWrite) {
  EXPECT_EQ(Marker("status", "42"), "<!-- swage:status 42 -->");
  EXPECT_EQ(Marker("reply", "a-->\n"), "<!-- swage:reply a--~3e~0a -->");
  EXPECT_EQ(InertProse("x <!-- swage:status 42 --> y", 100).find(Marker("status", "42")),
            std::string::npos);
  EXPECT_EQ(InertLine("<!-- swage:status 42 -->", 100).find("<!--"), std::string::npos);
}

}  // namespace
}  // namespace swage
