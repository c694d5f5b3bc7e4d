#include "tests/soak/disturber.h"

#include <array>
#include <chrono>
#include <random>

#include "config/base/wakeup.h"

namespace swage::soak {
namespace {

using std::chrono::milliseconds;

enum class Act { kKill, kLongStop, kShortStop };
// Of ten acts. Each node begins with another one, so that all kinds come in every run.
constexpr std::array<Act, 10> kActs = {Act::kLongStop,  Act::kShortStop, Act::kKill, Act::kKill,
                                       Act::kKill,      Act::kKill,      Act::kKill, Act::kKill,
                                       Act::kShortStop, Act::kShortStop};

constexpr std::uint64_t kSeedsPerRun = 16;  // one per node

struct Span {
  int least_ms;
  int most_ms;
};
constexpr Span kBetween{2'000, 7'000};
constexpr Span kFirst{500, 2'500};
constexpr Span kDown{100, 2'000};
constexpr Span kShort{200, 3'000};
constexpr Span kLong{11'000, 15'000};  // the lease is 10 s

}  // namespace

Disturber::Disturber(Field& field, std::uint64_t seed) {
  for (const auto& node : field.nodes()) {
    const auto index = threads_.size();
    threads_.emplace_back(
        [this, &node = *node, index, seed = seed * kSeedsPerRun + index](std::stop_token stop) {
          Disturb(node, index, seed, std::move(stop));
        });
  }
}

Disturber::~Disturber() {
  Stop();
}

void Disturber::Stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  for (std::jthread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Disturber::Disturb(test::NodeProcess& node, std::size_t first_act, std::uint64_t seed,
                        std::stop_token stop) {
  std::mt19937_64 random(seed);
  Wakeup never;
  bool first = true;  // this act is never cut short
  const auto pause = [&](Span span) {
    std::uniform_int_distribution<int> length(span.least_ms, span.most_ms);
    never.Wait(first ? std::stop_token() : stop, milliseconds(length(random)));
  };
  const auto stand_still = [&](Span span, std::atomic<int>& count) {
    node.Freeze();
    ++count;
    pause(span);
    node.Thaw();
  };
  std::uniform_int_distribution<std::size_t> any(0, kActs.size() - 1);
  for (; first || !stop.stop_requested(); first = false) {
    pause(first ? kFirst : kBetween);
    if (!first && stop.stop_requested()) return;
    switch (kActs[first ? first_act : any(random)]) {
      case Act::kKill:
        node.Kill();
        ++counts_.kills;
        pause(kDown);
        node.Start();
        break;
      case Act::kShortStop:
        stand_still(kShort, counts_.short_stops);
        break;
      case Act::kLongStop:
        stand_still(kLong, counts_.long_stops);
        break;
    }
  }
}

}  // namespace swage::soak
