#include "pipeline/store/sqlite/checkpointer.h"

namespace swage::sqlite {
namespace {

// PASSIVE never waits for readers; a failure (disk full) leaves the pages in the WAL for the next
// round.
void CopyPages(Connection& db) {
  sqlite3_wal_checkpoint_v2(db.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Connection> db, Connection& writer)
    : db_(std::move(db)), thread_([this] { Loop(); }) {
  sqlite3_wal_hook(
      writer.handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &wal_pages_);
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::AfterCommit(Connection& writer) {
  if (wal_pages_ < kRoundPages) return;
  bool finish = wal_pages_ >= kMaxWalPages;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    finish = finish || std::exchange(round_done_, false);
    if (!finish) wake = !std::exchange(wanted_, true);
  }
  if (wake) wake_.notify_one();
  if (!finish) return;
  CopyPages(writer);
  wal_pages_ = 0;  // the next commit tells the true number
}

void Checkpointer::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return wanted_ || stopping_; });
    if (stopping_) return;
    lock.unlock();
    CopyPages(*db_);
    lock.lock();
    wanted_ = false;
    round_done_ = true;
  }
}

}  // namespace swage::sqlite
