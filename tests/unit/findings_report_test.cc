// ParseReport: bounds, cleaning, paths and fingerprints, whatever the format.
#include <gtest/gtest.h>

#include <set>

#include "config/base/text.h"
#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

constexpr std::string_view kWorkspace = "/data/workspaces/7-ab/work";

GateSpec Gate(ReportFormat format, std::string matcher = {}) {
  GateSpec gate;
  gate.name = "gate";
  gate.format = format;
  gate.matcher = std::move(matcher);
  return gate;
}

ParsedReport Gcc(std::string_view text) {
  auto parsed = ParseReport(Gate(ReportFormat::kGcc), text, kWorkspace);
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

std::string PathOf(std::string_view path) {
  const auto report =
      ParseReport(Gate(ReportFormat::kMatcher, R"(^F (?P<file>.+) L(?P<line>\d+)$)"),
                  "F " + std::string(path) + " L7\n", kWorkspace);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report->findings.size(), 1u);
  const Finding& f = report->findings.at(0);
  EXPECT_EQ(f.line, f.path.empty() ? 0 : 7);
  return f.path;
}

TEST(ParseReport, MakesPathsRelativeToTheWorkspace) {
  EXPECT_EQ(PathOf("src/a.cc"), "src/a.cc");
  EXPECT_EQ(PathOf("./src//./a.cc"), "src/a.cc");
  EXPECT_EQ(PathOf("build/../src/a.cc"), "src/a.cc");
  EXPECT_EQ(PathOf("/data/workspaces/7-ab/work/src/a.cc"), "src/a.cc");
  EXPECT_EQ(PathOf("file:///data/workspaces/7-ab/work/src/a.cc"), "src/a.cc");
}

