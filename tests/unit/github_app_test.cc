// How a GitHub App signs in: its claim, the tokens that it buys, and what it does when they are
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/app_transport.h"
#include "forge/github/github_forge.h"
#include "forge/github/traffic.h"
#include "forge/http_date.h"
#include "forge/rest_reply.h"
#include "tests/harness/manual_clock.h"

namespace swage {
namespace {

using namespace std::chrono_literals;
using github::AppScope;
using github::AppTokens;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const RsaKey& TestKey() {
  static const RsaKey kKey = RsaKey::Generate();
  return kKey;
}

json Decoded(std::string_view part) {
  std::string text(part);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return *ParseJson(*Base64Decode(text));
}

// A GitHub that knows one App with two installations, and the clock that tokens end by.
class AppServer final : public HttpTransport {
 public:
  explicit AppServer(const Clock& clock) : clock_(clock) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    const std::lock_guard lock(mutex_);
    requests.push_back(request);
    HttpResponse response = Answer(request);
    response.headers["date"] = FormatHttpDate(clock_.Now() + ahead);
    return response;
  }

  std::vector<HttpRequest> Sent(std::string_view path) const {
    std::vector<HttpRequest> found;
    for (const HttpRequest& request : requests) {
      if (request.path.find(path) != std::string::npos) found.push_back(request);
    }
    return found;
  }
  std::size_t Bought() const { return Sent("access_tokens").size(); }

  std::vector<HttpRequest> requests;
  std::map<std::string, int> installation_of = {{"acme/lib", 1}, {"acme/app", 1}, {"beta/x", 2}};
  std::map<std::string, int> repo_ids = {{"acme/lib", 71}, {"acme/app", 72}, {"beta/x", 73}};
  std::set<int> suspended;
  std::set<std::string> revoked;
  std::chrono::seconds ahead{0};  ///< its clock before ours
  bool lacks_checks = false;

 private:
  static HttpResponse Reply(int status, const json& body) { return {status, {}, body.dump()}; }

  HttpResponse Answer(const HttpRequest& request) {
    const std::string bearer = request.authorization.substr(0, 7) == "Bearer "
                                   ? request.authorization.substr(7)
                                   : request.authorization;
    const std::string path = request.path.substr(0, request.path.find('?'));
    const bool as_app = path.starts_with("/app") || path.ends_with("/installation");
    if (as_app && !IsGoodClaim(bearer)) return Reply(401, {{"message", "Bad claim"}});
    if (path == "/app") return Reply(200, {{"slug", "swage"}});
    if (path == "/app/installations") return Installations();
    if (path.ends_with("/access_tokens")) return Sell(request);
    const std::string repo = github::RepoOfPath(path);
    if (path.ends_with("/installation")) {
      if (!installation_of.contains(repo)) return Reply(404, {{"message", "Not Found"}});
      const int id = installation_of[repo];
      return Reply(
          200, {{"id", id},
                {"suspended_at", suspended.contains(id) ? json("2026-01-01T00:00:00Z") : json()}});
    }
    if (revoked.contains(bearer) || !sold_.contains(bearer)) {
      return Reply(401, {{"message", "Bad credentials"}});
    }
    if (suspended.contains(sold_[bearer])) {
      return Reply(403, {{"message", "This installation has been suspended"}});
    }
    if (path.starts_with("/repos/")) return Reply(200, {{"id", repo_ids[repo]}});
    return Reply(200, {{"id", 9}, {"login", "swage[bot]"}, {"type", "Bot"}});
  }

  bool IsGoodClaim(const std::string& claim) {
    const auto parts = Split(claim, '.');
    if (parts.size() != 3) return false;
    const std::int64_t now = ToMicros(clock_.Now() + ahead) / 1'000'000;
    const json body = Decoded(parts[1]);
    return body["iat"] <= now && body["exp"] > now && body["exp"] <= now + 600 &&
           body["iss"] == "4711";
  }

  HttpResponse Installations() {
    json list = json::array();
    for (const int id : {1, 2}) {
      list.push_back(
          {{"id", id},
           {"account", {{"login", id == 1 ? "acme" : "beta"}}},
           {"suspended_at", suspended.contains(id) ? json("2026-01-01T00:00:00Z") : json()}});
    }
    return Reply(200, list);
  }

