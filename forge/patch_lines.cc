#include "forge/patch_lines.h"

#include <optional>

#include "config/base/text.h"

namespace swage {
namespace {

struct Hunk {
  int old_line = 0;
  int new_line = 0;
};

constexpr int kMaxLine = 100'000'000;

std::optional<int> LeadingNumber(std::string_view s) {
  const std::size_t end = std::min(s.find_first_not_of("0123456789"), s.size());
  const auto n = ParseInt(s.substr(0, end));
  if (!n || *n > kMaxLine) return std::nullopt;
  return static_cast<int>(*n);
}

// "@@ -12,3 +14,5 @@ context"
std::optional<Hunk> ParseHeader(std::string_view line) {
  if (!line.starts_with("@@ -")) return std::nullopt;
  line.remove_prefix(4);
  const std::size_t plus = line.find(" +");
  if (plus == std::string_view::npos) return std::nullopt;
  const auto old_line = LeadingNumber(line);
  const auto new_line = LeadingNumber(line.substr(plus + 2));
  if (!old_line || !new_line) return std::nullopt;
  return Hunk{*old_line, *new_line};
}

}  // namespace

std::map<int, PatchLine> HeadLines(std::string_view patch) {
  std::map<int, PatchLine> lines;
  std::optional<Hunk> hunk;
  for (const std::string_view line : Split(patch, '\n')) {
    if (auto header = ParseHeader(line)) {
      hunk = header;
    } else if (hunk && line.starts_with('+')) {
      lines[hunk->new_line++] = {0};
    } else if (hunk && line.starts_with('-')) {
      ++hunk->old_line;
    } else if (hunk && line.starts_with(' ')) {
      lines[hunk->new_line++] = {hunk->old_line++};
    }
  }
  return lines;
}

}  // namespace swage
