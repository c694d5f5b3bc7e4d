#include "config/base/tree_watch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace swage {
namespace {

// What the kernel lists of one process's children fills no page; a flat fork is counted whole.
TEST(TreeWatch, CountsMoreChildrenThanOneReadTells) {
  constexpr std::size_t kChildren = 1'200;
  std::vector<pid_t> children;
  while (children.size() < kChildren) {
    const pid_t pid = fork();
    if (pid == 0) {
      pause();
      _exit(0);
    }
    if (pid < 0) break;
    children.push_back(pid);
  }
  const std::vector<pid_t> found = Descendants(getpid());
  const auto is_found = [&](pid_t pid) { return std::ranges::find(found, pid) != found.end(); };
  const auto counted = std::ranges::count_if(children, is_found);
  for (const pid_t pid : children) kill(pid, SIGKILL);
  for (const pid_t pid : children) waitpid(pid, nullptr, 0);
  if (children.size() < kChildren) GTEST_SKIP() << "this user may not have as many processes";
  EXPECT_EQ(counted, static_cast<std::ptrdiff_t>(kChildren));
}

}  // namespace
}  // namespace swage
