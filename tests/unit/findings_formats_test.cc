// Each format by the output of the real tools that write it.
#include <gtest/gtest.h>

#include <chrono>

#include "pipeline/findings/finding.h"

namespace swage {
namespace {

ParsedReport Must(Result<ParsedReport> parsed) {
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
  return parsed.ok() ? std::move(parsed).value() : ParsedReport{};
}

template <class F>
std::chrono::milliseconds TimeOf(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

std::string Repeat(std::string_view piece, int times) {
  std::string out;
  out.reserve(piece.size() * static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

// --- JUnit
// -----------------------------------------------------------------------------------------------

TEST(JUnit, ReadsCTest) {
  const auto report = Must(ParseJUnit(R"xml(<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="(empty)" tests="3" failures="1" disabled="0" skipped="1" hostname="" time="0">
  <testcase name="duration.adds" classname="duration.adds" time="0.001" status="run"><system-out></system-out></testcase>
  <testcase name="duration.rounds" classname="duration.rounds" time="0.001" status="fail">
    <failure message=""/>
    <system-out>/w/tests/duration_test.cc:26: check failed: Parse("1.001s") is 1000, expected 1001
/w/tests/duration_test.cc:27: check failed: other
</system-out>
  </testcase>
  <testcase name="gpu" classname="gpu" time="0" status="notrun"><skipped message="Disabled"/></testcase>
</testsuite>)xml"));
  EXPECT_EQ(report.tests_total, 2);
  EXPECT_EQ(report.tests_failed, 1);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "duration.rounds");
  EXPECT_EQ(report.findings[0].path, "/w/tests/duration_test.cc");
  EXPECT_EQ(report.findings[0].line, 26);
  EXPECT_NE(report.findings[0].message.find("expected 1001"), std::string::npos);
}

TEST(JUnit, ATestThatCouldNotStartHasFailed) {
  const auto report =
      Must(ParseJUnit("<testsuite><testcase name='a' classname='a' status='notrun'><skipped "
                      "message='Unable to find executable'/>"
                      "<system-out>Unable to find executable: "
                      "/w/build/a_test</system-out></testcase></testsuite>"));
  EXPECT_EQ(report.tests_failed, 1);
  EXPECT_EQ(report.findings.at(0).rule, "a");
  EXPECT_NE(report.findings.at(0).message.find("Unable to find executable"), std::string::npos);
}

TEST(JUnit, ReadsGoogleTest) {
  const auto report = Must(ParseJUnit(R"xml(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1" disabled="0" errors="0" time="0.1" name="AllTests">
  <testsuite name="Math" tests="2" failures="1">
    <testcase name="Adds" file="/w/math_test.cc" line="3" status="run" result="completed" time="0" classname="Math">
      <failure message="/w/math_test.cc:5&#x0A;Expected equality" type=""><![CDATA[/w/math_test.cc:5
Expected equality of these values:
  2
  3]]></failure>
      <failure message="/w/math_test.cc:6&#x0A;Second" type=""><![CDATA[/w/math_test.cc:6
Second]]></failure>
    </testcase>
    <testcase name="Ok" status="run" result="completed" classname="Math"/>
  </testsuite>
</testsuites>)xml"));
  EXPECT_EQ(report.tests_total, 2);
  EXPECT_EQ(report.tests_failed, 1);
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].rule, "Math.Adds");
  EXPECT_EQ(report.findings[0].line, 5);
  EXPECT_EQ(report.findings[1].line, 6);
}

TEST(JUnit, ReadsPytest) {
  const auto report = Must(ParseJUnit(
      R"xml(<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="3">
<testcase classname="tests.test_x" name="test_a[1-2]" time="0.001"><failure message="assert 1 == 2">def test_a():
        helper(1)

tests/test_x.py:9:
_ _ _ _ _
    def helper(x):
&gt;       assert x == 2
E       assert 1 == 2

tests/helper.py:4: AssertionError</failure></testcase>
<testcase classname="tests.test_x" name="test_b"><error message="fixture 'q' not found">file tests/test_x.py, line 12</error></testcase>
<testcase classname="tests.test_x" name="test_c"><skipped type="pytest.skip" message="no">x</skipped></testcase>
</testsuite></testsuites>)xml"));
  EXPECT_EQ(report.tests_total, 2);
  EXPECT_EQ(report.tests_failed, 2);
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].rule, "tests.test_x.test_a[1-2]");
  EXPECT_EQ(report.findings[0].path, "tests/helper.py");
  EXPECT_EQ(report.findings[0].line, 4);
  EXPECT_TRUE(report.findings[0].message.starts_with("assert 1 == 2\n"));
  EXPECT_EQ(report.findings[1].message.find("fixture 'q' not found"), 0u);
}

TEST(JUnit, FallsBackToTheAttributesForThePlace) {
  const auto report =
      Must(ParseJUnit("<testsuite><testcase name='t' file='spec/a.rb' "
                      "line='14'><failure>boom</failure></testcase></testsuite>"));
  EXPECT_EQ(report.findings.at(0).path, "spec/a.rb");
  EXPECT_EQ(report.findings.at(0).line, 14);
}

TEST(JUnit, RefusesOtherXml) {
  for (const std::string text :
       {"", "plain", "<html><body/></html>", "<testsuite>", "\xff\xfe\x00", "<a></b>"}) {
    const auto parsed = ParseJUnit(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
  }
}

TEST(JUnit, ReadsNoFilesAndExpandsNothing) {
  const auto parsed = ParseJUnit(
      "<!DOCTYPE t [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
      "<testsuite><testcase name='t'><failure>&x;</failure></testcase></testsuite>");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->findings.at(0).message.find("root:"), std::string::npos);
}

TEST(JUnit, RefusesDeepNestingAndTooManyElements) {
  const auto deep = ParseJUnit("<testsuites>" + Repeat("<testsuite>", 200'000) +
                               Repeat("</testsuite>", 200'000) + "</testsuites>");
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
  const auto open = ParseJUnit(Repeat("<a>", 200'000));
  EXPECT_FALSE(open.ok());
  const auto wide = ParseJUnit("<testsuite>" + Repeat("<a/>", 1'100'000) + "</testsuite>");
  ASSERT_FALSE(wide.ok());
  EXPECT_EQ(wide.error().code, ErrorCode::kTooLarge);
}

// --- SARIF
// -----------------------------------------------------------------------------------------------

TEST(Sarif, ReadsResultsWithTheirRules) {
  const auto report = Must(ParseSarif(R"({"version":"2.1.0","runs":[{
    "tool":{"driver":{"name":"lint","rules":[
      {"id":"no-eval","defaultConfiguration":{"level":"error"},"messageStrings":{"default":{"text":"do not use {0}"}}},
      {"id":"naming"}]}},
    "artifacts":[{"location":{"uri":"lib/c.js"}}],
    "results":[
      {"ruleId":"no-eval","ruleIndex":0,"message":{"id":"default","arguments":["eval"]},
       "locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a%20b.js"},"region":{"startLine":12}}}]},
      {"rule":{"id":"naming"},"level":"note","message":{"text":"odd name"},
       "locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]},
      {"ruleId":"x","message":{"text":"suppressed"},"suppressions":[{"kind":"inSource"}]},
      {"ruleId":"x","kind":"pass","message":{"text":"fine"}},
      {"ruleId":"x","baselineState":"absent","message":{"text":"gone"}},
      {"ruleId":"naming","message":{"text":"no level at all"}}]}]})"));
  ASSERT_EQ(report.findings.size(), 3u);
  EXPECT_EQ(report.findings[0].message, "do not use eval");
  EXPECT_EQ(report.findings[0].severity, Severity::kError);
  EXPECT_EQ(report.findings[0].path, "src/a b.js");
  EXPECT_EQ(report.findings[0].line, 12);
  EXPECT_EQ(report.findings[1].rule, "naming");
  EXPECT_EQ(report.findings[1].severity, Severity::kNote);
  EXPECT_EQ(report.findings[1].path, "lib/c.js");
  EXPECT_EQ(report.findings[2].severity, Severity::kWarning);
}

TEST(Sarif, ToleratesWrongTypes) {
  const auto report = Must(ParseSarif(
      R"({"runs":[7,null,{"results":"x"},{"results":[1,null,{},{"message":5,"locations":{},"ruleIndex":99999999999},
      {"message":{"text":"t"},"locations":[{"physicalLocation":{"region":{"startLine":-4}}}]}]}]})"));
  EXPECT_EQ(report.findings.size(), 3u);
  for (const Finding& f : report.findings) EXPECT_EQ(f.line, 0);
}

