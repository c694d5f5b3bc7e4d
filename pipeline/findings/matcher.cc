// A pattern from the configuration, tried on each line. RE2 matches in time linear in the line,
// whatever the pattern; lines are cut, so that one line of many megabytes costs no more than its
// first kilobytes.
#include <fmt/format.h>
#include <re2/re2.h>

#include <array>
#include <map>

#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

constexpr std::int64_t kMaxPatternMemory = 8 << 20;
constexpr int kMaxGroups = 32;

using Groups = std::array<re2::StringPiece, kMaxGroups + 1>;

// Where the named groups are among the numbered ones; 0 (the whole match) stands for "not named".
struct GroupNumbers {
  explicit GroupNumbers(const RE2& pattern) {
    const std::map<std::string, int>& names = pattern.NamedCapturingGroups();
    const auto number = [&](const char* name) {
      const auto it = names.find(name);
      return it == names.end() ? 0 : it->second;
    };
    file = number("file");
    line = number("line");
    message = number("message");
    rule = number("rule");
    severity = number("severity");
  }
  int file, line, message, rule, severity;
};

std::string Text(const Groups& groups, int number) {
  const re2::StringPiece& piece = groups[static_cast<std::size_t>(number)];
  return std::string(piece.data(), piece.size());
}

Finding ReadMatch(const Groups& groups, const GroupNumbers& at) {
  Finding finding;
  finding.severity = Severity::kWarning;
  if (at.severity > 0) {
    finding.severity = ParseSeverity(Text(groups, at.severity)).value_or(Severity::kWarning);
  }
  if (at.file > 0) finding.path = Text(groups, at.file);
  if (at.line > 0) finding.line = ParseLineNumber(Text(groups, at.line));
  if (at.rule > 0) finding.rule = Text(groups, at.rule);
  finding.message = Text(groups, at.message);
  return finding;
}

}  // namespace

Result<ParsedReport> ParseMatcher(std::string_view pattern, std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  const RE2 matcher(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!matcher.ok()) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("the matcher is not RE2: {}", matcher.error()));
  }
  const int groups_count = matcher.NumberOfCapturingGroups();
  if (groups_count > kMaxGroups) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("the matcher has {} groups; at most {} are allowed", groups_count, kMaxGroups));
  }
  const GroupNumbers at(matcher);
  ParsedReport report;
  std::string storage;
  std::string_view line;
  Groups groups;
  while (NextLine(text, line)) {
    line = PlainLine(line, storage);
    if (!matcher.Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED, groups.data(),
                       groups_count + 1)) {
      continue;
    }
    if (report.findings.size() >= kMaxFindings) {
      report.truncated = true;
      break;
    }
    report.findings.push_back(ReadMatch(groups, at));
  }
  return report;
}

}  // namespace swage
