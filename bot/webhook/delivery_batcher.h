// DeliveryBatcher: makes verified deliveries durable many at a time, then answers them.
//
// A thread takes what has gathered while the disk was busy, stores it with one sync, and answers
// each request (B1: only then). The threads that verify never wait for the disk, so that few of
// them serve any number of clients. The queue is bounded; a full one refuses at once.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "bot/http/http_server.h"
#include "config/base/log.h"
#include "pipeline/store/store.h"

namespace swage {

class DeliveryBatcher {
 public:
  static constexpr std::size_t kMaxQueued = 4096;
  static constexpr std::size_t kMaxBatch = 256;
  /// Some answer while the batches of others are on their way to the disk, which finishes several
  /// syncs sooner than one after the other.
  static constexpr std::size_t kThreads = 4;

  /// `on_stored` is called after each batch with a new row, from a thread of the batcher.
  DeliveryBatcher(Store& store, Log& log, std::function<void()> on_stored);
  /// Stores and answers what was handed in.
  ~DeliveryBatcher();

  /// Does not block. Answers 202, 200 (seen before) or 503.
  void Add(NewDelivery delivery, WebAnswer answer);

 private:
  void Loop();
  void Commit(std::vector<NewDelivery>& deliveries, std::vector<WebAnswer>& answers);

  Store& store_;
  Log& log_;
  const std::function<void()> on_stored_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<NewDelivery> deliveries_;
  std::vector<WebAnswer> answers_;  // one for each delivery
  int idle_ = 0;                    // threads that wait
  bool stopping_ = false;
  std::array<std::thread, kThreads> threads_;
};

}  // namespace swage
