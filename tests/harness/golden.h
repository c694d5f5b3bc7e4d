// Golden files: what people and agents read, kept as files that a reviewer can read too. Run a test
// with SWAGE_UPDATE_GOLDEN=1 to rewrite them, then read the diff.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/harness/paths.h"

namespace swage::test {

/// `name` is a file of tests/unit/golden.
inline void ExpectGolden(const std::string& actual, const std::string& name) {
  const std::string path = SourcePath("tests/unit/golden/" + name).string();
  if (std::getenv("SWAGE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(actual, expected.str()) << path;
}

}  // namespace swage::test
