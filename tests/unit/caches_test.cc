#include "pipeline/runtime/caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "pipeline/runtime/copy_tree.h"
#include "pipeline/runtime/reclaim.h"
#include "tests/harness/reclaim_oldest.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CachesTest : public testing::Test {
 protected:
  CachesTest() {
    settings_.name = "npm";
    settings_.env = "npm_config_cache";
    settings_.warm = {"true"};
  }
  static void Write(const fs::path& file, std::string_view bytes) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << bytes;
  }
  static std::string Read(const fs::path& file) {
    const auto bytes = ReadFile(file);
    return bytes.ok() ? *bytes : "(none)";
  }
  TaskCache Give(int task, bool may_share = true, const std::string& repo = "7") {
    const fs::path own = dir_.path() / "home" / std::to_string(task) / "npm";
    warning_.clear();
    auto cache = caches_.Give({settings_, {"hub", repo, "acme/lib"}, own, std::nullopt, may_share},
                              warning_);
    EXPECT_TRUE(cache.ok()) << cache.error().message;
    return std::move(cache).value();
  }
  // As a task on the base branch does it.
  void Fill(int task, std::string_view bytes, const std::string& repo = "7") {
    settings_.refresh = std::chrono::milliseconds(0);
    const TaskCache cache = Give(task, true, repo);
    const auto alone = caches_.TryWarm(cache);
    ASSERT_TRUE(alone.has_value());
    Write(cache.folder / "deep/file", bytes);
    ASSERT_TRUE(caches_.Keep(cache).ok());
    settings_.refresh = std::chrono::hours(1);
  }

  TempDir dir_;
  const Caches caches_{dir_.path() / "caches"};
  CacheSettings settings_;
  std::string warning_;
};

TEST_F(CachesTest, TheFirstTaskFillsItAndLaterOnesGetCopies) {
  const TaskCache first = Give(1);
  EXPECT_TRUE(first.is_due);
  EXPECT_TRUE(fs::is_empty(first.folder));
  Fill(1, "warm");
  const TaskCache second = Give(2);
  EXPECT_FALSE(second.is_due);
  EXPECT_EQ(Read(second.folder / "deep/file"), "warm");
  EXPECT_FALSE(caches_.TryWarm(second).has_value());
}

TEST_F(CachesTest, Threat_T30_WhatATaskWritesNoOtherSees) {
  Fill(1, "warm");
  const TaskCache poisoned = Give(2);
  Write(poisoned.folder / "deep/file", "poison");
  Write(poisoned.folder / "more", "poison");
  const TaskCache next = Give(3);
  EXPECT_EQ(Read(next.folder / "deep/file"), "warm");
  EXPECT_FALSE(fs::exists(next.folder / "more"));
  settings_.mode = "shared";
  EXPECT_EQ(Read(Give(4).folder / "deep/file"), "warm");
}

TEST_F(CachesTest, Threat_T29_ARepositoryHasCachesOfItsOwn) {
  Fill(1, "of seven", "7");
  EXPECT_TRUE(fs::is_empty(Give(2, true, "8").folder));
}

TEST_F(CachesTest, IsSharedOnlyWhereTheLevelKeepsItFromBeingWritten) {
  settings_.mode = "shared";
  Fill(1, "warm");
  const TaskCache shared = Give(2, true);
  EXPECT_TRUE(shared.shared);
  EXPECT_TRUE(shared.folder.string().starts_with((dir_.path() / "caches").string()));
  const TaskCache own = Give(3, false);
  EXPECT_FALSE(own.shared);
  EXPECT_EQ(Read(own.folder / "deep/file"), "warm");
}

TEST_F(CachesTest, OnlyOneTaskFillsItAtATime) {
  const TaskCache one = Give(1);
  const TaskCache other = Give(2);
  const auto alone = caches_.TryWarm(one);
  ASSERT_TRUE(alone.has_value());
  EXPECT_FALSE(caches_.TryWarm(other).has_value());
}

TEST_F(CachesTest, AnOldOneGoesWhenNobodyReadsIt) {
  settings_.mode = "shared";
  Fill(1, "old");
  std::optional<TaskCache> reader = Give(2);
  Fill(3, "new");
  EXPECT_EQ(caches_.RemoveOld().value(), 0) << "it is in use";
  EXPECT_EQ(Read(reader->folder / "deep/file"), "old");
  EXPECT_EQ(Read(Give(4).folder / "deep/file"), "new");
  reader.reset();
  EXPECT_EQ(caches_.RemoveOld().value(), 1);
  EXPECT_EQ(Read(Give(5).folder / "deep/file"), "new");
}

