// PublisherThreads: one thread that takes effects, a few that carry them out, and one that keeps
// their holds.
//
// An effect that hangs costs its own thread and its own task; pushes, which take longest, never get
// the last thread (I10). Nothing is taken without a free thread to carry it, so that other nodes
// may take the rest.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "pipeline/publisher.h"

namespace swage {

/// How much may be taken, with so many threads to carry it. Not thread-safe.
class PublishingRoom {
 public:
  /// `threads` >= 1.
  explicit PublishingRoom(int threads) : threads_(threads) {}

  int Effects() const { return threads_ - busy_; }
  int Pushes() const;  ///< among them
  void Enter(const TakenEffect& taken);
  void Leave(const TakenEffect& taken);

 private:
  const int threads_;
  int busy_ = 0;
  int pushes_ = 0;
};

class PublisherThreads {
 public:
  /// Retries become due by the clock alone, and a worker announces only the end of its run: a
  /// status comment is late by at most this.
  static constexpr std::chrono::milliseconds kPoll{500};
  static constexpr std::chrono::seconds kRenewal{10};

  /// `threads` >= 1 carry.
  PublisherThreads(Publisher& publisher, int threads);
  ~PublisherThreads();

  void Start();
  /// There may be something to take. From any thread.
  void Wake();
  /// Takes nothing more and calls off what is under way. Never blocks.
  void BeginStop();
  /// Returns when all threads have ended.
  void Stop();

 private:
  void Dispatch(std::stop_token stop);
  void CarryOn(std::stop_token stop);
  void KeepHolds(std::stop_token stop);
  void HandOut(std::vector<TakenEffect> taken);

  Publisher& publisher_;
  const int threads_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<TakenEffect> handed_out_;
  PublishingRoom room_;
  bool woken_ = false;
  std::vector<std::jthread> running_;
};

}  // namespace swage
