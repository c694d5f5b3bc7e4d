#include "pipeline/findings/finding.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

constexpr std::size_t kMaxRuleBytes = 200;
constexpr std::size_t kMaxPathBytes = 1'024;
constexpr std::size_t kFingerprintHex = 24;

bool HasControl(std::string_view s) {
  for (const char c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD: a byte was lost on the way

// The path below the workspace, lexically; empty when it is not there, or is not a path one can
// point at.
std::string PathBelow(std::string_view path, std::string_view workspace) {
  if (path.starts_with("file://")) path.remove_prefix(7);
  if (path.starts_with('/')) {
    while (workspace.ends_with('/')) workspace.remove_suffix(1);
    if (workspace.empty() || !path.starts_with(workspace)) return {};
    path.remove_prefix(workspace.size());
    if (!path.starts_with('/')) return {};
  }
  if (path.size() > kMaxPathBytes || HasControl(path) || ToValidUtf8(path) != path ||
      path.find(kReplacement) != std::string_view::npos) {
    return {};
  }
  std::vector<std::string> parts;
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".git") return {};
    if (part != "..") {
      parts.emplace_back(part);
    } else if (parts.empty()) {
      return {};
    } else {
      parts.pop_back();
    }
  }
  return Join(parts, "/");
}

Result<ParsedReport> ParseFormat(const GateSpec& gate, std::string_view report) {
  switch (gate.format) {
    case ReportFormat::kNone:
      return ParsedReport{};
    case ReportFormat::kJUnit:
      return ParseJUnit(report);
    case ReportFormat::kSarif:
      return ParseSarif(report);
    case ReportFormat::kTap:
      return ParseTap(report);
    case ReportFormat::kGcc:
      return ParseGcc(report);
    case ReportFormat::kMatcher:
      return ParseMatcher(gate.matcher, report);
  }
  return ParsedReport{};
}

void Clean(Finding& finding, std::string_view workspace) {
  finding.rule = ReplaceAll(CleanText(finding.rule, kMaxRuleBytes), "\n", " ");
  finding.path = PathBelow(finding.path, workspace);
  if (finding.path.empty() || finding.line < 0) finding.line = 0;
  // The server's own directories are nobody's business, and they differ from task to task.
  std::string message = finding.message.substr(0, 4 * kMaxMessageBytes);
  if (workspace.size() > 1)
    message = ReplaceAll(std::move(message), std::string(workspace) + "/", "");
  finding.message = CleanText(message, kMaxMessageBytes);
  if (finding.message.empty()) finding.message = finding.rule.empty() ? "failed" : finding.rule;
}

std::string Identity(const Finding& finding) {
  std::string text = finding.gate;
  for (const std::string& part : {finding.rule, finding.path, WithoutNumbers(finding.message)}) {
    text += '\0';
    text += part;
  }
  return Sha256Hex(text).substr(0, kFingerprintHex);
}

}  // namespace

std::string_view Name(Severity s) {
  switch (s) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

Result<ParsedReport> ParseReport(const GateSpec& gate, std::string_view report,
                                 std::string_view workspace) {
  if (report.size() > kMaxReportBytes) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("the report has {} bytes; at most {} MiB are read", report.size(),
                                 kMaxReportBytes >> 20));
  }
  while (workspace.ends_with('/')) workspace.remove_suffix(1);
  SWAGE_ASSIGN_OR_RETURN(ParsedReport parsed, ParseFormat(gate, report));
  if (parsed.findings.size() > kMaxFindings) {
    parsed.findings.resize(kMaxFindings);
    parsed.truncated = true;
  }
  std::map<std::string, int> seen;
  for (Finding& finding : parsed.findings) {
    finding.gate = gate.name;
    Clean(finding, workspace);
    finding.fingerprint = Identity(finding);
    const int equal_before = seen[finding.fingerprint]++;
    if (equal_before > 0) finding.fingerprint += fmt::format("-{}", equal_before + 1);
  }
  return parsed;
}

}  // namespace swage
