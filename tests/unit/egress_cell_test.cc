// The egress proxy as a command sees it from a cell without a network.
#include <gtest/gtest.h>
#include <unistd.h>

#include "pipeline/isolation/egress_proxy.h"
#include "pipeline/isolation/levels.h"
#include "pipeline/isolation/task_commands.h"
#include "tests/harness/paths.h"
#include "tests/harness/trap_server.h"

namespace swage {
namespace {

class LoopbackResolver final : public HostResolver {
 public:
  Result<std::vector<IpAddress>> Resolve(const std::string&, int) override {
    return std::vector<IpAddress>{*ParseIp("127.0.0.1")};
  }
};

class EgressCell : public ::testing::Test {
 protected:
  EgressCell()
      : server_([](const httplib::Request&, httplib::Response& response) {
          response.status = 200;
          response.set_content("hello", "text/plain");
        }) {
    const std::string url = server_.Url();
    port_ = url.substr(url.rfind(':') + 1);
  }

  void SetUp() override {
    for (const char* program : {"/usr/bin/bwrap", "/usr/bin/curl"}) {
      if (access(program, X_OK) != 0) GTEST_SKIP() << program << " is not installed";
    }
    EgressOptions options{EgressList::Parse({"allowed.test:" + port_, "127.0.0.0/8"}).value(),
                          dir_.path() / "egress",
                          {}};
    auto proxy = EgressProxy::Start(std::move(options), resolver_, record_);
    ASSERT_TRUE(proxy.ok()) << proxy.error().message;
    proxy_ = std::move(proxy).value();
  }

  ProcessResult Inside(const std::string& script) {
    ProcessSpec spec;
    const std::string egress = proxy_->SocketPath().parent_path().string();
    spec.argv = {"bwrap",
                 "--unshare-all",
                 "--die-with-parent",
                 "--ro-bind",
                 "/",
                 "/",
                 "--dev",
                 "/dev",
                 "--proc",
                 "/proc",
                 "--tmpfs",
                 "/run",
                 "--ro-bind",
                 egress,
                 egress,
                 "--",
                 test::Program("swage-enter").string(),
                 "--egress",
                 proxy_->SocketPath().string(),
                 "--",
                 "/bin/sh",
                 "-c",
                 script};
    spec.env = EgressEnvironment();
    spec.env["PATH"] = "/usr/bin:/bin";
    spec.cwd = "/";
    spec.time_limit = std::chrono::seconds(60);
    said_.clear();
    auto result = runner_->Run(spec, [this](std::string_view bytes) { said_.append(bytes); }, {});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : ProcessResult{};
  }

  TempDir dir_;
  TrapServer server_;
  std::string port_;
  LoopbackResolver resolver_;
  EgressRecord record_;
  std::unique_ptr<EgressProxy> proxy_;
  std::unique_ptr<ProcessRunner> runner_ = MakePosixProcessRunner(test::Program("swage-supervise"));
  std::string said_;
};

TEST_F(EgressCell, AnAllowedHostWorksThroughTheVariablesAlone) {
  const auto result = Inside("curl -sS -p http://allowed.test:" + port_ +
                             "/ && curl -sS http://allowed.test:" + port_ + "/plain");
  EXPECT_TRUE(result.Succeeded()) << said_;
  EXPECT_EQ(said_, "hellohello");
}

TEST_F(EgressCell, NothingElseGoesOut) {
  // Another host, another port, by address, past the proxy, and a look-up.
  EXPECT_FALSE(Inside("curl -sS -p http://evil.test/").Succeeded());
  EXPECT_FALSE(Inside("curl -sS -p http://allowed.test:1/").Succeeded());
  EXPECT_FALSE(
      Inside("NO_PROXY= no_proxy= curl -sS -p http://127.0.0.1:" + port_ + "/").Succeeded());
  EXPECT_FALSE(Inside("curl -sS --noproxy '*' http://127.0.0.1:" + port_ + "/").Succeeded());
  EXPECT_FALSE(Inside("curl -sS --noproxy '*' --max-time 5 http://192.0.2.1/").Succeeded());
  EXPECT_FALSE(Inside("getent hosts example.com").Succeeded());
  EXPECT_EQ(server_.Requests(), 0);
  EXPECT_EQ(record_.Refused().size(), 3u);
}

TEST_F(EgressCell, AtTheLevelSandboxTheAgentGetsOutAndAGateDoesNot) {
  IsolationOptions options;
  options.enter = test::Program("swage-enter");
  options.state = dir_.path() / "state";
  const auto level = MakeSandboxLevel(options, *runner_);
  if (!level->Here().available) GTEST_SKIP() << level->Here().why_not;
  Cell cell;
  cell.name = "1-a";
  cell.workspace = dir_.path() / "task" / "work";
  cell.home = dir_.path() / "task" / "home";
  cell.tmp = dir_.path() / "task" / "tmp";
  for (const auto& folder : {cell.workspace, cell.home, cell.tmp}) {
    std::filesystem::create_directories(folder);
  }
  const auto commands = TaskCommands::Open(
      *level, cell, {{}, EgressList::Parse({"allowed.test:" + port_, "127.0.0.0/8"}).value()},
      resolver_);
  ASSERT_TRUE(commands.ok()) << commands.error().message;
  ProcessSpec spec;
  spec.argv = {"curl", "-sS", "-p", "http://allowed.test:" + port_ + "/"};
  spec.env = {{"PATH", "/usr/bin:/bin"}, {"HTTPS_PROXY", "http://corporate.test:1"}};
  spec.cwd = cell.workspace;
  spec.network = NetworkUse::kAllowList;
  EXPECT_EQ(RunAndCapture((*commands)->Runner(), spec).value(), "hello");
  spec.network = NetworkUse::kNone;
  EXPECT_FALSE(RunAndCapture((*commands)->Runner(), spec).ok());
  spec.network = NetworkUse::kAllowList;
  spec.argv.back() = "http://evil.test/";
  EXPECT_FALSE(RunAndCapture((*commands)->Runner(), spec).ok());
  ASSERT_EQ((*commands)->Egress().Refused().size(), 1u);
  EXPECT_EQ((*commands)->Egress().Refused()[0].host, "evil.test");
}

TEST_F(EgressCell, WithoutTheProxyTheDoorDoesNotOpen) {
  const auto path = proxy_->SocketPath();
  Inside("true");
  proxy_.reset();
  ProcessSpec spec;
  spec.argv = {test::Program("swage-enter").string(), "--egress", path.string(), "--", "/bin/true"};
  spec.argv.insert(spec.argv.begin(),
                   {"/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--"});
  spec.cwd = "/";
  const auto result = runner_->Run(spec, nullptr, {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 125);
}

}  // namespace
}  // namespace swage
