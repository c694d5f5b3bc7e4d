#include "bot/webhook/delivery_batcher.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace swage {
namespace {

constexpr const char* kRetryAfterSeconds = "5";

WebResponse NotStored() {
  WebResponse response = TextResponse(503, "not stored; send it again");
  response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  return response;
}

// Moves the first `n` of `from` away.
template <class T>
std::vector<T> TakeFront(std::vector<T>& from, std::size_t n) {
  const auto end = from.begin() + static_cast<std::ptrdiff_t>(n);
  std::vector<T> taken(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
  std::vector<T> rest(std::make_move_iterator(end), std::make_move_iterator(from.end()));
  from.swap(rest);
  return taken;
}

}  // namespace

DeliveryBatcher::DeliveryBatcher(Store& store, Log& log, std::function<void()> on_stored)
    : store_(store), log_(log), on_stored_(std::move(on_stored)) {
  for (std::thread& thread : threads_) thread = std::thread([this] { Loop(); });
}

DeliveryBatcher::~DeliveryBatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void DeliveryBatcher::Add(NewDelivery delivery, WebAnswer answer) {
  {
    std::unique_lock lock(mutex_);
    if (deliveries_.size() >= kMaxQueued) {
      lock.unlock();
      return answer.Send(NotStored());
    }
    deliveries_.push_back(std::move(delivery));
    answers_.push_back(std::move(answer));
    if (idle_ == 0) return;
  }
  wake_.notify_one();
}

void DeliveryBatcher::Loop() {
  for (;;) {
    std::vector<NewDelivery> deliveries;
    std::vector<WebAnswer> answers;
    {
      std::unique_lock lock(mutex_);
      while (deliveries_.empty() && !stopping_) {
        ++idle_;
        wake_.wait(lock);
        --idle_;
      }
      if (deliveries_.empty()) return;
      const std::size_t n = std::min(deliveries_.size(), kMaxBatch);
      deliveries = TakeFront(deliveries_, n);
      answers = TakeFront(answers_, n);
    }
    Commit(deliveries, answers);
  }
}

void DeliveryBatcher::Commit(std::vector<NewDelivery>& deliveries,
                             std::vector<WebAnswer>& answers) {
  const Result<std::vector<bool>> fresh = store_.AddDeliveries(deliveries);
  if (!fresh.ok()) {
    log_.Error("deliveries not stored",
               {{"count", deliveries.size()}, {"error", fresh.error().message}});
    for (WebAnswer& answer : answers) answer.Send(NotStored());
    return;
  }
  if (on_stored_ && std::find(fresh->begin(), fresh->end(), true) != fresh->end()) on_stored_();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    answers[i].Send((*fresh)[i] ? TextResponse(202, "stored") : TextResponse(200, "seen before"));
  }
}

}  // namespace swage