  HttpResponse Sell(const HttpRequest& request) {
    const int installation = static_cast<int>(*ParseInt(Split(request.path, '/')[3]));
    if (suspended.contains(installation)) {
      return Reply(403, {{"message", "This installation has been suspended"}});
    }
    const json body = *ParseJson(request.body);
    if (lacks_checks && body["permissions"].contains("checks")) {
      return Reply(
          422, {{"message", "The permissions requested are not granted to this installation."}});
    }
    const std::string token = "ghs_canary" + std::to_string(++count_);
    sold_[token] = installation;
    return Reply(201, {{"token", token}, {"expires_at", FormatUtc(clock_.Now() + ahead + 1h)}});
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, int> sold_;
  int count_ = 0;
};

class GitHubAppTest : public testing::Test {
 protected:
  GitHubAppTest() {
    auto server = std::make_unique<AppServer>(clock_);
    server_ = server.get();
    tokens_ = std::make_shared<AppTokens>("4711", *RsaKey::ReadPrivate(TestKey().PrivatePem()), "",
                                          clock_, redactor_);
    transport_ = github::MakeAppTransport(std::move(server), tokens_);
  }

  int Get(const std::string& path) {
    const auto response = transport_->Send({"GET", path, ""});
    return response.ok() ? response->status : -static_cast<int>(response.error().code);
  }
  std::vector<std::string> Wanted() {
    std::vector<std::string> wanted;
    for (const HttpRequest& request : server_->Sent("access_tokens")) {
      wanted.push_back(request.path + " " + request.body);
    }
    return wanted;
  }

