// Every adapter against the sandbox forge that speaks their dialect.
#include "forge/gitea/gitea_forge.h"
#include "forge/github/github_forge.h"
#include "forge/gitlab/gitlab_forge.h"
#include "tests/conformance/forge_suite.h"

namespace swage {
namespace {

std::unique_ptr<Forge> MakeApp(ForgeSettings settings, std::unique_ptr<HttpTransport> transport) {
  static const SystemClock clock;
  static Redactor redactor;
  auto forge = MakeGitHubAppForge(
      std::move(settings), std::move(transport), [](auto inner) { return inner; }, clock, redactor);
  EXPECT_TRUE(forge.ok()) << forge.error().message;
  return *std::move(forge);
}

std::unique_ptr<Forge> MakeGitHub(ForgeSettings settings,
                                  std::unique_ptr<HttpTransport> transport) {
  return MakeGitHubForge(std::move(settings), std::move(transport));
}

INSTANTIATE_TEST_SUITE_P(
    Sandbox, ForgeSuite,
    testing::Values(
        ForgeKind{"github_app", sandbox::Dialect::kGitHub, GitHubTransportOptions, MakeApp, true},
        ForgeKind{"github_enterprise", sandbox::Dialect::kGitHub, GitHubTransportOptions,
                  MakeGitHub, false, "/api/v3"},
        ForgeKind{"github_enterprise_app", sandbox::Dialect::kGitHub, GitHubTransportOptions,
                  MakeApp, true, "/api/v3"},
        ForgeKind{"github", sandbox::Dialect::kGitHub, GitHubTransportOptions, MakeGitHub},
        ForgeKind{"gitlab", sandbox::Dialect::kGitLab, GitLabTransportOptions,
                  [](ForgeSettings settings, std::unique_ptr<HttpTransport> transport) {
                    return MakeGitLabForge(std::move(settings), std::move(transport));
                  }},
        ForgeKind{"gitea",
                  sandbox::Dialect::kGitea,
                  GiteaTransportOptions,
                  [](ForgeSettings settings, std::unique_ptr<HttpTransport> transport) {
                    return MakeGiteaForge(std::move(settings), std::move(transport));
                  },
                  false,
                  "",
                  {.maintainers = false,
                   .bots = false,
                   .file_comments = false,
                   .etags = false,
                   .edits = false}}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace swage
