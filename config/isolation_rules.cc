// The names, and the built-in rules.
#include "config/isolation_rules.h"

#include "config/isolation_table.h"

namespace swage {
namespace {

// A level is where trust ends, not a matter of taste: a task that asks for more than the ceiling on
// somebody else's word waits. What the work itself brings up (a lock file, a blocked host) was
// asked for by somebody who may write here, and a reviewer sees it.
constexpr std::string_view kBuiltIn = R"(- when: {author: [outsider, bot]}
  level: sandbox
  require: true
  because: the issue was written by somebody who may not write to the repository
- when: {asks_network: true}
  level: sandbox
  because: the issue says that the work needs the network
- when: {gate_network: true}
  level: sandbox
  because: a gate needs the network
- when: {gate_image: true}
  level: container
  require: true
  because: the repository's policy names a container image
- when:
    touches: ["**/package-lock.json", "**/npm-shrinkwrap.json", "**/yarn.lock", "**/pnpm-lock.yaml", "**/bun.lock",
              "**/Cargo.lock", "**/go.sum", "**/poetry.lock", "**/uv.lock", "**/Pipfile.lock", "**/Gemfile.lock",
              "**/composer.lock", "**/mix.lock", "**/flake.lock"]
  level: sandbox
  because: the change touches a lock file, so packages that nobody has reviewed may run
- when:
    touches: ["**/Makefile", "**/*.mk", "**/CMakeLists.txt", "**/*.cmake", "**/meson.build", "**/configure",
              "**/configure.ac", "**/build.gradle", "**/build.gradle.kts", "**/pom.xml", "**/setup.py", "**/setup.cfg",
              "**/pyproject.toml", "**/package.json", "**/build.rs", "**/Cargo.toml", "**/Rakefile", "**/Justfile",
              "**/BUILD", "**/BUILD.bazel", "**/Dockerfile"]
  level: sandbox
  because: the change touches a build script, which the gates run
- when:
    touches: [".git*/workflows/**", ".git*/actions/**", ".git*-ci.yml", ".forgejo/**", ".circleci/**", Jenkinsfile,
              azure-pipelines.yml, ".buildkite/**", ".woodpecker/**", ".woodpecker.yml", .travis.yml]
  level: sandbox
  because: the change touches a file of the continuous integration
- when: {touches: [".husky/**", ".githooks/**", .pre-commit-config.yaml, lefthook.yml, "**/.gitattributes"]}
  level: sandbox
  because: the change touches a hook
- when: {touches: [.gitmodules]}
  level: sandbox
  because: the change touches the submodules
- when: {network_blocked: true}
  level: sandbox
  because: its commands asked for hosts that they may not reach
- when: {limit_hit: true}
  level: sandbox
  because: its commands ran into a limit
)";

}  // namespace

std::string_view Name(Author author) {
  switch (author) {
    case Author::kWriter:
      return "writer";
    case Author::kOutsider:
      return "outsider";
    case Author::kBot:
      return "bot";
  }
  return "";
}

std::string_view Name(Sign sign) {
  switch (sign) {
    case Sign::kAsksNetwork:
      return "asks_network";
    case Sign::kGateNetwork:
      return "gate_network";
    case Sign::kGateImage:
      return "gate_image";
    case Sign::kNetworkBlocked:
      return "network_blocked";
    case Sign::kLimitHit:
      return "limit_hit";
  }
  return "";
}

std::string_view BuiltInRulesText() {
  return kBuiltIn;
}

const std::vector<IsolationRule>& BuiltInRules() {
  static const auto kRules = [] {
    Faults faults("built-in rules");
    Reading reading{.faults = faults, .folder = {}, .redactor = nullptr, .lines = {}};
    const auto root = ParseYaml(kBuiltIn, faults);
    auto rules = IsolationRulesRule{}.Read(*root, {"isolation.rules", 1, "", reading});
    SWAGE_CHECK(faults.empty() && rules.has_value());
    return *std::move(rules);
  }();
  return kRules;
}

}  // namespace swage
