#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "forge/body.h"
#include "forge/event.h"
#include "forge/http_date.h"
#include "forge/markdown.h"
#include "forge/paging.h"
#include "forge/patch_lines.h"
#include "forge/rest.h"
#include "tests/harness/fake_transport.h"

namespace swage {
namespace {

TEST(HeadLines, NumbersTheLinesOfEveryHunk) {
  const auto lines = HeadLines(
      "@@ -1,3 +1,4 @@ int main() {\n a\n-b\n+B\n+C\n d\n@@ -20 +21,2 @@\n x\n+y\n"
      "\\ No newline at end of file\n");
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines.at(1).old_line, 1);
  EXPECT_EQ(lines.at(2).old_line, 0);
  EXPECT_EQ(lines.at(3).old_line, 0);
  EXPECT_EQ(lines.at(4).old_line, 3);
  EXPECT_EQ(lines.at(21).old_line, 20);
  EXPECT_EQ(lines.at(22).old_line, 0);
}

TEST(HeadLines, TakesFileHeadersForWhatTheyAre) {
  const auto lines = HeadLines("--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+++ not a header\n");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines.contains(1));
}

TEST(HeadLines, SurvivesAnyPatch) {
  for (const char* patch : {"", "@@", "@@ -x +y @@\n+a", "@@ -1 @@\n+a", "+a\n-b\n c",
                            "@@ -99999999999999 +99999999999999 @@\n+a", "@@ -1 +1 @@"}) {
    EXPECT_TRUE(HeadLines(patch).empty()) << patch;
  }
}

