// What README.md shows can be used as it stands.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <cstdlib>

#include "config/base/files.h"
#include "config/base/text.h"
#include "config/repo_policy.h"
#include "config/settings.h"
#include "pipeline/agent.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = test::SourcePath();

std::string Readme() {
  return ReadFile(kRoot / "README.md").value();
}

// The n-th block of YAML, without the indentation of the list item that it is in.
std::string YamlBlock(int n) {
  constexpr std::string_view kIndent = "   ";
  std::string block;
  bool inside = false;
  const std::string readme = Readme();
  for (std::string_view line : SplitLines(readme)) {
    if (line.starts_with(kIndent)) line.remove_prefix(kIndent.size());
    if (line == "```yaml") inside = n-- == 0;
    if (line == "```") inside = false;
    if (inside && line != "```yaml") block += std::string(line) + "\n";
  }
  return block;
}

TEST(ReadmeTest, ItsConfigurationCanBeUsed) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomic(dir.path() / "token", "token-0123456789\n").ok());
  ASSERT_TRUE(WriteFileAtomic(dir.path() / "hook", "hook-0123456789abcdef\n").ok());
  setenv("OPENAI_API_KEY", "key-0123456789", 1);
  std::string yaml = YamlBlock(0);
  ASSERT_GT(RE2::GlobalReplace(&yaml, "/etc/swage", dir.path().string()), 0);
  ASSERT_TRUE(WriteFileAtomic(dir.path() / "swage.yml", yaml).ok());
  Redactor redactor;
  const auto settings = LoadSettings(dir.path() / "swage.yml", redactor);
  unsetenv("OPENAI_API_KEY");
  ASSERT_TRUE(settings.ok()) << settings.error().message;
  EXPECT_TRUE(settings->warnings.empty()) << Join(settings->warnings, "\n");
  EXPECT_EQ(settings->forges.size(), 1U);
}

TEST(ReadmeTest, ItsGatesCanBeUsed) {
  const auto policy = ParseRepoPolicy(YamlBlock(1), "README.md");
  ASSERT_TRUE(policy.ok()) << policy.error().message;
  EXPECT_EQ(policy->gates.size(), 3U);
  EXPECT_FALSE(policy->instructions.empty());
}

TEST(ReadmeTest, NamesAllAgents) {
  const std::string readme = Readme();
  for (const std::string& agent : AgentPresets()) {
    EXPECT_NE(readme.find(agent), std::string::npos) << agent;
  }
}

TEST(ReadmeTest, LinksToWhatIsThere) {
  const std::string readme = Readme();
  re2::StringPiece rest(readme);
  std::string target;
  int links = 0;
  while (RE2::FindAndConsume(&rest, R"(\]\(([^)#:]+)\))", &target)) {
    EXPECT_TRUE(fs::exists(kRoot / target)) << target;
    ++links;
  }
  EXPECT_GE(links, 4);
}

}  // namespace
}  // namespace swage
