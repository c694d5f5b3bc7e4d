#include "config/base/text.h"

#include <gtest/gtest.h>

#include <chrono>

namespace swage {
namespace {

using std::string;
using std::string_literals::operator""s;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Nothing here may take more than linear time; a second is far above what linear needs for these
// sizes.
template <class F>
void ExpectQuick(F f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(TrimTest, CutsBlanksAtBothEnds) {
  EXPECT_EQ(Trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trim(" \n "), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(SplitTest, KeepsEmptyParts) {
  EXPECT_EQ(Split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(Split("", ','), (std::vector<std::string_view>{""}));
}

TEST(SplitLinesTest, TakesBothLineEnds) {
  EXPECT_EQ(SplitLines("a\r\nb\n\nc"), (std::vector<std::string_view>{"a", "b", "", "c"}));
  EXPECT_EQ(SplitLines("a\n"), (std::vector<std::string_view>{"a"}));
  EXPECT_EQ(SplitLines("\n"), (std::vector<std::string_view>{""}));
  EXPECT_TRUE(SplitLines("").empty());
}

TEST(JoinTest, PutsTheSeparatorBetween) {
  EXPECT_EQ(Join({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(Join({}, ", "), "");
}

TEST(ReplaceAllTest, ReplacesOnceFromLeftToRight) {
  EXPECT_EQ(ReplaceAll("aaa", "aa", "a"), "aa");
  EXPECT_EQ(ReplaceAll("abab", "ab", "abab"), "abababab");
  EXPECT_EQ(ReplaceAll("abc", "", "x"), "abc");
  EXPECT_EQ(ReplaceAll("abc", "c", ""), "ab");
}

TEST(ReplaceAllTest, IsLinear) {
  string text;
  for (int i = 0; i < 1'000'000; ++i) text += "secret";
  ExpectQuick([&] { EXPECT_EQ(ReplaceAll(text, "secret", "[redacted]").size(), 10'000'000U); });
}

TEST(ParseIntTest, TakesDigitsOnly) {
  EXPECT_EQ(ParseInt("0"), 0);
  EXPECT_EQ(ParseInt("9223372036854775807"), INT64_MAX);
  for (const auto* bad : {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "9223372036854775808"}) {
    EXPECT_FALSE(ParseInt(bad).has_value()) << bad;
  }
}

TEST(GlobMatchTest, StarsStopAtSlashesUnlessDoubled) {
  struct Case {
    const char* glob;
    const char* text;
    bool match;
  };
  const Case cases[] = {
      {"*", "a", true},        {"*", "a/b", false},
      {"*", "", true},         {"**", "a/b", true},
      {"**", "", true},        {"a/*", "a/", true},
      {"a/*", "a/b", true},    {"a/*", "a/b/c", false},
      {"a/**", "a/b/c", true}, {"a/**", "a", false},
      {"**/x", "x", true},     {"**/x", "a/b/x", true},
      {"**/x", "wax", false},  {"**/x", "a/wax", false},
      {"a/**/x", "a/x", true}, {"a/**/x", "a/b/c/x", true},
      {"a/**/x", "ax", false}, {"a**/x", "ax", false},
      {"a**/x", "ab/x", true}, {"a**/x", "a/x", true},
      {"?", "/", false},       {"?", "a", true},
      {"?", "", false},        {"a?c", "abc", true},
      {"*.h", ".h", true},     {"*.h", "a.hh", false},
      {"", "", true},          {"", "a", false},
      {"a", "A", false},       {"***", "a/b", true},
      {"[a]", "a", false},     {"[a]", "[a]", true},
      {"a\\*", "a*", false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(GlobMatch(c.glob, c.text), c.match) << c.glob << " " << c.text;
}

TEST(GlobMatchTest, NoPatternIsExponential) {
  string glob;
  for (int i = 0; i < 100; ++i) glob += "*a";
  ExpectQuick([&] { EXPECT_FALSE(GlobMatch(glob + "b", string(2'000, 'a'))); });
}

TEST(ToValidUtf8Test, ReplacesWhatIsMalformed) {
  const string r(kReplacement);
  EXPECT_EQ(ToValidUtf8("aé€😀"), "aé€😀");
  EXPECT_EQ(ToValidUtf8("\xC0\x80"), r + r);                  // overlong NUL
  EXPECT_EQ(ToValidUtf8("\xE0\x80\xAF"), r + r + r);          // overlong slash
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(ToValidUtf8("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(ToValidUtf8("\xF8\x88\x80\x80\x80").substr(0, 3), r);
  EXPECT_EQ(ToValidUtf8("a\xE2\x82"), "a" + r + r);  // cut off
  EXPECT_EQ(ToValidUtf8("\xE2z"), r + "z");
  EXPECT_EQ(ToValidUtf8("a\0b"s), "a\0b"s);
}

TEST(TruncateTest, CutsBetweenCharactersInsideTheBound) {
  EXPECT_EQ(Truncate("hello", 5), "hello");
  EXPECT_EQ(Truncate("hello!", 5), "he…");
  EXPECT_EQ(Truncate("éééé", 6), "é…");
  EXPECT_EQ(Truncate("éééé", 7), "éé…");
  EXPECT_EQ(Truncate("hello", 2), "he");
  EXPECT_EQ(Truncate("éé", 1, ""), "");
  EXPECT_EQ(Truncate("hello", 0), "");
  EXPECT_EQ(Truncate("hello", 4, "[cut]"), "hell");
  EXPECT_EQ(Truncate(string(100, '\x80'), 10).size(),
            10U);  // no UTF-8: still useful, still bounded
}

TEST(StripControlTest, RemovesEscapeSequences) {
  EXPECT_EQ(StripControl("\x1b[31mred\x1b[0m"), "red");
  EXPECT_EQ(StripControl("\x1b[38;2;1;2;3mx\x1b[?25l"), "x");
  EXPECT_EQ(StripControl("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"), "link");
  EXPECT_EQ(StripControl("\x1b]0;title\atext"), "text");
  EXPECT_EQ(StripControl("\x1bPq#0\x1b\\x"), "x");
  EXPECT_EQ(StripControl("\x1b(Bx"), "x");
  EXPECT_EQ(StripControl("\x1b"
                         "7x"),
            "x");
  EXPECT_EQ(StripControl("\x1b\x1b[31mx"), "x");
}

TEST(StripControlTest, LosesNoTextToBrokenSequences) {
  EXPECT_EQ(StripControl("\x1b]never ends"), "never ends");
  EXPECT_EQ(StripControl("\x1b]never ends\nnext"), "never ends\nnext");
  EXPECT_EQ(StripControl("\x1b\x43\xC3\xA9"), "é");
  EXPECT_EQ(StripControl("\x1bé"), "é");
  EXPECT_EQ(StripControl("a\x1b\nb"), "a\nb");
  EXPECT_EQ(StripControl("\x1b["), "");
  EXPECT_EQ(StripControl("\x1b[31"), "");
  EXPECT_EQ(StripControl("\x1b"), "");
}

TEST(StripControlTest, RemovesControlCharactersOfEveryKind) {
  EXPECT_EQ(StripControl("a\0b\x07\x08\x7F\tc\n"s), "ab\tc\n");
  EXPECT_EQ(StripControl("a\xC2\x9B\x33\x31mb"), "a31mb");  // U+009B, a CSI in one character
  EXPECT_EQ(StripControl("a\x9B"
                         "31mb"),
            "a31mb");  // the same as a lone byte
  EXPECT_EQ(StripControl("a\xC2\x85z"), "az");
  EXPECT_EQ(StripControl("é\xC5\x9B"), "éś");  // 0x9B inside a character is no control
  EXPECT_EQ(StripControl("one\r\ntwo\rthree"), "one\ntwo\nthree");
  EXPECT_EQ(StripControl("50%\r100%"), "50%\n100%");
}

TEST(StripControlTest, NothingThatItLeavesCanStartASequence) {
  string nasty;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) nasty += {'\x1b', static_cast<char>(a), static_cast<char>(b)};
  }
  for (const unsigned char c : StripControl(nasty))
    EXPECT_TRUE(c == '\n' || c == '\t' || c >= 0x20);
  string many;
  for (int i = 0; i < 500'000; ++i) many += "\x1b]";
  ExpectQuick([&] { EXPECT_EQ(StripControl(many), ""); });
}

TEST(StripHiddenTest, RemovesInvisibleCharacters) {
  EXPECT_EQ(StripHidden("a\u200Bb\u200D\u2060\uFEFFc"), "abc");
  EXPECT_EQ(StripHidden("x\u202Etxt.exe\u202C"), "xtxt.exe");
  EXPECT_EQ(StripHidden("a\U000E0041\U000E007Fb"), "ab");  // tag characters
  EXPECT_EQ(StripHidden("a\U000E0100b\uFE00c"), "abc");    // variation selectors
  EXPECT_EQ(StripHidden("a\u206A\u180B\uFFF9\U0001D173b"), "ab");
  EXPECT_EQ(StripHidden("\u00AD\u034F\u061C\u3164"), "");
  EXPECT_EQ(StripHidden("❤\uFE0F é 日本"), "❤\uFE0F é 日本");  // what people see stays
  EXPECT_EQ(StripHidden("a\xFF"), "a" + string(kReplacement));
}

TEST(StripHiddenTest, RemovesHtmlComments) {
  EXPECT_EQ(StripHidden("a<!-- secret\norders -->b"), "ab");
  EXPECT_EQ(StripHidden("a<!-- never ends"), "a");
  EXPECT_EQ(StripHidden("a<!-->b"), "ab");
  EXPECT_EQ(StripHidden("a<!--->b"), "ab");
  EXPECT_EQ(StripHidden("<\u200B!-- hidden -->x"), "x");
  EXPECT_EQ(StripHidden("<!-- a --><!-- b -->x"), "x");
  EXPECT_EQ(StripHidden("a <b> --> c"), "a <b> --> c");
}

TEST(StripHiddenTest, LeavesNoCommentThatItsOwnCutsMade) {
  const string out = StripHidden("<!<!-- a -->-- hidden -->x");
  EXPECT_EQ(out.find("<!--"), string::npos) << out;
  EXPECT_EQ(out.find("hidden"), string::npos) << out;
  string many;
  for (int i = 0; i < 200'000; ++i) many += "<!<!-- -->--";
  ExpectQuick([&] { EXPECT_EQ(StripHidden(many).find("<!--"), string::npos); });
}

TEST(HexTest, ThereAndBack) {
  EXPECT_EQ(HexEncode("\0\xFFz"s), "00ff7a");
  EXPECT_EQ(HexDecode("00FF7a"), "\0\xFFz"s);
  EXPECT_EQ(HexDecode(""), "");
  EXPECT_FALSE(HexDecode("0").has_value());
  EXPECT_FALSE(HexDecode("0g").has_value());
}

TEST(Base64Test, KnowsTheVectorsOfTheRfc) {  // RFC 4648, 10
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    EXPECT_EQ(Base64Decode(encoded), plain);
  }
  EXPECT_EQ(Base64Decode(Base64Encode("\0\xFF\x80"s)), "\0\xFF\x80"s);
  for (const auto* bad :
       {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v ", "Zm-_", "Z=g=", "Zm9v\n"}) {
    EXPECT_FALSE(Base64Decode(bad).has_value()) << bad;
  }
}

TEST(PercentTest, ThereAndBack) {
  EXPECT_EQ(PercentEncode("a-z.0_9~"), "a-z.0_9~");
  EXPECT_EQ(PercentEncode("a/b c+é"), "a%2Fb%20c%2B%C3%A9");
  EXPECT_EQ(PercentDecode("a%2fb%20c+"), "a/b c+");
  EXPECT_EQ(PercentDecode("%"), std::nullopt);
  EXPECT_EQ(PercentDecode("%4"), std::nullopt);
  EXPECT_EQ(PercentDecode("%zz"), std::nullopt);
  EXPECT_EQ(PercentDecode("%00"), "\0"s);
}

}  // namespace
}  // namespace swage
