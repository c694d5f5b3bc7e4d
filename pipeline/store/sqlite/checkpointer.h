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
  /// 64 MB: one round of the thread. It writes a page once, however often it changed meanwhile: in
  /// the index of a million deliveries, whose pages change anywhere, short rounds find nearly
  /// each change on a page of its own.
  static constexpr int kRoundPages = 16'000;
  static constexpr int kMaxWalPages = 32'000;  ///< 128 MB: the writer steps in

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
