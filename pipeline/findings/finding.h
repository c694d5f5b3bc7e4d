// Finding: one complaint of one gate, whatever tool made it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "config/repo_policy.h"

namespace swage {

enum class Severity { kError, kWarning, kNote };
std::string_view Name(Severity s);

struct Finding {
  std::string gate;
  Severity severity = Severity::kError;
  std::string rule;     ///< "unused-variable", a test's full name, a SARIF rule id; may be empty
  std::string path;     ///< below the workspace, '/'-separated; empty = the whole change
  int line = 0;         ///< from 1; 0 = the whole file
  std::string message;  ///< at most kMaxMessageBytes; valid UTF-8 without control characters
  /// Stable over unrelated edits: a digest of gate, rule, path and the message without its numbers,
  /// plus a counter for equal ones. Decides what was posted before.
  std::string fingerprint;
};

inline constexpr std::size_t kMaxFindings = 500;
inline constexpr std::size_t kMaxMessageBytes = 2'000;
inline constexpr std::size_t kMaxReportBytes = 16 << 20;

struct ParsedReport {
  std::vector<Finding> findings;  ///< at most kMaxFindings; paths relative to the workspace
  int tests_total = 0;            ///< 0 when the format has no tests
  int tests_failed = 0;
  bool truncated = false;  ///< there were more than kMaxFindings
};

/// Turns a report into findings. Pure, bounded in time and memory, never throws (T48, T58).
/// `workspace` is cut off absolute paths. Errors: kInvalid (not that format), kTooLarge.
Result<ParsedReport> ParseReport(const GateSpec& gate, std::string_view report,
                                 std::string_view workspace);

/// One function per format, in a file of its own; ParseReport bounds, cleans and fingerprints.
Result<ParsedReport> ParseJUnit(std::string_view xml);
Result<ParsedReport> ParseSarif(std::string_view json);
Result<ParsedReport> ParseTap(std::string_view text);
Result<ParsedReport> ParseGcc(std::string_view text);
Result<ParsedReport> ParseMatcher(std::string_view pattern, std::string_view text);

}  // namespace swage
