#include "pipeline/worker.h"

#include <gtest/gtest.h>

namespace swage {
namespace {

using namespace std::chrono_literals;

TEST(AttemptDelay, GrowsWithTheAttemptsAndHonoursWhatWasAsked) {
  EXPECT_EQ(AttemptDelay(1, 60s, 0ms), 60s);
  EXPECT_EQ(AttemptDelay(3, 60s, 0ms), 180s);
  EXPECT_EQ(AttemptDelay(1, 60s, 10min), 10min);
}

TEST(AttemptDelay, IsNeverNothing) {
  EXPECT_GT(AttemptDelay(1, 0ms, 0ms), 0ms);
}

}  // namespace
}  // namespace swage
