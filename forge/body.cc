#include "forge/body.h"

#include <algorithm>

#include "config/base/text.h"
#include "forge/markdown.h"

namespace swage {
namespace {

constexpr std::string_view kCutMark = "… (cut: longer than the forge takes)";
constexpr std::size_t kMaxLostLine = 1'000;
constexpr std::string_view kOwnStart = "<!-- swage:pr ";
constexpr std::string_view kOwnHint =
    "<!-- Everything up to the end mark is rewritten by the bot; write above or below it. -->";

// The fence that a line at the left margin opens; empty = none. CommonMark 4.5.
std::string_view OpenedFence(std::string_view line) {
  for (const char c : {'`', '~'}) {
    const std::size_t run = std::min(line.find_first_not_of(c), line.size());
    if (run < 3) continue;
    if (c == '`' && line.find('`', run) != std::string_view::npos) continue;
    return line.substr(0, run);
  }
  return {};
}

// The fence that is open at the end of `text`.
std::string OpenFenceAt(std::string_view text) {
  std::string_view open;
  for (const std::string_view line : SplitLines(text)) {
    const std::string_view fence = OpenedFence(line);
    if (open.empty()) {
      open = fence;
    } else if (fence.starts_with(open) && Trim(line) == fence) {
      open = {};
    }
  }
  return std::string(open);
}

// Both marks of the block that `text` begins with; empty when it is none.
struct OwnMarks {
  std::string_view start;
  std::string end;
};

OwnMarks MarksOf(std::string_view text) {
  const std::string_view start = text.substr(0, text.find('\n'));
  if (!start.starts_with(kOwnStart) || !start.ends_with("-->")) return {};
  return {start, "<!-- swage:pr-end " + std::string(start.substr(kOwnStart.size()))};
}

}  // namespace

std::string FitBody(std::string_view body, std::size_t max_bytes) {
  if (body.size() <= max_bytes) return std::string(body);
  constexpr std::size_t kMaxFence = 64;
  const std::size_t tail = kCutMark.size() + kMaxFence + 4;
  if (max_bytes <= tail) return Truncate(body, max_bytes);
  std::string head = Truncate(body, max_bytes - tail, "");
  // Back to a line's end, unless that line is most of the text.
  const std::size_t end = head.rfind('\n');
  if (end != std::string::npos && head.size() - end < kMaxLostLine) head.resize(end);
  const std::string fence = OpenFenceAt(head);
  if (!fence.empty() && fence.size() <= kMaxFence) head += "\n" + fence;
  return head + "\n\n" + std::string(kCutMark);
}

std::string MarkedBody(std::string_view marker, std::string_view body, std::size_t max_bytes) {
  std::string fitted = FitBody(body, max_bytes);
  if (fitted.find(marker) != std::string::npos) return fitted;
  std::string marked = std::string(marker) + "\n";
  return marked + FitBody(body, max_bytes - std::min(max_bytes, marked.size()));
}

std::string OwnBlock(std::string_view key, std::string_view text) {
  std::string block = Marker("pr", key) + "\n" + std::string(kOwnHint) + "\n";
  return block + std::string(text) + Marker("pr-end", key);
}

std::string FitOwnBlock(std::string_view block, std::size_t max_bytes) {
  const OwnMarks marks = MarksOf(block);
  if (block.size() <= max_bytes || marks.start.empty() || !block.ends_with(marks.end)) {
    return FitBody(block, max_bytes);
  }
  block.remove_suffix(marks.end.size());
  const std::size_t room = max_bytes - std::min(max_bytes, marks.end.size() + 1);
  return FitBody(block, room) + "\n" + marks.end;
}

std::string WithOwnBlock(std::string_view current, std::string_view wanted, std::size_t max_bytes) {
  const OwnMarks marks = MarksOf(wanted);
  if (marks.start.empty()) return FitBody(wanted, max_bytes);
  const std::size_t begin = current.find(marks.start);
  if (begin == std::string_view::npos) return std::string(current);
  const std::size_t end = current.find(marks.end, begin);
  const std::string_view before = current.substr(0, begin);
  const std::string_view after =
      end == std::string_view::npos ? std::string_view() : current.substr(end + marks.end.size());
  const std::size_t room = max_bytes - std::min(max_bytes, before.size() + after.size());
  return std::string(before) + FitOwnBlock(wanted, room) + std::string(after);
}

std::string FindingMarker(std::string_view fingerprint) {
  return Marker("finding", fingerprint);
}

std::string FindingBody(const LineComment& comment, std::size_t max_bytes) {
  return MarkedBody(FindingMarker(comment.fingerprint), comment.body, max_bytes);
}

std::vector<std::string> FindingMarkersIn(std::string_view body) {
  constexpr std::string_view kStart = "<!-- swage:finding ";
  constexpr std::string_view kEnd = " -->";
  std::vector<std::string> markers;
  for (std::size_t at = body.find(kStart); at != std::string_view::npos;
       at = body.find(kStart, at + kStart.size())) {
    const std::size_t end = body.find(kEnd, at);
    if (end == std::string_view::npos) break;
    markers.emplace_back(body.substr(at, end + kEnd.size() - at));
  }
  return markers;
}

std::string GoneMarker() {
  return Marker("gone", "1");
}

std::string WithUnplaced(std::string_view body, const std::vector<const LineComment*>& unplaced) {
  if (unplaced.empty()) return std::string(body);
  std::string out(body);
  out += "\n\n**Outside the changed lines**\n";
  for (const LineComment* comment : unplaced) {
    const std::string place =
        comment->line > 0 ? comment->path + ":" + std::to_string(comment->line) : comment->path;
    constexpr std::size_t kPlaceBytes = 300;
    out += "\n" + FindingMarker(comment->fingerprint) + "\n" + CodeSpan(place, kPlaceBytes) +
           "\n\n" + comment->body + "\n";
  }
  return out;
}

bool SameText(std::string_view a, std::string_view b) {
  const auto normal = [](std::string_view s) {
    return std::string(Trim(ReplaceAll(std::string(s), "\r\n", "\n")));
  };
  return normal(a) == normal(b);
}

}  // namespace swage
