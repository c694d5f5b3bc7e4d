// X2: the power may go at any moment, also between two writes of the server or in the middle of
// one. Whatever was acknowledged is there afterwards.
//
// A real server says what it asks of its disk (disk_trace.h). From that follows what each power cut
// could have left, and the store is opened on it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "pipeline/store/store.h"
#include "tests/faults/disk_trace.h"
#include "tests/harness/box.h"
#include "tests/harness/manual_clock.h"
#include "tests/harness/paths.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSenders = 8;
constexpr int kEach = 60;  ///< per sender and phase
constexpr int kCuts = 80;
constexpr std::string_view kDecided = "decided";
constexpr std::string_view kBodies = "swage.db.bodies/";

struct Sent {
  std::map<std::string, std::string> bodies;             ///< by key
  std::map<int, std::vector<std::string>> keys_by_port;  ///< in the order of their answers
};

// All over connections of their own at once, each webhook under an id and of a size of its own.
Sent SendMany(const Box& box, const Webhook& model, const std::string& phase) {
  Sent sent;
  std::mutex mutex;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      RawHttp connection(box.hooks_port());
      for (int i = 0; i < kEach; ++i) {
        const std::string key = fmt::format("{}-{}-{}", phase, sender, i);
        Webhook webhook = WithId(model, key);
        webhook.body +=
            std::string(static_cast<std::size_t>((i * 977 + sender * 131) % 9'000), ' ');
        webhook = SignedWith(std::move(webhook), box.webhook_secret());
        EXPECT_EQ(Post(connection, webhook), 202);
        const std::lock_guard lock(mutex);
        sent.bodies[key] = webhook.body;
        sent.keys_by_port[connection.LocalPort()].push_back(key);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  return sent;
}

/// An acknowledgement: where in the trace, and of what.
struct Answer {
  std::size_t at = 0;
  std::string key;
};

class PowerCut : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer must be the first library that is loaded";
#endif
    BoxOptions options;
    options.files = AnswerRepo();
    options.agent = TwoCycleAgent();
    options.start = false;
    box_ = std::make_unique<Box>(options);
    box_->StartServerWith({{"LD_PRELOAD", Program("libswage_disk_trace.so").string()},
                           {"SWAGE_DISK_TRACE", TraceFile().string()},
                           {"SWAGE_DISK_PREFIX", (box_->data_dir() / "swage.db").string()}});
  }

  // Deliveries that are decided at once, while others come in; then those that must wait.
  void SendAll() {
    const std::int64_t issue = box_->LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box_->WaitForSticky(issue, "in review"));
    Collect(SendMany(*box_, SentWebhook(*box_, "\"opened\""), std::string(kDecided)));
    sandbox::FaultRule away;
    away.action = sandbox::FaultAction::kStatus;
    away.status = 503;
    away.times = -1;
    ASSERT_TRUE(box_->forge().faults().Add(away).ok());
    Collect(SendMany(*box_, SentWebhook(*box_, "\"labeled\""), "waiting"));
    box_->KillServer();
    box_->forge().faults().Clear();
    auto events = ReadDiskTrace(TraceFile());
    ASSERT_TRUE(events.ok()) << events.error().message;
    events_ = std::move(events).value();
    syncs_ = FindSyncs(events_);
    FindAnswers();
  }

  fs::path TraceFile() const {
    return box_->dir() / "disk-trace";
  }

  std::unique_ptr<Box> box_;
  std::map<std::string, std::string> bodies_;
  std::map<int, std::vector<std::string>> keys_by_port_;
  std::vector<DiskEvent> events_;
  std::vector<std::size_t> syncs_;
  std::vector<Answer> answers_;

 private:
  void Collect(Sent sent) {
    bodies_.merge(sent.bodies);
    keys_by_port_.merge(sent.keys_by_port);
  }

  // The last answers to a port: others may have had it before.
  void FindAnswers() {
    std::map<int, std::vector<std::size_t>> by_port;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (events_[i].act != DiskAct::kAnswer) continue;
      if (events_[i].bytes == "HTTP/1.1 202")
        by_port[static_cast<int>(events_[i].number)].push_back(i);
    }
    for (const auto& [port, keys] : keys_by_port_) {
      const std::vector<std::size_t>& at = by_port[port];
      ASSERT_GE(at.size(), keys.size());
      for (std::size_t i = 0; i < keys.size(); ++i) {
        answers_.push_back({at[at.size() - keys.size() + i], keys[i]});
      }
    }
    std::ranges::sort(answers_, {}, &Answer::at);
  }
};