TEST(ParseReport, DropsPathsThatLeaveTheWorkspace) {
  for (const std::string path :
       {"/etc/passwd", "../x.cc", "a/../../x.cc", "/data/workspaces/7-ab/workshop/x.cc",
        "/data/workspaces/7-ab/work/../../secret", "/data/workspaces/7-ab/work", ".git/config",
        "sub/.git/hooks/x", "a\tb.cc", "bad\xff.cc"}) {
    EXPECT_EQ(PathOf(path), "") << path;
  }
  EXPECT_EQ(PathOf(std::string(2'000, 'a')), "");
}

TEST(ParseReport, CleansMessages) {
  const auto report = Gcc("a.cc:1:2: error: bad \x1b]8;;http://evil\x07 link\xff \x01 here\n");
  ASSERT_EQ(report.findings.size(), 1u);
  const std::string& message = report.findings[0].message;
  EXPECT_EQ(ToValidUtf8(message), message);
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_EQ(message.find("evil"), std::string::npos);
  EXPECT_NE(message.find("here"), std::string::npos);
}

TEST(ParseReport, KeepsTheServersDirectoriesOutOfMessages) {
  const auto report = Gcc("a.cc:1:2: error: see /data/workspaces/7-ab/work/src/b.cc for more\n");
  EXPECT_EQ(report.findings.at(0).message, "see src/b.cc for more");
}

TEST(ParseReport, BoundsTheLengthOfMessages) {
  const auto report = ParseReport(Gate(ReportFormat::kMatcher, "."), std::string(1 << 20, 'x'), "");
  ASSERT_TRUE(report.ok());
  const auto junit =
      ParseReport(Gate(ReportFormat::kJUnit),
                  "<testsuite><testcase name='t'><failure>" + std::string(1 << 20, 'y') +
                      "</failure></testcase></testsuite>",
                  "");
  ASSERT_TRUE(junit.ok());
  EXPECT_LE(junit->findings.at(0).message.size(), kMaxMessageBytes);
  EXPECT_GT(junit->findings.at(0).message.size(), kMaxMessageBytes / 2);
}

TEST(ParseReport, BoundsTheNumberOfFindings) {
  std::string text;
  for (int i = 0; i < 5'000; ++i)
    text += "a.cc:" + std::to_string(i + 1) + ":1: error: e" + std::to_string(i) + "\n";
  const auto report = Gcc(text);
  EXPECT_EQ(report.findings.size(), kMaxFindings);
  EXPECT_TRUE(report.truncated);
}

TEST(ParseReport, RefusesMoreThanTheBound) {
  const std::string big(kMaxReportBytes + 1, ' ');
  for (const ReportFormat format : {ReportFormat::kJUnit, ReportFormat::kSarif, ReportFormat::kTap,
                                    ReportFormat::kGcc, ReportFormat::kMatcher}) {
    const auto report = ParseReport(Gate(format, "x"), big, "");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::kTooLarge);
  }
}

TEST(ParseReport, FingerprintsSurviveMovedLinesAndChangedNumbers) {
  const auto before = Gcc("a.cc:10:2: error: 3 leaks at 0x7ffe12ab in /tmp/tmp.Xy12\n");
  const auto after = Gcc("a.cc:99:8: error: 12 leaks at 0x55aa00ff in /tmp/tmp.Qr98\n");
  EXPECT_EQ(before.findings.at(0).fingerprint, after.findings.at(0).fingerprint);
}

TEST(ParseReport, FingerprintsTellComplaintsApart) {
  const auto report =
      Gcc("a.cc:1:1: error: one [-Wx]\n"
          "a.cc:1:1: error: one [-Wy]\n"
          "b.cc:1:1: error: one [-Wx]\n"
          "a.cc:1:1: error: two [-Wx]\n"
          "a.cc:5:1: error: one [-Wx]\n");
  std::set<std::string> fingerprints;
  for (const Finding& f : report.findings) fingerprints.insert(f.fingerprint);
  EXPECT_EQ(fingerprints.size(), report.findings.size());
  for (const std::string& f : fingerprints) {
    EXPECT_EQ(f.find_first_not_of("0123456789abcdef-"), std::string::npos) << f;
  }
}

TEST(ParseReport, EveryFindingSaysSomething) {
  const auto report = ParseReport(Gate(ReportFormat::kMatcher, "(?P<message>)x"), "x\n", "");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.at(0).message, "failed");
}

// No input may crash a parser or make it slow; a small generator with a fixed seed tries many.
TEST(ParseReport, SurvivesMutatedReports) {
  const std::vector<std::pair<ReportFormat, std::string>> seeds = {
      {ReportFormat::kJUnit,
       "<testsuites><testsuite name='s' tests='1'><testcase name='t' classname='c' file='a.py' "
       "line='3'>"
       "<failure message='m'><![CDATA[a.cc:12: "
       "Failure\nx]]></failure></testcase></testsuite></testsuites>"},
      {ReportFormat::kSarif,
       R"({"runs":[{"tool":{"driver":{"rules":[{"id":"r"}]}},"results":[{"ruleId":"r","ruleIndex":0,)"
       R"("level":"error","message":{"text":"m {0}","arguments":["a"]},"locations":[{"physicalLocation":)"
       R"({"artifactLocation":{"uri":"a%20b.c"},"region":{"startLine":4}}}]}]}]})"},
      {ReportFormat::kTap,
       "TAP version 14\n1..2\nok 1 - a\nnot ok 2 - b\n  ---\n  message: 'm'\n  at:\n    file: "
       "a.js\n"
       "    line: 3\n  ...\n# at t/x.t line 12.\nBail out! no\n"},
      {ReportFormat::kGcc,
       "a.cc:1:2: error: x [-Werror=y]\na.cc:3:4: note: z\nCMake Error at CMakeLists.txt:3 "
       "(add):\n  text\n"},
      {ReportFormat::kMatcher, "a.cc:12: error: text [rule]\n"}};
  std::uint64_t state = 20'260'301;
  const auto random = [&](std::size_t below) {
    state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  const std::string alphabet(
      "<>&'\"{}[]:,\\\n\r\t \0\x1b\xff\xc3\x28"
      "09aZ-#.",
      29);
  for (const auto& [format, seed] : seeds) {
    const GateSpec gate =
        Gate(format, R"(^(?P<file>[^:]*):(?P<line>\d+): (?P<severity>\w+): (?P<message>.*)$)");
    for (int round = 0; round < 3'000; ++round) {
      std::string text = seed;
      for (std::size_t edits = 1 + random(6); edits > 0 && !text.empty(); --edits) {
        const std::size_t at = random(text.size());
        switch (random(4)) {
          case 0:
            text[at] = alphabet[random(alphabet.size())];
            break;
          case 1:
            text.erase(at, 1 + random(20));
            break;
          case 2:
            text.insert(at, text.substr(random(text.size()), random(40)));
            break;
          default:
            text.insert(at, 1 + random(30), alphabet[random(alphabet.size())]);
            break;
        }
      }
      const auto report = ParseReport(gate, text, kWorkspace);
      if (!report.ok()) continue;
      for (const Finding& f : report->findings) {
        ASSERT_EQ(ToValidUtf8(f.message), f.message);
        ASSERT_FALSE(f.message.empty());
        ASSERT_GE(f.line, 0);
        ASSERT_FALSE(f.path.starts_with("/") || f.path.starts_with("../")) << f.path;
      }
    }
  }
}

TEST(FindLocation, PrefersTheLineThatSpeaksOfTheFailure) {
  const auto place = FindLocation("helper.py:5: in call\n  x\ntest_a.py:12: AssertionError\n");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path, "test_a.py");
  EXPECT_EQ(place->line, 12);
  EXPECT_FALSE(FindLocation("12:30:00 nothing here: 5"));
  EXPECT_FALSE(FindLocation("see http://x.example:80/"));
}

}  // namespace
}  // namespace swage
