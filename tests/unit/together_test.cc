#include "pipeline/store/postgres/together.h"

#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <thread>
#include <vector>

namespace swage::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kForEver = std::chrono::microseconds(30s);

TEST(TogetherTest, ALoneCallerWaitsForNobody) {
  int calls = 0;
  Together<int> together(8, kForEver, [&](const std::vector<int*>& items) {
    ++calls;
    for (int* item : items) ++*item;
  });
  int item = 1;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) together.Do(item);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kForEver);
  EXPECT_EQ(item, 4);
  EXPECT_EQ(calls, 3);
}

// The first call is not over before the others have come, and from then on they come together,
// unless one of them is not let run for so long.
TEST(TogetherTest, WhoCameTogetherLastTimeIsWaitedFor) {
  constexpr std::size_t kCallers = 4;
  constexpr int kRounds = 20;
  std::latch all(kCallers);
  std::vector<std::size_t> sizes;
  Together<int> together(8, 500ms, [&](const std::vector<int*>& items) {
    if (sizes.empty()) all.wait();
    sizes.push_back(items.size());
  });
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        int item = 0;
        all.count_down();
        for (int round = 0; round < kRounds; ++round) together.Do(item);
      });
    }
  }
  std::size_t calls = 0;
  for (const std::size_t size : sizes) calls += size;
  EXPECT_EQ(calls, kCallers * kRounds);
  EXPECT_LE(sizes.size(), calls / 2) << "most of them, however busy the machine is";
}

TEST(TogetherTest, WhoDoesNotComeIsNotWaitedForAgain) {
  std::latch both(2);
  std::vector<std::size_t> sizes;
  Together<int> together(8, 1ms, [&](const std::vector<int*>& items) {
    if (sizes.empty()) both.wait();
    sizes.push_back(items.size());
  });
  const auto call = [&] {
    int item = 0;
    both.count_down();
    together.Do(item);
  };
  { const std::jthread one(call), two(call); }
  const auto calls = sizes.size();
  int item = 0;
  together.Do(item);
  together.Do(item);
  EXPECT_EQ(sizes.size(), calls + 2);
  EXPECT_EQ(sizes.back(), 1u);
}

TEST(TogetherTest, NoMoreThanTheMostGoTogether) {
  constexpr std::size_t kCallers = 6;
  std::latch all(kCallers);
  std::vector<std::size_t> sizes;
  Together<int> together(2, 1ms, [&](const std::vector<int*>& items) {
    if (sizes.empty()) all.wait();
    sizes.push_back(items.size());
  });
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        int item = 0;
        all.count_down();
        together.Do(item);
      });
    }
  }
  std::size_t calls = 0;
  for (const std::size_t size : sizes) {
    EXPECT_LE(size, 2u);
    calls += size;
  }
  EXPECT_EQ(calls, kCallers);
}

}  // namespace
}  // namespace swage::postgres