TEST(Sarif, RefusesOtherJsonDepthAndWidth) {
  EXPECT_EQ(ParseSarif("{}").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ParseSarif("[]").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ParseSarif("{\"runs\":").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ParseSarif(Repeat("[", 200'000)).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(ParseSarif("{\"runs\":[" + Repeat("{},", 1'000'000) + "{}]}").error().code,
            ErrorCode::kTooLarge);
}

// --- TAP
// -------------------------------------------------------------------------------------------------

TEST(Tap, ReadsVersion13WithDiagnostics) {
  const auto report =
      Must(ParseTap("TAP version 13\n"
                    "ok 1 - starts\n"
                    "not ok 2 - stops # time=1.2ms\n"
                    "  ---\n"
                    "  message: 'expected 3, got 4'\n"
                    "  severity: fail\n"
                    "  at:\n"
                    "    file: test/stop.js\n"
                    "    line: 41\n"
                    "  ...\n"
                    "not ok 3 - later # TODO not written\n"
                    "ok 4 - elsewhere # SKIP no network\n"
                    "1..4\n"));
  EXPECT_EQ(report.tests_total, 3);
  EXPECT_EQ(report.tests_failed, 1);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "stops");
  EXPECT_EQ(report.findings[0].path, "test/stop.js");
  EXPECT_EQ(report.findings[0].line, 41);
  EXPECT_NE(report.findings[0].message.find("expected 3, got 4"), std::string::npos);
}

TEST(Tap, ReadsPerlAndSubtests) {
  const auto report =
      Must(ParseTap("    ok 1 - inner\n"
                    "    not ok 2 - inner two\n"
                    "    #   Failed test 'inner two'\n"
                    "    #   at t/a.t line 12.\n"
                    "    1..2\n"
                    "not ok 1 - outer\n"
                    "1..1\n"));
  EXPECT_EQ(report.tests_total, 1);
  EXPECT_EQ(report.tests_failed, 1);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "inner two");
  EXPECT_EQ(report.findings[0].path, "t/a.t");
  EXPECT_EQ(report.findings[0].line, 12);
}

