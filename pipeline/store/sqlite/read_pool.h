// ReadPool: a few connections that only read; WAL lets them run beside the writer.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "pipeline/store/sqlite/connection.h"

namespace swage::sqlite {

class ReadPool {
 public:
  static constexpr int kMaxConnections = 4;

  explicit ReadPool(std::filesystem::path file, Connection::Mode mode = Connection::Mode::kReader)
      : file_(std::move(file)), mode_(mode) {}

  /// Runs `read(Connection&) -> Result<T>`; blocks while all connections are in use.
  template <class Read>
  auto Run(Read&& read) -> std::invoke_result_t<Read, Connection&> {
    SWAGE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> db, Take());
    const Return guard{*this, db};
    return read(*db);
  }

 private:
  /// Gives the connection back.
  struct Return {
    ReadPool& pool;
    std::unique_ptr<Connection>& db;
    ~Return() { pool.Give(std::move(db)); }
  };

  Result<std::unique_ptr<Connection>> Take();
  void Give(std::unique_ptr<Connection> db);

  const std::filesystem::path file_;
  const Connection::Mode mode_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> free_;
  int open_ = 0;
};

}  // namespace swage::sqlite