TEST(FitBody, Threat_T46_CutsWithAMarkAndClosesTheFence) {
  const std::string body =
      "intro\n\n```text\n" + std::string(50'000, 'x') + "\n" + std::string(50'000, 'y');
  const std::string cut = FitBody(body, 60'000);
  EXPECT_LE(cut.size(), 60'000U);
  EXPECT_NE(cut.find("\n```\n\n… (cut"), std::string::npos);
  EXPECT_EQ(FitBody("short", 60'000), "short");
  EXPECT_LE(FitBody(body, 10).size(), 10U);
  const std::string closed = FitBody("```\na\n```\n" + std::string(70'000, 'x'), 60'000);
  EXPECT_EQ(closed.find("```\n\n…"), std::string::npos);
}

TEST(OwnBlock, IsReplacedAndWhatIsAroundItStays) {
  const std::string first = OwnBlock("k", "one\n");
  const std::string second = OwnBlock("k", "two\n");
  EXPECT_EQ(WithOwnBlock(first, second, 1'000), second);
  EXPECT_EQ(WithOwnBlock("above\r\n" + first + "\nbelow", second, 1'000),
            "above\r\n" + second + "\nbelow");
  EXPECT_EQ(WithOwnBlock("all theirs", second, 1'000), "all theirs");
  EXPECT_EQ(WithOwnBlock("", second, 1'000), "") << "an emptied text is a decision, too";
  EXPECT_EQ(WithOwnBlock(OwnBlock("other", "x"), second, 1'000), OwnBlock("other", "x"));
  EXPECT_EQ(WithOwnBlock("anything", "no block", 1'000), "no block");
  const std::string endless = first.substr(0, first.size() - 10) + "\nmore";
  EXPECT_EQ(WithOwnBlock("above\n" + endless, second, 1'000), "above\n" + second)
      << "without its end mark everything below the start is the bot's";
}

TEST(OwnBlock, KeepsItsEndMarkWhenItIsCut) {
  const std::string longer = OwnBlock("k", std::string(9'000, 'x') + "\n");
  const std::string cut = FitOwnBlock(longer, 2'000);
  EXPECT_LE(cut.size(), 2'000U);
  EXPECT_TRUE(cut.ends_with("<!-- swage:pr-end k -->"));
  const std::string merged =
      WithOwnBlock("above\n" + OwnBlock("k", "x") + "\nbelow", longer, 2'000);
  EXPECT_LE(merged.size(), 2'000U);
  EXPECT_TRUE(merged.starts_with("above\n") && merged.ends_with("\nbelow"));
  EXPECT_EQ(FitOwnBlock("short", 2'000), "short");
}

TEST(MarkedBody, AddsTheMarkerOnceAndKeepsItWhenCut) {
  const std::string marker = Marker("sticky", "1");
  EXPECT_EQ(MarkedBody(marker, marker + "\nx", 1000), marker + "\nx");
  EXPECT_EQ(MarkedBody(marker, "x", 1000), marker + "\nx");
  const std::string cut = MarkedBody(marker, std::string(5'000, 'x') + marker, 1'000);
  EXPECT_TRUE(cut.starts_with(marker));
  EXPECT_LE(cut.size(), 1'000U);
}

TEST(FindingMarkers, AreReadBackAsTheyWereWritten) {
  const std::string a = FindingMarker("f1");
  const std::string b = FindingMarker("odd > key");
  EXPECT_EQ(FindingMarkersIn("x " + a + " y\n" + b + " z"), (std::vector<std::string>{a, b}));
  EXPECT_TRUE(FindingMarkersIn("<!-- swage:finding open").empty());
  EXPECT_TRUE(FindingMarkersIn("<!-- swage:other f1 -->").empty());
}

TEST(SameText, IgnoresHowTheForgeStoresLineEnds) {
  EXPECT_TRUE(SameText("a\r\nb\r\n", "a\nb"));
  EXPECT_FALSE(SameText("a\nb", "a b"));
}

TEST(RestClient, CountsPagesAndStopsAtTheLast) {
  auto transport = std::make_unique<FakeTransport>();
  FakeTransport& server = *transport;
  nlohmann::json full = nlohmann::json::array();
  for (int i = 0; i < RestClient::kPageSize; ++i) full.push_back(i);
  server.On("GET", "&page=3", 200, "[1,2]");
  server.On("GET", "&page=2", 200, full.dump());
  server.On("GET", "&page=1", 200, full.dump());
  const RestClient rest(std::move(transport), {});
  int seen = 0;
  EXPECT_TRUE(rest.ForEach("/x?a=b", [&](const auto&) { return ++seen > 0; }).ok());
  EXPECT_EQ(seen, 202);
  EXPECT_EQ(server.requests.at(0).path, "/x?a=b&per_page=100&page=1");
  EXPECT_EQ(server.requests.size(), 3U);
}

TEST(RestClient, GivesUpOnAListWithoutEnd) {
  auto transport = std::make_unique<FakeTransport>();
  FakeTransport& server = *transport;
  nlohmann::json full = nlohmann::json::array();
  for (int i = 0; i < RestClient::kPageSize; ++i) full.push_back(i);
  server.On("GET", "/x", 200, full.dump());
  const RestClient rest(std::move(transport), {});
  const auto listed = rest.ForEach("/x", [](const auto&) { return true; });
  EXPECT_EQ(listed.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(server.requests.size(), static_cast<std::size_t>(RestClient::kMaxPages));
}

TEST(RestClient, AsksAgainForWhatMayNotHaveSettled) {
  auto transport = std::make_unique<FakeTransport>();
  FakeTransport& server = *transport;
  std::vector<std::chrono::milliseconds> slept;
  server.On("GET", "/x", 200, R"({"a":1})");
  server.On("GET", "/x", 404, R"({"message":"Not Found"})", 2);
  server.On("GET", "/never", 404, "");
  const RestClient rest(std::move(transport), [&](auto time) { slept.push_back(time); });
  EXPECT_TRUE(rest.GetSettled("/x").ok());
  EXPECT_EQ(slept.size(), 2U);
  EXPECT_EQ(rest.GetSettled("/never").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(server.Sent("GET", "/never").size(), 3U);
}

TEST(HttpDate, IsReadAsItIsWritten) {
  const auto time = ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(FormatUtc(*time), "1994-11-06T08:49:37Z");
  EXPECT_EQ(FormatHttpDate(*time), "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const char* odd : {"", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 24:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                          "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT"}) {
    EXPECT_FALSE(ParseHttpDate(odd)) << odd;
  }
}

TEST(RestClient, WordsEveryRefusal) {
  auto transport = std::make_unique<FakeTransport>();
  FakeTransport& server = *transport;
  const RestClient rest(std::move(transport), {});
  const std::vector<std::pair<int, ErrorCode>> codes = {
      {400, ErrorCode::kInvalid},  {401, ErrorCode::kUnauthenticated}, {403, ErrorCode::kDenied},
      {404, ErrorCode::kNotFound}, {409, ErrorCode::kConflict},        {410, ErrorCode::kNotFound},
      {413, ErrorCode::kTooLarge}, {422, ErrorCode::kInvalid},         {451, ErrorCode::kDenied},
      {304, ErrorCode::kInvalid}};
  for (const auto& [status, code] : codes) {
    server.On("GET", "/x", status,
              R"({"message":"no \u001b[31mway\u001b[0m","errors":[{"field":"head"}]})");
    const Error error = rest.Get("/x?secret=1").error();
    EXPECT_EQ(error.code, code) << status;
    EXPECT_NE(error.message.find("no way; head"), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find("secret"), std::string::npos);
  }
  server.On("GET", "/x", 403, "<html>blocked by a proxy</html>");
  EXPECT_EQ(rest.Get("/x").error().code, ErrorCode::kDenied);
  server.On("GET", "/x", 200, "<html>a login page</html>");
  EXPECT_FALSE(rest.Get("/x").ok());
  server.On("GET", "/x", 422, nlohmann::json{{"message", std::string(100'000, 'x')}}.dump());
  EXPECT_LT(rest.Get("/x").error().message.size(), 1'000U);
}

TEST(EncodeSegments, KeepsOnlyTheSlashes) {
  EXPECT_EQ(EncodeSegments("a/b c?d#e"), "a/b%20c%3Fd%23e");
}

TEST(Event, NamesItself) {
  EXPECT_EQ(EventName(Event(IssueLabeled{})), "IssueLabeled");
  EXPECT_EQ(EventName(Event(Ignored{"x"})), "Ignored");
  EXPECT_EQ(EventRepo(Event(Ignored{"x"})), nullptr);
  EXPECT_NE(EventRepo(Event(PullRequestClosed{})), nullptr);
}

TEST(Paging, TakesOnlyAParameterOutOfALink) {
  const std::string link = R"(<https://evil.example/x?per_page=100&cursor=v1_12%3D>; rel="next", )"
                           R"(<https://h/x?cursor=v0>; rel="prev")";
  EXPECT_EQ(NextParameter(link, "cursor"), "v1_12=");
  EXPECT_EQ(NextParameter(link, "page"), "");
  for (const char* none : {"", "<>", "<https://h/x?cursor=1>", "rel=\"next\"", ">?<; rel=\"next\"",
                           "<https://h/x?cursor>; rel=\"next\""}) {
    EXPECT_EQ(NextParameter(none, "cursor"), "") << none;
  }
}

}  // namespace
}  // namespace swage
