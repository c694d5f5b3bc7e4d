#include "pipeline/publisher_threads.h"

#include <algorithm>
#include <utility>

namespace swage {

PublisherThreads::PublisherThreads(Publisher& publisher, int threads)
    : publisher_(publisher), threads_(std::max(threads, 1)) {}

PublisherThreads::~PublisherThreads() {
  Stop();
}

void PublisherThreads::Start() {
  running_.emplace_back([this](std::stop_token stop) { Dispatch(std::move(stop)); });
  running_.emplace_back([this](std::stop_token stop) { KeepHolds(std::move(stop)); });
  for (int i = 0; i < threads_; ++i) {
    running_.emplace_back([this](std::stop_token stop) { CarryOn(std::move(stop)); });
  }
}

void PublisherThreads::Wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void PublisherThreads::BeginStop() {
  for (std::jthread& thread : running_) thread.request_stop();
}

void PublisherThreads::Stop() {
  BeginStop();
  running_.clear();
}

void PublisherThreads::Dispatch(std::stop_token stop) {
  while (!stop.stop_requested()) {
    int free = 0;
    int pushes = 0;
    {
      const std::lock_guard lock(mutex_);
      woken_ = false;
      free = threads_ - busy_;
      pushes = std::max(threads_ - 1, 1) - pushes_;
    }
    std::vector<TakenEffect> taken;
    if (free > 0) taken = publisher_.Take(free, std::max(pushes, 0));
    const bool any = !taken.empty();
    HandOut(std::move(taken));
    if (any) continue;  // there may be more
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, kPoll, [this] { return woken_; });
  }
}

void PublisherThreads::HandOut(std::vector<TakenEffect> taken) {
  const std::lock_guard lock(mutex_);
  for (TakenEffect& one : taken) {
    ++busy_;
    if (one.effect.what.kind == EffectKind::kPush) ++pushes_;
    handed_out_.push_back(std::move(one));
  }
  changed_.notify_all();
}

void PublisherThreads::CarryOn(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !handed_out_.empty(); })) {
    const TakenEffect taken = std::move(handed_out_.front());
    handed_out_.pop_front();
    lock.unlock();
    publisher_.Carry(taken, stop);
    lock.lock();
    --busy_;
    if (taken.effect.what.kind == EffectKind::kPush) --pushes_;
    woken_ = true;  // the next of the same task is due, and a thread is free
    changed_.notify_all();
  }
}

void PublisherThreads::KeepHolds(std::stop_token stop) {
  std::mutex mine;
  std::unique_lock lock(mine);
  std::condition_variable_any nothing;
  while (!stop.stop_requested()) {
    nothing.wait_for(lock, stop, kRenewal, [] { return false; });
    if (!stop.stop_requested()) publisher_.RenewHolds();
  }
}

}  // namespace swage
