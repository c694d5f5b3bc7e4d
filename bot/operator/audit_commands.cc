#include "bot/operator/audit_commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "bot/cli.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "pipeline/audit.h"

namespace swage {
namespace {

constexpr int kPage = 1'000;
constexpr int kExitBroken = 1;
constexpr int kExitCannot = 2;

/// Gives every sealed record to `take`, until it says false.
template <class Take>
Result<void> EachRecord(Store& store, Take&& take) {
  std::int64_t after = 0;
  while (true) {
    SWAGE_ASSIGN_OR_RETURN(const auto page, store.ListAudit(after, kPage));
    for (const AuditRecord& record : page) {
      if (!take(record)) return Ok();
    }
    if (page.size() < kPage) return Ok();
    after = page.back().seq;
  }
}

struct Verdict {
  std::int64_t records = 0;
  AuditState state;
  AuditHead head;
  std::optional<AuditBreak> broken;
};

Result<Verdict> Verify(Store& store, const std::optional<AuditHead>& noted) {
  Verdict verdict;
  // The state first: what is sealed meanwhile is looked at as far as it goes.
  SWAGE_ASSIGN_OR_RETURN(verdict.state, store.GetAuditState());
  AuditVerifier verifier(noted);
  AuditHead end;
  SWAGE_RETURN_IF_ERROR(EachRecord(store, [&](const AuditRecord& record) {
    ++verdict.records;
    if (!verifier.Add(record)) return true;  // later records tell how it is broken
    if (record.seq <= verdict.state.head.seq) end = verifier.head();
    return true;
  }));
  // A server that runs has sealed more since: its stored head is somewhere before the end.
  verifier.Finish(end == verdict.state.head ? verifier.head() : verdict.state.head);
  verdict.head = verifier.head();
  verdict.broken = verifier.broken();
  return verdict;
}

std::string Sentences(const Verdict& verdict) {
  if (!verdict.broken) {
    std::string text = fmt::format(
        "The audit log is whole: {} records.\nhead {}\nKeep the head somewhere else; with "
        "--head {}:... it shows later that nothing up to here was changed.\n",
        verdict.head.seq, FormatHead(verdict.head), verdict.head.seq);
    if (verdict.state.unsealed > 0) {
      text += fmt::format("{} newer entries wait for the server to number them.\n",
                          verdict.state.unsealed);
    }
    return text;
  }
  const AuditBreak& broken = *verdict.broken;
  return fmt::format(
      "The audit log is broken at record {}: {}.\n{}\nNext: keep the database as it is, find out "
      "who could write to it, and compare with a backup or an export (swage audit export --json) "
      "from before.\n",
      broken.seq, broken.sentence,
      broken.fault == AuditFault::kRewritten
          ? "No record can be trusted, up to and including that one."
          : fmt::format("The {} records before it are as they were written.", broken.seq - 1));
}

std::string JsonVerdict(const Verdict& verdict) {
  nlohmann::json json;
  json["ok"] = !verdict.broken.has_value();
  json["records"] = verdict.records;
  json["unsealed"] = verdict.state.unsealed;
  json["head"] = FormatHead(verdict.head);
  if (verdict.broken) {
    json["broken"] = {{"fault", Name(verdict.broken->fault)},
                      {"seq", verdict.broken->seq},
                      {"sentence", verdict.broken->sentence}};
  }
  return DumpJson(json) + "\n";
}

std::string Line(const AuditRecord& record) {
  const AuditEntry& what = record.what;
  std::string line = fmt::format("{:>6}  {}  {:<20}  {:<16}", record.seq, FormatUtc(record.at),
                                 what.actor, what.action);
  for (const std::string* field : {&what.task, &what.subject, &what.detail}) {
    if (!field->empty()) line += "  " + *field;
  }
  return line;
}

// A day is its first moment.
std::optional<WallTime> ParseWhen(std::string_view text, const Clock& clock) {
  if (const auto ago = ParseDuration(text); ago.ok()) return clock.Now() - *ago;
  if (const auto at = ParseUtc(text)) return at;
  return ParseUtc(std::string(text) + "T00:00:00Z");
}

}  // namespace

int VerifyAudit(const AuditVerifyOptions& options, const StoreAccess& access, std::ostream& out,
                std::ostream& err) {
  std::optional<AuditHead> noted;
  if (!options.head.empty()) {
    auto head = ParseHead(options.head);
    if (!head.ok()) {
      err << "--head: " << head.error().message << "\n";
      return kExitCannot;
    }
    noted = std::move(head).value();
  }
  const auto opened = OpenStoreOf(options.config, access.observe, err);
  if (opened->store == nullptr) return kExitCannot;
  const auto verdict = Verify(*opened->store, noted);
  if (!verdict.ok()) {
    err << "swage: " << opened->redactor.Apply(verdict.error().message) << "\n";
    return kExitCannot;
  }
  out << (options.json ? JsonVerdict(*verdict) : Sentences(*verdict));
  return verdict->broken ? kExitBroken : kExitOk;
}

int ExportAudit(const AuditExportOptions& options, const StoreAccess& access, std::ostream& out,
                std::ostream& err) {
  const SystemClock clock;
  WallTime since = WallTime::min();
  WallTime until = WallTime::max();
  for (const auto& [name, text, bound] : {std::tuple("--since", &options.since, &since),
                                          std::tuple("--until", &options.until, &until)}) {
    if (text->empty()) continue;
    const auto when = ParseWhen(*text, clock);
    if (!when.has_value()) {
      err << name << ": write 2026-03-01, 2026-03-01T12:00:00Z (UTC), or 2h for two hours ago\n";
      return kExitUsage;
    }
    *bound = *when;
  }
  const auto opened = OpenStoreOf(options.config, access.observe, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto read = EachRecord(*opened->store, [&](const AuditRecord& record) {
    const bool wanted = record.at >= since && record.at < until &&
                        (options.task.empty() || record.what.task == options.task);
    if (wanted) out << (options.json ? AuditJson(record) : Line(record)) << "\n";
    return static_cast<bool>(out);
  });
  out.flush();
  if (read.ok() && out) return kExitOk;
  err << "swage: "
      << (read.ok() ? "the output could not be written"
                    : opened->redactor.Apply(read.error().message))
      << "\n";
  return kExitFailed;
}

}  // namespace swage
