// Databases for tasks on a real PostgreSQL that asks for passwords (C6).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/runtime/databases.h"
#include "tests/harness/password_server.h"
#include "tests/harness/postgres_session.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TaskDatabases : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    SWAGE_NEEDS_POSTGRES();
    server_ = std::make_unique<PasswordServer>();
    settings_.emplace_back();
    settings_[0].name = "main";
    settings_[0].admin = {"file:x", server_->MakerUrl()};
    settings_[0].scope = GetParam();
    settings_[0].connections = 3;
    databases_ = NewLife();
    task_.id = TaskId{41};
    task_.repo = {"hub", "7", "acme/lib"};
  }
  std::unique_ptr<Databases> NewLife() {
    return std::make_unique<Databases>(settings_, "0123456789ab", "node-1", redactor_, log_);
  }
  std::unique_ptr<DatabaseLease> Make() {
    auto lease = databases_->Make(settings_[0], task_);
    EXPECT_TRUE(lease.ok()) << lease.error().message;
    return lease.ok() ? *std::move(lease) : nullptr;
  }

  std::unique_ptr<PasswordServer> server_;
  std::vector<DatabaseSettings> settings_;
  Redactor redactor_;
  Log log_{LogLevel::kError, "text", redactor_};
  Task task_;
  std::unique_ptr<Databases> databases_;
};

TEST_P(TaskDatabases, ATaskWorksInItsOwnAndItIsGoneAfterwards) {
  auto lease = Make();
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->variable(), "DATABASE_URL");
  EXPECT_EQ(server_->As(lease->url(), "CREATE TABLE t(x int); INSERT INTO t VALUES (7); TABLE t"),
            "7");
  EXPECT_THAT(server_->Left(), HasSubstr("swage_0123456789ab_41_"));
  EXPECT_THAT(server_->Admin("SELECT shobj_description(oid, 'pg_authid') FROM pg_authid "
                             "WHERE rolname LIKE 'swage\\_%'"),
              HasSubstr("task 41 (hub/acme/lib#0) on node node-1"));
  const std::string url = lease->url();
  ASSERT_TRUE(lease->Drop().ok());
  ASSERT_TRUE(lease->Drop().ok()) << "again is no error";
  EXPECT_EQ(server_->Left(), "");
  EXPECT_THAT(server_->As(url, "SELECT 1"), HasSubstr("error"));
}

TEST_P(TaskDatabases, NoTaskSeesAnythingOfAnothers) {
  const auto one = Make();
  const auto two = Make();
  ASSERT_TRUE(one && two);
  EXPECT_EQ(server_->As(one->url(), "CREATE TABLE t(x int); INSERT INTO t VALUES (7)"), "");
  EXPECT_THAT(server_->As(two->url(), "TABLE t"), HasSubstr("error"));
  const std::string name = server_->As(one->url(), "SELECT current_user");
  EXPECT_THAT(server_->As(two->url(), "SELECT * FROM " + name + ".t"), HasSubstr("error"));
  // The other's database, by a password of one's own; and its role.
  std::string elsewhere = two->url();
  elsewhere.replace(elsewhere.rfind('/') + 1, std::string::npos, name);
  EXPECT_THAT(server_->As(elsewhere, "SELECT 1"), HasSubstr("error"));
  EXPECT_THAT(server_->As(two->url(), "SET ROLE " + name), HasSubstr("permission denied"));
  EXPECT_THAT(server_->As(two->url(), "SET ROLE maker"), HasSubstr("permission denied"));
  EXPECT_THAT(server_->As(two->url(), "CREATE ROLE evil"), HasSubstr("permission denied"));
  EXPECT_THAT(server_->As(two->url(), "CREATE DATABASE evil"), HasSubstr("permission denied"));
}

TEST_P(TaskDatabases, TheAdministratorsPasswordIsInNothingThatTheTaskGets) {
  const auto lease = Make();
  ASSERT_NE(lease, nullptr);
  EXPECT_THAT(lease->url(), Not(HasSubstr("maker")));
  EXPECT_THAT(lease->url(), Not(HasSubstr(std::string(PasswordServer::kPassword))));
  EXPECT_THAT(redactor_.Apply(lease->url()), HasSubstr("[redacted]"));
  const std::string everything = server_->As(lease->url(), "SELECT current_user");
  EXPECT_THAT(server_->As(lease->url(), "SELECT rolpassword FROM pg_authid"),
              HasSubstr("permission denied"));
}

TEST_P(TaskDatabases, SessionsThatAreStillOpenAreEnded) {
  auto lease = Make();
  ASSERT_NE(lease, nullptr);
  PostgresSession session(lease->url());
  ASSERT_EQ(session.Query("SELECT 1").value(), "1");
  EXPECT_TRUE(lease->Drop().ok());
  EXPECT_FALSE(session.Query("SELECT 1").ok());
  EXPECT_EQ(server_->Left(), "");
}

TEST_P(TaskDatabases, ASweepDropsWhatACrashLeftAndNothingElse) {
  const auto one = Make();
  const auto two = Make();
  ASSERT_TRUE(one && two);
  server_->Admin("CREATE ROLE swage_ffffffffffff_41_00000000 LOGIN");
  EXPECT_EQ(databases_->SweepOrphans().value().size(), 0U) << "this process holds both";
  const auto next_life = NewLife();
  EXPECT_EQ(next_life->SweepOrphans().value().size(), 2U);
  EXPECT_EQ(server_->Left(), "swage_ffffffffffff_41_00000000") << "another node's";
}

