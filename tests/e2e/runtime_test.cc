// What tasks have beside their files, through the real server: secrets, ignored files, caches,
// hooks, and room on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "config/base/text.h"
#include "tests/e2e/dialects.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// A repository whose one gate runs live.sh.
std::map<std::string, std::string> RepoWith(std::string gate_script, std::string policy = "") {
  return {{"README.md", "hello\n"},
          {".gitignore", "*.local\n"},
          {"live.sh", std::move(gate_script)},
          {".swage.yml", "gates:\n  - name: live\n    run: [sh, live.sh]\n    rerun: false\n" +
                             std::move(policy)}};
}

BoxOptions With(std::map<std::string, std::string> files, std::string agent, std::string config) {
  BoxOptions options;
  options.files = std::move(files);
  options.agent = std::move(agent);
  options.extra_config = std::move(config);
  return options;
}

// T25, T49: only the gate that is granted it, and nowhere else.
TEST(Runtime, Threat_T25_ASecretIsInTheOneStepThatIsGrantedIt) {
  const std::string canary = "runtime-secret-canary-4711";
  BoxOptions options = With(
      RepoWith("test -n \"$TOKEN\" || exit 2\necho \"got $TOKEN\"\n"
               "printf %s \"$TOKEN\" | base64\n",
               "    secrets: [TOKEN]\n  - name: other\n    run: [sh, -c, \"env; test -z "
               "\\\"$TOKEN\\\"\"]\n"),
      "env > env.txt; cat /proc/$PPID/environ >> env.txt 2>/dev/null; echo \"$TOKEN\" >> env.txt\n"
      "env\n",
      "secrets: [{name: TOKEN, value: \"exec:./vault get\", repos: [acme/lib], gates: [live]}]\n");
  options.start = false;
  Box box(std::move(options));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "vault", "#!/bin/sh\necho " + canary + "\n", 0700).ok());
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const sandbox::Pull pull = box.Pulls().at(0);
  EXPECT_FALSE(pull.draft) << pull.body;
  EXPECT_THAT(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "env.txt"),
              Not(HasSubstr(canary)));
  const std::string logs = box.AllLogs();
  EXPECT_THAT(logs, HasSubstr("got [redacted]"));
  EXPECT_THAT(logs, Not(HasSubstr(canary)));
  EXPECT_THAT(logs, Not(HasSubstr(Base64Encode(canary).substr(0, 24))));
  for (const std::string& text : box.BotTexts()) EXPECT_THAT(text, Not(HasSubstr(canary)));
}

TEST(Runtime, ASecretThatIsNotGrantedEndsTheTaskWithTheReason) {
  Box box(With(RepoWith("true\n", "    secrets: [TOKEN]\n"), "echo x > x.txt\n", ""));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue), HasSubstr("the gate live asks for the secret TOKEN"));
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST(Runtime, HooksRunAtTheirPoints) {
  Box box(With(RepoWith("grep -qx formatted text.txt && grep -qx ready \"$HOME/deps\"\n",
                        "hooks:\n"
                        "  before_agent: {run: \"echo again >> $HOME/before\", shell: true}\n"
                        "  after_agent: {run: [sed, -i, s/^draft$/formatted/, text.txt]}\n"),
               "test \"$(cat \"$HOME/deps\")\" = ready && cp \"$HOME/before\" before.txt\n"
               "echo draft > text.txt\n",
               "hooks:\n  after_create: {run: \"echo ready > $HOME/deps\", shell: true}\n"
               "  before_remove: {run: \"echo the end of $SWAGE_ISSUE; exit 3\", shell: true}\n"));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const sandbox::Pull pull = box.Pulls().at(0);
  EXPECT_FALSE(pull.draft) << pull.body;
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "text.txt"), "formatted\n");
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "before.txt"), "again\n");
  EXPECT_THAT(box.ServerLog(), HasSubstr("the hook before_remove failed: exit code 3"));
  EXPECT_TRUE(fs::is_empty(box.data_dir() / "workspaces")) << "it is in nobody's way";
}

TEST(Runtime, AFailingHookEndsTheAttemptWithItsLastWords) {
  Box box(With(RepoWith("true\n"), "echo x > x.txt\n",
               "limits: {attempts: 1}\n"
               "hooks: {after_create: {run: \"echo no such package; exit 9\", shell: true}}\n"));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue), HasSubstr("the hook after_create failed: exit code 9"));
  EXPECT_THAT(box.Sticky(issue), HasSubstr("no such package"));
  const std::string log = box.Query("SELECT log_path FROM steps WHERE name = 'hook after_create'");
  EXPECT_THAT(box.Sticky(issue), HasSubstr(log.substr(0, log.find('-'))));
  EXPECT_THAT(*ReadFile(box.data_dir() / log), HasSubstr("no such package"));
}

