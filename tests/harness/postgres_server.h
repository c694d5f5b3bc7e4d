// PostgresServer: a real PostgreSQL for tests, from Debian's package, in a temporary directory.
//
// It listens on a loopback port and a socket directory of its own and shares nothing with a server
// that the machine may run. As root it runs as the package's user `postgres`, since it refuses to
// be root. It runs under swage-supervise: whatever happens to the test program, the server goes
// with it. Settings are Debian's but for memory and fsync, so isolation and locking are what they
// are in the field. Start, Stop and Kill belong to one thread; the rest may be called from any.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bot/demo/reserved_port.h"
#include "config/base/files.h"
#include "config/base/process.h"
#include "config/base/result.h"

namespace swage::test {

struct PostgresOptions {
  /// Off, a commit does not wait for the disk. Kill loses nothing all the same (the kernel keeps
  /// what was written); only a power cut would.
  bool fsync = true;
  std::vector<std::string> settings;  ///< "name=value", after our own and so instead of them
};

class PostgresServer {
 public:
  /// The role of NewDatabase's URLs: owns its databases and nothing else, as a careful operator
  /// would have it.
  static constexpr std::string_view kRole = "swage";

  static bool Installed();
  /// A server that answers. kNotFound without the package.
  static Result<std::unique_ptr<PostgresServer>> Make(PostgresOptions options = {});
  /// One for the whole test program, without fsync; made at the first call, stopped at its end.
  static PostgresServer& Shared();

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // --- for fault tests: the port and the data stay the same
  Result<void> Start();  ///< blocks until it answers, after recovery
  void Stop();           ///< "fast": sessions are told and ended, everything is written
  void Kill();           ///< as a crash: every process dies at once, sessions just break off

  /// An empty UTF-8 database that kRole owns; its connection URL (TCP, no password).
  Result<std::string> NewDatabase();
  /// For things that only an administrator may do, as pg_terminate_backend.
  std::string AdminUrl(std::string_view database = "postgres") const;
  /// Runs statements through psql, each on its own; rows joined by '\n', columns by '|'.
  Result<std::string> Query(const std::string& url, const std::string& sql) const;

  int port() const { return port_.number(); }
  const std::filesystem::path& socket_dir() const { return dir_.path(); }
  /// The postmaster, for a test that wants to see what becomes of it; -1 while stopped.
  pid_t pid() const { return pid_; }
  /// What the server wrote; its last megabyte.
  std::string Log() const;

 private:
  PostgresServer(PostgresOptions options, demo::ReservedPort port);
  Result<void> CopyTemplate();
  std::vector<std::string> Command() const;
  Result<void> WaitUntilReady();
  void AwaitEnd();
  std::string Url(std::string_view role, std::string_view database) const;

  const PostgresOptions options_;
  const TempDir dir_{"swage-pg-"};
  const std::filesystem::path data_ = dir_.path() / "data";
  const demo::ReservedPort port_;
  const std::unique_ptr<ProcessRunner> runner_;
  std::jthread run_;
  std::atomic<bool> ended_ = true;
  std::atomic<pid_t> pid_ = -1;
  std::atomic<int> databases_ = 0;
  mutable std::mutex log_mutex_;
  std::string log_;
};

/// PostgreSQL's System V segment (56 bytes, its guard against two servers on one cluster) outlives
/// a server that was killed; this removes what the server of the data directory left.
void RemoveSharedMemory(const std::filesystem::path& data);

/// The first line of a test that needs the server.
#define SWAGE_NEEDS_POSTGRES()                     \
  if (!::swage::test::PostgresServer::Installed()) \
  GTEST_SKIP() << "Debian's package postgresql is not installed"

}  // namespace swage::test
