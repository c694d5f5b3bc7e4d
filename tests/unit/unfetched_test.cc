// Git LFS and submodules: what a repository is found to name, and what a task did to it.
#include "pipeline/unfetched.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/workspace_fixture.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::string_view kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

TEST(Unfetched, PatternsForLfsAreReadFromTheAttributes) {
  EXPECT_THAT(ParseLfsPatterns("# filter=lfs\n*.psd filter=lfs diff=lfs merge=lfs -text\r\n"
                               "*.c text\n\n  /big\tfilter=lfs\nx -filter\ny filter=lfs2\n"
                               "[attr]big filter=lfs\n"),
              ElementsAre("*.psd", "/big"));
  EXPECT_THAT(ParseLfsPatterns(""), IsEmpty());
  EXPECT_THAT(ParseLfsPatterns(std::string("\0\xFF", 2)), IsEmpty());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "f" + std::to_string(i) + " filter=lfs\n";
  EXPECT_EQ(ParseLfsPatterns(many).size(), kMaxUnfetched);
}

TEST(Unfetched, PathsOfSubmodulesAreRead) {
  EXPECT_THAT(ParseSubmodules("[submodule \"a\"]\n\tpath = vendor/a\n\turl = https://x/a?path=b\n"
                              "[submodule \"b\"]\npath=b c\npath =\nnopath = z\n"),
              ElementsAre("vendor/a", "b c"));
}

TEST(Unfetched, APointerIsSmallAndBeginsAsTheSpecificationSays) {
  EXPECT_TRUE(IsLfsPointer(kPointer));
  EXPECT_FALSE(IsLfsPointer("version https://git-lfs.github.com/spec/v1"));
  EXPECT_FALSE(IsLfsPointer(" " + std::string(kPointer)));
  EXPECT_FALSE(IsLfsPointer(std::string(kPointer) + std::string(2000, 'x')));
}

class UnfetchedTest : public WorkspaceTest {
 protected:
  UnfetchedTest() {
    Write(Seed() / ".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n");
    for (const char* name : {"changed.psd", "kept.psd", "gone.psd", "moved.psd", "odd.dat"}) {
      Write(Seed() / name, std::string(kPointer) + "x " + name + "\n");
    }
    Write(Seed() / ".gitmodules",
          "[submodule \"s\"]\n\tpath = s\n[submodule \"old\"]\n\tpath = old\n"
          "[submodule \"file\"]\n\tpath = README.md\n");
    Git(Seed(), {"update-index", "--add", "--cacheinfo", "160000," + base_.value + ",s"});
    std::filesystem::create_directory(Seed() / "s");
    base_ = CommitSeed("lfs");
  }
};

TEST_F(UnfetchedTest, OnlySubmodulesThatAreThereAreNamed) {
  Fetch();
  const Unfetched found = FindUnfetched(*workspaces_, repo_, base_);
  EXPECT_THAT(found.lfs_patterns, ElementsAre("*.psd"));
  EXPECT_THAT(found.submodules, ElementsAre("s"));
  EXPECT_TRUE(FindUnfetched(*workspaces_, repo_, CommitSha{std::string(40, '0')}).Empty());
}

TEST_F(UnfetchedTest, ChangesOfPointersAndContentInTheirPlaceAreFound) {
  auto workspace = FetchAndProvision();
  const Path root = workspace->Root();
  Write(root / "changed.psd", "real bytes");
  std::filesystem::create_directory(root / "art");
  std::filesystem::rename(root / "moved.psd", root / "art/moved.psd");
  Write(root / "odd.dat", "no longer a pointer, whatever the attributes say");
  Write(root / "new.psd", "real bytes");
  Write(root / "pointer.psd", kPointer);
  Write(root / "README.md", "nothing to do with it\n");
  const Unfetched unfetched = FindUnfetched(*workspaces_, repo_, base_);
  const auto touched = [&](const Unfetched& known) {
    const CommitSha head = Take(*workspace).commit;
    const DiffSummary diff = workspace->DiffFromBase(head).value();
    return FindTouchedLfsFiles(*workspaces_, repo_, base_, head, diff, known);
  };
  EXPECT_THAT(touched(unfetched), UnorderedElementsAre("changed.psd", "new.psd", "odd.dat"));
  EXPECT_THAT(touched({}), IsEmpty());
  std::filesystem::remove(root / "pointer.psd");
  std::filesystem::remove(root / "gone.psd");
  EXPECT_THAT(touched(unfetched),
              UnorderedElementsAre("changed.psd", "gone.psd", "new.psd", "odd.dat"));
}

}  // namespace
}  // namespace swage