TEST(Runtime, LfsFilesStayPointersAndPeopleAreTold) {
  auto files = RepoWith("head -n 1 art.psd | grep -q git-lfs\n");
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') +
      "\nsize 12345\n";
  files[".gitattributes"] = "*.psd filter=lfs diff=lfs merge=lfs -text\n";
  files["art.psd"] = files["other.psd"] = pointer;
  Box box(With(files,
               "grep -q 'were not fetched' \"$SWAGE_PROMPT_FILE\" || exit 4\n"
               "echo painted > other.psd\n",
               ""));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const sandbox::Pull pull = box.Pulls().at(0);
  EXPECT_FALSE(pull.draft) << pull.body;
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "art.psd"), pointer);
  EXPECT_THAT(pull.body, HasSubstr("are pointers in the workspace"));
  EXPECT_THAT(pull.body, HasSubstr("changed without LFS (other.psd)"));
  EXPECT_EQ(box.Query("SELECT count(*) FROM timeline WHERE detail LIKE '%were not fetched%'"), "1");
}

TEST(Runtime, IgnoredFilesComeAlongAndGetIntoNoCommit) {
  auto files = RepoWith("grep -q canary config.local\n");
  files[".worktreeinclude"] = "# what a build needs\n*.local\n/tracked.txt\nnot-ignored.txt\n";
  files["tracked.txt"] = "of the repository\n";
  BoxOptions options = With(files,
                            "cp config.local \"$HOME/\"; ls -A > seen.txt\n"
                            "rm .gitignore\n",  // now git would take them
                            "workspaces: {include: {\"acme/*\": files}}\n");
  options.start = false;
  Box box(std::move(options));
  for (const auto& [name, text] :
       std::map<std::string, std::string>{{"config.local", "include-canary\n"},
                                          {"deep/er.local", "include-canary\n"},
                                          {"tracked.txt", "of the folder\n"},
                                          {"not-ignored.txt", "include-canary\n"},
                                          {"unwanted.txt", "include-canary\n"}}) {
    const fs::path file = box.dir() / "files" / name;
    fs::create_directories(file.parent_path());
    ASSERT_TRUE(WriteFileAtomic(file, text, 0644).ok());
  }
  fs::create_symlink("/etc/passwd", box.dir() / "files/link.local");
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  const sandbox::Pull pull = box.Pulls().at(0);
  EXPECT_FALSE(pull.draft) << pull.body;
  const auto at_head = [&](std::string_view path) {
    const auto text = box.forge().ReadFileAt(box.repo(), pull.head_ref, path);
    return text.ok() ? *text : "(absent)";
  };
  EXPECT_THAT(at_head("seen.txt"), HasSubstr("config.local"));
  EXPECT_THAT(at_head("seen.txt"), HasSubstr("deep"));
  EXPECT_THAT(at_head("seen.txt"), Not(HasSubstr("unwanted")));
  EXPECT_THAT(at_head("seen.txt"), Not(HasSubstr("not-ignored")));
  EXPECT_THAT(at_head("seen.txt"), Not(HasSubstr("link.local")));
  EXPECT_EQ(at_head("config.local"), "(absent)");
  EXPECT_EQ(at_head("deep/er.local"), "(absent)");
  EXPECT_EQ(at_head("tracked.txt"), "of the repository\n");
}

TEST(Runtime, Threat_T30_ACacheIsFilledOnTheBaseBranchAndLaterTasksGetThatAlone) {
  Box box(With(RepoWith("true\n"),
               "cp \"$CACHE/index\" index.txt 2>/dev/null || echo none > index.txt\n"
               "echo poison > \"$CACHE/index\"; echo poison > \"$CACHE/more\"; ls \"$CACHE\" > "
               "cache-$SWAGE_ISSUE.txt\n",
               "caches: [{name: things, env: CACHE, warm: [sh, -c, \"date +%N > "
               "$CACHE/index\"]}]\n"));
  const std::int64_t a = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(a, "in review")) << box.Sticky(a);
  const std::int64_t b = box.LabelledIssue("Second");
  ASSERT_TRUE(box.WaitForSticky(b, "in review")) << box.Sticky(b);
  std::set<std::string> seen;
  for (const sandbox::Pull& pull : box.Pulls()) {
    seen.insert(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "index.txt"));
  }
  ASSERT_THAT(seen, SizeIs(1)) << "filled once";
  EXPECT_THAT(*seen.begin(), ContainsRegex("^[0-9]+"));
}

TEST(Runtime, NothingIsClaimedWhileTheDiskIsFull) {
  Box box(With(RepoWith("true\n"), "echo x > x.txt\n", "workspaces: {disk_high_water: 1MiB}\n"));
  ASSERT_TRUE(box.WaitForLog("too full to claim tasks"));
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.Settle());
  EXPECT_THAT(box.Sticky(issue), Not(HasSubstr("claimed")));
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "queued");
  box.StopServer();
  box.EditConfig("disk_high_water: 1MiB", "disk_high_water: 100%");
  box.StartServer();
  EXPECT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
}

}  // namespace
}  // namespace swage::test
