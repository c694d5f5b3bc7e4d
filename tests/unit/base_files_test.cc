#include "config/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace swage {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  fs::path Path(std::string_view name) const { return dir_.path() / name; }
  static unsigned Mode(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(lstat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  TempDir dir_;
};

TEST_F(FilesTest, ReadsRegularFilesOnly) {
  ASSERT_TRUE(WriteFileAtomic(Path("a"), "text").ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), "text");
  EXPECT_EQ(ReadFile(Path("a"), 4).value(), "text");
  EXPECT_EQ(ReadFile(Path("a"), 3).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(ReadFile(Path("b")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFile(dir_.path()).error().code, ErrorCode::kInvalid);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("pipe")).error().code, ErrorCode::kInvalid);  // and does not wait
  EXPECT_EQ(ReadFile("/dev/zero").error().code, ErrorCode::kInvalid);
}

TEST_F(FilesTest, ReadsBeneathWithoutFollowingLinks) {  // T37
  const fs::path root = Path("root");
  ASSERT_TRUE(MakeDirs(root / "sub").ok());
  ASSERT_TRUE(WriteFileAtomic(root / "sub/report.xml", "report").ok());
  ASSERT_TRUE(WriteFileAtomic(Path("outside"), "canary").ok());
  fs::create_symlink(Path("outside"), root / "absolute");
  fs::create_symlink("../outside", root / "relative");
  fs::create_symlink("sub", root / "inside");
  fs::create_symlink("/proc/self/environ", root / "magic");
  EXPECT_EQ(ReadFileBeneath(root, "sub/report.xml").value(), "report");
  for (const auto* name :
       {"absolute", "relative", "inside/report.xml", "magic", "../outside", "sub/../../outside"}) {
    EXPECT_FALSE(ReadFileBeneath(root, name).ok()) << name;
  }
  EXPECT_FALSE(ReadFileBeneath(root, Path("outside").string()).ok());
  EXPECT_FALSE(ReadFileBeneath(root, "").ok());
  EXPECT_EQ(ReadFileBeneath(root, "absent").error().code, ErrorCode::kNotFound);
}

TEST_F(FilesTest, WritesAtomicallyAndForTheOwner) {
  ASSERT_TRUE(WriteFileAtomic(Path("a"), "one").ok());
  EXPECT_EQ(Mode(Path("a")), 0600U);
  ASSERT_TRUE(WriteFileAtomic(Path("a"), "two", 0644).ok());
  EXPECT_EQ(Mode(Path("a")), 0644U);
  EXPECT_EQ(ReadFile(Path("a")).value(), "two");
  EXPECT_FALSE(WriteFileAtomic(Path("none/a"), "x").ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

TEST_F(FilesTest, AWriteReplacesALinkAndNotItsTarget) {
  ASSERT_TRUE(WriteFileAtomic(Path("target"), "keep").ok());
  fs::create_symlink(Path("target"), Path("link"));
  ASSERT_TRUE(WriteFileAtomic(Path("link"), "new").ok());
  EXPECT_EQ(ReadFile(Path("target")).value(), "keep");
  EXPECT_FALSE(fs::is_symlink(Path("link")));
}

TEST_F(FilesTest, MakesParentsToo) {
  ASSERT_TRUE(MakeDirs(Path("a/b/c")).ok());
  EXPECT_EQ(Mode(Path("a/b")), 0700U);
  EXPECT_TRUE(MakeDirs(Path("a/b/c")).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("file"), "").ok());
  EXPECT_FALSE(MakeDirs(Path("file/x")).ok());
  EXPECT_FALSE(MakeDirs(Path("file")).ok());
}

TEST_F(FilesTest, RemovesATreeButNotWhatItsLinksPointTo) {  // T37
  ASSERT_TRUE(MakeDirs(Path("keep")).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("keep/file"), "x").ok());
  ASSERT_TRUE(MakeDirs(Path("tree/a/b")).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("tree/a/file"), "x").ok());
  fs::create_directory_symlink(Path("keep"), Path("tree/a/link"));
  fs::create_directory_symlink(Path("tree"), Path("tree/loop"));
  ASSERT_EQ(mkfifo(Path("tree/pipe").c_str(), 0600), 0);
  ASSERT_TRUE(RemoveTree(Path("tree")).ok());
  EXPECT_FALSE(fs::exists(Path("tree")));
  EXPECT_TRUE(fs::exists(Path("keep/file")));
}

TEST_F(FilesTest, RemovesALinkItself) {
  ASSERT_TRUE(MakeDirs(Path("keep/sub")).ok());
  fs::create_directory_symlink(Path("keep"), Path("link"));
  ASSERT_TRUE(RemoveTree(Path("link")).ok());
  EXPECT_TRUE(fs::exists(Path("keep/sub")));
  EXPECT_FALSE(fs::is_symlink(Path("link")));
}

TEST_F(FilesTest, RemovingNothingIsFine) {
  EXPECT_TRUE(RemoveTree(Path("absent")).ok());
  EXPECT_TRUE(RemoveTree(Path("absent/below")).ok());
}

TEST_F(FilesTest, RemovesWhatForbidsIt) {
  ASSERT_TRUE(MakeDirs(Path("tree/a/b")).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("tree/a/b/file"), "x", 0).ok());
  ASSERT_EQ(chmod(Path("tree/a/b").c_str(), 0), 0);
  ASSERT_EQ(chmod(Path("tree/a").c_str(), 0500), 0);
  ASSERT_TRUE(RemoveTree(Path("tree")).ok());
  EXPECT_FALSE(fs::exists(Path("tree")));
}

TEST_F(FilesTest, RemovesATreeDeeperThanAPathCanBe) {
  ASSERT_TRUE(MakeDirs(Path("tree")).ok());
  const std::string name(200, 'd');
  Fd at(open(Path("tree").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(mkdirat(at.get(), name.c_str(), 0700), 0);
    at = Fd(openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at.valid());
  }
  ASSERT_TRUE(Fd(openat(at.get(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).valid());
  at.Close();
  const auto removed = RemoveTree(Path("tree"));
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  EXPECT_FALSE(fs::exists(Path("tree")));
}

TEST_F(FilesTest, RemovesManyFilesWithAwkwardNames) {
  ASSERT_TRUE(MakeDirs(Path("tree")).ok());
  for (const auto* name : {"-rf", "a\nb", "..x", "...", " ", "\xff\xfe", ".swage-removed-1"}) {
    std::ofstream(Path("tree") / name) << "x";
  }
  for (int i = 0; i < 300; ++i) std::ofstream(Path("tree") / std::to_string(i)) << "x";
  ASSERT_TRUE(RemoveTree(Path("tree")).ok());
  EXPECT_FALSE(fs::exists(Path("tree")));
}

TEST(FdTest, ClosesOnceAndMoves) {
  Fd a(dup(0));
  const int number = a.get();
  Fd b(std::move(a));
  EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move): what the move left is the point
  EXPECT_EQ(b.get(), number);
  b = Fd();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(TempDirTest, GoesWithItsOwner) {
  fs::path path;
  {
    const TempDir dir("swage-test-");
    path = dir.path();
    EXPECT_TRUE(fs::is_directory(path));
    std::ofstream(path / "x") << "x";
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace swage
