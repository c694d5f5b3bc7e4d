#include "pipeline/audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage {
namespace {

using Log = std::vector<AuditRecord>;

// A chain of `n` records, as the store makes them.
Log Chain(int n) {
  Log log;
  AuditHead head;
  for (int i = 1; i <= n; ++i) {
    AuditRecord record;
    record.seq = i;
    record.at = FromMicros(1'700'000'000'000'000 + i * 1'000);
    record.what = {"person/ada", "task.moved", "box/acme/lib#" + std::to_string(i),
                   "queued > running", i % 3 == 0 ? "" : "a word, 5:hello, and ünïcode"};
    record.hash = AuditHash(head, record);
    head = {record.seq, record.hash};
    log.push_back(record);
  }
  return log;
}

AuditHead HeadOf(const Log& log) {
  return log.empty() ? AuditHead{} : AuditHead{log.back().seq, log.back().hash};
}

std::optional<AuditBreak> Verify(const Log& log, const AuditHead& stored,
                                 std::optional<AuditHead> noted = std::nullopt) {
  AuditVerifier verifier(std::move(noted));
  for (const AuditRecord& record : log) verifier.Add(record);
  verifier.Finish(stored);
  return verifier.broken();
}

// What somebody with all the time in the world does after a change: all later hashes anew.
void Rehash(Log& log) {
  AuditHead head;
  for (AuditRecord& record : log) {
    record.seq = head.seq + 1;
    record.hash = AuditHash(head, record);
    head = {record.seq, record.hash};
  }
}

// Others must be able to compute the same: this text and this hash may never change.
TEST(AuditFormat, IsFixedForEver) {
  AuditRecord record;
  record.seq = 1;
  record.at = FromMicros(1'700'000'000'000'000);
  record.what = {"person/ada", "task.created", "box/acme/lib#7", "queued", "é"};
  EXPECT_EQ(CanonicalText(record),
            "13:swage-audit-1,1:1,16:1700000000000000,10:person/ada,12:task.created,"
            "14:box/acme/lib#7,6:queued,2:é,");
  EXPECT_EQ(AuditHash({}, record), Sha256Hex(std::string(32, '\0') + CanonicalText(record)));
  EXPECT_EQ(AuditHash({}, record),
            "1a32aab4efcdd4317e867bfa0b458a28947728fe5463c4b55711b37f3e77fd4b");
}

TEST(AuditFormat, NoTwoRecordsShareAText) {
  AuditRecord a;
  AuditRecord b;
  a.what = {"a", "b", "", "", ""};
  b.what = {"", "a", "b", "", ""};
  EXPECT_NE(CanonicalText(a), CanonicalText(b));
  a.what = {"a,1:b", "", "", "", ""};
  b.what = {"a", "b", "", "", ""};
  EXPECT_NE(CanonicalText(a), CanonicalText(b));
}

TEST(AuditHeadText, ReadsWhatItWrites) {
  const AuditHead head = HeadOf(Chain(12));
  EXPECT_EQ(*ParseHead(FormatHead(head)), head);
  for (const std::string& bad :
       {std::string(), std::string("12"), std::string("12:"), std::string(":") + head.hash,
        "12:" + head.hash.substr(1), "x:" + head.hash, "-1:" + head.hash,
        "12:" + std::string(64, 'G'), FormatHead(head) + "\n"}) {
    EXPECT_FALSE(ParseHead(bad).ok()) << bad;
  }
}

TEST(AuditEntryBounds, KeepOneShortLineOfValidText) {
  const AuditEntry bounded =
      audit::Bounded(std::string(5'000, 'a'), "x", "t", "one\ntwo\x1b[31m\xff",
                     std::string(audit::kMaxDetail - 1, 'd') + "éé");
  EXPECT_EQ(bounded.actor.size(), audit::kMaxName);
  EXPECT_EQ(bounded.subject, "one two\xEF\xBF\xBD");
  EXPECT_LE(bounded.detail.size(), audit::kMaxDetail);
  EXPECT_EQ(bounded.detail, ToValidUtf8(bounded.detail));
}

TEST(AuditChain, AGoodOneIsGood) {
  for (const int n : {0, 1, 2, 40}) {
    const Log log = Chain(n);
    EXPECT_FALSE(Verify(log, HeadOf(log)).has_value());
    EXPECT_FALSE(Verify(log, HeadOf(log), HeadOf(log)).has_value());
    EXPECT_FALSE(Verify(log, HeadOf(log), HeadOf(Chain(n / 2))).has_value());
  }
}

TEST(AuditChain, EveryFlippedBitIsFoundInItsRecord) {
  const Log good = Chain(5);
  const auto fields = [](AuditRecord& r) {
    return std::vector<std::string*>{&r.what.actor,   &r.what.action, &r.what.task,
                                     &r.what.subject, &r.what.detail, &r.hash};
  };
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (std::size_t field = 0; field < 6; ++field) {
      Log log = good;
      std::string& text = *fields(log[at])[field];
      for (char& byte : text) {
        for (int bit = 0; bit < 8; ++bit) {
          byte = static_cast<char>(byte ^ (1 << bit));
          const auto broken = Verify(log, HeadOf(good));
          ASSERT_TRUE(broken.has_value()) << at << " " << field << " " << bit;
          EXPECT_EQ(broken->fault, AuditFault::kAltered);
          EXPECT_EQ(broken->seq, log[at].seq);
          byte = static_cast<char>(byte ^ (1 << bit));
        }
      }
    }
  }
}

TEST(AuditChain, AnotherTimeIsFoundInItsRecord) {
  const Log good = Chain(5);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Log log = good;
    log[at].at += std::chrono::microseconds(1);
    const auto broken = Verify(log, HeadOf(good));
    ASSERT_TRUE(broken.has_value());
    EXPECT_EQ(broken->fault, AuditFault::kAltered);
    EXPECT_EQ(broken->seq, log[at].seq);
  }
}

TEST(AuditChain, EveryRemovedRecordIsFoundAtItsPlace) {
  const Log good = Chain(20);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Log log = good;
    log.erase(log.begin() + static_cast<std::ptrdiff_t>(at));
    const auto broken = Verify(log, HeadOf(good));
    ASSERT_TRUE(broken.has_value()) << at;
    EXPECT_EQ(broken->seq, good[at].seq);
    EXPECT_EQ(broken->fault, at + 1 == good.size() ? AuditFault::kTruncated : AuditFault::kRemoved);
  }
}

