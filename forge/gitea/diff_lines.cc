#include "forge/gitea/diff_lines.h"

#include <optional>

namespace swage::gitea {
namespace {

constexpr std::string_view kFileStart = "diff --git ";
constexpr std::string_view kHeadFile = "+++ ";
constexpr std::string_view kHunkStart = "@@ ";

char Unescaped(char letter) {
  switch (letter) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return letter;
  }
}

bool IsOctal(char c) {
  return c >= '0' && c <= '7';
}

// git quotes names with unusual bytes as C does: "b/gr\303\274n \"x\"".
std::string Unquote(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"') return std::string(name);
  name = name.substr(1, name.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '\\' || i + 1 == name.size()) {
      plain += name[i];
    } else if (i + 3 < name.size() && IsOctal(name[i + 1]) && IsOctal(name[i + 2]) &&
               IsOctal(name[i + 3])) {
      plain += static_cast<char>((name[i + 1] - '0') * 64 + (name[i + 2] - '0') * 8 +
                                 (name[i + 3] - '0'));
      i += 3;
    } else {
      plain += Unescaped(name[++i]);
    }
  }
  return plain;
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

// The path in "+++ b/src/a.c", looked for above the first hunk only: below it is what files say.
std::optional<std::string> HeadPath(std::string_view file) {
  while (!file.empty()) {
    std::string_view line = TakeLine(file);
    if (line.starts_with(kHunkStart)) return std::nullopt;
    if (!line.starts_with(kHeadFile)) continue;
    line.remove_prefix(kHeadFile.size());
    // A name with a blank in it is followed by a tab.
    if (line.ends_with('\t')) line.remove_suffix(1);
    const std::string name = Unquote(line);
    if (!name.starts_with("b/")) return std::nullopt;  // "/dev/null": deleted
    return name.substr(2);
  }
  return std::nullopt;
}

}  // namespace

// Content lines start with a blank, '+', '-' or '\', so no content passes for the start of a file.
std::map<std::string, std::map<int, PatchLine>> DiffLines(std::string_view diff) {
  std::map<std::string, std::map<int, PatchLine>> files;
  const std::string separator = "\n" + std::string(kFileStart);
  while (!diff.empty()) {
    const std::size_t next = diff.find(separator);
    const std::string_view file = diff.substr(0, next == diff.npos ? next : next + 1);
    if (const auto path = HeadPath(file)) files[*path] = HeadLines(file);
    diff.remove_prefix(file.size());
  }
  return files;
}

}  // namespace swage::gitea
