// Limits and egress as policies and settings write them.
#include <gtest/gtest.h>

#include "config/repo_policy.h"
#include "config/settings.h"
#include "config/settings_table.h"

namespace swage {
namespace {

TEST(LimitsSettings, APolicyNamesWhatItLowers) {
  const auto policy = ParseRepoPolicy(
      "isolation:\n"
      "  limits: {memory: 2GiB, processes: 300, cpus: 1.5, disk: 1GiB, file: 100MiB, open_files: "
      "512}\n"
      "egress:\n"
      "  allow: [proxy.golang.org, \"*.example.com:8443\", 10.1.0.0/16]\n"
      "gates:\n"
      "  - {name: deps, run: [make, deps], network: true}\n"
      "  - {name: unit, run: [make, test]}\n",
      "policy");
  ASSERT_TRUE(policy.ok()) << policy.error().message;
  EXPECT_EQ(policy->limits.memory_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(policy->limits.processes, 300);
  EXPECT_EQ(policy->limits.cpus, 1.5);
  EXPECT_EQ(policy->limits.disk_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(policy->limits.file_bytes, 100u << 20);
  EXPECT_EQ(policy->limits.open_files, 512);
  EXPECT_EQ(policy->egress_allow.size(), 3u);
  EXPECT_TRUE(policy->gates.at(0).network);
  EXPECT_FALSE(policy->gates.at(1).network);
}

TEST(LimitsSettings, WithoutAWordThereAreDefaultsAndAPolicyLowersNothing) {
  EXPECT_EQ(ParseRepoPolicy("cycles: 2", "policy")->limits, ResourceLimits{});
  const Settings settings;
  EXPECT_GT(settings.task_limits.memory_bytes, 0u);
  EXPECT_GT(settings.task_limits.disk_bytes, 0u);
  EXPECT_GT(settings.task_limits.processes, 0);
  EXPECT_EQ(settings.task_limits.cpus, 0);
}

TEST(LimitsSettings, FaultsNameTheSettingAndWhatWouldBeRight) {
  for (const char* wrong :
       {"isolation: {limits: {cpus: lots}}", "isolation: {limits: {cpus: 0}}",
        "isolation: {limits: {cpus: 1.234}}", "isolation: {limits: {cpus: -1}}",
        "isolation: {limits: {cpus: .5}}", "isolation: {limits: {memory: 1KiB}}",
        "isolation: {limits: {memory: none}}", "isolation: {limits: {processes: 1}}",
        "isolation: {limits: {ram: 1GiB}}", "egress: {allow: [\"http://example.com\"]}",
        "egress: {allow: [\"*\"]}", "egress: {allow: example.com}",
        "gates: [{name: a, run: [b], network: everything}]"}) {
    const auto policy = ParseRepoPolicy(wrong, "policy");
    ASSERT_FALSE(policy.ok()) << wrong;
    EXPECT_NE(policy.error().message.find("policy:1:"), std::string::npos)
        << policy.error().message;
  }
}

}  // namespace
}  // namespace swage
