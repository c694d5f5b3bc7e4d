// `swage clean`: what goes, what is said, and beside whom it refuses.
#include "bot/operator/clean_command.h"

#include <gmock/gmock.h>

#include <sstream>

#include "bot/cli.h"
#include "bot/roles/data_dir_claim.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CleanTest : public WorkspaceTest {
 protected:
  CleanTest() {
    Write(Config(), "data_dir: " + Data().string() +
                        "\nforges: [{kind: github, repos: [acme/lib], token: env:CLEAN_TOKEN, "
                        "webhook_secret: env:CLEAN_SECRET}]\nagent: {command: [sh]}\n");
    setenv("CLEAN_TOKEN", "a-long-enough-token-value", 1);
    setenv("CLEAN_SECRET", "a-long-enough-secret-value", 1);
    way_ = ProvisionWay::kRecycled;
    workspaces_ = NewWorkspaces();
    Fetch();
  }
  ~CleanTest() override {
    unsetenv("CLEAN_TOKEN");
    unsetenv("CLEAN_SECRET");
  }

  Path Config() const { return dir_.path() / "swage.yml"; }
  int Clean(bool dry_run) {
    out_.str("");
    err_.str("");
    return CleanCommand(
        {Config(), dry_run},
        [&](const Settings&, const Clock&) {
          return OpenSqliteStore(dir_.path() / "swage.db", clock_);
        },
        [](const Settings& settings, ProcessRunner& processes, const WorkspaceOptions& options) {
          return MakeWorktreeWorkspaces(settings.data_dir, processes, options);
        },
        out_, err_);
  }

  ManualClock clock_;
  std::ostringstream out_, err_;
};

TEST_F(CleanTest, SaysWhatWouldGoAndThenRemovesIt) {
  ASSERT_TRUE(Provision(Request(1))->Release().ok());
  Write(Data() / "caches/repo/npm/1/file", std::string(100 << 10, 'x'));
  EXPECT_EQ(Clean(true), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("would remove released worktree "),
                                HasSubstr("would remove cache repo/npm/1 (1"),
                                HasSubstr("would remove garbage of mirror local-7.git (in "),
                                HasSubstr(" would be freed")));
  EXPECT_FALSE(fs::is_empty(Data() / "pool"));
  EXPECT_TRUE(fs::exists(Data() / "caches/repo/npm/1/file"));

  EXPECT_EQ(Clean(false), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\nremoved cache repo/npm/1 (1"),
                                HasSubstr(" KiB freed\n"), Not(HasSubstr("would"))));
  EXPECT_TRUE(fs::is_empty(Data() / "pool"));
  EXPECT_FALSE(fs::exists(Data() / "caches/repo/npm/1"));
}

TEST_F(CleanTest, IsRefusedBesideAServerThatRunsTasksThere) {
  ASSERT_TRUE(Provision(Request(1))->Release().ok());
  const auto server = TakeDataDir(Data());
  ASSERT_TRUE(server.ok());
  for (const bool dry_run : {true, false}) {
    EXPECT_EQ(Clean(dry_run), kExitFailed);
    EXPECT_EQ(out_.str(), "");
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("another process runs tasks in "),
                                  HasSubstr("stop it to clean by hand")));
  }
  EXPECT_FALSE(fs::is_empty(Data() / "pool"));
}

TEST_F(CleanTest, WrongSettingsAreSaidBeforeAnythingGoes) {
  Write(Config(), "data_dir: [\n");
  EXPECT_EQ(Clean(false), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("swage.yml"));
}

TEST_F(CleanTest, NothingToDoIsSaid) {
  fs::remove_all(Data() / "mirrors");
  EXPECT_EQ(Clean(false), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(), "nothing to remove\n");
}

}  // namespace
}  // namespace swage