// Of the folder, of the file that was made in it, of the bytes: each before the answer.
TEST_F(PowerCut, Fault_X2_EachAnswerComesAfterTheSyncOfItsBytes) {
  SendAll();
  ASSERT_EQ(answers_.size(), bodies_.size());
  std::map<std::string, std::size_t> made;  // body file -> when its name was safe
  std::map<std::string, std::size_t> safe;  // key -> when its bytes were
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const DiskEvent& event = events_[i];
    if (!event.path.starts_with(kBodies)) continue;
    if (event.act == DiskAct::kCreate) made[event.path] = syncs_[i];
    if (event.act != DiskAct::kWrite) continue;
    for (const auto& [key, body] : bodies_) {
      // As a record has them side by side: "box", the key, the event, the body.
      if (event.bytes.find("box" + key + "issues" + body) == event.bytes.npos) continue;
      ASSERT_TRUE(made.contains(event.path));
      safe[key] = std::max(syncs_[i], made[event.path]);
    }
  }
  for (const Answer& answer : answers_) {
    ASSERT_TRUE(safe.contains(answer.key)) << answer.key << " was never written as a whole";
    EXPECT_LT(safe[answer.key], answer.at) << answer.key << " was acknowledged too soon";
  }
  // Group commit: who comes together pays once.
  const auto syncs = std::ranges::count_if(events_, [](const DiskEvent& event) {
    return event.act == DiskAct::kSyncEnd && event.path.starts_with(kBodies);
  });
  EXPECT_LT(static_cast<std::size_t>(syncs), answers_.size());
}

std::string IntegrityOf(const fs::path& file) {
  sqlite3* db = nullptr;
  sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
  std::string said;
  sqlite3_exec(
      db, "PRAGMA integrity_check",
      [](void* out, int, char** values, char**) {
        *static_cast<std::string*>(out) += values[0];
        return 0;
      },
      &said, nullptr);
  sqlite3_close(db);
  return said;
}

TEST_F(PowerCut, Fault_X2_WhateverATornDiskHoldsTheStoreOpensAndHasWhatWasAcknowledged) {
  SendAll();
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::minstd_rand random(seed);
  std::uniform_int_distribution<std::size_t> anywhere(0, events_.size());
  std::uniform_int_distribution<std::size_t> while_new(0, answers_.front().at);
  std::uniform_int_distribution<std::size_t> any_answer(0, answers_.size() - 1);
  // Tomorrow, when nothing is held, paused or put off any more.
  ManualClock tomorrow(SystemClock().Now() + std::chrono::hours(24));
  for (int i = 0; i < kCuts && !HasFailure(); ++i) {
    // Right after an answer is where it matters most; a new store is the least sure of its files.
    const std::size_t cut = i % 6 == 0   ? while_new(random)
                            : i % 6 == 3 ? anywhere(random)
                                         : answers_[any_answer(random)].at + 1;
    const double lost = i % 4 == 0 ? 1.0 : i % 4 == 1 ? 0.0 : 0.5;
    const TempDir disk("swage-cut-");
    LeaveAfterPowerCut(events_, syncs_, cut, lost, random, disk.path());
    const std::string where = fmt::format("cut {} of {}, lost {}", cut, events_.size(), lost);
    auto opened = OpenSqliteStore(disk.path() / "swage.db", tomorrow);
    ASSERT_TRUE(opened.ok()) << where << ": " << opened.error().message;
    const std::unique_ptr<Store> store = std::move(opened).value();
    const auto taken = store->TakeDeliveries({"node", 10'000});
    ASSERT_TRUE(taken.ok()) << where << ": " << taken.error().message;
    std::set<std::string> waiting;
    for (const Delivery& delivery : *taken) {
      waiting.insert(delivery.what.key);
      EXPECT_FALSE(delivery.damage) << where << ": " << delivery.damage->message;
      const auto sent = bodies_.find(delivery.what.key);
      EXPECT_TRUE(sent == bodies_.end() || delivery.what.body == sent->second) << where;
    }
    for (const Answer& answer : answers_) {
      if (answer.at >= cut) break;
      const auto has = store->HasDelivery("box", answer.key);
      EXPECT_TRUE(has.ok() && *has) << where << ": " << answer.key << " is gone";
      EXPECT_TRUE(waiting.contains(answer.key) || answer.key.starts_with(kDecided)) << where;
    }
    EXPECT_EQ(IntegrityOf(disk.path() / "swage.db"), "ok") << where;
  }
  // And a server goes on with it.
  fs::remove_all(box_->data_dir() / "swage.db.bodies");
  for (const char* file : {"swage.db", "swage.db-wal", "swage.db-shm"}) {
    fs::remove(box_->data_dir() / file);
  }
  LeaveAfterPowerCut(events_, syncs_, events_.size(), 1.0, random, box_->data_dir());
  box_->StartServer();
  EXPECT_EQ(
      box_->Query(
          "SELECT count(*) FROM deliveries WHERE key LIKE 'decided-%' OR key LIKE 'waiting-%'"),
      std::to_string(bodies_.size()));
}

}  // namespace
}  // namespace swage::test
