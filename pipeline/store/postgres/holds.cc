#include "pipeline/store/postgres/holds.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>
#include <utility>

#include "config/base/wakeup.h"
#include "pipeline/store/postgres/connection.h"

namespace swage::postgres {
namespace {

// Holds are silent by nature, and nobody waits for their locks.
constexpr std::chrono::milliseconds kHoldSilence{30'000};
constexpr std::chrono::milliseconds kPingEvery = kHoldSilence / 4;

std::string Begin() {
  return fmt::format(
      "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = {}",
      kHoldSilence.count());
}

class SessionHold final : public Hold {
 public:
  explicit SessionHold(std::unique_ptr<Connection> db)
      : db_(std::move(db)), pinger_([this](std::stop_token stop) { Ping(std::move(stop)); }) {}

  Result<void> Check() override {
    if (!lost_) return Ok();
    return MakeError(ErrorCode::kLeaseLost, "the session of a hold is lost");
  }

 private:
  void Ping(std::stop_token stop) {
    Wakeup never;
    while (!lost_) {
      never.Wait(stop, kPingEvery);
      if (stop.stop_requested()) return;
      if (!db_->Any("PingHold").ok()) lost_ = true;
    }
  }

  const std::unique_ptr<Connection> db_;  // its end ends the transaction
  std::atomic<bool> lost_{false};
  std::jthread pinger_;
};

}  // namespace

Result<std::unique_ptr<Hold>> TryHold(const Address& address, std::string_view name) {
  SWAGE_ASSIGN_OR_RETURN(auto db, Connection::Open(address));
  SWAGE_RETURN_IF_ERROR(db->Script(Begin()));
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t taken, db->Number("TryHold", name));
  if (taken == 0) return std::unique_ptr<Hold>();
  return std::unique_ptr<Hold>(std::make_unique<SessionHold>(std::move(db)));
}

}  // namespace swage::postgres
