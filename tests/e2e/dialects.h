// Runs an end-to-end test once per dialect of the sandbox forge.
#pragma once

#include <gtest/gtest.h>

#include "tests/harness/box.h"

namespace swage::test {

class DialectTest : public testing::TestWithParam<sandbox::Dialect> {
 protected:
  BoxOptions Options(std::map<std::string, std::string> files, std::string agent,
                     std::string extra_config = "") const {
    BoxOptions options;
    options.dialect = GetParam();
    options.files = std::move(files);
    options.agent = std::move(agent);
    options.extra_config = std::move(extra_config);
    return options;
  }
  /// AnswerRepo's, without any webhook.
  BoxOptions Polling(std::string agent) const {
    BoxOptions options = Options(AnswerRepo(), std::move(agent));
    options.intake = "poll";
    options.webhook = false;
    return options;
  }
  /// GitLab and Gitea mark drafts by their title.
  bool IsDraft(const sandbox::Pull& pull) const {
    return pull.draft || pull.title.starts_with("Draft:") || pull.title.starts_with("WIP:");
  }
};

inline std::string DialectName(const testing::TestParamInfo<sandbox::Dialect>& info) {
  return std::string(NameOf(info.param));
}

/// What every forge must be able to do.
#define SWAGE_EVERY_DIALECT(Suite)                                                               \
  INSTANTIATE_TEST_SUITE_P(Dialects, Suite,                                                      \
                           testing::Values(sandbox::Dialect::kGitHub, sandbox::Dialect::kGitLab, \
                                           sandbox::Dialect::kGitea),                            \
                           DialectName)

/// What is about machines rather than forges.
#define SWAGE_BOTH_DIALECTS(Suite)                                                                \
  INSTANTIATE_TEST_SUITE_P(Dialects, Suite,                                                       \
                           testing::Values(sandbox::Dialect::kGitHub, sandbox::Dialect::kGitLab), \
                           DialectName)

}  // namespace swage::test
