// Both adapters against the sandbox forge that speaks their dialect.
#include "forge/github/github_forge.h"
#include "forge/gitlab/gitlab_forge.h"
#include "tests/conformance/forge_suite.h"

namespace swage {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Sandbox, ForgeSuite,
    testing::Values(ForgeKind{"github", sandbox::Dialect::kGitHub, GitHubTransportOptions,
                              [](ForgeSettings settings, std::unique_ptr<HttpTransport> transport) {
                                return MakeGitHubForge(std::move(settings), std::move(transport));
                              }},
                    ForgeKind{"gitlab", sandbox::Dialect::kGitLab, GitLabTransportOptions,
                              [](ForgeSettings settings, std::unique_ptr<HttpTransport> transport) {
                                return MakeGitLabForge(std::move(settings), std::move(transport));
                              }}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace swage
