#include "pipeline/gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/limits.h"
#include "config/base/text.h"
#include "pipeline/findings/text_rules.h"
#include "pipeline/report_file.h"

namespace swage {
namespace {

// Keeps the end of a stream, and its beginning when a report is expected in it; both bounded.
class OutputKeeper {
 public:
  explicit OutputKeeper(bool keep_report) : keep_report_(keep_report) {}

  void Add(std::string_view bytes) {
    if (keep_report_) {
      report_ +=
          bytes.substr(0, kMaxReportBytes + 1 - std::min(report_.size(), kMaxReportBytes + 1));
    }
    // More than the bound is enough: an escape sequence may be cut at the start.
    if (bytes.size() > 2 * kLogTailBytes) bytes.remove_prefix(bytes.size() - 2 * kLogTailBytes);
    tail_ += bytes;
    if (tail_.size() > 4 * kLogTailBytes) tail_.erase(0, tail_.size() - 2 * kLogTailBytes);
  }

  std::string Tail() const {
    std::string text = ToValidUtf8(StripControl(ToValidUtf8(tail_)));
    if (text.size() <= kLogTailBytes) return text;
    // Whole lines read better; a single endless line is cut on a character boundary instead.
    std::string_view end = std::string_view(text).substr(text.size() - kLogTailBytes);
    const std::size_t line_end = end.find('\n');
    if (line_end != std::string_view::npos && line_end + 1 < end.size()) {
      return std::string(end.substr(line_end + 1));
    }
    while (!end.empty() && (static_cast<unsigned char>(end.front()) & 0xC0) == 0x80)
      end.remove_prefix(1);
    return std::string(end);
  }
  const std::string& Report() const { return report_; }

