#include "config/base/redact.h"

#include <gtest/gtest.h>

#include <functional>

#include "config/base/log.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kSecret = "s3cr3t/to+ken \"quoted\" \\ value";

TEST(RedactorTest, FindsASecretInEverySpelling) {
  Redactor redactor;
  ASSERT_TRUE(redactor.Add(kSecret));
  const std::string s(kSecret);
  const std::string percent = PercentEncode(s);
  for (const std::string& form :
       {s, Base64Encode(s), percent, ToLower(percent), Base64Encode("x-access-token:" + s),
        Base64Encode("ab" + s + "cd"), Base64Encode("a" + s),
        ReplaceAll(ReplaceAll(s, "\\", "\\\\"), "\"", "\\\"")}) {
    const std::string out = redactor.Apply("before " + form + " after");
    EXPECT_NE(out.find("[redacted]"), std::string::npos) << form;
    EXPECT_EQ(out.find("s3cr3t"), std::string::npos) << out;
    EXPECT_TRUE(redactor.Contains("before " + form + " after")) << form;
  }
}

TEST(RedactorTest, FindsUrlSafeBase64) {
  Redactor redactor;
  const std::string secret = "\xFB\xEF\xBE\xFB\xEF\xBE\xFB\xEF\xBE";  // all '+' and '/' in base64
  ASSERT_TRUE(redactor.Add(secret));
  EXPECT_TRUE(redactor.Contains("--------" +
                                ReplaceAll(ReplaceAll(Base64Encode(secret), "+", "-"), "/", "_")));
}

TEST(RedactorTest, FindsAReversedSecret) {
  Redactor redactor;
  ASSERT_TRUE(redactor.Add("abcdef123456"));
  EXPECT_TRUE(redactor.Contains("x654321fedcbax"));
  EXPECT_FALSE(redactor.Contains("654321 fedcba"));
}

TEST(RedactorTest, LeavesOtherTextAlone) {
  Redactor redactor;
  EXPECT_EQ(redactor.Apply("anything"), "anything");
  ASSERT_TRUE(redactor.Add("abcdef123456"));
  EXPECT_EQ(redactor.Apply("abcdef12345 and abcdef"), "abcdef12345 and abcdef");
  EXPECT_FALSE(redactor.Contains("abcdef12345"));
  EXPECT_EQ(redactor.Apply(""), "");
}

TEST(RedactorTest, RefusesWordsThatAreTooShort) {
  Redactor redactor;
  EXPECT_FALSE(redactor.Add(""));
  EXPECT_FALSE(redactor.Add("12345"));
  EXPECT_EQ(redactor.Apply("12345"), "12345");
  EXPECT_TRUE(redactor.Add("123456"));
}

TEST(RedactorTest, CutsTheLongerOfTwoOverlappingSecrets) {
  Redactor redactor;
  ASSERT_TRUE(redactor.Add("abcdef"));
  ASSERT_TRUE(redactor.Add("abcdef-and-more"));
  EXPECT_EQ(redactor.Apply("abcdef-and-more"), "[redacted]");
  EXPECT_EQ(redactor.Apply("abcdef-and"), "[redacted]-and");
}

std::string Logged(std::string_view format, const Redactor& redactor,
                   const std::function<void(Log&)>& act) {
  testing::internal::CaptureStderr();
  {
    Log log(LogLevel::kInfo, format, redactor);
    act(log);
  }
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, WritesOneLinePerEntry) {
  const Redactor redactor;
  const std::string text = Logged("text", redactor, [](Log& log) {
    log.Info("task claimed", {{"task_id", 7}, {"repo", "acme/lib"}, {"title", "a b"}});
    log.Warn("odd", {{"text", "one\ntwo\x1b[31m \"x\" =\xff"}, {"empty", ""}});
  });
  EXPECT_EQ(SplitLines(text).size(), 2U) << text;
  EXPECT_NE(text.find("info  task claimed task_id=7 repo=acme/lib title=\"a b\""),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(text="one\ntwo \"x\" =)"), std::string::npos) << text;
  EXPECT_NE(text.find("empty=\"\""), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(LogTest, WritesJson) {
  const Redactor redactor;
  const std::string text = Logged("json", redactor, [](Log& log) {
    log.Error("broken", {{"text", "one\ntwo\xff"}, {"id", TaskId{3}}});
  });
  EXPECT_EQ(SplitLines(text).size(), 1U) << text;
  EXPECT_NE(text.find(R"("level":"error","message":"broken","text":"one\ntwo)"), std::string::npos)
      << text;
}

TEST(LogTest, IsSilentBelowItsLevel) {
  const Redactor redactor;
  EXPECT_EQ(Logged("text", redactor, [](Log& log) { log.Debug("idle"); }), "");
}

TEST(LogTest, LeaksNoSecretByQuotingOrCutting) {  // T49
  Redactor redactor;
  ASSERT_TRUE(redactor.Add(kSecret));
  for (const auto* format : {"text", "json"}) {
    const std::string text = Logged(format, redactor, [](Log& log) {
      log.Info("x", {{"quoted", kSecret}});
      // The bound on a field falls into the middle of the secret.
      log.Info("y", {{"cut", std::string(1'990, 'a') + std::string(kSecret)}});
    });
    EXPECT_EQ(text.find("s3cr3t"), std::string::npos) << format;
    EXPECT_NE(text.find("[redacted]"), std::string::npos) << format;
  }
}

}  // namespace
}  // namespace swage