  ManualClock clock_;
  Redactor redactor_;
  AppServer* server_ = nullptr;
  std::shared_ptr<AppTokens> tokens_;
  std::unique_ptr<HttpTransport> transport_;
};

TEST(RsaKeyTest, SignsWhatItVerifiesAndNothingElse) {
  const std::string signature = TestKey().Sign("text");
  EXPECT_EQ(signature.size(), 256U);
  EXPECT_TRUE(TestKey().Verify("text", signature));
  EXPECT_FALSE(TestKey().Verify("texT", signature));
  EXPECT_FALSE(TestKey().Verify("text", signature.substr(1)));
  EXPECT_FALSE(TestKey().Verify("text", ""));
}

TEST(RsaKeyTest, RefusesWhatIsNoKeyWithoutRepeatingIt) {
  const std::string good = TestKey().PrivatePem();
  EXPECT_TRUE(RsaKey::ReadPrivate(good).ok());
  EXPECT_TRUE(RsaKey::ReadPrivate("# a comment\n" + good + "\n\n").ok());
  for (const std::string& bad :
       {std::string(), std::string("canary-canary"), good.substr(0, good.size() / 2),
        std::string("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n")}) {
    const auto key = RsaKey::ReadPrivate(bad);
    ASSERT_FALSE(key.ok());
    EXPECT_THAT(key.error().message, Not(HasSubstr("canary")));
  }
  EVP_PKEY* const curve = EVP_EC_gen("P-256");
  BIO* const out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(out, curve, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  const auto key = RsaKey::ReadPrivate(std::string_view(text, static_cast<std::size_t>(size)));
  BIO_free_all(out);
  EVP_PKEY_free(curve);
  ASSERT_FALSE(key.ok());
  EXPECT_THAT(key.error().message, HasSubstr("not of RSA"));
}

TEST_F(GitHubAppTest, ClaimIsSignedBackdatedAndShort) {
  EXPECT_EQ(Get("/repos/acme/lib/issues/1"), 200);
  const std::string claim = server_->Sent("/installation").front().authorization.substr(7);
  const auto parts = Split(claim, '.');
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(Decoded(parts[0]), (json{{"alg", "RS256"}, {"typ", "JWT"}}));
  const json body = Decoded(parts[1]);
  const std::int64_t now = ToMicros(clock_.Now()) / 1'000'000;
  EXPECT_EQ(body["iss"], "4711");
  EXPECT_EQ(body["iat"], now - 60);
  EXPECT_EQ(body["exp"], now + 540);
  std::string signature(parts[2]);
  for (char& c : signature) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (signature.size() % 4 != 0) signature += '=';
  EXPECT_TRUE(TestKey().Verify(claim.substr(0, claim.rfind('.')), *Base64Decode(signature)));
  EXPECT_EQ(redactor_.Apply(claim), "[redacted]");
}

TEST_F(GitHubAppTest, ClaimIsKeptUntilShortlyBeforeItsEnd) {
  const auto claims = [&] {
    std::set<std::string> seen;
    for (const HttpRequest& request : server_->Sent("/installation")) {
      seen.insert(request.authorization);
    }
    return seen.size();
  };
  Get("/repos/acme/lib");
  clock_.Advance(7min);
  Get("/repos/beta/x");
  EXPECT_EQ(claims(), 1U);
  clock_.Advance(2min);
  Get("/repos/acme/app");
  EXPECT_EQ(claims(), 2U);
}

TEST_F(GitHubAppTest, TokensAreNarrowedToOneRepositoryAndItsNeeds) {
  Get("/repos/acme/lib/pulls");
  ASSERT_THAT(
      Wanted(),
      ElementsAre(R"(/app/installations/1/access_tokens {"permissions":{"metadata":"read"}})",
                  R"(/app/installations/1/access_tokens {"permissions":{"checks":"write",)"
                  R"("contents":"read","issues":"write","metadata":"read",)"
                  R"("pull_requests":"write"},"repository_ids":[71]})"));
  server_->requests.clear();
  RestClient rest(std::move(transport_), {});
  ASSERT_TRUE(tokens_->TokenFor(rest, "acme/lib", AppScope::kPush).ok());
  ASSERT_TRUE(tokens_->TokenFor(rest, "Acme/Lib", AppScope::kFetch).ok());
  EXPECT_THAT(
      Wanted(),
      ElementsAre(R"(/app/installations/1/access_tokens {"permissions":{"contents":"write",)"
                  R"("metadata":"read"},"repository_ids":[71]})",
                  R"(/app/installations/1/access_tokens {"permissions":{"contents":"read",)"
                  R"("metadata":"read"},"repository_ids":[71]})"));
}

TEST_F(GitHubAppTest, ATokenServesUntilFiveMinutesBeforeItsEnd) {
  Get("/repos/acme/lib");
  const std::size_t bought = server_->Bought();
  Get("/repos/acme/lib/issues/1");
  clock_.Advance(54min);
  Get("/repos/acme/lib/issues/2");
  EXPECT_EQ(server_->Bought(), bought) << "the place is asked anew, with the same tokens";
  clock_.Advance(2min);
  Get("/repos/acme/lib/issues/3");
  EXPECT_GT(server_->Bought(), bought);
  EXPECT_NE(server_->Sent("issues/3").front().authorization,
            server_->Sent("issues/2").front().authorization);
}

TEST_F(GitHubAppTest, EveryInstallationHasItsOwn) {
  EXPECT_EQ(Get("/repos/acme/lib/issues/1"), 200);
  EXPECT_EQ(Get("/repos/beta/x/issues/1"), 200);
  EXPECT_NE(server_->Sent("acme/lib/issues").front().authorization,
            server_->Sent("beta/x/issues").front().authorization);
  EXPECT_THAT(Wanted().back(), HasSubstr("/app/installations/2/"));
  EXPECT_THAT(Wanted().back(), HasSubstr("[73]"));
}

TEST_F(GitHubAppTest, ATokenThatIsRefusedIsBoughtAnewOnce) {
  Get("/repos/acme/lib/issues/1");
  const std::string first = server_->Sent("issues/1").front().authorization;
  server_->revoked.insert(first.substr(7));
  EXPECT_EQ(Get("/repos/acme/lib/issues/2"), 200);
  ASSERT_EQ(server_->Sent("issues/2").size(), 2U);
  EXPECT_NE(server_->Sent("issues/2").back().authorization, first);
  for (int i = 0; i < 20; ++i) server_->revoked.insert("ghs_canary" + std::to_string(i));
  EXPECT_EQ(Get("/repos/acme/lib/issues/3"), 401);
  EXPECT_EQ(server_->Sent("issues/3").size(), 2U) << "never more than once";
}

TEST_F(GitHubAppTest, WhatAPersonMustLiftSaysSoAndWhenToAskAgain) {
  const auto error = [&](const std::string& path) {
    const auto response = transport_->Send({"GET", path, ""});
    EXPECT_FALSE(response.ok());
    EXPECT_EQ(response.error().code, ErrorCode::kDenied) << response.error().message;
    EXPECT_EQ(response.error().retry_after, 60s);
    return response.error().message;
  };
  EXPECT_THAT(error("/repos/nobody/here/issues/1"), HasSubstr("not installed for nobody/here"));
  ASSERT_EQ(Get("/repos/acme/lib/issues/1"), 200);
  server_->suspended = {1, 2};
  EXPECT_THAT(error("/repos/acme/lib/issues/2"), HasSubstr("suspended"));
  EXPECT_THAT(error("/repos/beta/x/issues/2"), HasSubstr("suspended"));
  server_->suspended.clear();
  tokens_->Forget();
  EXPECT_EQ(Get("/repos/acme/lib/issues/3"), 200);
  EXPECT_EQ(Get("/repos/beta/x/issues/3"), 200);
  server_->lacks_checks = true;
  tokens_->Forget();
  EXPECT_THAT(error("/repos/acme/lib/issues/4"), HasSubstr("swage doctor forges"));
}

TEST_F(GitHubAppTest, WhatIsOfNoRepositoryIsAskedThroughWhicheverInstallationIsThere) {
  EXPECT_EQ(Get("/users/ann"), 200);
  EXPECT_THAT(Wanted().back(), HasSubstr("/app/installations/1/"));
  server_->suspended = {1};
  EXPECT_EQ(Get("/users/bob"), 200);
  EXPECT_THAT(Wanted().back(), HasSubstr("/app/installations/2/"));
}

TEST_F(GitHubAppTest, AWrongClockIsSetRightByTheForges) {
  server_->ahead = -3h;
  EXPECT_EQ(Get("/repos/acme/lib/issues/1"), 200);
  const std::size_t asked = server_->requests.size();
  EXPECT_EQ(Get("/repos/acme/lib/issues/2"), 200);
  EXPECT_EQ(server_->requests.size(), asked + 1) << "and the token lasts all the same";
  clock_.Advance(56min);
  EXPECT_EQ(Get("/repos/acme/lib/issues/3"), 200);
}

TEST_F(GitHubAppTest, ARefusedAppIsToldFromARefusedToken) {
  tokens_ = std::make_shared<AppTokens>("1", *RsaKey::ReadPrivate(TestKey().PrivatePem()), "",
                                        clock_, redactor_);
  transport_ = github::MakeAppTransport(std::make_unique<AppServer>(clock_), tokens_);
  const auto response = transport_->Send({"GET", "/repos/acme/lib/issues/1", ""});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(response.error().message, HasSubstr("app_id and private_key"));
}

TEST_F(GitHubAppTest, OneBuysAndTheOthersWait) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(Get("/repos/acme/lib/issues/1"), 200); });
  }
  threads.clear();
  EXPECT_EQ(server_->Bought(), 2U) << "one to look, one to work";
}

