// TAP 13 and 14, read loosely: test lines, plans, bail-outs, subtests by indentation, and of the
// YAML blocks and '#' lines below a failure only what names its message and place.
#include <fmt/format.h>
#include <re2/re2.h>

#include "config/base/text.h"
#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

std::string_view View(const re2::StringPiece& piece) {
  return {piece.data(), piece.size()};
}

const RE2& TestLine() {
  static const RE2 pattern(R"(^(\s*)(not ok|ok)(?:\s+(\d{1,9}))?(?:\s+(?:-\s+)?(.*))?$)");
  return pattern;
}
const RE2& Plan() {
  static const RE2 pattern(R"(^1\.\.(\d{1,9})(?:\s|$))");
  return pattern;
}
// A '#' that is not escaped, then SKIP or TODO: such a test never counts as failed.
const RE2& Directive() {
  static const RE2 pattern(R"((?i)(?:^|[^\\])#\s*(skip|todo)\b)");
  return pattern;
}
const RE2& PerlPlace() {
  static const RE2 pattern(R"(^\s*#\s+.*\bat (\S+) line (\d{1,9})\.?$)");
  return pattern;
}
const RE2& YamlField() {
  static const RE2 pattern(
      R"(^\s*(message|file|path|line|at|location|severity|got|found|actual|wanted|expected):\s*(.*?)\s*$)");
  return pattern;
}

std::string_view Unquote(std::string_view s) {
  s = Trim(s);
  if (s.size() >= 2 && (s.front() == '"' || s.front() == '\'') && s.back() == s.front()) {
    s = s.substr(1, s.size() - 2);
  }
  return s;
}

class TapReader {
 public:
  void Read(std::string_view line) {
    // A block that never ends must not swallow the tests after it.
    if (line.starts_with("ok") || line.starts_with("not ok")) in_yaml_ = false;
    if (in_yaml_) return ReadYaml(line);
    re2::StringPiece g[5];
    const re2::StringPiece text(line.data(), line.size());
    if (TestLine().Match(text, 0, text.size(), RE2::UNANCHORED, g, 5)) {
      ReadTest(!g[1].empty(), View(g[2]) == "ok", View(g[4]));
    } else if (failing_ && Trim(line) == "---") {
      in_yaml_ = true;
    } else if (failing_ && PerlPlace().Match(text, 0, text.size(), RE2::UNANCHORED, g, 3)) {
      report_.findings.back().path = View(g[1]);
      report_.findings.back().line = ParseLineNumber(View(g[2]));
    } else if (line.starts_with("Bail out!")) {
      AddFinding("", fmt::format("the run was given up: {}", Trim(line.substr(9))));
      ++report_.tests_failed;
      recognised_ = true;
    } else if (Plan().Match(text, 0, text.size(), RE2::UNANCHORED, g, 2)) {
      planned_ = ParseLineNumber(View(g[1]));
      recognised_ = true;
    } else if (line.starts_with("TAP version ")) {
      recognised_ = true;
    }
  }

  Result<ParsedReport> Take() && {
    if (!recognised_) return MakeError(ErrorCode::kInvalid, "not TAP: no plan and no test line");
    if (planned_ > seen_) {
      AddFinding("", fmt::format("planned {} tests, saw {}", planned_, seen_));
      report_.tests_failed += planned_ - seen_;
      report_.tests_total += planned_ - seen_;
    }
    return std::move(report_);
  }

 private:
  void ReadTest(bool is_subtest, bool ok, std::string_view description) {
    recognised_ = true;
    failing_ = false;
    const bool excused = RE2::PartialMatch({description.data(), description.size()}, Directive());
    const bool failed = !ok && !excused;
    description = Trim(description.substr(0, description.find(" #")));
    if (is_subtest) {
      subtest_failed_ |= failed;
      if (failed) AddFailure(description);
      return;
    }
    ++seen_;
    if (!(ok && excused)) ++report_.tests_total;
    if (failed) ++report_.tests_failed;
    // The failing subtests have said it already, with more detail.
    if (failed && !subtest_failed_) AddFailure(description);
    subtest_failed_ = false;
  }

  void AddFailure(std::string_view description) {
    failing_ = AddFinding(std::string(description), fmt::format("failed: {}", description));
  }

  bool AddFinding(std::string rule, std::string message) {
    if (report_.findings.size() >= kMaxFindings) {
      report_.truncated = true;
      return false;
    }
    Finding finding;
    finding.rule = std::move(rule);
    finding.message = std::move(message);
    report_.findings.push_back(std::move(finding));
    return true;
  }

  void ReadYaml(std::string_view line) {
    if (Trim(line) == "...") {
      in_yaml_ = false;
      return;
    }
    re2::StringPiece g[3];
    if (!YamlField().Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED, g, 3))
      return;
    const std::string_view key = View(g[1]);
    const std::string_view value = Unquote(View(g[2]));
    Finding& finding = report_.findings.back();
    if (value.empty()) return;
    if (key == "file" || key == "path") {
      finding.path = value;
    } else if (key == "line") {
      finding.line = ParseLineNumber(value);
    } else if (key == "at" || key == "location") {
      if (const auto place = FindLocation(value)) {
        finding.path = place->path;
        finding.line = place->line;
      }
    } else if (key != "severity" && finding.message.size() < kMaxMessageBytes) {
      finding.message += fmt::format("\n{}: {}", key, value);
    }
  }

  ParsedReport report_;
  bool recognised_ = false;
  bool failing_ = false;  // the last finding belongs to the test line just read
  bool in_yaml_ = false;
  bool subtest_failed_ = false;
  int planned_ = 0;
  int seen_ = 0;
};

}  // namespace

Result<ParsedReport> ParseTap(std::string_view text) {
  TapReader reader;
  std::string storage;
  std::string_view line;
  while (NextLine(text, line)) reader.Read(PlainLine(line, storage));
  return std::move(reader).Take();
}

}  // namespace swage
