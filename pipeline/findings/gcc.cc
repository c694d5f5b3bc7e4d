// Diagnostics of gcc, clang, clang-tidy and the linker ("path:line:col: warning: text [-Wrule]"),
// and CMake's "CMake Error at path:line".
#include <fmt/format.h>
#include <re2/re2.h>

#include <unordered_set>

#include "config/base/text.h"
#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

constexpr int kMaxNotes = 5;

std::string_view View(const re2::StringPiece& piece) {
  return {piece.data(), piece.size()};
}
std::string Str(const re2::StringPiece& piece) {
  return std::string(View(piece));
}

const RE2& Diagnostic() {
  static const RE2 pattern(
      R"(^([^:\s][^:]*):(\d{1,9}):(?:\d{1,9}:)?\s+(fatal error|error|warning|note):\s+(.+)$)");
  return pattern;
}
const RE2& LinkerError() {
  static const RE2 pattern(R"((?:^|: )([^:\s][^:]*):(\d{1,9}):\s+((?:undefined|multiple) .+)$)");
  return pattern;
}
const RE2& CMakeMessage() {
  static const RE2 pattern(
      R"(^CMake (?:Deprecation )?(Error|Warning) (?:\(dev\) )?at ([^:]+):(\d{1,9})\b)");
  return pattern;
}
// "[-Wshadow]", "[-Werror=shadow]", "[-Werror,-Wshadow]", "[readability-magic-numbers]".
const RE2& TrailingRule() {
  static const RE2 pattern(R"(\s*\[(-W[\w.,=+-]+|[A-Za-z][\w.,+-]*)\]$)");
  return pattern;
}

std::string TakeRule(std::string_view& message) {
  re2::StringPiece groups[2];
  const re2::StringPiece text(message.data(), message.size());
  if (!TrailingRule().Match(text, 0, text.size(), RE2::UNANCHORED, groups, 2)) return {};
  std::string_view rule = View(groups[1]);
  message.remove_suffix(groups[0].size());
  const std::size_t flag = rule.rfind("-W");
  if (flag != std::string_view::npos) rule.remove_prefix(flag + 2);
  if (rule.starts_with("error=")) rule.remove_prefix(6);
  return std::string(rule);
}

class GccReader {
 public:
  bool Full() const { return report_.truncated; }
  ParsedReport Take() && { return std::move(report_); }

  void Read(std::string_view line) {
    if (in_cmake_text_ && ReadCMakeText(line)) return;
    in_cmake_text_ = false;
    re2::StringPiece g[5];
    const re2::StringPiece text(line.data(), line.size());
    if (Diagnostic().Match(text, 0, text.size(), RE2::UNANCHORED, g, 5)) {
      ReadDiagnostic(Str(g[1]), ParseLineNumber(View(g[2])), View(g[3]), View(g[4]));
    } else if (LinkerError().Match(text, 0, text.size(), RE2::UNANCHORED, g, 4)) {
      Add(Severity::kError, "", Str(g[1]), ParseLineNumber(View(g[2])), View(g[3]));
    } else if (CMakeMessage().Match(text, 0, text.size(), RE2::UNANCHORED, g, 4)) {
      in_cmake_text_ = Add(View(g[1]) == "Error" ? Severity::kError : Severity::kWarning, "cmake",
                           Str(g[2]), ParseLineNumber(View(g[3])), "");
    }
  }

 private:
  // CMake writes its text indented below the line that names the place.
  bool ReadCMakeText(std::string_view line) {
    std::string& message = report_.findings.back().message;
    if (Trim(line).empty()) return true;
    if (!line.starts_with("  ")) return false;
    if (message.size() < kMaxMessageBytes) {
      if (!message.empty()) message += '\n';
      message += Trim(line);
    }
    return true;
  }

  void ReadDiagnostic(std::string path, int line, std::string_view kind, std::string_view message) {
    if (kind == "note" && has_parent_) {
      // A note explains what stands above it; on its own it would be a remark about nothing.
      if (parent_is_kept_ && notes_++ < kMaxNotes) {
        report_.findings.back().message += fmt::format("\nnote: {}:{}: {}", path, line, message);
      }
      return;
    }
    const std::string rule = TakeRule(message);
    has_parent_ = kind != "note";
    notes_ = 0;
    parent_is_kept_ =
        Add(ParseSeverity(kind).value_or(Severity::kError), rule, std::move(path), line, message);
  }

  // False when it is there already (a header's warning comes once per file that includes it) or
  // when the report is full.
  bool Add(Severity severity, std::string rule, std::string path, int line,
           std::string_view message) {
    if (!seen_.insert(fmt::format("{}:{}:{}", path, line, message)).second && !message.empty()) {
      return false;
    }
    if (report_.findings.size() >= kMaxFindings) {
      report_.truncated = true;
      return false;
    }
    report_.findings.push_back({.gate = {},
                                .severity = severity,
                                .rule = std::move(rule),
                                .path = std::move(path),
                                .line = line,
                                .message = std::string(message),
                                .fingerprint = {}});
    return true;
  }

  ParsedReport report_;
  std::unordered_set<std::string>
      seen_;  // at most kMaxFindings + 1 entries: reading stops when full
  bool in_cmake_text_ = false;
  bool has_parent_ = false;
  bool parent_is_kept_ = false;
  int notes_ = 0;
};

}  // namespace

Result<ParsedReport> ParseGcc(std::string_view text) {
  GccReader reader;
  std::string storage;
  std::string_view line;
  while (!reader.Full() && NextLine(text, line)) reader.Read(PlainLine(line, storage));
  return std::move(reader).Take();
}

}  // namespace swage