TEST(Tap, ReportsMissingTestsAndBailOuts) {
  const auto missing = Must(ParseTap("1..3\nok 1\n"));
  EXPECT_EQ(missing.tests_failed, 2);
  ASSERT_EQ(missing.findings.size(), 1u);
  EXPECT_EQ(missing.findings[0].message, "planned 3 tests, saw 1");
  const auto bail = Must(ParseTap("ok 1 - a\nBail out! no database\n"));
  EXPECT_EQ(bail.findings.at(0).message, "the run was given up: no database");
}

TEST(Tap, RefusesOtherTextAndEndlessBlocks) {
  EXPECT_FALSE(ParseTap("ok, let us see\nokay\nnot okay\n").ok());
  EXPECT_FALSE(ParseTap("hello\nworld\n").ok());
  EXPECT_FALSE(ParseTap("").ok());
  const auto report = Must(ParseTap("not ok 1 - a\n  ---\n  message: x\nnot ok 2 - b\nok 3\n"));
  EXPECT_EQ(report.tests_failed, 2);
}

// --- gcc
// -------------------------------------------------------------------------------------------------

TEST(Gcc, ReadsDiagnosticsWithRulesAndNotes) {
  const auto report =
      Must(ParseGcc("In file included from src/a.cc:1:\n"
                    "src/a.h:3:7: warning: unused variable 'x' [-Wunused-variable]\n"
                    "    3 |   int x;\n"
                    "src/b.cc:10: error: 'y' was not declared\n"
                    "src/b.h:2:1: note: suggested alternative: 'z'\n"
                    "src/c.cc:4:2: error: shadowed [-Werror,-Wshadow]\n"
                    "src/c.cc:5:2: error: unused [-Werror=unused-parameter]\n"
                    "src/d.cc:6:2: warning: magic [readability-magic-numbers]\n"
                    "src/e.cc:7:2: fatal error: q.h: No such file or directory\n"
                    "make: *** [Makefile:2: all] Error 1\n"));
  ASSERT_EQ(report.findings.size(), 6u);
  EXPECT_EQ(report.findings[0].severity, Severity::kWarning);
  EXPECT_EQ(report.findings[0].rule, "unused-variable");
  EXPECT_EQ(report.findings[0].message, "unused variable 'x'");
  EXPECT_EQ(report.findings[1].line, 10);
  EXPECT_NE(report.findings[1].message.find("note: src/b.h:2: suggested"), std::string::npos);
  EXPECT_EQ(report.findings[2].rule, "shadow");
  EXPECT_EQ(report.findings[3].rule, "unused-parameter");
  EXPECT_EQ(report.findings[4].rule, "readability-magic-numbers");
  EXPECT_EQ(report.findings[5].severity, Severity::kError);
}

