// Pool: a bounded number of sessions, made when needed, shared by all threads.
//
// Whoever takes one has it alone until it is given back. Lost ones are thrown away; after a loss so
// are the idle ones, which most likely broke with it. Thread-safe.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/store/postgres/address.h"
#include "pipeline/store/postgres/connection.h"

namespace swage::postgres {

class Pool {
 public:
  /// How long a caller waits while all sessions are in use.
  static constexpr std::chrono::seconds kPatience{5};

  Pool(Address address, int max_sessions)
      : address_(std::move(address)), max_sessions_(max_sessions) {}

  /// A session in use.
  class Session {
   public:
    Session(Pool& pool, std::unique_ptr<Connection> db) : pool_(&pool), db_(std::move(db)) {}
    Session(Session&&) noexcept = default;
    Session& operator=(Session&&) = delete;
    ~Session() {
      if (db_ != nullptr) pool_->Give(std::move(db_));
    }
    Connection& operator*() const { return *db_; }
    Connection* operator->() const { return db_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> db_;
  };

  /// Blocks for at most kPatience, and for as long as connecting takes. Errors: kUnavailable.
  Result<Session> Take();
  const Address& address() const { return address_; }

 private:
  void Give(std::unique_ptr<Connection> db);

  const Address address_;
  const int max_sessions_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  int open_ = 0;  // idle ones included
};

}  // namespace swage::postgres
