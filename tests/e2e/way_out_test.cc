// The main job where the forge has a certificate of a private authority and is reached through a
// company's proxy only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "config/base/text.h"
#include "forge/origin.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/connect_proxy.h"
#include "tests/harness/leaks.h"
#include "tests/harness/tls_front.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kPassword = "canary-proxy-5d0c";
constexpr const char* kForge = "https://forge.test";  // nobody but the proxy knows that name

int PortOf(const std::string& url) {
  return ParseRequestUrl(url).value().origin.port;
}

// The box's forge behind TLS, and the box told of the two ways there.
class FarForge {
 public:
  explicit FarForge(Box& box) : box_(box) {}

  const std::string& proxy_url() const { return proxy_url_; }
  ConnectProxy& proxy() { return proxy_; }
  TlsFront& front() { return front_; }
  /// `lines`: of the forge's entry, with four blanks before each.
  void Tell(const std::string& url, const std::string& lines) {
    box_.EditConfig(box_.forge().Url(), url);  // api_url
    box_.EditConfig(box_.forge().Url(), url);  // git_url
    box_.EditConfig("  - name: box\n",
                    "  - name: box\n    ca_file: " + front_.ca_file().string() + "\n" + lines);
  }

 private:
  Box& box_;
  TlsFront front_{PortOf(box_.forge().Url())};
  ConnectProxy proxy_{front_.port()};
  const std::string proxy_url_ = proxy_.Url();
};

class WayOut : public DialectTest {
 protected:
  BoxOptions Stopped(bool app) const {
    BoxOptions options =
        Options(AnswerRepo(), "env > \"$(dirname \"$0\")/env\"\n" + TwoCycleAgent());
    options.app = app;
    options.start = false;
    return options;
  }
  static void ExpectTheJobDone(Box& box) {
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.ServerLog();
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), box.Pulls()[0].head_ref, "answer.txt"), "42\n");
    const std::string env = ReadFile(box.dir() / "env", 1 << 20).value();
    EXPECT_THAT(ToLower(env), AllOf(HasSubstr("path="), Not(HasSubstr("proxy"))));
  }
};

TEST_P(WayOut, Threat_T52_APrivateAuthorityIsTrustedForApiAndGit) {
  Box box(Stopped(false));
  FarForge far(box);
  far.Tell(far.front().Url(), "    proxy: none\n");
  box.StartServer();
  ExpectTheJobDone(box);
  EXPECT_THAT(far.proxy().Seen(), IsEmpty());
}

TEST_P(WayOut, Threat_T49_EverythingGoesThroughTheProxyWhichLearnsOnlyItsOwnCredential) {
  Box box(Stopped(false));
  FarForge far(box);
  far.proxy().Require(std::string("swage:") + kPassword);
  std::ofstream(box.dir() / "proxy-password") << kPassword;
  far.Tell(kForge, "    proxy: " + far.proxy_url() +
                       "\n    proxy_user: swage\n    proxy_password: file:" +
                       (box.dir() / "proxy-password").string() + "\n");
  ArgvWatch watch(FormsOf(kPassword));
  box.StartServer();
  ExpectTheJobDone(box);
  EXPECT_THAT(far.proxy().Seen(), AllOf(Not(IsEmpty()), Each(StartsWith("CONNECT forge.test:443")),
                                        Each(Not(HasSubstr(box.bot_token())))));
  EXPECT_THAT(watch.Stop(), IsEmpty());
  EXPECT_THAT(LeaksOf(box, FormsOf(kPassword)), IsEmpty());
}

TEST_P(WayOut, TheEnvironmentsProxyServesWhenTheFileNamesNone) {
  Box box(Stopped(false));
  FarForge far(box);
  far.Tell(kForge, "");
  box.StartServerWith({{"HTTPS_PROXY", far.proxy_url()}, {"NO_PROXY", "other.test"}});
  ExpectTheJobDone(box);
  EXPECT_THAT(far.proxy().Seen(), Not(IsEmpty()));
}

TEST_P(WayOut, DoctorNamesTheProxyThatIsInTheWay) {
  Box box(Stopped(false));
  FarForge far(box);
  far.Tell(kForge, "    proxy: " + far.proxy_url() + "\n");
  const auto well = box.Run({"doctor", "forges"});
  EXPECT_EQ(well.code, 0) << well.out << well.err;
  far.proxy().Behave(ConnectProxy::Manner::kRefuse, 403);
  const auto ill = box.Run({"doctor", "forges"});
  EXPECT_EQ(ill.code, 1);
  EXPECT_THAT(ill.err, AllOf(HasSubstr("the proxy " + far.proxy_url()), HasSubstr("(403)"),
                             Not(HasSubstr(box.bot_token()))));
}

SWAGE_EVERY_DIALECT(WayOut);

// An App's tokens are bought and spent there, too.
TEST(WayOutOfAnApp, GoesThroughTheProxyToAPrivateAuthority) {
  BoxOptions options;
  options.app = true;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.start = false;
  Box box(std::move(options));
  FarForge far(box);
  far.Tell(kForge, "    proxy: " + far.proxy_url() + "\n");
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.ServerLog();
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_EQ(box.Run({"doctor", "forges"}).code, 0);
  EXPECT_THAT(far.proxy().Seen(), Each(Not(HasSubstr("ghs_"))));
}

}  // namespace
}  // namespace swage::test
