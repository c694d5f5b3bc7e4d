#include "pipeline/findings/text_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <limits>

#include "config/base/text.h"

namespace swage {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool IsFileNameByte(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
         c == '-';
}

const RE2& FailureWord() {
  static const RE2 pattern(R"((?i)\b(fail(ure|ed)?|(\w*)error|assert\w*|panicked)\b)");
  return pattern;
}

// "path.ext:12", after blanks, quotes or the "E   " of pytest; what follows the number ends it.
const RE2& Location() {
  static const RE2 pattern(
      R"re((?:^|[\s("'`])([^\s:()"'`]*\.[A-Za-z]\w{0,9}):(\d{1,9})(?:\D|$))re");
  return pattern;
}

re2::StringPiece Piece(std::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t max_bytes) {
  // Cutting first keeps the work linear in the bound. UTF-8 is repaired before and after: an escape
  // sequence may have swallowed the first byte of a character.
  const std::string valid = ToValidUtf8(text.substr(0, 4 * max_bytes));
  const std::string clean = ToValidUtf8(StripControl(valid));
  return Truncate(Trim(clean), max_bytes);
}

std::string WithoutNumbers(std::string_view text) {
  constexpr std::string_view kTemporary = "/tmp/";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '0' && i + 2 < text.size() && text[i + 1] == 'x' && IsHex(text[i + 2])) {
      i += 2;
      while (i < text.size() && IsHex(text[i])) ++i;
      out += '#';
    } else if (IsDigit(text[i])) {
      while (i < text.size() && IsDigit(text[i])) ++i;
      out += '#';
    } else if (text.substr(i, kTemporary.size()) == kTemporary) {
      i += kTemporary.size();
      while (i < text.size() && IsFileNameByte(text[i])) ++i;
      out += "/tmp/#";
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::optional<SourceLocation> FindLocation(std::string_view text) {
  std::optional<SourceLocation> first;
  std::string storage;
  std::string_view line;
  while (NextLine(text, line)) {
    line = PlainLine(line, storage);
    if (line.find(':') == std::string_view::npos) continue;
    re2::StringPiece groups[3];
    if (!Location().Match(Piece(line), 0, line.size(), RE2::UNANCHORED, groups, 3)) continue;
    SourceLocation found{std::string(groups[1].data(), groups[1].size()),
                         ParseLineNumber({groups[2].data(), groups[2].size()})};
    if (RE2::PartialMatch(Piece(line), FailureWord())) return found;
    if (!first) first = std::move(found);
  }
  return first;
}

int ParseLineNumber(std::string_view text) {
  const std::optional<std::int64_t> value = ParseInt(Trim(text));
  return value && *value <= std::numeric_limits<int>::max() ? static_cast<int>(*value) : 0;
}

std::optional<Severity> ParseSeverity(std::string_view word) {
  const std::string w = ToLower(Trim(word));
  if (w == "error" || w == "fatal" || w == "fatal error" || w == "fail" || w == "failure" ||
      w == "critical" || w == "e" || w == "f") {
    return Severity::kError;
  }
  if (w == "warning" || w == "warn" || w == "w") return Severity::kWarning;
  if (w == "note" || w == "info" || w == "information" || w == "hint" || w == "style" ||
      w == "suggestion" || w == "n" || w == "i") {
    return Severity::kNote;
  }
  return std::nullopt;
}

std::string_view PlainLine(std::string_view line, std::string& storage) {
  line = line.substr(0, kMaxReportLine);
  const bool plain = std::all_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) >= 0x20 || c == '\t') &&
           static_cast<unsigned char>(c) < 0x7F;
  });
  if (plain) return line;
  storage = ToValidUtf8(StripControl(ToValidUtf8(line)));
  return storage;
}

bool NextLine(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find('\n');
  line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

}  // namespace swage