// The numbers closed up again, the hashes left as they were.
TEST(AuditChain, ARemovalThatRenumbersIsFoundAtItsPlace) {
  const Log good = Chain(20);
  for (std::size_t at = 0; at + 1 < good.size(); ++at) {
    Log log = good;
    log.erase(log.begin() + static_cast<std::ptrdiff_t>(at));
    for (std::size_t i = at; i < log.size(); ++i) log[i].seq = static_cast<std::int64_t>(i) + 1;
    const auto broken = Verify(log, HeadOf(good));
    ASSERT_TRUE(broken.has_value()) << at;
    EXPECT_EQ(broken->fault, AuditFault::kAltered);
    EXPECT_EQ(broken->seq, good[at].seq);
  }
}

TEST(AuditChain, EveryInsertedRecordIsFound) {
  const Log good = Chain(20);
  for (std::size_t at = 1; at < good.size(); ++at) {
    Log log = good;
    AuditRecord extra = good[at];
    extra.what.detail = "never happened";
    extra.hash = AuditHash({good[at - 1].seq, good[at - 1].hash}, extra);
    log.insert(log.begin() + static_cast<std::ptrdiff_t>(at), extra);
    const auto broken = Verify(log, HeadOf(good));
    ASSERT_TRUE(broken.has_value()) << at;
    EXPECT_EQ(broken->fault, AuditFault::kInserted);
    EXPECT_EQ(broken->seq, good[at].seq);
  }
}

TEST(AuditChain, EverySwapIsFoundAtTheFirstOfTheTwo) {
  const Log good = Chain(8);
  for (std::size_t a = 0; a < good.size(); ++a) {
    for (std::size_t b = a + 1; b < good.size(); ++b) {
      Log log = good;
      std::swap(log[a], log[b]);
      const auto broken = Verify(log, HeadOf(good));
      ASSERT_TRUE(broken.has_value());
      EXPECT_EQ(broken->seq, good[a].seq);
      EXPECT_EQ(broken->fault, AuditFault::kReordered) << a << " " << b;
    }
  }
}

TEST(AuditChain, EveryTruncationIsFound) {
  const Log good = Chain(20);
  for (std::size_t kept = 0; kept < good.size(); ++kept) {
    const Log log(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(kept));
    const auto by_store = Verify(log, HeadOf(good));
    ASSERT_TRUE(by_store.has_value());
    EXPECT_EQ(by_store->fault, AuditFault::kTruncated);
    EXPECT_EQ(by_store->seq, good[kept].seq);
    // The stored head was put back as well: only who noted one elsewhere can tell.
    EXPECT_FALSE(Verify(log, HeadOf(log)).has_value());
    const auto by_note = Verify(log, HeadOf(log), HeadOf(good));
    ASSERT_TRUE(by_note.has_value());
    EXPECT_EQ(by_note->fault, AuditFault::kTruncated);
    EXPECT_EQ(by_note->seq, good[kept].seq);
  }
}

TEST(AuditChain, AChainWrittenAnewIsFoundByANotedHead) {
  const Log good = Chain(10);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Log log = good;
    log[at].what.actor = "person/eve";
    Rehash(log);
    EXPECT_FALSE(Verify(log, HeadOf(log)).has_value());
    const auto broken = Verify(log, HeadOf(log), HeadOf(good));
    ASSERT_TRUE(broken.has_value());
    EXPECT_EQ(broken->fault, AuditFault::kRewritten);
    EXPECT_EQ(broken->seq, good.back().seq);
  }
}

TEST(AuditChain, RecordsAfterTheStoredHeadAreFound) {
  const Log log = Chain(10);
  const auto broken = Verify(log, HeadOf(Chain(9)));
  ASSERT_TRUE(broken.has_value());
  EXPECT_EQ(broken->fault, AuditFault::kRewritten);
}

TEST(AuditChain, NumbersThatAreNoneAreFound) {
  for (const std::int64_t seq : {std::int64_t{0}, std::int64_t{-1}}) {
    Log log = Chain(1);
    log[0].seq = seq;
    const auto broken = Verify(log, HeadOf(Chain(1)));
    ASSERT_TRUE(broken.has_value());
    EXPECT_EQ(broken->fault, AuditFault::kInserted);
  }
}

TEST(AuditExport, ALineHasEverythingThatTheHashNeeds) {
  const Log log = Chain(3);
  const std::string line = AuditJson(log[1]);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  AuditRecord read;
  read.seq = json["seq"];
  read.at = FromMicros(json["at_us"]);
  read.what = {json["actor"], json["action"], json["task"], json["subject"], json["detail"]};
  EXPECT_EQ(AuditHash({log[0].seq, log[0].hash}, read), json["hash"]);
  EXPECT_EQ(json["at"], "2023-11-14T22:13:20Z");
}

}  // namespace
}  // namespace swage
