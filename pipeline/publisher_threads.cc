#include "pipeline/publisher_threads.h"

#include <algorithm>
#include <utility>

namespace swage {

namespace {

bool IsPush(const TakenEffect& taken) {
  return taken.effect.what.kind == EffectKind::kPush;
}

}  // namespace

int PublishingRoom::Pushes() const {
  return std::max(std::max(threads_ - 1, 1) - pushes_, 0);
}

void PublishingRoom::Enter(const TakenEffect& taken) {
  ++busy_;
  if (IsPush(taken)) ++pushes_;
}

void PublishingRoom::Leave(const TakenEffect& taken) {
  --busy_;
  if (IsPush(taken)) --pushes_;
}

PublisherThreads::PublisherThreads(Publisher& publisher, int threads)
    : publisher_(publisher), threads_(std::max(threads, 1)), room_(threads_) {}

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
      free = room_.Effects();
      pushes = room_.Pushes();
    }
    std::vector<TakenEffect> taken;
    if (free > 0) taken = publisher_.Take(free, pushes);
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
    room_.Enter(one);
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
    room_.Leave(taken);
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