TEST_F(CachesTest, WhatACrashLeftHalfDoneIsNeverHandedOut) {
  Write(dir_.path() / "caches/hub-7/npm/99999999999999999.new-abcd/deep/file", "half");
  EXPECT_TRUE(fs::is_empty(Give(1).folder));
  EXPECT_EQ(caches_.RemoveOld().value(), 1);
}

TEST_F(CachesTest, ALargeOneIsLeftOutWithAWord) {
  Fill(1, std::string(2 << 20, 'x'));
  settings_.limit = 1 << 20;
  const TaskCache cache = Give(2);
  EXPECT_TRUE(fs::is_empty(cache.folder));
  EXPECT_THAT(warning_, HasSubstr("npm was left out: more bytes than allowed"));
}

TEST_F(CachesTest, RoomIsMadeByTheOldestThatIsNotInUse) {
  settings_.mode = "shared";
  Fill(1, "old");
  std::optional<TaskCache> reader = Give(2);
  Fill(3, "new");
  OldCaches reclaimer(dir_.path());
  EXPECT_THAT(test::RemoveOldest(reclaimer).value_or(""), HasSubstr("hub-7/npm/"));
  EXPECT_EQ(Read(reader->folder / "deep/file"), "old") << "the older one is read";
  EXPECT_FALSE(test::RemoveOldest(reclaimer).has_value());
}

TEST_F(CachesTest, OneThatIsBeingFilledIsNoRoomToBeMade) {
  Fill(1, "kept");
  for (const fs::path& cache : EntriesOf(dir_.path() / "caches/hub-7")) {
    fs::create_directory(cache / "1700000000000000.new-3fa9");
  }
  const auto spares = OldCaches(dir_.path()).List();
  ASSERT_TRUE(spares.ok());
  ASSERT_EQ(spares->size(), 1u);
  EXPECT_EQ(spares->front().what.find(".new-"), std::string::npos);
}

TEST(CopyTree, CopiesWhatMattersAndFollowsNothing) {
  const TempDir dir;
  const fs::path from = dir.path() / "from";
  fs::create_directories(from / "sub");
  std::ofstream(from / "sub/run") << "#!/bin/sh\n";
  fs::permissions(from / "sub/run", fs::perms(0750));
  std::ofstream(dir.path() / "outside") << "secret";
  fs::create_symlink(dir.path() / "outside", from / "link");
  fs::create_directory_symlink("/", from / "root");
  ASSERT_EQ(mkfifo((from / "pipe").c_str(), 0600), 0);
  const fs::path to = dir.path() / "to";
  fs::create_directory(to);
  const auto done = CopyTree(from, to, {.bytes = 1'000}, std::nullopt);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(*ReadFile(to / "sub/run"), "#!/bin/sh\n");
  EXPECT_EQ(fs::status(to / "sub/run").permissions(), fs::perms(0750));
  EXPECT_TRUE(fs::is_symlink(to / "link"));
  EXPECT_TRUE(fs::is_symlink(to / "root"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(to / "pipe")));
  EXPECT_EQ(fs::last_write_time(to / "sub/run"), fs::last_write_time(from / "sub/run"));
}

TEST(CopyTree, IsBounded) {
  const TempDir dir;
  const fs::path from = dir.path() / "from";
  fs::create_directories(from);
  for (int i = 0; i < 5; ++i) std::ofstream(from / std::to_string(i)) << "0123456789";
  const auto copy = [&](const char* name, CopyLimits limits) {
    fs::create_directory(dir.path() / name);
    return CopyTree(from, dir.path() / name, limits, std::nullopt);
  };
  EXPECT_TRUE(copy("a", {.bytes = 50, .entries = 5}).ok());
  EXPECT_EQ(copy("b", {.bytes = 49}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(copy("c", {.bytes = 50, .entries = 4}).error().code, ErrorCode::kTooLarge);
  fs::path deep = from;
  for (int i = 0; i < 80; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_EQ(copy("d", {.bytes = 500}).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace swage
