#include <gtest/gtest.h>

#include "config/base/text.h"
#include "pipeline/gate.h"

namespace swage {
namespace {

Finding MakeFinding(std::string path, int line, std::string message,
                    Severity severity = Severity::kError) {
  Finding f;
  f.severity = severity;
  f.rule = "rule";
  f.path = std::move(path);
  f.line = line;
  f.message = std::move(message);
  f.fingerprint = f.path + f.message;
  return f;
}

GateVerdict Verdict(std::string gate, GateOutcome outcome, bool required = true) {
  GateVerdict v;
  v.gate = std::move(gate);
  v.outcome = outcome;
  v.required = required;
  v.summary = "exit code 1";
  return v;
}

TEST(FailureDigest, NamesOnlyFailedGatesRequiredOnesFirst) {
  auto tests = Verdict("tests", GateOutcome::kFailed);
  tests.findings = {MakeFinding("b.cc", 0, "careful", Severity::kNote),
                    MakeFinding("a.cc", 3, "boom\nmore")};
  tests.log_tail = "last words\n";
  const std::string digest = FailureDigest(
      {Verdict("docs", GateOutcome::kFailed, false), Verdict("build", GateOutcome::kPassed),
       Verdict("lint", GateOutcome::kSkipped), tests},
      4'000);
  EXPECT_EQ(digest,
            "## Gate tests (required): exit code 1\n"
            "- a.cc:3: error: boom\n    more [rule]\n"
            "- b.cc: note: careful [rule]\n"
            "The end of its output:\n    last words\n"
            "\n## Gate docs (advisory): exit code 1\n");
  EXPECT_EQ(FailureDigest({Verdict("build", GateOutcome::kPassed)}, 4'000), "");
}

TEST(FailureDigest, StaysWithinItsBoundAndSharesItFairly) {
  auto loud = Verdict("loud", GateOutcome::kFailed);
  auto quiet = Verdict("quiet", GateOutcome::kFailed);
  for (int i = 0; i < 500; ++i)
    loud.findings.push_back(MakeFinding("l.cc", i + 1, std::string(1'000, 'x')));
  loud.log_tail = std::string(16'000, 'y');
  quiet.findings = {MakeFinding("q.cc", 1, "the one that matters")};
  quiet.log_tail = "quiet log\n";
  for (const std::size_t bound : {0u, 10u, 50u, 300u, 1'000u, 5'000u, 20'000u}) {
    const std::string digest = FailureDigest({loud, quiet}, bound);
    EXPECT_LE(digest.size(), bound);
    EXPECT_EQ(ToValidUtf8(digest), digest);
    if (bound >= 1'000) {
      EXPECT_NE(digest.find("the one that matters"), std::string::npos) << bound;
      EXPECT_NE(digest.find("l.cc:1"), std::string::npos) << bound;
      EXPECT_NE(digest.find("more\n"), std::string::npos) << bound;
    }
  }
  // What the quiet gate does not need goes to the loud one.
  EXPECT_GT(FailureDigest({loud, quiet}, 20'000).size(), 18'000u);
}

TEST(FailureDigest, ShowsTheEndOfALongLog) {
  auto v = Verdict("tests", GateOutcome::kFailed);
  for (int i = 0; i < 1'000; ++i) v.log_tail += "line " + std::to_string(i) + "\n";
  const std::string digest = FailureDigest({v}, 1'000);
  EXPECT_NE(digest.find("    line 999\n"), std::string::npos);
  EXPECT_EQ(digest.find("line 100\n"), std::string::npos);
}

TEST(FailureSignature, IgnoresTimingsOrderAndAdvisoryGates) {
  auto a = Verdict("a", GateOutcome::kFailed);
  a.findings = {MakeFinding("x.cc", 1, "one"), MakeFinding("y.cc", 2, "two")};
  auto b = Verdict("b", GateOutcome::kTimedOut);
  b.log_tail = "ran 12 tests in 3.41 s\n";
  auto advisory = Verdict("c", GateOutcome::kFailed, false);
  const std::string before = FailureSignature({a, b, advisory});

  std::swap(a.findings[0], a.findings[1]);
  a.duration = std::chrono::seconds(9);
  a.log_tail = "other output";
  b.log_tail = "ran 12 tests in 9.99 s\n";
  EXPECT_EQ(FailureSignature({b, a}), before);
  EXPECT_EQ(before.size(), 64u);
}

TEST(FailureSignature, TellsDifferentFailuresApart) {
  auto a = Verdict("a", GateOutcome::kFailed);
  a.findings = {MakeFinding("x.cc", 1, "one")};
  auto less = a;
  less.findings = {MakeFinding("x.cc", 1, "other")};
  auto timed_out = a;
  timed_out.outcome = GateOutcome::kTimedOut;
  auto bare = Verdict("a", GateOutcome::kFailed);
  EXPECT_NE(FailureSignature({a}), FailureSignature({less}));
  EXPECT_NE(FailureSignature({a}), FailureSignature({timed_out}));
  EXPECT_NE(FailureSignature({a}), FailureSignature({bare}));
  EXPECT_EQ(FailureSignature({Verdict("a", GateOutcome::kPassed)}), "");
}

}  // namespace
}  // namespace swage
