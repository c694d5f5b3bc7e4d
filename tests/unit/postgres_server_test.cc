// The harness's own PostgreSQL: what the suites that run on it rely on.
#include "tests/harness/postgres_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "tests/harness/wait.h"

namespace swage::test {
namespace {
namespace fs = std::filesystem;

bool IsAlive(pid_t pid) {
  return kill(pid, 0) == 0 || errno != ESRCH;
}

bool WaitUntilGone(pid_t pid) {
  return WaitFor([&] { return !IsAlive(pid); });
}

std::string Ask(const PostgresServer& server, const std::string& url, const std::string& sql) {
  const auto answer = server.Query(url, sql);
  return answer.ok() ? *answer : "error: " + answer.error().message;
}

TEST(PostgresServer, GivesEachCallerADatabaseOfItsOwn) {
  SWAGE_NEEDS_POSTGRES();
  // Not Shared(): it would stay a child of this program, whose other tests count theirs.
  const auto made = PostgresServer::Make({.fsync = false, .settings = {}});
  ASSERT_TRUE(made.ok()) << made.error().message;
  PostgresServer& server = **made;
  const std::string one = server.NewDatabase().value();
  const std::string two = server.NewDatabase().value();
  EXPECT_EQ(Ask(server, one, "CREATE TABLE t(x int); INSERT INTO t VALUES (7); TABLE t"), "7");
  EXPECT_NE(Ask(server, two, "TABLE t").find("does not exist"), std::string::npos);
  EXPECT_EQ(Ask(server, one,
                "SELECT current_user, usesuper, pg_encoding_to_char(encoding) "
                "FROM pg_user, pg_database "
                "WHERE usename = current_user AND datname = current_database()"),
            "swage|f|UTF8");
  EXPECT_EQ(Ask(server, two, "SHOW default_transaction_isolation"), "read committed");
}

TEST(PostgresServer, ComesBackFromACrashWithWhatWasCommitted) {
  SWAGE_NEEDS_POSTGRES();
  const auto server = PostgresServer::Make({.fsync = false, .settings = {}}).value();
  const std::string url = server->NewDatabase().value();
  EXPECT_EQ(Ask(*server, url, "CREATE TABLE t(x int); INSERT INTO t VALUES (7)"), "");
  const pid_t pid = server->pid();
  server->Kill();
  EXPECT_FALSE(IsAlive(pid));
  EXPECT_FALSE(server->Query(url, "TABLE t").ok());

  ASSERT_TRUE(server->Start().ok());
  EXPECT_NE(server->pid(), pid);
  EXPECT_EQ(Ask(*server, url, "TABLE t"), "7");
  EXPECT_NE(server->Log().find("automatic recovery in progress"), std::string::npos)
      << server->Log();
}

TEST(PostgresServer, StopsInOrderAndStartsOnTheSamePort) {
  SWAGE_NEEDS_POSTGRES();
  const auto server = PostgresServer::Make({.settings = {"work_mem=1234kB"}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  const std::string url = (*server)->AdminUrl();
  const int port = (*server)->port();
  (*server)->Stop();
  EXPECT_EQ((*server)->pid(), -1);
  EXPECT_NE((*server)->Log().find("database system is shut down"), std::string::npos);
  ASSERT_TRUE((*server)->Start().ok());
  EXPECT_EQ((*server)->port(), port);
  EXPECT_EQ(Ask(**server, url, "SHOW work_mem"), "1234kB");
  EXPECT_EQ(Ask(**server, url, "SHOW fsync"), "on");
}

TEST(PostgresServer, SaysWhyItDoesNotStart) {
  SWAGE_NEEDS_POSTGRES();
  const auto server = PostgresServer::Make({.settings = {"no_such_setting=1"}});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.error().message.find("no_such_setting"), std::string::npos)
      << server.error().message;
}

// The test starts itself again as a program that is killed with its server running.
TEST(PostgresServerDeathTest, EndsWithAKilledTestProgram) {
  SWAGE_NEEDS_POSTGRES();
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const TempDir dir;
  chmod(dir.path().c_str(), 0711);  // the server's user passes through
  const char* set = std::getenv("TMPDIR");
  const std::string before = set == nullptr ? "/tmp" : set;
  setenv("TMPDIR", dir.path().c_str(), 1);
  EXPECT_EXIT(
      {
        const auto server = PostgresServer::Make();
        if (server.ok()) raise(SIGKILL);
      },
      testing::KilledBySignal(SIGKILL), "");
  setenv("TMPDIR", before.c_str(), 1);

  fs::path pid_file;
  for (const auto& entry : fs::recursive_directory_iterator(dir.path())) {
    if (entry.path().filename() == "postmaster.pid") pid_file = entry.path();
  }
  ASSERT_FALSE(pid_file.empty()) << "there was no server";
  EXPECT_TRUE(WaitUntilGone(std::stoi(ReadFile(pid_file).value())));
  RemoveSharedMemory(pid_file.parent_path());
}

}  // namespace
}  // namespace swage::test
