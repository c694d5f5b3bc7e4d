// Together: calls that come while one is under way go as one when it is over.
//
// A lone caller waits for nobody; the more there are, the more share a transaction's trip and its
// sync. Whoever finds nothing under way does the work of all who wait. When there were several last
// time, that is who makes them as many again, or the first of them after a moment: those who come
// again and again come together then, and not by turns in halves. Nobody has to be woken for work
// to begin. Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
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
  Together(std::size_t most, std::chrono::microseconds patience, Work work)
      : most_(most), patience_(patience), work_(std::move(work)) {}

  /// Returns when the work of `item` is done.
  void Do(Item& item) {
    std::unique_lock lock(mutex_);
    Entry mine{&item};
    waiting_.push_back(&mine);
    for (bool patient = true; !mine.done;) {
      if (!busy_ && (AreEnough() || !patient)) {
        DoNext(lock);
      } else if (!busy_ && IsFirst(mine)) {
        patient = turn_.wait_for(lock, patience_, [&] { return mine.done || busy_; });
      } else {
        turn_.wait(lock, [&] { return mine.done || (!busy_ && (AreEnough() || IsFirst(mine))); });
      }
    }
  }

 private:
  struct Entry {
    Item* item;
    bool done = false;
  };

  bool AreEnough() const { return waiting_.size() >= expected_; }
  bool IsFirst(const Entry& entry) const { return waiting_.front() == &entry; }
  void DoNext(std::unique_lock<std::mutex>& lock) {
    Turn turn(*this, lock);
    const std::vector<Item*> items = turn.Take();
    lock.unlock();
    work_(items);
  }

  /// Others wait while it lives, also if the work throws.
  class Turn {
   public:
    Turn(Together& all, std::unique_lock<std::mutex>& lock) : all_(all), lock_(lock) {
      all_.busy_ = true;
    }
    ~Turn() {
      if (!lock_.owns_lock()) lock_.lock();
      all_.busy_ = false;
      all_.expected_ = std::min(all_.most_, taken_.size() + all_.waiting_.size());
      for (Entry* entry : taken_) entry->done = true;
      // Whoever wakes must not have to wait for us.
      lock_.unlock();
      all_.turn_.notify_all();
      lock_.lock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    std::vector<Item*> Take() {
      auto& waiting = all_.waiting_;
      const auto end = waiting.begin() + static_cast<long>(std::min(all_.most_, waiting.size()));
      taken_.assign(waiting.begin(), end);
      waiting.erase(waiting.begin(), end);
      std::vector<Item*> items;
      for (const Entry* entry : taken_) items.push_back(entry->item);
      return items;
    }

   private:
    Together& all_;
    std::unique_lock<std::mutex>& lock_;
    std::vector<Entry*> taken_;
  };

  const std::size_t most_;
  const std::chrono::microseconds patience_;
  const Work work_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::size_t expected_ = 1;
  std::deque<Entry*> waiting_;  // in the order of their coming
  bool busy_ = false;
};

}  // namespace swage::postgres
