#include "pipeline/lease_keeper.h"

#include <algorithm>
#include <utility>

namespace swage {
namespace {

constexpr std::chrono::milliseconds kShortestPause{1'000};
// The fence is looked at this often while there is something to fence.
constexpr std::chrono::milliseconds kFenceTick{250};
constexpr std::chrono::hours kNothingHeld{1};

}  // namespace

LeaseKeeper::LeaseKeeper(Store& store, const Clock& clock, Log& log, LeaseTimes times)
    : store_(store), clock_(clock), log_(log), times_(times) {}

LeaseKeeper::~LeaseKeeper() {
  Stop();
}

void LeaseKeeper::Start() {
  renewer_ = std::jthread([this](std::stop_token stop) { RenewLoop(std::move(stop)); });
  fencer_ = std::jthread([this](std::stop_token stop) { FenceLoop(std::move(stop)); });
}

void LeaseKeeper::Stop() {
  for (std::jthread* thread : {&renewer_, &fencer_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
}

void LeaseKeeper::Add(const Lease& lease, MonotonicTime held_from, std::stop_source stop) {
  bool asleep = false;
  {
    const std::lock_guard lock(mutex_);
    held_.insert_or_assign(Key{lease.task, lease.epoch}, Held{lease, held_from, std::move(stop)});
    asleep = !std::exchange(fence_ticks_, true);
  }
  if (asleep) fence_.Signal();
}

void LeaseKeeper::Remove(const Lease& lease) {
  const std::lock_guard lock(mutex_);
  held_.erase(Key{lease.task, lease.epoch});
}

Result<void> LeaseKeeper::Health() const {
  if (!failing_) return Ok();
  return MakeError(ErrorCode::kUnavailable, "cannot renew leases");
}

void LeaseKeeper::RenewLoop(std::stop_token stop) {
  const auto pause = std::min(kShortestPause, times_.heartbeat);
  while (!stop.stop_requested()) {
    // Hints come in bursts: what is said during the pause is one renewal after it.
    Wakeup never;
    never.Wait(stop, pause);
    renew_.Wait(stop, times_.heartbeat - pause);
    if (!stop.stop_requested()) RenewOnce();
  }
}

void LeaseKeeper::RenewOnce() {
  std::vector<Lease> leases;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, held] : held_) leases.push_back(held.lease);
  }
  if (leases.empty()) {
    failing_ = false;
    return;
  }
  const MonotonicTime sent = clock_.Monotonic();
  const auto lost = store_.RenewLeases(leases, times_.lease);
  if (lost.ok()) {
    NoteRenewed(leases, *lost, sent);
  } else if (!failing_) {
    log_.Warn("cannot renew leases", {{"tasks", leases.size()}, {"error", lost.error().message}});
  }
  failing_ = !lost.ok();
}

void LeaseKeeper::NoteRenewed(const std::vector<Lease>& asked, const std::vector<TaskId>& lost,
                              MonotonicTime sent) {
  const std::lock_guard lock(mutex_);
  for (const Lease& lease : asked) {
    const auto it = held_.find(Key{lease.task, lease.epoch});
    if (it == held_.end()) continue;  // its run ended meanwhile, and its lease with it
    if (std::find(lost.begin(), lost.end(), lease.task) == lost.end()) {
      it->second.renewed = sent;
      continue;
    }
    log_.Warn("stopping a worker whose lease is lost", {{"task_id", lease.task}});
    it->second.stop.request_stop();
    held_.erase(it);
  }
}

void LeaseKeeper::FenceLoop(std::stop_token stop) {
  while (!stop.stop_requested()) fence_.Wait(stop, FenceOnce());
}

std::chrono::milliseconds LeaseKeeper::FenceOnce() {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.Monotonic();
  for (auto it = held_.begin(); it != held_.end();) {
    if (now - it->second.renewed < times_.fence) {
      ++it;
      continue;
    }
    log_.Warn("stopping a worker that cannot renew its lease", {{"task_id", it->first.first}});
    it->second.stop.request_stop();
    it = held_.erase(it);
  }
  fence_ticks_ = !held_.empty();
  return fence_ticks_ ? std::min(kFenceTick, times_.fence / 4) : kNothingHeld;
}

}  // namespace swage
