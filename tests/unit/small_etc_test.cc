#include "pipeline/isolation/small_etc.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "config/base/files.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

unsigned ModeOf(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

TEST(SmallEtc, KnowsItsUserAndNobodyOfTheMachine) {
  const TempDir dir("swage-etc-");
  const fs::path etc = dir.path() / "etc";
  ASSERT_TRUE(MakeSmallEtc(etc, {4321, 4322}).ok());
  EXPECT_EQ(*ReadFile(etc / "passwd"),
            "root:x:0:0:root:/root:/usr/sbin/nologin\n"
            "swage:x:4321:4322:Swage:/:/bin/sh\n"
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
  EXPECT_NE(ReadFile(etc / "group")->find("swage:x:4322:"), std::string::npos);
  EXPECT_EQ(*ReadFile(etc / "resolv.conf"), "");
  for (const char* secret : {"shadow", "gshadow", "ssl/private", "ssh", "hostname", "machine-id"}) {
    EXPECT_FALSE(fs::exists(etc / secret)) << secret;
  }
}

TEST(SmallEtc, IsReadableForOthersWhateverTheUmask) {
  const TempDir dir("swage-etc-");
  const fs::path etc = dir.path() / "etc";
  const mode_t before = umask(077);
  const auto made = MakeSmallEtc(etc, {4321, 4321});
  umask(before);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(ModeOf(etc), 0755U);
  EXPECT_EQ(ModeOf(etc / "passwd"), 0644U);
  for (const auto& entry : fs::recursive_directory_iterator(etc)) {
    if (entry.is_directory() && !entry.is_symlink()) {
      EXPECT_EQ(ModeOf(entry.path()), 0755U) << entry.path();
    }
  }
}

TEST(SmallEtc, IsMadeAnewOverWhatWasThere) {
  const TempDir dir("swage-etc-");
  const fs::path etc = dir.path() / "etc";
  ASSERT_TRUE(MakeSmallEtc(etc, {1, 1}).ok());
  ASSERT_TRUE(WriteFileFast(etc / "stray", "x").ok());
  ASSERT_TRUE(MakeSmallEtc(etc, {2, 2}).ok());
  EXPECT_FALSE(fs::exists(etc / "stray"));
  EXPECT_NE(ReadFile(etc / "passwd")->find("swage:x:2:2:"), std::string::npos);
}

}  // namespace
}  // namespace swage
