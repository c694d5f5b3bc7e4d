// Two tasks at once, each with a database and ports of its own, on a PostgreSQL that asks for
// passwords; and what a crash leaves of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/harness/box.h"
#include "tests/harness/password_server.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

BoxOptions With(std::string gate_script, std::string agent, std::string config) {
  BoxOptions options;
  options.files = {{"README.md", "hello\n"},
                   {"live.sh", std::move(gate_script)},
                   {".swage.yml", "gates: [{name: live, run: [sh, live.sh], rerun: false}]\n"}};
  options.agent = std::move(agent);
  options.extra_config = std::move(config);
  options.start = false;
  return options;
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

TEST(TaskDatabasesAndPorts, TwoTasksAtOnceHaveEachTheirDatabaseAndPorts) {
  SWAGE_NEEDS_POSTGRES();
  const PasswordServer server;
  Box box(With(kLiveGate, "echo \"$PORT\" > port.txt\n",
               "databases: [{name: main, admin: file:admin}]\n"
               "ports: {first: 30300, last: 30399}\n"));
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
  const std::string logs = box.AllLogs();
  EXPECT_THAT(logs, Not(HasSubstr(std::string(PasswordServer::kPassword))));
  EXPECT_THAT(logs, Not(ContainsRegex("swage_[0-9a-f]{12}_[0-9]+_[0-9a-f]{8}:[0-9a-f]{40}")));
}

TEST(TaskDatabasesAndPorts, ADatabaseThatACrashLeftIsDroppedAtTheNextStart) {
  SWAGE_NEEDS_POSTGRES();
  const PasswordServer server;
  BoxOptions options = With("true\n",
                            "psql -qAt \"$DATABASE_URL\" -c \"ALTER ROLE CURRENT_USER SET "
                            "statement_timeout = '7min'\"\n"
                            "psql -qAt \"$DATABASE_URL\" -c 'SELECT pg_sleep(600)'\n",
                            "databases: [{name: main, admin: file:admin, scope: schema}]\n");
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

}  // namespace
}  // namespace swage::test
