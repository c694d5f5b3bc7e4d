#include "pipeline/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kVersion = "swage-audit-1";
constexpr std::size_t kHashHex = 64;

std::string OneLine(std::string_view text, std::size_t max_bytes) {
  std::string line = StripControl(ToValidUtf8(text));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return Truncate(Trim(line), max_bytes);
}

void AppendNetstring(std::string& out, std::string_view text) {
  out += fmt::format("{}:{},", text.size(), text);
}

bool IsHash(std::string_view text) {
  return text.size() == kHashHex && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

namespace audit {

std::string Person(std::string_view login) {
  return login.empty() ? std::string(kSwage) : fmt::format("person/{}", login);
}

std::string Node(std::string_view name) {
  return fmt::format("node/{}", name);
}

std::string Move(std::string_view from, std::string_view to) {
  return fmt::format("{} > {}", from, to);
}

AuditEntry Bounded(std::string_view actor, std::string_view action, std::string_view task,
                   std::string_view subject, std::string_view detail) {
  return {OneLine(actor, kMaxName), OneLine(action, kMaxName), OneLine(task, kMaxName),
          OneLine(subject, kMaxName), OneLine(detail, kMaxDetail)};
}

}  // namespace audit

std::string FormatHead(const AuditHead& head) {
  return fmt::format("{}:{}", head.seq, head.hash);
}

Result<AuditHead> ParseHead(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto seq = ParseInt(text.substr(0, colon));
  if (colon == text.npos || !seq.has_value() || !IsHash(text.substr(colon + 1))) {
    return MakeError(ErrorCode::kInvalid,
                     "a head is SEQ:HASH, as `swage audit verify` prints it: a number, a colon and "
                     "64 hexadecimal digits");
  }
  return AuditHead{*seq, std::string(text.substr(colon + 1))};
}

std::string CanonicalText(const AuditRecord& record) {
  std::string text;
  AppendNetstring(text, kVersion);
  AppendNetstring(text, std::to_string(record.seq));
  AppendNetstring(text, std::to_string(ToMicros(record.at)));
  const AuditEntry& what = record.what;
  for (const std::string* field :
       {&what.actor, &what.action, &what.task, &what.subject, &what.detail}) {
    AppendNetstring(text, *field);
  }
  return text;
}

std::string AuditHash(const AuditHead& before, const AuditRecord& record) {
  const auto raw = HexDecode(before.hash);
  SWAGE_CHECK(raw.has_value());
  return Sha256Hex(*raw + CanonicalText(record));
}

std::string_view Name(AuditFault fault) {
  switch (fault) {
    case AuditFault::kAltered:
      return "altered";
    case AuditFault::kRemoved:
      return "removed";
    case AuditFault::kInserted:
      return "inserted";
    case AuditFault::kReordered:
      return "reordered";
    case AuditFault::kTruncated:
      return "truncated";
    case AuditFault::kRewritten:
      return "rewritten";
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

AuditVerifier::AuditVerifier(std::optional<AuditHead> noted) : noted_(std::move(noted)) {}

bool AuditVerifier::Break(AuditFault fault, std::int64_t seq, std::string sentence) {
  broken_ = AuditBreak{fault, seq, std::move(sentence)};
  return false;
}

bool AuditVerifier::Add(const AuditRecord& record) {
  const std::int64_t expected = head_.seq + 1;
  const std::int64_t seq = record.seq;
  if (broken_) {
    // What seemed to be missing was only in another place.
    const bool found =
        broken_->fault == AuditFault::kRemoved && seq >= broken_->seq && seq <= missing_to_;
    if (!found) return false;
    return Break(AuditFault::kReordered, broken_->seq,
                 fmt::format("record {} comes after record {}", seq, missing_to_ + 1));
  }
  if (seq > expected) {
    missing_to_ = seq - 1;
    return Break(AuditFault::kRemoved, expected,
                 missing_to_ == expected
                     ? fmt::format("record {} is missing", expected)
                     : fmt::format("records {} to {} are missing", expected, missing_to_));
  }
  if (seq < expected) {
    return Break(AuditFault::kInserted, seq,
                 fmt::format("a record with the number {} comes after record {}", seq, head_.seq));
  }
  if (record.hash != AuditHash(head_, record)) {
    return Break(AuditFault::kAltered, seq,
                 fmt::format("the hash of record {} does not follow from its text and the record "
                             "before it",
                             seq));
  }
  if (noted_ && noted_->seq == seq && noted_->hash != record.hash) {
    return Break(AuditFault::kRewritten, seq,
                 fmt::format("record {} has another hash than the one that was noted: it, or one "
                             "before it, was written anew",
                             seq));
  }
  head_ = {seq, record.hash};
  return true;
}

void AuditVerifier::Finish(const AuditHead& stored) {
  if (broken_) return;
  const std::int64_t promised = std::max(stored.seq, noted_ ? noted_->seq : 0);
  if (head_.seq < promised) {
    Break(AuditFault::kTruncated, head_.seq + 1,
          fmt::format("the log ends with record {}, but it had {} records", head_.seq, promised));
  } else if (head_ != stored) {
    Break(AuditFault::kRewritten, stored.seq,
          fmt::format("the log's end is not the one that the server wrote last ({})", stored.seq));
  }
}

std::string AuditJson(const AuditRecord& record) {
  // Ordered as people read it.
  nlohmann::ordered_json line;
  line["seq"] = record.seq;
  line["at"] = FormatUtc(record.at);
  line["at_us"] = ToMicros(record.at);
  line["actor"] = record.what.actor;
  line["action"] = record.what.action;
  line["task"] = record.what.task;
  line["subject"] = record.what.subject;
  line["detail"] = record.what.detail;
  line["hash"] = record.hash;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace swage
