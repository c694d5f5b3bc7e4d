// Which base checkouts stay for the next task and which go: by number, bytes and age, and never one
// that a task uses.
#include "pipeline/workspace/bases.h"

#include <gmock/gmock.h>

#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class BasesTest : public WorkspaceTest {
 protected:
  BasesTest() {
    Fetch();
    second_ = Later("second");
    third_ = Later("third");
  }

  CommitSha Later(const std::string& text) {
    Write(Seed() / "later", text);
    const CommitSha commit = CommitSeed(text);
    Fetch();
    return commit;
  }
  Bases With(KeptTrees limits) const { return Bases(Dir(), limits); }
  BaseUse Use(const CommitSha& commit) {
    TreePlan plan{
        Mirror(MirrorDir(), git_), git_, dir_.path() / "place", {}, "b", commit, commit, {}};
    auto use = With({}).Use(plan, {});
    EXPECT_TRUE(use.ok()) << (use.ok() ? "" : use.error().message);
    return use.ok() ? std::move(*use) : BaseUse();
  }
  // Three that are there at once, the first used longest ago; none is in use any more.
  std::vector<fs::path> MakeThree() {
    std::vector<BaseUse> uses;
    for (const CommitSha& commit : {base_, second_, third_}) uses.push_back(Use(commit));
    std::vector<fs::path> bases;
    int hours = 3;
    for (const BaseUse& use : uses) {
      bases.push_back(use.tree.parent_path());
      Age(bases.back(), std::chrono::hours(hours--));
    }
    return bases;
  }
  static void Age(const fs::path& base, std::chrono::hours ago) {
    fs::last_write_time(base / "lock", fs::file_time_type::clock::now() - ago);
  }
  fs::path Dir() const { return Data() / "bases"; }
  std::vector<fs::path> There() const {
    std::vector<fs::path> there;
    for (const fs::path& entry : EntriesOf(Dir() / "local-7")) {
      if (fs::is_directory(entry)) there.push_back(entry);
    }
    return there;
  }

  swage::Git git_{*runner_, {}};
  CommitSha second_, third_;
};

constexpr KeptTrees kNothing{0, std::chrono::milliseconds(0), 0};

TEST_F(BasesTest, NoMoreStayThanTheLimitOfARepositoryTheOnesUsedLast) {
  const auto bases = MakeThree();
  ASSERT_TRUE(With({}).Evict().ok());
  EXPECT_THAT(There(), SizeIs(3)) << "the default keeps so many";
  ASSERT_TRUE(With({.per_repository = 2}).Evict().ok());
  EXPECT_THAT(There(), UnorderedElementsAre(bases[1], bases[2]));
}

TEST_F(BasesTest, NoMoreBytesStayThanTheLimit) {
  const auto bases = MakeThree();
  // What the index of the newest says its files hold.
  std::uint64_t bytes = 0;
  for (const char* file : {"README.md", "src/main.c", "run.sh", ".gitignore", "later"}) {
    bytes += fs::file_size(bases[2] / "work" / file);
  }
  bytes += fs::read_symlink(bases[2] / "work/link").string().size();
  ASSERT_TRUE(With({.bytes = bytes}).Evict().ok());
  EXPECT_THAT(There(), ElementsAre(bases[2]));
  ASSERT_TRUE(With({.bytes = bytes - 1}).Evict().ok());
  EXPECT_THAT(There(), IsEmpty());
}

TEST_F(BasesTest, WhatNobodyHasUsedForLongGoes) {
  const auto bases = MakeThree();
  ASSERT_TRUE(With({.unused = std::chrono::minutes(150)}).Evict().ok());
  EXPECT_THAT(There(), UnorderedElementsAre(bases[1], bases[2]));
}

TEST_F(BasesTest, OneInUseIsNeverEvictedWhateverTheLimits) {
  MakeThree();
  {
    const BaseUse use = Use(base_);
    Age(use.tree.parent_path(), std::chrono::hours(24 * 365));
    ASSERT_TRUE(With(kNothing).Evict().ok());
    EXPECT_THAT(There(), ElementsAre(use.tree.parent_path()));
    EXPECT_EQ(Read(use.tree / "README.md"), "one\ntwo\nthree\n");
    EXPECT_THAT(With({}).ListIdle().value(), IsEmpty());
    EXPECT_FALSE(With({}).RemoveIdle(use.tree.parent_path()).value());
  }
  ASSERT_TRUE(With(kNothing).Evict().ok());
  EXPECT_THAT(There(), IsEmpty());
}

TEST_F(BasesTest, TheLongestUnusedIsTheFirstThatMayGo) {
  const auto bases = MakeThree();
  const BaseUse use = Use(second_);
  EXPECT_THAT(With({}).ListIdle().value(), ElementsAre(bases[0], bases[2]));
  EXPECT_TRUE(With({}).RemoveIdle(bases[0]).value());
  EXPECT_THAT(With({}).ListIdle().value(), ElementsAre(bases[2]));
}

TEST_F(BasesTest, OneOfAnEarlierStartOfTheMachineIsNotTrusted) {
  const fs::path base = Use(base_).tree.parent_path();
  const std::string state = Read(base / "state");
  const std::size_t owner = state.find(':');
  ASSERT_NE(owner, std::string::npos);
  Write(base / "state", state.substr(0, owner - 1) + "x" + state.substr(owner));
  ASSERT_TRUE(With({}).Evict().ok());
  EXPECT_THAT(There(), IsEmpty());
}

TEST_F(BasesTest, WhatSomebodyWasRemovingWhenTheyWereKilledGoes) {
  Write(Dir() / ".gone-1234/work/file", "x");
  Write(Dir() / "local-7/broken/state", "\xFF\xFE not a state");
  ASSERT_TRUE(With({}).Evict().ok());
  EXPECT_FALSE(fs::exists(Dir() / ".gone-1234"));
  EXPECT_THAT(There(), IsEmpty());
}

}  // namespace
}  // namespace swage
