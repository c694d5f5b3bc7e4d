// Together: calls that come while one is under way go as one when it is over.
//
// A lone caller waits for nobody; the more there are, the more share a transaction's trip and its
// sync. Whoever finds nothing under way does the work of all who wait. Thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace swage::postgres {

template <class Item>
class Together {
 public:
  /// Does the work of all `items`; one call at a time, with at most `most` of them. It leaves the
  /// results in the items.
  using Work = std::function<void(const std::vector<Item*>& items)>;
  Together(std::size_t most, Work work) : most_(most), work_(std::move(work)) {}

  /// Returns when the work of `item` is done.
  void Do(Item& item) {
    std::unique_lock lock(mutex_);
    Entry mine{&item};
    waiting_.push_back(&mine);
    while (!mine.done) {
      if (busy_) {
        turn_.wait(lock, [&] { return mine.done || !busy_; });
      } else {
        DoNext(lock);
      }
    }
  }

 private:
  struct Entry {
    Item* item;
    bool done = false;
  };

  void DoNext(std::unique_lock<std::mutex>& lock) {
    const auto end = waiting_.begin() + static_cast<long>(std::min(most_, waiting_.size()));
    const std::vector<Entry*> taken(waiting_.begin(), end);
    std::vector<Item*> items;
    for (const Entry* entry : taken) items.push_back(entry->item);
    waiting_.erase(waiting_.begin(), end);
    const Turn turn(*this, taken, lock);
    work_(items);
  }

  /// Others wait while it lives, also if the work throws.
  class Turn {
   public:
    Turn(Together& all, const std::vector<Entry*>& taken, std::unique_lock<std::mutex>& lock)
        : all_(all), taken_(taken), lock_(lock) {
      all_.busy_ = true;
      lock_.unlock();
    }
    ~Turn() {
      lock_.lock();
      all_.busy_ = false;
      for (Entry* entry : taken_) entry->done = true;
      all_.turn_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Together& all_;
    const std::vector<Entry*>& taken_;
    std::unique_lock<std::mutex>& lock_;
  };

  const std::size_t most_;
  const Work work_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::deque<Entry*> waiting_;  // in the order of their coming
  bool busy_ = false;
};

}  // namespace swage::postgres
