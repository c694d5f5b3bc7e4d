// PasswordServer: a real PostgreSQL that asks for passwords, as one for tasks' databases has to,
// and a role that may make databases and roles but is no superuser.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "tests/harness/postgres_server.h"
#include "tests/harness/wait.h"

namespace swage::test {

class PasswordServer {
 public:
  static constexpr std::string_view kPassword = "maker-password-canary";

  PasswordServer() : server_(PostgresServer::Make({.fsync = false, .settings = {}}).value()) {
    Admin(fmt::format("CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD '{}'", kPassword));
    Admin("CREATE DATABASE app OWNER maker");
    Configure("scram-sha-256");
  }

  /// Of the role that makes databases.
  std::string MakerUrl() const {
    return fmt::format("postgres://maker:{}@127.0.0.1:{}/app", kPassword, server_->port());
  }
  std::string MakerUrlBySocket() const {
    return fmt::format("postgres://maker:{}@/app?host={}&port={}", kPassword,
                       server_->socket_dir().string(), server_->port());
  }
  /// As the superuser, by the socket, where it needs no password.
  std::string Admin(const std::string& sql) const {
    const auto answer = server_->Query(SuperUrl(), sql);
    return answer.ok() ? *answer : "error: " + answer.error().message;
  }
  /// As somebody else; "error: ..." when it fails.
  std::string As(const std::string& url, const std::string& sql) const {
    const auto answer = server_->Query(url, sql);
    return answer.ok() ? *answer : "error: " + answer.error().message;
  }
  /// Roles and databases that Swage made.
  std::string Left() const {
    return Admin(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'swage\\_%' UNION ALL "
        "SELECT datname FROM pg_database WHERE datname LIKE 'swage\\_%'");
  }
  void TrustEverybody() const { Configure("trust"); }
  PostgresServer& server() const { return *server_; }

 private:
  std::string SuperUrl() const {
    return fmt::format("postgres://postgres@/postgres?host={}&port={}",
                       server_->socket_dir().string(), server_->port());
  }
  void Configure(const std::string& method) const {
    // Written in place: the file stays the server's own.
    std::ofstream(server_->socket_dir() / "data" / "pg_hba.conf")
        << "local all postgres trust\nlocal all all scram-sha-256\nhost all all all " << method
        << "\n";
    Admin("SELECT pg_reload_conf()");
    const std::string stranger =
        fmt::format("postgres://maker:wrong@127.0.0.1:{}/app", server_->port());
    const bool lets_in = method == "trust";
    EXPECT_TRUE(WaitFor([&] { return server_->Query(stranger, "SELECT 1").ok() == lets_in; }));
  }

  const std::unique_ptr<PostgresServer> server_;
};

}  // namespace swage::test
