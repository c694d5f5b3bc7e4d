// What forges answer to a push that their rules refuse, as git relays it.
#include "forge/push_refusal.h"

#include <gtest/gtest.h>

namespace swage {
namespace {

TEST(PushRefusal, TellsRulesApartByWhatForgesSay) {
  struct Case {
    const char* said;
    std::optional<PushRefusal> means;
  };
  const Case cases[] = {
      {"remote: error: GH006: Protected branch update failed for refs/heads/swage/1.; remote: "
       "error: Changes must be made through a pull request.; ! [remote rejected] a -> b "
       "(protected branch hook declined)",
       PushRefusal::kProtectedBranch},
      {"remote: error: GH006: Protected branch update failed for refs/heads/swage/1.; remote: "
       "error: Commits must have verified signatures.",
       PushRefusal::kUnsigned},
      {"remote: error: GH013: Repository rule violations found for refs/heads/x.; remote: - "
       "Cannot create ref due to creations being restricted.",
       PushRefusal::kProtectedBranch},
      {"remote: error: GH013: Repository rule violations found for refs/heads/x.; remote: - "
       "Commits must have verified signatures.",
       PushRefusal::kUnsigned},
      {"remote: GitLab: You are not allowed to push code to protected branches on this project.",
       PushRefusal::kProtectedBranch},
      {"remote: GitLab: Commit must be signed with a GPG key", PushRefusal::kUnsigned},
      {"remote: GitLab: Branch name 'x' does not follow the pattern; ! [remote rejected] a -> b "
       "(pre-receive hook declined)",
       PushRefusal::kRule},
      {"remote: Gitea: Not allowed to push to protected branch swage/1",
       PushRefusal::kProtectedBranch},
      {"remote: Gitea: branch swage/1 is protected from unverified commit 1234",
       PushRefusal::kUnsigned},
      // Rights, not rules.
      {"remote: Permission to acme/lib.git denied to swage-bot.", std::nullopt},
      {"fatal: unable to access 'https://h/r/': The requested URL returned error: 403",
       std::nullopt},
      {"", std::nullopt},
  };
  for (const Case& one : cases) EXPECT_EQ(ReadPushRefusal(one.said), one.means) << one.said;
}

}  // namespace
}  // namespace swage
