#include "pipeline/store/postgres/pool.h"

#include <fmt/format.h>

namespace swage::postgres {

Result<Pool::Session> Pool::Take() {
  {
    std::unique_lock lock(mutex_);
    const auto can_have = [&] { return !idle_.empty() || open_ < max_sessions_; };
    if (!returned_.wait_for(lock, kPatience, can_have)) {
      return MakeError(ErrorCode::kUnavailable,
                       fmt::format("all {} sessions with the database are busy", max_sessions_));
    }
    if (!idle_.empty()) {
      std::unique_ptr<Connection> db = std::move(idle_.back());
      idle_.pop_back();
      return Session(*this, std::move(db));
    }
    ++open_;
  }
  auto db = Connection::Open(address_);
  if (db.ok()) return Session(*this, std::move(db).value());
  const std::lock_guard lock(mutex_);
  --open_;
  returned_.notify_one();
  return db.error();
}

void Pool::Give(std::unique_ptr<Connection> db) {
  std::vector<std::unique_ptr<Connection>> broken;  // closed outside of the lock
  const std::lock_guard lock(mutex_);
  // In a transaction only when its end failed: then nobody knows what state it is in.
  const bool usable = !db->lost() && db->trouble() != Trouble::kLost &&
                      PQtransactionStatus(db->handle()) == PQTRANS_IDLE;
  db->Forget();
  if (usable) {
    idle_.push_back(std::move(db));
  } else {
    --open_;
    open_ -= static_cast<int>(idle_.size());
    broken.swap(idle_);
    broken.push_back(std::move(db));
  }
  returned_.notify_all();
}

}  // namespace swage::postgres
