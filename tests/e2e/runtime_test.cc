// What tasks have beside their files, through the real server: ports, databases, secrets, ignored
// files, hooks, and room on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/text.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/password_server.h"
#include "tests/harness/postgres_session.h"

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

std::string AllLogs(const Box& box) {
  std::string all = box.ServerLog();
  for (const auto& entry : fs::recursive_directory_iterator(box.data_dir() / "logs")) {
    if (entry.is_regular_file()) all += ReadFile(entry.path()).value();
  }
  return all;
}

// Serves on PORT and keeps a row in its database, until somebody makes the role `go`.
constexpr const char* kLiveGate = R"sh(set -e
psql -qAt "$DATABASE_URL" -c "CREATE TABLE mine (issue text)" \
  -c "INSERT INTO mine VALUES ('$SWAGE_ISSUE')"
/usr/bin/python3 - <<'PY'
import os, socket, subprocess
listener = socket.socket()
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen()
def ask(sql):
    return subprocess.run(["psql", "-qAt", os.environ["DATABASE_URL"], "-c", sql],
                          check=True, capture_output=True, text=True).stdout.strip()
ask("ALTER ROLE CURRENT_USER SET statement_timeout = '7min'")
while not ask("SELECT 1 FROM pg_roles WHERE rolname = 'go'"):
    pass
PY
test "$(psql -qAt "$DATABASE_URL" -c 'TABLE mine')" = "$SWAGE_ISSUE"
)sh";

TEST(Runtime, TwoTasksAtOnceHaveEachTheirDatabaseAndPorts) {
  SWAGE_NEEDS_POSTGRES();
  const PasswordServer server;
  Box box([&] {
    BoxOptions options = With(RepoWith(kLiveGate), "echo \"$PORT\" > port.txt\n",
                              "databases: [{name: main, admin: file:admin}]\n"
                              "ports: {first: 30300, last: 30399}\n");
    options.start = false;
    return options;
  }());
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "admin", server.MakerUrlBySocket()).ok());
  box.StartServer();
  const std::int64_t a = box.LabelledIssue("First");
  const std::int64_t b = box.LabelledIssue("Second");
  // Both listen, and both have their row.
  ASSERT_TRUE(box.WaitFor([&] {
    return server.Admin(
               "SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = "
               "s.setrole WHERE rolname LIKE 'swage\\_%'") == "2";
  }));
  server.Admin("CREATE ROLE go");
  ASSERT_TRUE(box.WaitForSticky(a, "in review")) << box.Sticky(a);
  ASSERT_TRUE(box.WaitForSticky(b, "in review")) << box.Sticky(b);
  std::set<std::string> ports;
  for (const sandbox::Pull& pull : box.Pulls()) {
    EXPECT_FALSE(pull.draft) << pull.body;
    ports.insert(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "port.txt"));
  }
  EXPECT_THAT(ports, SizeIs(2));
  EXPECT_EQ(server.Left(), "") << "dropped with the tasks";
  const std::string logs = AllLogs(box);
  EXPECT_THAT(logs, Not(HasSubstr(std::string(PasswordServer::kPassword))));
  EXPECT_THAT(logs, Not(ContainsRegex("swage_[0-9a-f]{12}_[0-9]+_[0-9a-f]{8}:[0-9a-f]{40}")));
}

TEST(Runtime, ADatabaseThatACrashLeftIsDroppedAtTheNextStart) {
  SWAGE_NEEDS_POSTGRES();
  const PasswordServer server;
  BoxOptions options = With(RepoWith("true\n"),
                            "psql -qAt \"$DATABASE_URL\" -c \"ALTER ROLE CURRENT_USER SET "
                            "statement_timeout = '7min'\"\n"
                            "psql -qAt \"$DATABASE_URL\" -c 'SELECT pg_sleep(600)'\n",
                            "databases: [{name: main, admin: file:admin, scope: schema}]\n");
  options.start = false;
  Box box(std::move(options));
  ASSERT_TRUE(WriteFileAtomic(box.dir() / "admin", server.MakerUrlBySocket()).ok());
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitFor([&] {
    return server.Admin(
               "SELECT count(*) FROM pg_db_role_setting s "
               "WHERE array_to_string(setconfig, ',') LIKE "
               "'%7min%'") == "1";
  }));
  const std::string left = server.Left();
  EXPECT_THAT(left, HasSubstr("swage_"));
  box.KillServer();
  box.SetAgent("echo done > done.txt\n");
  box.StartServer();
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_TRUE(box.WaitFor([&] { return server.Left().empty(); })) << server.Left();
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
  const std::string logs = AllLogs(box);
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
