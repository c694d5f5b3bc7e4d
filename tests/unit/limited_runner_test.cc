#include "pipeline/isolation/limited_runner.h"

#include <gtest/gtest.h>

#include "tests/harness/fake_process.h"

namespace swage {
namespace {

TEST(LimitedRunner, PutsTheTasksLimitsOnEveryCommand) {
  FakeProcessRunner inner;
  ResourceLimits limits;
  limits.memory_bytes = 100;
  limits.disk_bytes = 7;
  LimitedRunner runner(inner, limits, {"/task"});
  ProcessSpec spec;
  spec.argv = {"true"};
  spec.limits.memory_bytes = 50;
  spec.limits.processes = 3;
  ASSERT_TRUE(runner.Run(spec, nullptr, {}).ok());
  const ProcessSpec& seen = inner.specs.at(0);
  EXPECT_EQ(seen.limits.memory_bytes, 50u);
  EXPECT_EQ(seen.limits.disk_bytes, 7u);
  EXPECT_EQ(seen.limits.processes, 3);
  EXPECT_EQ(seen.disk_roots, std::vector<std::string>{"/task"});
}

}  // namespace
}  // namespace swage
