// Machine: the one thread of a simulation. Strands (fibers with a host) take turns on a manual
// clock; whoever sleeps longest ago goes on first, so that a seed decides every interleaving.
//
// A host that is paused stands still; one that is killed has its strands run to their ends at once,
// while every door to the world is shut for them: what a crash leaves behind is only what was
// durable before. Also keeps the trace, the counters of rare paths, and what was violated.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tests/harness/manual_clock.h"
#include "tests/simulation/fiber.h"

namespace swage::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// SplitMix64: small, quick, and the same everywhere.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// In [0, n).
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(Next() % static_cast<std::uint64_t>(n));
  }
  /// In [low, high].
  std::int64_t Between(std::int64_t low, std::int64_t high) { return low + Below(high - low + 1); }
  bool OneIn(std::int64_t n) { return Below(n) == 0; }
  bool Percent(std::int64_t p) { return Below(100) < p; }
  microseconds Time(microseconds low, microseconds high) {
    return microseconds(Between(low.count(), high.count()));
  }

 private:
  std::uint64_t state_;
};

struct Host {
  std::string name;
  bool dead = false;
  MonotonicTime paused_until{};
  MonotonicTime last_pause_end{};
};

/// A reason to go on before the time.
struct Signal {
  bool set = false;
};

using Counters = std::map<std::string, std::int64_t, std::less<>>;

class Machine {
 public:
  /// `tell`: print the trace, one line an entry.
  Machine(std::uint64_t seed, Counters& counters, bool tell);
  ~Machine();

  Rng& rng() { return rng_; }
  const ManualClock& clock() const { return clock_; }
  MonotonicTime Now() const { return clock_.Monotonic(); }

  void Spawn(Host& host, std::string_view name, std::function<void()> body);

  // --- from inside a strand
  /// Returns early on `signal` (which it takes), on a stop, and at once when the host is dead.
  void Sleep(microseconds time, Signal* signal = nullptr, std::stop_token stop = {});
  /// Tells the strands of one moment apart.
  const void* Current() const { return current_; }
  /// Between two events: nobody's code is running. For killing hosts.
  void Later(std::function<void()> action) { later_.push_back(std::move(action)); }

  // --- from outside
  /// False: `limit` passed, or something was violated.
  bool RunUntil(const std::function<bool()>& over, seconds limit);
  /// Runs the strands of a dead host to their ends.
  void Drain(Host& host);

  // --- what is known of the run
  template <class... Parts>
  void Note(const Host& host, const Parts&... parts) {
    Mix(static_cast<std::uint64_t>(clock_.Monotonic().time_since_epoch().count()));
    MixText(host.name);
    (MixPart(parts), ...);
    if (!tell_) return;
    std::string line;
    (Append(line, parts), ...);
    Tell(host, line);
  }
  std::uint64_t hash() const { return hash_; }
  bool tells() const { return tell_; }
  void Sometimes(std::string_view what);
  /// "I1": the run ends with the next event.
  void Violated(std::string_view invariant, const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Strand;

  Strand* Next(MonotonicTime& when);
  void Resume(Strand& strand);
  void Mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3; }
  void MixText(std::string_view text);
  void MixPart(std::string_view text) { MixText(text); }
  void MixPart(std::int64_t number) { Mix(static_cast<std::uint64_t>(number)); }
  static void Append(std::string& line, std::string_view text) { line += text; }
  static void Append(std::string& line, std::int64_t number) { line += std::to_string(number); }
  void Tell(const Host& host, const std::string& line) const;

  Rng rng_;
  ManualClock clock_;
  std::vector<std::unique_ptr<Strand>> strands_;
  Strand* current_ = nullptr;
  std::vector<std::function<void()>> later_;
  Counters& counters_;
  const bool tell_;
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::vector<std::string> violations_;
};

}  // namespace swage::simulation
