#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "pipeline/isolation/levels.h"
#include "tests/harness/fake_process.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

using testing::HasSubstr;

// However the folder is written.
TEST(SandboxLevel, RefusesAWrittenFolderThatHoldsTheWorkspaces) {
  TempDir dir;
  for (const char* written : {"", "/", "/.", "/data/..", "/data", "/data/"}) {
    IsolationOptions options;
    options.enter = test::Program("swage-enter");
    options.state = dir.path() / "state";
    options.written = {dir.path().string() + written};
    const auto processes = MakePosixProcessRunner(test::Program("swage-supervise").string());
    const auto level = MakeSandboxLevel(options, *processes);
    if (!level->Here().available) GTEST_SKIP() << level->Here().why_not;
    Cell cell;
    cell.name = "7-3fa9";
    cell.workspace = dir.path() / "data/workspaces/7-3fa9";
    cell.home = dir.path() / "data/home";
    cell.tmp = dir.path() / "data/tmp";
    for (const auto& folder : {cell.workspace, cell.home, cell.tmp}) {
      ASSERT_TRUE(MakeDirs(folder).ok());
    }
    const auto enclosed = level->Enclose(cell);
    ASSERT_FALSE(enclosed.ok()) << options.written.front();
    EXPECT_THAT(enclosed.error().message, HasSubstr("isolation.write names"));
  }
}

// As /usr/local/cuda is on machines that have it.
TEST(SandboxLevel, ShowsAFolderOfTheSystemBehindALink) {
  TempDir dir;
  IsolationOptions options;
  options.enter = test::Program("swage-enter");
  options.state = dir.path() / "state";
  options.shown = {"/usr/lib/ssl/certs/tool/bin", "/sbin", "/bin"};  // the first behind a link
  const auto processes = MakePosixProcessRunner(test::Program("swage-supervise").string());
  const auto level = MakeSandboxLevel(options, *processes);
  options.shown.clear();
  const auto plain = MakeSandboxLevel(options, *processes);
  EXPECT_EQ(level->Here().available, plain->Here().available) << level->Here().why_not;
}

}  // namespace
}  // namespace swage
