// Requests through an HTTP proxy, as a company has one: what it learns, what it refuses, and how
// long it may take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bot/demo/reserved_port.h"
#include "config/base/clock.h"
#include "forge/transport.h"
#include "tests/harness/connect_proxy.h"
#include "tests/harness/tls_front.h"
#include "tests/harness/trap_server.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using test::ConnectProxy;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kToken = "canary-token-8d1f";
constexpr const char* kPassword = "canary-proxy-77aa";

int PortOf(const std::string& url) {
  return std::stoi(url.substr(url.rfind(':') + 1));
}

class TransportProxyTest : public testing::Test {
 protected:
  TransportOptions Options() {
    TransportOptions options;
    options.base_url = "https://forge.test";  // no such name: whoever asks for it must not ask us
    options.headers = {{"Authorization", std::string("Bearer ") + kToken}};
    options.ca_file = front_.ca_file();
    options.proxy.server = {"127.0.0.1", PortOf(proxy_.Url())};
    options.total_timeout = milliseconds(10'000);
    options.sleep = [](milliseconds) {};
    return options;
  }
  std::unique_ptr<HttpTransport> Make(TransportOptions options) {
    auto transport = MakeHttpTransport(std::move(options), clock_);
    EXPECT_TRUE(transport.ok()) << transport.error().message;
    return std::move(*transport);
  }
  Error Failure(TransportOptions options, const char* method = "GET") {
    const auto response = Make(std::move(options))->Send({method, "/x", ""});
    if (response.ok()) {
      ADD_FAILURE() << "answered " << response->status;
      return {};
    }
    EXPECT_THAT(response.error().message,
                AllOf(HasSubstr(proxy_.Url()), Not(HasSubstr(kPassword)), Not(HasSubstr(kToken))));
    return response.error();
  }

  SystemClock clock_;
  TrapServer server_;  // answers 404
  test::TlsFront front_{PortOf(server_.Url())};
  ConnectProxy proxy_{front_.port()};
};

TEST_F(TransportProxyTest, GoesThroughOneTunnelThatTellsTheProxyNothing) {
  const auto transport = Make(Options());
  for (int i = 0; i < 3; ++i) {
    const auto response = transport->Send({"GET", "/secret-path", ""});
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response->status, 404);
  }
  EXPECT_THAT(server_.Seen(), AllOf(SizeIs(3), Each(HasSubstr(kToken))));
  ASSERT_THAT(proxy_.Seen(), SizeIs(1));
  EXPECT_THAT(proxy_.Seen()[0], AllOf(StartsWith("CONNECT forge.test:443 HTTP/1.1\r\n"),
                                      Not(HasSubstr(kToken)), Not(HasSubstr("secret-path"))));
}

TEST_F(TransportProxyTest, Threat_T50_TheProxysCredentialIsForTheProxyAlone) {
  proxy_.Require(std::string("swage:") + kPassword);
  TransportOptions options = Options();
  EXPECT_THAT(Failure(options).message, HasSubstr("(407); it asks for proxy_user"));
  options.proxy.username = "swage";
  options.proxy.password.value = "something-else";
  EXPECT_THAT(Failure(options).message, HasSubstr("(407); it refuses proxy_user"));
  EXPECT_THAT(server_.Seen(), SizeIs(0));

  options.proxy.password.value = kPassword;
  const auto transport = Make(options);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(transport->Send({"GET", "/x", ""}).ok());
  EXPECT_THAT(server_.Seen(), AllOf(SizeIs(2), Each(Not(HasSubstr("Basic ")))));
}

TEST_F(TransportProxyTest, ARefusedTunnelSaysSoAndIsNotAskedForAgain) {
  proxy_.Behave(ConnectProxy::Manner::kRefuse, 403);
  const Error error = Failure(Options());
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("opens no way to https://forge.test:443 (403)"));
  EXPECT_THAT(proxy_.Seen(), SizeIs(1));
}

TEST_F(TransportProxyTest, AProxyThatCannotGetThroughJustNowIsAskedAgainForReads) {
  proxy_.Behave(ConnectProxy::Manner::kRefuse, 503);
  EXPECT_EQ(Failure(Options()).code, ErrorCode::kUnavailable);
  EXPECT_THAT(proxy_.Seen(), SizeIs(HttpTransport::kMaxAttempts));
  Failure(Options(), "POST");
  EXPECT_THAT(proxy_.Seen(), SizeIs(HttpTransport::kMaxAttempts + 1));
}

TEST_F(TransportProxyTest, AProxyThatHangsCostsOneDeadline) {
  proxy_.Behave(ConnectProxy::Manner::kHang);
  TransportOptions options = Options();
  options.total_timeout = milliseconds(300);
  const MonotonicTime before = clock_.Monotonic();
  EXPECT_EQ(Failure(options).code, ErrorCode::kTimeout);
  EXPECT_LT(clock_.Monotonic() - before, std::chrono::seconds(10));
}

TEST_F(TransportProxyTest, AProxyThatHangsUpOrIsNotThereIsNamed) {
  proxy_.Behave(ConnectProxy::Manner::kClose);
  EXPECT_EQ(Failure(Options()).code, ErrorCode::kUnavailable);
  TransportOptions options = Options();
  options.proxy.server.port = demo::ReservedPort::Take().value().number();
  const auto response = Make(options)->Send({"GET", "/x", ""});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr(options.proxy.Address()));
}

// The proxy is between, so it could answer itself: it holds no certificate for the forge.
TEST_F(TransportProxyTest, Threat_T52_ATunnelToSomebodyElseGetsNothing) {
  TransportOptions options = Options();
  options.ca_file.clear();
  const auto response = Make(options)->Send({"GET", "/x", ""});
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(response.error().message, HasSubstr("certificate"));
  EXPECT_THAT(server_.Seen(), SizeIs(0));
}

TEST_F(TransportProxyTest, WhatNeedsNoProxyGoesStraightThere) {
  TransportOptions plain = Options();
  plain.base_url = server_.Url();
  EXPECT_TRUE(Make(plain)->Send({"GET", "/x", ""}).ok());
  TransportOptions spared = Options();
  spared.base_url = front_.Url();
  spared.proxy.bypass = {"127.0.0.1"};
  EXPECT_TRUE(Make(spared)->Send({"GET", "/x", ""}).ok());
  EXPECT_THAT(proxy_.Seen(), SizeIs(0));
}

}  // namespace
}  // namespace swage
