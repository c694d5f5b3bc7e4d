// Checkpointer: moves the WAL into the database file off the writer's path, and keeps it short.
//
// A thread of its own copies the pages while the writer goes on. What is written meanwhile stays
// behind, so after each round the writer itself finishes the (small) rest between two batches; the
// WAL then starts again from its beginning. Beyond kMaxWalPages the writer does not wait for the
// thread.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "pipeline/store/sqlite/connection.h"

namespace swage::sqlite {

class Checkpointer {
 public:
  static constexpr int kRoundPages = 4'000;    // 16 MB: one round of the thread
  static constexpr int kMaxWalPages = 24'000;  // 96 MB: the writer steps in

  /// Hooks itself to the commits of `writer`, which must outlive it.
  Checkpointer(std::unique_ptr<Connection> db, Connection& writer);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// After each commit, on the writer thread.
  void AfterCommit(Connection& writer);

 private:
  void Loop();

  std::unique_ptr<Connection> db_;
  int wal_pages_ = 0;  // of the writer thread
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool round_done_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace swage::sqlite
