// The allow-list, the record of what it refused, and the requests that clients make.
#include "pipeline/isolation/egress.h"

#include <gtest/gtest.h>

#include "pipeline/agent_presets.h"
#include "pipeline/isolation/egress_request.h"

namespace swage {
namespace {

EgressList List(const std::vector<std::string>& entries) {
  auto list = EgressList::Parse(entries);
  EXPECT_TRUE(list.ok()) << (list.ok() ? "" : list.error().message);
  return list.ok() ? *list : EgressList();
}

TEST(EgressList, AllowsExactlyTheHostsAndPortsItNames) {
  const EgressList list = List({"api.example.com", "registry.example.org:8443"});
  EXPECT_TRUE(list.AllowsHost("api.example.com", 443));
  EXPECT_TRUE(list.AllowsHost("registry.example.org", 8443));
  EXPECT_FALSE(list.AllowsHost("api.example.com", 80));
  EXPECT_FALSE(list.AllowsHost("registry.example.org", 443));
  EXPECT_FALSE(list.AllowsHost("example.com", 443));
  EXPECT_FALSE(list.AllowsHost("x.api.example.com", 443));
  EXPECT_FALSE(list.AllowsHost("api.example.com.evil.test", 443));
  EXPECT_FALSE(EgressList().AllowsHost("api.example.com", 443));
}

TEST(EgressList, AStarStandsForEverythingBelowANameAndNotForTheName) {
  const EgressList list = List({"*.Example.com:443"});
  EXPECT_TRUE(list.AllowsHost("a.example.com", 443));
  EXPECT_TRUE(list.AllowsHost("a.b.example.com", 443));
  EXPECT_FALSE(list.AllowsHost("example.com", 443));
  EXPECT_FALSE(list.AllowsHost("evilexample.com", 443));
}

TEST(EgressList, AddressesAreAllowedOnlyAsThemselves) {
  const EgressList list = List({"*.example.com", "192.168.1.5:8080", "[2001:db8::1]:80"});
  EXPECT_TRUE(list.AllowsHost("192.168.1.5", 8080));
  EXPECT_TRUE(list.AllowsHost("2001:db8::1", 80));
  EXPECT_FALSE(list.AllowsHost("192.168.1.5", 443));
  EXPECT_FALSE(list.AllowsHost("93.184.216.34", 443));
  EXPECT_TRUE(list.AllowsAddress(*ParseIp("192.168.1.5")));
  EXPECT_FALSE(list.AllowsAddress(*ParseIp("192.168.1.6")));
}

TEST(EgressList, ANameMayNotPointIntoThePrivateNetworkUnlessThatIsNamed) {
  for (const char* text : {"127.0.0.1",   "10.1.2.3",         "172.16.0.1",      "172.31.255.255",
                           "192.168.0.1", "169.254.169.254",  "100.64.0.1",      "0.0.0.0",
                           "224.0.0.1",   "255.255.255.255",  "198.18.0.1",      "::",
                           "::1",         "fe80::1",          "fc00::1",         "fd12::1",
                           "ff02::1",     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
                           "2001::1",     "2001:db8::1"}) {
    ASSERT_TRUE(ParseIp(text)) << text;
    EXPECT_FALSE(IsPublic(*ParseIp(text))) << text;
  }
  for (const char* text : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"}) {
    EXPECT_TRUE(IsPublic(*ParseIp(text))) << text;
  }
  const EgressList list = List({"registry.internal", "10.0.0.0/8", "fd00::/16"});
  EXPECT_TRUE(list.AllowsAddress(*ParseIp("10.200.3.4")));
  EXPECT_TRUE(list.AllowsAddress(*ParseIp("fd00::9")));
  EXPECT_FALSE(list.AllowsAddress(*ParseIp("11.0.0.1")) && !IsPublic(*ParseIp("11.0.0.1")));
  EXPECT_FALSE(list.AllowsAddress(*ParseIp("127.0.0.1")));
  EXPECT_FALSE(list.AllowsHost("10.200.3.4", 443));  // a network allows no request by address
}

TEST(EgressList, BadEntriesAreNamedWithWhatWouldBeRight) {
  for (const char* entry : {"", "*", "*.", "http://example.com", "example.com:0", "example.com:x",
                            "example.com:", "a..b", "10.0.0.0/33", "x/8", "*.10.0.0.1", "127.1",
                            "0x7f000001", "2130706433", "ex ample.com", "-a.com", "a\nb.com"}) {
    const auto list = EgressList::Parse({entry});
    ASSERT_FALSE(list.ok()) << entry;
    EXPECT_NE(list.error().message.find("write for example"), std::string::npos);
  }
}

TEST(EgressList, APolicyMayAskForWhatTheServerCovers) {
  const EgressList server = List({"*.npmjs.org", "pypi.org", "10.0.0.0/8", "10.1.1.1:80"});
  for (const char* entry : {"registry.npmjs.org", "*.registry.npmjs.org", "*.npmjs.org",
                            "PyPI.org:443", "10.2.0.0/16", "10.1.1.1:80"}) {
    EXPECT_TRUE(server.Covers(entry)) << entry;
  }
  for (const char* entry : {"npmjs.org", "*.org", "pypi.org:80", "evil.test", "0.0.0.0/0",
                            "10.1.1.2:80", "127.0.0.1", "nonsense entry"}) {
    EXPECT_FALSE(server.Covers(entry)) << entry;
  }
}

TEST(EgressRecord, KeepsEachHostOnceAndIsBounded) {
  EgressRecord record;
  for (int i = 0; i < 3; ++i) record.Add("evil.test", 443, "not on the allow-list");
  for (int i = 0; i < 200; ++i) record.Add("h" + std::to_string(i) + ".test", 80, "x");
  const auto refused = record.Refused();
  ASSERT_EQ(refused.size(), EgressRecord::kMaxHosts);
  EXPECT_EQ(refused.front().host, "evil.test");
  EXPECT_EQ(refused.front().times, 3);
  EXPECT_EQ(refused.front().reason, "not on the allow-list");
}

TEST(AllowedEgress, AddsPresetAndPolicyWithinWhatTheServerGrants) {
  Settings settings;
  settings.agent.preset = "codex";
  settings.egress.allow = {"git.example.com"};
  settings.egress.may_allow = {"*.npmjs.org"};
  RepoPolicy policy;
  policy.egress_allow = {"registry.npmjs.org", "evil.test", "git.example.com"};
  std::vector<std::string> beyond;
  const EgressList list = AllowedEgress(settings, policy, beyond);
  EXPECT_TRUE(list.AllowsHost("api.openai.com", 443));
  EXPECT_TRUE(list.AllowsHost("git.example.com", 443));
  EXPECT_TRUE(list.AllowsHost("registry.npmjs.org", 443));
  EXPECT_FALSE(list.AllowsHost("other.npmjs.org", 443));
  EXPECT_FALSE(list.AllowsHost("evil.test", 443));
  EXPECT_EQ(beyond, std::vector<std::string>{"evil.test"});
  settings.egress.preset_hosts = false;
  EXPECT_FALSE(AllowedEgress(settings, {}, beyond).AllowsHost("api.openai.com", 443));
}

TEST(AllowedEgress, EveryPresetNamesHostsThatCanBeRead) {
  for (const AgentPreset& preset : BuiltInPresets()) {
    EXPECT_FALSE(preset.hosts.empty()) << preset.name;
    EXPECT_TRUE(EgressList::Parse(preset.hosts).ok()) << preset.name;
  }
}

TEST(EgressEnvironment, NamesTheProxyInEveryWayThatToolsLookForIt) {
  const auto env = EgressEnvironment();
  for (const char* name :
       {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) {
    EXPECT_EQ(env.at(name), "http://127.0.0.1:3128");
  }
  EXPECT_EQ(env.at("NODE_USE_ENV_PROXY"), "1");
  EXPECT_EQ(env.at("NO_PROXY"), env.at("no_proxy"));
}

EgressRequest Parsed(std::string_view head) {
  const auto request = ParseEgressRequest(head);
  EXPECT_TRUE(request.ok()) << (request.ok() ? "" : request.error().message);
  return request.ok() ? *request : EgressRequest();
}

TEST(EgressRequest, ReadsATunnel) {
  const EgressRequest request =
      Parsed("CONNECT API.Example.com.:443 HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n");
  EXPECT_TRUE(request.tunnel);
  EXPECT_EQ(request.host, "api.example.com");
  EXPECT_EQ(request.port, 443);
  EXPECT_EQ(Parsed("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n").host, "2001:db8::1");
}

TEST(EgressRequest, APlainRequestIsMadeAnewForTheHostInItsAddress) {
  const EgressRequest request = Parsed(
      "POST http://Example.com:8080/a?b=1#c HTTP/1.1\r\nHost: other.test\r\nProxy-Connection: "
      "keep-alive\r\nProxy-Authorization: Basic eDp5\r\nAccept: */*\r\nUpgrade: h2c\r\n"
      "Content-Length: 5\r\n\r\n");
  EXPECT_FALSE(request.tunnel);
  EXPECT_EQ(request.host, "example.com");
  EXPECT_EQ(request.port, 8080);
  EXPECT_EQ(request.body_bytes, 5u);
  EXPECT_EQ(request.head,
            "POST /a?b=1 HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\nContent-Length: "
            "5\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(Parsed("GET http://example.com?x HTTP/1.0\r\n\r\n").head.substr(0, 9), "GET /?x H");
}

TEST(EgressRequest, RefusesWhatTwoPartiesMayReadInTwoWays) {
  for (const std::string_view head :
       {std::string_view("GET http://a.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string_view(
            "GET http://a.test/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/1.1\r\nHost : b.test\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/1.1\nHost: b\n\r\n\r\n"),
        std::string_view("GET http://a.test/\r HTTP/1.1\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/1.1\r\nA: \0b\r\n\r\n", 38),
        std::string_view("GET http://a.test@b.test/ HTTP/1.1\r\n\r\n"),
        std::string_view("GET http://a.test\\.b.test/ HTTP/1.1\r\n\r\n"),
        std::string_view("GET http:// HTTP/1.1\r\n\r\n"),
        std::string_view("GET https://a.test/ HTTP/1.1\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        std::string_view("GET  http://a.test/ HTTP/1.1\r\n\r\n"),
        std::string_view("GET http://a.test/ HTTP/2\r\n\r\n"),
        std::string_view("CONNECT a.test HTTP/1.1\r\n\r\n"),
        std::string_view("CONNECT a.test:99999 HTTP/1.1\r\n\r\n"),
        std::string_view("CONNECT http://a.test:443 HTTP/1.1\r\n\r\n"),
        std::string_view("CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n"),
        std::string_view("\r\n\r\n"),
        std::string_view("")}) {
    const auto request = ParseEgressRequest(head);
    ASSERT_FALSE(request.ok()) << head;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace swage
