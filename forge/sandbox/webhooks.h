// WebhookSender: delivers webhooks one after the other from a thread of its own, and remembers
// them.
//
// Like the real forges it does not retry; a redelivery is asked for and keeps the delivery's guid.
// The order of sending is the order of the events. Bounds: kMaxDeliveries are kept, kMaxQueued
// wait. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "forge/sandbox/dialect.h"
#include "forge/sandbox/faults.h"
#include "forge/sandbox/state.h"

namespace swage::sandbox {

class WebhookSender {
 public:
  static constexpr std::size_t kMaxDeliveries = 20'000;
  static constexpr std::size_t kMaxQueued = 20'000;
  static constexpr std::chrono::seconds kTimeout{10};  ///< what GitHub and GitLab wait

  /// `dialect`, `faults` and `clock` outlive the sender. `on_done` is called from the sender's
  /// thread, without a lock, after each attempt.
  WebhookSender(const ApiDialect& dialect, Faults& faults, const Clock& clock,
                std::chrono::milliseconds delay, std::function<void(const Delivery&)> on_done);
  ~WebhookSender();  ///< stops; what waits is not sent
  void Stop();

  /// Queues a payload for a hook; returns the delivery's id.
  Id Send(const Hook& hook, Id repo, Payload payload);
  /// Queues an earlier delivery again; nothing when the id is unknown.
  std::optional<Id> Redeliver(const Hook& hook, Id delivery);

  std::vector<Delivery> Deliveries() const;         ///< oldest first
  std::vector<Delivery> Deliveries(Id hook) const;  ///< oldest first
  std::optional<Delivery> Find(Id delivery) const;
  /// Waits until nothing is queued or on its way. False when `limit` passed first.
  bool WaitIdle(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage::sandbox
