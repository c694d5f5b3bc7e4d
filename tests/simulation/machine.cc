#include "tests/simulation/machine.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "config/base/result.h"
#include "forge/work_scope.h"

namespace swage::simulation {

struct Machine::Strand {
  Strand(Host& owner, std::string_view what, std::function<void()> body)
      : host(owner), name(what), fiber(std::move(body)) {}

  Host& host;
  const std::string name;
  Fiber fiber;
  MonotonicTime wake{};
  Signal* signal = nullptr;
  std::stop_token stop;
  WorkScope::Work work;  // a strand is a thread to those who ask
};

Machine::Machine(std::uint64_t seed, Counters& counters, bool tell)
    : rng_(seed), counters_(counters), tell_(tell) {}

Machine::~Machine() {
  SWAGE_CHECK(strands_.empty());
}

void Machine::Spawn(Host& host, std::string_view name, std::function<void()> body) {
  strands_.push_back(std::make_unique<Strand>(host, name, std::move(body)));
  strands_.back()->wake = Now();
}

void Machine::Sleep(microseconds time, Signal* signal, std::stop_token stop) {
  Strand* self = current_;
  SWAGE_CHECK(self != nullptr);
  if (self->host.dead) return;
  self->wake = Now() + time;
  self->signal = signal;
  self->stop = std::move(stop);
  self->fiber.Yield();
  if (signal != nullptr) signal->set = false;
  self->signal = nullptr;
  self->stop = {};
}

// The one that is to go on first, and when; the eldest of equals.
Machine::Strand* Machine::Next(MonotonicTime& when) {
  Strand* first = nullptr;
  for (const auto& strand : strands_) {
    const bool early =
        strand->stop.stop_requested() || (strand->signal != nullptr && strand->signal->set);
    const MonotonicTime wake = std::max(early ? Now() : strand->wake, strand->host.paused_until);
    if (first != nullptr && wake >= when) continue;
    first = strand.get();
    when = wake;
  }
  return first;
}

void Machine::Resume(Strand& strand) {
  current_ = &strand;
  WorkScope::Work outside = WorkScope::Exchange(std::move(strand.work));
  strand.fiber.Resume();
  strand.work = WorkScope::Exchange(std::move(outside));
  current_ = nullptr;
}

bool Machine::RunUntil(const std::function<bool()>& over, seconds limit) {
  const MonotonicTime end = Now() + limit;
  while (violations_.empty() && !over()) {
    MonotonicTime when{};
    Strand* next = Next(when);
    if (next == nullptr || when > end) return false;
    if (when > Now()) {
      clock_.Advance(std::chrono::duration_cast<microseconds>(when - Now()));
    }
    Resume(*next);
    std::erase_if(strands_, [](const auto& strand) { return strand->fiber.done(); });
    for (const auto& action : std::exchange(later_, {})) action();
  }
  return violations_.empty();
}

void Machine::Drain(Host& host) {
  SWAGE_CHECK(host.dead && current_ == nullptr);
  for (std::size_t i = 0; i < strands_.size(); ++i) {  // a last word may start another
    if (&strands_[i]->host != &host) continue;
    Strand& strand = *strands_[i];
    while (!strand.fiber.done()) Resume(strand);
  }
  std::erase_if(strands_, [](const auto& strand) { return strand->fiber.done(); });
}

void Machine::Sometimes(std::string_view what) {
  const auto it = counters_.find(what);
  if (it != counters_.end()) {
    ++it->second;
  } else {
    counters_.emplace(what, 1);
  }
  if (tell_) Tell({.name = "*"}, std::string(what));
}

void Machine::Violated(std::string_view invariant, const std::string& what) {
  violations_.push_back(std::string(invariant) + ": " + what);
  if (tell_) Tell({.name = "!"}, violations_.back());
}

void Machine::MixText(std::string_view text) {
  for (const char c : text) Mix(static_cast<unsigned char>(c));
  Mix(text.size());
}

void Machine::Tell(const Host& host, const std::string& line) const {
  const auto us = std::chrono::duration_cast<microseconds>(Now().time_since_epoch()).count();
  std::printf("%9.3f %-8s %s\n", static_cast<double>(us) / 1e6, host.name.c_str(), line.c_str());
}

}  // namespace swage::simulation