TEST(Gcc, CountsAHeadersWarningOnce) {
  const std::string warning = "a.h:3:7: warning: unused [-Wunused]\nb.h:1:1: note: here\n";
  const auto report = Must(ParseGcc(warning + warning + warning));
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].message, "unused\nnote: b.h:1: here");
}

TEST(Gcc, ReadsTheLinkerCMakeAndColours) {
  const auto report =
      Must(ParseGcc("/usr/bin/ld: x.o: in function `main':\n"
                    "/usr/bin/ld: src/x.cc:12: undefined reference to `f()'\n"
                    "CMake Error at CMakeLists.txt:4 (add_library):\n"
                    "  Cannot find source file:\n\n    nope.cc\n\n\n"
                    "\x1b[1ma.cc:2:3: \x1b[31merror: \x1b[0mred\n"));
  ASSERT_EQ(report.findings.size(), 3u);
  EXPECT_EQ(report.findings[0].path, "src/x.cc");
  EXPECT_EQ(report.findings[0].message, "undefined reference to `f()'");
  EXPECT_EQ(report.findings[1].line, 4);
  EXPECT_EQ(report.findings[1].message, "Cannot find source file:\nnope.cc");
  EXPECT_EQ(report.findings[2].message, "red");
}

TEST(Gcc, FindsNothingInOtherText) {
  EXPECT_TRUE(Must(ParseGcc("")).findings.empty());
  EXPECT_TRUE(Must(ParseGcc("12:30:01 error: clock\nhttp://x:80: warning\n::: error: x\n"))
                  .findings.empty());
}

// --- matcher
// ---------------------------------------------------------------------------------------------

TEST(Matcher, ReadsItsNamedGroups) {
  const auto report = Must(ParseMatcher(
      R"(^(?P<file>[^:]+):(?P<line>\d+): (?P<severity>\w+): (?P<message>.*) \[(?P<rule>[a-z-]+)\]$)",
      "src/a.cc:51: error: line has 110 columns [line-length]\nnothing\nsrc/b.cc:2: warning: w "
      "[todo]\n"));
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].path, "src/a.cc");
  EXPECT_EQ(report.findings[0].line, 51);
  EXPECT_EQ(report.findings[0].rule, "line-length");
  EXPECT_EQ(report.findings[0].severity, Severity::kError);
  EXPECT_EQ(report.findings[1].severity, Severity::kWarning);
}

TEST(Matcher, NeedsNoGroupsAtAll) {
  const auto report = Must(ParseMatcher("FORBIDDEN.*", "a FORBIDDEN word\n"));
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].message, "FORBIDDEN word");
}

TEST(Matcher, RefusesWhatIsNotRe2) {
  for (const std::string pattern : {"(", "(?<=x)y", "(a)\\1", "x{1,5000}"}) {
    const auto parsed = ParseMatcher(pattern, "x");
    ASSERT_FALSE(parsed.ok()) << pattern;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(ParseMatcher(Repeat("(a)", 40), "x").ok());
}

TEST(Matcher, Threat_T48_OneHugeLineIsQuick) {
  const std::string line(1 << 20, 'a');
  for (const std::string pattern : {"(a+)+$", "(?P<message>(a|aa)+)b", "(.*)*(.*)*(.*)*x"}) {
    const auto took = TimeOf([&] { (void)ParseMatcher(pattern, line).ok(); });
    EXPECT_LT(took.count(), 100) << pattern;
  }
}

TEST(Parsers, Threat_T58_LargeHostileReportsAreQuick) {
  const std::string gcc = Repeat("a:", 1 << 20);
  const std::string lines = Repeat("\n", 1 << 20);
  const std::string tap = Repeat("not ok\n", 100'000);
  const auto took = TimeOf([&] {
    (void)ParseGcc(gcc).ok();
    (void)ParseGcc(lines).ok();
    (void)ParseTap(tap).ok();
    (void)ParseTap(lines).ok();
    (void)ParseMatcher("(x+x+)+y", Repeat("xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 20'000)).ok();
  });
  EXPECT_LT(took.count(), 5'000);
}

}  // namespace
}  // namespace swage
