// What is GitLab's own: projects in nested groups, and tokens that can do too little.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/sandbox/world.h"
#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

BoxOptions GitLabOptions(std::string repo = "acme/lib") {
  BoxOptions options;
  options.dialect = sandbox::Dialect::kGitLab;
  options.repo = std::move(repo);
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.start = false;
  return options;
}

// The whole job, by webhook and by polling: every path on the way has three parts.
TEST(GitLab, AProjectInNestedGroupsIsOneLikeAllOthers) {
  for (const char* intake : {"webhook", "poll"}) {
    BoxOptions options = GitLabOptions("group/sub/project");
    options.intake = intake;
    options.webhook = options.intake == "webhook";
    Box box(std::move(options));
    box.forge().SetPrivate(box.repo(), true);
    box.EditConfig("repos: [", "repos: [\"group/sub/*\", ");
    box.StartServer();
    const std::int64_t issue = box.LabelledIssue("The answer is wrong", "It should be 42.");
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << intake << box.ServerLog();
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    const sandbox::Pull pull = box.Pulls().front();
    EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");
    EXPECT_THAT(box.OpenLineComments(pull), SizeIs(1));
    EXPECT_THAT(box.forge().Statuses(box.repo()), Not(IsEmpty()));
    box.CommentOnPull("ada", pull.number, "/swage fix Please check again.");
    EXPECT_TRUE(box.WaitFor([&] {
      return box.Query("SELECT max(run), max(state) FROM tasks") == "2|in_review";
    })) << intake;
    EXPECT_EQ(box.Query("SELECT path FROM repos"), "group/sub/project");
  }
}

TEST(GitLab, DoctorSaysWhatTheTokenLacks) {
  Box box(GitLabOptions());
  const auto change = [&](const std::function<void(sandbox::User&)>& act) {
    box.forge().With([&](sandbox::World& world) { act(*world.FindUser(box.bot())); });
  };
  const auto well = box.Run({"doctor", "forges"});
  EXPECT_EQ(well.code, 0) << well.out << well.err;
  EXPECT_THAT(well.out, HasSubstr("signed in as swage-bot, nothing is wanting"));

  change([](sandbox::User& user) { user.token_scopes = {"read_api", "read_repository"}; });
  const auto narrow = box.Run({"doctor", "forges"});
  EXPECT_EQ(narrow.code, 1);
  EXPECT_THAT(narrow.out, HasSubstr("lacks the scope api (it has read_api, read_repository)"));

  change([](sandbox::User& user) {
    user.token_scopes = {"api"};
    user.token_ends = "2001-01-31";
  });
  EXPECT_THAT(box.Run({"doctor", "forges"}).out, HasSubstr("the token expires on 2001-01-31"));

  change([](sandbox::User& user) { user.token_ends = "2999-01-31"; });
  EXPECT_EQ(box.Run({"doctor", "forges"}).code, 0);
  box.forge().SetMember(box.repo(), box.bot(), Role::kTriage);
  EXPECT_THAT(box.Run({"doctor", "forges"}).out,
              HasSubstr("acme/lib: the account is no Developer there"));
}

}  // namespace
}  // namespace swage::test