TEST_P(TaskDatabases, AServerThatAsksForNoPasswordsIsRefused) {
  server_->TrustEverybody();
  const auto lease = databases_->Make(settings_[0], task_);
  ASSERT_FALSE(lease.ok());
  EXPECT_EQ(lease.error().code, ErrorCode::kDenied);
  EXPECT_THAT(lease.error().message, HasSubstr("scram-sha-256"));
  EXPECT_EQ(server_->Left(), "") << "on failure nothing is left";
}

TEST_P(TaskDatabases, ARoleThatMayNotMakeThemIsToldWhatItNeeds) {
  server_->Admin("ALTER ROLE maker NOCREATEROLE");
  const auto lease = databases_->Make(settings_[0], task_);
  ASSERT_FALSE(lease.ok());
  EXPECT_EQ(lease.error().code, ErrorCode::kDenied);
  EXPECT_THAT(lease.error().message, HasSubstr("CREATEDB and CREATEROLE"));
}

TEST_P(TaskDatabases, AnUnreachableServerMayBeTriedAgain) {
  server_->server().Stop();
  const auto lease = databases_->Make(settings_[0], task_);
  ASSERT_FALSE(lease.ok());
  EXPECT_EQ(lease.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(lease.error().message, Not(HasSubstr(std::string(PasswordServer::kPassword))));
}

TEST_P(TaskDatabases, OneTaskCannotTakeAllConnections) {
  const auto lease = Make();
  ASSERT_NE(lease, nullptr);
  std::vector<std::unique_ptr<PostgresSession>> sessions;
  int opened = 0;
  for (int i = 0; i < 5; ++i) {
    sessions.push_back(std::make_unique<PostgresSession>(lease->url()));
    if (sessions.back()->Query("SELECT 1").ok()) ++opened;
  }
  EXPECT_EQ(opened, 3);
}

TEST_P(TaskDatabases, ASocketsFolderIsNamedForTheTasksLevel) {
  settings_[0].admin.value = server_->MakerUrlBySocket();
  databases_ = NewLife();
  const auto lease = Make();
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->socket_dir(), server_->server().socket_dir().string());
  EXPECT_EQ(server_->As(lease->url(), "SELECT 1"), "1");
}

TEST_P(TaskDatabases, ATaskWithoutANetworkReachesItByASocketOfItsOwn) {
  const auto lease = Make();
  ASSERT_NE(lease, nullptr);
  const TempDir home("swage-home-");
  ASSERT_TRUE(lease->BringInto(home.path(), std::nullopt).ok());
  EXPECT_THAT(lease->url(), HasSubstr("@/"));
  EXPECT_THAT(lease->url(), HasSubstr("?host="));
  EXPECT_EQ(server_->As(lease->url(), "CREATE TABLE t(x int); INSERT INTO t VALUES (7); TABLE t"),
            "7");
  EXPECT_EQ(server_->As(lease->url(), "SELECT length(repeat('x', 5000000))"), "5000000");
  EXPECT_EQ(server_->As(lease->url(), "SELECT repeat('x', 3000000)"), std::string(3'000'000, 'x'));
  PostgresSession one(lease->url());
  PostgresSession two(lease->url());
  EXPECT_EQ(one.Query("SELECT 1").value() + two.Query("SELECT 2").value(), "12");
  ASSERT_TRUE(lease->Drop().ok());
  EXPECT_FALSE(one.Query("SELECT 1").ok());
}

INSTANTIATE_TEST_SUITE_P(Scopes, TaskDatabases, testing::Values("database", "schema"),
                         [](const auto& scope) { return scope.param; });

postgres::TaskDatabaseSpec Copy(std::string name, std::string source) {
  postgres::TaskDatabaseSpec spec;
  spec.name = std::move(name);
  spec.comment = "a copy";
  spec.source = std::move(source);
  return spec;
}

TEST(TaskDatabaseCopies, AreOfTheSource) {
  SWAGE_NEEDS_POSTGRES();
  const PasswordServer server;
  ASSERT_EQ(server.As(server.MakerUrl(), "CREATE DATABASE seed"), "");
  std::string seed = server.MakerUrl();
  seed.replace(seed.rfind('/') + 1, std::string::npos, "seed");
  ASSERT_EQ(server.As(seed,
                      "CREATE TABLE t(x int); INSERT INTO t VALUES (9); GRANT ALL ON t TO "
                      "PUBLIC"),
            "");
  auto tasks = postgres::TaskServer::FromUrl(server.MakerUrl()).value();
  const auto made = tasks.Make(Copy("swage_copy", "seed"));
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(server.As(made->url, "TABLE t"), "9");
  ASSERT_TRUE(tasks.Drop("swage_copy").ok());
  const auto none = tasks.Make(Copy("swage_copy", "nothing"));
  EXPECT_THAT(none.error().message, HasSubstr("databases.source"));
  EXPECT_FALSE(tasks.Make(Copy("a\"; DROP", "")).ok());
}

}  // namespace
}  // namespace swage::test
