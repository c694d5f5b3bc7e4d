// Real agent commands in a sandbox: the only way to their model is the egress proxy, which they
// have to find by the usual variables (C14). TLS to a name that only the proxy knows, as it is with
// the real models.
#include <unistd.h>

#include <filesystem>

#include "pipeline/agent_presets.h"
#include "pipeline/isolation/levels.h"
#include "pipeline/isolation/task_commands.h"
#include "tests/agents/real_agent.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelHost = "model.test";

// Nothing but the model is anywhere.
class ModelResolver final : public HostResolver {
 public:
  Result<std::vector<IpAddress>> Resolve(const std::string& host, int) override {
    if (host == kModelHost) return std::vector<IpAddress>{*ParseIp("127.0.0.1")};
    return MakeError(ErrorCode::kNotFound, "no such host: " + host);
  }
};

// tests/agents/run makes the certificates, and the server listens with them.
struct EnclosedAgent : RealAgent {
  ModelResolver resolver;
  std::unique_ptr<Isolation> level;
  std::unique_ptr<TaskCommands> commands;

  void SetUp() override {
    RealAgent::SetUp();
    if (IsSkipped()) return;
    const std::string port = EnvOf("SWAGE_TEST_MODEL_TLS_PORT");
    const std::string authority = EnvOf("SWAGE_TEST_MODEL_CA");
    if (port.empty() || authority.empty()) GTEST_SKIP() << "no model behind TLS here";
    PointAt(std::string("https://") + kModelHost + ":" + port);
    Trust(authority);
    Enclose({kModelHost + (":" + port), "127.0.0.0/8"});
  }

  void Trust(const std::string& authority) {
    fs::copy_file(authority, demo->home() / "ca.pem");
    const std::string file = (demo->home() / "ca.pem").string();
    Give("NODE_EXTRA_CA_CERTS", file);
    Give("SSL_CERT_FILE", file);
  }

  // The hosts of the preset, as the server adds them, and the model.
  void Enclose(std::vector<std::string> hosts) {
    IsolationOptions options;
    options.enter = test::Program("swage-enter");
    options.state = dir.path() / "state";
    options.shown = {Installation()};
    level = MakeSandboxLevel(options, demo->processes());
    if (!level->Here().available) GTEST_SKIP() << level->Here().why_not;
    const AgentPreset& preset = *FindPreset(GetParam());
    hosts.insert(hosts.end(), preset.hosts.begin(), preset.hosts.end());
    auto opened = TaskCommands::Open(*level, demo->MakeCell(),
                                     {{}, EgressList::Parse(hosts).value()}, resolver);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    commands = *std::move(opened);
  }

  // What holds the command, with the packages that it is made of.
  fs::path Installation() const {
    fs::path folder = command_dir;
    while (folder.has_relative_path() && folder.filename() != "node_modules") {
      folder = folder.parent_path();
    }
    return folder.has_relative_path() ? folder : fs::path(command_dir);
  }

  void GiveFilesTo(const FileOwner& owner) {
    const Cell cell = demo->MakeCell();
    for (const fs::path& root : {cell.workspace, cell.home, cell.tmp}) {
      ASSERT_EQ(lchown(root.c_str(), owner.uid, owner.gid), 0);
      for (const auto& entry : fs::recursive_directory_iterator(root)) {
        ASSERT_EQ(lchown(entry.path().c_str(), owner.uid, owner.gid), 0) << entry.path();
      }
    }
  }

  Result<AgentResult> RunInside() {
    if (level->Owner()) GiveFilesTo(*level->Owner());
    auto result = demo->RunAgent(settings, demo->MakeHandOff("issue.md"), commands->Runner());
    if (level->Owner()) GiveFilesTo({geteuid(), getegid()});
    return result;
  }
};

TEST_P(EnclosedAgent, FindsItsModelThroughTheProxyAlone) {
  const auto result = RunInside();
  ASSERT_TRUE(result.ok()) << result.error().message;
  // A preset keeps its agent from what is not the model: each refused host is told in the pull
  // request. This one wants packages for its settings, and goes on without.
  const std::string wants = GetParam() == "opencode" ? "registry.npmjs.org" : "";
  for (const EgressRefusal& refused : commands->Egress().Refused()) {
    EXPECT_EQ(refused.host, wants) << refused.port << ": " << refused.reason;
  }
  EXPECT_TRUE(result->process.Succeeded()) << result->process.Describe() << "\n" << demo->log();
  EXPECT_NE(demo->Read("src/duration.cc").find("std::llround(*number"), std::string::npos)
      << demo->log();
  EXPECT_EQ(demo->ChangedPaths(), std::vector<std::string>{"src/duration.cc"});
}

INSTANTIATE_TEST_SUITE_P(Presets, EnclosedAgent,
                         ::testing::Values("claude", "codex", "gemini", "opencode"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace swage
