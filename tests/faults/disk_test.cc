// X3 and X4: a disk that is full, a database that somebody else has locked. Nothing is acknowledged
// that is not kept, and nobody has to do anything afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/harness/box.h"
#include "tests/harness/tmpfs.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

using testing::SizeIs;
using SteadyClock = std::chrono::steady_clock;

BoxOptions Options(std::filesystem::path data_dir = {}) {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  options.data_dir = std::move(data_dir);
  return options;
}

std::string Rows(Box& box, const std::string& table) {
  return box.Query("SELECT count(*) FROM " + table);
}

TEST(Fault, X3_AFullDiskIs503AndPassesByItself) {
  Tmpfs disk("32m");
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs (root)";
  Box box(Options(disk.path()));
  const std::int64_t first = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(first, "in review"));
  ASSERT_TRUE(box.Settle());
  const Webhook hook = SentWebhook(box, "\"labeled\"");
  const std::string deliveries = Rows(box, "deliveries");

  disk.Fill();
  int stored = 0;
  bool full = false;
  for (int i = 0; i < 20; ++i) {
    const auto begin = SteadyClock::now();
    // Bodies that need more room than any page that happens to be free.
    Webhook large = hook;
    large.body += std::string(64 << 10, ' ');
    large = SignedWith(WithId(large, "full-" + std::to_string(i)), box.webhook_secret());
    // A little room may be left, or come back; what is answered 2xx has found some.
    const int status = Post(box, large);
    EXPECT_TRUE(status == 503 || status == 202) << status;
    full = full || status == 503;
    if (status == 202) ++stored;
    EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(10));
  }
  EXPECT_TRUE(full);
  EXPECT_EQ(Rows(box, "deliveries"), std::to_string(std::stoi(deliveries) + stored));
  // What the forge sends meanwhile is lost to the server, and it begins nothing.
  const std::int64_t second = box.LabelledIssue("Another one");
  ASSERT_TRUE(box.forge().WaitForWebhooks());
  EXPECT_EQ(Rows(box, "tasks"), "1");

  disk.MakeRoom();
  box.forge().RemoveLabel(box.repo(), "ada", second, "swage");
  box.forge().AddLabel(box.repo(), "ada", second, "swage");
  EXPECT_TRUE(box.WaitForSticky(second, "in review")) << "the server did not recover";
  EXPECT_THAT(box.Pulls(), SizeIs(2));
}

// Held in mid-run: what a worker writes waits or fails, and the run comes to its end all the same.
TEST(Fault, X3_ARunThatMeetsAFullDiskEndsWhenThereIsRoom) {
  Tmpfs disk("32m");
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs (root)";
  BoxOptions options = Options(disk.path());
  options.extra_config = "limits: {attempt_delay: 100ms}\n";
  Box box(std::move(options));
  const std::string go = (box.dir() / "go").string();
  const std::string begun = (box.dir() / "begun").string();
  box.SetAgent(TwoCycleAgent() + "touch " + begun + "; until [ -e " + go +
               " ]; do sleep 0.05; done\n");
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  disk.Fill();
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  ASSERT_TRUE(box.WaitFor([&] {
    const std::string log = box.ServerLog();
    return log.find("full") != log.npos || log.find("No space") != log.npos;
  }));
  EXPECT_EQ(box.Query("SELECT count(*) FROM tasks WHERE state = 'in_review'"), "0");
  disk.MakeRoom();
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(1));
}

/// Another process's hold on the server's database: to SQLite this process is one.
class Exclusive {
 public:
  explicit Exclusive(const std::filesystem::path& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &db_), SQLITE_OK);
    sqlite3_busy_timeout(db_, 10'000);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Exclusive() {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(db_);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

TEST(Fault, X4_ALockedDatabaseIs503WithinItsBoundAndPassesByItself) {
  Box box(Options());
  const std::int64_t issue = box.forge().CreateIssue(box.repo(), "ada", "Wrong", "Please.");
  ASSERT_TRUE(box.Settle());
  const std::string deliveries = Rows(box, "deliveries");
  const Webhook hook = SentWebhook(box, "\"opened\"");
  {
    const Exclusive held(box.data_dir() / "swage.db");
    for (int i = 0; i < 3; ++i) {
      const auto begin = SteadyClock::now();
      EXPECT_EQ(Post(box, WithId(hook, "locked-" + std::to_string(i))), 503);
      EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(10));
    }
  }
  EXPECT_EQ(Rows(box, "deliveries"), deliveries);
  // The forge comes again.
  EXPECT_EQ(Post(box, WithId(hook, "locked-0")), 202);
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
}

}  // namespace
}  // namespace swage::test