 private:
  const bool keep_report_;
  std::string report_;
  std::string tail_;
};

bool TouchesPaths(const GateSpec& gate, const std::vector<std::string>& changed) {
  return std::any_of(changed.begin(), changed.end(), [&](const std::string& path) {
    return std::any_of(gate.paths.begin(), gate.paths.end(),
                       [&](const std::string& glob) { return GlobMatch(glob, path); });
  });
}

ProcessSpec MakeSpec(const GateSpec& gate, const CommandContext& context) {
  ProcessSpec spec;
  spec.argv = gate.run;
  spec.env = context.env;
  for (const auto& [name, value] : gate.env) spec.env[name] = value;
  spec.env["SWAGE_GATE"] = gate.name;
  spec.cwd = context.workspace.string();
  spec.time_limit = gate.timeout;
  spec.network = gate.network ? NetworkUse::kAllowList : NetworkUse::kNone;
  return spec;
}

GateOutcome OutcomeOf(const ProcessResult& result) {
  switch (result.end) {
    case ProcessEnd::kExited:
      return result.exit_code == 0 ? GateOutcome::kPassed : GateOutcome::kFailed;
    case ProcessEnd::kSignalled:
    case ProcessEnd::kOutOfMemory:
    case ProcessEnd::kTooManyProcesses:
    case ProcessEnd::kDiskFull:
    case ProcessEnd::kFileTooLarge:
      return GateOutcome::kFailed;
    case ProcessEnd::kTimedOut:
    case ProcessEnd::kSilent:
      return GateOutcome::kTimedOut;
    case ProcessEnd::kStopped:
      return GateOutcome::kError;
  }
  return GateOutcome::kError;
}

std::string Summarise(GateOutcome outcome, const ProcessResult& process,
                      const ParsedReport& report) {
  if (outcome == GateOutcome::kTimedOut) return process.Describe();
  const auto tests = static_cast<std::size_t>(report.tests_total);
  if (report.tests_failed > 0) {
    return fmt::format("{} of {} failed", report.tests_failed, Count(tests, "test"));
  }
  const bool passed = outcome == GateOutcome::kPassed;
  const std::size_t findings = report.findings.size();
  const std::string more = report.truncated ? "more than " : "";
  if (passed && report.tests_total > 0) return fmt::format("{} passed", Count(tests, "test"));
  const std::string end = passed ? "passed" : process.Describe();
  if (findings == 0) return end;
  return fmt::format("{}, {}{}", end, more, Count(findings, "finding"));
}

Finding UnreadableReport(const GateSpec& gate, const Error& error) {
  Finding finding;
  finding.gate = gate.name;
  finding.severity = Severity::kWarning;
  finding.rule = "report";
  const std::string what = gate.report.empty() ? "the output" : gate.report;
  finding.message =
      error.code == ErrorCode::kNotFound
          ? fmt::format("the gate did not write its report {}", what)
          : fmt::format("the report in {} could not be read: {}", what, error.message);
  finding.message = CleanText(finding.message, kMaxMessageBytes);
  finding.fingerprint = fmt::format("report-{}", gate.name);
  return finding;
}

Result<ParsedReport> ReadReport(const GateSpec& gate, const CommandContext& context,
                                const OutputKeeper& output) {
  const std::string workspace = context.workspace.string();
  if (gate.report.empty()) return ParseReport(gate, output.Report(), workspace);
  SWAGE_ASSIGN_OR_RETURN(const std::string text,
                         ReadFileBeneath(context.workspace, gate.report, kMaxReportBytes));
  return ParseReport(gate, text, workspace);
}

}  // namespace

Result<GateVerdict> GateRunner::Run(const GateSpec& gate, const CommandContext& context,
                                    const std::vector<std::string>& changed_paths,
                                    const CommitSha& commit, const ProcessRunner::Sink& log,
                                    std::stop_token stop) {
  GateVerdict verdict;
  verdict.gate = gate.name;
  verdict.required = gate.required;
  verdict.commit = commit;
  if (!gate.paths.empty() && !TouchesPaths(gate, changed_paths)) {
    verdict.outcome = GateOutcome::kSkipped;
    verdict.summary = "no changed file matches its paths";
    return verdict;
  }
  // What an earlier run, or the agent, left there must not speak for this one.
  if (!gate.report.empty()) {
    if (const auto removed = RemoveFileBeneath(context.workspace, gate.report); !removed.ok()) {
      if (removed.error().code == ErrorCode::kInternal) return removed.error().With(gate.name);
      verdict.summary = Truncate(removed.error().message, kMaxMessageBytes);
      verdict.findings.push_back(UnreadableReport(gate, removed.error()));
      return verdict;
    }
  }

  OutputKeeper output(gate.format != ReportFormat::kNone && gate.report.empty());
  const auto sink = [&](std::string_view bytes) {
    output.Add(bytes);
    if (log) log(bytes);
  };
  const Result<ProcessResult> process = processes_.Run(MakeSpec(gate, context), sink, stop);
  if (!process.ok() && process.error().code != ErrorCode::kNotFound) {
    return process.error().With(fmt::format("gate {}", gate.name));
  }
  if (!process.ok()) {
    verdict.summary = Truncate(process.error().message, kMaxMessageBytes);
    return verdict;
  }
  if (process->end == ProcessEnd::kStopped) {
    return MakeError(ErrorCode::kCancelled, fmt::format("gate {} was stopped", gate.name));
  }
  if (log) log(fmt::format("\n[{}]\n", DescribeUse(*process)));
  verdict.duration = process->duration;
  verdict.outcome = OutcomeOf(*process);
  verdict.limit_hit = !process->excess.empty();
  verdict.log_tail = output.Tail();

  ParsedReport report;
  if (gate.format != ReportFormat::kNone) {
    if (Result<ParsedReport> parsed = ReadReport(gate, context, output); parsed.ok()) {
      report = std::move(parsed).value();
    } else {
      report.findings.push_back(UnreadableReport(gate, parsed.error()));
    }
  }
  verdict.summary = Summarise(verdict.outcome, *process, report);
  verdict.findings = std::move(report.findings);
  return verdict;
}

}  // namespace swage
