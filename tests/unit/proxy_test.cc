#include "config/proxy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace swage {
namespace {

// The environment of one test: these variables and no others of their kind.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& set) {
    for (const char* name : kNames) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      unsetenv(name);
    }
    for (const auto& [name, value] : set) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const char* name : kNames) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static constexpr const char* kNames[] = {"https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"};
  std::map<std::string, std::string> before_;
};

Result<Proxy> With(const std::map<std::string, std::string>& variables) {
  const Environment environment(variables);
  return ProxyOfEnvironment();
}

TEST(Proxy, ServesHttpsAndNothingElse) {
  Proxy proxy;
  EXPECT_FALSE(proxy.Serves("https://api.github.com"));
  proxy.server = {"proxy", 3128};
  EXPECT_TRUE(proxy.Serves("https://api.github.com/x"));
  EXPECT_TRUE(proxy.Serves("https://127.0.0.1:8443"));
  EXPECT_FALSE(proxy.Serves("http://127.0.0.1:3000"));
  EXPECT_FALSE(proxy.Serves("ssh://git@host/x.git"));
  EXPECT_FALSE(proxy.Serves(""));
}

TEST(Proxy, LeavesOutWhatTheListNames) {
  Proxy proxy;
  proxy.server = {"proxy", 3128};
  const auto spared = [&](const std::string& entry, const std::string& url) {
    proxy.bypass = {"other.test", entry};
    return !proxy.Serves(url);
  };
  for (const char* entry : {"example.com", ".example.com", "*.example.com", "*", "git.example.com",
                            "git.example.com:443"}) {
    EXPECT_TRUE(spared(entry, "https://git.example.com/a/b.git")) << entry;
    EXPECT_TRUE(spared(entry, "https://GIT.example.com")) << entry;
  }
  for (const char* entry : {"ample.com", "com.", "git.example.com:8443", "gitXexample.com", "."}) {
    EXPECT_FALSE(spared(entry, "https://git.example.com")) << entry;
  }
  EXPECT_TRUE(spared("git.example.com:8443", "https://git.example.com:8443"));
  EXPECT_TRUE(spared("10.1.2.3", "https://10.1.2.3"));
  EXPECT_FALSE(spared("10.1.2.3", "https://10.1.2.30"));
}

TEST(Proxy, ReadsTheEnvironmentAsOtherProgramsDo) {
  EXPECT_FALSE(With({}).value().Given());
  EXPECT_FALSE(With({{"HTTPS_PROXY", ""}}).value().Given());
  const Proxy upper = With({{"HTTPS_PROXY", "http://proxy:3128/"}}).value();
  EXPECT_EQ(upper.Address(), "http://proxy:3128");
  EXPECT_EQ(upper.AddressWithCredential(), "http://proxy:3128");
  EXPECT_EQ(With({{"HTTPS_PROXY", "http://b:2"}, {"https_proxy", "a:1"}}).value().Address(),
            "http://a:1");
  EXPECT_EQ(With({{"https_proxy", "http://[fd00::1]"}}).value().Address(), "http://[fd00::1]:80");
  const Proxy known =
      With({{"https_proxy", "http://me:p%40ss%3aw@proxy:1"}, {"NO_PROXY", "a.test, .B.test c"}})
          .value();
  EXPECT_EQ(known.username, "me");
  EXPECT_EQ(known.password.value, "p@ss:w");
  EXPECT_EQ(known.AddressWithCredential(), "http://me:p%40ss%3Aw@proxy:1");
  EXPECT_EQ(known.bypass, (std::vector<std::string>{"a.test", ".b.test", "c"}));
}

// A proxy for every program on the machine is not meant for the machine itself.
TEST(Proxy, ThatOfTheEnvironmentSparesThisMachine) {
  const Proxy proxy = With({{"https_proxy", "http://proxy:1"}}).value();
  EXPECT_TRUE(proxy.Serves("https://example.com"));
  for (const char* url : {"https://localhost:3000", "https://127.0.0.2", "https://[::1]:1"}) {
    EXPECT_FALSE(proxy.Serves(url)) << url;
  }
}

TEST(Proxy, RefusesOtherKindsWithoutRepeatingThem) {
  for (const char* value :
       {"socks5://me:canary-pw@proxy:1", "https://me:canary-pw@proxy", "http://me:canary-pw@",
        "http://me:canary-pw@proxy:99999", "http://me:canary-pw%zz@proxy:1",
        "http://me:canary-pw@proxy/path", "http://me:canary-pw@pro xy"}) {
    const auto proxy = With({{"HTTPS_PROXY", value}});
    ASSERT_FALSE(proxy.ok()) << value;
    EXPECT_EQ(proxy.error().message.find("canary-pw"), std::string::npos) << proxy.error().message;
  }
}

}  // namespace
}  // namespace swage
