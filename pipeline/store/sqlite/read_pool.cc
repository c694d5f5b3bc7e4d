#include "pipeline/store/sqlite/read_pool.h"

namespace swage::sqlite {

Result<std::unique_ptr<Connection>> ReadPool::Take() {
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !free_.empty() || open_ < kMaxConnections; });
    if (!free_.empty()) {
      std::unique_ptr<Connection> db = std::move(free_.back());
      free_.pop_back();
      return db;
    }
    ++open_;
  }
  auto db = Connection::Open(file_, mode_);
  if (!db.ok()) {
    const std::lock_guard lock(mutex_);
    --open_;
    returned_.notify_one();
  }
  return db;
}

void ReadPool::Give(std::unique_ptr<Connection> db) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(db));
  returned_.notify_one();
}

}  // namespace swage::sqlite