TEST_F(GitHubAppTest, WhatWasBoughtIsInNoText) {
  Get("/repos/acme/lib/issues/1");
  const std::string token = server_->Sent("issues/1").front().authorization;
  EXPECT_THAT(redactor_.Apply("log: " + token), Not(HasSubstr("canary")));
}

TEST(AppRightsTest, NamesWhatIsWantingAsGitHubsPagesDo) {
  EXPECT_THAT(github::MissingPermissions({{"metadata", "read"},
                                          {"contents", "read"},
                                          {"issues", "write"},
                                          {"pull_requests", "admin"}}),
              ElementsAre("Contents: read and write", "Checks: read and write"));
  EXPECT_THAT(github::MissingEvents(
                  json::array({"issues", "push", 3, "pull_request", "pull_request_review"})),
              ElementsAre("Issue comment", "Pull request review comment"));
  EXPECT_EQ(github::MissingEvents(nullptr).size(), 5U);
  EXPECT_THAT(github::PermissionsOf(AppScope::kLook).dump(), R"({"metadata":"read"})");
}

TEST(GitHubTraffic, CountsPerInstallationAndKnowsWhatPeopleAreToldOf) {
  const auto traffic = [](const char* method, const char* path, const char* repo = "") {
    HttpRequest request{method, path, ""};
    request.repo = repo;
    return github::AppTraffic(request);
  };
  EXPECT_EQ(traffic("GET", "/repos/Acme/lib/issues/1").account, "acme");
  EXPECT_EQ(traffic("POST", "/graphql", "Acme/lib").account, "acme");
  EXPECT_EQ(traffic("GET", "/installation/repositories", "beta/").account, "beta");
  EXPECT_EQ(traffic("GET", "/app").account, "");
  EXPECT_EQ(github::AccountTraffic({"GET", "/repos/acme/lib", ""}).account, "");
  EXPECT_FALSE(traffic("GET", "/repos/acme/lib/issues/1/comments").writes);
  for (const char* path :
       {"/repos/a/b/issues/1/comments", "/repos/a/b/pulls", "/repos/a/b/pulls/1/reviews"}) {
    EXPECT_TRUE(traffic("POST", path).makes_content) << path;
  }
  for (const char* path : {"/repos/a/b/statuses/0123", "/repos/a/b/check-runs/7",
                           "/repos/a/b/issues/1/reactions", "/graphql"}) {
    EXPECT_TRUE(traffic("POST", path).writes);
    EXPECT_FALSE(traffic("POST", path).makes_content) << path;
  }
}

TEST(AppTransportTest, FindsTheRepositoryInAPath) {
  EXPECT_EQ(github::RepoOfPath("/repos/o/r/issues/1"), "o/r");
  EXPECT_EQ(github::RepoOfPath("/repos/o/a%20b?x=/y"), "o/a b");
  EXPECT_EQ(github::RepoOfPath("/repos/o"), "");
  EXPECT_EQ(github::RepoOfPath("/users/x"), "");
}

}  // namespace
}  // namespace swage
