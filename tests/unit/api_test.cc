#include "bot/dashboard/api.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bot/dashboard/dashboard.h"
#include "config/base/log.h"
#include "pipeline/manual_request.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/stub_store.h"

namespace swage {
namespace {

using testing::HasSubstr;

class Inbox final : public StubStore {
 public:
  Result<bool> AddDelivery(const NewDelivery& delivery) override {
    deliveries.push_back(delivery);
    return true;
  }
  std::vector<NewDelivery> deliveries;
};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    settings_.dashboard = "127.0.0.1:0";
    settings_.data_dir = dir_.path();
    ForgeSettings forge;
    forge.name = "hub";
    forge.git_url = "https://github.com";
    settings_.forges.push_back(forge);
    started_ = dashboard_.Start().ok();
    token_ = ReadApiToken(dir_.path()).value();
  }
  std::string Post(std::string_view body, std::string_view headers) {
    return Exchange(dashboard_.Port(), PostRequest("/api/v1/tasks", headers, body));
  }
  std::string Post(std::string_view body) {
    return Post(body, fmt::format("Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
                                  token_));
  }

  SystemClock clock_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  TempDir dir_;
  Inbox store_;
  Settings settings_;
  std::atomic<int> stored_{0};
  Dashboard dashboard_{settings_, "one", store_, clock_, log_, [this] { ++stored_; }};
  bool started_ = false;
  std::string token_;
};

TEST_F(ApiTest, ARequestIsDurableBeforeItIsAnswered) {
  ASSERT_TRUE(started_);
  const std::string answer = Post(R"({"issue":"https://github.com/acme/lib/issues/12"})");
  EXPECT_EQ(StatusOf(answer), 202) << answer;
  EXPECT_THAT(answer, HasSubstr(R"("repo":"acme/lib")"));
  EXPECT_EQ(stored_, 1);
  const auto stored = store_.deliveries;
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_TRUE(IsManualRequest(stored[0].event));
  EXPECT_EQ(ReadManualRequest("hub", stored[0].body)->issue, 12);
}

TEST_F(ApiTest, Threat_T54_NeitherABrowserNorAStrangerCanAsk) {
  constexpr std::string_view kBody = R"({"issue":"hub/acme/lib#12"})";
  const std::string token = fmt::format("Authorization: Bearer {}\r\n", token_);
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_EQ(StatusOf(Post(kBody, json)), 401);
  EXPECT_EQ(StatusOf(Post(kBody, "Authorization: Bearer \r\n" + json)), 401);
  EXPECT_EQ(StatusOf(Post(kBody, "Authorization: Bearer " + std::string(64, '0') + "\r\n" + json)),
            401);
  EXPECT_EQ(StatusOf(Post(kBody, token)), 415);
  EXPECT_EQ(StatusOf(Post(kBody, token + "Content-Type: text/plain\r\n")), 415);
  EXPECT_EQ(StatusOf(Exchange(dashboard_.Port(),
                              "OPTIONS /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            405);
  EXPECT_TRUE(store_.deliveries.empty());
  EXPECT_EQ(std::filesystem::status(dir_.path() / "api-token").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ApiTest, MistakesAreNamed) {
  EXPECT_THAT(Post("{"), HasSubstr("400"));
  EXPECT_THAT(Post("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(Post(R"({"isue":"x"})"), HasSubstr("unknown key"));
  EXPECT_THAT(Post(R"({"issue":"acme"})"), HasSubstr("write its URL"));
  EXPECT_THAT(Post(R"({"issue":12})"), HasSubstr("write its URL"));
  EXPECT_EQ(StatusOf(Post(std::string(Api::kMaxBodyBytes + 1, ' '))), 413);
  EXPECT_EQ(stored_, 0);
}

TEST_F(ApiTest, TheTokenIsKept) {
  EXPECT_EQ(token_.size(), 64U);
  EXPECT_EQ(EnsureApiToken(dir_.path()).value(), token_);
}

}  // namespace
}  // namespace swage
