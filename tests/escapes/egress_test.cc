// The way out at the levels that have no network of their own, each as it is for a task: whoever
// the server is, and however private its folders are.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pipeline/isolation/probe.h"
#include "pipeline/isolation/task_commands.h"
#include "tests/escapes/machine.h"
#include "tests/harness/trap_server.h"

namespace swage {
namespace {

class LoopbackResolver final : public HostResolver {
 public:
  Result<std::vector<IpAddress>> Resolve(const std::string&, int) override {
    return std::vector<IpAddress>{*ParseIp("127.0.0.1")};
  }
};

class WayOut : public ::testing::TestWithParam<IsolationLevel> {
 protected:
  void SetUp() override {
    if (!Level().Here().available) GTEST_SKIP() << Level().Here().why_not;
    scratch_ = ScratchCell::Make(Level().Owner()).value();
    struct stat info {};
    ASSERT_EQ(stat(scratch_->Folder().c_str(), &info), 0);
    ASSERT_EQ(info.st_mode & 0777, 0700u) << "the folder has to be the server's alone";
    const std::string url = server_.Url();
    port_ = url.substr(url.rfind(':') + 1);
    auto allowed = EgressList::Parse({"allowed.test:" + port_, "127.0.0.0/8"}).value();
    auto commands =
        TaskCommands::Open(Level(), scratch_->Get(), {{}, std::move(allowed)}, resolver_);
    ASSERT_TRUE(commands.ok()) << commands.error().message;
    commands_ = *std::move(commands);
  }

  static Isolation& Level() { return Machine::Get().isolations->At(GetParam()); }

  // Of either program, whichever is there: the image has only the one.
  Result<std::string> Fetch(const std::string& url, NetworkUse network) {
    ProcessSpec spec = SpecIn(scratch_->Get());
    spec.argv = {"/bin/sh", "-c",
                 "if command -v curl >/dev/null; then exec curl -sSf \"$0\"; fi; "
                 "exec wget -q -O - \"$0\"",
                 url};
    spec.network = network;
    spec.time_limit = std::chrono::seconds(30);
    return RunAndCapture(commands_->Runner(), spec);
  }

  TrapServer server_{[](const httplib::Request&, httplib::Response& response) {
    response.status = 200;
    response.set_content("hello", "text/plain");
  }};
  std::string port_;
  LoopbackResolver resolver_;
  std::unique_ptr<ScratchCell> scratch_;
  std::unique_ptr<TaskCommands> commands_;
};

TEST_P(WayOut, LeadsToTheHostsOfTheListAndNowhereElse) {
  const auto fetched = Fetch("http://allowed.test:" + port_ + "/", NetworkUse::kAllowList);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  EXPECT_EQ(*fetched, "hello");
  const auto elsewhere = Fetch("http://evil.test:" + port_ + "/", NetworkUse::kAllowList);
  EXPECT_FALSE(elsewhere.ok());
  ASSERT_EQ(commands_->Egress().Refused().size(), 1u);
  EXPECT_EQ(commands_->Egress().Refused()[0].host, "evil.test");
  EXPECT_EQ(server_.Requests(), 1);
}

TEST_P(WayOut, IsThereForNoCommandThatMayNotUseIt) {
  EXPECT_FALSE(Fetch("http://allowed.test:" + port_ + "/", NetworkUse::kNone).ok());
  EXPECT_EQ(server_.Requests(), 0);
}

INSTANTIATE_TEST_SUITE_P(Levels, WayOut,
                         ::testing::Values(IsolationLevel::kSandbox, IsolationLevel::kContainer),
                         [](const auto& level) { return std::string(Name(level.param)); });

}  // namespace
}  // namespace swage
