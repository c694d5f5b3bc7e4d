// What every way to provision owes: the suites over this fixture run once for each.
//
// No way gets a fresh start: what a task gets has been somebody else's before.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/harness/workspace_fixture.h"

namespace swage {

inline constexpr ProvisionWay kProvisionWays[] = {ProvisionWay::kPlain, ProvisionWay::kRecycled,
                                                  ProvisionWay::kOverlay};

std::string NameOfWay(const ::testing::TestParamInfo<ProvisionWay>& info);

class ProvisionedTest : public WorkspaceTest, public ::testing::WithParamInterface<ProvisionWay> {
 protected:
  ProvisionedTest();

  /// Skips what this machine cannot do, and says why.
  void SetUp() override;
  /// The first time: another task uses the repository, soils its files and leaves.
  void BeforeProvision() override;

  /// What an agent could leave behind in a work tree, all of it.
  static void Soil(const Path& root);

 private:
  bool soiled_ = false;
};

}  // namespace swage
