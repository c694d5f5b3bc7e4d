// What the parsers share: how text that a tool wrote becomes text that is safe to keep and to
// compare. Pure; linear in the input.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/findings/finding.h"

namespace swage {

/// Bytes of one line that a line-based parser looks at; the rest of a longer line is ignored (T48).
inline constexpr std::size_t kMaxReportLine = 4 << 10;
/// Elements of one XML or JSON report: bounds the memory of a parsed tree (T58).
inline constexpr std::size_t kMaxReportNodes = 1'000'000;

/// Valid UTF-8 without control characters other than newline and tab, blanks trimmed, at most
/// `max_bytes`.
std::string CleanText(std::string_view text, std::size_t max_bytes);

/// The text with what changes from run to run blanked out: numbers, addresses, names of temporary
/// files.
std::string WithoutNumbers(std::string_view text);

struct SourceLocation {
  std::string path;
  int line = 0;
};

/// The place that a failure's text names as "path:line", best guess: a line that also speaks of a
/// failure
/// ("x.cc:12: Failure", "test_x.py:7: AssertionError") wins over the first place at all.
std::optional<SourceLocation> FindLocation(std::string_view text);

/// A decimal line number; 0 for anything that is not one.
int ParseLineNumber(std::string_view text);

/// "error", "warning", "note" and their usual synonyms, in any case.
std::optional<Severity> ParseSeverity(std::string_view word);

/// A line as a pattern can read it: at most kMaxReportLine bytes, valid UTF-8, no escape sequences.
/// Points into `line`, or into `storage` when something had to be changed.
std::string_view PlainLine(std::string_view line, std::string& storage);

/// Takes the next line (without its end) off the front of `rest`; false when nothing is left.
bool NextLine(std::string_view& rest, std::string_view& line);

}  // namespace swage
